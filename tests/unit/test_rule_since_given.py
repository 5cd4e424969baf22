"""What a value did since a medicine was really there. 1.5 times the creatinine is KDIGO's, three times the ALT and the limits of
130 for sodium and 1.5 for neutrophils are grades of CTCAE, a fall of platelets by 30 % is the definition of studies of linezolid,
six weeks of levothyroxine are its label's; the other numbers are our own and typed here again."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, Condition, ConditionRecord
from schemas.values import Coding
from services.monitor import evaluate
from services.monitor.rules import RULES
from services.monitor.rules.since_given import NoEffect, WorseSinceGiven
from tests.support.alone import play, result
from tests.support.clinical import at, order
from tests.support.supplies import DAY, given, handed, ordered, stay, tablets, tick

UNITS = {
    "creatinine": "mg/dL", "ALT": "U/L", "platelets": "K/uL", "sodium": "mmol/L", "neutrophils": "K/uL", "INR": "1",
    "TSH": "mIU/L", "potassium": "mmol/L", "magnesium": "mg/dL", "hemoglobin": "g/dL", "urate": "mg/dL", "hemoglobin A1c": "%",
}  # fmt: skip


@pytest.fixture(autouse=True)
def only_these_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (WorseSinceGiven(), NoEffect()))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def value(analyte: str, number: float, hours: float, **more: Any) -> AnyEvent:
    return result(analyte, number, hours, UNITS[analyte], **more)


def alerts(*events: AnyEvent) -> dict[str, Alert]:
    return {each.subject: each for each in play(*events)[0].open_alerts.values()}


def found(*events: AnyEvent) -> set[str]:
    return set(alerts(*events))


@pytest.mark.parametrize(
    ("id_", "name", "analyte", "before", "worse", "not_yet"),
    [
        ("kidney", "ibuprofen", "creatinine", 1.0, 1.5, 1.49),
        ("liver", "isoniazid", "ALT", 42, 126, 125), ("liver", "isoniazid", "ALT", 30, 121, 120),
        ("platelets-linezolid", "linezolid", "platelets", 200, 140, 141),
        ("platelets-linezolid", "linezolid", "platelets", 300, 149, 150),
        ("platelets-valproate", "valproate", "platelets", 140, 98, 99),
        ("platelets-valproate", "valproate", "platelets", 200, 99, 100),
        ("sodium", "sertraline", "sodium", 134, 129, 130), ("sodium", "hydrochlorothiazide", "sodium", 133, 128, 129),
        ("neutrophils", "methimazole", "neutrophils", 2.8, 1.4, 1.41),
        ("neutrophils", "methimazole", "neutrophils", 4, 1.49, 1.5),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", ["handed", "given"])
def test_a_value_worse_than_before_the_medicine(
    stream: str, id_: str, name: str, analyte: str, before: float, worse: float, not_yet: float
) -> None:
    first = value(analyte, before, -5)
    took = [handed(name, 0)] if stream == "handed" else [given(name, each * DAY) for each in (0, 4)]
    assert found(first, *took, value(analyte, worse, 5 * DAY)) == {id_}
    assert found(first, *took, value(analyte, not_yet, 5 * DAY)) == set()
    assert found(first, value(analyte, worse, 5 * DAY)) == set()


def test_an_order_alone_begins_nothing() -> None:
    assert found(value("creatinine", 1, -5), ordered("ibuprofen"), value("creatinine", 2, 72)) == set()


def test_it_counts_from_the_first_dose_and_not_from_the_order() -> None:
    story = (value("creatinine", 1.0, -5), ordered("ibuprofen"), value("creatinine", 1.8, 48))
    assert found(*story, given("ibuprofen", 50), value("creatinine", 1.9, 100)) == set()
    assert found(*story, given("ibuprofen", 50), value("creatinine", 2.7, 100)) == {"kidney"}
    assert found(*story[:2], given("ibuprofen", 24), story[2]) == {"kidney"}


@pytest.mark.parametrize(("hours", "said"), [(11.9, False), (12, True), (30 * DAY, True), (30 * DAY + 1, False)])
def test_only_in_the_time_in_which_the_medicine_may_be_the_cause(hours: float, said: bool) -> None:
    story = (value("creatinine", 1.0, -5), handed("ibuprofen", 0, days_supply=90))
    assert found(*story, value("creatinine", 1.6, hours)) == ({"kidney"} if said else set())


@pytest.mark.parametrize(("days", "said"), [(30, True), (31, False)])
def test_a_value_too_old_does_not_say_how_it_was_before(days: int, said: bool) -> None:
    story = (value("creatinine", 1.0, -days * DAY), handed("ibuprofen", 0), value("creatinine", 1.6, 72))
    assert found(*story) == ({"kidney"} if said else set())


def test_where_nothing_is_known_before_it_is_compared_with_the_best_since() -> None:
    story = (handed("ibuprofen", 0), value("creatinine", 1.0, 24))
    assert found(*story, value("creatinine", 1.5, 72)) == {"kidney"}
    assert found(*story, value("creatinine", 1.4, 72)) == set()
    assert found(handed("ibuprofen", 0), value("creatinine", 3, 72)) == set()


def test_it_ends_with_a_newer_value_a_stop_or_a_correction_and_not_by_age() -> None:
    story = (value("creatinine", 1.0, -5), ordered("ibuprofen"), handed("ibuprofen", 0, order_id="ibuprofen"))
    bad = value("creatinine", 1.6, 72, id="bad")
    assert found(*story, bad, tick(20 * DAY)) == {"kidney"}
    assert found(*story, bad, value("creatinine", 1.2, 96)) == set()
    assert found(*story, bad, order("ibuprofen", 80, version=2, status="discontinued")) == set()
    assert found(*story, bad, order("ibuprofen", 80, version=2, status="held")) == set()
    assert found(*story, bad, value("creatinine", 1.1, 72, id="bad", version=2, status="corrected")) == set()
    # a supply of 30 days, and three days for what is left of the medicine
    assert found(*story, bad, tick(33 * DAY - 1)) == {"kidney"}
    assert found(*story, bad, tick(33 * DAY + 1)) == set()


def test_what_began_anew_after_a_gap_begins_anew() -> None:
    old = handed("ibuprofen", -200 * DAY, days_supply=10)
    assert found(old, value("creatinine", 1.0, -5), handed("ibuprofen", 0), value("creatinine", 1.6, 72)) == {"kidney"}
    # without a gap it was there long before the value
    months = [handed("ibuprofen", -each * 30 * DAY) for each in (3, 2, 1)]
    assert found(*months, value("creatinine", 1.0, -5), handed("ibuprofen", 0), value("creatinine", 1.6, 72)) == set()


def test_what_excuses_it() -> None:
    cancer = ConditionRecord(
        patient_id="p", source="list", record_id="c", occurred_at=at(-9),
        condition=Condition(codings=(Coding("ICD-10", "C50.9"),)),
    )  # fmt: skip
    story = (value("neutrophils", 4, -5), handed("methimazole", 0), value("neutrophils", 1.0, 5 * DAY))
    assert found(*story) == {"neutrophils"}
    assert found(cancer, *story) == set()


@pytest.mark.parametrize(("before", "after", "said"), [(2.6, 3.6, True), (2.7, 3.6, False), (2.4, 3.5, False)])
def test_the_inr_since_a_medicine_beside_warfarin(before: float, after: float, said: bool) -> None:
    story = (value("INR", before, -5), handed("fluconazole", 0, days_supply=7), value("INR", after, 72))
    assert found(ordered("warfarin", -900), *story) == ({"inr-inhibitor"} if said else set())
    assert found(*story) == set()


def test_several_medicines_are_one_problem() -> None:
    story = (
        value("creatinine", 1.0, -5),
        handed("ibuprofen", 0),
        handed("vancomycin", 1),
        value("creatinine", 1.6, 72),
    )
    alert = alerts(*story)["kidney"]
    assert alert.summary.startswith("ibuprofen, vancomycin: creatinine higher since it was begun; creatinine 1.6 mg/dL")
    assert {fact.kind for fact in alert.implicated} == {"dispensing", "lab_result"}


def test_the_rule_of_kidney_injury_speaks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", RULES)
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])
    state, _ = play(value("creatinine", 1.0, -24), handed("ibuprofen", 0), value("creatinine", 1.6, 72))
    speaking = {each.rule for each in state.open_alerts.values()}
    assert "acute-kidney-injury" in speaking
    assert "worse-since-given" not in speaking
    held = [each for each in state.standing.values() if each.rule == "worse-since-given"]
    assert [each.held for each in held] == ["Another alert shows the same problem."]


# --- no effect


@pytest.mark.parametrize(
    ("hours", "inr", "said"), [(143, 1.1, False), (144, 1.1, True), (144, 1.49, True), (144, 1.5, False)]
)
def test_the_inr_does_not_rise_on_warfarin(hours: float, inr: float, said: bool) -> None:
    expected = {"inr-warfarin"} if said else set()
    assert found(handed("warfarin", 0), value("INR", inr, hours)) == expected
    assert found(given("warfarin", 0), given("warfarin", hours - 1), value("INR", inr, hours)) == expected
    assert found(ordered("warfarin"), value("INR", inr, hours)) == set(), "ordered, and neither given nor handed out"


@pytest.mark.parametrize(("days", "tsh", "said"), [(41, 20, False), (42, 20, True), (42, 10, False), (42, 10.1, True)])
def test_the_tsh_on_levothyroxine(days: int, tsh: float, said: bool) -> None:
    months = [handed("levothyroxine", each * 30 * DAY) for each in (0, 1)]
    assert found(*months, value("TSH", tsh, days * DAY)) == ({"tsh-levothyroxine"} if said else set())


def test_a_change_of_the_dose_begins_the_six_weeks_anew() -> None:
    months = [handed("levothyroxine", each * 30 * DAY, strength=0.05) for each in (0, 1)]
    more = [handed("levothyroxine", each * 30 * DAY, strength=0.075) for each in (2, 3)]
    assert found(*months, *more, value("TSH", 15, 90 * DAY)) == set()
    assert found(*months, *more, value("TSH", 15, 102 * DAY)) == {"tsh-levothyroxine"}
    order_ = ordered("levothyroxine", strength=0.05, dosage=tablets(1, 1))
    raised = ordered("levothyroxine", 40 * DAY, strength=0.05, dosage=tablets(2, 1), version=2, status="changed")
    assert found(order_, *months, raised, value("TSH", 15, 59 * DAY)) == set()


@pytest.mark.parametrize(
    ("before", "after", "hours", "said"),
    [(2.8, 3.0, 24, True), (2.8, 3.0, 23, False), (2.8, 3.1, 24, False), (3.2, 3.29, 24, True), (3.2, 3.3, 24, False)],
)
def test_potassium_does_not_rise_under_replacement(before: float, after: float, hours: float, said: bool) -> None:
    doses = [given("potassium chloride", each) for each in (0, 12)]
    story = (stay(-9), value("potassium", before, -2), *doses, value("potassium", after, hours))
    assert found(*story) == ({"potassium-replaced"} if said else set())


@pytest.mark.parametrize(("after", "days", "said"), [(9.9, 28, True), (9.9, 27, False), (10.0, 28, False)])
def test_hemoglobin_does_not_rise_with_iron(after: float, days: int, said: bool) -> None:
    story = (
        value("hemoglobin", 9, -24),
        handed("ferrous sulfate", 0, days_supply=90),
        value("hemoglobin", after, days * DAY),
    )
    assert found(*story) == ({"hemoglobin-iron"} if said else set())


# --- order, and what is said


def test_any_order_of_arrival_ends_alike() -> None:
    story = [
        value("creatinine", 1.0, -5), ordered("ibuprofen"), given("ibuprofen", 1), given("ibuprofen", 40),
        value("creatinine", 1.6, 48), tick(60),
    ]  # fmt: skip
    for each in permutations(story):
        assert found(*each) == {"kidney"}
    ends = order("ibuprofen", 50, version=2, status="discontinued")
    for each in permutations([*story[:2], *story[3:5], ends]):
        assert found(*each) == set()


def test_when_the_first_doses_are_not_kept_it_says_so() -> None:
    doses = [given("vancomycin", each * 24) for each in range(6)]
    story = (value("creatinine", 1.0, -5), ordered("vancomycin"), *doses, value("creatinine", 1.6, 121))
    assert "earlier doses are not kept" in alerts(*story)["kidney"].detail
    assert (
        "was first given at 2026-11-02 08:00 UTC" in alerts(*story[:4], value("creatinine", 1.6, 30))["kidney"].detail
    )


def test_every_row_can_be_found_and_is_about_somebody() -> None:
    rows = load().joined.since_given
    assert {row.rule for row in rows} == {"worse-since-given", "no-effect"}
    assert all(row.ingredients for row in rows)
