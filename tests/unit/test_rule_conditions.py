"""What conditions mean of a patient: yes, no, or not known."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from knowledge.conditions import Names, parsed
from knowledge.diagnoses import Diagnoses
from knowledge.dose import Doses
from knowledge.property import Member
from schemas.events import AnyEvent, Condition, Dosage, Goals, Observation, Pregnancy, Prescription, Procedure, Stay
from schemas.values import Coding, Quantity
from services.monitor.evaluate import take_event
from services.monitor.patient.bounds import Need
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, read_by
from tests.support.clinical import CITED, SmallKnowledge, at, daily, lab, order, patient

NAMES = Names(
    {"potassium", "creatinine", "hemoglobin"},
    {"nsaid", "ppi"},
    {"peptic-ulcer"},
    {"body", "skin"},
    {"oral", "intrathecal"},
)


class Known(SmallKnowledge):
    """With two properties, one of them by any route, and one group of conditions."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.properties = {
            "nsaid": {"ibuprofen": _member("nsaid", "ibuprofen"), "diclofenac": _member("nsaid", "diclofenac")},
            "ppi": {"omeprazole": _member("ppi", "omeprazole", "any", "strong")},
        }
        self.diagnoses = Diagnoses(
            titles={"peptic-ulcer": "Peptic ulcer"}, prefixes={("ICD-10", "K27"): frozenset({"peptic-ulcer"})}
        )

        self.doses = Doses(ways={"oral": "oral", "it": "intrathecal"})

    def place_of(self, route: str, form: str) -> str | None:
        return {"oral": "body", "topical": "skin"}.get(route)


def _member(of: str, ingredient: str, applies: str = "systemic", grade: str = "") -> Member:
    return Member(
        property=of, ingredient=ingredient, grade=grade, applies=applies,  # type: ignore[arg-type]
        note="", evidence_grade="label", status="verified", citations=CITED,
    )  # fmt: skip


KNOWN: Any = Known()


def after(*events: AnyEvent) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWN, at(0))
    assert state is not None
    return state


def ask(
    text: str, *events: AnyEvent, objects: tuple[str, ...] = (), others: tuple[str, ...] = (), ingredient: str = ""
) -> Answer:
    state = after(*events)
    orders = [each for each in state.orders.values() if each.record_id in (*objects, *others)]
    own = [each for each in orders if each.record_id in objects]
    of = Situation(state=state, knowledge=KNOWN, orders=orders, objects=own, ingredient=ingredient)
    (answer,) = answers(parsed([text], NAMES), of)
    return answer


def holds(text: str, *events: AnyEvent, **more: Any) -> bool | None:
    return ask(text, *events, **more).holds


# --- results


@pytest.mark.parametrize(("value", "yes"), [(5.4, False), (5.5, True), (5.6, True)])
def test_the_newest_result_decides(value: float, yes: bool) -> None:
    assert holds("potassium >= 5.5", lab("potassium", 7.0, 0), lab("potassium", value, 1)) is yes


def test_no_result_is_not_known_and_no_no() -> None:
    assert holds("potassium >= 5.5", lab("sodium", 140.0)) is None
    assert holds("potassium < 5.5", lab("potassium", 5.0, status="cancelled")) is None


@pytest.mark.parametrize(
    ("comparator", "value", "yes"),
    [(">", 5.5, True), (">", 5.4, None), ("<", 5.5, False), ("<", 5.6, None), ("<", 5.0, False), (">=", 5.5, True)],
)
def test_a_comparator_says_only_what_it_says(comparator: str, value: float, yes: bool | None) -> None:
    assert holds("potassium >= 5.5", lab("potassium", value, comparator=comparator)) is yes


def test_one_that_leaves_it_open_leaves_the_question_to_the_one_before() -> None:
    assert holds("potassium >= 5.5", lab("potassium", 6.0, 0), lab("potassium", 5.0, 1, comparator=">")) is True


