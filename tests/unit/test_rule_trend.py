"""Courses towards a limit and values that are low again and again. Limits typed here from their sources: potassium 5.5 (UK
Kidney Association 2023), INR 4.5 (CHEST 2012), neutrophils 1.5 (label of clozapine) and 0.5 within 48 hours (IDSA 2010),
creatine kinase of four times 250 U/L (EAS 2015), glucose 70 mg/dL (ADA). The sizes of the courses are rxvigil's own."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, Condition, LabResult, Procedure, Specimen, Traits
from schemas.values import Coding
from services.local.rows import RowFinder
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES
from services.monitor.rules.trend import Trend
from tests.support.clinical import at, lab, order, patient

KNOWN = load()
UNITS = {each.name: each.unit for each in KNOWN.analytes.values()}
DAY = 24


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (Trend(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def result(analyte: str, value: float, hours: float, **more: Any) -> LabResult:
    unit = UNITS[analyte]
    return lab(analyte, value, hours, **({"unit": unit, "canonical_unit": unit} | more))


def course(analyte: str, *values: float, every: float = 8) -> tuple[LabResult, ...]:
    return tuple(result(analyte, value, place * every) for place, value in enumerate(values))


def play(*events: AnyEvent) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWN, at(0))
    assert state is not None
    return state


def opened(*events: AnyEvent) -> dict[str, Alert]:
    return {each.subject: each for each in play(*events).open_alerts.values()}


LISINOPRIL = order("lisinopril", -100)


def test_it_says_when_the_limit_is_reached_at_this_rate() -> None:
    """By hand: from 4.6 to 5.0 in 8 h is 0.05 an hour, as slow as 4.2 to 5.0 in 16 h; 0.5 more take 10 h from 16 h on."""
    alert = opened(LISINOPRIL, *course("potassium", 4.2, 4.6, 5.0))["potassium:rise"]
    assert alert.severity == "moderate"
    assert alert.summary == (
        "Potassium 4.2, 4.6, 5 mmol/L in 16 h with lisinopril: 5.5 about 2026-11-03 10:00 UTC at this rate"
    )
    assert len(alert.summary) < 140


def test_the_slower_of_the_whole_and_the_last_step_counts() -> None:
    """By hand: 4.2, 4.9, 5.0: at 0.1 in 8 h the 0.5 that are left take 40 h; at 0.8 in 16 h they would take 10."""
    assert opened(LISINOPRIL, *course("potassium", 4.2, 4.9, 5.0)) == {}
    # 0.2 in 8 h: 0.5 take 20 h
    assert "potassium:rise" in opened(LISINOPRIL, *course("potassium", 4.2, 4.8, 5.0))


@pytest.mark.parametrize(
    ("medicine", "analyte", "outside", "inside", "every"),
    [
        # as far as the slope begins to matter
        ("lisinopril", "potassium", (4.1, 4.4, 4.7), (4.2, 4.5, 4.8), 8),
        ("furosemide", "potassium", (4.2, 3.9, 3.6), (4.1, 3.8, 3.5), 8),
        ("hydrochlorothiazide", "sodium", (139, 136, 133), (138, 135, 132), 12),
        ("warfarin", "INR", (1.9, 2.4, 2.9), (2.0, 2.5, 3.0), 12),
        ("clozapine", "neutrophils", (4.6, 3.6, 2.6), (4.5, 3.5, 2.5), 7 * DAY),
        ("cisplatin", "neutrophils", (2.6, 2.1, 1.6), (2.5, 2.0, 1.5), 24),
        ("simvastatin", "creatine kinase", (300, 600, 999), (300, 600, 1000), 24),
        ("warfarin", "hemoglobin", (12.1, 11.1, 10.1), (12, 11, 10), 48),
        ("lithium", "lithium", (0.48, 0.68, 0.88), (0.5, 0.7, 0.9), 14 * DAY),
        # far enough in all
        ("lisinopril", "potassium", (4.6, 4.9, 5.1), (4.5, 4.9, 5.1), 8),
        ("simvastatin", "creatine kinase", (600, 900, 1190), (600, 900, 1200), 24),
        ("warfarin", "hemoglobin", (9.9, 9, 8), (10, 9, 8), 48),
        # the limit comes in time: at 1.0 in 40 h the 1.2 that are left take the 48 h of INR, and 1.3 take 52
        ("warfarin", "INR", (2.2, 2.7, 3.2), (2.3, 2.8, 3.3), 20),
        # behind the limit another rule speaks
        ("lisinopril", "potassium", (4.7, 5.1, 5.5), (4.6, 5.0, 5.4), 8),
        ("warfarin", "INR", (3.5, 4.0, 4.5), (3.4, 3.9, 4.4), 12),
    ],
)
def test_both_sides(
    medicine: str, analyte: str, outside: tuple[float, ...], inside: tuple[float, ...], every: float
) -> None:
    acts = order(medicine, -1000)
    moves = f"{analyte}:{'rise' if inside[0] < inside[2] else 'fall'}"
    assert opened(order("acetaminophen", -1000), *course(analyte, *inside, every=every)) == {}
    assert moves in opened(acts, *course(analyte, *inside, every=every))
    if outside != inside:
        assert opened(acts, *course(analyte, *outside, every=every)) == {}


@pytest.mark.parametrize(("hours", "found"), [(8, True), (8.1, False)])
def test_a_limit_that_is_reached_later_than_a_day_is_not_told(hours: float, found: bool) -> None:
    """The last step of 0.2 took so many hours: the 0.6 that are left take three times as long."""
    assert bool(opened(LISINOPRIL, *course("potassium", 4.3, 4.7, 4.9, every=hours))) == found


@pytest.mark.parametrize(
    ("values", "every"),
    [
        ((4.6, 5.0), 8),  # two are no course
        ((4.2, 5.1, 5.0), 8),  # up and down
        ((4.2, 5.0, 5.0), 8),  # it stands still
        ((4.2, 4.6, 5.0), 2.9),  # all within less than 6 h
        ((4.2, 4.6, 5.0), 37),  # over more than 3 days
    ],
)
def test_what_is_no_course(values: tuple[float, ...], every: float) -> None:
    assert opened(LISINOPRIL, *course("potassium", *values, every=every)) == {}


def test_two_machines_at_one_time_are_one_result_and_a_haemolysed_one_is_none() -> None:
    same = result("potassium", 5.0, 8, id="other")
    assert opened(LISINOPRIL, result("potassium", 4.6, 0), result("potassium", 4.8, 8), same) == {}
    spoiled = result("potassium", 5.0, 16, specimen=Specimen(haemolysed=True))
    assert opened(LISINOPRIL, *course("potassium", 4.2, 4.6), spoiled) == {}
    # so is one drawn soon after, which is believed less than the one before
    soon = (result("potassium", 4.2, 0), result("potassium", 4.6, 8), result("potassium", 5.0, 9.9))
    assert opened(LISINOPRIL, *soon) == {}
    assert "potassium:rise" in opened(LISINOPRIL, *soon[:2], result("potassium", 5.0, 10))
    # the machine that lies less far on counts
    twice = result("potassium", 4.5, 16, id="other")
    assert opened(LISINOPRIL, *course("potassium", 4.2, 4.6, 5.0), twice) == {}


def test_it_ends_with_a_newer_result_that_stands_still_and_never_by_age() -> None:
    story = (LISINOPRIL, *course("potassium", 4.2, 4.6, 5.0))
    assert opened(*story, result("potassium", 5.0, 24)) == {}
    assert opened(*story, order("lisinopril", 20, version=2, status="discontinued")) == {}
    assert opened(*story, result("potassium", 5.0, 16, version=2, status="cancelled")) == {}
    corrected = result("potassium", 4.4, 16, version=2, status="corrected")
    assert opened(*story, corrected) == {}
    late, _ = advance(play(*story), at(30 * DAY), KNOWN, at(30 * DAY))
    assert [each.subject for each in late.open_alerts.values()] == ["potassium:rise"]


def test_what_began_after_it_did_not_move_it() -> None:
    values = course("potassium", 4.2, 4.6, 5.0)
    assert opened(order("lisinopril", 17), *values) == {}
    assert "potassium:rise" in opened(order("lisinopril", 16), *values)


def test_what_excuses_it() -> None:
    rise, fall = course("potassium", 4.2, 4.6, 5.0), course("potassium", 4.1, 3.8, 3.5)
    dialysis = patient(-10, procedures=(Procedure(kind="dialysis", start=at(-10), end=None),))
    assert opened(dialysis, LISINOPRIL, *rise) == {}
    assert "potassium:fall" in opened(order("furosemide", -10), *fall)
    assert opened(order("furosemide", -10), order("potassium chloride", -5), *fall) == {}
    counts = course("neutrophils", 4.5, 3.5, 2.5, every=7 * DAY)
    ethnic = patient(-10, traits=Traits(benign_ethnic_neutropenia=True))
    assert opened(ethnic, order("clozapine", -1000), *counts) == {}
    attack = patient(-10, conditions=(Condition(codings=(Coding("ICD-10", "I21.4", "infarction"),)),))
    muscle = course("creatine kinase", 300, 600, 1000, every=24)
    assert opened(attack, order("simvastatin", -1000), *muscle) == {}
    much = course("creatine kinase", 300, 600, 2501, every=24)
    assert opened(order("simvastatin", -1000), *much) == {}


def test_a_blood_count_that_falls_with_an_antiplatelet_alone_is_shown_only() -> None:
    falls = course("hemoglobin", 12, 11, 10, every=48)
    assert opened(order("clopidogrel", -1000), *falls)["hemoglobin:fall"].severity == "info"
    both = opened(order("clopidogrel", -1000), order("warfarin", -1000), *falls)["hemoglobin:fall"]
    assert both.severity == "moderate"
    assert "clopidogrel" in both.summary
    assert "warfarin" in both.summary


INSULIN = order("insulin glargine", -100, route="subcutaneous")


@pytest.mark.parametrize(
    ("lows", "found"),
    [
        ([(62, 0), (60, 24)], True),
        ([(69, 0), (69, 24)], True),
        ([(70, 0), (69, 24)], False),
        ([(62, 0), (60, 26)], True),
        ([(62, 0), (60, 26.1)], False),  # another time of day
        ([(62, 0), (60, 22)], True),
        ([(62, 0), (60, 21.9)], False),
        ([(62, 0), (60, 48)], True),
        ([(62, 0), (60, 49)], False),  # more than two days
        ([(62, 0), (60, 1)], False),  # the repeat of a low
        ([(62, 0), (60, 4), (61, 8)], True),  # three, at any time
        ([(62, 0), (60, 4), (61, 7.9)], False),
    ],
)
def test_lows_that_come_again_on_insulin(lows: list[tuple[float, float]], found: bool) -> None:
    events = [result("glucose", value, hours) for value, hours in lows]
    assert bool(opened(INSULIN, *events)) == found
    assert opened(order("metformin", -100), *events) == {}


def test_the_time_of_day_is_compared_round_midnight() -> None:
    """The clock begins at 8:00, so that 15.5 h later it is 23:30 and 41 h later 1:00."""
    alert = opened(INSULIN, result("glucose", 61, 15.5), result("glucose", 60, 41))["glucose:repeated"]
    assert alert.summary == "Glucose 61, 60 mg/dL with insulin glargine: low at the same time of day"


def test_a_sulfonylurea_brings_the_low_back() -> None:
    events = (result("glucose", 62, 0), result("glucose", 60, 4))
    assert "glucose:repeated" in opened(order("glipizide", -100), *events)
    assert opened(order("glipizide", -100), result("glucose", 62, 0), result("glucose", 60, 3.9)) == {}


def test_where_a_rule_of_limits_speaks_this_one_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", RULES)
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    lows = (INSULIN, result("glucose", 62, 0), result("glucose", 60, 24))
    rules = {each.rule for each in opened(*lows).values()}
    assert "drug-lab" in rules
    assert "trend" not in rules
    # once that is over, the pattern is told
    after = opened(*lows, result("glucose", 120, 25))
    assert {each.rule for each in after.values()} == {"trend"}


def test_a_course_whose_order_ran_out_gives_way_to_a_rule_that_speaks_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders by the day: one ends as two others begin, and the renewal of the first is waited for."""
    monkeypatch.setattr(evaluate, "RULES", RULES)
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    ends = order("lisinopril", -10, end=at(21))
    story = (ends, *course("potassium", 4.2, 4.6, 5.0), order("heparin", 20, route="IV", start=at(21)))
    assert {each.rule for each in opened(*story).values()} == {"trend"}
    alert = opened(*story, order("spironolactone", 21))["potassium:high"]
    assert (alert.rule, alert.severity) == ("drug-lab", "info")
    assert "trend" not in {each.rule for each in opened(*story, order("spironolactone", 21)).values()}


def test_any_order_of_arrival_ends_the_same() -> None:
    story = (LISINOPRIL, order("spironolactone", -90), *course("potassium", 4.2, 4.6, 5.0))
    ends = set()
    for arrived in permutations(story):
        (alert,) = play(*arrived).open_alerts.values()
        ends.add((alert.subject, alert.severity, alert.summary, frozenset(alert.implicated)))
    assert len(ends) == 1, ends


def test_the_rows_behind_an_alert_are_found() -> None:
    alert = opened(LISINOPRIL, *course("potassium", 4.2, 4.6, 5.0))["potassium:rise"]
    assert alert.rows == ("drug_labs/slopes.csv#potassium-rise",)
    assert all(found.cells for row in alert.rows for found in RowFinder().find(row))


def test_every_row_can_be_cited_and_read() -> None:
    reads, cited = Trend().reads(KNOWN), set(Trend().citations(KNOWN))
    for row in (*KNOWN.trends.slopes, *KNOWN.trends.repeated):
        assert row.ingredients
        assert row.ingredients <= set(reads.ingredients or ())
        assert row.analyte in reads.analytes
        assert set(row.citations) <= cited
        assert row.severity in ("moderate", "info")
