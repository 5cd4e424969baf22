"""Liver injury. Limits are typed from the FDA guidance of July 2009; upper limits: ALT, AST 40, ALP 120 U/L, bilirubin 1.2."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import AnyEvent, LabResult
from services.monitor.patient.liver import pattern, r_value
from services.monitor.rules.liver_injury import LiverInjury
from tests.support.alone import alone, diagnosis, now, play, result, severity
from tests.support.clinical import at, order

DAY = 24.0
ISONIAZID = order("isoniazid")
UNITS = {"ALT": "U/L", "AST": "U/L", "alkaline phosphatase": "U/L", "bilirubin": "mg/dL", "INR": "1"}


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(LiverInjury()):
        yield


LATER = order("amlodipine", 20 * DAY + 1)
"""An hour after most tests here: what waits for the rest of a panel has come."""


def liver_test(analyte: str = "ALT", value: float = 30, days: float = 20, **more: Any) -> LabResult:
    return result(analyte, value, days * DAY, UNITS[analyte], **more)


def alt(value: float, days: float = 20, **more: Any) -> LabResult:
    return liver_test("ALT", value, days, **more)


def bilirubin(value: float, days: float = 20) -> LabResult:
    return liver_test("bilirubin", value, days)


def phosphatase(value: float, days: float = 20) -> LabResult:
    return liver_test("alkaline phosphatase", value, days)


# --- the ratio


@pytest.mark.parametrize(("alt_times", "alp_times", "r"), [(5, 1, 5), (1, 5, 0.2)])
def test_published_examples_of_the_r_value(alt_times: float, alp_times: float, r: float) -> None:
    """ALT five times and ALP once the limit: 5, hepatocellular. The other way round: 0.2, cholestatic."""
    assert r_value(alt_times, alp_times) == pytest.approx(r)


@pytest.mark.parametrize(
    ("r", "said"),
    [(5.0, "hepatocellular"), (4.9, "mixed"), (2.1, "mixed"), (2.0, "cholestatic"), (0.2, "cholestatic")],
)
def test_what_an_r_value_says(r: float, said: str) -> None:
    """From 5.0 hepatocellular, 2.1 to 4.9 mixed, up to 2.0 cholestatic (Labcorp after Fontana)."""
    assert pattern(r, 5, 2) == said


def test_no_r_value_without_alkaline_phosphatase() -> None:
    assert r_value(5, 0) is None


# --- the limits


@pytest.mark.parametrize(
    ("enzyme", "jaundice", "alp", "level"),
    [
        (121, 2.5, 100, "high"), (120, 2.5, 100, ""), (121, 2.4, 100, ""), (121, 2.41, 239, "high"), (121, 2.5, 240, ""),
        (121, 2.5, None, "high"),
    ],
)  # fmt: skip
def test_hys_law(enzyme: float, jaundice: float, alp: float | None, level: str) -> None:
    """Above 3 x with bilirubin above 2 x the limit and alkaline phosphatase below 2 x; one that is not known is said."""
    events: list[AnyEvent] = [ISONIAZID, alt(enzyme), bilirubin(jaundice)]
    events += [LATER] if alp is None else [phosphatase(alp)]
    alert = now(*events)
    assert (alert.severity if alert is not None else "") == level
    if alert is not None:
        assert alert.summary.startswith("Liver injury (Hy's law): ALT 3 x ULN, bilirubin")
        assert "isoniazid" in alert.summary
        assert ("alkaline phosphatase" in alert.detail.rsplit("Not known", 1)[1]) == (alp is None)


def test_the_higher_of_the_two_enzymes_counts() -> None:
    assert severity(ISONIAZID, liver_test("AST", 121), bilirubin(2.5), LATER) == "high"
    assert severity(ISONIAZID, liver_test("AST", 121), alt(50), bilirubin(2.5), LATER) == "high"


def test_ast_alone_with_a_normal_alt_is_milder() -> None:
    events = [ISONIAZID, liver_test("AST", 330), bilirubin(2.5)]
    assert severity(*events, alt(40)) == "moderate"
    assert severity(*events, alt(41)) == "high"


@pytest.mark.parametrize(("enzyme", "level"), [(321, "high"), (320, "info"), (201, "info"), (200, "")])
def test_stop_above_8_and_watch_above_5(enzyme: float, level: str) -> None:
    assert severity(ISONIAZID, alt(enzyme)) == level


@pytest.mark.parametrize(("inr", "level"), [(1.6, "high"), (1.5, "")])
def test_stop_with_inr_above_1_5(inr: float, level: str) -> None:
    assert severity(ISONIAZID, alt(121), liver_test("INR", inr)) == level


def test_an_inr_with_warfarin_says_nothing_of_the_liver() -> None:
    assert now(ISONIAZID, order("warfarin"), alt(121), liver_test("INR", 3)) is None
    # nor within the week after it
    ended = order("warfarin", end=at(14 * DAY))
    assert now(ISONIAZID, ended, alt(121), liver_test("INR", 3)) is None
    long_ago = order("warfarin", end=at(12 * DAY))
    assert severity(ISONIAZID, long_ago, alt(121), liver_test("INR", 3)) == "high"


@pytest.mark.parametrize(("days", "level"), [(14, "info"), (14.1, "moderate")])
def test_stop_above_5_for_more_than_two_weeks(days: float, level: str) -> None:
    assert severity(ISONIAZID, alt(210, 5), alt(210, 12), alt(210, 5 + days)) == level
    # not where it was lower in between
    assert severity(ISONIAZID, alt(210, 5), alt(199, 12), alt(210, 5 + days)) == "info"


def test_tests_of_different_weeks_do_not_belong_together() -> None:
    assert severity(ISONIAZID, bilirubin(2.5, 13), alt(121, 20), LATER) == "high"
    assert now(ISONIAZID, bilirubin(2.5, 12.9), alt(121, 20)) is None


# --- medicines and livers


def test_without_a_medicine_known_for_it_it_is_milder_and_said() -> None:
    alert = now(order("amlodipine"), alt(121), bilirubin(2.5), LATER)
    assert alert is not None
    assert alert.severity == "moderate"
    assert "no medicine known" in alert.summary


def test_a_medicine_that_ended_counts_for_thirty_days() -> None:
    events = [alt(121, 40), bilirubin(2.5, 40), phosphatase(100, 40)]
    recent = now(order("isoniazid", end=at(10 * DAY)), *events)
    assert recent is not None
    assert (recent.severity, "ended in the last weeks: isoniazid" in recent.detail) == ("high", True)
    assert severity(order("isoniazid", end=at(9.9 * DAY)), *events) == "moderate"
    # one that never began
    assert severity(order("isoniazid", start=at(50 * DAY)), *events) == "moderate"


def test_known_liver_disease_is_said_and_makes_it_milder() -> None:
    alert = now(ISONIAZID, diagnosis("K74.60"), alt(121), bilirubin(2.5), LATER)
    assert alert is not None
    assert alert.severity == "moderate"
    assert "Known: cirrhosis" in alert.detail


def test_it_ends_with_a_newer_result_and_not_by_age() -> None:
    events = [ISONIAZID, alt(121), bilirubin(2.5)]
    assert severity(*events, order("amlodipine", 200 * DAY)) == "high"
    _, alerts = play(*events, alt(100, 25))
    assert [each.status for each in alerts] == ["open", "resolved"]


def test_the_order_of_arrival_does_not_matter() -> None:
    events = [ISONIAZID, alt(330), bilirubin(2.5), phosphatase(130), diagnosis("K74.60")]
    found = {(each.severity, each.summary, each.detail) for e in permutations(events) if (each := now(*e)) is not None}
    assert len(found) == 1
    assert "R value 7.62: hepatocellular" in found.pop()[2]


def told(value: LabResult, hours: float) -> LabResult:
    """The result, reported so many hours after the specimen was taken."""
    return replace(value, resulted_at=value.occurred_at + timedelta(hours=hours))


@pytest.mark.parametrize("phosphatase_first", [False, True])
@pytest.mark.parametrize(("alp", "statuses"), [(400.0, []), (118.0, ["open"])])
def test_the_middle_of_a_panel_raises_nothing(phosphatase_first: bool, alp: float, statuses: list[str]) -> None:
    """Two times the limit of alkaline phosphatase is 240: 400 is a cholestatic picture, and 118 is Hy's law at once."""
    tests = [alt(150), bilirubin(3.0)]
    panel = [phosphatase(alp), *tests] if phosphatase_first else [*tests, phosphatase(alp)]
    _, alerts = play(ISONIAZID, *panel, order("amlodipine", 30 * DAY))
    assert [each.status for each in alerts] == statuses


