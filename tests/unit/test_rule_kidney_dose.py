"""Kidney doses on both sides of each limit. Clearances are worked out here by the formula as Cockcroft and Gault wrote it
((140 - age) x kg / (72 x creatinine), 0.85 of it in women), the limits are those of the labels."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import pytest

from schemas.events import Procedure
from schemas.values import Coding
from services.monitor import evaluate
from services.monitor.rules.drug_lab import DrugLab
from services.monitor.rules.kidney_dose import KidneyDose
from tests.support.clinical import at, order, patient
from tests.support.doses import FIBRILLATION, THROMBOSIS, creatinine, found, has, open_after, play, rx, weighs

MAN = patient(-10, birth_date=date(1961, 1, 1), sex="male")
"""65 years: (140 - 65) x 72 kg / 72 makes the clearance 75 over creatinine."""
WEIGHT = weighs(72)
RIVAROXABAN = rx("rivaroxaban", "20 mg", 1, indication=FIBRILLATION)


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (KidneyDose(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


# rivaroxaban in atrial fibrillation: 15 mg from 15 to 50 mL/min, not below 15
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.49, None),  # 50.3
        (1.5, "label allows 15 mg a day"),  # 50
        (5.0, "label allows 15 mg a day"),  # 15
        (5.01, "label says to avoid it"),  # 14.97
    ],
)
def test_rivaroxaban_by_the_actual_weight(value: float, words: str | None) -> None:
    alert = open_after(MAN, WEIGHT, creatinine(value, -1), RIVAROXABAN).get("rivaroxaban")
    if words is None:
        assert alert is None
    else:
        assert alert is not None
        assert (alert.severity, words in alert.summary) == ("high", True)


@pytest.mark.parametrize(("dose", "fires"), [("15 mg", False), ("15.1 mg", True), ("7.5-20 mg", True)])
def test_the_most_that_is_ordered_counts(dose: str, fires: bool) -> None:
    events = (MAN, WEIGHT, creatinine(2, -1), rx("rivaroxaban", dose, 1, indication=FIBRILLATION))
    assert ("rivaroxaban" in open_after(*events)) == fires


def test_the_indication_decides_and_one_that_is_not_known_is_said() -> None:
    before = (MAN, WEIGHT, creatinine(2, -1))
    assert found(*before, rx("rivaroxaban", "20 mg", 1, indication=THROMBOSIS)) == {}
    unknown = found(*before, rx("rivaroxaban", "20 mg", 1))
    assert unknown == {"rivaroxaban": "moderate"}
    alert = open_after(*before, rx("rivaroxaban", "20 mg", 1), creatinine(2, 13))["rivaroxaban"]
    assert "does not say what it is for" in alert.detail
    assert found(*before, has("I48.0"), rx("rivaroxaban", "20 mg", 1)) == {"rivaroxaban": "high"}
    # both reasons are on the list
    assert found(*before, has("I48.0"), has("I82.4"), rx("rivaroxaban", "20 mg", 1)) == {"rivaroxaban": "moderate"}


# metformin: contraindicated below an eGFR of 30, less below 45. CKD-EPI 2021 of a man of 65:
# 142 x (creatinine / 0.9)^-1.2 x 0.9938^65; 2.37 gives 29.64, 2.34 gives 30.10, 1.68 gives 44.79, 1.67 gives 45.12
@pytest.mark.parametrize(("value", "severity"), [(2.37, "high"), (2.34, "moderate"), (1.68, "moderate"), (1.67, None)])
def test_metformin_goes_by_the_egfr(value: float, severity: str | None) -> None:
    filtered = 142 * (value / 0.9) ** -1.2 * 0.9938**65
    assert (filtered < 30, filtered < 45) == (severity == "high", severity is not None)
    assert found(MAN, creatinine(value, -1), rx("metformin", "500 mg", 2)).get("metformin") == severity


# eplerenone: contraindicated up to 30 mL/min; 2.5 mg/dL is 30 exactly
@pytest.mark.parametrize(("value", "severity"), [(2.49, None), (2.5, "high")])
def test_eplerenone_is_not_for_a_clearance_of_30(value: float, severity: str | None) -> None:
    assert found(MAN, WEIGHT, creatinine(value, -1), rx("eplerenone", "25 mg", 1)).get("eplerenone") == severity


def test_a_kidney_problem_that_another_rule_shows_is_one_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metformin goes by an eGFR of 30 and lithium by a clearance of 30 here, and by an eGFR of 30 in the rule of results."""
    monkeypatch.setattr(evaluate, "RULES", (DrugLab(), KidneyDose()))
    before = (MAN, WEIGHT, creatinine(2.6, -1))
    for medicine, subject in (("metformin", "metformin:kidney"), ("lithium", "lithium-toxicity")):
        alerts = open_after(*before, rx(medicine, "300 mg", 2))
        assert {each.subject: each.severity for each in alerts.values()} == {subject: "high"}
        assert found(*before, rx(medicine, "300 mg", 2)) == {subject: "high", medicine: "high"}


