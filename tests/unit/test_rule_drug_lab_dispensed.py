"""A supply that is handed out while a laboratory value forbids it: the rules of medicine and value see it as they see an order.
Metformin below an eGFR of 30 is contraindicated (FDA 2016), eplerenone above a potassium of 5.5 (its label)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import permutations

import pytest

from schemas.events import AnyEvent
from services.monitor.rules.drug_lab import DrugLab
from tests.support.alone import alone, play, result
from tests.support.clinical import at, order, patient
from tests.support.supplies import handed, ordered, tick

BORN = patient(-100, birth_date=date(1950, 1, 1), sex="female")


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(DrugLab()):
        yield


def found(*events: AnyEvent) -> dict[str, str]:
    return {each.subject: each.severity for each in play(*events)[0].open_alerts.values()}


def creatinine(value: float, hours: float = -1) -> AnyEvent:
    return result("creatinine", value, hours, "mg/dL")


def potassium(value: float, hours: float = -1) -> AnyEvent:
    return result("potassium", value, hours, "mmol/L")


def test_metformin_handed_out_without_an_order_that_is_known() -> None:
    # 76 years, female, by CKD-EPI 2021: 2.0 mg/dL is 25, 1.0 mg/dL is 58 mL/min/1.73 m2
    assert found(BORN, creatinine(2.0), handed("metformin", 0)) == {"metformin:kidney": "high"}
    assert found(BORN, creatinine(1.0), handed("metformin", 0)) == {}


def test_eplerenone_handed_out_beside_the_value_whichever_comes_first() -> None:
    for story in permutations([potassium(5.6), handed("eplerenone", 0), tick(1)]):
        assert found(*story) == {"potassium:high": "high"}
    assert found(potassium(4.5), handed("eplerenone", 0)) == {}


def test_after_its_order_ran_out_the_supply_alone_is_enough() -> None:
    over = ordered("eplerenone", -48, end=at(-24))
    assert found(over, potassium(5.6), tick(0)) == {}
    assert found(over, potassium(5.6), handed("eplerenone", 0, order_id="eplerenone")) == {"potassium:high": "high"}


def test_one_of_a_stopped_order_is_for_the_rule_of_stops() -> None:
    story = (ordered("eplerenone", -48), order("eplerenone", -24, version=2, status="discontinued"), potassium(5.6))
    assert found(*story, handed("eplerenone", 0, order_id="eplerenone")) == {}


@pytest.mark.parametrize("status", ["returned", "cancelled", "entered_in_error"])
def test_what_was_taken_back_ends_it(status: str) -> None:
    back = handed("eplerenone", 0, version=2, status=status, occurred_at=at(1))
    assert found(potassium(5.6), handed("eplerenone", 0), back) == {}
