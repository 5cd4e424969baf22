"""What is kept between two states of a patient is what would be made anew of the later one."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.conditions import Condition
from knowledge.loader import load
from schemas.events import Observation, Prescription
from services.monitor.patient.apply import apply
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Situation, answer_apart, answers
from services.monitor.rules.view import View, view_of
from tests.support.clinical import at, lab, order

KNOWLEDGE = load()
MEDICINES = ("heparin", "warfarin", "aspirin", "ibuprofen", "amiodarone")
PROPERTIES = ("anticoagulant", "antiplatelet", "nsaid")


def _some_order(of: random.Random, hours: float) -> Prescription:
    number, more = of.randrange(6), dict[str, Any]()
    if of.random() < 0.6:
        more["end"] = at(hours + of.choice((1, 2, 5, 50)))
    status = of.choice(("ordered", "ordered", "changed", "discontinued", "held", "entered_in_error"))
    route = of.choice(("oral", "topical"))
    return order(
        of.choice(MEDICINES), hours, id=f"o{number}", route=route, version=int(hours) + 1, status=status, **more
    )


def _acting(view: View) -> object:
    return (
        [each.record_id for each in view.acting],
        {name: [each.record_id for each in of] for name, of in view.by_ingredient.items()},
        {name: [each.record_id for each in of] for name, of in view.systemic.items()},
        {name: [each.record_id for each in view.having(name)] for name in PROPERTIES},
        view.made_of_acting("warfarin", lambda: [o.record_id for o in view.systemic.get("warfarin", ())], {"warfarin"}),
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_acts_follows_from_what_acted_before(seed: int) -> None:
    """Under the id of another patient nothing is kept, so that view is made from the state alone."""
    of, state = random.Random(seed), None
    states: list[PatientState] = []
    for hours in range(25):
        state = apply(state, _some_order(of, hours), KNOWLEDGE)
        states.append(replace(state, clock=state.clock + of.choice((0, 0, 1)) * (at(2) - at(0))))
        states.append(state)
    followed = [_acting(view_of(each, KNOWLEDGE)) for each in states]
    for each, found in zip(states, followed, strict=True):
        alone = replace(each, patient_id=f"{seed} {id(each)}")
        assert _acting(view_of(alone, KNOWLEDGE)) == found


CONDITIONS = (
    Condition(text="potassium > 5", kind="result", name="potassium", op=">", value=5, within=at(6) - at(0)),
    Condition(text="no potassium in 4 h", kind="no_result", name="potassium", within=at(4) - at(0)),
    Condition(text="weight < 60", kind="weight", name="weight", op="<", value=60, unit="kg"),
)


def test_a_kept_answer_is_what_would_be_answered_now() -> None:
    """Forward and back in time, with a result and a weight that come between, one weight dated ahead."""
    weight = {"patient_id": "p", "source": "ward", "kind": "weight", "unit": "kg"}
    one = apply(None, lab("potassium", 5.5, 0, id="k1"), KNOWLEDGE)
    two = apply(one, Observation(**weight, record_id="w1", occurred_at=at(1), value=50), KNOWLEDGE)
    three = apply(two, Observation(**weight, record_id="w2", occurred_at=at(9), value=90), KNOWLEDGE)
    four = apply(three, lab("potassium", 4.0, 10, id="k2"), KNOWLEDGE)
    for state, hours in (
        (one, 0),
        (one, 3),
        (two, 3),
        (two, 5),
        (three, 5),
        (three, 9),
        (four, 10),
        (three, 3),
        (four, 15),
    ):
        of = Situation(state=replace(state, clock=at(hours)), knowledge=KNOWLEDGE)
        kept, fresh = answers(CONDITIONS, of), tuple(answer_apart(each, of) for each in CONDITIONS)
        assert kept == fresh, hours
    assert [
        each.holds for each in answers(CONDITIONS, Situation(state=replace(three, clock=at(5)), knowledge=KNOWLEDGE))
    ] == [True, True, True]
    assert [each.holds for each in answers(CONDITIONS, Situation(state=four, knowledge=KNOWLEDGE))] == [
        False,
        False,
        False,
    ]
