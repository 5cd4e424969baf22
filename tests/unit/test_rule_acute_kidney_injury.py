"""Kidney injury as KDIGO 2012 defines and stages it; the numbers are typed here from the guideline, not read from our data."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from knowledge.diagnoses import Diagnoses
from knowledge.kidney_injury import CRITERIA, LEVELS
from knowledge.loader import load
from knowledge.property import Member
from knowledge.reading.kidney_injury import read_kidney_injury
from knowledge.reading.sources import read_sources
from knowledge.reading.tables import KnowledgeError
from schemas.alerts import Alert
from schemas.events import AnyEvent, Condition, LabResult, Observation, Procedure
from schemas.values import Coding
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event
from services.monitor.patient.estimates import unsteady
from services.monitor.patient.state import PatientState
from services.monitor.rules.acute_kidney_injury import AcuteKidneyInjury
from tests.support.clinical import CITED, SmallKnowledge, at, lab, order, patient
from tests.support.knowledge import copy_knowledge

KIDNEY_INJURY = load().kidney_injury
DAY = 24


def member(of: str, ingredient: str, applies: str = "systemic") -> Member:
    return Member(
        property=of, ingredient=ingredient, grade="", applies=applies,  # type: ignore[arg-type]
        note="", evidence_grade="label", status="verified", citations=CITED,
    )  # fmt: skip


class Known(SmallKnowledge):
    def __init__(self) -> None:
        super().__init__([], [])
        self.kidney_injury = KIDNEY_INJURY
        self.properties = {
            "nephrotoxic": {each: member("nephrotoxic", each) for each in ("ibuprofen", "gentamicin", "vancomycin")},
            "renally-cleared": {each: member("renally-cleared", each) for each in ("gabapentin", "vancomycin")},
        }
        self.diagnoses = Diagnoses(prefixes={("ICD-10", "N186"): frozenset({"dialysis-dependent"})})


KNOWN: Any = Known()


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (AcuteKidneyInjury(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())


def creatinine(value: float, hours: float, **more: Any) -> LabResult:
    return lab("creatinine", value, hours, **({"unit": "mg/dL", "canonical_unit": "mg/dL"} | more))


def course(*values: tuple[float, float]) -> list[AnyEvent]:
    """Creatinine in mg/dL by hour."""
    return [creatinine(value, hours) for hours, value in values]


ADULT = patient(-1000 * DAY, birth_date=date(1950, 1, 1), sex="female")


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWN, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def now(*events: AnyEvent) -> Alert | None:
    state, _ = play(*events)
    return next(iter(state.open_alerts.values()), None)


def stage(*values: tuple[float, float]) -> int:
    """0 where there is none."""
    alert = now(*course(*values))
    return 0 if alert is None else int(alert.rank)


# --- the definition


def test_the_numbers_are_those_of_kdigo() -> None:
    assert KIDNEY_INJURY is not None
    found = {
        (each.kind, each.stage): (each.limit, each.within.total_seconds() / 3600) for each in KIDNEY_INJURY.criteria
    }
    assert found == {
        ("rise", 1): (0.3, 48),
        ("ratio", 1): (1.5, 7 * 24),
        ("ratio", 2): (2.0, 0),
        ("ratio", 3): (3.0, 0),
        ("value", 3): (4.0, 0),
        ("child", 3): (35.0, 0),
        ("dialysis", 3): (0, 0),
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # a rise of 0.3 in 48 hours, also where binary fractions fall short of it
        (((0, 1.0), (48, 1.3)), 1),
        (((0, 0.9), (24, 1.2)), 1),
        (((0, 1.0), (48, 1.29)), 0),
        (((0, 1.0), (48.1, 1.3)), 0),
        # 1.5 times the lowest of seven days; 1.2 / 0.8 is 1.4999999999999998
        (((0, 1.0), (168, 1.5)), 1),
        (((0, 0.8), (100, 1.2)), 1),
        (((0, 1.0), (168, 1.49)), 0),
        (((0, 1.0), (168.1, 1.5)), 0),
        (((0, 2.0), (24, 1.0), (100, 1.5)), 1),
        # stages by the ratio
        (((0, 1.0), (168, 1.99)), 1),
        (((0, 1.0), (168, 2.0)), 2),
        (((0, 1.0), (168, 2.99)), 2),
        (((0, 1.0), (168, 3.0)), 3),
        # 4.0 counts once the definition is met, and only then
        (((0, 3.7), (48, 4.0)), 3),
        (((0, 3.6), (48, 3.99)), 1),
        (((0, 3.8), (48, 4.0)), 0),
        (((0, 4.5), (48, 4.7)), 0),
        (((0, 2.6), (160, 4.0)), 3),
        # one result, a fall, a height that nobody saw begin
        (((0, 9.0),), 0),
        (((0, 9.0), (24, 6.0), (48, 4.0)), 0),
    ],
)
def test_both_sides_of_every_limit(values: tuple[tuple[float, float], ...], expected: int) -> None:
    assert stage(*values) == expected


def test_in_micromoles_a_rise_of_26_5_counts() -> None:
    factor = 0.011312  # 113.12 g/mol
    assert stage((0, 80 * factor), (24, 106.5 * factor)) == 1
    assert stage((0, 80 * factor), (24, 106 * factor)) == 0
    assert stage((0, 300 * factor), (24, 353.6 * factor)) == 3


def test_the_first_result_that_meets_it_is_when_it_became_true() -> None:
    alert = now(*course((0, 1.0), (24, 1.1), (40, 1.4), (60, 2.2)))
    assert alert is not None
    assert (alert.true_since, alert.rank) == (at(40), 2)
    assert alert.history[0].rank == 1


def test_a_child_is_of_stage_3_below_an_egfr_of_35() -> None:
    # bedside Schwartz: 0.413 x 100 / 1.18 = 35 mL/min for 1.73 m²
    child = patient(0, birth_date=date(2018, 1, 1), sex="male")
    height = Observation(
        patient_id="p",
        source="w",
        record_id="h",
        occurred_at=at(0),
        status="final",
        kind="height",
        value=100,
        unit="cm",
    )
    story = course((0, 0.7), (24, 1.18))
    for value, expected in ((1.18, 1), (1.19, 3)):
        alert = now(child, height, creatinine(0.7, 0), creatinine(value, 24))
        assert alert is not None
        assert alert.rank == expected
    alert = now(child, *story)
    assert alert is not None
    assert "the eGFR of the child" in alert.detail
    assert stage((0, 0.5), (24, 0.6)) == 0
    # an adult of that size has no such criterion
    alert = now(ADULT, height, creatinine(0.7, 0), creatinine(1.19, 24))
    assert alert is not None
    assert alert.rank == 1


def test_what_is_no_sure_number_neither_begins_nor_ends_it() -> None:
    unsure = (
        creatinine(0.4, 1, comparator="<"),
        creatinine(39, 2, remark="implausible"),
        creatinine(9, 3, status="cancelled"),
        lab("creatinine", None, 4, text="haemolysed"),
    )
    assert now(creatinine(1.0, 0), *unsure, creatinine(1.2, 24)) is None
    alert = now(*course((0, 1.0), (24, 2.1)), *(creatinine(0.1, 25 + i, comparator="<") for i in range(3)))
    assert alert is not None
    assert now(*course((0, 0.0), (24, 1.0))) is None


def test_of_equal_baselines_the_newest_is_named() -> None:
    alert = now(*course((0, 1.0), (20, 1.0), (40, 1.0), (60, 2.5)))
    assert alert is not None
    assert [fact.record_id for fact in alert.implicated] == ["creatinine-40", "creatinine-60"]


@pytest.mark.parametrize(
    ("values", "yes"),
    [
        (((0, 1.0), (48, 1.3)), {"rise >= 0.3 within 48 h"}),
        (((0, 1.0), (168, 1.5)), {"ratio >= 1.5 within 7 d"}),
        (((0, 1.0), (168, 2.0)), {"ratio >= 1.5 within 7 d", "ratio >= 2 of the baseline"}),
        (((0, 3.7), (48, 4.0)), {"rise >= 0.3 within 48 h", ">= 4 mg/dL"}),
    ],
)
def test_it_says_which_criteria_were_met(values: tuple[tuple[float, float], ...], yes: set[str]) -> None:
    alert = now(*course(*values))
    assert alert is not None
    met = {each.text for each in alert.conditions if each.answer == "yes"}
    assert met == {f"creatinine {each}" for each in yes}


def test_of_two_criteria_of_one_stage_the_ratio_is_named() -> None:
    alert = now(*course((0, 1.0), (24, 4.0)))
    assert alert is not None
    assert alert.rows[0] == "labs/kidney_injury.csv#3,ratio"


def test_two_machines_at_one_time_are_not_a_course() -> None:
    assert now(creatinine(1.0, 5, id="a"), creatinine(2.0, 5, id="b")) is None
    # the higher one begins it, the lower one is what a later one may be compared with
    alert = now(creatinine(1.0, 0), creatinine(1.1, 5, id="a"), creatinine(1.4, 5, id="b"))
    assert alert is not None
    assert alert.true_since == at(5)


# --- how it goes on and ends


def test_the_baseline_stands_while_it_runs() -> None:
    plateau = [(24.0 * day, 2.1) for day in range(1, 20)]
    alert = now(*course((0, 1.0), *plateau))
    assert alert is not None
    assert (alert.rank, alert.true_since) == (2, at(24))
    assert "1 mg/dL" in alert.summary


@pytest.mark.parametrize(("value", "open_"), [(1.5, True), (1.49, True), (1.3, True), (1.29, False), (0.9, False)])
def test_it_is_over_under_both_limits_of_the_definition(value: float, open_: bool) -> None:
    state, alerts = play(*course((0, 1.0), (24, 2.5), (72, value)))
    assert bool(state.open_alerts) is open_
    if not open_:
        assert alerts[-1].status == "resolved"
        assert f"{value:g} mg/dL" in alerts[-1].history[-1].why


@pytest.mark.parametrize(("value", "open_"), [(0.75, True), (0.74, False)])
def test_of_a_low_baseline_the_ratio_is_the_last_to_go(value: float, open_: bool) -> None:
    # so late that no new one could begin
    assert (now(*course((0, 0.5), (24, 1.5), (240, value))) is not None) is open_


def test_it_is_not_raised_anew_while_creatinine_falls_but_by_a_new_rise() -> None:
    fall = course((0, 1.0), (24, 3.2), (48, 2.4), (72, 1.8), (96, 1.4), (120, 1.2))
    state, alerts = play(*fall)
    assert not state.open_alerts
    assert {alert.alert_id for alert in alerts} == {alerts[0].alert_id}
    _, again = play(*fall, creatinine(1.8, 140))
    assert again[-1].history[-1].change == "opened"
    assert again[-1].previous == alerts[0].alert_id


def test_injury_on_chronic_disease_is_found() -> None:
    chronic = Condition(codings=(Coding("ICD-10", "N18.4", "CKD 4"),))
    alert = now(patient(0, conditions=(chronic,)), *course((0, 3.0), (40, 3.4)))
    assert alert is not None
    assert alert.severity == "moderate"


# --- who is told


@pytest.mark.parametrize(
    ("values", "alone", "with_medicine"),
    [
        (((0, 1.0), (24, 1.6)), "moderate", "high"),
        (((0, 1.0), (24, 1.6), (48, 1.6)), "moderate", "moderate"),
        (((0, 1.0), (24, 1.8), (48, 1.5)), "info", "info"),
        (((0, 1.0), (24, 1.8), (48, 1.51)), "moderate", "moderate"),
        (((0, 1.0), (24, 2.0)), "high", "high"),
        (((0, 1.0), (24, 2.9), (48, 2.6)), "moderate", "moderate"),
        (((0, 1.0), (24, 3.0)), "high", "high"),
        (((0, 1.0), (24, 4.0), (48, 4.0)), "high", "high"),
        (((0, 1.0), (24, 4.0), (48, 3.7)), "moderate", "moderate"),
        # risen again by 0.3 below its height
        (((0, 1.0), (24, 3.9), (48, 2.6), (96, 2.9)), "high", "high"),
        (((0, 1.0), (24, 3.9), (48, 2.6), (97, 2.9)), "moderate", "moderate"),
        # still under its height, though over the first of the injury
        (((0, 1.0), (24, 1.5), (30, 2.5), (40, 1.85)), "info", "info"),
        # 0.5 after 0.3 is within what a laboratory reports to; from 0.3 above the baseline on it counts in full
        (((0, 0.3), (24, 0.5)), "info", "info"),
        (((0, 0.2), (24, 0.49)), "moderate", "moderate"),
        (((0, 0.3), (24, 0.59)), "info", "info"),
        (((0, 0.3), (24, 0.6)), "high", "high"),
    ],
)
def test_severity_by_stage_course_and_medicine(
    values: tuple[tuple[float, float], ...], alone: str, with_medicine: str
) -> None:
    found = [now(ADULT, *orders, *course(*values)) for orders in ((), (order("ibuprofen", -1),))]
    assert [alert and alert.severity for alert in found] == [alone, with_medicine]


def test_of_a_child_or_an_unknown_age_no_rise_is_small() -> None:
    for born in ({"birth_date": date(2026, 5, 1)}, {}):
        alert = now(patient(-24, **born), *course((0, 0.2), (24, 0.4)))
        assert alert is not None
        assert (alert.severity, alert.rank) == ("high", 2)


@pytest.mark.parametrize(("born", "severity"), [(date(2008, 11, 3), "moderate"), (date(2008, 11, 4), "high")])
def test_one_is_an_adult_from_18_years(born: date, severity: str) -> None:
    # on 2026-11-03
    alert = now(patient(-24, birth_date=born), *course((0, 0.2), (24, 0.4)))
    assert alert is not None
    assert alert.severity == severity
    assert ("of the child" in alert.detail) is (severity == "high")


def test_it_names_what_harms_and_what_the_kidney_clears() -> None:
    orders = (
        order("vancomycin", -5),
        order("ibuprofen", -5, id="gel", route="topical"),
        order("gabapentin", -5),
        order("paracetamol", -5),
        order("gentamicin", -70, end=at(-20)),
    )
    alert = now(*orders, *course((-24, 1.0), (10, 2.0)))
    assert alert is not None
    assert alert.medicines == ("vancomycin",)
    assert alert.summary == "Acute kidney injury stage 2, rising: creatinine 1 mg/dL, now 2 mg/dL; with vancomycin"
    assert "in force or run out within a day: vancomycin." in alert.detail
    assert "Cleared by the kidney, likewise: gabapentin, vancomycin." in alert.detail
    assert "before the injury was found: gentamicin." in alert.detail
    assert alert.actions[0].startswith("Stop or replace what can be spared of vancomycin")
    implicated = [fact.record_id for fact in alert.implicated]
    assert implicated == ["creatinine--24", "creatinine-10", "vancomycin", "gabapentin"]
    answers = {each.text: each.answer for each in alert.conditions}
    assert answers == {
        "creatinine rise >= 0.3 within 48 h": "yes",
        "creatinine ratio >= 1.5 within 7 d": "yes",
        "creatinine ratio >= 2 of the baseline": "yes",
        "creatinine ratio >= 3 of the baseline": "no",
        "creatinine >= 4 mg/dL": "no",
        "with nephrotoxic": "yes",
        "dialysis": "unknown",
        "history dialysis-dependent": "unknown",
    }
    assert set(alert.rows) == {"labs/kidney_injury.csv#2,ratio", "labs/kidney_injury_levels.csv#2,rising"}


def test_what_ended_before_the_baseline_is_not_named() -> None:
    for end, start, named in ((-24, -90, False), (-23, -90, True), (12, 10, True), (12, 11, False)):
        alert = now(order("gentamicin", start, end=at(end)), *course((-24, 1.0), (10, 2.0)), lab("potassium", 4.0, 90))
        assert alert is not None
        assert ("gentamicin" in alert.detail) is named


def test_many_names_are_told_as_far_as_the_summary_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"nephrotoxicum-{letter}" for letter in "abcdefgh"]
    monkeypatch.setitem(KNOWN.properties, "nephrotoxic", {each: member("nephrotoxic", each) for each in names})
    alert = now(*(order(each, -1) for each in names), *course((0, 1.0), (24, 2.0)))
    assert alert is not None
    assert len(alert.summary) <= 139
    assert alert.summary.endswith("with nephrotoxicum-a, nephrotoxicum-b, nephrotoxicum-c and 5 more")


def test_a_summary_may_be_as_long_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Acute kidney injury stage 2, rising: creatinine 1 mg/dL, now 2 mg/dL; with "
    for length, fits in ((139, True), (140, False)):
        name = "x" * (length - len(said))
        monkeypatch.setitem(KNOWN.properties, "nephrotoxic", {name: member("nephrotoxic", name)})
        monkeypatch.setattr(evaluate, "_last", [])
        alert = now(order(name, -1), *course((0, 1.0), (24, 2.0)))
        assert alert is not None
        assert alert.summary.endswith(name) is fits


def test_the_height_is_told_with_its_stage_where_it_was_graver() -> None:
    for values, said in (
        (((0, 1.0), (24, 1.8), (48, 1.7)), "The highest was 1.8 mg/dL at 2026-11-03 08:00 UTC. "),
        (((0, 1.0), (24, 2.1), (48, 1.7)), "The highest was 2.1 mg/dL at 2026-11-03 08:00 UTC, stage 2. "),
    ):
        alert = now(*course(*values))
        assert alert is not None
        assert said in alert.detail


def test_a_medicine_that_starts_or_ends_later_changes_the_level_at_its_time() -> None:
    later = order("ibuprofen", 1, start=at(30), end=at(40))
    state, _ = play(*course((0, 1.0), (24, 1.6)), later)
    levels = []
    for hours in (29, 30, 40, 64):
        state = PatientState(**{name: getattr(state, name) for name in state.__struct_fields__} | {"live": True})
        state, _ = advance(state, at(hours), KNOWN, at(0))
        levels += [alert.severity for alert in state.open_alerts.values()]
    # what merely ran out counts for a day more, so that the order of the next day may come late
    assert levels == ["moderate", "high", "high", "moderate"]


def test_a_stop_takes_the_medicine_out() -> None:
    story = (order("ibuprofen", -1), *course((0, 1.0), (24, 1.6)))
    assert [alert.severity for alert in play(*story)[0].open_alerts.values()] == ["high"]
    stop = order("ibuprofen", 25, status="discontinued")
    alert = now(*story, stop)
    assert alert is not None
    assert (alert.severity, alert.medicines) == ("moderate", ())
    assert "before the injury was found: ibuprofen." in alert.detail


# --- dialysis


def test_a_patient_on_dialysis_is_held_back_with_the_reason() -> None:
    on = patient(-200, procedures=(Procedure(kind="dialysis", start=at(-200)),))
    listed = patient(-200, conditions=(Condition(codings=(Coding("ICD-10", "N18.6", "ESRD"),)),))
    for said in (on, listed):
        state, alerts = play(said, *course((0, 4.0), (40, 7.0)))
        (standing,) = state.standing.values()
        assert not alerts
        assert "dialysis" in standing.held
    same = patient(-200, procedures=(Procedure(kind="dialysis", start=at(40)),))
    assert now(same, *course((0, 4.0), (40, 7.0))) is None
    over = patient(-200, procedures=(Procedure(kind="dialysis", start=at(-200), end=at(-100)),))
    assert now(over, *course((0, 4.0), (40, 7.0))) is not None


def test_dialysis_that_is_told_later_ends_the_alert() -> None:
    state, alerts = play(
        *course((0, 4.0), (40, 7.0)), patient(41, procedures=(Procedure(kind="dialysis", start=at(-200)),))
    )
    assert not state.open_alerts
    assert "dialysis" in alerts[-1].history[-1].why


def test_dialysis_that_began_in_the_injury_is_its_stage_3() -> None:
    alert = now(*course((0, 1.0), (24, 2.1)), patient(30, procedures=(Procedure(kind="dialysis", start=at(30)),)))
    assert alert is not None
    assert (alert.rank, alert.severity) == (3, "high")
    assert "labs/kidney_injury.csv#3,dialysis" in alert.rows
    assert "Dialysis has begun" in alert.detail


def test_what_is_not_known_is_said() -> None:
    alert = now(*course((0, 1.0), (24, 2.1)))
    assert alert is not None
    assert "urine output" in alert.detail
    assert "whether the patient is on dialysis" in alert.detail
    assert "the age" in alert.detail
    told = now(patient(-1, birth_date=date(1950, 1, 1), procedures=(), conditions=()), *course((0, 1.0), (24, 2.1)))
    assert told is not None
    assert "whether the patient is on dialysis" not in told.detail
    assert "the age" not in told.detail


# --- order of arrival, corrections


def test_any_order_of_arrival_ends_in_the_same_problem() -> None:
    story = (*course((0, 1.0), (30, 1.4), (54, 2.3), (100, 2.1)), order("gentamicin", 10))
    ends = set()
    for arrived in permutations(story):
        state, _ = play(*arrived)
        (alert,) = state.open_alerts.values()
        (standing,) = state.standing.values()
        ends.add((alert.subject, alert.severity, alert.rank, standing.since, alert.summary, alert.detail))
    ((_, severity, rank, since, _, _),) = ends
    assert (severity, rank, since) == ("high", 2, at(30))


def test_a_corrected_result_withdraws_it() -> None:
    story = course((0, 1.0), (24, 2.4))
    _, alerts = play(*story, creatinine(1.1, 24, status="corrected", version=2))
    assert alerts[-1].status == "withdrawn"


def test_a_cancelled_baseline_withdraws_it() -> None:
    _, alerts = play(*course((0, 1.0), (24, 2.4)), creatinine(1.0, 0, status="cancelled", version=2))
    assert alerts[-1].status == "withdrawn"


def test_a_months_hourly_results_keep_their_baseline() -> None:
    values = [(0.0, 1.0)] + [(6.0 * i, 2.4) for i in range(1, 4 * 29)]
    assert stage(*values) == 2


# --- the same numbers say when an estimate of kidney function is not to be trusted


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (((0, 1.0), (48, 1.3)), True),
        (((0, 1.3), (48, 1.0)), True),
        (((0, 1.0), (48, 1.29)), False),
        (((0, 1.0), (49, 1.3)), False),
        (((0, 1.0), (168, 1.5)), True),
        (((0, 1.5), (168, 1.0)), True),
        (((0, 1.0), (169, 1.5)), False),
    ],
)
def test_creatinine_that_moves_by_as_much_is_not_steady(
    values: tuple[tuple[float, float], ...], expected: bool
) -> None:
    state, _ = play(*course(*values))
    assert unsteady(state, KIDNEY_INJURY) is expected
    assert unsteady(state, None) is False


# --- the data


@pytest.mark.parametrize(
    ("file", "old", "new", "column"),
    [
        (CRITERIA, "1,rise,0.3", "1,rise,0", "limit"),
        (CRITERIA, "3,ratio,3", "3,ratio,2", "limit"),
        (CRITERIA, "2,ratio,2,1", "1,ratio,2,1", "kind"),
        (CRITERIA, "3,value,4,mg/dL", "3,value,4,umol/L", "unit"),
        (CRITERIA, "3,value", "2,value", "kind"),
        (CRITERIA, "48 h", "2 weeks", "within"),
        (CRITERIA, "3,dialysis,", "3,dialysis,1", "limit"),
        (LEVELS, "1,small", "1,steady", "course"),
        (LEVELS, "1,small", "4,small", "stage"),
    ],
)
def test_a_fault_in_the_data_is_told_with_its_column(
    file: str, old: str, new: str, column: str, tmp_path: Path
) -> None:
    root = copy_knowledge(tmp_path)
    text = (root / file).read_text("utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(KnowledgeError) as error:
        read_kidney_injury(root, read_sources(root))
    assert (error.value.file, error.value.column) == (file, column)


def test_a_level_that_is_missing_is_told(tmp_path: Path) -> None:
    root = copy_knowledge(tmp_path)
    lines = (root / LEVELS).read_text("utf-8").splitlines()
    (root / LEVELS).write_text("\n".join(line for line in lines if not line.startswith("3,improving")) + "\n", "utf-8")
    with pytest.raises(KnowledgeError, match="stage 3, improving is missing"):
        read_kidney_injury(root, read_sources(root))
