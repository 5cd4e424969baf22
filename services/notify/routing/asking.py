"""Since when an alert asks for an answer."""

from __future__ import annotations

from itertools import pairwise

from schemas.alerts import Alert, HistoryEntry
from schemas.values import SEVERITIES


def asks_since(alert: Alert) -> int:
    """The last revision with which the alert asked: it opened, asked again or got worse.

    Who saw this revision or a later one has seen all that matters, and the answer counts. The monitor takes an answer to
    a milder state for one that has to be asked again; so does this.
    """
    asked = [alert.history[0].revision]
    asked += [
        now.revision for before, now in pairwise(alert.history) if now.change == "attention" or _worse(before, now)
    ]
    return max(asked)


def _worse(before: HistoryEntry, now: HistoryEntry) -> bool:
    # a lower index is graver; ranks compare only within one severity
    was, is_ = SEVERITIES.index(before.severity), SEVERITIES.index(now.severity)
    return is_ < was or (is_ == was and now.rank > before.rank)
