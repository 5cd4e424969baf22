"""Amounts, rates and rows of doses at their edges. What is expected is worked out beside each."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.conditions import parsed
from knowledge.dose import NO_SALT, amount
from knowledge.loader import load
from schemas.events import Administration, Condition, Dosage, Drug, Ingredient
from schemas.values import SEVERITIES, Coding, Quantity, Severity
from services.monitor.patient.change import Change
from services.monitor.patient.order import Order
from services.monitor.patient.standing import Standing
from services.monitor.rules import dosed
from services.monitor.rules.dosed import (
    Parts,
    a_day,
    amount_in,
    an_hour,
    at_most,
    graver,
    gravest,
    kept_of,
    milder,
    of_salt,
    once,
    scheduled_a_day,
)
from services.monitor.rules.rule import Reads
from tests.support.clinical import Story, at, lab, order
from tests.unit.test_rule_conditions import KNOWN, NAMES, after

SYRUP = Quantity(160, "mg/5 mL")
EVERYTHING = load()


def ordered(name: str = "acetaminophen", **more: Any) -> Order:
    (only,) = after(order(name, id="o", **more)).orders.values()
    return only


# --- severities


def test_a_step_graver_or_milder_stays_within_the_four() -> None:
    names: tuple[Severity, ...] = ("critical", "high", "moderate", "info")
    assert names == SEVERITIES
    assert [graver(each) for each in names] == ["critical", "critical", "high", "moderate"]
    assert [milder(each) for each in names] == ["high", "moderate", "info", "info"]
    assert at_most("critical", "moderate") == at_most("moderate", "critical") == "moderate"
    assert gravest(("info", "high", "moderate")) == "high"


# --- how much is in it


@pytest.mark.parametrize(
    ("unit", "quantity", "strength", "alone", "expected"),
    [
        ("mg", Quantity(2, "g"), None, True, 2000),
        ("mg", Quantity(2, "GM"), None, True, 2000),
        ("mg", Quantity(500, "mg", 1000), None, True, 1000),  # the most of a range
        ("mg", Quantity(1000, "mg", 500), None, True, 1000),
        ("mg", Quantity(500, "mg"), None, False, None),  # of several ingredients it says nothing of one
        ("mg", Quantity(2, "tablets"), Quantity(500, "mg"), False, 1000),
        ("mg", Quantity(10, "mL"), SYRUP, True, 320),
        ("mg", Quantity(10, "mL"), Quantity(160, "mg/mL"), True, 1600),
        ("mg", Quantity(10, "mL"), Quantity(160, "mg/0.5 mL"), True, 3200),
        ("mg", Quantity(10, "mL"), Quantity(160, "mg/0 mL"), True, None),
        ("mg", Quantity(10, "mL"), Quantity(160, "mg"), True, None),
        ("mg", Quantity(10, "mL"), None, True, None),
        ("units", Quantity(10, "units"), None, True, 10),
        ("units", Quantity(10, "IU"), None, True, 10),
        ("units", Quantity(10, "units"), None, False, None),
        ("units", Quantity(10, "mg"), None, True, None),
        ("units", Quantity(10, "mEq"), None, True, None),
        ("mEq", Quantity(20, "mEq"), None, True, 20),
        ("mEq", Quantity(2, "tabs"), Quantity(20, "mEq"), True, 40),
        ("mEq", Quantity(2, "packets"), Quantity(20, "mEq"), True, 40),
        ("mEq", Quantity(2, "tabs"), Quantity(20, "units"), True, None),
        ("mEq", Quantity(2, "puffs"), Quantity(20, "mEq"), True, None),
        ("mEq", Quantity(2, "tabs"), None, True, None),
        ("units", Quantity(3, "mL"), Quantity(100, "units/mL"), True, 300),
        ("mg", Quantity(0, "mg"), None, True, None),  # nothing is no dose
        ("mg", Quantity(0.5, "mg"), None, True, 0.5),
        ("mg", Quantity(1.23456749, "mg"), None, True, 1.234567),  # to a nanogram: the rest is arithmetic
    ],
)
def test_the_most_in_a_quantity(
    unit: str, quantity: Quantity, strength: Quantity | None, alone: bool, expected: float | None
) -> None:
    assert amount_in(unit, quantity, strength, alone=alone) == expected
    assert amount_in(unit, None, strength, alone=alone) is None


def test_once_and_a_day() -> None:
    four = ordered(dosage=_dosage(500, 4))
    assert (once(four, "acetaminophen", "mg"), a_day(four, "acetaminophen", "mg")) == (500, 2000)
    assert scheduled_a_day(four, "acetaminophen", "mg") == 2000
    needed = ordered(dosage=_dosage(500, 4, as_needed=True))
    assert (a_day(needed, "acetaminophen", "mg"), scheduled_a_day(needed, "acetaminophen", "mg")) == (2000, 0)
    single = ordered(dosage=_dosage(500, 4), one_time=True)
    assert a_day(single, "acetaminophen", "mg") == 500
    ranged = ordered(dosage=_dosage(500, 4, frequency_high=6))
    assert (a_day(ranged, "acetaminophen", "mg"), scheduled_a_day(ranged, "acetaminophen", "mg")) == (3000, 2000)
    unsaid = ordered()
    assert [of(unsaid, "acetaminophen", "mg") for of in (once, a_day, scheduled_a_day)] == [None, None, None]


def _dosage(milligrams: float, often: float, **more: Any) -> Dosage:
    return Dosage(route="oral", dose=Quantity(milligrams, "mg"), frequency_per_day=often, **more)


@pytest.mark.parametrize(
    ("rate", "weight", "most", "expected"),
    [
        (Quantity(20, "mEq/hr"), None, "10 mEq/h", 20),
        (Quantity(20, "meq / hour"), None, "10 mEq/h", 20),
        (Quantity(10, "mEq/h", 20), None, "10 mEq/h", 20),  # the most of a range
        (Quantity(20, "mEq/h", 10), None, "10 mEq/h", 20),
        (Quantity(1, "mg/min"), None, "10 mg/h", 60),
        (Quantity(100, "µg/min"), None, "10 mg/h", 6),
        (Quantity(2, "mg/kg/h"), 50.0, "10 mg/h", 100),
        (Quantity(2, "mg/kg/h"), None, "10 mg/h", None),
        (Quantity(100, "mg/h"), 50.0, "10 mg/kg/h", 2),
        (Quantity(100, "mg/h"), None, "10 mg/kg/h", None),
        (Quantity(100, "mg/h"), 0.0, "10 mg/kg/h", None),
        (Quantity(2, "mg/kg/h"), 50.0, "10 mg/kg/h", 2),
        (Quantity(2, "mg"), None, "10 mg/h", None),
        (Quantity(2, "units/h"), None, "10 mg/h", None),
        (Quantity(2, "drops/min"), None, "10 mg/h", None),
    ],
)
def test_a_rate_in_an_hour(rate: Quantity, weight: float | None, most: str, expected: float | None) -> None:
    found = an_hour(rate, weight, amount(most))
    assert found == (None if expected is None else pytest.approx(expected))
    assert an_hour(None, weight, amount(most)) is None


# --- which rows are about an order


def test_a_row_of_a_salt_is_about_that_salt() -> None:
    precise = Drug(
        text="metoprolol", resolution="name", ingredients=(Ingredient("metoprolol", precise="metoprolol succinate"),)
    )  # fmt: skip
    succinate, plain = ordered("metoprolol", drug=precise), ordered("metoprolol")
    assert succinate.precise == {"metoprolol": "metoprolol succinate"}
    for row, holds in (("metoprolol succinate", True), ("metoprolol tartrate", False), (NO_SALT, False), ("", True)):
        assert of_salt(row, succinate, "metoprolol") is holds
    for row, holds in (("metoprolol succinate", False), (NO_SALT, True), ("", True)):
        assert of_salt(row, plain, "metoprolol") is holds


def parts() -> Parts:
    rows = {
        "warfarin": [parsed(["with nsaid", "potassium >= 5.5"], NAMES)],
        "digoxin": [parsed(["age >= 65 years"], NAMES)],
    }
    return Parts(rows, KNOWN, Reads(doses=False))


def touched(of: str, name: str, *events: Any) -> set[str]:
    """When ``name`` changed."""
    changed: dict[str, Any] = {"analytes": frozenset(), "person": frozenset(), "medicines": of in ("ordered", "given")}
    return parts().touched(Change(**(changed | {of: frozenset({name})})), after(*events), KNOWN, "r")


def test_what_is_touched_is_what_reads_the_change_and_is_here() -> None:
    here: Story = [order("warfarin"), order("digoxin")]
    assert touched("ordered", "ibuprofen", *here) == {"warfarin"}
    assert touched("ordered", "ibuprofen", order("digoxin")) == set()
    assert touched("analytes", "potassium", *here) == {"warfarin"}
    assert touched("person", "age", *here) == {"digoxin"}
    assert touched("ordered", "amlodipine", *here) == set()
    assert touched("ordered", "warfarin", lab("potassium", 4.0)) == {"warfarin"}


def test_what_was_given_or_found_before_is_here_too() -> None:
    """A dose given counts where the rule looks at doses; a finding of the rule itself stands until it is asked again."""
    rows = {"warfarin": [parsed(["potassium >= 5.5"], NAMES)], "digoxin": [parsed(["potassium >= 5.5"], NAMES)]}
    changed = Change(analytes=frozenset({"potassium"}), person=frozenset(), medicines=False)
    given = after(_given("digoxin"), _given("amlodipine"))
    for doses, expected in ((True, {"digoxin"}), (False, set[str]())):
        assert Parts(rows, KNOWN, Reads(doses=doses)).touched(changed, given, KNOWN, "r") == expected
    stands = {
        f"{rule}-{part}": Standing(rule, part, part, "high", 0.0, at(0))
        for rule, part in (("r", "warfarin"), ("r", "amlodipine"), ("other", "digoxin"))
    }
    state = replace(after(lab("potassium", 6.0)), standing=stands)
    assert Parts(rows, KNOWN, Reads(doses=False)).touched(changed, state, KNOWN, "r") == {"warfarin"}


def _given(name: str) -> Administration:
    drug = Drug(text=name, ingredients=(Ingredient(name),), resolution="name")
    return Administration(
        patient_id="p", source="ward", record_id=name, occurred_at=at(0), status="given", drug=drug, route="oral"
    )


# --- what is kept of an order


def test_what_is_kept_is_of_that_object_and_that_knowledge() -> None:
    one, other, knowledge = ordered(), ordered(), EVERYTHING
    kept_of(one, knowledge)["x"] = 1
    assert kept_of(one, knowledge) == {"x": 1}
    assert kept_of(other, knowledge) == {}
    assert kept_of(one, KNOWN) == {}


def test_when_too_many_are_kept_all_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dosed, "MOST_KEPT", 2)
    monkeypatch.setattr(dosed, "_kept", {})
    orders = [ordered() for _ in range(3)]
    for each in orders[:2]:
        kept_of(each, EVERYTHING)["x"] = 1
    assert [kept_of(each, EVERYTHING) for each in orders[:2]] == [{"x": 1}, {"x": 1}]
    kept_of(orders[2], EVERYTHING)
    assert kept_of(orders[0], EVERYTHING) == {}
    assert len(dosed._kept) == 2


def test_a_new_diagnosis_asks_who_reads_its_group() -> None:
    """K27 is a peptic ulcer; a list of which nobody can say how it differs asks everybody with a history, and one that did not
    change asks nobody."""
    rows = {
        "warfarin": [parsed(["history peptic-ulcer"], NAMES)],
        "digoxin": [parsed(["history heart-failure"], NAMES._replace(groups={"heart-failure"}))],
        "lithium": [parsed(["age >= 65 years"], NAMES)],
    }
    state = after(order("warfarin"), order("digoxin"), order("lithium"))

    def asked(person: set[str], diagnoses: tuple[Condition, ...] | None) -> set[str]:
        change = Change(analytes=frozenset(), medicines=False, person=frozenset(person), diagnoses=diagnoses)
        return Parts(rows, KNOWN, Reads(doses=False)).touched(change, state, KNOWN, "r")

    ulcer, other = Condition(codings=(Coding("ICD-10", "K27"),)), Condition(codings=(Coding("ICD-10", "A00"),))
    assert asked({"history"}, (ulcer,)) == {"warfarin"}
    assert asked({"history"}, (other,)) == set()
    assert asked({"history", "age"}, (ulcer,)) == {"warfarin", "lithium"}
    assert asked({"history"}, None) == {"warfarin", "digoxin"}
    assert asked({"age"}, (ulcer,)) == {"lithium"}
