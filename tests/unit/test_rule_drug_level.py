"""Levels that are too low or were drawn too soon. Limits typed here from their sources: FDA labels of valproate (50 to 100
mcg/mL) and tacrolimus (lowest of all ranges 4 ng/mL), the ranges after the labels of carbamazepine (4 to 12) and phenytoin (10
to 20), the label of digoxin (a sample at least 6 hours after a dose)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import Administration, AnyEvent, Condition, Dosage, Drug, Ingredient, LabResult, Patient
from schemas.values import Coding, Quantity
from services.local.rows import RowFinder
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.drug_level import DrugLevel
from tests.support.clinical import at, lab, order, patient

KNOWN = load()
UNITS = {each.name: each.unit for each in KNOWN.analytes.values()}
DAY = 24


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (DrugLevel(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def level(analyte: str, value: float, hours: float = 0, **more: Any) -> LabResult:
    unit = UNITS[analyte]
    return lab(analyte, value, hours, **({"unit": unit, "canonical_unit": unit} | more))


def rx(name: str, hours: float, milligrams: float = 100, per_day: float = 2, **more: Any) -> AnyEvent:
    dosage = Dosage(route="oral", dose=Quantity(milligrams, "mg"), frequency_per_day=per_day)
    return order(name, hours, dosage=dosage, **more)


def given(name: str, hours: float, **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": f"{name}-{hours}", "occurred_at": at(hours), "status": "given",
        "drug": Drug(text=name, ingredients=(Ingredient(name),), resolution="name"), "route": "oral",
    }  # fmt: skip
    return Administration(**(fields | more))


def diagnosed(code: str) -> Patient:
    return patient(-1000, conditions=(Condition(codings=(Coding("ICD-10", code, code),)),))


SEIZURES = diagnosed("G40.9")


def play(*events: AnyEvent) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWN, at(0))
    assert state is not None
    return state


def opened(*events: AnyEvent) -> dict[str, Alert]:
    return {each.subject: each for each in play(*events).open_alerts.values()}


def severity(subject: str, *events: AnyEvent) -> str:
    alert = opened(*events).get(subject)
    return "" if alert is None else alert.severity


@pytest.mark.parametrize(
    ("medicine", "limit", "step", "expected"),
    [
        ("valproate", 50, 0.1, "moderate"),
        ("phenytoin", 10, 0.1, "moderate"),
        ("carbamazepine", 4, 0.1, "moderate"),
        ("tacrolimus", 4, 0.1, "moderate"),
        ("cyclosporine", 50, 1, "moderate"),
        ("lithium", 0.4, 0.01, "info"),
    ],
)
def test_both_sides_of_the_limit(medicine: str, limit: float, step: float, expected: str) -> None:
    acts = (SEIZURES, rx(medicine, -60 * DAY))
    assert severity(f"{medicine}:low", *acts, level(medicine, limit - step)) == expected
    assert severity(f"{medicine}:low", *acts, level(medicine, limit)) == ""


@pytest.mark.parametrize(
    ("medicine", "value", "days"),
    [("valproate", 30, 3), ("phenytoin", 6, 7), ("carbamazepine", 2, 14), ("tacrolimus", 2, 3), ("lithium", 0.2, 5)],
)
def test_a_level_counts_once_the_dose_has_been_the_same_for_days(medicine: str, value: float, days: float) -> None:
    assert opened(SEIZURES, rx(medicine, -days * DAY + 1), level(medicine, value)) == {}
    assert f"{medicine}:low" in opened(SEIZURES, rx(medicine, -days * DAY), level(medicine, value))


def test_a_dose_that_was_changed_begins_anew_and_one_written_anew_does_not() -> None:
    first = rx("tacrolimus", -20 * DAY, 2, id="a", end=at(-DAY))
    same, more = (rx("tacrolimus", -DAY, dose, id="b") for dose in (2, 3))
    assert "tacrolimus:low" in opened(first, same, level("tacrolimus", 2))
    assert opened(first, more, level("tacrolimus", 2)) == {}
    # a pause of more than a day is no unbroken treatment
    early = rx("tacrolimus", -20 * DAY, 2, id="a", end=at(-2.1 * DAY))
    assert opened(early, same, level("tacrolimus", 2)) == {}


def test_the_same_order_with_another_dose_begins_anew() -> None:
    first = rx("tacrolimus", -20 * DAY, 2, id="a")
    again, more = (rx("tacrolimus", -DAY, dose, id="a", version=2, status="changed") for dose in (2, 3))
    assert "tacrolimus:low" in opened(first, again, level("tacrolimus", 2))
    assert opened(first, more, level("tacrolimus", 2)) == {}


def test_it_ends_with_another_dose_a_newer_level_or_the_medicine_and_never_by_age() -> None:
    story = (rx("tacrolimus", -20 * DAY, 2, id="a"), level("tacrolimus", 2))
    assert "tacrolimus:low" in opened(*story)
    assert opened(*story, rx("tacrolimus", 4, 3, id="a", version=2, status="changed")) == {}
    assert opened(*story, level("tacrolimus", 6, 24)) == {}
    assert opened(*story, rx("tacrolimus", 4, 2, id="a", version=2, status="discontinued")) == {}
    assert opened(*story, level("tacrolimus", 2, version=2, status="cancelled")) == {}
    late, _ = advance(play(*story), at(90 * DAY), KNOWN, at(90 * DAY))
    assert [each.subject for each in late.open_alerts.values()] == ["tacrolimus:low"]


def test_the_reason_decides_how_grave_a_seizure_medicine_is_that_is_low() -> None:
    acts = (rx("valproate", -20 * DAY), level("valproate", 30))
    assert severity("valproate:low", SEIZURES, *acts) == "moderate"
    # nobody knows what it is for
    unknown = opened(*acts)["valproate:low"]
    assert unknown.severity == "info"
    assert "the reason for it is not known" in unknown.summary
    assert severity("valproate:low", diagnosed("F31.9"), *acts) == "info"


def test_a_carbapenem_takes_valproate_away_and_nobody_waits_for_a_steady_state() -> None:
    fresh = (rx("valproate", -10), rx("meropenem", -8, route="IV"), level("valproate", 30))
    assert severity("valproate:low", SEIZURES, *fresh) == "high"
    assert severity("valproate:low", *fresh) == "moderate"
    assert opened(SEIZURES, rx("valproate", -10), rx("ceftriaxone", -8, route="IV"), level("valproate", 30)) == {}


def test_phenytoin_is_low_only_with_albumin_counted_in() -> None:
    """Sheiner and Tozer: 7.2 with albumin of 2.0 is as 14.4 (worked example of novacalculator.com), with 4.5 it is 7.2."""
    acts = (SEIZURES, rx("phenytoin", -20 * DAY))
    total = level("phenytoin", 7.2)
    assert opened(*acts, level("albumin", 2.0, -1), total) == {}
    assert severity("phenytoin:low", *acts, level("albumin", 4.5, -1), total) == "moderate"
    assert severity("phenytoin:low", *acts, total) == "moderate"
    # a free level decides
    assert opened(*acts, level("free phenytoin", 1.0), total) == {}
    assert severity("phenytoin:low", *acts, level("free phenytoin", 0.9), total) == "moderate"


def test_the_time_since_the_last_dose_given_is_said() -> None:
    acts = rx("tacrolimus", -20 * DAY)
    unknown = opened(acts, level("tacrolimus", 2))["tacrolimus:low"]
    assert "When the last dose before the sample was given is not known." in unknown.detail
    known = opened(acts, given("tacrolimus", -12), level("tacrolimus", 2))["tacrolimus:low"]
    assert "12 h after the last dose that is known" in known.detail
    assert "missed" not in known.detail
    assert {fact.kind for fact in known.implicated} == {"prescription", "administration", "lab_result"}
    missed = opened(acts, given("tacrolimus", -37), level("tacrolimus", 2))["tacrolimus:low"]
    assert "doses were missed" in missed.detail
    assert missed.actions[0].startswith("See why doses were not given")
    assert "missed" not in opened(acts, given("tacrolimus", -36), level("tacrolimus", 2))["tacrolimus:low"].detail
    # what was not given is no dose
    refused = given("tacrolimus", -12, status="refused")
    assert "is not known" in opened(acts, refused, level("tacrolimus", 2))["tacrolimus:low"].detail


@pytest.mark.parametrize(
    ("value", "comparator", "found"), [(3, "<", True), (4, "<", True), (5, "<", False), (3, ">", False)]
)
def test_a_value_beyond_what_a_machine_reads(value: float, comparator: str, found: bool) -> None:
    acts = rx("tacrolimus", -20 * DAY)
    assert bool(opened(acts, level("tacrolimus", value, comparator=comparator))) == found


@pytest.mark.parametrize(
    ("medicine", "value", "hours", "early"),
    [
        ("digoxin", 1.2, 5.9, True), ("digoxin", 1.2, 6, False), ("lithium", 0.7, 7.9, True), ("lithium", 0.7, 8, False),
        ("tacrolimus", 9, 7.9, True), ("tacrolimus", 9, 8, False),
    ],
)  # fmt: skip
def test_a_level_drawn_too_soon_is_said_to_be_so(medicine: str, value: float, hours: float, early: bool) -> None:
    acts = (rx(medicine, -20 * DAY), given(medicine, -hours), level(medicine, value))
    assert severity(f"{medicine}:early", *acts) == ("info" if early else "")


def test_of_an_early_level_that_is_high_another_rule_speaks_and_a_low_one_is_low() -> None:
    acts = (rx("digoxin", -20 * DAY), given("digoxin", -2))
    assert opened(*acts, level("digoxin", 2.1)) == {}
    assert set(opened(rx("tacrolimus", -20 * DAY), given("tacrolimus", -2), level("tacrolimus", 3))) == {
        "tacrolimus:low"
    }
    # whether it was too soon is not known
    assert opened(rx("digoxin", -20 * DAY), level("digoxin", 1.2)) == {}


def test_a_vancomycin_level_is_low_as_a_trough_only() -> None:
    acts = order("vancomycin", -5 * DAY, dosage=Dosage(route="IV", dose=Quantity(1000, "mg"), frequency_per_day=2))
    assert severity("vancomycin:low", acts, level("vancomycin", 9.9, drawn="trough")) == "info"
    assert opened(acts, level("vancomycin", 10, drawn="trough")) == {}
    assert opened(acts, level("vancomycin", 9.9)) == {}
    # drawn late in the interval of 12 hours, though no code says so
    dose = given("vancomycin", -9.6, route="IV")
    assert severity("vancomycin:low", acts, dose, level("vancomycin", 9.9)) == "info"
    assert opened(acts, given("vancomycin", -9.5, route="IV"), level("vancomycin", 9.9)) == {}


def test_any_order_of_arrival_ends_the_same() -> None:
    story = (
        SEIZURES, rx("valproate", -20 * DAY), given("valproate", -12), level("valproate", 30), level("valproate", 60, -9 * DAY),
    )  # fmt: skip
    ends = set()
    for arrived in permutations(story):
        (alert,) = play(*arrived).open_alerts.values()
        ends.add((alert.subject, alert.severity, alert.summary, alert.implicated))
    assert len(ends) == 1, ends
    assert next(iter(ends))[:3] == ("valproate:low", "moderate", "Valproate 30 mg/L: below 50, the range in epilepsy")


def test_the_row_behind_an_alert_is_found() -> None:
    state = play(rx("tacrolimus", -20 * DAY), level("tacrolimus", 2))
    (standing,) = state.standing.values()
    assert standing.severity == "moderate"
    (finding,) = DrugLevel().findings(state, KNOWN, "tacrolimus")
    assert finding.rows == ("drug_labs/level_targets.csv#tacrolimus",)
    (row,) = RowFinder().find(finding.rows[0])
    assert row.cells["below"] == "4"
    assert len(finding.summary) < 140
