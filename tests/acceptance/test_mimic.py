"""Real hospital data: `rxvigil check` on the MIMIC-III demo agrees with a computation that shares no code with it, and the
same rows through Kafka give the same alerts."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from schemas.alerts import Alert
from services.local.feed import load_mapping
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


def critical_by_rxvigil(alerts: list[Alert]) -> Counter[tuple[str, str, str, str, str]]:
    found = set()
    for alert in alerts:
        if alert.rule == "critical-lab" and alert.subject.split(":")[0] in LIMITS:
            analyte, direction = alert.subject.split(":")
            for fact in (fact for entry in alert.history for fact in entry.facts):
                # lab-<patient>-<item>-<time>-<value>, as the mapping file says
                match = re.fullmatch(r"lab-\d+-\d+-(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)-(.*)", fact.record_id)
                assert match
                found.add((alert.patient_id, analyte, direction, match[1], match[2]))
    return Counter(dict.fromkeys(found, 1))


def test_every_row_becomes_an_event_a_refusal_or_is_ignored(run: tuple[list[Alert], str, bytes]) -> None:
    summary = run[1]
    rows = sum(len(pd.read_csv(path, dtype=str)) for path in MIMIC.glob("*.csv.gz"))
    assert counted(summary, "read") == rows
    assert counted(summary, "events") + counted(summary, "refused") + counted(summary, "ignored") == rows
    without_start = pd.read_csv(MIMIC / "PRESCRIPTIONS.csv.gz", dtype=str)["STARTDATE"].isna().sum()
    assert counted(summary, "refused") == without_start


def test_critical_results_are_those_of_an_independent_computation(run: tuple[list[Alert], str, bytes]) -> None:
    expected, found = critical_by_pandas(), critical_by_rxvigil(run[0])
    assert expected, "the data has critical results"
    assert {key[1] for key in expected} == set(LIMITS)
    assert found == expected


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
