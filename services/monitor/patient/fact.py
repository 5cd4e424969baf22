"""A fact of a patient that is told whole by each version: the newest stands, and one taken back stays as a tombstone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from schemas.values import Origin, Quantity
from services.monitor.patient.order import Precedence, thing_key
from services.monitor.patient.precedence import stands

T = TypeVar("T")


class Fact(Struct, Generic[T], frozen=True, array_like=True, gc=False):
    """What a source said in one record. ``at`` is clinical time; ``void``: cancelled, refuted or entered in error, kept so
    that an older version arriving late does not revive it."""

    source: str
    record_id: str
    precedence: Precedence
    at: datetime
    void: bool
    what: T
    origin: Origin | None = None

    @property
    def key(self) -> str:
        return thing_key(self.source, self.record_id)


class Measure(Struct, frozen=True, array_like=True, gc=False):
    """A bedside measurement as received; ``method`` says how it was got (weighed, stated)."""

    kind: str
    value: float | None
    unit: str
    second_value: float | None = None
    method: str = ""
    text: str = ""


class Given(Struct, frozen=True, array_like=True, gc=False):
    """A dose given, refused or held back (``status``). ``order_id`` is the order's record; ``stopped_at`` ends an infusion."""

    status: str
    label: str
    ingredients: tuple[str, ...]
    systemic: bool
    order_id: str = ""
    route: str = ""
    dose: Quantity | None = None
    rate: Quantity | None = None
    stopped_at: datetime | None = None


def with_fact(facts: Mapping[str, Fact[T]], fact: Fact[T]) -> Mapping[str, Fact[T]]:
    """The facts with this version of one; ``facts`` itself when it does not stand."""
    known = facts.get(fact.key)
    if known is not None and stands(known.precedence, _says(known), fact.precedence, _says(fact)):
        return facts
    return {**facts, fact.key: fact}


def _says(fact: Fact[T]) -> tuple[object, ...]:
    return (fact.at, fact.void, fact.what)


def bounded(
    facts: Mapping[str, Fact[T]], most: int, group: Callable[[Fact[T]], Hashable] | None = None
) -> Mapping[str, Fact[T]]:
    """The newest of each group, void ones counted apart so that they push out none that stands."""
    if len(facts) <= most:
        return facts
    counted: Counter[Hashable] = Counter()
    spare = set()
    for key, fact in sorted(facts.items(), key=lambda each: (each[1].at, each[0]), reverse=True):
        of = (fact.void, group(fact) if group is not None else "")
        counted[of] += 1
        if counted[of] > most:
            spare.add(key)
    return {key: fact for key, fact in facts.items() if key not in spare} if spare else facts
