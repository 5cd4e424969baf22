"""An event costs what it touches: which rules are asked, and what is kept between two events of a patient."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.loader import load
from schemas.events import Administration, Coding, Condition, ConditionRecord, Drug, Ingredient, Observation
from services.monitor.patient.apply import apply
from services.monitor.patient.change import between
from services.monitor.patient.state import PatientState
from services.monitor.rules.drug_interaction import DrugInteraction
from services.monitor.rules.index import Index
from services.monitor.rules.rule import Reads
from services.monitor.rules.view import view_of
from tests.support.clinical import KNOWLEDGE, at, order

FIELDS: dict[str, Any] = {"patient_id": "p", "source": "ward"}


class _Reading(DrugInteraction):
    """A rule by what it says that it reads."""

    def __init__(self, name: str, reads: Reads) -> None:
        self.id, self._reads = name, reads  # type: ignore[misc]

    def reads(self, knowledge: Any) -> Reads:
        return self._reads


def touched(rules: Collection[_Reading], before: PatientState | None, event: Any) -> list[str]:
    after = apply(before, event, KNOWLEDGE)
    return [rule.id for rule in Index(tuple(rules), KNOWLEDGE).touched(between(before, after))]


def dose(name: str, hours: float = 1) -> Administration:
    drug = Drug(text=name, ingredients=(Ingredient(name),), resolution="name")
    return Administration(**FIELDS, record_id=f"dose-{name}", occurred_at=at(hours), status="given", drug=drug)


RULES = (
    _Reading("doses too", Reads(ingredients=("heparin",))),
    _Reading("orders", Reads(ingredients=("heparin",), doses=False)),
    _Reading("all medicines", Reads(ingredients=None)),
    _Reading("all orders", Reads(ingredients=None, doses=False)),
)


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (dose("heparin"), ["doses too", "all medicines"]),
        (dose("aspirin"), ["all medicines"]),
        (order("heparin"), ["doses too", "orders", "all medicines", "all orders"]),
        (order("aspirin"), ["all medicines", "all orders"]),
    ],
)
def test_a_dose_asks_only_those_that_read_doses(event: Any, asked: list[str]) -> None:
    assert touched(RULES, None, event) == asked


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (
            Observation(**FIELDS, record_id="w", occurred_at=at(0), kind="weight", value=80, unit="kg"),
            ["weight", "all"],
        ),
        (Observation(**FIELDS, record_id="h", occurred_at=at(0), kind="heart_rate", value=80), ["all"]),
        (
            ConditionRecord(
                **FIELDS, record_id="c", occurred_at=at(0), condition=Condition(codings=(Coding("ICD-10", "I10"),))
            ),
            ["history", "all"],
        ),
        (order("aspirin"), []),
    ],
)
def test_of_the_person_only_what_is_read_asks(event: Any, asked: list[str]) -> None:
    rules = (
        _Reading("weight", Reads(person={"weight"})),
        _Reading("history", Reads(person={"history"})),
        _Reading("all", Reads(person=True)),
    )
    assert touched(rules, None, event) == asked


def test_what_acts_is_kept_until_an_order_changes_or_ends() -> None:
    state = apply(None, order("heparin", 0, end=at(10)), KNOWLEDGE)
    first = view_of(state, KNOWLEDGE)
    assert first.by_ingredient.keys() == {"heparin"}
    later = replace(state, clock=at(9))
    assert view_of(later, KNOWLEDGE).by_ingredient is first.by_ingredient
    ended = replace(state, clock=at(10))
    assert view_of(ended, KNOWLEDGE).by_ingredient == {}
    assert view_of(replace(state, clock=at(9)), KNOWLEDGE).by_ingredient.keys() == {"heparin"}, "a look back"
    more = apply(state, order("aspirin", 1), KNOWLEDGE)
    assert view_of(more, KNOWLEDGE).by_ingredient.keys() == {"heparin", "aspirin"}


def test_what_is_kept_of_one_patient_or_knowledge_is_not_taken_for_another() -> None:
    mine = apply(None, order("heparin"), KNOWLEDGE)
    other = apply(None, order("aspirin", patient_id="q"), KNOWLEDGE)
    assert view_of(mine, KNOWLEDGE).by_ingredient.keys() == {"heparin"}
    assert view_of(other, KNOWLEDGE).by_ingredient.keys() == {"aspirin"}
    known = load()
    assert not view_of(mine, KNOWLEDGE).having("anticoagulant")
    assert view_of(mine, known).having("anticoagulant")
    assert not view_of(mine, KNOWLEDGE).having("anticoagulant")


def test_the_diagnoses_are_read_again_when_they_change() -> None:
    known = load()

    def with_code(state: PatientState | None, code: str) -> PatientState:
        condition = Condition(codings=(Coding("ICD-10", code),))
        event = ConditionRecord(**FIELDS, record_id=code, occurred_at=at(0), condition=condition)
        return apply(state, event, known)

    one = with_code(None, "I10")
    assert view_of(one, known).groups.keys() == {"hypertension"}
    two = with_code(one, "I48.91")
    assert view_of(two, known).groups.keys() == {"hypertension", "atrial-fibrillation"}
    assert view_of(one, known).groups.keys() == {"hypertension"}
