"""The words of an instruction beside its numbers: a dose that is weekly in one and daily in the other is a slip, and a daily
methotrexate kills. Nobody here knows which of the two is meant, so how often is then not known. English words only; what has
words of both, or of neither, is left as it is."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from msgspec import UNSET
from msgspec.structs import replace

from schemas.events import Dosage

_SELDOM = re.compile(
    r"\b(?:weekly|monthly|(?:a|per|each|every|every (?:1|one)) (?:week|wk|month)|every (?:7|seven) days"
    r"|q ?(?:wk|week|7 ?d(?:ays?)?)|(?:every|each|on) (?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b",
    re.IGNORECASE,
)
_DAILY = re.compile(
    r"\b(?:daily|(?:a|per|each|every) (?:day|morning|evening|night)|(?:at|before) (?:bedtime|night)|in the (?:morning|evening)"
    r"|bid|tid|qid|qd|qhs|qam|qpm|q ?\d+(?: ?- ?\d+)? ?h|hours?|hrs?)\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\b(?:other|alternate|second|third|[2-6]) days?\b|\bqod\b", re.IGNORECASE)
_DAYS_APART = 1 / 5
"""Times a day of what is certainly not taken daily, nor on the days of work."""
_REMEMBERED = 4096
"""A hospital has some hundreds of instructions; what nobody bounds is what a broken feed makes up."""


def agreed(dosage: Dosage) -> Dosage:
    """``dosage`` without a frequency that its text contradicts; what was received as text stays."""
    often = dosage.frequency_per_day
    if not dosage.text or not isinstance(often, float | int):
        return dosage
    said = _said(dosage.text)
    contradicted = often >= 1 if said == "seldom" else said == "daily" and often <= _DAYS_APART
    return replace(dosage, frequency_per_day=UNSET) if contradicted else dosage


@lru_cache(_REMEMBERED)
def _said(text: str) -> Literal["", "seldom", "daily"]:
    seldom, daily = _SELDOM.search(text) is not None, _DAILY.search(text) is not None
    if seldom == daily or _BETWEEN.search(text):
        return ""
    return "seldom" if seldom else "daily"
