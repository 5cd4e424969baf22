"""Which changes of an alert are told to the outside."""

from __future__ import annotations

from schemas.alerts import Alert
from schemas.values import SEVERITIES, Severity


def is_told(alert: Alert, lowest: Severity, told_before: bool) -> bool:
    """Whether this revision is delivered to a channel that wants alerts from ``lowest`` upward.

    Told are: that it opened, that it asks again, that its severity rose, and the end of what was told before.
    """
    change = alert.history[-1].change
    if change in ("resolved", "withdrawn"):
        return told_before
    if SEVERITIES.index(alert.severity) > SEVERITIES.index(lowest):
        return False
    return change in ("opened", "attention") or (change == "updated" and _severity_rose(alert))


def _severity_rose(alert: Alert) -> bool:
    before = alert.history[-2].severity if len(alert.history) > 1 else alert.severity
    return SEVERITIES.index(alert.severity) < SEVERITIES.index(before)
