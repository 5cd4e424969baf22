"""On which days a patient had a medicine, from what was handed out: the published method, re-worded.

A supply is taken from the day on which it is handed out, and lasts as many days as it is for. While an earlier supply of the same
ingredient lasts, it waits: its first dose is on the day after the last one of that. Supplies of different ingredients do not wait
for one another. On a day on which somebody else gives the medicine (in hospital) nothing is taken of a supply, and the day counts
neither as covered nor as one that should be.

Days are numbers: whole days since 1970-01-01, in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.monitor.patient.bounds import LAST

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def day_of(time: datetime) -> int:
    """The day that a time is in."""
    return (time - _FIRST) // _DAY


def begin_of(day: int) -> datetime:
    """When a day begins, at most the end of the calendar."""
    return _FIRST + min(day * _DAY, LAST - _FIRST)


class Fill(NamedTuple):
    """One ingredient handed out on a day, for so many days."""

    day: int
    days: int


class Taken(NamedTuple):
    """The days of the first and the last dose of a supply."""

    first: int
    last: int


class Share(NamedTuple):
    """Of the days from ``first``, that of the first fill, through the day asked about: how many count, and were covered."""

    first: int
    days: int
    covered: int

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.days if self.days else 100.0


def taken(fills: Iterable[Fill], away: Collection[int] = ()) -> Sequence[Taken]:
    """When each supply of one ingredient is taken, the earliest first."""
    found: list[Taken] = []
    free = None
    for fill in sorted(fills):
        day, left, first = fill.day if free is None else max(fill.day, free), fill.days, None
        while left > 0:
            if day not in away:
                first, left = day if first is None else first, left - 1
            day += 1
        if first is not None:
            found.append(Taken(first, day - 1))
            free = day
    return found


def covered_days(fills: Mapping[str, Iterable[Fill]], away: Collection[int] = ()) -> frozenset[int]:
    """The days on which any of the ingredients is there."""
    spans = (span for of in fills.values() for span in taken(of, away))
    days = (day for span in spans for day in range(span.first, span.last + 1))
    return frozenset(day for day in days if day not in away)


def share(covered: Collection[int], first: int, through: int, away: Collection[int] = ()) -> Share:
    """How much of the time is covered, ``through`` included."""
    wanted = [day for day in range(first, through + 1) if day not in away]
    return Share(first, len(wanted), sum(day in covered for day in wanted))
