"""Knowledge from elsewhere: what a site brought in from a source that it may use, beside ours, and what of it counts there.

Nothing that is brought in counts until the site chooses so. The choice nearest to the pair decides: the one about its row before
one about a class, before one about a source; of two equally near the one that stands later in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import Literal

from msgspec import Struct

from schemas.values import SEVERITIES, Severity

Scope = Literal["row", "class", "source"]
Use = Literal["ours", "theirs", "off"]
OURS = "rxvigil"
"""The name of our own knowledge as a source."""
Pair = tuple[str, str]
"""Two ingredients, in the order of the alphabet."""


class Theirs(Struct, frozen=True, kw_only=True):
    """An interaction as a source has it. ``said`` is how grave in its own words, ``effect`` what it says of it; ``row`` where it
    stands in the site's folder."""

    pair: Pair
    severity: Severity
    said: str
    effect: str
    source: str
    licence: str
    edition: str
    row: str


class Choice(Struct, frozen=True, kw_only=True):
    """What counts of a row (``ramipril+spironolactone``), a class (a property that one of the two has, or ``a+b`` for both) or a
    source (its name, or ``rxvigil``). ``row`` is where it stands, for who asks why."""

    scope: Scope
    which: str
    use: Use
    reason: str
    author: str
    row: str

    def covers(self, pair: Pair, of: Collection[str], other: Collection[str]) -> bool:
        """Whether a row or a class is that of ``pair``; ``of`` and ``other`` are the properties of the two."""
        names = self.which.split("+")
        if self.scope == "row":
            return sorted(names) == list(pair)
        if len(names) == 1:
            return names[0] in of or names[0] in other
        one, two = names
        return (one in of and two in other) or (two in of and one in other)


def pair_of(one: str, other: str) -> Pair:
    """The pair of two ingredients."""
    return (one, other) if one < other else (other, one)


class Outside:
    """All that was brought in, by pair, with the choices; ready to ask."""

    def __init__(
        self,
        theirs: Iterable[Theirs] = (),
        choices: Iterable[Choice] = (),
        properties_of: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.theirs: dict[Pair, list[Theirs]] = {}
        for each in theirs:
            self.theirs.setdefault(each.pair, []).append(each)
        self.choices = tuple(choices)
        self._properties_of = properties_of or {}
        self._near = [each for each in self.choices if each.scope != "source"]
        self._of_source = {each.which: each for each in self.choices if each.scope == "source"}
        self.counting: dict[Pair, Theirs] = {}
        """What counts of theirs: of several sources the gravest."""
        for pair, rows in self.theirs.items():
            counts = [each for each in rows if self._counts(each)]
            if counts:
                self.counting[pair] = min(counts, key=lambda each: (SEVERITIES.index(each.severity), each.source))
        self.partners: dict[str, frozenset[str]] = {}
        for one, other in self.counting:
            self.partners[one] = self.partners.get(one, frozenset()) | {other}
            self.partners[other] = self.partners.get(other, frozenset()) | {one}

    @property
    def sources(self) -> Collection[str]:
        """The names of the sources that were brought in."""
        return sorted({each.source for rows in self.theirs.values() for each in rows})

    def turned_off(self, medicines: Iterable[str]) -> Choice | None:
        """By which choice an interaction of ours among these ingredients does not count; None where it does. Of three or more
        every two must be chosen away, so that none is lost with another."""
        found: Choice | None = None
        for one, other in combinations(sorted(set(medicines)), 2):
            found = self._away((one, other))
            if found is None:
                return None
        return found

    def _away(self, pair: Pair) -> Choice | None:
        near = self._nearest(pair)
        if near is not None:
            gone = near.use == "off" or (near.use == "theirs" and pair in self.counting)
            return near if gone else None
        ours = self._of_source.get(OURS)
        return ours if ours is not None and ours.use == "off" else None

    def _counts(self, theirs: Theirs) -> bool:
        near = self._nearest(theirs.pair)
        if near is not None:
            return near.use == "theirs"
        of_source = self._of_source.get(theirs.source)
        return of_source is not None and of_source.use == "theirs"

    def _nearest(self, pair: Pair) -> Choice | None:
        of, other = (self._properties_of.get(each, frozenset()) for each in pair)
        found = [each for each in self._near if each.covers(pair, of, other)]
        nearest = [each for each in found if each.scope == "row"] or found
        return nearest[-1] if nearest else None
