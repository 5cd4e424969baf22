"""Who is told of what, and since when an alert asks for an answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.alerts import Acknowledgement, Alert
from schemas.values import Severity
from services.notify.routing.asking import asks_since
from services.notify.routing.severity import is_told
from tests.support.alerts import T0, alert, changed

ANSWERED = Acknowledgement(by="A. Pharmacist", at=T0, reason="will_monitor")


@pytest.mark.parametrize(
    ("severity", "lowest", "told"),
    [
        ("critical", "critical", True),
        ("critical", "info", True),
        ("high", "critical", False),
        ("high", "high", True),
        ("moderate", "high", False),
        ("info", "moderate", False),
        ("info", "info", True),
    ],
)
def test_an_alert_that_opens_is_told_from_the_lowest_severity_upward(
    severity: Severity, lowest: Severity, told: bool
) -> None:
    assert is_told(alert(severity), lowest, told_before=False) is told


def test_an_update_is_told_only_when_the_severity_rose() -> None:
    opened = alert("high")
    assert not is_told(changed(opened, "updated", rank=9.0), "high", told_before=True)
    assert is_told(changed(opened, "updated", severity="critical"), "high", told_before=True)
    assert not is_told(changed(alert("critical"), "updated", severity="high"), "high", told_before=True)
    assert not is_told(changed(alert("info"), "updated", severity="moderate"), "high", told_before=False)
    assert is_told(changed(alert("moderate"), "updated", severity="high"), "high", told_before=False)


def test_asking_again_is_told_and_an_answer_is_not() -> None:
    answered = changed(alert("high"), "acknowledged", acknowledgement=ANSWERED)
    assert not is_told(answered, "high", told_before=True)
    assert is_told(changed(answered, "attention", acknowledgement=None), "high", told_before=True)
    assert not is_told(changed(answered, "attention", acknowledgement=None), "critical", told_before=False)


@pytest.mark.parametrize("end", ["resolved", "withdrawn"])
def test_the_end_is_told_to_who_was_told_before_whatever_the_severity_is_now(end: str) -> None:
    ended = changed(changed(alert("high"), "updated", severity="info"), end)  # type: ignore[arg-type]
    assert is_told(ended, "high", told_before=True)
    assert not is_told(ended, "info", told_before=False)


def _asks(*steps: Alert) -> list[int]:
    return [asks_since(step) for step in steps]


def test_an_alert_asks_since_it_last_got_worse() -> None:
    opened = alert("moderate", rank=1.0)
    milder = changed(opened, "updated", rank=0.5)
    graver = changed(milder, "updated", rank=0.7)
    higher = changed(graver, "updated", severity="high", rank=0.1)
    answered = changed(higher, "acknowledged", acknowledgement=ANSWERED)
    lower = changed(answered, "updated", severity="moderate", rank=5.0)
    again = changed(lower, "attention", acknowledgement=None)
    assert _asks(opened, milder, graver, higher, answered, lower, again) == [1, 1, 3, 4, 4, 4, 7]


def test_the_same_again_asks_nothing_new() -> None:
    opened = alert("high", rank=1.0)
    again = changed(opened, "updated", summary="other words", true_since=T0 + timedelta(hours=1))
    assert asks_since(again) == 1