@pytest.mark.parametrize(("hours", "level"), [(0.9, ""), (1, "high")])
def test_an_alkaline_phosphatase_that_does_not_come_is_waited_for_one_hour(hours: float, level: str) -> None:
    assert severity(ISONIAZID, alt(150), bilirubin(3.0), order("amlodipine", 20 * DAY + hours)) == level


@pytest.mark.parametrize(("hours", "level"), [(2.9, ""), (3, "high")])
def test_the_hour_counts_from_when_the_laboratory_told(hours: float, level: str) -> None:
    panel = [told(alt(150), 2), told(bilirubin(3.0), 1.5)]
    assert severity(ISONIAZID, *panel, order("amlodipine", 20 * DAY + hours)) == level


def test_what_needs_no_alkaline_phosphatase_does_not_wait() -> None:
    """Above 8 times the limit stands by itself; from 5 times on it is for the list until the hour is over."""
    assert severity(ISONIAZID, alt(330), bilirubin(3.0)) == "high"
    assert severity(ISONIAZID, alt(210), bilirubin(3.0)) == "info"
    assert severity(ISONIAZID, alt(210), bilirubin(3.0), LATER) == "high"


def test_the_next_panel_does_not_take_back_what_was_told() -> None:
    _, alerts = play(ISONIAZID, alt(150), bilirubin(3.0), LATER, alt(170, 21), bilirubin(3.4, 21))
    assert {each.status for each in alerts} == {"open"}
