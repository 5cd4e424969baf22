"""How grave it is that a medicine was given or handed out after its order had been stopped: ``stops/after_stop.csv``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Literal

from msgspec import Struct

from knowledge.sources import Sources
from knowledge.tables import Row, read
from schemas.values import SEVERITIES, Citation, Severity

FILE = "stops/after_stop.csv"
EVERY = "*"
"""Stands for every medicine that no other row names."""


class AfterStopRow(Row, frozen=True, kw_only=True):
    """``medicine`` is a property, an ingredient or ``*``. ``charting_minutes``: a dose so soon after the stop was on its way;
    ``tail_minutes``: so long an infusion that ran may be charted on; ``waits_minutes``: how long a late order is waited for."""

    medicine: str
    given: Severity
    dispensed: Severity
    charting_minutes: int
    tail_minutes: int
    waits_minutes: int
    harm: str
    actions: tuple[str, ...]
    evidence_grade: str
    status: Literal["verified", "unverified"]
    author: str


class AfterStop(Struct, frozen=True, kw_only=True):
    """One row; the first column names it."""

    medicine: str
    given: Severity
    dispensed: Severity
    charting: timedelta
    tail: timedelta
    waits: timedelta
    harm: str
    actions: tuple[str, ...]
    evidence_grade: str
    citations: tuple[Citation, ...]


class AfterStops(Struct, frozen=True, kw_only=True):
    """``by_ingredient`` has the gravest row of each; what is not in it has ``every``."""

    by_ingredient: Mapping[str, AfterStop] = {}
    every: AfterStop | None = None

    def of(self, ingredients: Collection[str]) -> AfterStop | None:
        """The gravest row of a product; None where the knowledge has none at all."""
        found = [self.by_ingredient[each] for each in sorted(ingredients) if each in self.by_ingredient]
        return min(found, key=_gravest_first, default=self.every)


def read_after_stops(
    root: Traversable, sources: Sources, members: Mapping[str, Collection[str]], ingredients: Collection[str]
) -> AfterStops:
    """``members`` are those of each property, ``ingredients`` those that a name stands for."""
    table = sources.checked(read(root, FILE, AfterStopRow))
    by_ingredient: dict[str, AfterStop] = {}
    every: AfterStop | None = None
    seen: set[str] = set()
    for row in table.rows:
        if row.medicine in seen:
            raise table.error(row, "medicine", f"{row.medicine!r} is there twice")
        if min(row.charting_minutes, row.tail_minutes, row.waits_minutes) < 0:
            raise table.error(row, "charting_minutes", "no time is shorter than none")
        seen.add(row.medicine)
        one = _built(row, sources)
        if row.medicine == EVERY:
            every = one
        elif row.medicine not in members and row.medicine not in ingredients:
            raise table.error(row, "medicine", f"{row.medicine!r} is no property, no ingredient and not {EVERY!r}")
        else:
            for member in members.get(row.medicine, (row.medicine,)):
                by_ingredient[member] = min(one, by_ingredient.get(member, one), key=_gravest_first)
    return AfterStops(by_ingredient=by_ingredient, every=every)


def _gravest_first(each: AfterStop) -> tuple[int, int, str]:
    return SEVERITIES.index(each.given), SEVERITIES.index(each.dispensed), each.medicine


def _built(row: AfterStopRow, sources: Sources) -> AfterStop:
    return AfterStop(
        medicine=row.medicine,
        given=row.given,
        dispensed=row.dispensed,
        charting=timedelta(minutes=row.charting_minutes),
        tail=timedelta(minutes=row.tail_minutes),
        waits=timedelta(minutes=row.waits_minutes),
        harm=row.harm,
        actions=row.actions,
        evidence_grade=row.evidence_grade,
        citations=sources.citations(row.sources),
    )
