"""Which medicines are one too many beside one another, and when they are not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.statement import Advised, Statement, Step
from schemas.values import Severity

Kind = Literal["class", "same"]
"""``class``: two different members. ``same``: one member in two orders."""
How = Literal[
    "as-needed", "one-time", "injected", "other-way", "one-long", "both-long", "started-together", "refill", "at-home"
]
"""What can be said of two orders: one of them is taken as needed, is a single dose, is injected; they are given in different
ways; one or both are of a form that lasts; both began at one time with different doses; both are supplies of one medicine;
one is a supply and the other an order of a patient who is in hospital."""


class DuplicateClass(Advised, frozen=True, kw_only=True):
    """Medicines of which one is enough. ``grace`` is the time in which a former order may end by itself."""

    id: str
    kind: Kind
    members: frozenset[str]
    severity: Severity
    grace: timedelta
    grace_reason: str
    problem: str


class Allowed(Statement, frozen=True, kw_only=True):
    """What makes two orders no duplicate (``none``), or one of another severity: ``one`` and ``other`` are the ingredients that
    it is about, None any; all of ``how`` must hold, one of ``words`` must stand in the order of ``one``, and all of ``when``
    hold of it. ``row`` is its place among the rows of its classes."""

    one: frozenset[str] | None
    other: frozenset[str] | None
    how: tuple[How, ...]
    words: tuple[str, ...]
    when: Conditions
    severity: Step
    reason: str
    reference: str


class Duplicates(Struct, frozen=True, kw_only=True):
    """``allowed`` has the rows of each class in their order: the first that holds decides. ``classes_of`` has the classes of an
    ingredient; of kind ``same`` only the first. ``long_acting`` are the words of forms that last."""

    classes: Mapping[str, DuplicateClass] = {}
    allowed: Mapping[str, Sequence[Allowed]] = {}
    classes_of: Mapping[str, Sequence[str]] = {}
    long_acting: tuple[str, ...] = ()

    def of(self, ingredient: str) -> Iterator[DuplicateClass]:
        """The classes that an ingredient is in."""
        for id_ in self.classes_of.get(ingredient, ()):
            yield self.classes[id_]


def says(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands in a text of lower case."""
    return _any_of(words).search(text) is not None


@lru_cache(256)
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, words))})(?![a-z0-9])")
