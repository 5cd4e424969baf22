"""Doses on both sides of the limits of the labels, typed here; ordered, added up, and given."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from schemas.events import AnyEvent, Prescription
from schemas.values import Quantity
from services.monitor import evaluate
from services.monitor.evaluate import advance
from services.monitor.rules.dose_range import DoseRange
from tests.support.clinical import at, lab, order, patient
from tests.support.doses import (
    FIBRILLATION,
    KNOWLEDGE,
    THROMBOSIS,
    creatinine,
    drug,
    found,
    given,
    has,
    open_after,
    play,
    quantity,
    rx,
    weighs,
)


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (DoseRange(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def born(days: int) -> AnyEvent:
    return patient(-0.5, birth_date=date.fromordinal(at(0).date().toordinal() - days), sex="female")


YEAR = 366


# --- one order


# paracetamol: 4 g in 24 hours; how grave is ours: twice that is critical
@pytest.mark.parametrize(
    ("dose", "often", "severity"),
    [
        ("1 g", 4, None),
        ("1001 mg", 4, "high"),
        ("1999 mg", 4, "high"),
        ("2 g", 4, "critical"),
        ("650-1000 mg", 4, None),
    ],
)
def test_paracetamol_a_day(dose: str, often: float, severity: str | None) -> None:
    assert found(rx("acetaminophen", dose, often)).get("acetaminophen") == severity


def test_what_is_taken_as_needed_is_for_the_list_until_one_dose_is_too_much() -> None:
    assert found(rx("acetaminophen", "1 g", 6, as_needed=True)) == {"acetaminophen": "moderate"}
    assert found(rx("acetaminophen", "1 g", 6, as_needed=True, max_daily_dose=quantity("4 g"))) == {}
    assert found(rx("acetaminophen", "10 g", 1, as_needed=True)) == {"acetaminophen": "critical"}


def test_a_dose_that_nobody_knows_the_frequency_of_is_the_least_of_a_day() -> None:
    assert found(rx("simvastatin", "40 mg")) == {}
    assert found(rx("simvastatin", "80 mg")) == {"simvastatin": "moderate"}


def test_tablets_and_millilitres_by_their_strength() -> None:
    tablets = {"drug": drug("acetaminophen", "500 mg")}
    assert found(rx("acetaminophen", "2 tablets", 4, **tablets)) == {}
    assert found(rx("acetaminophen", "3 tablets", 4, **tablets)) == {"acetaminophen": "high"}
    syrup = {"drug": drug("acetaminophen", "160 mg/5ml")}
    assert found(rx("acetaminophen", "31 ml", 4, **syrup)) == {}  # 3968 mg
    assert found(rx("acetaminophen", "32 ml", 4, **syrup)) == {"acetaminophen": "high"}  # 4096 mg
    assert found(rx("acetaminophen", "400 ml", 4)) == {}  # nobody knows what is in it


def test_an_uncertain_way_of_giving_is_less_grave() -> None:
    assert found(rx("acetaminophen", "3 g", 2, route="")) == {"acetaminophen": "moderate"}
    assert found(rx("diclofenac", "3 g", 2, route="topical")) == {}


def test_milligrams_for_micrograms() -> None:
    """Levothyroxine: over 300 mcg a day is rare; 50 mg is a thousand times 50 mcg."""
    assert found(rx("levothyroxine", "300 mcg", 1)) == {}
    assert found(rx("levothyroxine", "301 mcg", 1)) == {"levothyroxine": "high"}
    alert = open_after(rx("levothyroxine", "50 mg", 1))["levothyroxine"]
    assert alert.severity == "critical"
    assert "slip of the decimal point or of the unit" in alert.detail


# --- children and the light


# paracetamol: 75 mg/kg a day from two years below 50 kg; 15 kg is 1125 mg
@pytest.mark.parametrize(("dose", "fires"), [("281 mg", False), ("282 mg", True)])
def test_a_child_by_weight(dose: str, fires: bool) -> None:
    assert ("acetaminophen" in found(born(4 * YEAR), weighs(15), rx("acetaminophen", dose, 4))) == fires


def test_a_light_adult_and_a_weight_that_is_not_known() -> None:
    """40 kg by 75 mg/kg is 3 g."""
    dose = rx("acetaminophen", "800 mg", 4)
    assert found(born(70 * YEAR), weighs(40), dose) == {"acetaminophen": "high"}
    assert found(born(70 * YEAR), weighs(50), dose) == {}
    assert found(born(70 * YEAR), dose) == {}
    # what holds for everybody catches a child whose weight nobody knows
    assert found(born(4 * YEAR), rx("acetaminophen", "1.1 g", 4)) == {"acetaminophen": "high"}


# codeine: contraindicated below 12 years
@pytest.mark.parametrize(("days", "severity"), [(4382, "critical"), (4383, None)])
def test_a_child_for_whom_there_is_no_right_dose(days: int, severity: str | None) -> None:
    assert found(born(days), rx("codeine", "15 mg", 4)).get("codeine:contraindicated") == severity


def test_tenfold_for_a_child() -> None:
    """Digoxin into a vein, 2 to 5 years: 9 mcg/kg a day; 12 kg is 108 mcg."""
    before = (born(3 * YEAR), weighs(12))
    assert found(*before, rx("digoxin", "50 mcg", 2, route="intravenous")) == {}
    assert found(*before, rx("digoxin", "0.5 mg", 2, route="intravenous")) == {"digoxin": "critical"}


def test_a_loading_dose_is_no_dose_of_every_day() -> None:
    """Digoxin by mouth: 0.75 mg at once, 0.5 mg a day. Prasugrel: 60 mg at once, 10 mg a day."""
    assert found(rx("digoxin", "0.75 mg", one_time=True)) == {}
    assert found(rx("digoxin", "0.76 mg", one_time=True)) == {"digoxin": "high"}
    assert found(rx("digoxin", "0.75 mg", 1)) == {"digoxin": "high"}
    assert found(rx("prasugrel", "60 mg")) == {}
    assert found(rx("prasugrel", "60 mg", 1)) == {"prasugrel": "critical"}


# --- what the row is about


def test_apixaban_by_two_of_three() -> None:
    """5 mg a day in atrial fibrillation with two of: 80 years, 60 kg, creatinine 1.5."""
    dose = rx("apixaban", "5 mg", 2, indication=FIBRILLATION)
    old, young = born(81 * YEAR), born(70 * YEAR)
    assert found(old, weighs(60), dose) == {"apixaban": "high"}
    assert found(old, weighs(60.1), dose) == {}
    assert found(old, weighs(70), creatinine(1.5), dose) == {"apixaban": "high"}
    assert found(old, weighs(70), creatinine(1.49), dose) == {}
    assert found(young, weighs(60), creatinine(1.5), dose) == {"apixaban": "high"}
    assert found(old, weighs(60), rx("apixaban", "5 mg", 2, indication=THROMBOSIS)) == {}
    assert found(old, weighs(60), rx("apixaban", "5 mg", 2)) == {"apixaban": "moderate"}
    assert found(old, weighs(60), rx("apixaban", "2.5 mg", 2, indication=FIBRILLATION)) == {}


def test_salts_and_forms_have_doses_of_their_own() -> None:
    """Conventional amphotericin: 1.5 mg/kg; a lipid form is given in more. Venlafaxine extended: 225 mg, else 375 mg."""
    before = (born(50 * YEAR), weighs(70))
    plain = rx("amphotericin b", "210 mg", 1, route="intravenous")
    lipid = rx(
        "amphotericin b",
        "210 mg",
        1,
        route="intravenous",
        drug=drug("amphotericin b", precise="amphotericin b liposomal"),
    )
    assert found(*before, plain) == {"amphotericin b": "critical"}
    assert found(*before, lipid) == {}
    assert found(rx("venlafaxine", "300 mg", 1)) == {}
    extended = drug("venlafaxine", text="Venlafaxine XR 150 mg capsule")
    assert found(rx("venlafaxine", "300 mg", 1, drug=extended)) == {"venlafaxine": "moderate"}


# potassium chloride into a vein: 40 mEq an hour at most, over 10 only where potassium is low
@pytest.mark.parametrize(
    ("rate", "potassium", "severity"),
    [
        (10, 4.0, None),
        (11, 4.0, "moderate"),
        (20, 4.0, "high"),
        (20, 2.5, None),
        (40, 2.5, None),
        (41, 2.5, "critical"),
    ],
)
def test_a_rate(rate: float, potassium: float, severity: str | None) -> None:
    ordered = rx("potassium chloride", "20 mEq", route="intravenous", rate=Quantity(rate, "mEq/hr"))
    assert found(lab("potassium", potassium, -1), ordered).get("potassium chloride") == severity


# --- several products


def test_scheduled_products_are_added_up() -> None:
    one, other = rx("acetaminophen", "1 g", 3, id="one"), rx("acetaminophen", "500 mg", 2, 5, id="other")
    assert found(one, other) == {}  # 4 g
    third = rx("acetaminophen", "325 mg", 1, 6, id="third", route="rectal")
    alert = open_after(one, other, third)["acetaminophen"]
    assert alert.severity == "high"
    assert "4325 mg in 24 hours by 3 orders" in alert.summary
    assert {each.record_id for each in alert.implicated} == {"one", "other", "third"}
    assert alert.true_since == at(6)


def test_what_may_be_taken_beside_it_reaches_nobody() -> None:
    one, needed = rx("acetaminophen", "1 g", 3, id="one"), rx("acetaminophen", "650 mg", 4, id="prn", as_needed=True)
    state, alerts = play(one, needed)
    assert not alerts
    (held,) = state.standing.values()
    assert (held.severity, held.held[:23]) == ("info", "What may be taken as ne")


def test_orders_that_follow_each_other_are_not_together() -> None:
    first = rx("acetaminophen", "1 g", 4, id="first", end=at(10))
    assert found(first, rx("acetaminophen", "1 g", 4, 10, id="second")) == {}


def test_a_day_of_charted_doses_says_more_than_two_orders() -> None:
    one = rx("acetaminophen", "1 g", 3, id="one")
    other = rx("acetaminophen", "1 g", 2, id="other", route="rectal")
    doses: list[AnyEvent] = [given("acetaminophen", "1 g", hours, order_id="one") for hours in (4, 12, 20)]
    doses.append(given("acetaminophen", "1 g", 10, order_id="other", route="rectal"))
    assert "acetaminophen" in open_after(one, other, *doses)
    assert "acetaminophen" not in open_after(one, other, *doses, order("aspirin", 24.5))


# --- not for every day


@pytest.mark.parametrize(
    ("often", "severity"), [(1, "critical"), (2, "critical"), (1 / 7, None), (2 / 7, "high"), (None, "info")]
)
def test_weekly_methotrexate(often: float | None, severity: str | None) -> None:
    assert found(rx("methotrexate", "10 mg", often)).get("methotrexate") == severity


def test_methotrexate_against_cancer() -> None:
    assert found(rx("methotrexate", "10 mg", 1, protocol="GTN low risk")) == {}
    assert found(has("C58"), rx("methotrexate", "10 mg", 1)) == {"methotrexate": "high"}
    assert found(rx("methotrexate", "12 mg", 1, route="intrathecal")) == {}
    assert found(rx("methotrexate", "10 mg", one_time=True)) == {}
    # what the first version said stands
    changed = order("methotrexate", 5, version=2, status="changed")
    assert found(rx("methotrexate", "10 mg", 1, protocol="GTN low risk"), changed) == {}


# alendronate: 70 mg is for a week, 40 mg a day is right in Paget's disease
@pytest.mark.parametrize(("dose", "fires"), [("70 mg", True), ("40 mg", False), ("35 mg", True), ("10 mg", False)])
def test_a_dose_that_is_for_a_week(dose: str, fires: bool) -> None:
    assert ("alendronate" in found(rx("alendronate", dose, 1))) == fires


def test_stopped_and_corrected_orders() -> None:
    daily = rx("methotrexate", "10 mg", 1)
    _, alerts = play(daily, order("methotrexate", 3, version=2, status="discontinued"))
    assert [each.status for each in alerts] == ["open", "resolved"]
    _, alerts = play(daily, order("methotrexate", 3, version=2, status="entered_in_error"))
    assert [each.status for each in alerts] == ["open", "withdrawn"]
    weekly = rx("methotrexate", "10 mg", 1 / 7, 3, version=2, id="methotrexate", status="changed")
    assert not open_after(daily, weekly)


# --- given


def test_a_dose_given_tenfold_stays_until_a_person_answers() -> None:
    ordered = rx("morphine", "2 mg", 4, route="intravenous")
    story = (ordered, given("morphine", "20 mg", 1, route="intravenous", order_id="morphine"))
    stop = order("morphine", 2, version=2, status="discontinued")
    state, alerts = play(*story, stop)
    (alert,) = state.open_alerts.values()
    assert (alert.subject, alert.severity, alert.needs_closure) == ("morphine:given", "critical", True)
    assert "20 mg given, 10 times the 2 mg of its order" in alert.summary
    later, _ = advance(state, at(200), KNOWLEDGE, at(0))
    assert "morphine:given" in {each.subject for each in later.open_alerts.values()}
    assert "morphine:given" not in found(
        ordered, given("morphine", "19.9 mg", 1, route="intravenous", order_id="morphine")
    )
    _, alerts = play(*story, given("morphine", "20 mg", 1, route="intravenous", version=2, status="entered_in_error"))
    assert [each.status for each in alerts] == ["open", "withdrawn"]


# digoxin: 0.75 mg at once is the most; how grave is ours: critical from twice that
@pytest.mark.parametrize(("dose", "severity"), [("0.75 mg", None), ("0.8 mg", "high"), ("1.5 mg", "critical")])
def test_a_dose_given_beyond_the_label(dose: str, severity: str | None) -> None:
    assert found(given("digoxin", dose, 1)).get("digoxin:given") == severity
    _, alerts = play(given("digoxin", dose, 1, status="refused"))
    assert not alerts


def test_ten_times_the_label_is_critical_whatever_the_row() -> None:
    assert found(given("simvastatin", "399 mg", 1)) == {"simvastatin:given": "high"}
    assert found(given("simvastatin", "400 mg", 1)) == {"simvastatin:given": "critical"}


def paracetamol(*hours: float, dose: str = "1 g", **more: Any) -> list[AnyEvent]:
    return [given("acetaminophen", dose, each, **more) for each in hours]


def test_paracetamol_of_any_24_hours() -> None:
    assert found(*paracetamol(0, 6, 12, 18, 24)) == {}  # the fifth is a day after the first
    alert = open_after(*paracetamol(0, 6, 12, 18, 23.9))["acetaminophen:given"]
    assert (alert.severity, alert.needs_closure) == ("high", True)
    assert "5000 mg given in 24 hours in 5 doses" in alert.summary
    assert found(*paracetamol(0, 3, 6, 9, 12, 15, 18, 21)) == {"acetaminophen:given": "critical"}  # 8 g
    by_two_ways = (*paracetamol(0, 6, 12), *paracetamol(8, 16, route="rectal"))
    assert found(*by_two_ways) == {"acetaminophen:given": "high"}


# doses of a schedule may be given an hour early or late, of one a day two hours (ISMP 2011)


def enoxaparin(dose: str, *hours: float, often: float | None = 2, **more: Any) -> list[AnyEvent]:
    """Doses of an order for 80 kg, of whom 160 mg are the 2 mg/kg of a day."""
    ordered = rx("enoxaparin", dose, often, -0.2, route="subcutaneous", id="syringe", **more)
    doses = [given("enoxaparin", dose, each, route="subcutaneous", order_id="syringe") for each in hours]
    return [born(60 * YEAR), weighs(80), ordered, *doses]


@pytest.mark.parametrize(
    ("hours", "severity"),
    [
        ((0, 12, 23.9), None),  # six minutes early
        ((1, 12, 23), None),  # an hour late, an hour early: two days
        ((1, 12, 22.9), "high"),  # a third dose of one day
        ((0, 12, 18), "high"),
        ((0, 12, 22.5, 24), "high"),  # one too many just before the time
    ],
)
def test_a_dose_of_a_schedule_that_is_early_is_of_the_next_day(hours: tuple[float, ...], severity: str | None) -> None:
    story = enoxaparin("80 mg", *hours)
    for events in (story, [*story[:3], *reversed(story[3:])]):
        assert found(*events).get("enoxaparin:given") == severity


def test_a_dose_once_a_day_may_be_four_hours_nearer_to_the_last() -> None:
    assert "enoxaparin:given" not in found(*enoxaparin("120 mg", 0, 20, often=1))
    assert found(*enoxaparin("120 mg", 0, 19.9, often=1))["enoxaparin:given"] == "high"


@pytest.mark.parametrize("more", [{"as_needed": True}, {"often": None}, {"one_time": True}])
def test_without_a_schedule_a_day_has_24_hours(more: dict[str, Any]) -> None:
    assert found(*enoxaparin("80 mg", 0, 12, 23.9, **more))["enoxaparin:given"] == "high"
    assert "enoxaparin:given" not in found(*enoxaparin("80 mg", 0, 12, 24, **more))


# doses for each kg are made up to what a syringe holds: up to a tenth more is no finding (own choice)
@pytest.mark.parametrize(
    ("kilograms", "severity"),
    [
        (78, None),
        (72.8, None),  # 160.16 mg with a tenth
        (72.7, "high"),  # 159.94 mg
        (41, "high"),
        (40, "critical"),  # twice the label's 80 mg
    ],
)
def test_a_dose_for_each_kg_may_be_rounded(kilograms: float, severity: str | None) -> None:
    ordered = rx("enoxaparin", "80 mg", 2, route="subcutaneous", id="syringe")
    adult = [born(60 * YEAR), weighs(kilograms)]
    assert found(*adult, ordered).get("enoxaparin") == severity
    doses = [given("enoxaparin", "80 mg", hour, route="subcutaneous") for hour in (1, 13)]
    assert found(*adult, *doses).get("enoxaparin:given") == severity


def test_what_is_not_made_up_to_a_syringe_is_not_rounded() -> None:
    """Paracetamol of 49 kg: 75 mg/kg are 3675 mg."""
    assert found(born(60 * YEAR), weighs(49), rx("acetaminophen", "920 mg", 4)) == {"acetaminophen": "high"}


def test_the_doses_of_an_order_that_is_too_much_are_its_alert() -> None:
    """Citalopram 40 mg above 60 years: 20 mg a day, for the work list."""
    story: list[AnyEvent] = [born(65 * YEAR), rx("citalopram", "40 mg", 1, id="order")]
    story += [given("citalopram", "40 mg", hours, order_id="order") for hours in (1, 25, 73)]
    story.append(lab("sodium", 140, 130))
    alerts = play(*story)[1]
    assert {(each.subject, each.alert_id) for each in alerts} == {("citalopram", alerts[0].alert_id)}
    assert [each.status for each in alerts].count("open") == len(alerts)
    late = play(story[0], *story[2:], story[1])[0]
    assert [each.subject for each in late.open_alerts.values()] == ["citalopram"]


def test_of_what_was_ordered_and_given_one_speaks() -> None:
    ordered = rx("acetaminophen", "1.2 g", 6)
    alerts = open_after(ordered, *paracetamol(1, 5, 9, 13, dose="1.2 g", order_id="acetaminophen"))
    assert list(alerts) == ["acetaminophen:given"]


def test_a_rate_that_runs() -> None:
    """Phenytoin into a vein: 50 mg a minute at most."""
    slow = given("phenytoin", "", 1, route="intravenous", rate=Quantity(50, "mg/min"))
    fast = given("phenytoin", "", 1, route="intravenous", rate=Quantity(3060, "mg/hr"))
    assert found(slow) == {}
    assert found(fast) == {"phenytoin:given": "critical"}


# methotrexate once a week: given again within days; in parts of a dose 12 hours apart it is right
@pytest.mark.parametrize(
    ("hours", "severity"), [(12, None), (16, None), (24, "critical"), (48, "critical"), (84, None), (168, None)]
)
def test_given_again_too_soon(hours: float, severity: str | None) -> None:
    story = [given("methotrexate", "7.5 mg", each) for each in (1, 1 + hours)]
    assert found(*story).get("methotrexate:given") == severity


def test_a_medicine_that_was_given_to_whom_it_is_not_for() -> None:
    alert = open_after(born(8 * YEAR), given("codeine", "15 mg", 1))["codeine:given"]
    assert (alert.severity, alert.needs_closure) == ("critical", True)


def test_the_order_of_arrival_does_not_matter() -> None:
    ordered: Prescription = rx("acetaminophen", "1 g", 4, id="one")
    story = [ordered, rx("acetaminophen", "500 mg", 2, 3, id="two"), *paracetamol(1, 5)]
    ends = {
        tuple(sorted((each.subject, each.severity, each.summary) for each in play(*events)[0].open_alerts.values()))
        for events in permutations(story)
    }
    assert len(ends) == 1
