"""How an alert's texts say times, lengths of time and orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas.events import Dosage
from services.monitor.evaluate import take_event
from services.monitor.patient.clock import said_at, said_span
from services.monitor.rules.evidence import implicate_order
from tests.support.clinical import KNOWLEDGE, at, order


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (datetime(2026, 11, 2, 11, 0, 59, tzinfo=UTC), "2026-11-02 11:00 UTC"),
        (datetime(2026, 11, 2, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2026-11-01 23:30 UTC"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "1-01-01 00:00 UTC"),
    ],
)
def test_a_time_is_said_in_utc_and_says_so(time: datetime, said: str) -> None:
    assert said_at(time).lstrip("0") == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(hours=2.92), "2 h 55 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(minutes=59.4), "59 min"),
        (timedelta(seconds=20), "0 min"),
        (timedelta(hours=30), "30 h"),
        (timedelta(hours=47, minutes=59.6), "2 d"),
        (timedelta(days=3.5), "3 d 12 h"),
    ],
)
def test_a_length_of_time_is_said_in_hours_and_minutes(span: timedelta, said: str) -> None:
    assert said_span(span) == said


@pytest.mark.parametrize(
    ("text", "route", "label"),
    [
        ("4 mg IV", "IV", "morphine 4 mg IV"),
        ("4 mg intravenously every 4 hours", "intravenous", "morphine 4 mg intravenously every 4 hours"),
        ("40 mg by mouth nightly", "oral", "morphine 40 mg by mouth nightly"),
        ("4 mg intravenously", "IV", "morphine 4 mg intravenously"),
        ("4 mg topically", "topical", "morphine 4 mg topically"),
        ("1 drop nasally", "nasal", "morphine 1 drop nasally"),
        ("4 mg Orally once", "oral", "morphine 4 mg Orally once"),
        ("4 mg every 4 hours", "intravenous", "morphine 4 mg every 4 hours intravenous"),
        ("4 mg in 100 mL IVPB", "IV", "morphine 4 mg in 100 mL IVPB IV"),
        ("4 mg", "", "morphine 4 mg"),
        ("", "oral", "morphine oral"),
        ("4 mg (IV)", "(IV)", "morphine 4 mg (IV)"),
    ],
)
def test_an_order_says_its_route_once(text: str, route: str, label: str) -> None:
    ordered = order("morphine", dosage=Dosage(text=text, route=route))
    state, _ = take_event(None, ordered, KNOWLEDGE, at(0))
    [found] = state.orders.values()
    assert implicate_order(found).label == label
