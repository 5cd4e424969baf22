"""Reads what is given after a stop: ``stops/after_stop.csv``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable

from knowledge.after_stop import EVERY, FILE, AfterStop, AfterStops, gravest_first
from knowledge.reading.sources import Sources
from knowledge.reading.tables import StatementRow, read
from schemas.values import Severity


class AfterStopRow(StatementRow, frozen=True, kw_only=True):
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


def read_after_stops(
    root: Traversable, sources: Sources, members: Mapping[str, Collection[str]], ingredients: Collection[str]
) -> AfterStops:
    """``members`` are those of each property, ``ingredients`` those that a name stands for."""
    table = sources.checked(read(root, FILE, AfterStopRow))
    by_ingredient: dict[str, AfterStop] = {}
    every: AfterStop | None = None
    table.each_once("medicine")
    for row in table.rows:
        if min(row.charting_minutes, row.tail_minutes, row.waits_minutes) < 0:
            raise table.error(row, "charting_minutes", "no time is shorter than none")
        one = _built(row, sources)
        if row.medicine == EVERY:
            every = one
        elif row.medicine not in members and row.medicine not in ingredients:
            raise table.error(row, "medicine", f"{row.medicine!r} is no property, no ingredient and not {EVERY!r}")
        else:
            for member in members.get(row.medicine, (row.medicine,)):
                by_ingredient[member] = min(one, by_ingredient.get(member, one), key=gravest_first)
    return AfterStops(by_ingredient=by_ingredient, every=every)


def _built(row: AfterStopRow, sources: Sources) -> AfterStop:
    return sources.made(
        AfterStop,
        row,
        charting=timedelta(minutes=row.charting_minutes),
        tail=timedelta(minutes=row.tail_minutes),
        waits=timedelta(minutes=row.waits_minutes),
    )
