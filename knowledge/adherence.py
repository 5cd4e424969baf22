"""Whether supplies last: how much of the time they cover, and how long one may be late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.joined import ByMedicine, OfMedicine
from knowledge.statement import Advised
from schemas.values import Severity

Supplied = Literal["late-refill", "stopped-early"]
"""``late-refill``: an order goes on and its supplies have run out. ``stopped-early``: no order goes on, nobody stopped it, and
the supplies have run out."""


class CoveredGroup(Advised, frozen=True, kw_only=True):
    """Medicines that stand for one another, and which part of the days (``percent``) one of them should cover.

    Looked at are the days of the last ``period``, from the first of at least ``fills`` supplies on different days, which is at
    least ``index_before`` ago.
    """

    id: str
    ingredients: frozenset[str]
    percent: float
    period: timedelta
    index_before: timedelta
    fills: int
    severity: Severity


class RunsOut(OfMedicine, frozen=True, kw_only=True):
    """``after``: how long after the supplies ran out it is told. ``fills``: on how many different days it must have been handed
    out, so that it is one that goes on."""

    rule: Supplied
    after: timedelta
    fills: int


class Adherence(Struct, frozen=True, kw_only=True):
    """``groups`` by id. ``supplied`` by rule."""

    groups: Mapping[str, CoveredGroup] = {}
    supplied: Mapping[Supplied, ByMedicine[RunsOut]] = {}
