"""Numbers, ranges and amounts in a row of tokens. Each function gives what begins at a place and the place after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from knowledge.wording import DoseUnit, Word, Wording, phrase_at

_PLAIN = re.compile(r"(?:0|[1-9][0-9]*)?(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{2}0")
"""``2.500`` is a thousand times more where a comma stands before the decimals; nobody writes 2.5 so. ``3.125`` is a dose."""
_FRACTIONS = {
    ("1", "2"): 0.5,
    ("1", "4"): 0.25,
    ("3", "4"): 0.75,
    ("1", "3"): 1 / 3,
    ("2", "3"): 2 / 3,
    ("1", "8"): 0.125,
}
_MOST = 1e9


class Span(NamedTuple):
    """A number, or a range of them, and the place after."""

    low: float
    high: float
    after: int


class Amounts:
    """Reads numbers and units by the words of ``wording``."""

    def __init__(self, said: Sequence[str], wording: Wording) -> None:
        self.said, self.wording = said, wording

    def at(self, place: int) -> str:
        return self.said[place] if 0 <= place < len(self.said) else ""

    def word(self, place: int) -> tuple[Word, int] | None:
        """The longest phrase that begins at ``place``."""
        phrase = phrase_at(self.wording.words, self.said, place, self.wording.longest)
        return (self.wording.words[phrase], place + len(phrase)) if phrase else None

    def is_kind(self, place: int, *kinds: str) -> bool:
        """Whether the one token at ``place`` is a word of one of the kinds."""
        word = self.wording.words.get((self.at(place),))
        return word is not None and word.kind in kinds

    def unit(self, place: int, *, time: bool = False) -> tuple[DoseUnit, int] | None:
        """A unit, with the ``(s)`` that forms print behind it."""
        phrase = phrase_at(self.wording.units, self.said, place, self.wording.longest)
        if phrase is None or (self.wording.units[phrase].measure == "time") != time:
            return None
        after = place + len(phrase)
        if list(self.said[after : after + 3]) in (["(", "s", ")"], ["(", "es", ")"]):
            after += 3
        return self.wording.units[phrase], after

    def range(self, place: int) -> Span | None:
        """``10``, ``10-20``, ``1 or 2``, ``one to two``; the second is the larger."""
        first = self.number(place)
        if first is None:
            return None
        value, after = first
        if self.is_kind(after, "range", "or"):
            second = self.number(after + 1)
            if second is not None and second[0] > value:
                return Span(value, second[0], second[1])
            return None if second is not None else Span(value, value, after)
        return Span(value, value, after)

    def number(self, place: int) -> tuple[float, int] | None:
        """``2``, ``two``, ``two (2)``, ``1 1/2``, ``one and a half``, ``half a``."""
        found = self._mixed(place)
        if found is None or self.at(found[1]) != "(":
            return found
        again = self._mixed(found[1] + 1)
        if again is None or self.at(again[1]) != ")":
            return found
        return (found[0], again[1] + 1) if again[0] == found[0] else None

    def _mixed(self, place: int) -> tuple[float, int] | None:
        whole = self._fraction(place) or self._single(place)
        if whole is None:
            return None
        value, after = whole
        if value < 1:
            return value, after + self._of_a(after)
        part = self._fraction(after) or self._fraction(after + 1 if self.is_kind(after, "and") else after)
        if part is not None and value == int(value):
            return value + part[0], part[1]
        return value, after

    def _of_a(self, place: int) -> int:
        """The words between ``half`` and ``tablet``."""
        if self.at(place) == "of" and self.at(place + 1) in ("a", "an"):
            return 2
        return 1 if self.at(place) in ("a", "an") else 0

    def _fraction(self, place: int) -> tuple[float, int] | None:
        if self.at(place + 1) == "/":
            value = _FRACTIONS.get((self.at(place), self.at(place + 2)))
            return (value, place + 3) if value is not None else None
        begins = place + 1 if self.at(place) in ("a", "one") else place
        return (0.5, begins + 1) if self.at(begins) == "half" else None

    def _single(self, place: int) -> tuple[float, int] | None:
        token = self.at(place)
        word = self.wording.words.get((token,))
        if word is not None and word.kind == "number":
            return word.value, place + 1
        if not token or not (_PLAIN.fullmatch(token) or _GROUPED.fullmatch(token)) or _THOUSANDS.fullmatch(token):
            return None
        value = float(token.replace(",", ""))
        return (value, place + 1) if 0 < value <= _MOST else None