def test_a_value_that_can_hardly_be_says_nothing() -> None:
    assert holds("potassium >= 5.5", lab("potassium", 40.0, remark="implausible")) is None


def test_within_leaves_older_ones_out_and_says_until_when() -> None:
    recent = ask("potassium >= 5.5 within 72 h", lab("potassium", 6.0, 0), lab("sodium", 140.0, 72))
    assert (recent.holds, recent.until) == (True, at(72) + timedelta(microseconds=1))
    assert holds("potassium >= 5.5 within 72 h", lab("potassium", 6.0, 0), lab("sodium", 140.0, 72.1)) is None


def test_unknown_is_a_condition_of_its_own() -> None:
    assert holds("potassium unknown", lab("sodium", 140.0)) is True
    assert holds("potassium unknown", lab("potassium", 4.0)) is False
    assert holds("potassium unknown within 72 h", lab("potassium", 4.0, 0), lab("sodium", 140.0, 72)) is False
    assert holds("potassium unknown within 72 h", lab("potassium", 4.0, 0), lab("sodium", 140.0, 72.1)) is True


@pytest.mark.parametrize(
    ("text", "then", "now", "yes"),
    [
        ("creatinine rise >= 0.3 within 48 h", 1.0, 1.29, False),
        ("creatinine rise >= 0.3 within 48 h", 1.0, 1.3, True),
        ("creatinine ratio >= 1.5 within 7 d", 1.0, 1.49, False),
        ("creatinine ratio >= 1.5 within 7 d", 1.0, 1.5, True),
        ("hemoglobin fall >= 2 within 48 h", 10.0, 8.1, False),
        ("hemoglobin fall >= 2 within 48 h", 10.0, 8.0, True),
        ("hemoglobin drop >= 50 % within 2 d", 10.0, 5.1, False),
        ("hemoglobin drop >= 50 % within 2 d", 10.0, 5.0, True),
        ("hemoglobin change >= 2 within 2 d", 8.0, 10.0, True),
        ("hemoglobin change >= 2 within 2 d", 10.0, 8.0, True),
        ("hemoglobin change >= 2 within 2 d", 10.0, 11.9, False),
    ],
)
def test_a_course_compares_the_newest_with_those_before_it(text: str, then: float, now: float, yes: bool) -> None:
    analyte = text.split()[0]
    assert holds(text, lab(analyte, then, 0), lab(analyte, now, 24)) is yes


def test_a_course_needs_one_before_and_within_its_span() -> None:
    assert holds("creatinine rise >= 0.3 within 48 h", lab("creatinine", 3.0)) is None
    assert holds("creatinine rise >= 0.3 within 48 h", lab("creatinine", 1.0, 0), lab("creatinine", 3.0, 48.1)) is None
    assert holds("creatinine rise >= 0.3 within 48 h", lab("creatinine", 1.0, 0), lab("creatinine", 3.0, 48)) is True


# --- the person


@pytest.mark.parametrize(("day", "yes"), [(date(1961, 11, 3), False), (date(1961, 11, 2), True)])
def test_age_in_completed_years(day: date, yes: bool) -> None:
    assert holds("age >= 65 years", patient(birth_date=day)) is yes


def test_an_age_that_is_not_known() -> None:
    assert holds("age >= 65 years", lab("potassium", 4.0)) is None


@pytest.mark.parametrize(("kilograms", "yes"), [(49.9, True), (50.0, False)])
def test_weight(kilograms: float, yes: bool) -> None:
    weight = Observation(
        patient_id="p", source="ward", record_id="w", occurred_at=at(0), kind="weight", value=kilograms, unit="kg"
    )
    assert holds("weight < 50 kg", weight) is yes
    assert holds("weight < 50 kg", lab("potassium", 4.0)) is None


