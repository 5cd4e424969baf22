"""What is known of the person: the newest version stands, what was taken back does not come back, "no" is not "unknown"."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

from schemas.events import (
    Allergy,
    AllergyRecord,
    AnyEvent,
    Condition,
    ConditionRecord,
    Drug,
    EncounterRecord,
    Observation,
    Pregnancy,
    Stay,
)
from schemas.values import Coding
from services.monitor.evaluate import take_event
from services.monitor.patient.bounds import MAX_MEASURES
from services.monitor.patient.state import PatientState
from tests.support.clinical import KNOWLEDGE, at, patient


def play(*events: AnyEvent) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWLEDGE, at(0))
    assert state is not None
    return state


def ends(*events: AnyEvent) -> PatientState:
    """The state, which is the same in every order of arrival."""
    found = [play(*each) for each in permutations(events)]
    assert all(each == found[0] for each in found)
    return found[0]


def fields(hours: float, id_: str) -> dict[str, Any]:
    return {"patient_id": "p", "source": "clinic", "record_id": id_, "occurred_at": at(hours)}


def diagnosis(code: str, **more: Any) -> Condition:
    return Condition(codings=(Coding("ICD-10", code),), **more)


def problem(code: str, hours: float = 0, *, status: Any = "recorded", version: int = 1, **more: Any) -> ConditionRecord:
    return ConditionRecord(condition=diagnosis(code, **more), status=status, version=version, **fields(hours, code))


def allergy(name: str, hours: float = 0, *, status: Any = "recorded", version: int = 1, **more: Any) -> AllergyRecord:
    substance = Allergy(substance=Drug(text=name), **more)
    return AllergyRecord(allergy=substance, status=status, version=version, **fields(hours, name))


def weight(value: float, hours: float, id_: str = "w", **more: Any) -> Observation:
    return Observation(kind="weight", value=value, unit="kg", **fields(hours, id_), **more)


def codes(state: PatientState) -> list[str]:
    return sorted(condition.codings[0].code for condition in state.conditions)


def test_a_list_replaces_that_of_its_source_and_records_add_to_it() -> None:
    first = patient(0, conditions=(diagnosis("I10"), diagnosis("E11.9")))
    second = patient(1, conditions=(diagnosis("I10"),))
    assert codes(ends(first, second, problem("N18.4"))) == ["I10", "N18.4"]
    other = patient(0.5, conditions=(diagnosis("J45"),), source="elsewhere")
    assert codes(ends(first, second, other)) == ["I10", "J45"]


def test_what_was_refuted_or_entered_in_error_is_not_revived_by_an_older_version() -> None:
    for wrong in (
        problem("I10", 2, version=2, status="entered_in_error"),
        ConditionRecord(condition=diagnosis("I10", status="refuted"), version=2, **fields(2, "I10")),
    ):
        assert codes(ends(problem("I10"), wrong)) == []
    refuted = allergy("penicillin", 2, version=2, verification="refuted")
    assert ends(allergy("penicillin"), refuted).allergies is None


def test_no_allergies_are_not_allergies_that_nobody_asked_for() -> None:
    assert play(patient(0)).allergies is None
    assert play(patient(0, allergies=None)).allergies is None
    assert play(patient(0, allergies=())).allergies == []
    state = ends(patient(0, allergies=()), allergy("penicillin", 1))
    assert [each.substance.text for each in state.allergies or ()] == ["penicillin"]


def test_the_newest_weight_is_that_of_its_time_with_its_method() -> None:
    state = ends(weight(70, 0, "a", method="stated"), weight(80, 5, "b"), weight(85, 6, "c", status="entered_in_error"))
    newest, earlier = state.measure("weight"), state.measure("weight", at(4))
    assert newest is not None and earlier is not None
    assert (newest.what.value, newest.at) == (80, at(5))
    assert (earlier.what.value, earlier.what.method) == (70, "stated")
    assert state.measure("height") is None


def test_measurements_are_bounded_and_void_ones_push_out_none() -> None:
    wrong = [weight(1, 10 + n, f"x{n}", status="cancelled") for n in range(3 * MAX_MEASURES)]
    state = play(weight(70, 0, "a"), *wrong)
    assert len(state.measures) == MAX_MEASURES + 1
    newest = state.measure("weight")
    assert newest is not None
    assert newest.what.value == 70


def test_plain_facts_stand_as_the_newest_that_says_them() -> None:
    state = ends(
        patient(0, pregnancy=Pregnancy(pregnant=True, due_date=date(2027, 1, 1)), lactating=False, sex="female"),
        patient(1, pregnancy=Pregnancy(pregnant=False)),
        patient(2, lactating=True),
    )
    assert state.pregnancy == Pregnancy(pregnant=False)
    assert (state.lactating, state.sex) == (True, "female")


def stay(unit: str, hours: float, id_: str, status: Any = "in_progress", **more: Any) -> EncounterRecord:
    return EncounterRecord(stay=Stay(unit=unit, **more), status=status, **fields(hours, id_))


def test_the_unit_is_that_of_the_stay_that_goes_on() -> None:
    ward, ended = stay("W2", 0, "e1"), stay("ED", 1, "e2", "finished", discharged_at=at(2))
    assert ends(ward, ended).unit == "W2"
    assert ends(ward, stay("ICU", 3, "e3", "planned")).unit == "W2"
    assert ends(ward, stay("ICU", 3, "e3")).unit == "ICU"
    assert ends(ward, patient(4, stay=Stay(unit="W5", facility="north"))).facility == "north"
