"""Mechanisms in a patient: what keeps a line open is no treatment."""

from __future__ import annotations

import pytest

from services.monitor import evaluate
from services.monitor.rules.interaction_mechanism import InteractionMechanism
from tests.support.clinical import order
from tests.support.doses import drug, found, rx

KETOROLAC = rx("ketorolac", "30 mg", 4, route="intravenous")


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (InteractionMechanism(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def heparin(text: str, route: str) -> str | None:
    ordered = rx("heparin", route=route, drug=drug("heparin", text=text), id=text)
    return found(ordered, KETOROLAC).get("heparin-nsaid:heparin")


def test_a_flush_is_no_anticoagulation_and_what_treats_is_graver() -> None:
    assert heparin("Heparin lock flush 100 units/mL", "intravenous") is None
    assert heparin("Heparin 5,000 units/mL", "subcutaneous") == "moderate"
    assert heparin("Heparin 25,000 units in 250 mL", "intravenous") == "high"


def test_a_flush_beside_a_treatment_takes_nothing_from_it() -> None:
    flush = rx("heparin", route="intravenous", drug=drug("heparin", text="Heparin flush 10 units/mL"), id="flush")
    under_the_skin = rx("heparin", route="subcutaneous", drug=drug("heparin", text="Heparin 5,000 units"), id="units")
    for story in ((flush, under_the_skin, KETOROLAC), (KETOROLAC, under_the_skin, flush)):
        assert found(*story)["heparin-nsaid:heparin"] == "moderate"
    assert found(flush, KETOROLAC, order("omeprazole")) == {}


def test_a_stomach_that_is_protected_leaves_it_for_the_work_list() -> None:
    drip = rx("heparin", route="intravenous", drug=drug("heparin", text="Heparin 25,000 units in 250 mL"), id="drip")
    assert found(drip, KETOROLAC, order("omeprazole"))["heparin-nsaid:heparin"] == "moderate"
