"""When a level was drawn against the doses given: whether it is a trough, and what the doses before it were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from knowledge.threshold import Level
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.taken import Taken

_DAY = timedelta(days=1)


def doses_before(ingredients: Sequence[str], before: datetime, state: PatientState) -> list[Fact[Given]]:
    """The doses given of any of the ingredients up to a time, as far as they are kept, oldest first."""
    given = (
        fact for fact in state.doses.values()
        if not fact.void and fact.what.status == "given" and fact.at <= before
        and any(each in fact.what.ingredients for each in ingredients)
    )  # fmt: skip
    return sorted(given, key=lambda fact: (fact.at, fact.key))


def drawn_so(result: Result, drawn: str, level: Level | None, of: Taken, state: PatientState) -> bool:
    """Whether a result of ``level`` was drawn as ``drawn`` says: by its code, or, of a trough, by how long after the last dose.

    A level that is drawn late in the interval is at most a little above the trough; one drawn after the next dose was due is
    below it. Where no dose is known, only the code counts.
    """
    if result.drawn or drawn != "trough":
        return result.drawn == drawn
    if level is None or level.trough_share is None:
        return False
    given = doses_before((of.ingredient,), result.at, state)
    return bool(given) and result.at - given[-1].at >= level.trough_share * _interval(given, of.orders, level)


def _interval(given: Sequence[Fact[Given]], orders: Sequence[Order], level: Level) -> timedelta:
    """The longest that is known: a sample that is late by it is late by any."""
    ordered = [_DAY / each.dose.frequency for each in orders if each.dose is not None and each.dose.frequency]
    between = [given[-1].at - given[-2].at] if len(given) > 1 else []
    return max([*ordered, *between], default=level.interval)