def test_traits_are_yes_no_or_not_known() -> None:
    assert holds("pregnant", patient()) is None
    assert holds("pregnant", patient(pregnancy=Pregnancy(pregnant=False))) is False
    assert holds("pregnant", patient(pregnancy=Pregnancy(pregnant=True))) is True
    assert holds("lactating", patient(lactating=True)) is True
    assert holds("end_of_life", patient(goals=Goals())) is None
    assert holds("end_of_life", patient(goals=Goals(end_of_life=True))) is True
    assert holds("inpatient", patient(stay=Stay(encounter_class="outpatient"))) is False
    assert holds("dialysis", patient()) is None
    assert holds("dialysis", patient(procedures=())) is False
    assert holds("dialysis", patient(procedures=(Procedure(kind="dialysis", start=at(-5)),))) is True
    assert holds("dialysis", patient(procedures=(Procedure(kind="dialysis", end=at(-1)),))) is False
    assert holds("sex female", patient(sex="male")) is False
    assert holds("sex female", patient()) is None


def test_a_history_nobody_has_told_is_not_known() -> None:
    ulcer = Condition(codings=(Coding("ICD-10-CM", "K27", "Peptic ulcer"),))
    other = Condition(codings=(Coding("ICD-10-CM", "I10", "Hypertension"),))
    assert holds("history peptic-ulcer", patient()) is None
    assert holds("history peptic-ulcer", patient(conditions=())) is False
    assert holds("history peptic-ulcer", patient(conditions=(other,))) is False
    assert ask("history peptic-ulcer", patient(conditions=(other, ulcer))).found == "Peptic ulcer"


# --- medicines


def test_with_is_another_medicine_that_acts_at_the_same_time() -> None:
    warfarin = order("warfarin", 0)
    assert holds("with nsaid", warfarin, objects=("warfarin",)) is False
    assert holds("with nsaid", warfarin, order("ibuprofen", 1), objects=("warfarin",)) is True
    assert holds("without nsaid", warfarin, order("ibuprofen", 1), objects=("warfarin",)) is False
    earlier = order("ibuprofen", 0, end=at(1))
    assert holds("with nsaid", earlier, order("warfarin", 2), objects=("warfarin",)) is False
    # the medicine itself is no other
    assert holds("with nsaid", order("ibuprofen", 0), objects=("ibuprofen",)) is False


def test_with_asks_for_the_grade_and_the_way_in() -> None:
    warfarin = order("warfarin", 0)
    assert holds("with nsaid", warfarin, order("diclofenac", 1, route="topical"), objects=("warfarin",)) is False
    assert holds("with ppi", warfarin, order("omeprazole", 1, route="topical"), objects=("warfarin",)) is True
    assert holds("with ppi strong", warfarin, order("omeprazole", 1), objects=("warfarin",)) is True
    assert holds("with ppi weak", warfarin, order("omeprazole", 1), objects=("warfarin",)) is False


@pytest.mark.parametrize(("milligrams", "yes"), [(10, False), (11, True)])
def test_a_daily_dose(milligrams: float, yes: bool) -> None:
    ordered = order("simvastatin", dosage=daily(milligrams))
    assert holds("dose > 10 mg/day", ordered, objects=("simvastatin",), ingredient="simvastatin") is yes
    assert holds("dose unknown", ordered, objects=("simvastatin",), ingredient="simvastatin") is False


def test_a_dose_that_is_not_known_is_at_least_what_is_known_of_it() -> None:
    known, unknown = order("simvastatin", id="a", dosage=daily(11)), order("simvastatin", id="b")
    asked: dict[str, Any] = {"objects": ("a", "b"), "ingredient": "simvastatin"}
    assert holds("dose > 10 mg/day", known, unknown, **asked) is True
    assert holds("dose > 20 mg/day", known, unknown, **asked) is None
    assert holds("dose <= 20 mg/day", known, unknown, **asked) is None
    assert holds("dose unknown", known, unknown, **asked) is True


def test_a_route() -> None:
    assert holds("route body", order("diclofenac"), objects=("diclofenac",)) is True
    assert holds("route body", order("diclofenac", route="topical"), objects=("diclofenac",)) is False
    assert holds("route body", order("diclofenac", route="?"), objects=("diclofenac",)) is None


