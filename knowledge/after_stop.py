"""How grave it is that a medicine was given or handed out after its order had been stopped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from msgspec import Struct

from knowledge.statement import Statement
from schemas.values import SEVERITIES, Severity

FILE = "stops/after_stop.csv"
EVERY = "*"
"""Stands for every medicine that no other row names."""


class AfterStop(Statement, frozen=True, kw_only=True):
    """One row; the first column names it."""

    medicine: str
    given: Severity
    dispensed: Severity
    charting: timedelta
    tail: timedelta
    waits: timedelta
    harm: str
    actions: tuple[str, ...]


class AfterStops(Struct, frozen=True, kw_only=True):
    """``by_ingredient`` has the gravest row of each; what is not in it has ``every``."""

    by_ingredient: Mapping[str, AfterStop] = {}
    every: AfterStop | None = None

    def of(self, ingredients: Collection[str]) -> AfterStop | None:
        """The gravest row of a product; None where the knowledge has none at all."""
        found = [self.by_ingredient[each] for each in sorted(ingredients) if each in self.by_ingredient]
        return min(found, key=gravest_first, default=self.every)


def gravest_first(each: AfterStop) -> tuple[int, int, str]:
    """The key by which the gravest of several rows comes first."""
    return SEVERITIES.index(each.given), SEVERITIES.index(each.dispensed), each.medicine
