"""Conditions at their edges: the very value, the very time, zero, and what is asked of which order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from knowledge.conditions import parsed
from knowledge.loader import load
from schemas.events import AnyEvent, Condition, Observation, Procedure, Traits
from schemas.values import Coding
from services.monitor.evaluate import take_event
from services.monitor.patient.bounds import Need
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, earliest, of_the_patient, reads_of, said
from services.monitor.rules.rule import Reads
from tests.support.clinical import at, daily, lab, order, patient
from tests.unit.test_rule_conditions import KNOWN, NAMES, after, ask, dosed, holds

EVERYTHING = load()
"""Keeps of creatinine and hemoglobin what a course needs."""


def course(text: str, *values: float) -> Answer:
    """Of values an hour apart."""
    state: PatientState | None = None
    for hour, value in enumerate(values):
        state, _ = take_event(state, lab(text.split()[0], value, hour), EVERYTHING, at(0))
    assert state is not None
    (answer,) = answers(parsed([text], NAMES), Situation(state=state, knowledge=KNOWN))
    return answer


# --- a course is against the lowest, the highest, or the farthest before it


@pytest.mark.parametrize(
    ("text", "values", "yes"),
    [
        ("creatinine rise >= 0.3 within 48 h", (1.0, 1.2, 1.3), True),
        ("creatinine rise >= 0.3 within 48 h", (1.2, 1.1, 1.3), False),
        ("creatinine ratio >= 1.5 within 7 d", (1.0, 1.4, 1.5), True),
        ("hemoglobin fall >= 2 within 48 h", (10.0, 8.5, 8.0), True),
        ("hemoglobin drop >= 50 % within 2 d", (10.0, 6.0, 5.0), True),
        ("hemoglobin change >= 2 within 2 d", (10.0, 8.5, 8.0), True),
        ("hemoglobin change >= 2 within 2 d", (6.0, 8.5, 8.0), True),
        ("hemoglobin change >= 2 within 2 d", (8.5, 6.1, 8.0), False),
        # of nothing there is a rise and no ratio
        ("creatinine rise >= 0.3 within 48 h", (0.0, 0.5, 0.6), True),
        ("creatinine rise >= 0.6 within 48 h", (0.0, 0.5, 0.6), True),
        ("hemoglobin fall >= 0.5 within 48 h", (0.5, 0.0, 0.0), True),
        ("hemoglobin change >= 0.5 within 2 d", (0.4, 0.0, 0.5), True),
        ("hemoglobin change >= 0.6 within 2 d", (0.6, 0.5, 0.0), True),
        ("creatinine ratio >= 1.5 within 7 d", (0.0, 0.6), None),
        ("hemoglobin drop >= 50 % within 2 d", (0.0, 0.0), None),
        ("hemoglobin drop >= 50 % within 2 d", (0.8, 0.4), True),
        ("creatinine ratio >= 1.5 within 7 d", (0.4, 0.6), True),
        ("creatinine ratio >= 1.5 within 7 d", (2.0, 1.0), False),
        ("hemoglobin drop >= 50.2 % within 2 d", (10.0, 5.0), False),
    ],
)
def test_what_a_course_is_against(text: str, values: tuple[float, ...], yes: bool | None) -> None:
    assert course(text, *values).holds is yes


def test_what_a_course_is_against_is_shown() -> None:
    shown = course("hemoglobin change >= 2 within 2 d", 10.0, 6.0, 9.0)
    assert [fact.at for fact in shown.facts] == [at(1), at(2)]
    shown = course("hemoglobin fall >= 0.3 within 48 h", 0.0, 0.5, 0.1)
    assert [fact.at for fact in shown.facts] == [at(1), at(2)]
    shown = course("hemoglobin change >= 0.3 within 2 d", 1.0, 0.0, 0.7)
    assert [fact.at for fact in shown.facts] == [at(1), at(2)], "0.7 lies farther from 0 than from 1"
    shown = course("hemoglobin change >= 0.3 within 2 d", 1.2, 0.0, 0.7)
    assert [fact.at for fact in shown.facts] == [at(1), at(2)]
    shown = course("hemoglobin change >= 0.3 within 2 d", 0.5, 1.2, 0.0)
    assert [fact.at for fact in shown.facts] == [at(1), at(2)]


@pytest.mark.parametrize(
    ("text", "before", "just", "short"),
    [
        ("creatinine rise >= 0.3 within 48 h", 1.0, 1.2999997, 1.299998),
        ("hemoglobin fall >= 2 within 48 h", 10.0, 8.0000003, 8.000002),
        ("hemoglobin change >= 2 within 2 d", 10.0, 8.0000003, 8.000002),
        ("creatinine ratio >= 1.5 within 7 d", 1.0, 1.4999997, 1.499998),
        ("hemoglobin drop >= 50 % within 2 d", 100.0, 50.0000003, 50.000002),
    ],
)
def test_what_a_computer_adds_is_no_difference(text: str, before: float, just: float, short: float) -> None:
    """Less than a millionth comes from the arithmetic; two millionths do not."""
    assert course(text, before, just).holds is True
    assert course(text, before, short).holds is False


def test_a_course_leaves_results_of_the_same_time_out() -> None:
    both = (lab("creatinine", 1.0, 1, id="a"), lab("creatinine", 3.0, 1, id="b"))
    assert holds("creatinine rise >= 0.3 within 48 h", *both) is None


# --- against the patient's own values


@pytest.mark.parametrize(
    ("text", "values", "yes"),
    [
        ("creatinine >= 1.5 x previous within 48 h", (1.0, 1.5), True),
        ("creatinine >= 1.5 x previous within 48 h", (1.0, 1.49), False),
        ("creatinine >= 1.5 x previous within 48 h", (1.0000001, 1.5), True),  # the rest comes from the arithmetic
        ("creatinine >= minimum + 0.3 within 48 h", (0.0, 0.5, 0.4), True),
        ("creatinine >= minimum + 0.3 within 48 h", (0.5, 0.2, 0.5), True),
        ("creatinine <= maximum - 0.3 within 48 h", (0.5, 0.8, 0.6, 0.5), True),
        ("creatinine >= median within 7 d", (1.0, 2.0, 3.0, 4.0, 5.0, 3.0), True),
        ("creatinine >= median within 7 d", (1.0, 2.0, 3.0, 4.0, 5.0, 2.9), False),
        ("creatinine >= median within 7 d", (0.0, 2.0, 1.0), True),  # of two the middle
    ],
)
def test_what_own_values_say(text: str, values: tuple[float, ...], yes: bool) -> None:
    assert course(text, *values).holds is yes


@pytest.mark.parametrize(("hours", "yes"), [(48, True), (48.1, None)])
def test_own_values_count_up_to_the_end_of_their_span(hours: float, yes: bool | None) -> None:
    story = (lab("creatinine", 1.0, 0), lab("creatinine", 1.5, hours))
    assert holds("creatinine >= 1.5 x previous within 48 h", *story) is yes


@pytest.mark.parametrize(
    ("own", "values", "said_"),
    [
        ("minimum", (1.0, 1.5), "minimum 1 mmol/L at 2026-11-02 08:00 UTC"),
        ("minimum", (1.0, 1.2, 1.5), "minimum 1 at 2026-11-02 08:00 UTC of 2 before it"),
        ("median", (1.0, 3.0, 2.0, 1.5), "median 2 of 3 before it"),
    ],
)
def test_own_values_are_said(own: str, values: tuple[float, ...], said_: str) -> None:
    assert course(f"creatinine >= {own} within 7 d", *values).found.split(", ", 1)[1] == said_


# --- until when an answer holds


def test_a_result_is_old_a_moment_after_its_span() -> None:
    asked = ask("potassium older than 24 h", lab("potassium", 4.0, 0), lab("sodium", 140.0, 24))
    assert (asked.holds, asked.until) == (False, at(24) + timedelta(microseconds=1))
    assert holds("potassium older than 24 h", lab("potassium", 4.0, 0), lab("sodium", 140.0, 24.1)) is True


def test_a_result_is_too_old_a_moment_after_its_span() -> None:
    asked = ask("potassium unknown within 72 h", lab("potassium", 4.0, 0))
    assert (asked.holds, asked.until) == (False, at(72) + timedelta(microseconds=1))
    assert ask("potassium unknown within 72 h", lab("potassium", 4.0, 0), lab("sodium", 140.0, 73)).until is None
    assert ask("potassium unknown", lab("potassium", 4.0, 0)).until is None


def test_together_changes_no_more_once_it_is_so() -> None:
    orders: dict[str, Any] = {"objects": ("a", "b")}
    just = ask("together >= 30 d", order("a", 0), order("b", 24), lab("potassium", 4.0, 31 * 24), **orders)
    assert (just.holds, just.until, just.found) == (True, None, "for 30 days")
    before = ask("together >= 30 d", order("a", 0), order("b", 24), lab("potassium", 4.0, 31 * 24 - 0.1), **orders)
    assert (before.holds, before.until) == (False, at(31 * 24))
    assert ask("together >= 30 d", order("a", 0), lab("potassium", 4.0, 12), objects=("a",)).found == "for 0.5 days"
    ahead = ask("together >= 30 d", order("a", 0, start=at(48)), objects=("a",))
    assert (ahead.holds, ahead.found) == (False, "for 0 days")


def test_earliest_is_the_first_of_those_known() -> None:
    assert earliest((None, at(2), at(1), None)) == at(1)
    assert earliest((None,)) is None


# --- the person


@pytest.mark.parametrize(("days", "yes"), [(27, True), (28, False), (40, False)])
def test_age_in_days(days: int, yes: bool) -> None:
    born = patient(birth_date=(at(0) - timedelta(days=days)).date())
    assert holds("age < 28 days", born) is yes
    assert holds("age < 1 years", born) is True


@pytest.mark.parametrize(
    ("text", "born", "until"),
    [
        ("age >= 65 years", date(1961, 11, 3), datetime(2026, 11, 3, tzinfo=UTC)),
        ("age < 18 years", date(2010, 5, 1), datetime(2028, 5, 1, tzinfo=UTC)),
        ("age > 65 years", date(1961, 11, 2), datetime(2027, 11, 2, tzinfo=UTC)),  # 65 until 66
        ("age <= 65 years", date(1961, 11, 2), datetime(2027, 11, 2, tzinfo=UTC)),
        ("age < 28 days", date(2026, 11, 1), datetime(2026, 11, 29, tzinfo=UTC)),
        ("age >= 19 years", date(2008, 2, 29), datetime(2027, 3, 1, tzinfo=UTC)),  # no 29th in that year
        ("age >= 20 years", date(2008, 2, 29), datetime(2028, 2, 29, tzinfo=UTC)),
        ("age >= 65 years", date(1961, 11, 2), None),  # since today
        ("age >= 65 years", date(1950, 1, 1), None),
        ("age >= 65 years", date(9990, 1, 1), None),  # past the end of the calendar
        ("age < 28 days", date(9999, 12, 20), None),
    ],
)
def test_an_age_changes_its_answer_at_a_birthday(text: str, born: date, until: datetime | None) -> None:
    assert ask(text, patient(-8, birth_date=born)).until == until  # midnight of 2026-11-02


@pytest.mark.parametrize(("hours", "yes"), [(24, True), (24.1, None)])
def test_a_measurement_says_nothing_a_moment_after_its_span(hours: float, yes: bool | None) -> None:
    slow = Observation(
        patient_id="p", source="ward", record_id="h", occurred_at=at(0), kind="heart_rate", value=45, unit="/min"
    )
    state = after(slow, lab("potassium", 4.0, hours))
    (asked,) = answers(
        parsed(["measured heart_rate < 50 /min within 24 h"], NAMES._replace(measures={"heart_rate"})),
        Situation(state=state, knowledge=KNOWN),
    )
    assert asked.holds is yes
    assert asked.until == (at(24) + timedelta(microseconds=1) if yes else None)


def test_each_kidney_estimate_is_its_own() -> None:
    """A woman of 80 with 40 kg and 1.0: Cockcroft-Gault (140 - 80) x 40 x 0.85 / 72 = 28; CKD-EPI 2021 is about 57."""
    old = patient(-1, birth_date=at(0).date().replace(year=1946, month=1), sex="female")
    weight = Observation(
        patient_id="p", source="ward", record_id="w", occurred_at=at(0), kind="weight", value=40, unit="kg"
    )
    height = Observation(
        patient_id="p", source="ward", record_id="h", occurred_at=at(0), kind="height", value=150, unit="cm"
    )
    creatinine = [lab("creatinine", 1.0, hours, canonical_unit="mg/dL", unit="mg/dL") for hours in (-30, -10, 0)]
    assert holds("crcl < 30", old, weight, height, *creatinine) is True
    assert holds("egfr < 30", old, weight, height, *creatinine) is False
    assert holds("egfr < 60", old, weight, height, *creatinine) is True


def test_a_diagnosis_without_words_is_shown_by_its_code() -> None:
    bare = Condition(codings=(Coding("ICD-10-CM", "K27"),))
    assert ask("history peptic-ulcer", patient(conditions=(bare,))).found == "K27"


@pytest.mark.parametrize(("trait", "kind"), [("dialysis", "dialysis"), ("ventilated", "ventilation")])
def test_what_ends_now_is_over(trait: str, kind: Any) -> None:
    def now(**more: Any) -> bool | None:
        return holds(trait, patient(procedures=(Procedure(kind=kind, start=at(-5), **more),)))

    assert [now(end=at(0)), now(end=at(0.1)), now()] == [False, True, True]
    other: Any = {"dialysis": "ventilation", "ventilation": "dialysis"}[kind]
    assert holds(trait, patient(procedures=(Procedure(kind=other, start=at(-5)),))) is False


def test_neutrophils_that_are_low_by_birth() -> None:
    assert holds("benign_ethnic_neutropenia", patient()) is None
    assert holds("benign_ethnic_neutropenia", patient(traits=Traits(benign_ethnic_neutropenia=True))) is True
    assert holds("benign_ethnic_neutropenia", patient(traits=Traits(benign_ethnic_neutropenia=False))) is False


# --- medicines


def test_what_acts_beside_is_a_fact_and_what_does_not_is_none() -> None:
    both: tuple[AnyEvent, ...] = (order("warfarin", 0), order("ibuprofen", 1))
    beside = ask("with nsaid", *both, objects=("warfarin",))
    assert ([fact.record_id for fact in beside.facts], beside.found) == (["ibuprofen"], "ibuprofen")
    assert ask("without nsaid", *both, objects=("warfarin",)).facts == ()


def test_part_of_a_dose_is_enough_where_it_is_more_alone() -> None:
    two = (order("simvastatin", id="a", dosage=daily(0.5)), order("simvastatin", id="b"))
    asked: dict[str, Any] = {"objects": ("a", "b"), "ingredient": "simvastatin"}
    assert holds("dose > 0.1 mg/day", *two, **asked) is True
    assert holds("dose > 0.5 mg/day", *two, **asked) is None
    assert holds("dose >= 0.5 mg/day", *two, **asked) is True


def test_of_single_doses_the_largest_is_said_and_compared() -> None:
    asked: dict[str, Any] = {"objects": ("m1", "m2", "m3"), "ingredient": "methotrexate"}
    two = (dosed(400, id="m1"), dosed(600, id="m2"))
    assert ask("single dose > 500 mg", *two, **asked).found == "600 mg"
    unsure = ask("single dose > 500 mg", *two, dosed(None, id="m3"), **asked)
    assert (unsure.holds, unsure.found) == (True, "600 mg")


def test_until_the_first_of_those_beside_ends() -> None:
    two = (order("ibuprofen", 0, end=at(5)), order("diclofenac", 0, end=at(9)))
    assert ask("with nsaid", order("warfarin", 0), *two, objects=("warfarin",)).until == at(5)


def by_name(text: str, *events: AnyEvent, objects: tuple[str, ...] = (), began: datetime | None = None) -> Answer:
    """With names of ingredients and ways."""
    names = NAMES._replace(ingredients={"ibuprofen"})
    state = after(*events)
    own = [each for each in state.orders.values() if each.record_id in objects]
    (answer,) = answers(
        parsed([text], names), Situation(state=state, knowledge=KNOWN, orders=own, objects=own, began=began)
    )
    return answer


def test_a_medicine_by_its_name() -> None:
    both: tuple[AnyEvent, ...] = (order("warfarin", 0), order("ibuprofen", 1))
    beside = by_name("with ingredient ibuprofen", *both, objects=("warfarin",))
    assert (beside.holds, [fact.record_id for fact in beside.facts]) == (True, ["ibuprofen"])
    without = by_name("without ingredient ibuprofen", *both, objects=("warfarin",))
    assert (without.holds, without.facts) == (False, ())
    assert by_name("without ingredient ibuprofen", both[0], objects=("warfarin",)).holds is True


def test_also_is_another_medicine_that_gets_in_so_now() -> None:
    own, other = order("methotrexate", 0, route="it"), order("cytarabine", 0, route="it")
    assert by_name("also way intrathecal", own, objects=("methotrexate",)).holds is False
    assert by_name("also way intrathecal", own, other, objects=("methotrexate",)).holds is True
    assert by_name("also way oral", own, other, objects=("methotrexate",)).holds is False
    later = order("cytarabine", 0, route="it", start=at(5))
    assert by_name("also way intrathecal", own, later, objects=("methotrexate",)).holds is False


def test_how_long_a_medicine_has_acted() -> None:
    def acting(hours: float, began: float | None) -> tuple[bool | None, str, datetime | None]:
        since = None if began is None else at(began)
        found = by_name("acting >= 3 d", order("a", 0), lab("potassium", 4.0, hours), objects=("a",), began=since)
        return found.holds, found.found, found.until

    assert acting(72, 0) == (True, "for 3 days", None)
    assert acting(36, 0) == (False, "for 1.5 days", at(72))
    assert acting(12, 0) == (False, "for 0.5 days", at(72))
    assert acting(12, 36) == (False, "for 0 days", at(108))
    assert acting(12, None) == (None, "not known since when", None)


# --- how often it is asked


def test_what_is_of_the_patient_is_asked_once_and_what_is_of_orders_each_time() -> None:
    state = after(
        lab("potassium", 6.0), order("simvastatin", id="a", dosage=daily(5)), order("simvastatin", id="b", dosage=daily(50))
    )  # fmt: skip
    potassium, dose = parsed(["potassium >= 5.5", "dose > 10 mg/day"], NAMES)
    assert of_the_patient((potassium, dose, potassium)) == (potassium,)

    def of(record: str) -> tuple[Answer, ...]:
        objects = [each for each in state.orders.values() if each.record_id == record]
        return answers(
            (potassium, dose),
            Situation(state=state, knowledge=KNOWN, orders=objects, objects=objects, ingredient="simvastatin"),
        )

    first, second = of("a"), of("b")
    assert first[0] is second[0]
    assert [first[1].holds, second[1].holds] == [False, True]
    assert [(each.answer, each.found) for each in said(second)] == [
        ("yes", "6 mmol/L at 2026-11-02 08:00 UTC"), ("yes", "50 mg/day"),
    ]  # fmt: skip


# --- what is read, together


def test_reading_is_of_everything_that_one_reads() -> None:
    one, other = Reads(ingredients=("a",), doses=False), Reads(ingredients=("b",), doses=False)
    assert reads_of(one, other).ingredients == {"a", "b"}
    assert reads_of(one, Reads(ingredients=None)).ingredients is None
    assert reads_of(one, Reads(person=True)).person is True
    assert reads_of(Reads(person=("age",)), Reads(person=("weight",))).person == {"age", "weight"}
    wider = reads_of(
        Reads(analytes={"potassium": Need(newest=3)}),
        Reads(analytes={"potassium": Need(newest=1, within=timedelta(days=2))}),
    )
    assert wider.analytes["potassium"] == Need(newest=3, within=timedelta(days=2))
