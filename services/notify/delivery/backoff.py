"""How long a delivery waits after a failed attempt."""

from __future__ import annotations

from datetime import timedelta

_SECONDS = (1, 2, 5, 10, 30, 60)


def pause(attempt: int) -> timedelta:
    """The pause after the attempt of this number, counted from 1. It ends at a minute: an alert is late after a minute, so
    the days of the Standard Webhooks text are no use here."""
    return timedelta(seconds=_SECONDS[min(attempt, len(_SECONDS)) - 1])
