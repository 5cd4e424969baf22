"""The words of dosage instructions. What they mean is data, how they go together is ingest's grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

WordKind = Literal[
    "number", "count", "times", "every", "per", "within", "hourly", "range", "through", "and", "or", "comma", "most", "up_to",
    "lasting", "over", "single", "need", "directed", "moment", "meal", "weekday", "short_weekday", "reason", "filler",
    "per_body", "unclear_frequency", "unclear_unit", "unclear_dose",
]  # fmt: skip
"""What a phrase does in an instruction. ``filler`` is accounted for and changes neither dose nor frequency; the three
``unclear`` ones are known, and known to be ambiguous: they are never guessed."""

Measure = Literal["mass", "volume", "units", "amount", "equivalents", "form", "time"]
Phrase: TypeAlias = tuple[str, ...]


class DoseUnit(NamedTuple):
    name: str
    measure: Measure
    size: float


class Word(NamedTuple):
    """``value`` is the number of a number, a count or a weekday."""

    kind: WordKind
    meaning: str
    value: float


class Wording(Struct, frozen=True, kw_only=True):
    """Keyed by the tokens of the phrase. ``frequencies`` are times a day; ``longest`` is that of any phrase, in tokens."""

    frequencies: Mapping[Phrase, float] = {}
    units: Mapping[Phrase, DoseUnit] = {}
    words: Mapping[Phrase, Word] = {}
    longest: int = 0

    def unit_named(self, spelling: str) -> DoseUnit | None:
        """A unit as a source writes it."""
        return self.units.get(tuple(tokens(spelling)))


_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—−", "-"),
        **{
            fraction: f" {plain}"
            for fraction, plain in zip("½¼¾⅓⅔⅛", ("1/2", "1/4", "3/4", "1/3", "2/3", "1/8"), strict=True)
        },
        "⁄": "/",
        "μ": "µ",
        "×": "x",
        "’": "'",
        "&": " and ",
    }
)
_INITIALS = re.compile(r"(?<![a-zµ])(?:[a-z]\.){1,3}[a-z]\b\.?")
_DAYS_IN_A_ROW = re.compile(
    r"(?<![a-z])((?:mon|tue|wed|thu|fri|sat|sun)[a-z]*) ?- ?(?=(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*(?![a-z]))"
)
_TOKEN = re.compile(
    r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+|[a-zµ]+(?:'[a-z]+)?|\n|\S"
)


def tokens(text: str) -> list[str]:
    """Words, numbers and signs in lower case. A dot after a word or between initials (``q.i.d.``) is none of them, nor is a
    hyphen before a word (``twice-daily``, ``5-mg``), but between days of the week (``Mon-Fri``) it is a ``to``. A
    minus sign is a word."""
    text = text.lower().translate(_CHARACTERS)
    text = re.sub(r"(?<![^\s(])-(?=[0-9.])", " minus ", text)
    text = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    text = _DAYS_IN_A_ROW.sub(r"\1 to ", text)
    text = re.sub(r"(?<=[a-zµ])\.(?![0-9])|(?<=[a-z0-9])-(?=[a-z])", " ", text)
    return [";" if found == "\n" else found for found in _TOKEN.findall(text)]


def phrase_at(words: Mapping[Phrase, object], said: Sequence[str], at: int, longest: int) -> Phrase | None:
    """The longest phrase of ``words`` that begins at ``at``."""
    for length in range(min(longest, len(said) - at), 0, -1):
        phrase = tuple(said[at : at + length])
        if phrase in words:
            return phrase
    return None
