"""Doses beyond the label at the very number, and what goes with the finding. Paracetamol: 4 g in 24 hours, by vein 1 g at once;
ten times too much is most often a slip."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import AnyEvent
from schemas.values import Origin
from services.monitor import evaluate
from services.monitor.patient.change import Change
from services.monitor.rules.dose_range import DoseRange
from services.monitor.rules.rule import Finding
from tests.support.clinical import at
from tests.support.doses import KNOWLEDGE, drug, given, open_after, play, rx, weighs
from tests.unit.test_rule_dose_range import YEAR, born

SLIP = "slip of the decimal point or of the unit"


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (DoseRange(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def findings(ingredient: str, *events: AnyEvent) -> dict[str, Finding]:
    found = DoseRange().findings(play(*events)[0], KNOWLEDGE, ingredient)
    return {each.subject: each for each in found}


@pytest.mark.parametrize(("dose", "slip"), [("9.999 g", False), ("10 g", True), ("11 g", True)])
def test_ten_times_too_much_is_a_slip(dose: str, slip: bool) -> None:
    alert = findings("acetaminophen", rx("acetaminophen", dose, 4))["acetaminophen"]
    assert (SLIP in alert.detail) is slip


def test_a_medicine_that_is_not_for_the_patient_is_no_slip_of_a_dose() -> None:
    alert = findings("codeine", born(8 * YEAR), rx("codeine", "15 mg", 4))["codeine:contraindicated"]
    assert (SLIP in alert.detail, alert.problem) == (False, "codeine:contraindicated")


def test_a_dose_and_a_patient_that_it_is_not_for_are_two() -> None:
    found = findings("codeine", born(8 * YEAR), rx("codeine", "600 mg", 4))
    assert set(found) == {"codeine", "codeine:contraindicated"}
    assert [found[each].problem for each in ("codeine", "codeine:contraindicated")] == [
        "codeine:dose", "codeine:contraindicated",
    ]  # fmt: skip


def test_what_is_as_grave_is_told_beside_it() -> None:
    """By vein 1 g at once and 4 g in a day: 1.5 g six times is 1.5 and 2.25 times as much; both are high below 2 and 3."""
    both = findings("acetaminophen", rx("acetaminophen", "1.5 g", 5, route="intravenous"))["acetaminophen"]
    assert "Also: " in both.detail
    assert len(both.rows) == 2
    one = findings("acetaminophen", rx("acetaminophen", "1.5 g", 4))["acetaminophen"]
    assert "Also: " not in one.detail
    # one is critical, the other high
    unlike = findings("acetaminophen", rx("acetaminophen", "2 g", 4, route="intravenous"))["acetaminophen"]
    assert (unlike.severity, "Also: " in unlike.detail, len(unlike.rows)) == ("critical", False, 1)


def test_since_the_last_of_those_that_are_too_much_together() -> None:
    orders = (rx("acetaminophen", "1 g", 3, 0, id="a"), rx("acetaminophen", "1 g", 2, 5, id="b"))
    alert = findings("acetaminophen", *orders)["acetaminophen"]
    assert alert.since == at(5)
    assert [fact.record_id for fact in alert.implicated] == ["a", "b"]


def test_the_weight_is_said_where_it_counts() -> None:
    child = findings("acetaminophen", born(4 * YEAR), weighs(15), rx("acetaminophen", "300 mg", 4))["acetaminophen"]
    assert "Weight 15 kg." in child.detail
    adult = findings("acetaminophen", born(40 * YEAR), weighs(80), rx("acetaminophen", "1.5 g", 4))["acetaminophen"]
    assert "Weight" not in adult.detail


def test_the_records_of_the_orders_go_with_it() -> None:
    origin = Origin("rx", 2, 9, 0)
    found = findings("acetaminophen", rx("acetaminophen", "1.5 g", 4, origin=origin))["acetaminophen"]
    assert found.origins == (origin,)
    assert findings("acetaminophen", rx("acetaminophen", "1.5 g", 4))["acetaminophen"].origins == ()


def test_what_changes_a_limit_is_looked_at() -> None:
    """The weight where a limit is for each kilogram, the diagnosis where one makes another dose right."""
    rule = DoseRange()
    state, _ = play(rx("acetaminophen", "300 mg", 4), rx("alendronate", "40 mg", 1), rx("simvastatin", "80 mg", 1))

    def touched(**more: Any) -> set[str]:
        change = Change(**({"analytes": frozenset(), "medicines": False, "person": frozenset()} | more))
        return set(rule.parts(change, state, KNOWLEDGE))

    assert "acetaminophen" in touched(person=frozenset({"weight"}))
    assert "simvastatin" not in touched(person=frozenset({"weight"}))
    assert touched() == set()


def test_a_dose_given_is_a_finding_of_its_own() -> None:
    alerts = open_after(given("acetaminophen", "8.1 g", 1, drug=drug("acetaminophen")))
    assert set(alerts) == {"acetaminophen:given"}
