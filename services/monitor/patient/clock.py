"""Clinical time: when a fact was so for the patient, and how far the patient's clock has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.events import Event
from services.monitor.patient.bounds import LAST

FIRST = datetime.min.replace(tzinfo=UTC)


def clinical_time(event: Event) -> datetime:
    """``occurred_at``, but for a live source never after its receipt: a fact cannot have happened later than it was told.

    Without this a result dated 2062 by a slip of the keyboard would stay the newest for ever.
    """
    if event.timing == "live" and event.ingested_at is not None:
        return min(event.occurred_at, event.ingested_at)
    return event.occurred_at


def advanced(clock: datetime | None, event: Event) -> datetime:
    """The patient's clock after an event: it only goes forward."""
    time = clinical_time(event)
    return time if clock is None or time > clock else clock


def end_of_day(clock: datetime) -> datetime:
    """What ages are counted from: the age of a thing changes once a day and not with each event, so that what is kept does
    not depend on which event of a day came last."""
    try:
        clock = clock.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of the calendar
        clock = clock.replace(tzinfo=UTC)
    start = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    return start + min(timedelta(days=1), LAST - start)


def later(time: datetime, span: timedelta) -> datetime:
    """``time`` and ``span``, at most the end of the calendar."""
    return time + min(span, LAST - time)


def earlier(time: datetime, span: timedelta) -> datetime:
    """``time`` less ``span``, at least the beginning of the calendar."""
    return time - min(span, time - FIRST)
