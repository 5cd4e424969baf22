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


def said_at(time: datetime) -> str:
    """A time in a text for people: ``2026-11-02 11:00 UTC``. One zone, because facts of one alert come in several."""
    try:
        time = time.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of the calendar
        time = time.replace(tzinfo=UTC)
    return f"{time:%Y-%m-%d %H:%M} UTC"


def said_span(span: timedelta) -> str:
    """A length of time in a text for people, in the two largest units that matter: ``2 h 55 min``, ``3 d 4 h``."""
    minutes = round(abs(span) / timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days >= 2:
        return f"{days} d {hours} h" if hours else f"{days} d"
    hours += days * 24
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