def test_stage_5_is_no_dialysis() -> None:
    before = (MAN, WEIGHT, creatinine(5, -1))
    for code, words in (("N18.5", "eGFR"), ("N18.6", "dialysis"), ("Z99.2", "dialysis")):
        alert = open_after(*before, has(code), rx("metformin", "500 mg", 2))["metformin"]
        assert alert.summary.startswith(f"metformin at {words}")


# fondaparinux: contraindicated below 30 mL/min
@pytest.mark.parametrize(("value", "severity"), [(2.5, None), (2.51, "critical")])
def test_a_contraindication_pages_whatever_the_dose(value: float, severity: str | None) -> None:
    for name in ("2.5 mg", ""):
        events = (MAN, WEIGHT, creatinine(value, -1), rx("fondaparinux", name, route="subcutaneous"))
        assert found(*events).get("fondaparinux") == severity


def test_without_a_weight_only_what_a_very_heavy_body_would_not_clear_is_told() -> None:
    ordered = rx("fondaparinux", "2.5 mg", 1, route="subcutaneous")
    # 75 x 150 / 72 is 156.25: 30.05 at 5.2, 29.98 at 5.21 mg/dL
    assert found(MAN, creatinine(5.2, -1), ordered) == {}
    alert = open_after(MAN, creatinine(5.21, -1), ordered)["fondaparinux"]
    assert alert.severity == "high"
    assert "at most 30 mL/min" in alert.summary
    assert "it is not known: weight" in alert.detail


def test_without_an_age_nobody_is_called() -> None:
    ordered = rx("metformin", "500 mg", 2)
    assert found(creatinine(2.9, -1), ordered) == {}  # a man of 18 would have 31
    assert found(creatinine(6, -1), ordered) == {"metformin": "info"}
    assert found(patient(-10, birth_date=date(2016, 1, 1), sex="male"), creatinine(6, -1), ordered) == {}
    assert found(MAN, ordered) == {}


def test_the_kidney_that_changes_under_an_order() -> None:
    state, alerts = play(MAN, WEIGHT, creatinine(1, -1), RIVAROXABAN, creatinine(2, 48))
    (alert,) = state.open_alerts.values()
    assert [each.status for each in alerts] == ["open"]
    assert "after the order of 2026-11-02 08:00 UTC: the kidney has changed under it" in alert.detail
    assert "not reliable: creatinine is rising" in alert.detail
    assert alert.true_since == at(48)
    assert not open_after(MAN, WEIGHT, RIVAROXABAN, creatinine(2, 48), creatinine(1.4, 72))
    stop = order("rivaroxaban", 60, version=2, status="discontinued")
    assert not open_after(MAN, WEIGHT, RIVAROXABAN, creatinine(2, 48), stop)
    wrong = creatinine(2, 48, version=2, status="entered_in_error")
    _, alerts = play(MAN, WEIGHT, RIVAROXABAN, creatinine(2, 48), wrong)
    assert alerts[-1].status == "withdrawn"


def test_the_kidney_that_was_known_at_the_order() -> None:
    alert = open_after(MAN, WEIGHT, creatinine(2, -5), RIVAROXABAN)["rivaroxaban"]
    assert "known before the order of 2026-11-02 08:00 UTC" in alert.detail
    assert alert.true_since == at(0)


def test_the_order_of_arrival_does_not_matter() -> None:
    story = [MAN, WEIGHT, creatinine(1, -30), RIVAROXABAN, creatinine(2, 5)]
    ends = {
        (alert.subject, alert.severity, alert.summary, alert.detail)
        for events in permutations(story)
        for alert in play(*events)[0].open_alerts.values()
    }
    assert len(ends) == 1


def test_a_dose_that_is_not_known_is_said() -> None:
    events = (MAN, WEIGHT, creatinine(2, -1), rx("rivaroxaban", indication=FIBRILLATION))
    assert found(*events) == {"rivaroxaban": "moderate"}
    assert "Not known: the dose of a day." in open_after(*events, creatinine(2, 13))["rivaroxaban"].detail
    # half a day is no course
    short = rx("rivaroxaban", indication=FIBRILLATION, end=at(24))
    assert found(MAN, WEIGHT, creatinine(2, -1), short) == {}