def dosed(milligrams: float | None, name: str = "methotrexate", route: str = "oral", **more: Any) -> Prescription:
    amount = UNSET if milligrams is None else Quantity(milligrams, "mg")
    return order(name, dosage=Dosage(route=route, dose=amount), **more)


@pytest.mark.parametrize(("milligrams", "holds_"), [(499, False), (500, False), (501, True), (None, None)])
def test_a_single_dose(milligrams: float | None, holds_: bool | None) -> None:
    asked: dict[str, Any] = {"objects": ("methotrexate",), "ingredient": "methotrexate"}
    assert holds("single dose > 500 mg", dosed(milligrams), **asked) is holds_
    assert holds("single dose unknown", dosed(milligrams), **asked) is (milligrams is None)


def test_of_several_single_doses_the_largest_counts_and_one_that_is_not_known_may_be_larger() -> None:
    asked: dict[str, Any] = {"objects": ("m1", "m2"), "ingredient": "methotrexate"}
    two = (dosed(400, id="m1"), dosed(600, id="m2"))
    assert holds("single dose > 500 mg", *two, **asked) is True
    assert holds("single dose <= 500 mg", *two, **asked) is False
    unsure = (dosed(400, id="m1"), dosed(None, id="m2"))
    assert holds("single dose <= 500 mg", *unsure, **asked) is None
    assert holds("single dose > 300 mg", *unsure, **asked) is True


def test_the_way_of_the_medicine_and_of_the_others() -> None:
    both = (dosed(12, route="it"), order("trimethoprim"))
    asked: dict[str, Any] = {"objects": ("methotrexate",), "others": ("trimethoprim",)}
    assert holds("way intrathecal", *both, **asked) is True
    assert holds("way oral", *both, **asked) is False
    assert holds("other way oral", *both, **asked) is True
    assert holds("other way oral", both[0], order("trimethoprim", route="?"), **asked) is None
    assert holds("other way oral", both[0], **asked) is None, "there is no other"


def test_together_says_when_it_will_be() -> None:
    asked = ask("together >= 30 d", order("a", 0), order("b", 24), objects=("a", "b"))
    assert (asked.holds, asked.until) == (False, at(24) + timedelta(days=30))
    later = ask("together >= 30 d", order("a", 0), order("b", 24), lab("potassium", 4.0, 31 * 24), objects=("a", "b"))
    assert later.holds is True


# --- what they read


def test_what_is_read_covers_what_is_asked() -> None:
    reads = read_by(
        parsed(["potassium >= 5.5 within 72 h", "creatinine rise >= 0.3 within 48 h", "with nsaid", "age >= 65 years"], NAMES),
        KNOWN,
    )  # fmt: skip
    assert reads.analytes["potassium"] == Need(newest=3)  # the newest decides, however old it may be
    assert reads.analytes["creatinine"].within == timedelta(days=3)  # kept from the end of a day
    assert set(reads.ingredients or ()) == {"ibuprofen", "diclofenac"}
    assert reads.person
    assert not read_by(parsed(["potassium >= 5.5"], NAMES), KNOWN).person


@given(
    st.lists(st.tuples(st.floats(0.1, 20), st.integers(0, 400)), min_size=2, max_size=8, unique_by=lambda each: each[1])
)
def test_a_rise_by_an_independent_computation(course: list[tuple[float, int]]) -> None:
    """In whole tenths, so that both sides round the same."""
    tenths = [(round(value * 10), hour) for value, hour in course]
    *before, (now, hour) = sorted(tenths, key=lambda each: each[1])
    compared = [value for value, then in before if hour - then <= 48]
    expected = None if not compared else now - min(compared) >= 3
    # what is kept of an analyte that no rule reads is the newest two
    if len(before) < 2:
        events = [lab("creatinine", value / 10, hour) for value, hour in tenths]
        assert holds("creatinine rise >= 0.3 within 48 h", *events) is expected
