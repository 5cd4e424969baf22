"""A medicine against a laboratory value. The limits are typed here from their sources: UK Kidney Association 2023 (potassium 5.5,
6.0, 6.5), labels of lithium, clozapine and metformin, SPS (digoxin), CHEST 2012 (INR), ISTH 2018 (platelets), ADA (glucose)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import Administration, AnyEvent, Dosage, Drug, Ingredient, LabResult, Specimen, Stay, Traits
from schemas.feedback import Feedback
from schemas.values import Quantity
from services.local.rows import RowFinder
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event, take_feedback
from services.monitor.patient.change import Change
from services.monitor.patient.state import PatientState
from services.monitor.rules.critical_lab import CriticalLab
from services.monitor.rules.drug_lab import OWN_RULE, DrugLab
from tests.support.clinical import at, lab, order, patient

KNOWN = load()
RULE = DrugLab()
DAY = 24
UNITS = {each.name: each.unit for each in KNOWN.analytes.values()}


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (RULE,))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def result(analyte: str, value: float, hours: float = 0, **more: Any) -> LabResult:
    unit = UNITS[analyte]
    return lab(analyte, value, hours, **({"unit": unit, "canonical_unit": unit} | more))


def given(name: str, hours: float, **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": f"{name}-{hours}", "occurred_at": at(hours), "status": "given",
        "drug": Drug(text=name, ingredients=(Ingredient(name),), resolution="name"), "dose": Quantity(1, "mg"),
        "route": "oral",
    }  # fmt: skip
    return Administration(**(fields | more))


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWN, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def opened(*events: AnyEvent) -> dict[str, Alert]:
    return {each.subject: each for each in play(*events)[0].open_alerts.values()}


def severity(subject: str, *events: AnyEvent) -> str:
    alert = opened(*events).get(subject)
    return "" if alert is None else alert.severity


# --- both sides of each limit


@pytest.mark.parametrize(
    ("subject", "medicine", "analyte", "outside", "inside", "expected"),
    [
        ("potassium:high", "lisinopril", "potassium", 5.4, 5.5, "moderate"),
        ("potassium:high", "lisinopril", "potassium", 5.9, 6.0, "high"),
        ("potassium:high", "lisinopril", "potassium", 6.4, 6.5, "critical"),
        ("potassium:high", "eplerenone", "potassium", 5.5, 5.6, "high"),
        ("potassium:high", "potassium chloride", "potassium", 5.4, 5.5, "high"),
        ("potassium:high", "potassium chloride", "potassium", 5.9, 6.0, "critical"),
        ("potassium:low", "furosemide", "potassium", 2.5, 2.4, "high"),
        ("digoxin-toxicity", "digoxin", "potassium", 3.5, 3.4, "moderate"),
        ("digoxin-toxicity", "digoxin", "potassium", 3.0, 2.9, "high"),
        ("digoxin-toxicity", "digoxin", "potassium", 5.9, 6.0, "high"),
        ("digoxin-toxicity", "digoxin", "magnesium", 1.2, 1.1, "moderate"),
        ("digoxin-toxicity", "digoxin", "digoxin", 1.4, 1.5, "info"),
        ("digoxin-toxicity", "digoxin", "digoxin", 2.0, 2.1, "high"),
        ("digoxin-toxicity", "digoxin", "digoxin", 3.0, 3.1, "critical"),
        ("lithium-toxicity", "lithium", "lithium", 1.2, 1.3, "moderate"),
        ("lithium-toxicity", "lithium", "lithium", 1.4, 1.5, "critical"),
        ("bleeding", "warfarin", "INR", 4.4, 4.5, "moderate"),
        ("bleeding", "warfarin", "INR", 4.9, 5.0, "high"),
        ("bleeding", "warfarin", "INR", 10.0, 10.1, "critical"),
        ("bleeding", "warfarin", "platelets", 50, 49, "critical"),
        ("bleeding", "apixaban", "platelets", 50, 49, "critical"),
        ("bleeding", "enoxaparin", "platelets", 50, 49, "high"),
        ("bleeding", "enoxaparin", "platelets", 25, 24, "critical"),
        ("glucose:low", "glipizide", "glucose", 70, 69, "moderate"),
        ("glucose:low", "glipizide", "glucose", 54, 53, "high"),
        ("glucose:low", "glipizide", "glucose", 40, 39, "critical"),
        ("clozapine-neutrophils", "clozapine", "neutrophils", 1.5, 1.4, "high"),
        ("clozapine-neutrophils", "clozapine", "neutrophils", 1.0, 0.9, "critical"),
        ("metformin-lactate", "metformin", "lactate", 5.0, 5.1, "high"),
        ("phenytoin-level", "phenytoin", "phenytoin", 20, 20.1, "moderate"),
        ("theophylline-level", "aminophylline", "theophylline", 25, 25.1, "critical"),
        # ten times 250 U/L (EAS 2015, with the limit of a published cohort)
        ("statin-creatine-kinase", "simvastatin", "creatine kinase", 2500, 2501, "moderate"),
    ],
)
def test_the_value_and_its_neighbour(
    subject: str, medicine: str, analyte: str, outside: float, inside: float, expected: str
) -> None:
    """At the order and when the result comes: the same."""
    for value, found in ((inside, expected), (outside, None)):
        at_result = severity(subject, order(medicine, 0), result(analyte, value, 1))
        at_order = severity(subject, result(analyte, value, 0), order(medicine, 1))
        assert at_result == at_order
        if found is None:
            assert at_result != expected
        else:
            assert at_result == found


def test_the_kidney_of_metformin() -> None:
    """Woman of 50, CKD-EPI 2021 by hand: 1.0 mg/dL is 69, 1.9 is 32, 2.0 is 30.0 and 2.1 is 28; contraindicated below 30."""
    woman = patient(-1, birth_date=date(1976, 1, 1), sex="female")
    assert severity("metformin:kidney", woman, order("metformin"), result("creatinine", 1.0, 1)) == ""
    assert severity("metformin:kidney", woman, order("metformin"), result("creatinine", 2.1, 1)) == "high"
    # without age and sex there is no estimate, and no alert from a guess
    assert severity("metformin:kidney", order("metformin"), result("creatinine", 2.1, 1)) == ""


def test_an_estimate_that_moves_is_said_to_be_unreliable() -> None:
    woman = patient(-1, birth_date=date(1976, 1, 1), sex="female")
    moving = (result("creatinine", 1.0, 0), result("creatinine", 2.4, 20))
    assert "not reliable" in opened(woman, order("metformin"), *moving)["metformin:kidney"].detail
    steady = (result("creatinine", 2.4, 0), result("creatinine", 2.4, 20))
    assert "not reliable" not in opened(woman, order("metformin"), *steady)["metformin:kidney"].detail


# --- the story, whatever comes first


STORY = (
    order("lisinopril", 0),
    order("spironolactone", 1),
    result("potassium", 4.5, 2),
    result("potassium", 5.7, 20),
)


@pytest.mark.parametrize("events", list(permutations(STORY)))
def test_the_order_of_arrival_does_not_matter(events: Sequence[AnyEvent]) -> None:
    (alert,) = opened(*events).values()
    in_time = opened(*STORY)["potassium:high"]
    assert alert.severity == "high"  # 5.5 or more with two medicines, and above 5.5 with spironolactone
    assert alert.medicines == ("lisinopril", "spironolactone")
    for field in ("summary", "rank", "true_since", "actions", "implicated", "rows"):
        assert getattr(alert, field) == getattr(in_time, field)
    assert alert.true_since == at(20)
    # the alert is not told again for an older value that comes late; what is found is the same
    (found,), (expected,) = (list(RULE.findings(play(*each)[0], KNOWN, "potassium:high")) for each in (events, STORY))
    assert found == expected


def test_one_alert_for_all_medicines_and_results() -> None:
    more = (order("trimethoprim", 21), result("potassium", 5.8, 22), order("lisinopril", 23, id="again"))
    state, alerts = play(*STORY, *more)
    assert len({each.alert_id for each in alerts}) == len(state.open_alerts) == 1
    (alert,) = state.open_alerts.values()
    assert alert.medicines == ("lisinopril", "spironolactone", "trimethoprim")
    assert alert.summary.startswith("Potassium 5.8 mmol/L with ")


def test_two_orders_of_one_medicine_are_not_two_medicines() -> None:
    twice = (order("lisinopril", 0, id="one"), order("lisinopril", 0, id="two"))
    assert severity("potassium:high", *twice, result("potassium", 5.5, 1)) == "moderate"
    assert severity("potassium:high", *twice, order("losartan"), result("potassium", 5.5, 1)) == "high"


def test_the_flush_of_a_line_is_no_second_medicine_and_no_anticoagulation() -> None:
    flush = order(
        "heparin", 0, route="IV", drug=Drug(text="Heparin Flush (10 units/ml)", ingredients=(Ingredient("heparin"),))
    )
    assert severity("potassium:high", flush, order("lisinopril"), result("potassium", 5.5, 1)) == "moderate"
    assert opened(flush, result("platelets", 20, 1)) == {}
    drip = order("heparin", 0, route="IV")
    assert severity("potassium:high", drip, order("lisinopril"), result("potassium", 5.5, 1)) == "high"
    assert severity("bleeding", drip, result("platelets", 20, 1)) == "critical"


def test_a_topical_medicine_does_nothing_to_a_value() -> None:
    eye = order("gentamicin", 0, route="ophthalmic")
    assert opened(eye, result("gentamicin", 3, 1, drawn="trough")) == {}


# --- stop, cancel, correct


@pytest.mark.parametrize("status", ["discontinued", "held", "entered_in_error"])
def test_it_ends_with_the_medicine(status: str) -> None:
    story = (order("lisinopril"), result("potassium", 6.6, 1), order("lisinopril", 2, version=2, status=status))
    state, alerts = play(*story)
    assert state.open_alerts == {}
    assert alerts[-1].status == ("withdrawn" if status == "entered_in_error" else "resolved")


@pytest.mark.parametrize("status", ["cancelled", "entered_in_error"])
def test_it_ends_with_a_result_that_is_taken_back(status: str) -> None:
    wrong = result("potassium", 6.6, 1, id="k", version=2, status=status)
    state, alerts = play(order("lisinopril"), result("potassium", 6.6, 1, id="k"), wrong)
    assert state.open_alerts == {}
    assert alerts[-1].status == "withdrawn"


def test_a_newer_value_ends_it_and_time_does_not() -> None:
    state, _ = play(order("insulin", 0), result("glucose", 38, 1))
    state, _ = advance(state, at(40), KNOWN, at(40))
    assert [each.severity for each in state.open_alerts.values()] == ["critical"]
    state, _ = take_event(state, result("glucose", 110, 41), KNOWN, at(41))
    assert state.open_alerts == {}


# --- a value that was there before


def test_a_value_counts_for_a_new_order_only_while_it_is_fresh() -> None:
    """Potassium: 7 days; replaced while high: 24 hours; glucose with insulin: 24 hours."""
    assert severity("potassium:high", result("potassium", 6.6, 0), order("lisinopril", 7 * DAY)) == "critical"
    assert severity("potassium:high", result("potassium", 6.6, 0), order("lisinopril", 7 * DAY + 1)) == ""
    assert severity("glucose:low", result("glucose", 50, 0), order("insulin", 24)) == "high"
    assert severity("glucose:low", result("glucose", 50, 0), order("insulin", 25)) == ""
    # but one that came while the medicine acts does not age
    assert (
        severity("potassium:high", order("lisinopril", 0), result("potassium", 6.6, 1), order("aspirin", 30 * DAY))
        != ""
    )


def test_an_order_that_begins_later_is_seen_now() -> None:
    later = order("lisinopril", 1, start=at(30))
    alert = opened(result("potassium", 6.6, 0), later)["potassium:high"]
    assert alert.severity == "critical"
    assert "begins" in alert.detail


# --- known and getting better


def test_a_value_that_gets_better_updates_and_asks_nobody_again() -> None:
    state, _ = play(order("potassium chloride"), order("lisinopril"), result("potassium", 7.1, 1))
    (alert,) = state.open_alerts.values()
    answer = Feedback(
        feedback_id="f", alert_id=alert.alert_id, patient_id="p", revision=alert.revision, answer="acknowledged",
        reason="changed", by="me", at=at(2),
    )  # fmt: skip
    state, _ = take_feedback(state, answer, KNOWN, at(2))
    for hours, value in ((3, 6.7), (4, 6.2), (5, 5.6)):
        state, changed = take_event(state, result("potassium", value, hours), KNOWN, at(hours))
        assert [each.history[-1].change for each in changed] == ["updated"]
        assert len(state.open_alerts) == 1
    assert "getting better" in next(iter(state.open_alerts.values())).detail
    # worse again
    state, changed = take_event(state, result("potassium", 6.4, 6), KNOWN, at(6))
    assert [each.history[-1].change for each in changed] == ["attention"]


def test_the_rank_falls_and_rises_with_the_value_through_all_steps() -> None:
    ranks = [
        opened(order("potassium chloride"), result("potassium", value, 1))["potassium:high"].rank
        for value in (5.5, 5.9, 6.0, 6.4, 6.5, 7.5)
    ]
    assert ranks == sorted(set(ranks))


# --- grace


def test_potassium_that_is_no_longer_low_waits_four_hours_for_the_order_to_be_stopped() -> None:
    state, _ = play(order("potassium chloride"), result("potassium", 5.2, 1), result("potassium", 5.2, 3))
    assert state.open_alerts == {}
    (held,) = state.standing.values()
    assert held.opens == at(5)  # four hours after the first such value, not after the newest
    state, _ = take_event(state, result("potassium", 5.2, 5), KNOWN, at(5))
    assert [each.severity for each in state.open_alerts.values()] == ["moderate"]


def test_no_grace_while_a_value_comes_down_from_a_graver_one() -> None:
    state, alerts = play(order("potassium chloride"), result("potassium", 5.8, 1), result("potassium", 5.4, 2))
    assert [each.severity for each in state.open_alerts.values()] == ["moderate"]
    assert [each.status for each in alerts] == ["open", "open"]


def test_the_grace_ends_to_the_minute() -> None:
    story = (order("potassium chloride"), result("potassium", 5.2, 1))
    assert opened(*story, order("acetaminophen", 4.99)) == {}
    assert severity("potassium:high", *story, order("acetaminophen", 5)) == "moderate"


def test_potassium_that_nobody_knows_for_three_days_is_shown_only() -> None:
    stay = patient(-1, stay=Stay(encounter_class="inpatient"))
    two = (stay, order("lisinopril", 0), order("spironolactone", 0), result("potassium", 4.2, 1))
    assert opened(*two, order("acetaminophen", 73)) == {}
    late = opened(*two, order("lisinopril", 73.1, version=2, status="changed"))["potassium:high"]
    assert late.severity == "info"
    assert late.summary == "lisinopril, spironolactone: potassium not known for 72 hours while two medicines raise it"


# --- levels


def test_the_time_since_the_dose_is_said_and_not_assumed() -> None:
    level = result("lithium", 1.6, 12)
    assert "not known" in opened(order("lithium", -100), level)["lithium-toxicity"].detail
    told = opened(order("lithium", -100), given("lithium", 0), level)["lithium-toxicity"]
    assert "12 h after the last dose" in told.detail
    assert told.severity == "critical"


@pytest.mark.parametrize(
    ("medicine", "value", "hours", "expected"),
    [
        ("lithium", 1.6, 8, "critical"),
        ("lithium", 1.6, 7.9, "moderate"),
        ("lithium", 1.9, 2, "moderate"),
        ("lithium", 2.0, 2, "critical"),
        ("digoxin", 3.1, 6, "critical"),
        ("digoxin", 3.1, 5.9, "moderate"),
        ("digoxin", 3.0, 6, "high"),
        ("digoxin", 2.2, 5.9, "info"),  # by itself it says little
        ("digoxin", 10.0, 1, "critical"),
    ],
)
def test_a_level_drawn_too_soon_is_repeated_unless_it_is_extreme(
    medicine: str, value: float, hours: float, expected: str
) -> None:
    alert = opened(order(medicine, -100), given(medicine, 0), result(medicine, value, hours))[f"{medicine}-toxicity"]
    assert alert.severity == expected
    assert alert.actions[0].startswith("Repeat it") == (expected in ("moderate", "info"))


def test_a_trough_counts_as_a_trough_only() -> None:
    acts = order("vancomycin", 0, route="IV")
    assert severity("vancomycin-level", acts, result("vancomycin", 21, 10, drawn="trough")) == "moderate"
    assert opened(acts, result("vancomycin", 21, 10, drawn="peak")) == {}
    assert opened(acts, result("vancomycin", 21, 10)) == {}
    # a later peak does not make the trough good
    both = (result("vancomycin", 21, 10, drawn="trough"), result("vancomycin", 18, 11, drawn="peak"))
    assert severity("vancomycin-level", acts, *both) == "moderate"


@pytest.mark.parametrize(
    ("medicine", "value", "expected"),
    [
        ("vancomycin", 20.1, "moderate"),
        ("gentamicin", 2.1, "moderate"),
        ("amikacin", 8.1, "moderate"),
        ("amikacin", 10.1, "high"),
    ],
)
def test_a_level_drawn_late_in_the_interval_is_a_trough_though_no_code_says_so(
    medicine: str, value: float, expected: str
) -> None:
    """Every 12 hours: from four fifths of it, 9.6 h after the dose."""
    subject = "vancomycin-level" if medicine == "vancomycin" else "aminoglycoside-level"
    twice = Dosage(route="IV", dose=Quantity(100, "mg"), frequency_per_day=2)
    acts = (order(medicine, -50, dosage=twice), given(medicine, 0, route="IV"))
    assert severity(subject, *acts, result(medicine, value, 9.6)) == expected
    assert severity(subject, *acts, result(medicine, value, 9.5)) == ""
    assert severity(subject, *acts, result(medicine, value, 9.6, drawn="peak")) == ""
    # by the longest interval that is known: the doses were a day apart
    daily = (order(medicine, -50, route="IV"), given(medicine, -24, route="IV"), given(medicine, 0, route="IV"))
    assert severity(subject, *daily, result(medicine, value, 19.1)) == ""
    assert severity(subject, *daily, result(medicine, value, 19.2)) == expected


@pytest.mark.parametrize(("value", "expected"), [(8, ""), (8.1, "moderate"), (10, "moderate"), (10.1, "high")])
def test_amikacin_troughs(value: float, expected: str) -> None:
    """Mayo Clinic Laboratories: below 8, toxic above 10 mcg/mL."""
    level = result("amikacin", value, 10, drawn="trough")
    assert severity("aminoglycoside-level", order("amikacin", 0, route="IV"), level) == expected


def test_what_lowers_the_limit_of_a_level() -> None:
    failing = (result("creatinine", 1.0, -40), result("creatinine", 1.5, 0))
    for subject, medicine, value, alone, with_it in (
        ("digoxin-toxicity", "digoxin", 1.5, "info", "moderate"),
        ("vancomycin-level", "vancomycin", 15.1, "", "moderate"),
        ("aminoglycoside-level", "gentamicin", 1.1, "", "moderate"),
        ("aminoglycoside-level", "tobramycin", 1.1, "", "moderate"),
    ):
        level = result(medicine, value, 1, drawn="" if medicine == "digoxin" else "trough")
        acts = order(medicine, -50, route="IV")
        assert severity(subject, acts, level) == alone
        assert severity(subject, acts, *failing, level) == with_it
    raised = (order("digoxin", -50), order("amiodarone", -50), result("digoxin", 1.5, 1))
    assert severity("digoxin-toxicity", *raised) == "moderate"
    strong = (order("tacrolimus", -50), order("voriconazole", -50))
    assert severity("tacrolimus-level", *strong, result("tacrolimus", 15.1, 1)) == "moderate"
    assert severity("tacrolimus-level", *strong[:1], result("tacrolimus", 15.1, 1)) == ""
    old = patient(-1, birth_date=date(1950, 1, 1))
    assert severity("lithium-toxicity", old, order("lithium", -50), result("lithium", 0.81, 1)) == "info"
    assert severity("lithium-toxicity", old, order("lithium", -50), result("lithium", 0.8, 1)) == ""


@pytest.mark.parametrize(("hours", "value", "expected"), [(4, 21, "moderate"), (1, 41, "high")])
def test_a_trough_that_was_none_is_repeated_unless_it_is_extreme(hours: float, value: float, expected: str) -> None:
    """With kidney injury a trough above 20 is high; drawn too soon after the dose it waits for the repeat."""
    failing = (result("creatinine", 1.0, -40), result("creatinine", 1.5, -1))
    acts = (order("vancomycin", -50, route="IV"), given("vancomycin", 0, route="IV"), *failing)
    level = result("vancomycin", value, hours - 0.1, drawn="trough")
    assert severity("vancomycin-level", *acts, level) == expected


def test_a_dose_counts_although_its_order_has_ended() -> None:
    ended = order("digoxin", 0, end=at(10))
    story = (ended, given("digoxin", 12, order_id="digoxin"), result("digoxin", 3.5, 20))
    alert = opened(*story)["digoxin-toxicity"]
    assert alert.severity == "critical"
    assert "without an order in force" in alert.detail
    assert "administration" in {fact.kind for fact in alert.implicated}
    state, _ = advance(play(*story)[0], at(37), KNOWN, at(37))
    late, _ = take_event(state, result("potassium", 4, 37), KNOWN, at(37))
    assert late.open_alerts == {}


# --- what is not known


def test_what_is_not_known_and_would_make_it_graver_is_said() -> None:
    alert = opened(order("digoxin"), result("potassium", 3.4, 1))["digoxin-toxicity"]
    assert alert.severity == "moderate"
    assert "Not known: " in alert.detail
    assert "magnesium < 1.2" in alert.detail
    known = opened(order("digoxin"), result("magnesium", 2.0, 0), result("potassium", 3.4, 1))["digoxin-toxicity"]
    assert "magnesium < 1.2" not in known.detail


def test_dialysis_that_is_not_known_does_not_silence_digoxin_in_kidney_injury() -> None:
    course = (result("creatinine", 1.0, 0), result("creatinine", 2.0, 40))
    alert = opened(order("digoxin"), *course)["digoxin-toxicity"]
    assert alert.severity == "high"
    assert "dialysis" in alert.detail


def test_benign_ethnic_neutropenia_has_limits_of_its_own() -> None:
    trait = patient(-1, traits=Traits(benign_ethnic_neutropenia=True))
    other = patient(-1, traits=Traits(benign_ethnic_neutropenia=False))
    count = result("neutrophils", 0.9, 1)
    assert opened(trait, order("clozapine"), count)["clozapine-neutrophils-benign-ethnic"].severity == "high"
    assert "clozapine-neutrophils" not in opened(trait, order("clozapine"), count)
    assert set(opened(other, order("clozapine"), count)) == {"clozapine-neutrophils"}
    assert "benign_ethnic_neutropenia" in opened(order("clozapine"), count)["clozapine-neutrophils"].detail


@pytest.mark.parametrize(("value", "expected"), [(1.0, ""), (0.9, "high"), (0.5, "high"), (0.4, "critical")])
def test_neutrophils_in_benign_ethnic_neutropenia(value: float, expected: str) -> None:
    """FDA label of clozapine: above 1.0 goes on, below 0.5 is stopped."""
    trait = patient(-1, traits=Traits(benign_ethnic_neutropenia=True))
    story = (trait, order("clozapine"), result("neutrophils", value, 1))
    assert severity("clozapine-neutrophils-benign-ethnic", *story) == expected


def test_a_small_rise_of_a_low_creatinine_is_no_injury_for_methotrexate_but_in_a_child() -> None:
    small = (order("methotrexate"), result("creatinine", 0.2, 0), result("creatinine", 0.3, 20))
    adult, child = (patient(-1, birth_date=date(year, 1, 1), sex="female") for year in (1976, 2020))
    assert opened(adult, *small) == {}
    assert severity("methotrexate-kidney", child, *small) == "high"
    assert severity("methotrexate-kidney", adult, *small[:2], result("creatinine", 0.5, 20)) == "high"


def test_a_haemolysed_specimen_is_said_and_still_counts() -> None:
    spoiled = result("potassium", 6.6, 1, specimen=Specimen(haemolysed=True))
    alert = opened(order("lisinopril"), spoiled)["potassium:high"]
    assert alert.severity == "critical"
    assert "haemolysed" in alert.detail


def test_a_value_beyond_what_a_machine_reads_counts_as_beyond() -> None:
    assert severity("potassium:high", order("lisinopril"), result("potassium", 10, 1, comparator=">")) == "critical"
    assert severity("bleeding", order("warfarin"), result("platelets", 25, 1, comparator="<")) == "critical"


# --- what it costs, and what it shows


def test_an_analyte_that_no_step_of_these_medicines_reads_is_not_asked_about() -> None:
    state, _ = play(order("lisinopril"), result("potassium", 4, 1))
    for analyte in ("INR", "lithium", "urate"):
        change = Change(analytes=frozenset({analyte}), medicines=False, person=frozenset())
        assert set(RULE.parts(change, state, KNOWN)) == set()
    change = Change(analytes=frozenset({"potassium"}), medicines=False, person=frozenset())
    assert set(RULE.parts(change, state, KNOWN)) == {"potassium:high"}


def test_every_step_but_those_of_another_rule_can_be_cited_and_read() -> None:
    reads, citations = RULE.reads(KNOWN), RULE.citations(KNOWN)
    assert reads.ingredients is not None
    for step in KNOWN.thresholds.steps:
        if step.rule not in OWN_RULE:
            assert step.ingredients <= set(reads.ingredients)
            assert set(step.citations) <= set(citations)


def test_each_step_is_found_again_by_what_an_alert_names() -> None:
    finder = RowFinder()
    alert = opened(order("lisinopril"), order("potassium chloride"), result("potassium", 6.6, 1))["potassium:high"]
    assert len(alert.rows) == 2
    for row in alert.rows:
        assert all(found.cells for found in finder.find(row))


def test_the_summary_says_value_medicine_and_problem() -> None:
    alert = opened(order("warfarin"), order("aspirin"), result("INR", 7.3, 1))["bleeding"]
    assert alert.summary == "INR 7.3 with warfarin: INR of 5 or more with a vitamin K antagonist and an antiplatelet"
    assert len(alert.summary) < 140
    many = [
        order(name) for name in ("lisinopril", "spironolactone", "trimethoprim", "tacrolimus", "naproxen", "heparin")
    ]
    assert len(opened(*many, result("potassium", 6.6, 1))["potassium:high"].summary) < 140


# --- what the rule of critical values would have said beside it


@pytest.mark.parametrize("events", list(permutations([result("potassium", 8.0, 1), result("magnesium", 0.9, 1)])))
def test_a_tube_with_edta_is_suspected_where_magnesium_is_gone_too(events: tuple[LabResult, ...]) -> None:
    alert = opened(order("lisinopril"), *events)["potassium:high"]
    assert alert.severity == "critical", "until a repeat shows otherwise"
    assert "EDTA" in alert.detail
    assert alert.actions[0].startswith("Ask for a repeat from a fresh specimen")
    assert "labs/critical_context.csv#potassium-edta-magnesium" in alert.rows


def test_magnesium_that_is_not_so_low_or_of_another_hour_says_nothing_of_the_tube() -> None:
    high = result("potassium", 8.0, 3)
    for other in (result("magnesium", 1.0, 3), result("magnesium", 0.9, 1.9), result("magnesium", 0.9, 3.1)):
        assert "EDTA" not in opened(order("lisinopril"), high, other)["potassium:high"].detail


def both_rules(monkeypatch: pytest.MonkeyPatch, *events: AnyEvent) -> dict[tuple[str, str], Alert]:
    monkeypatch.setattr(evaluate, "RULES", (RULE, CriticalLab()))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    return {
        (each.rule, each.subject): each for each in play(patient(-1, birth_date=BORN), *events)[0].open_alerts.values()
    }


BORN = date(1950, 1, 1)


@pytest.mark.parametrize("late", [False, True])
def test_critically_low_platelets_with_heparin_are_one_alert_as_grave_as_the_value(
    monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    heparin, low = order("heparin", 2 if late else 0, route="intravenous"), result("platelets", 34, 1)
    found = both_rules(monkeypatch, *((low, heparin) if late else (heparin, low)))
    assert {key: alert.severity for key, alert in found.items()} == {("drug-lab", "bleeding"): "critical"}
    alone = both_rules(monkeypatch, result("platelets", 34, 1))
    assert {key: alert.severity for key, alert in alone.items()} == {("critical-lab", "platelets:low"): "critical"}


def test_critically_low_hemoglobin_is_part_of_the_bleeding_only_where_it_fell(monkeypatch: pytest.MonkeyPatch) -> None:
    heparin = order("heparin", 0, route="intravenous")
    fell = both_rules(monkeypatch, heparin, result("hemoglobin", 9.0, 1), result("hemoglobin", 6.2, 2))
    assert {key: alert.severity for key, alert in fell.items()} == {("drug-lab", "bleeding"): "critical"}
    low = both_rules(monkeypatch, heparin, result("platelets", 49, 1), result("hemoglobin", 6.2, 2))
    assert set(low) == {("drug-lab", "bleeding"), ("critical-lab", "hemoglobin:low")}, (
        "platelets do not tell of hemoglobin"
    )
