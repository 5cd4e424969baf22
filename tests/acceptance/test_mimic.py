"""Real hospital data: `rxvigil check` on the MIMIC-III demo agrees with a computation that shares no code with it, and the
same rows through Kafka give the same alerts."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import Event
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from services.local.follow import Follower, handled
from services.local.send import send
from services.local.stack import Stack
from tests.conftest import ANY_PORTS, SHARED

pytestmark = pytest.mark.shared

ROOT = Path(__file__).parents[2]
MAPPING = ROOT / "examples" / "mimic-iii.toml"
MIMIC = SHARED / "corpus" / "mimic-iii-demo"

LABELS = {
    "potassium": ("Potassium", "Potassium, Whole Blood"),
    "sodium": ("Sodium", "Sodium, Whole Blood"),
    "glucose": ("Glucose",),
    "hemoglobin": ("Hemoglobin",),
    "platelets": ("Platelet Count",),
}
# Kost, JAMA 1990;263:704, mean limits of US centres for adults; the demo's patients are all adults
LIMITS = {
    "potassium": (2.8, 6.2),
    "sodium": (120, 158),
    "glucose": (46, 484),
    "hemoglobin": (6.6, 19.9),
    "platelets": (37, 910),
}


def checked(*arguments: str) -> tuple[list[Alert], str, bytes]:
    command = [sys.executable, "-m", "services.cli", "check", "--map", str(MAPPING), str(MIMIC), *arguments]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=os.environ | {"COLUMNS": "200"})
    decode = msgspec.json.Decoder(Alert).decode
    return [decode(line) for line in done.stdout.splitlines()], done.stderr.decode(), done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Alert], str, bytes]:
    letters = tmp_path_factory.mktemp("check") / "letters.jsonl"
    return checked("--dead-letters", str(letters))


def counted(summary: str, name: str) -> int:
    match = re.search(rf"^{name}\s+([\d,]+)", summary, re.MULTILINE)
    assert match, summary
    return int(match[1].replace(",", ""))


def critical_by_pandas() -> Counter[tuple[str, str, str, str, str]]:
    """(patient, analyte, direction, time, value as written) of each critical result, each row that says the same once."""
    items = pd.read_csv(MIMIC / "D_LABITEMS.csv.gz")
    labs = pd.read_csv(MIMIC / "LABEVENTS.csv.gz", dtype=str)
    labs["ITEMID"] = labs["ITEMID"].astype(int)
    found: Counter[tuple[str, str, str, str, str]] = Counter()
    for analyte, (low, high) in LIMITS.items():
        wanted = items[items["LABEL"].isin(LABELS[analyte]) & (items["FLUID"].str.lower() == "blood")]
        rows = labs[labs["ITEMID"].isin(wanted["ITEMID"])].dropna(subset=["VALUE"]).drop_duplicates()
        sign = rows["VALUE"].str.extract(r"^(<|GREATER THAN)", expand=False).fillna("")
        number = pd.to_numeric(rows["VALUE"].str.replace(r"^(<|GREATER THAN)\s*", "", regex=True), errors="coerce")
        below = (number < low) & (sign != "GREATER THAN")
        above = (number > high) & (sign != "<")
        for direction, beyond in (("low", below), ("high", above)):
            for _, row in rows[beyond].iterrows():
                found[(row["SUBJECT_ID"], analyte, direction, row["CHARTTIME"], row["VALUE"])] += 1
    return Counter(dict.fromkeys(found, 1))


def told(alerts: Iterable[Alert]) -> set[tuple[str, str, str, str]]:
    """(patient, analyte, time, value as written) of each result that any revision of an alert names."""
    found = set()
    for alert in alerts:
        for fact in (fact for entry in alert.history for fact in entry.facts if fact.kind == "lab_result"):
            # lab-<patient>-<item>-<time>-<value>, as the mapping file says
            match = re.fullmatch(r"lab-\d+-\d+-(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)-(.*)", fact.record_id)
            assert match
            for analyte in (analyte for analyte, labels in LABELS.items() if fact.label in labels):
                found.add((alert.patient_id, analyte, match[1], match[2]))
    return found


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(MIMIC / f"{name}.csv.gz", dtype=str)


def parts(summary: str, name: str) -> dict[str, int]:
    """What the summary counts by type, reason or kind behind the sum."""
    match = re.search(rf"^{name}\s+[\d,]+:?(.*(?:\n\s+.*)*)", summary, re.MULTILINE)
    assert match, summary
    return {kind: int(number.replace(",", "")) for kind, number in re.findall(r"(\S+) ([\d,]*\d)", match[1])}


def test_every_row_becomes_an_event_a_refusal_or_is_ignored(run: tuple[list[Alert], str, bytes]) -> None:
    summary = run[1]
    rows = sum(len(pd.read_csv(path, dtype=str)) for path in MIMIC.glob("*.csv.gz"))
    assert counted(summary, "read") == rows
    assert counted(summary, "events") + counted(summary, "refused") + counted(summary, "ignored") == rows


def test_rows_end_as_pandas_counts_them(run: tuple[list[Alert], str, bytes]) -> None:
    orders, labs, stays, diagnoses = map(table, ("PRESCRIPTIONS", "LABEVENTS", "ADMISSIONS", "DIAGNOSES_ICD"))
    placed = orders["STARTDATE"].notna() & orders["DRUG"].notna()
    # a result needs no value; a diagnosis needs its code and the time of its admission
    taken = diagnoses["ICD9_CODE"].notna() & diagnoses["HADM_ID"].isin(stays["HADM_ID"])
    assert parts(run[1], "events") == {
        "prescription": placed.sum(),
        "lab_result": labs["CHARTTIME"].notna().sum(),
        "condition": taken.sum(),
        "encounter": stays["ADMITTIME"].notna().sum(),
        "patient": len(table("PATIENTS")),
    }
    refused = len(orders) - placed.sum() + len(diagnoses) - taken.sum() + labs["CHARTTIME"].isna().sum()
    assert counted(run[1], "refused") == refused
    assert parts(run[1], "ignored") == {"D_LABITEMS.csv": len(table("D_LABITEMS"))}


@pytest.fixture(scope="module")
def events() -> dict[str, dict[str, Any]]:
    """The events of every file by their type and their record id, as ingest makes them."""
    mapping, pipeline = load_mapping(MAPPING), Pipeline(load(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    found: dict[str, dict[str, Any]] = {}
    for file in files([MIMIC], mapping):
        for unit in units(file, mapping):
            if isinstance(unit.end, Event):
                event = pipeline.take_event(unit.end, unit.origin)
                found.setdefault(event.__struct_config__.tag, {})[event.record_id] = event
    return found


def seconds(times: pd.Series) -> pd.Series:
    return times.dt.strftime("%Y-%m-%d %H:%M:%S")


def test_stays_begin_with_the_arrival_in_the_century_of_the_admission(events: dict[str, dict[str, Any]]) -> None:
    stays = table("ADMISSIONS").set_index("HADM_ID")
    assert set(events["encounter"]) == set(stays.index)
    arrived = stays["EDREGTIME"].notna()
    assert arrived.any()
    assert not arrived.all()
    for hadm, stay in stays.iterrows():
        event = events["encounter"][hadm]
        assert f"{event.stay.admitted_at:%Y-%m-%d %H:%M:%S}" == stay["ADMITTIME"]
        assert f"{event.stay.discharged_at:%Y-%m-%d %H:%M:%S}" == stay["DISCHTIME"]
        if not arrived[hadm]:
            assert event.occurred_at == event.stay.admitted_at
            continue
        at = event.occurred_at
        assert f"{at.month}/{at.day}/{at:%y} {at.hour}:{at:%M}" == stay["EDREGTIME"]
        # a day and a half in the emergency department is the longest that the data has
        assert abs(at - event.stay.admitted_at) < timedelta(days=2)


def test_diagnoses_have_the_time_of_their_admission_and_a_code_with_its_dot(events: dict[str, dict[str, Any]]) -> None:
    rows = table("DIAGNOSES_ICD").merge(table("ADMISSIONS")[["HADM_ID", "ADMITTIME"]], on="HADM_ID")
    external = rows["ICD9_CODE"].str.startswith("E")
    stem = external.map({True: 4, False: 3})
    rows["dotted"] = [f"{c[:n]}.{c[n:]}" if len(c) > n else c for c, n in zip(rows["ICD9_CODE"], stem, strict=True)]
    assert external.any()
    expected = {
        f"diagnosis-{row.ROW_ID}": (row.SUBJECT_ID, row.HADM_ID, row.ADMITTIME, row.dotted) for row in rows.itertuples()
    }
    found = {
        record_id: (e.patient_id, e.encounter_id, f"{e.occurred_at:%Y-%m-%d %H:%M:%S}", e.condition.codings[0].code)
        for record_id, e in events["condition"].items()
    }
    assert found == expected


def test_results_have_the_loinc_code_of_their_item(events: dict[str, dict[str, Any]]) -> None:
    rows = table("LABEVENTS").merge(
        table("D_LABITEMS")[["ITEMID", "LOINC_CODE", "LABEL", "FLUID"]], on="ITEMID", how="left"
    )
    rows["id"] = "lab-" + rows["SUBJECT_ID"] + "-" + rows["ITEMID"] + "-" + rows["CHARTTIME"] + "-" + rows["VALUE"]
    assert len(rows) == len(table("LABEVENTS"))
    expected = {
        row.id: (row.LOINC_CODE if isinstance(row.LOINC_CODE, str) else None, row.ITEMID, row.LABEL, row.FLUID)
        for row in rows.itertuples()
    }
    found = {}
    for record_id, event in events["lab_result"].items():
        codes = {coding.system: coding for coding in event.codings}
        loinc, item = codes.get("LOINC"), codes["mimic-iii/itemid"]
        found[record_id] = (loinc and loinc.code, item.code, item.display, event.specimen.kind)
    assert found == expected


def test_orders_last_from_their_first_midnight_to_the_end_of_their_last_day(events: dict[str, dict[str, Any]]) -> None:
    rows = table("PRESCRIPTIONS")
    ends = seconds(pd.to_datetime(rows["ENDDATE"]) + pd.Timedelta(days=1))
    expected = {
        f"prescription-{row}": (start, end)
        for row, start, end in zip(rows["ROW_ID"], rows["STARTDATE"], ends, strict=True)
    }
    found = {
        record_id: (f"{event.start:%Y-%m-%d %H:%M:%S}", f"{event.end:%Y-%m-%d %H:%M:%S}")
        for record_id, event in events["prescription"].items()
    }
    assert found == expected


def test_nearly_all_orders_of_drugs_are_understood(events: dict[str, dict[str, Any]]) -> None:
    rows = table("PRESCRIPTIONS")
    vehicles = pd.read_csv(ROOT / "knowledge" / "drugs" / "vehicles.csv")["name"]
    drugs = rows[(rows["DRUG_TYPE"] != "BASE") & ~rows["DRUG"].str.lower().isin(vehicles)]
    assert len(drugs) > 4000
    unresolved = Counter(
        row.DRUG
        for row in drugs.itertuples()
        if not events["prescription"][f"prescription-{row.ROW_ID}"].drug.ingredients
    )
    assert unresolved.total() < 0.05 * len(drugs), unresolved.most_common(20)


def test_critical_results_are_those_of_an_independent_computation(run: tuple[list[Alert], str, bytes]) -> None:
    """Each critical value is told, by the rule of critical values or by one that shows the same problem and is as grave; and the
    rule of critical values tells no other."""
    expected = {(patient, analyte, time, value) for patient, analyte, _, time, value in critical_by_pandas()}
    assert {analyte for _, analyte, _, _ in expected} == set(LIMITS)
    of_rule = [alert for alert in run[0] if alert.rule == "critical-lab" and alert.subject.split(":")[0] in LIMITS]
    reach = [a for a in run[0] if any(entry.severity in ("critical", "high", "moderate") for entry in a.history)]
    assert expected - told(reach) == set()
    assert told(of_rule) <= expected


def test_the_same_input_gives_the_same_bytes(run: tuple[list[Alert], str, bytes]) -> None:
    assert checked()[2] == run[2]


@pytest.mark.stack
@pytest.mark.filterwarnings("default")
async def test_the_same_rows_through_kafka_give_the_same_alerts(
    run: tuple[list[Alert], str, bytes], tmp_path: Path
) -> None:
    console = Console(stderr=True)
    async with (
        Stack(tmp_path, services=("ingest", "monitor"), settings=ANY_PORTS, console=console) as stack,
        Follower.started(stack.brokers, lambda alert: None) as follower,
    ):
        await send([MIMIC], load_mapping(MAPPING), brokers=stack.brokers, rate=None, progress=console)
        async with asyncio.timeout(240):
            await handled(stack.brokers)
            await follower.reached_the_end(stack.brokers)
        alerts = follower.alerts()

    def identity(alert: Alert) -> tuple[str, ...]:
        return (alert.alert_id, alert.rule, alert.subject, alert.severity, alert.status, alert.patient_id)

    assert sorted(map(identity, alerts)) == sorted(map(identity, run[0]))
