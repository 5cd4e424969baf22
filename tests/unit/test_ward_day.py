"""The ward day of examples/: its files read as its README says, and the day ends with exactly the alerts expected.

``expected.json`` was written by hand from the clinical sources; nothing here makes it.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from knowledge.loader import Knowledge, load
from schemas.alerts import Alert
from schemas.events import (
    Administration,
    Condition,
    Dispensing,
    Event,
    Patient,
    Pregnancy,
    Prescription,
    Procedure,
    Specimen,
)
from schemas.values import Coding, Origin, Quantity
from services.ingest.formats import Ignored, Refusal
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "examples" / "ward-day"
EVENTS = DAY / "events"
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
SCHEMAS = {path.parent.name: json.loads(path.read_text()) for path in (ROOT / "schemas" / "json").glob("*/v1.json")}
EVENT_TYPES = ("prescription", "dispensing", "administration", "lab_result", "observation", "patient")
Sent = list[tuple[Event, Origin]]


@cache
def expected() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DAY / "expected.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load()


@cache
def _units() -> tuple[Any, ...]:
    mapping = load_mapping(DAY / "lab.toml")
    return tuple(unit for file in files([EVENTS], mapping) for unit in units(file, mapping))


def sent() -> Sent:
    """Every event of the day with its origin, in the order of the files."""
    return [(unit.end, unit.origin) for unit in _units() if isinstance(unit.end, Event)]


def canonical(knowledge: Knowledge, events: Sent) -> list[Any]:
    pipeline = Pipeline(knowledge, lambda: NOW)
    return [pipeline.take_event(event, origin) for event, origin in events]


def by_time(events: Iterable[Any]) -> list[Any]:
    """In order of clinical time; events of one time stay in the order of their file."""
    return sorted(events, key=lambda event: event.occurred_at)


def play(knowledge: Knowledge, events: Iterable[Any]) -> list[Alert]:
    """The last state of every alert."""
    states: dict[str, PatientState] = {}
    last: dict[str, Alert] = {}
    for event in events:
        states[event.patient_id], changed = take_event(states.get(event.patient_id), event, knowledge, NOW)
        last.update((alert.alert_id, alert) for alert in changed)
    return list(last.values())


Identity = tuple[str, ...]


def identities(alerts: Iterable[Alert]) -> list[Identity]:
    return sorted((a.patient_id, a.rule, a.subject, a.severity, a.status) for a in alerts)


def expected_alerts() -> list[Identity]:
    return [(a["patient_id"], a["rule"], a["subject"], a["severity"], a["status"]) for a in expected()["alerts"]]


def silent() -> list[tuple[str, str]]:
    """Who is a look-alike, and for which rule."""
    return [(each["patient_id"], each["rule"]) for each in expected()["silent"]]


# --- the files


def test_every_unit_ends_as_the_day_says() -> None:
    ends = [unit.end for unit in _units()]
    events = Counter(str(end.__struct_config__.tag) for end in ends if isinstance(end, Event))
    refused = Counter(end.reason for end in ends if isinstance(end, Refusal))
    ignored = Counter(end.kind for end in ends if isinstance(end, Ignored))
    assert {"read": len(ends), "events": events, "refused": refused, "ignored": ignored} == expected()["units"]


def test_the_counts_are_those_of_another_reader() -> None:
    """json, csv and a JSON Schema validator see the same units."""
    ends: Counter[tuple[str, str]] = Counter()
    ends.update(map(_end_of, json.loads((EVENTS / "patients.json").read_text())))
    for name in ("orders.jsonl", "dispensings.jsonl", "administrations.jsonl", "observations.jsonl"):
        ends.update(map(_end_of_line, (EVENTS / name).read_text().splitlines()))
    with (EVENTS / "lab-results.csv").open(newline="") as stream:
        ends.update(map(_end_of_row, csv.DictReader(stream)))
    with (EVENTS / "lab-items.csv").open(newline="") as stream:
        ends[("ignored", "lab-items.csv")] = len(list(csv.DictReader(stream)))
    said = expected()["units"]
    for end in ("events", "refused", "ignored"):
        assert {kind: count for (of, kind), count in ends.items() if of == end} == said[end]
    assert ends.total() == said["read"]


def _end_of_line(line: str) -> tuple[str, str]:
    try:
        return _end_of(json.loads(line))
    except json.JSONDecodeError:
        return "refused", "not_json"


def _end_of(event: dict[str, Any]) -> tuple[str, str]:
    kind = event["type"]
    if kind not in EVENT_TYPES:
        return "refused", "unknown_type"
    valid = jsonschema_rs.validator_for(SCHEMAS[kind]).is_valid(event)
    return ("events", kind) if valid else ("refused", "schema")


def _end_of_row(row: dict[str, str]) -> tuple[str, str]:
    if row["Class"] == "QC":
        return "ignored", "quality_control"
    try:
        datetime.strptime(row["Collected"], "%m/%d/%Y %H:%M")
    except ValueError:
        return "refused", "mapping"
    return "events", "lab_result"


def test_local_times_of_the_laboratory_are_instants_of_the_day() -> None:
    (late,) = [e for e, _ in sent() if e.record_id == "26-70304-KPL"]
    assert late.occurred_at == datetime(2026, 11, 2, 15, 30, tzinfo=UTC)


def test_every_patient_is_admitted_and_all_is_replayed() -> None:
    patients = {event.patient_id: event for event, _ in sent() if isinstance(event, Patient)}
    assert {event.patient_id for event, _ in sent()} == set(patients)
    assert {event.timing for event, _ in sent()} == {"replayed"}
    sources = {"adt", "cpoe", "pharmacy", "pharmacy-bridge", "lab", "emar", "ward", "ecg"}
    assert {event.source for event, _ in sent()} == sources
    assert {alert["patient_id"] for alert in expected()["alerts"]} < set(patients)


def test_what_is_expected_is_in_order_and_says_why() -> None:
    alerts = expected_alerts()
    assert alerts == sorted(alerts)
    assert all(alert["why"].endswith(".") for alert in expected()["alerts"])


def test_the_readme_tells_of_every_patient_and_every_alert() -> None:
    rows = [line for line in (DAY / "README.md").read_text().splitlines() if line.startswith("| W2")]
    told = {line.split("|")[1].strip(): line for line in rows}
    assert set(told) == {event.patient_id for event, _ in sent()}
    for patient_id, _, subject, severity, status in expected_alerts():
        assert f"`{subject}` {severity}, {status}" in told[patient_id]
    with_alerts = {patient_id for patient_id, *_ in expected_alerts()}
    assert {patient_id for patient_id, line in told.items() if line.endswith("| silent |")} == set(told) - with_alerts


def test_every_family_has_a_true_problem_and_a_look_alike(knowledge: Knowledge) -> None:
    """Each rule in code, and each family of those that are written as data."""
    written = {rule.id: rule.family for rule in knowledge.written}
    wanted = {rule.id for rule in RULES} | set(written.values())
    assert {written.get(rule, rule) for _, rule, *_ in expected_alerts()} == wanted
    assert {written.get(rule, rule) for _, rule in silent()} == wanted


def test_no_look_alike_is_expected_to_speak() -> None:
    assert silent() == list(dict.fromkeys(silent()))
    assert set(silent()).isdisjoint((patient_id, rule) for patient_id, rule, *_ in expected_alerts())
    assert all(each["why"].endswith(".") for each in expected()["silent"])


# --- what ingest makes of it


def test_only_the_study_medicine_stays_unresolved(knowledge: Knowledge) -> None:
    """A control that is silent because its medicine was not understood would prove nothing."""
    orders = [e for e in canonical(knowledge, sent()) if isinstance(e, Prescription | Dispensing | Administration)]
    by_resolution: dict[str, set[str]] = {}
    for event in orders:
        by_resolution.setdefault(str(event.drug.resolution), set()).add(event.drug.text)
    assert by_resolution["unresolved"] == {"XR-417 study capsule"}
    assert "0.9% Sodium Chloride" in by_resolution["vehicle"]


def test_names_and_codes_of_one_order_are_one_ingredient(knowledge: Knowledge) -> None:
    ingredients: dict[str, set[tuple[str, ...]]] = {}
    for event in canonical(knowledge, sent()):
        if isinstance(event, Prescription):
            ingredients.setdefault(event.record_id, set()).add(tuple(i.name for i in event.drug.ingredients))
    assert all(len(same) == 1 for same in ingredients.values()), ingredients
    assert ingredients["rx-4061"] == {("irinotecan",)}


# --- the day


def test_the_day_raises_exactly_the_expected_alerts(knowledge: Knowledge) -> None:
    assert identities(play(knowledge, by_time(canonical(knowledge, sent())))) == expected_alerts()


def test_look_alikes_stay_silent(knowledge: Knowledge) -> None:
    found = {(alert.patient_id, alert.rule) for alert in play(knowledge, by_time(canonical(knowledge, sent())))}
    assert [each for each in silent() if each in found] == []


CHANGES = {
    ("W2103", "drug-drug-interaction"): ["opened", "resolved"],
    ("W2106", "drug-drug-interaction"): ["opened", "withdrawn"],
    ("W2111", "drug-lab"): ["opened", "updated"],
    ("W2112", "drug-lab"): ["opened", "resolved"],
    ("W2114", "drug-lab"): ["opened", "updated"],
    ("W2115", "critical-lab"): ["opened", "updated"],
    ("W2158", "heparin-platelet-count"): ["opened", "resolved"],
    ("W2118", "critical-lab"): ["opened", "withdrawn"],
    ("W2164", "critical-lab"): ["opened", "resolved"],
}
"""By patient and rule; every other alert stands as it was opened, or has got more evidence."""


def test_the_stories_go_as_told(knowledge: Knowledge) -> None:
    for alert in play(knowledge, by_time(canonical(knowledge, sent()))):
        told = CHANGES.get((alert.patient_id, alert.rule))
        changes = [entry.change for entry in alert.history]
        if told is not None:
            assert changes == told, alert.patient_id
        else:
            assert changes[0] == "opened", alert.patient_id
            assert set(changes[1:]) <= {"updated"}, alert.patient_id


@pytest.mark.parametrize("seed", range(10))
def test_whatever_the_order_of_arrival_the_same_problems_stay_open(knowledge: Knowledge, seed: int) -> None:
    events = canonical(knowledge, sent())
    random.Random(seed).shuffle(events)
    still_open = [alert for alert in play(knowledge, events) if alert.status == "open"]
    assert identities(still_open) == [alert for alert in expected_alerts() if alert[-1] == "open"]


def test_the_day_sent_twice_changes_nothing(knowledge: Knowledge) -> None:
    events = by_time(canonical(knowledge, sent()))
    assert play(knowledge, [*events, *events]) == play(knowledge, events)


def _without(record_id: str, status: str) -> Callable[[Any], Any]:
    return lambda e: None if (e.record_id, getattr(e, "status", "")) == (record_id, status) else e


def _with(record_id: str, **fields: Any) -> Callable[[Any], Any]:
    return lambda e: replace(e, **fields) if e.record_id == record_id else e


def _by_mouth(event: Any) -> Any:
    if event.record_id != "rx-4312":
        return event
    drug, dosage = replace(event.drug, form=UNSET), replace(event.dosage, route="oral")
    return replace(event, drug=drug, dosage=dosage)


def _doubled(event: Any) -> Any:
    if event.record_id != "rx-4351":
        return event
    return replace(event, dosage=replace(event.dosage, dose=Quantity(20, "mg")))


def _drug(record_id: str, name: str, **dosage: Any) -> Callable[[Any], Any]:
    return lambda e: (
        replace(e, drug=replace(e.drug, text=name), dosage=replace(e.dosage, **dosage))
        if e.record_id == record_id
        else e
    )


def _every_day(event: Any) -> Any:
    if event.record_id != "rx-41741":
        return event
    return replace(event, dosage=replace(event.dosage, text="10 mg by mouth once a day", frequency_per_day=1))


def _bled_today(event: Any) -> Any:
    if event.record_id != "adt-W2189":
        return event
    return replace(event, procedures=(Procedure(kind="bleeding", start=datetime(2026, 11, 2, 10, tzinfo=UTC)),))


def _on(record_id: str, day: datetime) -> Callable[[Any], Any]:
    return _with(record_id, occurred_at=day)


def _has(patient_id: str, code: str) -> Callable[[Any], Any]:
    """As if this were the only thing the patient has."""
    return lambda e: (
        replace(e, conditions=(Condition(codings=(Coding("ICD-10", code),)),))
        if isinstance(e, Patient) and e.patient_id == patient_id
        else e
    )


def _stopped_for(reason: str) -> Callable[[Any], Any]:
    return lambda e: replace(e, reason=reason) if getattr(e, "status", "") == "discontinued" else e


def _half_the_tablets(event: Any) -> Any:
    return replace(event, quantity=Quantity(60, "tablets")) if isinstance(event, Dispensing) else event


FIBRILLATION = (Coding("ICD-10", "I48.0", "paroxysmal atrial fibrillation"),)
SILENT_BECAUSE = {
    "eye drops": ("W2131", _by_mouth, "drug-drug-interaction", "tizanidine-cyp1a2:ciprofloxacin+tizanidine"),
    "stopped before": (
        "W2132", _without("rx-4321", "discontinued"), "drug-drug-interaction", "statin-cyp3a4:clarithromycin+simvastatin"
    ),
    "one ingredient": (
        "W2133", _drug("rx-4332", "Phenelzine 15 mg tablet"), "drug-drug-interaction", "ssri-maoi:fluoxetine+phenelzine"
    ),
    "held": ("W2134", _without("rx-4341", "held"), "drug-drug-interaction", "statin-cyp3a4:clarithromycin+simvastatin"),
    "10 mg": ("W2135", _doubled, "drug-drug-interaction", "statin-cyp3a4:diltiazem+simvastatin"),
    "at the upper limit": ("W2136", _with("26-70207-KPL", value=6.3), "critical-lab", "potassium:high"),
    "at the lower limit": ("W2136", _with("26-70207-NAPL", value=119.0), "critical-lab", "sodium:low"),
    "haemolysed": ("W2137", _with("26-70208-KPL", value=6.9, unit="mmol/L"), "critical-lab", "potassium:high"),
    "urine": (
        "W2138",
        _with("26-70209-UNA", codings=(Coding("LOINC", "2951-2"),), specimen=Specimen(kind="serum")),
        "critical-lab",
        "sodium:low",
    ),
    "cancelled": ("W2139", _with("26-70210-PLT", status="final"), "critical-lab", "platelets:low"),
    "newborn": ("W2144", _with("adt-W2144", birth_date=date(1990, 1, 1)), "critical-lab", "potassium:high"),
    "another side chain": ("W2171", _drug("rx-41711", "Ampicillin"), "allergy", "ampicillin"),
    "a switch": ("W2172", _without("rx-41721", "discontinued"), "duplicate-therapy", "anticoagulants"),
    "on its way": (
        "W2173", _with("a-510", occurred_at=datetime(2026, 11, 2, 16, tzinfo=UTC)), "given-after-stop", "morphine"
    ),
    "once a week": ("W2174", _every_day, "dose-range", "methotrexate"),
    "for a thrombosis": ("W2175", _with("rx-41751", indication=FIBRILLATION), "kidney-dose", "rivaroxaban"),
    "class A": ("W2176", _with("o-709", value=11.0), "liver-dose", "celecoxib"),
    "getting better": ("W2177", _with("26-70422-CREA", value=0.8), "acute-kidney-injury", "acute-kidney-injury"),
    "dialysis": ("W2178", _with("adt-W2178", procedures=(), conditions=()), "acute-kidney-injury", "acute-kidney-injury"),
    "before heparin": (
        "W2179",
        _with("rx-41791", occurred_at=datetime(2026, 10, 25, 12, tzinfo=UTC)),
        "heparin-platelets",
        "heparin-thrombocytopenia",
    ),
    "a flush": ("W2180", _drug("rx-41801", "Apixaban 5 mg tablet", text="", route="oral"), "drug-lab", "bleeding"),
    "the bile duct": ("W2181", _with("26-70431-ALP", value=130.0), "liver-injury", "liver-injury"),
    "no long QTc": ("W2182", _with("o-710", value=562.0), "qt", "qt"),
    "cancer": ("W2183", _with("adt-W2183", conditions=()), "opioid", "daily-dose"),
    "a normal TSH": (
        "W2184", _with("26-70433-TSH", value=24.0), "interaction-mechanism", "thyroid-calcium:levothyroxine"
    ),
    "it was not low": ("W2185", _with("26-70434-NAPL", value=116.0), "rapid-change", "sodium:rise"),
    "albumin": ("W2186", _with("26-70436-ALB", value=1.7), "corrected-level", "phenytoin:corrected"),
    "long ago": (
        "W2187", _with("26-70437-KPL", occurred_at=datetime(2026, 11, 2, 14, tzinfo=UTC)), "drug-lab", "potassium:high"
    ),
    "ventilated": ("W2188", _with("adt-W2188", procedures=()), "opioid", "sedation"),
    "a year ago": ("W2189", _bled_today, "bleeding", "bleeding"),
    "handed out": ("W2231", _without("d-608", "dispensed"), "never-dispensed", "apixaban"),
    "ordered a day later": ("W2232", _without("rx-422322", "ordered"), "dispensed-without-order", "warfarin"),
    "two for one": ("W2233", _half_the_tablets, "dispensed-otherwise", "metoprolol"),
    "fallen before": (
        "W2234", _on("a-513", datetime(2026, 10, 24, 12, tzinfo=UTC)), "worse-since-given", "platelets-linezolid"
    ),
    "too soon": ("W2235", _on("a-517", datetime(2026, 10, 22, 22, tzinfo=UTC)), "no-effect", "inr-warfarin"),
    "the next month": ("W2236", _on("d-617", datetime(2026, 10, 30, 15, tzinfo=UTC)), "filled-twice", "lorazepam"),
    "another dose": ("W2237", _without("rx-422371", "changed"), "drug-level", "tacrolimus:low"),
    "up and down": ("W2238", _with("26-70465-KPL", value=4.6), "trend", "potassium:rise"),
    "stopped for no harm": ("W2239", _stopped_for("angioedema"), "restarted-after-harm", "lisinopril"),
    "taken over": ("W2240", _without("rx-422401", "changed"), "not-continued", "levetiracetam"),
    "refilled": ("W2241", _without("d-625", "dispensed"), "late-refill", "apixaban"),
    "as long as ordered": ("W2242", _without("rx-422421", "ordered"), "stopped-early", "levetiracetam"),
    "in hospital meanwhile": ("W2243", _without("adt-W2243", ""), "days-covered", "statin"),
    "a level of September": ("W2244", _without("26-70490-LI", "final"), "lithium-level-due", "lithium"),
    "does not make drowsy": (
        "W2245", _drug("rx-422453", "trazodone 100 mg tablet"), "sedative-burden", "sedative-burden"
    ),
    "needs the vein": ("W2246", _has("W2246", "J18.9"), "antibiotic-vein-to-mouth", "levofloxacin"),
    "a statin": ("W2247", _without("rx-422472", "ordered"), "infarction-no-statin", "myocardial-infarction"),
    "not pregnant": (
        "W2248", _with("adt-W2248", pregnancy=Pregnancy(pregnant=True)), "pregnancy-renin-system", "lisinopril"
    ),
    "grown up": ("W2249", _with("adt-W2249", birth_date=date(2011, 4, 14)), "child-opioid-tonsils", "codeine"),
    "epilepsy": ("W2250", _has("W2250", "R29.6"), "older-benzodiazepine", "diazepam"),
    "into the eye": (
        "W2251",
        _drug("rx-422511", "ciprofloxacin 500 mg tablet", route="oral", text="500 mg twice a day"),
        "myasthenia-fluoroquinolone",
        "ciprofloxacin",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", SILENT_BECAUSE)
def test_each_silence_has_its_reason(knowledge: Knowledge, reason: str) -> None:
    """Take the reason away, and the alert is there: a look-alike that looked like nothing would prove nothing."""
    patient_id, change, rule, subject = SILENT_BECAUSE[reason]
    mine = [(event, origin) for event, origin in sent() if event.patient_id == patient_id]
    changed = [(after, origin) for event, origin in mine if (after := change(event)) is not None]
    assert changed != mine
    found = play(knowledge, by_time(canonical(knowledge, changed)))
    assert (rule, subject) in {(alert.rule, alert.subject) for alert in found}


def test_every_look_alike_has_its_reason_tried() -> None:
    """But for the two strengths of one medicine, which are two medicines when they are taken apart."""
    tried = {(patient_id, rule) for patient_id, _, rule, _ in SILENT_BECAUSE.values()}
    assert set(silent()) - tried == {("W2133", "duplicate-therapy")}
