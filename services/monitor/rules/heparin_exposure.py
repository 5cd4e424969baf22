"""When a patient had heparin in any form, and how a fall of platelets lies to it: the first two parts of the 4Ts score.

Flushes count, and heparin of low molecular weight, and doses given without an order. Days and percents are data
(``drug_labs/numbers.csv``). Heparin on a coated line is in no order, and not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from knowledge.lab_finding import LabFindings
from schemas.alerts import Implicated
from services.monitor.patient.bounds import LAST, ONCE_COUNTS
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.taken import implicate_dose

DAY = timedelta(days=1)


class Run(NamedTuple):
    """A time with heparin without a gap of more than a day. ``until`` is exclusive, None while it goes on. ``before``: how long
    after the end of the run before it began."""

    starts: datetime
    until: datetime | None
    ingredients: frozenset[str]
    facts: tuple[Implicated, ...]
    before: timedelta | None = None


class Fall(NamedTuple):
    """From ``highest`` to ``lowest``; ``first`` is the first count that shows it, ``last_good`` the one before that."""

    highest: Result
    last_good: Result
    first: Result
    lowest: Result
    newest: Result

    @property
    def percent(self) -> float:
        return dropped(self.highest, self.lowest)


def dropped(then: Result, now: Result) -> float:
    """By how many percent a count has fallen."""
    if not then.value or now.value is None:
        return 0.0
    return round((then.value - now.value) / then.value * 100, 6)


def runs(state: PatientState, members: Collection[str]) -> list[Run]:
    """Heparin as ordered, supplied or given up to now, oldest first."""
    found: list[Run] = []
    for each in sorted(_periods(state, members), key=lambda run: (run.starts, run.until or LAST)):
        last = found[-1] if found else None
        if last is not None and (last.until is None or each.starts <= last.until + min(ONCE_COUNTS, LAST - last.until)):
            until = None if last.until is None or each.until is None else max(last.until, each.until)
            facts = tuple(dict.fromkeys((*last.facts, *each.facts)))
            found[-1] = Run(last.starts, until, last.ingredients | each.ingredients, facts, last.before)
        else:
            gap = None if last is None or last.until is None else each.starts - last.until
            found.append(each._replace(before=gap))
    return found


def _periods(state: PatientState, members: Collection[str]) -> Iterator[Run]:
    for order in (*state.orders.values(), *state.supplies.values()):
        here = frozenset(order.ingredients).intersection(members)
        if not here or order.void or order.starts > state.clock:
            continue
        until = order.said_at if order.held else order.acts_until
        if until is None or until > order.starts:
            yield Run(order.starts, until, here, (implicate_order(order),))
    for dose in state.doses.values():
        here = frozenset(dose.what.ingredients).intersection(members)
        if here and not dose.void and dose.what.status == "given" and dose.at <= state.clock:
            yield Run(dose.at, dose.at + min(ONCE_COUNTS, LAST - dose.at), here, (implicate_dose(dose),))


def falls(results: Sequence[Result], known: LabFindings) -> list[Fall]:
    """The fall from the highest count of the window to the lowest after it, and of a course that rose again in between by as much
    as a fall must be, also the later one (the usual picture after an operation). Empty where platelets have not fallen enough, or
    have recovered."""
    sure = [each for each in results if each.sure and each.value is not None]
    if len(sure) < 2:
        return []
    newest = sure[-1]
    window = [each for each in sure if newest.at - each.at <= known.span("heparin-window")]
    least = known.value("heparin-fall")
    found: list[Fall] = []
    for place, high in enumerate(window[:-1]):
        later = window[place + 1 :]
        down = min(later, key=lambda each: (each.value or 0, -each.at.timestamp()))
        if any((each.value or 0) >= (high.value or 0) for each in later) or dropped(high, down) < least:
            continue
        if dropped(high, newest) < known.value("heparin-recovered"):
            continue
        lowest = min((each.value or 0 for each in window[:place]), default=None)
        recovered = lowest is not None and (high.value or 0) >= lowest * (1 + least / 100)
        if not found or recovered:
            at = next(i for i, each in enumerate(later) if dropped(high, each) >= least)
            found.append(Fall(high, (high, *later)[at], later[at], down, newest))
    return found


def timing(first: datetime, run: Run, known: LabFindings) -> tuple[int, str]:
    """How the time fits at which a fall was first seen, for heparin that began with ``run``: 2 typical, 1 possible or unclear,
    0 too early; and in words. The first day of heparin is day 0."""
    day = (first - run.starts) // DAY
    of_late = run.before is not None and run.before <= known.span("heparin-of-late")
    before = run.before is not None and run.before <= known.span("heparin-before")
    earlier = "" if run.before is None else f", heparin {run.before // DAY} days before that"
    said = f"day {day} of heparin{earlier}"
    if known.value("heparin-day-from") <= day <= known.value("heparin-day-to"):
        return 2, said
    if day > known.value("heparin-day-to"):
        return 1, said
    if first - run.starts <= known.span("heparin-at-once") and of_late:
        return 2, said
    if day < known.value("heparin-too-early") and not before:
        return 0, f"{said}, none in the {known.value('heparin-before'):g} days before it that is known"
    return 1, said
