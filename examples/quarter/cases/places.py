"""Where the people of the quarter are while something happens to them, with nothing else to be said of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from examples.quarter.person import BASIC, Person

Conditions = Iterable[tuple[str, str]]


def on_the_ward(
    p: Person,
    conditions: Conditions = (("J06.9", "acute upper respiratory infection"),),
    *,
    days: int = 7,
    without: Sequence[str] = (),
    unit: str = "4 West",
    **facts: Any,
) -> float:
    """Admitted for so many days, with a quiet panel each second morning ``without`` the tests that the case brings. Gives the day
    of admission."""
    day = p.rng.randint(3, 70) + 0.35
    p.leaves = day + days
    p.register(day - 0.02, conditions, **facts)
    p.admit(day, unit)
    names = [name for name in BASIC if name not in without]
    for number in range(0, days, 2):
        p.panel(day + number + 0.01, names)
    p.discharge(day + days)
    return day


def at_home(p: Person, conditions: Conditions = (), *, without: Sequence[str] = (), **facts: Any) -> float:
    """An outpatient with a quiet panel before the quarter and another in it. Gives a day on which something may happen."""
    p.register(-380, conditions, **facts)
    names = [name for name in BASIC if name not in without]
    p.panel(-20, names)
    day = p.rng.randint(5, 40) + 0.4
    p.panel(day - 4, names)
    return day
