"""Duplicates: what is one too many, what is allowed, and when it is only a change. Times of grace and limits are typed here from
the sources of the rows (a bridge of five days with an INR of 2; enoxaparin 40 mg once or 30 mg twice for prevention)."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from schemas.alerts import Alert
from schemas.events import (
    Administration,
    AnyEvent,
    Dispensing,
    Dosage,
    Drug,
    EncounterRecord,
    Ingredient,
    LabResult,
    Stay,
)
from schemas.values import Quantity
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.duplicate_therapy import DuplicateTherapy
from tests.support.clinical import at, lab, order, patient
from tests.support.knowledge import copy_knowledge

KNOWLEDGE = load()
DAY = 24.0


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (DuplicateTherapy(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def play(*events: AnyEvent, until: float = 0, state: PatientState | None = None) -> tuple[PatientState, list[Alert]]:
    """The events, and then the time up to an hour, in which what is due is found."""
    alerts: list[Alert] = []
    for event in (*events, patient(until)):
        state, changed = take_event(state, event, KNOWLEDGE, at(0))
        alerts += changed
    assert state is not None
    state, changed = advance(state, at(until), KNOWLEDGE, at(0))
    return state, alerts + changed


def levels(*events: AnyEvent, until: float) -> dict[str, str]:
    return {a.subject: a.severity for a in play(*events, until=until)[0].open_alerts.values()}


def mg(amount: float, a_day: float = 1, route: str = "oral", **more: Any) -> Dosage:
    return Dosage(route=route, dose=Quantity(amount, "mg"), frequency_per_day=a_day, **more)


def inr(value: float, hours: float) -> LabResult:
    return lab("INR", value, hours, unit="1", canonical_unit="1")


def supply(name: str, hours: float, days: float = 90, *, id: str = "", text: str = "", **more: Any) -> Dispensing:  # noqa: A002
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "pharmacy", "record_id": id or name, "occurred_at": at(hours), "status": "dispensed",
        "drug": Drug(text=text or name, ingredients=(Ingredient(name),)), "days_supply": days, "dosage": Dosage(route="oral"),
    }  # fmt: skip
    return Dispensing(**(fields | more))


def dose(name: str, hours: float, of: str) -> Administration:
    return Administration(
        patient_id="p", source="mar", record_id=f"{name}-{hours}", occurred_at=at(hours), status="given", order_id=of,
        drug=Drug(text=name, ingredients=(Ingredient(name),)),
    )  # fmt: skip


APIXABAN = order("apixaban", -48, dosage=mg(5, 2))
ENOXAPARIN = order("enoxaparin", 0, dosage=mg(80, 2, "subcutaneous"))


def test_two_anticoagulants_open_after_the_time_that_a_change_takes_and_say_what_to_do() -> None:
    state, alerts = play(APIXABAN, ENOXAPARIN, until=1.99)
    assert alerts == []
    assert state.standing["duplicate-therapy\x1fanticoagulants"].held.startswith(
        "Time is given until 2026-11-02 10:00 UTC"
    )
    _, (alert,) = play(until=2.01, state=state)
    assert (alert.severity, alert.true_since) == ("critical", at(0))
    assert alert.summary == "apixaban and enoxaparin: two anticoagulants"
    assert "withheld before its next dose" in alert.actions[0]
    assert {fact.record_id for fact in alert.implicated} == {"apixaban", "enoxaparin"}
    assert alert.rows == ("duplicates/classes.csv#anticoagulants",)
    assert {each.id for each in alert.citations} == {"duplicate-anticoagulants", "anticoagulant-switching"}
    assert not alert.needs_closure
    assert "Not known: whether both are taken." in alert.detail


def test_doses_of_both_given_need_no_grace_and_wait_for_a_person() -> None:
    given = [dose("enoxaparin", 0.5, "enoxaparin"), dose("apixaban", 1, "apixaban")]
    state, alerts = play(APIXABAN, ENOXAPARIN, given[0], until=1)
    assert alerts == []
    state, (alert,) = play(given[1], until=1, state=state)
    assert (alert.severity, alert.needs_closure) == ("critical", True)
    assert alert.summary.endswith("doses of each given")
    assert [fact.kind for fact in alert.implicated].count("administration") == 2
    stop = order("apixaban", 1.5, status="discontinued", version=2)
    state, _ = play(stop, until=100, state=state)
    assert [each.status for each in state.open_alerts.values()] == ["open"]
    # a dose from before the other was ordered is none of both
    before = dose("apixaban", -1, "apixaban")
    assert play(APIXABAN, ENOXAPARIN, before, given[0], until=1)[1] == []


def test_a_switch_that_overlaps_within_the_grace_is_silent() -> None:
    stop = order("apixaban", 2, status="discontinued", version=2)
    assert play(APIXABAN, ENOXAPARIN, stop, until=100)[1] == []
    late = order("apixaban", 3, status="discontinued", version=2)
    _, alerts = play(APIXABAN, ENOXAPARIN, late, until=100)
    assert [alert.status for alert in alerts] == ["open", "resolved"]


def test_a_planned_end_within_the_grace_is_silent_from_the_start() -> None:
    state, alerts = play(order("apixaban", -48, end=at(2)), ENOXAPARIN, until=1)
    assert (alerts, dict(state.standing)) == ([], {})
    state, _ = play(order("apixaban", -48, end=at(2.1)), ENOXAPARIN, until=1)
    assert state.standing


@pytest.mark.parametrize(
    ("dosage", "severity"),
    [
        (mg(40, 1, "subcutaneous"), "high"),
        (mg(30, 2, "subcutaneous"), "high"),
        (mg(60.1, 1, "subcutaneous"), "critical"),
        (mg(80, 2, "subcutaneous"), "critical"),
        (Dosage(route="subcutaneous"), "high"),
    ],
)
def test_prevention_is_told_from_treatment_by_the_dose(dosage: Dosage, severity: str) -> None:
    _, (alert,) = play(APIXABAN, order("enoxaparin", 0, dosage=dosage), until=3)
    assert alert.severity == severity
    if severity == "high":
        assert "duplicates/allowed.csv#anticoagulants,enoxaparin,*" in alert.rows


@pytest.mark.parametrize(
    "name", ["Heparin Flush (10 units/ml)", "Heparin lock", "heparin dwell 1000 units", "Heparin CRRT"]
)
def test_a_flush_is_no_anticoagulation(name: str) -> None:
    flush = order("heparin", 0, route="iv", drug=Drug(text=name, ingredients=(Ingredient("heparin"),)))
    assert levels(APIXABAN, flush, until=72) == {}
    assert levels(APIXABAN, order("heparin", 0, route="iv"), until=72) == {"anticoagulants": "critical"}
    assert levels(APIXABAN, order("heparin", 0, route="sc"), until=72) == {"anticoagulants": "high"}


def test_the_same_heparin_in_two_ways_is_a_duplicate_and_a_bolus_with_its_infusion_is_not() -> None:
    drip, bolus = order("heparin", 0, id="drip", route="iv drip"), order("heparin", 0, id="bolus", route="iv")
    assert levels(drip, bolus, until=72) == {}
    under_skin = order("heparin", -48, id="sc", route="sc")
    assert levels(under_skin, drip, until=3.9) == {}
    assert levels(under_skin, drip, until=4.1) == {"same-anticoagulant:heparin": "high"}
    twice = [order("apixaban", 0, id=each) for each in ("a", "b")]
    assert levels(*twice, until=5) == {"same-anticoagulant:apixaban": "high"}


WARFARIN = order("warfarin", 0, dosage=mg(5))


@pytest.mark.parametrize(
    ("hours", "value", "severity"),
    [
        (4.9 * DAY, 2.5, None),
        (5 * DAY, 2.5, "moderate"),
        (5 * DAY, 2.0, "moderate"),
        (5 * DAY, 1.99, None),
        (5 * DAY, None, None),
        (2 * DAY, 4.1, "high"),
        (2 * DAY, 4.0, None),
        (13.9 * DAY, 1.5, None),
        (14.1 * DAY, 1.5, "info"),
        (14.1 * DAY, None, "high"),
    ],
)
def test_a_bridge_is_let_pass_until_it_is_complete(hours: float, value: float | None, severity: str | None) -> None:
    bridge = order("enoxaparin", 0, dosage=mg(80, 2, "subcutaneous"))
    results = [inr(value, hours - 1)] if value is not None else []
    found = levels(WARFARIN, bridge, *results, until=hours)
    assert found == ({"warfarin-with-anticoagulant": severity} if severity else {})


def test_what_is_allowed_for_a_time_is_kept_with_its_reason() -> None:
    state, alerts = play(WARFARIN, order("enoxaparin", 0), until=1)
    assert alerts == []
    (each,) = state.standing.values()
    assert each.held == "A bridge while warfarin takes over or until a procedure"
    assert each.until == at(5 * DAY)


@pytest.mark.parametrize(
    ("hours", "value", "severity"), [(2.9 * DAY, None, None), (3.1 * DAY, None, "high"), (2 * DAY, 2.0, "high")]
)
def test_a_direct_anticoagulant_beside_warfarin_ends_within_three_days(
    hours: float, value: float | None, severity: str | None
) -> None:
    results = [inr(value, hours - 1)] if value is not None else []
    found = levels(order("apixaban", -200), WARFARIN, *results, until=hours)
    assert found == ({"warfarin-with-anticoagulant": severity} if severity else {})


# --- other classes


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("ibuprofen", "naproxen", {"nsaids": "high"}),
        ("ibuprofen", "aspirin", {}),
        ("clopidogrel", "ticagrelor", {"p2y12-inhibitors": "high"}),
        ("clopidogrel", "aspirin", {}),
        ("lisinopril", "losartan", {"renin-angiotensin": "moderate"}),
        ("atorvastatin", "simvastatin", {"statins": "moderate"}),
        ("metoprolol", "carvedilol", {"beta-blockers": "moderate"}),
        ("metoprolol", "amlodipine", {}),
        ("glipizide", "glyburide", {"sulfonylureas": "high"}),
        ("insulin glargine", "insulin degludec", {"basal-insulins": "high"}),
        ("insulin glargine", "insulin lispro", {}),
        ("furosemide", "hydrochlorothiazide", {}),
        ("furosemide", "torsemide", {"loop-diuretics": "moderate"}),
        ("tacrolimus", "cyclosporine", {"calcineurin-inhibitors": "high"}),
        ("pantoprazole", "famotidine", {}),
        ("pantoprazole", "omeprazole", {"acid-suppressants": "moderate"}),
        ("sumatriptan", "rizatriptan", {"triptans": "high"}),
        ("morphine", "oxycodone", {"long-acting-opioids": "moderate"}),
        ("lisinopril/hydrochlorothiazide", "lisinopril", {"same-ingredient:lisinopril": "moderate"}),
        ("amlodipine/benazepril", "lisinopril", {"renin-angiotensin": "moderate"}),
        ("digoxin", "digoxin", {"same-hazardous:digoxin": "high"}),
        ("metformin", "metformin", {"same-ingredient:metformin": "moderate"}),
        ("potassium chloride", "potassium chloride", {}),
        ("hydrocodone/acetaminophen", "acetaminophen", {"same-ingredient:acetaminophen": "info"}),
        ("piperacillin/tazobactam", "piperacillin/tazobactam", {"same-ingredient:piperacillin": "moderate"}),
    ],
)
def test_what_is_one_too_many(one: str, other: str, found: dict[str, str]) -> None:
    orders = [order(one, -48, id="one"), order(other, 0, id="other")]
    assert levels(*orders, until=25) == found
    # the ordinary grace is a day
    assert levels(*orders, until=1.9) == {}


def test_only_what_acts_in_the_whole_body_counts() -> None:
    assert levels(order("ibuprofen", -48), order("diclofenac", 0, route="topical"), until=48) == {}
    assert levels(order("ibuprofen", -48), order("diclofenac", 0), until=48) == {"nsaids": "high"}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        # as needed beside scheduled
        ({"dosage": mg(25)}, {"dosage": mg(25, as_needed=True)}, {}),
        # two strengths ordered together are one dose; the same twice is not
        ({"dosage": mg(25)}, {"dosage": mg(12.5), "hours": -48.0}, {}),
        ({"dosage": mg(25)}, {"dosage": mg(25), "hours": -48.0}, {"same-ingredient:quetiapine": "moderate"}),
        ({"dosage": mg(25)}, {"dosage": mg(12.5)}, {"same-ingredient:quetiapine": "moderate"}),
        ({"dosage": mg(25)}, {"one_time": True}, {}),
        ({}, {"end": at(24)}, {}),
    ],
)
def test_what_makes_two_orders_of_one_ingredient_no_duplicate(
    one: dict[str, Any], other: dict[str, Any], found: dict[str, str]
) -> None:
    other = dict(other)
    hours = other.pop("hours", 0.0)
    orders = [order("quetiapine", -48, id="one", **one), order("quetiapine", hours, id="other", **other)]
    assert levels(*orders, until=25) == found


def product(name: str, text: str, hours: float, **more: Any) -> AnyEvent:
    return order(name, hours, id=text, drug=Drug(text=text, ingredients=(Ingredient(name),)), **more)


def test_a_form_that_lasts_and_one_for_breakthrough_are_allowed() -> None:
    long, short = product("morphine", "Morphine ER 30 mg", -48), product("morphine", "Morphine 15 mg tablet", 0)
    assert levels(long, short, until=48) == {}
    other_short = product("oxycodone", "Oxycodone 5 mg tablet", 0)
    assert levels(long, other_short, until=48) == {}
    other_long = product("oxycodone", "OxyContin 20 mg", 0)
    assert levels(long, other_long, until=48) == {"long-acting-opioids": "high"}


def test_a_change_of_antidepressant_has_two_weeks() -> None:
    orders = [order("sertraline", -1000), order("venlafaxine", 0)]
    assert levels(*orders, until=13.9 * DAY) == {}
    assert levels(*orders, until=14.1 * DAY) == {"antidepressants-serotonin": "moderate"}


# --- times told by days


def days(name: str, first: int, last: int, id: str) -> AnyEvent:  # noqa: A002
    """An order as an extract tells it: from the first day to the end of the last."""
    return order(name, first * DAY, id=id, start=at(first * DAY), end=at((last + 1) * DAY), one_time=False)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        # one after the other on the same day, as a change of dose is told
        ((0, 3), (3, 8), False),
        ((0, 3), (2, 8), False),
        # surely together from the end of the first day to the beginning of the last: a day, or two
        ((0, 2), (0, 8), False),
        ((0, 3), (0, 8), True),
        ((0, 8), (3, 8), True),
        ((0, 2), (5, 8), False),
    ],
)
def test_days_that_may_follow_one_another_are_no_duplicate(
    one: tuple[int, int], other: tuple[int, int], found: bool
) -> None:
    events = [days("metformin", *one, "one"), days("metformin", *other, "other")]
    events.sort(key=lambda event: event.occurred_at)
    _, alerts = play(*events, until=9 * DAY)
    assert bool(alerts) == found


def test_times_count_from_the_moment_that_they_tell() -> None:
    orders = [order("metformin", 0.5, id="one", end=at(3 * DAY)), order("metformin", 0.5, id="two", end=at(3 * DAY))]
    assert levels(*orders, until=25) == {"same-ingredient:metformin": "moderate"}


# --- supplies


def test_a_refill_is_no_duplicate_and_another_product_is() -> None:
    refills: list[AnyEvent] = [supply("metformin", 0, id="a"), supply("metformin", 80 * DAY, id="b")]
    assert levels(*refills, until=85 * DAY) == {}
    brands: list[AnyEvent] = [supply("metformin", 0, id="a"), supply("metformin", DAY, id="b", text="Glucophage")]
    assert levels(*brands, until=3 * DAY) == {"same-ingredient:metformin": "moderate"}


def stay(hours: float, **more: Any) -> EncounterRecord:
    return EncounterRecord(
        patient_id="p", source="adt", record_id="stay", occurred_at=at(hours), status="in_progress",
        stay=Stay(encounter_class="inpatient", **more),
    )  # fmt: skip


def test_a_supply_for_home_is_mostly_not_taken_in_hospital() -> None:
    events: list[AnyEvent] = [supply("lisinopril", -DAY, 90), order("losartan", 0)]
    assert levels(*events, until=25) == {"renin-angiotensin": "moderate"}
    assert levels(stay(-1), *events, until=25) == {"renin-angiotensin": "info"}
    # the stay becomes known last
    state, _ = play(*events, until=25)
    state, _ = play(stay(26), until=27, state=state)
    assert [alert.severity for alert in state.open_alerts.values()] == ["info"]
    assert levels(stay(-1, discharged_at=at(20)), *events, until=25) == {"renin-angiotensin": "moderate"}


def test_an_order_from_before_the_stay_is_mostly_not_followed_in_hospital() -> None:
    home, ward = order("apixaban", -90 * DAY, id="home"), order("apixaban", 0, id="ward")
    twice, once = {"same-anticoagulant:apixaban": "high"}, {"same-anticoagulant:apixaban": "info"}
    for events in permutations((stay(-1), home, ward)):
        assert levels(*events, until=25) == once
    assert levels(home, ward, until=25) == twice  # no stay is known
    assert levels(stay(-1), ward, order("apixaban", 2, id="other"), until=27) == twice
    assert levels(stay(-1), home, order("apixaban", -80 * DAY, id="other"), until=25) == twice
    # less than a day before it, an order told by days may be of the ward
    assert levels(stay(-1), order("apixaban", -25.1, id="home"), ward, until=25) == once
    assert levels(stay(-1), order("apixaban", -25, id="home"), ward, until=25) == twice


def test_after_the_discharge_both_may_be_taken() -> None:
    home, ward = order("apixaban", -90 * DAY, id="home"), order("apixaban", 0, id="ward")
    state, _ = play(stay(-1), home, ward, until=25)
    state, alerts = play(stay(30, discharged_at=at(30)), until=31, state=state)
    assert [(each.subject, each.severity) for each in alerts] == [("same-anticoagulant:apixaban", "high")]
    # told ahead, it counts from then on
    state, _ = play(stay(-1, discharged_at=at(30)), home, ward, until=25)
    assert [each.severity for each in state.open_alerts.values()] == ["info"]
    assert [each.severity for each in play(until=30, state=state)[1]] == ["high"]


def test_an_order_from_before_the_stay_counts_once_a_dose_of_it_is_given_there() -> None:
    home, ward = order("apixaban", -90 * DAY, id="home"), order("apixaban", 0, id="ward")
    assert levels(stay(-1), home, ward, dose("apixaban", -2, "home"), until=25) == {
        "same-anticoagulant:apixaban": "info"
    }
    assert levels(stay(-1), home, ward, dose("apixaban", 1, "home"), until=25) == {
        "same-anticoagulant:apixaban": "high"
    }


def test_what_the_emergency_department_ordered_is_of_the_stay() -> None:
    """Two days there, then a bed."""
    first = EncounterRecord(
        patient_id="p", source="adt", record_id="first", occurred_at=at(-48), status="finished",
        stay=Stay(encounter_class="emergency", admitted_at=at(-48), discharged_at=at(-1)),
    )  # fmt: skip
    early, ward = order("apixaban", -47, id="early"), order("apixaban", 0, id="ward")
    assert levels(first, stay(-1), early, ward, until=25) == {"same-anticoagulant:apixaban": "high"}
    assert levels(stay(-1), early, ward, until=25) == {"same-anticoagulant:apixaban": "info"}


# --- the life of a finding


@pytest.mark.parametrize("status", ["discontinued", "held", "entered_in_error"])
def test_it_ends_when_one_of_the_two_does(status: str) -> None:
    end = order("ibuprofen", 30, status=status, version=2)
    _, alerts = play(order("ibuprofen", -48), order("naproxen", 0), end, until=31)
    ended = "withdrawn" if status == "entered_in_error" else "resolved"
    assert [alert.status for alert in alerts] == ["open", ended]


def test_an_order_that_replaces_another_is_none_beside_it() -> None:
    new = order("metformin", 0, id="new", replaces="old")
    assert levels(order("metformin", -48, id="old"), new, until=48) == {}


def test_three_of_a_class_are_one_problem() -> None:
    state, _ = play(order("ibuprofen", -48), order("naproxen", 0), order("meloxicam", 1), until=30)
    (alert,) = state.open_alerts.values()
    assert alert.summary == "ibuprofen and meloxicam and naproxen: two NSAIDs"
    assert alert.rank == 3


def test_any_order_of_arrival_ends_in_the_same() -> None:
    events: list[AnyEvent] = [
        APIXABAN,
        ENOXAPARIN,
        order("warfarin", 1),
        inr(2.6, 2),
        order("apixaban", 60, id="other"),
    ]
    found = set()
    for arrival in permutations(events):
        state, _ = play(*arrival, until=100)
        found.add(tuple(sorted((a.subject, a.severity, a.evidence_grade) for a in state.open_alerts.values())))
    assert found == {
        (
            ("anticoagulants", "critical", "observational study"),
            ("same-anticoagulant:apixaban", "high", "observational study"),
            # the INR is too old by then to decide it, and three days have passed
            ("warfarin-with-anticoagulant", "high", "observational study"),
        )
    }


def test_everything_can_be_cited() -> None:
    cited = set(DuplicateTherapy().citations(KNOWLEDGE))
    rows = (row for rows in KNOWLEDGE.duplicates.allowed.values() for row in rows)
    assert all(set(row.citations) <= cited for row in rows)


# --- the data


@pytest.mark.parametrize(
    ("file", "line", "column"),
    [
        ("classes", "nsaids,class,again,nsaid,high,24,x,,x,x,x,plain sense,unverified,rxvigil,rxvigil", "id"),
        ("classes", "new,class,new,no such thing,high,24,x,,x,x,x,plain sense,unverified,rxvigil,rxvigil", "members"),
        ("classes", "new,class,new,metformin,high,24,x,,x,x,x,plain sense,unverified,rxvigil,rxvigil", "members"),
        ("classes", "new,same,new,metformin,high,-1,x,,x,x,x,plain sense,unverified,rxvigil,rxvigil", "grace_hours"),
        ("classes", "new,same,new,metformin,severe,1,x,,x,x,x,plain sense,unverified,rxvigil,rxvigil", "severity"),
        ("classes", "new,same,new,metformin,high,1,x,,x,x,x,plain sense,unverified,rxvigil,nobody", "sources"),
        ("allowed", "no-class,*,*,,,,none,x,plain sense,unverified,rxvigil,rxvigil", "classes"),
        ("allowed", "nsaids,no such thing,*,,,,none,x,plain sense,unverified,rxvigil,rxvigil", "one"),
        ("allowed", "nsaids,*,no such thing,,,,none,x,plain sense,unverified,rxvigil,rxvigil", "other"),
        ("allowed", "nsaids,*,*,by-magic,,,none,x,plain sense,unverified,rxvigil,rxvigil", "how"),
        ("allowed", "nsaids,*,*,,,nonsense > 3,none,x,plain sense,unverified,rxvigil,rxvigil", "when"),
        ("long_acting", "er,rxvigil,nobody", "sources"),
    ],
)
def test_a_fault_in_the_data_is_refused_with_its_place(tmp_path: Path, file: str, line: str, column: str) -> None:
    path = copy_knowledge(tmp_path) / f"duplicates/{file}.csv"
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(KnowledgeError) as fault:
        load_from(tmp_path)
    assert (fault.value.file, fault.value.column) == (f"duplicates/{file}.csv", column)