def test_what_falls_is_better_than_its_estimate() -> None:
    after = (creatinine(4, -20), creatinine(2.5, -1))
    assert found(MAN, WEIGHT, *after, RIVAROXABAN) == {"rivaroxaban": "moderate"}
    contraindicated = rx("fondaparinux", "2.5 mg", 1, route="subcutaneous")
    assert found(MAN, WEIGHT, creatinine(4, -20), creatinine(2.6, -1), contraindicated) == {"fondaparinux": "critical"}


# tramadol by mouth below 30 mL/min: 200 mg a day, 12 hours apart
@pytest.mark.parametrize(
    ("dose", "often", "fires"), [("100 mg", 2, False), ("101 mg", 2, True), ("50 mg", 2, False), ("25 mg", 3, True)]
)
def test_dose_and_interval(dose: str, often: float, fires: bool) -> None:
    events = (MAN, WEIGHT, creatinine(3, -1), rx("tramadol", dose, often))
    assert found(*events) == ({"tramadol": "moderate"} if fires else {})


def test_a_dose_for_prevention() -> None:
    """Below 30 mL/min enoxaparin is 1 mg/kg a day, and 30 mg a day where it prevents."""
    before = (MAN, WEIGHT, creatinine(3, -1))
    prevents = (Coding("local", "vte", "VTE prophylaxis"),)
    assert found(*before, rx("enoxaparin", "40 mg", 1, route="subcutaneous", indication=prevents)) == {
        "enoxaparin": "high"
    }
    assert found(*before, rx("enoxaparin", "30 mg", 1, route="subcutaneous", indication=prevents)) == {}
    assert found(*before, rx("enoxaparin", "72 mg", 1, route="subcutaneous", indication=THROMBOSIS)) == {}
    assert found(*before, rx("enoxaparin", "73 mg", 1, route="subcutaneous", indication=THROMBOSIS)) == {
        "enoxaparin": "high"
    }
    assert found(*before, rx("enoxaparin", "40 mg", 1, route="subcutaneous")) == {"enoxaparin": "moderate"}


def test_dialysis_is_the_lowest_step_or_the_label_s_own() -> None:
    dialysis = patient(-9, procedures=(Procedure(kind="dialysis"),))
    before = (MAN, WEIGHT, dialysis, creatinine(5, -1))
    assert found(*before, rx("metformin", "500 mg", 2)) == {"metformin": "high"}
    assert found(*before, rx("gabapentin", "300 mg", 2)) == {"gabapentin": "moderate"}  # up to 300 mg a day
    assert found(*before, rx("gabapentin", "300 mg", 1)) == {}
    assert found(*before, rx("varenicline", "0.5 mg", 1)) == {}
    assert found(*before, rx("varenicline", "0.5 mg", 2)) == {"varenicline": "moderate"}  # 0.5 mg a day
    # a diagnosis beside a kidney that clears (a transplant) is an old one
    assert found(MAN, has("N18.6"), creatinine(0.8, -1), rx("metformin", "500 mg", 2)) == {}
    assert found(MAN, has("N18.6"), creatinine(5, -1), rx("metformin", "500 mg", 2)) == {"metformin": "high"}


def test_a_step_without_a_number_is_for_the_list_until_the_kidney_is_far_below() -> None:
    """Cefepime is to be lowered up to 60 mL/min: 2.4 mg/dL is 31.25, 2.6 mg/dL is 28.8."""
    ordered = rx("cefepime", "2 g", 2, route="intravenous")
    assert found(MAN, WEIGHT, creatinine(2.4, -1), ordered) == {"cefepime": "moderate"}
    assert found(MAN, WEIGHT, creatinine(2.6, -1), ordered) == {"cefepime": "high"}
    once = rx("cefepime", "2 g", route="intravenous", one_time=True)
    assert found(MAN, WEIGHT, creatinine(2.6, -1), once) == {}


def test_what_does_not_get_into_the_body_is_not_asked() -> None:
    drops = rx("ciprofloxacin", "1 drop", 4, route="ophthalmic")
    assert found(MAN, WEIGHT, creatinine(6, -1), drops) == {}


def test_a_dose_for_the_list_has_time_until_the_next_round() -> None:
    before = (MAN, WEIGHT, rx("tramadol", "100 mg", 4), creatinine(3, 10))
    assert not open_after(*before)
    assert not open_after(*before, creatinine(3, 21))
    # each new result does not begin the time anew
    assert "tramadol" in open_after(*before, creatinine(3, 16), creatinine(3, 22.5))
