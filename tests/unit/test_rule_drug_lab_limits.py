"""A medicine against a value: zero, the very moment, who is asked, how far it lies and what is said. Limits are typed from the
sources that test_rule_drug_lab.py names; distances are worked out beside each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.events import AnyEvent
from services.monitor import evaluate
from services.monitor.evaluate import take_event
from services.monitor.patient.bounds import Need
from services.monitor.rules.drug_lab import DrugLab
from services.monitor.rules.rule import Finding
from tests.support.clinical import at, order, patient
from tests.unit.test_rule_drug_lab import DAY, KNOWN, given, opened, play, result, severity

RULE = DrugLab()


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (RULE,))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def one(subject: str, *events: AnyEvent) -> Alert:
    return opened(*events)[subject]


def finding(subject: str, *events: AnyEvent) -> Finding:
    (only,) = RULE.findings(play(*events)[0], KNOWN, subject)
    return only


# --- which value counts for whom


def test_no_neutrophils_at_all_are_the_gravest_of_few() -> None:
    assert severity("clozapine-neutrophils", order("clozapine"), result("neutrophils", 0, 1)) == "critical"
    assert severity("glucose:low", order("glipizide"), result("glucose", 0, 1)) == "critical"


def test_what_is_normal_says_nothing_against_what_is_not() -> None:
    """Platelets of 20 with warfarin, whatever INR is; INR of 10.5, whatever platelets are."""
    few = one("bleeding", order("warfarin"), result("INR", 2.5, 1), result("platelets", 20, 1))
    assert "platelets below 25" in few.summary
    long = one("bleeding", order("warfarin"), result("platelets", 200, 1), result("INR", 10.5, 1))
    assert (long.severity, "INR above 10" in long.summary) == ("critical", True)
    assert one("bleeding", order("warfarin"), result("INR", 10.5, 1)).severity == "critical"


def test_each_medicine_is_asked_about_what_acts_beside_it() -> None:
    """Raised potassium counts as high where two raise it together: the first of three acts alone."""
    alone = order("lisinopril", 0, end=at(5))
    later = [order(name, 0, id=name, start=at(6)) for name in ("losartan", "spironolactone")]
    value = result("potassium", 5.5, 1)
    assert one("potassium:high", alone, *later, value).severity == "high"
    assert one("potassium:high", alone, later[0], value).severity == "moderate"


def test_a_value_may_be_too_old_for_one_medicine_and_fresh_for_another() -> None:
    """Potassium counts for 7 days for what begins."""
    value = result("potassium", 6.6, 0)
    alert = one("potassium:high", value, order("lisinopril", 24), order("amiloride", 8 * DAY))
    assert "lisinopril" in alert.summary
    assert "amiloride" not in alert.summary


def test_a_value_that_came_while_it_acts_counts_however_old() -> None:
    """Within 24 hours is of the beginning of potassium chloride."""
    story = (order("potassium chloride", 0), result("potassium", 6.1, 1), order("acetaminophen", 30))
    assert severity("potassium:high", *story) == "critical"
    found = finding("potassium:high", *story)
    assert (found.severity, found.until) == ("critical", None)


def test_a_lactate_of_yesterday_that_came_with_metformin_still_counts() -> None:
    """Within 24 hours is of the beginning of metformin here too, where no other step sees it."""
    later = (order("metformin", 0), result("lactate", 5.1, 1), order("acetaminophen", 30))
    assert finding("metformin-lactate", *later).severity == "high"


def test_what_was_five_and_a_half_waits_no_more() -> None:
    """From 5.5 on there is no grace; what comes down from it has none."""
    down = (order("potassium chloride"), result("potassium", 5.5, 1), result("potassium", 5.4, 2))
    assert severity("potassium:high", *down) == "moderate"
    never = (order("potassium chloride"), result("potassium", 5.4, 1), result("potassium", 5.3, 2))
    assert opened(*never) == {}


def test_what_makes_it_graver_is_a_fact_of_it() -> None:
    alert = one("lithium-toxicity", order("lithium"), order("ibuprofen"), result("lithium", 1.3, 12))
    assert (alert.severity, {fact.label.split()[0] for fact in alert.implicated}) == (
        "high", {"lithium", "ibuprofen"},
    )  # fmt: skip


def test_a_dose_before_a_level_is_a_fact_of_it() -> None:
    level = result("lithium", 1.6, 12)
    with_dose = one("lithium-toxicity", order("lithium", -100), given("lithium", 0), level)
    assert [fact.kind for fact in with_dose.implicated].count("administration") == 1
    without = one("lithium-toxicity", order("lithium", -100), level)
    assert "administration" not in {fact.kind for fact in without.implicated}


# --- since when, and from when it is told


def test_it_is_so_since_the_first_of_equals() -> None:
    found = finding("potassium:high", result("potassium", 6.6, 0), order("lisinopril", 2), order("losartan", 4))
    assert found.since == at(2)


def test_the_first_of_equals_to_be_told_decides() -> None:
    """Potassium above 5: four hours from when it was seen, or the medicine began."""
    two = (order("potassium chloride", 0), order("potassium phosphate", 3), result("potassium", 5.2, 1))
    found = finding("potassium:high", *two)
    assert (found.since, found.opens) == (at(1), at(5))


# --- what is said


def test_the_course_of_a_value_stands_in_the_summary_once() -> None:
    fell = (order("apixaban", -50), result("hemoglobin", 9.0, 0), result("hemoglobin", 6.5, 20))
    summary = one("bleeding", *fell).summary
    assert summary.startswith("Hemoglobin 9 g/dL, now 6.5 g/dL with apixaban: hemoglobin fell by 2 g/dL")
    lactate = one("metformin-lactate", order("metformin"), result("lactate", 5.1, 1))
    assert lactate.summary == "Lactate 5.1 mmol/L with metformin: lactate above 5 with metformin"


def man_of_65() -> AnyEvent:
    return patient(-10, birth_date=at(0).date().replace(year=1961, month=1, day=1), sex="male")


def egfr(creatinine: float) -> float:
    """CKD-EPI 2021 of a man of 65, for a creatinine above 0.9 mg/dL."""
    return 142 * (creatinine / 0.9) ** -1.200 * 0.9938**65


def test_an_estimate_stands_in_the_summary_without_its_formula() -> None:
    alert = one("metformin:kidney", man_of_65(), order("metformin"), result("creatinine", 3.0, 1))
    assert alert.summary.startswith(f"eGFR {egfr(3.0):.4g} mL/min/1.73 m2 with metformin: metformin with eGFR below 30")
    assert "eGFR: " in alert.detail


@pytest.mark.parametrize(
    ("length", "names"),
    [(139, "amiloride, lisinopril, losartan"), (140, "amiloride and 2 more")],
)
def test_as_many_medicines_as_fit_into_139_characters(length: int, names: str) -> None:
    title = "severe hyperkalaemia while a medicine raises potassium"
    whole = f"Potassium 7 mmol/L with amiloride, lisinopril, losartan: {title}"
    unit = "mmol/L" + "." * (length - len(whole))
    orders = [order(name, -20) for name in ("amiloride", "lisinopril", "losartan")]
    summary = one("potassium:high", *orders, result("potassium", 7, unit=unit, canonical_unit=unit)).summary
    assert summary == f"Potassium 7 {unit} with {names}: {title}"
    long = "mmol/L" + "." * 90
    cut = one("potassium:high", *orders, result("potassium", 7, unit=long, canonical_unit=long)).summary
    assert (len(cut), "with amiloride:" in cut) == (139, True)


@pytest.mark.parametrize(("more", "single"), [(0, True), (1, False)])
def test_one_medicine_of_two_is_named_with_how_many_more(more: int, single: bool) -> None:
    title = "severe hyperkalaemia while a medicine raises potassium"
    room = 139 - len(f"Potassium 7 mmol/L with amiloride and 1 more: {title}")
    unit = "mmol/L" + "." * (room + more)
    orders = [order(name, -20) for name in ("amiloride", "lisinopril")]
    summary = one("potassium:high", *orders, result("potassium", 7, unit=unit, canonical_unit=unit)).summary
    assert ("and 1 more" in summary) is single


@pytest.mark.parametrize(
    ("medicine", "analyte", "subject", "before", "now", "course"),
    [
        ("lisinopril", "potassium", "potassium:high", 6.6, 6.8, "it is getting worse"),
        ("lisinopril", "potassium", "potassium:high", 6.8, 6.6, "it is getting better"),
        ("lisinopril", "potassium", "potassium:high", 6.6, 6.6, "no change"),
        ("digoxin", "potassium", "digoxin-toxicity", 3.2, 3.1, "it is getting worse"),
        ("digoxin", "potassium", "digoxin-toxicity", 3.1, 3.2, "it is getting better"),
    ],
)
def test_how_it_moves(medicine: str, analyte: str, subject: str, before: float, now: float, course: str) -> None:
    detail = one(subject, order(medicine), result(analyte, before, 1), result(analyte, now, 3)).detail
    assert f"Before that: {before:g} mmol/L at 2026-11-02 09:00 UTC; {course}." in detail
    assert f"Potassium: {now:g} mmol/L at 2026-11-02 11:00 UTC." in detail


def test_a_trough_moves_from_trough_to_trough() -> None:
    levels = [
        result("vancomycin", value, hours, drawn=drawn)
        for value, hours, drawn in ((25, 1, "trough"), (40, 2, "peak"), (21, 10, "trough"))
    ]
    detail = one("vancomycin-level", order("vancomycin", 0, route="IV"), *levels).detail
    assert "Before that: 25 " in detail
    assert "getting better" in detail


def test_what_other_rules_say_of_the_problem_stands_beside_it() -> None:
    alone = one("potassium:high", order("lisinopril"), result("potassium", 6.6, 1))
    assert "Also:" not in alone.detail
    both = one("potassium:high", order("potassium chloride"), result("potassium", 6.6, 1))
    assert "Also: potassium is being replaced while it is 6.0 or higher." in both.detail


def test_what_begins_now_has_begun() -> None:
    now = one("potassium:high", result("potassium", 6.6, 0), order("lisinopril", 1))
    assert "lisinopril since 2026-11-02 09:00 UTC" in now.detail


# --- how far: rules beyond info, and d / (1 + d) where d is the distance in parts of the mildest limit


@pytest.mark.parametrize(
    ("subject", "events", "rank"),
    [
        # potassium from 4.9 with one rule: 1.7 / 4.9, so 1.7 / 6.6
        ("potassium:high", (order("lisinopril"), result("potassium", 6.6, 1)), 1 + 1.7 / 6.6),
        # two rules
        ("potassium:high", (order("potassium chloride"), result("potassium", 6.6, 1)), 2 + 1.7 / 6.6),
        # info is not counted
        ("potassium:high", (order("lisinopril"), order("losartan"), result("potassium", 5.0, 1)), 0.1 / 5.0),
        # below 3: 0.6 / 3 is a fifth
        ("potassium:low", (order("furosemide"), result("potassium", 2.4, 1)), 1 + 0.2 / 1.2),
        # a fall of 2.4 against 2
        (
            "bleeding",
            (order("apixaban", -50), result("hemoglobin", 14, 0), result("hemoglobin", 11.6, 20)),
            1 + 0.2 / 1.2,
        ),
        # 1.6 times against 1.5
        (
            "lithium-toxicity",
            (order("lithium"), result("creatinine", 2.0, 1), result("creatinine", 3.2, 20)),
            1 + (0.1 / 1.5) / (1 + 0.1 / 1.5),
        ),
        # 1.8 times against 1.5 is a fifth, and a rise of 0.4 against 0.3 a third
        (
            "methotrexate-kidney",
            (order("methotrexate"), result("creatinine", 0.5, 1), result("creatinine", 0.9, 20)),
            1 + (1 / 3) / (4 / 3),
        ),
        # eGFR against 60
        (
            "metformin:kidney",
            (man_of_65(), order("metformin"), result("creatinine", 3.0, 1)),
            1 + ((60 - egfr(3.0)) / 60) / (1 + (60 - egfr(3.0)) / 60),
        ),
    ],
)
def test_how_far(subject: str, events: tuple[AnyEvent, ...], rank: float) -> None:
    assert finding(subject, *events).rank == round(rank, 6)


def test_the_grace_is_counted_to_the_moment() -> None:
    story = (order("potassium chloride"), result("potassium", 5.2, 1))
    state, _ = play(*story)
    (held,) = state.standing.values()
    assert held.opens == at(5)
    state, changed = take_event(state, order("acetaminophen", 5), KNOWN, at(5))
    assert [each.severity for each in changed] == ["moderate"]


# --- what is kept


def test_what_is_kept_of_a_value_that_is_waited_for() -> None:
    """Twice the grace: 6 hours for potassium that a medicine lowers."""
    needs: Any = RULE.reads(KNOWN).analytes
    assert needs["potassium"] == Need(newest=3, within=timedelta(hours=12))
