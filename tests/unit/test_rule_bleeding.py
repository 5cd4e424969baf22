"""Bleeding beside what the rule of medicines and values sees. ISTH: 2 g/dL, or two units; typed from Front Oncol 2019;9:45."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
from msgspec.structs import replace

from knowledge.loader import load
from schemas.events import LabResult, Patient, Prescription, Procedure
from services.monitor.evaluate import advance, due
from services.monitor.rules import RULES
from services.monitor.rules.bleeding import Bleeding
from tests.support.alone import alone, now, play, result, severity
from tests.support.clinical import at, order, patient

BLED = Procedure(kind="bleeding", start=at(50), text="melaena")


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(Bleeding()):
        yield


def hemoglobin(value: float, hours: float) -> LabResult:
    return result("hemoglobin", value, hours, "g/dL")


def recorded(*procedures: Procedure, hours: float = 52) -> Patient:
    return patient(hours, procedures=procedures)


def transfused(*hours: float) -> Patient:
    return recorded(*(Procedure(kind="transfusion", start=at(each)) for each in hours))


@pytest.mark.parametrize(
    ("then", "now_", "hours", "level"),
    [(10, 8.0, 24, "moderate"), (10, 8.1, 24, ""), (10, 8.0, 48, "moderate"), (10, 8.0, 48.1, "")],
)
def test_an_antiplatelet_and_a_fall_of_2_within_two_days(then: float, now_: float, hours: float, level: str) -> None:
    assert severity(order("clopidogrel"), hemoglobin(then, 1), hemoglobin(now_, 1 + hours)) == level


@pytest.mark.parametrize(
    ("value", "hours", "level"), [(6.9, 24, "high"), (7.0, 24, "moderate"), (6.9, 24.1, "moderate")]
)
def test_two_antiplatelets_and_a_fall_within_a_day_to_below_7(value: float, hours: float, level: str) -> None:
    both = (order("clopidogrel"), order("aspirin"))
    assert severity(*both, hemoglobin(10, 1), hemoglobin(value, 1 + hours)) == level
    assert severity(both[0], hemoglobin(10, 1), hemoglobin(value, 1 + hours)) == "moderate"


@pytest.mark.parametrize(("value", "level"), [(8.1, ""), (8.0, "high"), (7.0, "high"), (6.9, "critical")])
def test_a_thrombolytic(value: float, level: str) -> None:
    assert severity(order("alteplase", route="intravenous"), hemoglobin(10, 1), hemoglobin(value, 40)) == level


def test_what_clears_a_catheter_is_none() -> None:
    clearing = order("alteplase", route="intravenous")
    clearing = replace(clearing, drug=replace(clearing.drug, text="Alteplase (Catheter Clearance)"))
    assert now(clearing, hemoglobin(10, 1), hemoglobin(6, 40)) is None


def test_a_fall_with_an_anticoagulant_alone_is_for_the_rule_of_medicines_and_values() -> None:
    events = [order("apixaban"), hemoglobin(10, 1), hemoglobin(7.5, 20)]
    assert now(*events) is None
    steps = [rule.id for rule in RULES]
    assert steps.index("drug-lab") < steps.index("bleeding")


# --- what was recorded


@pytest.mark.parametrize(
    "name", ["apixaban", "warfarin", "enoxaparin", "heparin", "fondaparinux", "aspirin", "alteplase"]
)
def test_bleeding_on_record_is_high_and_with_a_fall_of_2_critical(name: str) -> None:
    assert severity(order(name, route="intravenous"), recorded(BLED)) == "high"
    falls = (hemoglobin(10, 20), hemoglobin(8, 51))
    alert = now(order(name, route="intravenous"), *falls, recorded(BLED))
    assert alert is not None
    assert alert.severity == "critical"
    assert alert.summary.startswith(f"Hemoglobin 10 g/dL, now 8 g/dL with {name}: bleeding was recorded")
    assert len(alert.summary) < 140
    assert "melaena" in alert.detail
    small = (hemoglobin(10, 20), hemoglobin(8.1, 51))
    assert severity(order(name, route="intravenous"), *small, recorded(BLED)) == "high"


def test_without_a_medicine_that_thins_the_blood_it_is_nobodys_alert_here() -> None:
    assert now(order("amlodipine"), recorded(BLED)) is None
    flush = order("heparin", route="intravenous")
    assert now(replace(flush, drug=replace(flush.drug, text="heparin flush")), recorded(BLED)) is None
    # nor with one that has ended
    assert now(order("apixaban", end=at(51)), recorded(BLED)) is None


def test_two_transfusions_are_a_criterion_and_no_excuse() -> None:
    assert severity(order("apixaban"), transfused(40, 45)) == "high"
    assert now(order("apixaban"), transfused(45)) is None
    assert severity(order("aspirin"), transfused(40, 45)) == "moderate"
    both = recorded(BLED, *(Procedure(kind="transfusion", start=at(each)) for each in (40, 45)))
    alert = now(order("apixaban"), both)
    assert alert is not None
    assert alert.severity == "critical"
    assert "hides how much was lost" in alert.detail


def test_what_was_recorded_counts_for_two_days_and_not_without_a_time() -> None:
    assert severity(order("apixaban"), recorded(BLED, hours=98)) == "high"
    assert now(order("apixaban"), recorded(BLED, hours=98.1)) is None
    assert now(order("apixaban"), recorded(Procedure(kind="bleeding"))) is None
    # the clock alone ends it
    state, _ = play(order("apixaban"), recorded(BLED))
    ends = due(state)
    assert ends is not None
    assert at(98) < ends < at(98.01)
    ended, alerts = advance(replace(state, live=True), at(98.1), load(), at(98.1))
    assert [each.status for each in alerts] == ["resolved"]
    assert not ended.open_alerts


def test_the_order_is_stopped_and_it_ends() -> None:
    given: Prescription = order("apixaban")
    stopped = replace(given, status="discontinued", version=2, occurred_at=at(53))
    _, alerts = play(given, recorded(BLED), stopped)
    assert [each.status for each in alerts] == ["open", "resolved"]


def test_the_order_of_arrival_does_not_matter() -> None:
    events = [order("apixaban"), order("aspirin"), hemoglobin(10, 20), hemoglobin(7.5, 51), recorded(BLED)]
    found = {(each.severity, each.summary, each.detail) for e in permutations(events) if (each := now(*e)) is not None}
    assert len(found) == 1
    assert found.pop()[0] == "critical"
