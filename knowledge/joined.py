"""What prescriptions, supplies, doses and results show only together: nothing followed an order, something followed no order or
was something else, one thing came from two places, and what a value did since a medicine was really handed out or given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from knowledge.conditions import Condition, Conditions
from knowledge.statement import Advised
from schemas.values import SEVERITIES, Severity

EVERY = "*"
"""Stands for every medicine that no other row names."""
Waits = Literal["supply", "dose"]
"""What is waited for after an order: a supply for a patient at home, the first dose for one in hospital."""
Differs = Literal["medicine", "substitute", "ingredients", "salt", "release", "place", "strength", "daily"]
"""How what was handed out differs: another medicine; another one of its class; of several ingredients some; another salt; a form
that lasts or one that does not; another place where it is put; another strength, where the dose of a day cannot be told; another
dose of a day."""
Since = Literal["worse-since-given", "no-effect"]


class OfMedicine(Advised, frozen=True, kw_only=True):
    """What a row of a medicine has: ``medicine`` is a property, an ingredient or ``*`` as the data name it."""

    medicine: str
    severity: Severity


RowT = TypeVar("RowT", bound=OfMedicine)


class ByMedicine(Struct, Generic[RowT], frozen=True, kw_only=True):
    """``by_ingredient`` has the gravest row that names each; what is not in it has ``every``, or nothing."""

    by_ingredient: Mapping[str, RowT] = {}
    every: RowT | None = None

    def of(self, ingredients: Collection[str]) -> RowT | None:
        """The gravest row of a product; None where nothing is said of it."""
        found = [self.by_ingredient[each] for each in sorted(ingredients) if each in self.by_ingredient]
        return min(found, key=gravest_first, default=self.every)

    @property
    def rows(self) -> tuple[RowT, ...]:
        """Each once."""
        every = () if self.every is None else (self.every,)
        return tuple({id(row): row for row in (*self.by_ingredient.values(), *every)}.values())


def gravest_first(row: OfMedicine) -> tuple[int, str]:
    """The key by which the gravest of several rows comes first."""
    return SEVERITIES.index(row.severity), row.medicine


class NotStarted(OfMedicine, frozen=True, kw_only=True):
    """``wait``: how long after an order its first supply is waited for, and the first dose after the next one was due.
    ``new_after``: a supply no longer before the order means that the medicine is not new."""

    waits_for: Waits
    wait: timedelta
    new_after: timedelta


class Unordered(OfMedicine, frozen=True, kw_only=True):
    """``wait``: how long a late order is waited for. ``after_end``: how long after an order ran out a supply still is for it."""

    wait: timedelta
    after_end: timedelta


class Otherwise(OfMedicine, frozen=True, kw_only=True):
    """``from_ratio``: by which factor, up or down, the dose of a day must differ; of the other differences 1."""

    differs: Differs
    from_ratio: float


class Twice(OfMedicine, frozen=True, kw_only=True):
    """``overlap``: the part of the shorter supply in which both last, from which on they are one too many."""

    overlap: float


class SinceGiven(Advised, frozen=True, kw_only=True):
    """A value after a medicine was first handed out or given: of the time ``after`` to ``until`` from then, the newest. ``moved``
    compares it with the last one before, which is not older than ``baseline``; None: it is not compared. All of ``when`` must
    hold, none of ``unless``. ``ends_after``: how long after the last dose or the end of the supply it still counts.
    ``same_dose``: a change of the dose begins the time anew."""

    id: str
    rule: Since
    problem: str
    medicine: str
    ingredients: frozenset[str]
    analyte: str
    after: timedelta
    until: timedelta
    baseline: timedelta
    ends_after: timedelta
    same_dose: bool
    moved: Condition | None
    when: Conditions
    unless: Conditions
    severity: Severity


class Joined(Struct, frozen=True, kw_only=True):
    """Everything; ``otherwise`` by how it differs, ``since_given`` in the order of the file."""

    supplies: ByMedicine[NotStarted] = ByMedicine()
    doses: ByMedicine[NotStarted] = ByMedicine()
    unordered: ByMedicine[Unordered] = ByMedicine()
    otherwise: Mapping[Differs, ByMedicine[Otherwise]] = {}
    twice: ByMedicine[Twice] = ByMedicine()
    since_given: tuple[SinceGiven, ...] = ()
