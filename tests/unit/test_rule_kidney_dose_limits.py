"""Kidney doses at the very limit, since when it is so, and what is said. A man of 65 with 72 kg clears 75 over his creatinine."""

from __future__ import annotations

import pytest

from schemas.events import AnyEvent
from schemas.values import Origin
from services.monitor import evaluate
from services.monitor.rules.kidney_dose import KidneyDose
from services.monitor.rules.rule import Finding
from tests.support.clinical import at, patient
from tests.support.doses import KNOWLEDGE, creatinine, found, has, play, rx
from tests.unit.test_rule_kidney_dose import MAN, RIVAROXABAN, WEIGHT


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (KidneyDose(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def finding(ingredient: str, *events: AnyEvent) -> Finding:
    (only,) = KidneyDose().findings(play(*events)[0], KNOWLEDGE, ingredient)
    return only


def of(*events: AnyEvent) -> Finding:
    return finding("rivaroxaban", MAN, WEIGHT, *events, RIVAROXABAN)


# --- the very limit


def test_half_of_the_limit_is_not_yet_far_below() -> None:
    """Cefepime is to be lowered up to 60 mL/min; 75 / 2.5 is 30."""
    ordered = rx("cefepime", "2 g", 2, route="intravenous")
    assert found(MAN, WEIGHT, creatinine(2.5, -1), ordered) == {"cefepime": "moderate"}
    assert found(MAN, WEIGHT, creatinine(2.51, -1), ordered) == {"cefepime": "high"}


def test_dialysis_on_the_list_counts_up_to_the_limit_itself() -> None:
    """Fondaparinux is contraindicated below 30 mL/min; 75 / 2.5 is 30, which is no kidney that clears."""
    ordered = rx("fondaparinux", "2.5 mg", 1, route="subcutaneous")
    assert found(MAN, WEIGHT, has("N18.6"), creatinine(2.5, -1), ordered) == {"fondaparinux": "critical"}
    assert found(MAN, WEIGHT, has("N18.6"), creatinine(2.49, -1), ordered) == {}


def test_a_step_for_adults_is_not_for_a_child() -> None:
    """Amoxicillin by mouth from 10 to below 30: 500 mg every 12 hours, no 875 mg tablet; the label says so of adults."""
    twice = rx("amoxicillin", "875 mg", 2)
    alert = finding("amoxicillin", MAN, creatinine(3, -1), twice)
    assert (alert.severity, "Not known: age" in alert.detail) == ("moderate", False)
    assert [each.answer for each in alert.conditions if each.text == "age >= 18 years"] == ["yes"]
    assert found(MAN, creatinine(3, -1), rx("amoxicillin", "500 mg", 2)) == {}


# --- how much too much


@pytest.mark.parametrize(
    ("ingredient", "events", "rank"),
    [
        # 20 mg against 15
        ("rivaroxaban", (creatinine(2, -1), RIVAROXABAN), 1.333333),
        # tramadol below 30: 200 mg a day, 12 hours apart: 300 mg is one and a half times, four a day twice
        ("tramadol", (creatinine(3, -1), rx("tramadol", "75 mg", 4)), 2),
        # 500 mg against 200, three a day against two
        ("tramadol", (creatinine(3, -1), rx("tramadol", "166.666667 mg", 3)), 2.5),
        # sotalol from 40 to 60: one a day
        ("sotalol", (creatinine(1.5, -1), rx("sotalol", "80 mg", 10 / 3)), 3.333333),
        # nobody knows how often
        ("sotalol", (creatinine(1.5, -1), rx("sotalol", "80 mg")), 0),
        # to be avoided at any dose
        ("fondaparinux", (creatinine(3, -1), rx("fondaparinux", "2.5 mg", 1, route="subcutaneous")), 0),
    ],
)
def test_the_rank_is_how_many_times_the_most(ingredient: str, events: tuple[AnyEvent, ...], rank: float) -> None:
    assert finding(ingredient, MAN, WEIGHT, *events).rank == rank


def test_of_several_numbers_the_one_that_is_passed_most_is_told() -> None:
    alert = finding("tramadol", MAN, WEIGHT, creatinine(3, -1), rx("tramadol", "75 mg", 4))
    assert "4 times a day, its label allows one dose in 12 hours" in alert.summary


def test_what_is_taken_as_needed_is_for_the_list_and_what_is_to_be_avoided_is_not() -> None:
    """Gabapentin from 15 to 30: 700 mg a day; rivaroxaban below 15 is avoided."""
    before = (MAN, WEIGHT, creatinine(3, -1))
    assert found(*before, rx("gabapentin", "300 mg", 3)) == {"gabapentin": "high"}
    assert found(*before, rx("gabapentin", "300 mg", 3, as_needed=True)) == {"gabapentin": "moderate"}
    needed = rx("rivaroxaban", "20 mg", 1, as_needed=True, indication=RIVAROXABAN.indication)
    assert found(MAN, WEIGHT, creatinine(6, -1), needed) == {"rivaroxaban": "high"}


@pytest.mark.parametrize(("hours", "severity"), [(24, None), (24.1, "moderate")])
def test_a_day_is_no_course(hours: float, severity: str | None) -> None:
    """Of a dose that nobody knows one is as likely as several."""
    short = rx("rivaroxaban", indication=RIVAROXABAN.indication, end=at(hours))
    assert found(MAN, WEIGHT, creatinine(2, -1), short).get("rivaroxaban") == severity


# --- since when


@pytest.mark.parametrize(
    ("older", "hours"),
    [
        (1.49, -1),  # 50.3: above 50
        (1.505, -10),  # 49.8
        (1.5, -10),  # 50, which is still in it
    ],
)
def test_the_run_begins_with_the_first_clearance_in_the_step(older: float, hours: float) -> None:
    early = rx("rivaroxaban", "20 mg", 1, -20, indication=RIVAROXABAN.indication)
    story = (MAN, WEIGHT, early, creatinine(older, -10), creatinine(1.6, -1))
    assert finding("rivaroxaban", *story).since == at(hours)


@pytest.mark.parametrize(("older", "hours"), [(2.342, -1), (2.35, -10), (2.36, -10)])
def test_likewise_by_the_egfr(older: float, hours: float) -> None:
    """CKD-EPI 2021 falls with the power of 1.2."""
    filtered = 142 * (older / 0.9) ** -1.2 * 0.9938**65
    assert (filtered > 30) == (hours == -1)
    story = (MAN, rx("metformin", "500 mg", 2, -20), creatinine(older, -10), creatinine(2.37, -1))
    assert finding("metformin", *story).since == at(hours)


# --- what is said, and what goes with it


def test_the_sentences() -> None:
    alert = of(creatinine(2, 0))
    assert alert.detail.startswith("Creatinine clearance 3")
    assert ", by weight: " in alert.detail
    assert (
        "known before the order of 2026-11-02 08:00 UTC" in alert.detail
    )  # of the same minute: it did not change under it
    assert "Not known: whether the patient is on dialysis." in alert.detail
    assert "on dialysis" not in of(patient(-5, procedures=()), has("I10"), creatinine(2, 0)).detail
    assert alert.conditions[0].text == "crcl 15 to 50"
    no_weight = finding("rivaroxaban", MAN, creatinine(12, 0), RIVAROXABAN)
    assert ", by weight: " not in no_weight.detail
    filtered = finding("metformin", MAN, creatinine(3, 0), rx("metformin", "500 mg", 2))
    assert filtered.conditions[0].text == "egfr < 30"
    assert filtered.detail.startswith("eGFR ")


def test_the_order_and_the_creatinine_are_its_facts_and_their_records_its_origins() -> None:
    plain = of(creatinine(2, 0))
    assert [fact.kind for fact in plain.implicated] == ["prescription", "lab_result"]
    assert plain.origins == ()
    origin = Origin("lab", 1, 5, 0)
    assert of(creatinine(2, 0, origin=origin)).origins == (origin,)
