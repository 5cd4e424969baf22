"""Opioids: morphine equivalents as published, and what is said to whom. Numbers are typed here from the sources."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import permutations
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from knowledge.loader import load, load_from
from knowledge.model import Knowledge
from knowledge.opioids import Kind
from knowledge.reading.tables import KnowledgeError
from schemas.alerts import Alert
from schemas.events import (
    Administration,
    AnyEvent,
    Condition,
    ConditionRecord,
    Dispensing,
    Dosage,
    Drug,
    EncounterRecord,
    Goals,
    Ingredient,
    Observation,
    Prescription,
    Procedure,
    Stay,
)
from schemas.values import UNSET, Coding, Quantity
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event
from services.monitor.patient.morphine_equivalents import Total, total
from services.monitor.patient.state import PatientState
from services.monitor.rules.opioid import Opioid
from tests.support.clinical import at, lab, order, patient
from tests.support.knowledge import copy_knowledge

KNOWN: Knowledge = replace(load(), version="opioids alone")
"""A copy, so that the index of this one rule is not that of others."""
DAY = 24.0
ORDERED = ("start", "continued")
"""What is there of every opioid at home at some time, and not what most tests are about."""


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (Opioid(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())


def opioid(name: str, mg: float | None, times: float | None = None, hours: float = 0, **more: Any) -> Prescription:
    """By mouth, ``mg`` so many ``times`` a day."""
    dosage = Dosage(
        route=more.pop("route", "oral"),
        dose=UNSET if mg is None else Quantity(mg, "mg"),
        frequency_per_day=UNSET if times is None else times,
        as_needed=more.pop("as_needed", UNSET),
    )
    return order(name, hours, dosage=dosage, **more)


def patch(rate: float, hours: float = 0, *, days: float = 3, **more: Any) -> Prescription:
    """A fentanyl patch of so many mcg/h, changed every ``days`` days."""
    drug = Drug(
        text=f"Fentanyl {rate:g} mcg/hr patch",
        ingredients=(Ingredient("fentanyl", strength=Quantity(rate / 1000, "mg/hr")),),
        form="patch",
        resolution="name",
    )
    dosage = Dosage(dose=Quantity(1, "patch"), frequency_per_day=1 / days)
    fields: dict[str, Any] = {"id": f"patch-{hours}", "drug": drug, "dosage": dosage}
    return order("fentanyl", hours, **(fields | more))


def tablets(name: str, strength: float, number: float, times: float, hours: float = 0, **more: Any) -> Prescription:
    ingredients = tuple(Ingredient(each, strength=Quantity(strength, "mg")) for each in name.split("/"))
    drug = Drug(text=name, ingredients=ingredients, form="tablet", resolution="name")
    dosage = Dosage(route="oral", dose=Quantity(number, "tablet"), frequency_per_day=times)
    return order(name, hours, drug=drug, dosage=dosage, **more)


def naloxone(hours: float = 0, **more: Any) -> Prescription:
    return order("naloxone", hours, **({"dosage": Dosage(route="nasal")} | more))


def diagnosis(code: str, system: str = "ICD-10", hours: float = -400 * DAY) -> ConditionRecord:
    condition = Condition(codings=(Coding(system, code, code),), status="active")
    return ConditionRecord(patient_id="p", source="ehr", record_id=code, occurred_at=at(hours), condition=condition)


def breathing(rate: float, hours: float) -> Observation:
    return Observation(
        patient_id="p", source="monitor", record_id=f"rr-{hours}", occurred_at=at(hours), kind="respiratory_rate", value=rate,
        unit="/min",
    )  # fmt: skip


def given(name: str, hours: float, **more: Any) -> Administration:
    drug = Drug(text=name, ingredients=(Ingredient(name),), resolution="name")
    fields: dict[str, Any] = {
        "patient_id": "p",
        "source": "emar",
        "record_id": f"{name}-{hours}",
        "occurred_at": at(hours),
        "drug": drug,
    }
    return Administration(**(fields | {"status": "given", "route": "oral"} | more))


def in_hospital(hours: float = -1) -> EncounterRecord:
    return EncounterRecord(
        patient_id="p", source="adt", record_id="stay", occurred_at=at(hours), status="in_progress",
        stay=Stay(encounter_class="inpatient", admitted_at=at(hours)),
    )  # fmt: skip


def state_of(*events: AnyEvent, until: float | None = None) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWN, at(0))
    assert state is not None
    return state if until is None else advance(replace(state, live=True), at(until), KNOWN, at(0))[0]


def alerts(*events: AnyEvent, until: float | None = None) -> dict[str, Alert]:
    return {each.subject: each for each in state_of(*events, until=until).open_alerts.values()}


def found(*events: AnyEvent, until: float | None = None) -> dict[str, str]:
    """Severity by kind, without what is said of every opioid at home."""
    return {kind: each.severity for kind, each in alerts(*events, until=until).items() if kind not in ORDERED}


def held(*events: AnyEvent) -> dict[str, str]:
    return {each.subject: each.held for each in state_of(*events).standing.values() if each.held}


def sum_of(*events: AnyEvent) -> Total:
    orders = state_of(*events).orders.values()
    return total(orders, KNOWN.properties["opioid"], KNOWN.doses)


# --- morphine equivalents


def test_the_factors_are_those_of_2022() -> None:
    """MMWR Recomm Rep 2022;71(RR-3), table of conversion factors; not those of 2016 (hydromorphone 4, tramadol 0.1)."""
    factors = {(name, row.unit): row.factor for name, rows in KNOWN.doses.opioids.items() for row in rows if row.factor}
    assert factors == {
        ("codeine", "mg"): 0.15,
        ("fentanyl", "mcg/h"): 2.4,
        ("hydrocodone", "mg"): 1,
        ("hydromorphone", "mg"): 5,
        ("methadone", "mg"): 4.7,
        ("morphine", "mg"): 1,
        ("oxycodone", "mg"): 1.5,
        ("oxymorphone", "mg"): 3,
        ("tapentadol", "mg"): 0.4,
        ("tramadol", "mg"): 0.2,
    }


@pytest.mark.parametrize(
    ("ordered", "mme"),
    [
        # the two examples under the table of the guideline
        (tablets("hydrocodone", 5, 1, 4), 20),
        (tablets("oxycodone", 10, 1, 2), 30),
        # patches, as a published table has them
        (patch(25), 60),
        (patch(50), 120),
        (patch(75), 180),
        (patch(100), 240),
        # the doses of 50 equivalents of another table
        (opioid("tapentadol", 62.5, 2), 50),
        (opioid("codeine", 100, 3.3333), 50),
        # computed with the factors by hand
        (opioid("hydromorphone", 4, 3), 60),
        (opioid("methadone", 10, 2), 94),
        (opioid("tramadol", 100, 4), 80),
        (opioid("oxymorphone", 5, 4), 60),
        (opioid("morphine", 15, 4), 60),
    ],
)
def test_published_examples(ordered: Prescription, mme: float) -> None:
    found = sum_of(ordered)
    assert found.most == pytest.approx(mme, abs=0.01)
    assert found.least == found.most
    assert not found.unknown


def test_how_often_a_patch_is_changed_and_how_its_dose_is_written_changes_nothing() -> None:
    assert sum_of(patch(75, days=1)).most == 180
    assert sum_of(patch(75, days=12)).most == 180
    for unit in ("mcg/hr", "mcg/h"):
        by_rate = patch(75, dosage=Dosage(dose=Quantity(75, unit), route="transdermal"))
        assert sum_of(by_rate).most == 180
    two = patch(50, dosage=Dosage(dose=Quantity(2, "patch")))
    assert sum_of(two).most == 240
    assert sum_of(patch(75, dosage=Dosage(dose=Quantity(75, "mg")))).unknown[0].why == "its daily dose is not known"


def test_all_orders_in_force_are_summed_and_a_range_or_a_need_has_a_least() -> None:
    summed = sum_of(opioid("oxycodone", 10, 3), patch(25), opioid("hydromorphone", 2, 6, as_needed=True))
    # 45 + 60 for certain, and up to 2 x 6 x 5 = 60 more
    assert (summed.least, summed.most) == (105, 165)


@pytest.mark.parametrize(
    ("ordered", "state", "why"),
    [
        (opioid("morphine", 2, 6, route="iv"), "unknown", "route"),
        (opioid("hydromorphone", 1, 6, route="epidural"), "unknown", "route"),
        (opioid("morphine", 10, 2, route=""), "unknown", "route is not known"),
        (opioid("meperidine", 50, 4), "unknown", "no factor"),
        (opioid("levorphanol", 2, 4), "unknown", "no factor"),
        (opioid("oxycodone", None), "unknown", "daily dose is not known"),
        (opioid("buprenorphine", 8, 2, route="sublingual"), "not_counted", "partial agonist"),
    ],
)
def test_what_has_no_equivalent_is_named_and_never_nothing(ordered: Prescription, state: str, why: str) -> None:
    (part,) = sum_of(ordered).parts
    assert (part.state, part.mme) == (state, (0.0, 0.0))
    assert why in part.why


# --- the dose


@pytest.mark.parametrize(("mg", "expected"), [(50, True), (49.9, False), (90, True)])
def test_caution_is_from_50_on(mg: float, expected: bool) -> None:
    """Recommendation 4: before an increase to 50 MME a day or more. The guideline of 2022 has no step at 90."""
    assert KNOWN.doses.opioid_levels[1].mme_a_day == 50
    assert found(opioid("morphine", mg, 1)) == ({"daily-dose": "moderate"} if expected else {})


def test_the_sum_decides_and_a_maximum_is_said_to_be_one() -> None:
    alert = alerts(opioid("morphine", 15, 2), opioid("oxycodone", 5, 4, as_needed=True))["daily-dose"]
    assert alert.summary == "morphine and oxycodone: 60 MME a day, a high opioid dose without naloxone"
    assert "Counted: morphine 30 mg (30 MME a day), oxycodone 20 mg (30 MME a day)." in alert.detail
    assert "Of this 30 is taken as needed or within a range: a maximum." in alert.detail
    assert len(alert.implicated) == 2


def test_what_is_not_counted_is_said() -> None:
    alert = alerts(opioid("morphine", 30, 2), opioid("hydromorphone", 1, 6, id="iv", route="iv"))["daily-dose"]
    assert "Not counted: hydromorphone, unknown: the guideline has no factor for this route." in alert.detail


def test_orders_that_do_not_act_at_one_time_are_not_summed() -> None:
    first = opioid("morphine", 30, 1, end=at(48))
    assert "daily-dose" not in alerts(first, opioid("oxycodone", 20, 1, hours=48, id="b"))
    assert "daily-dose" in alerts(first, opioid("oxycodone", 20, 1, hours=47, id="b"))


def test_an_order_that_begins_later_is_found_when_it_is_written() -> None:
    later = opioid("oxycodone", 20, 1, hours=1, id="b", start=at(72))
    alert = alerts(opioid("morphine", 30, 1), later)["daily-dose"]
    assert alert.true_since == at(72)


def test_no_advice_to_lower_a_dose_at_once() -> None:
    """CDC 2022, recommendation 5."""
    for advice in KNOWN.opioids.advice.values():
        said = " ".join((*advice.actions, advice.title, advice.effect)).lower()
        assert "taper now" not in said
        assert "on your own" in advice.patient_explanation
        if "lower" in said:
            assert "abruptly" in said


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (naloxone(-1), "Naloxone is at hand."),
        (diagnosis("C25.9"), "The guideline leaves out cancer."),
        (diagnosis("D57.1"), "The guideline leaves out sickle-cell disease."),
        (diagnosis("Z51.5"), "The guideline leaves out palliative care."),
        (patient(-1, goals=Goals(end_of_life=True)), "The guideline leaves out care at the end of life."),
        (in_hospital(), "In hospital; the guideline is for outpatients."),
    ],
)
def test_what_quietens_the_dose_never_quietens_sedation(context: AnyEvent, reason: str) -> None:
    high = opioid("morphine", 60, 2)
    assert held(context, high)["daily-dose"] == reason
    assert found(context, high) == {}
    assert "sedation" in found(context, high, order("lorazepam", 1))


def test_naloxone_by_mouth_or_mixed_in_is_no_rescue() -> None:
    """By mouth it is for the bowel; beside buprenorphine it keeps the film from being injected."""
    high = opioid("morphine", 60, 2)
    assert "daily-dose" in found(naloxone(-1, dosage=Dosage(route="oral")), high)
    assert "daily-dose" in found(order("buprenorphine/naloxone", -1, dosage=Dosage(route="sublingual")), high)
    assert "daily-dose" in found(naloxone(-1, end=at(0)), high)


def kit(days_ago: float) -> Dispensing:
    drug = Drug(text="naloxone", ingredients=(Ingredient("naloxone"),), resolution="name")
    return Dispensing(
        patient_id="p", source="pharmacy", record_id="kit", occurred_at=at(-days_ago * DAY), status="dispensed", drug=drug,
        dosage=Dosage(route="nasal"),
    )  # fmt: skip


@pytest.mark.parametrize(("days", "expected"), [(364.9, False), (365, True)])
def test_a_kit_handed_out_counts_for_a_year(days: float, expected: bool) -> None:
    assert ("daily-dose" in found(kit(days), opioid("morphine", 60, 2))) == expected


# --- with what slows breathing


BENZO = order("alprazolam", 0)
LONG = opioid("oxycodone", 5, 2, hours=-60 * DAY)


def test_a_benzodiazepine_beside_a_long_standing_opioid() -> None:
    alert = alerts(LONG, BENZO)["sedation"]
    assert alert.summary == "oxycodone with alprazolam: deep sedation and slowed breathing"
    assert (alert.severity, alert.true_since) == ("moderate", at(0))
    assert alert.medicines == ("alprazolam", "oxycodone")
    assert "ventilated" in alert.detail
    assert "No naloxone is ordered or handed out." in alert.detail


def test_one_after_the_other_is_not_together() -> None:
    before = opioid("oxycodone", 5, 2, hours=-60 * DAY, end=at(0))
    assert found(before, BENZO) == {}
    assert found(order("alprazolam", -1, end=at(0)), opioid("oxycodone", 5, 2)) == {}


@pytest.mark.parametrize(("days", "severity"), [(14, "moderate"), (13.9, "high")])
def test_a_new_opioid_is_graver(days: float, severity: str) -> None:
    """The risk is greatest in the first two weeks (CDC 2022, page 41)."""
    assert found(opioid("oxycodone", 5, 2, hours=-days * DAY), BENZO) == {"sedation": severity}


def test_a_new_opioid_in_hospital_is_watched() -> None:
    assert found(in_hospital(), opioid("oxycodone", 5, 2), BENZO) == {"sedation": "moderate"}


@pytest.mark.parametrize(("mg", "severity"), [(49.9, "moderate"), (50, "high")])
def test_a_high_dose_is_graver_and_a_maximum_for_need_is_none(mg: float, severity: str) -> None:
    long = opioid("morphine", mg, 1, hours=-60 * DAY)
    assert alerts(long, BENZO)["sedation"].severity == severity
    for_need = opioid("morphine", mg, 1, hours=-60 * DAY, as_needed=True)
    assert alerts(for_need, BENZO)["sedation"].severity == "moderate"


def test_a_third_sedating_medicine_is_graver_and_named() -> None:
    alert = alerts(LONG, BENZO, order("gabapentin", 1))["sedation"]
    assert alert.severity == "high"
    assert "A third sedating medicine (gabapentin)." in alert.detail
    assert "gabapentin" in {each.record_id for each in alert.implicated}


def test_in_hospital_a_third_one_is_watched_but_what_takes_the_reserve_is_graver() -> None:
    inside = (in_hospital(), LONG, BENZO)
    assert found(*inside, order("gabapentin", 1)) == {"sedation": "moderate"}
    assert found(*inside, diagnosis("G47.33")) == {"sedation": "high"}
    copd = (*inside, diagnosis("J44.9"))
    assert found(*copd, patient(1, birth_date=date(1961, 11, 2))) == {"sedation": "high"}
    assert found(*copd, patient(1, birth_date=date(1961, 11, 3))) == {"sedation": "moderate"}


@pytest.mark.parametrize(("rate", "hours", "expected"), [(8, 0, True), (9, 0, False), (8, -3.9, True), (8, -4, False)])
def test_slow_breathing_pages(rate: float, hours: float, expected: bool) -> None:
    """8 a minute is cause for alarm."""
    slow = found(LONG, breathing(rate, hours), given("acetaminophen", 0))
    assert slow == ({"sedation": "critical"} if expected else {})


def test_slow_breathing_ends_with_a_newer_rate_and_by_itself_after_hours() -> None:
    assert found(LONG, breathing(7, 0), breathing(14, 1)) == {}
    assert found(LONG, breathing(7, 0), until=3.9) == {"sedation": "critical"}
    assert found(LONG, breathing(7, 0), until=4) == {}
    assert found(LONG, breathing(7, 0), breathing(14, 1), breathing(6, 2)) == {"sedation": "critical"}


def test_slow_breathing_at_the_end_of_life_is_told_and_pages_nobody() -> None:
    comfort = patient(-1, goals=Goals(end_of_life=True))
    assert found(comfort, LONG, breathing(7, 0)) == {"sedation": "high"}


def test_on_a_ventilator_it_reaches_nobody() -> None:
    ventilated = patient(-1, procedures=(Procedure(kind="ventilation", start=at(-1)),))
    assert found(ventilated, LONG, BENZO, breathing(7, 1)) == {}
    assert held(ventilated, LONG, BENZO)["sedation"] == "Breathing is taken care of."
    over = patient(-1, procedures=(Procedure(kind="ventilation", start=at(-9), end=at(-1)),))
    assert found(over, LONG, BENZO) == {"sedation": "moderate"}


def test_where_doses_are_charted_both_must_have_been_given_within_a_day() -> None:
    assert found(LONG, BENZO, given("oxycodone", 0)) == {}
    assert held(LONG, BENZO, given("oxycodone", 0))["sedation"] == "Ordered, but not both given within a day."
    both = (LONG, BENZO, given("oxycodone", 0), given("alprazolam", 1))
    assert found(*both) == {"sedation": "moderate"}
    assert found(*both, given("acetaminophen", 23.9)) == {"sedation": "moderate"}
    assert found(*both, given("acetaminophen", 24)) == {}


def test_doses_without_an_order_count() -> None:
    assert found(LONG, given("oxycodone", -1), given("midazolam", 0, route="iv")) == {"sedation": "moderate"}


def test_a_sedative_that_is_infused_is_watched_but_slow_breathing_is_told() -> None:
    drip = order("midazolam", 0, dosage=Dosage(route="iv drip"))
    assert found(LONG, drip) == {}
    assert "infused" in held(LONG, drip)["sedation"]
    assert found(LONG, drip, breathing(6, 1)) == {"sedation": "critical"}


def test_stopping_either_ends_it() -> None:
    stop = order("alprazolam", 5, status="discontinued", version=2)
    assert found(LONG, BENZO, stop) == {}
    wrong = order("alprazolam", 5, status="entered_in_error", version=2)
    assert found(LONG, BENZO, wrong) == {}


def test_the_order_of_arrival_changes_nothing() -> None:
    """The main story: a risk, a high dose, a benzodiazepine and a third medicine."""
    events: tuple[AnyEvent, ...] = (
        opioid("morphine", 60, 2, hours=-60 * DAY),
        BENZO,
        order("gabapentin", 1),
        diagnosis("G47.33"),
    )
    ends = {tuple(sorted(found(*each).items())) for each in permutations(events)}
    assert ends == {(("daily-dose", "moderate"), ("sedation", "high"))}


# --- for the tolerant only


KNOWN_LONG = lab("potassium", 4.0, -30 * DAY)
"""Something is known of the patient from long before."""


def test_a_patch_in_a_patient_without_an_opioid_before() -> None:
    alert = alerts(KNOWN_LONG, patch(25))["tolerance"]
    assert alert.severity == "high"
    assert alert.summary == "Fentanyl patch 25 mcg/h: no opioid tolerance is known in the week before"
    assert "what was taken at home may not be" in alert.detail


@pytest.mark.parametrize(
    ("name", "mg"),
    [("morphine", 60), ("oxycodone", 30), ("hydromorphone", 8), ("oxymorphone", 25), ("hydrocodone", 60)],
)
def test_tolerance_is_a_week_of_what_the_label_says(name: str, mg: float) -> None:
    """The label of fentanyl patches: a week or longer of at least these doses by mouth."""
    week = -7 * DAY
    assert "tolerance" not in found(opioid(name, mg, 1, hours=week), patch(25))
    assert "tolerance" in found(opioid(name, mg - 0.1, 1, hours=week), patch(25))
    assert "tolerance" in found(opioid(name, mg, 1, hours=week + 1), patch(25))
    assert "tolerance" in found(opioid(name, mg, 1, hours=week, end=at(-2 * DAY)), patch(25))


def test_two_halves_and_a_smaller_patch_are_tolerance_too() -> None:
    halves = (opioid("morphine", 30, 1, hours=-8 * DAY), opioid("oxycodone", 15, 1, hours=-8 * DAY))
    assert "tolerance" not in found(*halves, patch(25))
    assert "tolerance" in found(halves[0], patch(25))
    assert "tolerance" not in found(patch(25, -8 * DAY, end=at(0)), patch(50))


def test_what_is_known_in_part_is_milder_and_says_so() -> None:
    for before in (
        opioid("morphine", 4, 6, hours=-3 * DAY, route="iv"),
        opioid("oxycodone", None, hours=-8 * DAY),
        opioid("morphine", 60, 1, hours=-8 * DAY, as_needed=True),
    ):
        alert = alerts(KNOWN_LONG, before, patch(25))["tolerance"]
        assert alert.severity == "moderate"
        assert "is known in part only" in alert.detail


def test_a_patient_of_whom_nothing_is_known_before() -> None:
    assert found(patch(12)) == {"tolerance": "moderate"}
    assert found(naloxone(0), patch(12)) == {}
    assert found(KNOWN_LONG, naloxone(0), patch(12)) == {"tolerance": "high"}


def test_what_was_taken_before_with_a_break_is_milder() -> None:
    assert found(patch(12, -60 * DAY, end=at(-40 * DAY)), patch(12)) == {"tolerance": "moderate"}
    short = patch(12, -60 * DAY, end=at(-54 * DAY))
    assert found(short, patch(12)) == {"tolerance": "high"}


@pytest.mark.parametrize(("said", "severity"), [(False, "critical"), (True, ""), (None, "high")])
def test_what_somebody_said_of_tolerance_stands_over_it(said: bool | None, severity: str) -> None:
    goals = patient(-1, goals=Goals(opioid_tolerant=said))
    assert found(KNOWN_LONG, goals, patch(12)) == ({"tolerance": severity} if severity else {})


def test_a_patch_that_is_renewed_is_one_and_after_a_week_it_is_tolerance() -> None:
    renewed = (KNOWN_LONG, patch(12, 0, end=at(72)), patch(12, 72))
    assert alerts(*renewed)["tolerance"].true_since == at(0)
    assert "tolerance" in found(*renewed, until=7 * DAY - 0.1)
    assert "tolerance" not in found(*renewed, until=7 * DAY)


# --- naloxone, start, course, toxicology


@pytest.mark.parametrize("code", ["T40.2X1A", "F11.20", "G47.33"])
def test_a_risk_of_its_own_without_naloxone(code: str) -> None:
    """Recommendation 8: a history of overdose, a use disorder, sleep-disordered breathing."""
    assert found(diagnosis(code), LONG) == {"naloxone": "moderate"}
    assert found(diagnosis(code), LONG, naloxone(0)) == {}
    assert found(diagnosis(code), in_hospital(), LONG) == {}
    assert found(diagnosis("I10"), LONG) == {}


def test_of_dose_and_risk_one_speaks() -> None:
    assert found(diagnosis("G47.33"), opioid("morphine", 60, 2, hours=-60 * DAY)) == {"daily-dose": "moderate"}


def begun(*events: AnyEvent, until: float | None = None) -> dict[str, str]:
    return {kind: each.severity for kind, each in alerts(*events, until=until).items() if kind in ORDERED}


def test_the_start_is_said_for_four_weeks_and_the_course_from_three_months_on() -> None:
    """Recommendation 7: look again within 1 to 4 weeks; every 3 months."""
    first = opioid("oxycodone", 5, 2)
    assert begun(first) == {"start": "info"}
    assert begun(first, until=28 * DAY - 0.1) == {"start": "info"}
    assert begun(first, until=28 * DAY) == {}
    assert begun(first, until=90 * DAY - 0.1) == {}
    assert begun(first, until=90 * DAY) == {"continued": "info"}
    waiting = next(each for each in state_of(first).standing.values() if each.subject == "continued")
    assert (waiting.since, waiting.opens) == (at(0), at(90 * DAY))


@pytest.mark.parametrize(("gap", "expected"), [(30, {}), (30.1, {"start": "info"})])
def test_after_a_break_it_is_a_new_start(gap: float, expected: dict[str, str]) -> None:
    before = opioid("oxycodone", 5, 2, hours=-70 * DAY, end=at(-gap * DAY))
    assert begun(before, opioid("hydrocodone", 5, 2)) == expected


SLOW = Drug(text="Oxycodone 10 MG Extended Release Oral Tablet", ingredients=(Ingredient("oxycodone"),))


@pytest.mark.parametrize("first", [opioid("methadone", 5, 2), opioid("oxycodone", 10, 2, drug=SLOW)])
def test_a_long_acting_one_at_the_start_is_graver(first: Prescription) -> None:
    """Recommendation 3: begin with immediate release."""
    assert begun(first) == {"start": "moderate"}
    after = opioid("hydrocodone", 2.5, 1, hours=-10 * DAY)
    assert begun(after, first) == {"start": "info"}


@pytest.mark.parametrize(
    "context",
    [
        diagnosis("C25.9"), diagnosis("D57.1"), diagnosis("Z51.5"), patient(-1, goals=Goals(end_of_life=True)), in_hospital(),
        patient(-1, birth_date=date(2010, 1, 1)), naloxone(-1),
    ],
)  # fmt: skip
def test_to_whom_the_start_is_not_said(context: AnyEvent) -> None:
    assert begun(context, opioid("oxycodone", 5, 2)) == {}


def test_what_is_injected_is_no_start_at_home() -> None:
    assert alerts(opioid("morphine", 2, 4, route="iv")) == {}


def test_the_treatment_of_opioid_use_disorder_is_not_put_off() -> None:
    film = order("buprenorphine/naloxone", dosage=Dosage(route="sublingual"))
    use_disorder = diagnosis("F11.20")
    assert begun(film) == {"start": "info"}
    assert begun(use_disorder, film) == {}
    # the course: that of the treatment is not asked for, that of another opioid is
    long = -100 * DAY
    assert begun(use_disorder, replace(film, occurred_at=at(long)), naloxone(0)) == {}
    assert begun(use_disorder, opioid("oxycodone", 5, 2, hours=long), naloxone(0)) == {"continued": "info"}


def screen(analyte: str, word: str, days_ago: float, flag: str = "") -> AnyEvent:
    more: dict[str, Any] = {"text": word, "flag": flag or UNSET, "unit": "", "canonical_unit": ""}
    return lab(analyte, None, -days_ago * DAY, **more)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((screen("cocaine in urine", "POS", 10),), "moderate"),
        ((screen("cocaine in urine", "", 10, flag="POS"),), "moderate"),
        ((screen("phencyclidine in urine", "Positive", 364.9),), "moderate"),
        ((screen("phencyclidine in urine", "Positive", 365),), ""),
        ((screen("cannabinoids in urine", "detected", 10),), "info"),
        ((screen("cocaine in urine", "NEG", 10),), ""),
        ((screen("cocaine in urine", "specimen lost", 10),), ""),
        ((screen("cocaine in urine", "POS", 10), screen("cocaine in urine", "NEG", 5)), "info"),
        ((screen("cocaine in urine", "NEG", 10), screen("cocaine in urine", "POS", 5)), "moderate"),
        ((screen("cocaine in urine", "POS", 10), screen("cannabinoids in urine", "POS", 5)), "moderate"),
    ],
)  # fmt: skip
def test_toxicology(events: tuple[AnyEvent, ...], expected: str) -> None:
    now = given("acetaminophen", 0)
    assert found(*events, LONG, now) == ({"toxicology": expected} if expected else {})
    assert found(*events, now) == {}


def test_a_result_taken_back_is_none() -> None:
    wrong = lab("cocaine in urine", None, -DAY, id="u", text="POS", unit="", canonical_unit="")
    taken_back = replace(wrong, status="entered_in_error", version=2)
    assert found(wrong, LONG) == {"toxicology": "moderate"}
    assert found(wrong, LONG, taken_back) == {}


# --- the data


def test_every_kind_is_there_with_its_numbers() -> None:
    spans = {kind: advice.span / timedelta(days=1) for kind, advice in KNOWN.opioids.advice.items() if advice.span}
    assert spans == {"sedation": 14, "tolerance": 7, "naloxone": 365, "start": 28, "continued": 90, "toxicology": 365}
    assert set(KNOWN.opioids.advice) == set(get_args(Kind))
    assert Counter(each.role for rows in KNOWN.opioids.roles.values() for each in rows)["tolerance"] == 6


@pytest.mark.parametrize(
    ("file", "line", "old", "new", "column"),
    [
        ("opioid_context.csv", 2, "ventilated", "levitating", "when"),
        ("opioid_context.csv", 3, "not-both-given", "both-given", "facts"),
        ("opioid_roles.csv", 2, ",60,", ",,", "a_day"),
        ("opioid_roles.csv", 2, "morphine", "kryptonite", "ingredient"),
        ("opioid_roles.csv", 2, "oral", "by ear", "ways"),
        ("opioid_signs.csv", 2, ",8,", ",0,", "sign"),
        ("opioid_screens.csv", 2, "cocaine in urine", "cocaine", "analyte"),
        ("opioid_findings.csv", 3, "tolerance", "sedation", "finding"),
    ],
)
def test_a_slip_is_refused_with_its_place(tmp_path: Any, file: str, line: int, old: str, new: str, column: str) -> None:
    root = copy_knowledge(tmp_path)
    path = root / "dosing" / file
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(KnowledgeError) as refused:
        load_from(root)
    assert (refused.value.file, refused.value.line, refused.value.column) == (f"dosing/{file}", line, column)


def test_what_the_rule_reads_is_enough() -> None:
    reads = Opioid().reads(KNOWN)
    assert {"oxycodone", "alprazolam", "naloxone", "gabapentin"} <= set(reads.ingredients or ())
    assert set(reads.analytes) == {"cocaine in urine", "phencyclidine in urine", "cannabinoids in urine", "creatinine"}
    assert reads.person
    assert Opioid().reads(replace(KNOWN, opioids=type(KNOWN.opioids)())).ingredients == ()
    assert msgspec.json.encode(alerts(LONG, BENZO)["sedation"])
