"""A laboratory result as an analyte of ours in its canonical unit.

The code alone decides what was measured, in what specimen and in which unit it counts: a name such as "Sodium" is also that of
a urine test, so a result without a listed code has no analyte. Nor has one whose codes say two analytes, or whose code says
blood and its specimen urine: one is a slip, and nobody here knows which. A value whose unit is missing or not understood has
no canonical value: 5.0 of glucose is normal in mmol/L and deadly in mg/dL. Nor has a concentration below nothing, which is no
measurement however it is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from knowledge.model import WORDS, Analyte, Knowledge, SpecimenKind, plain_unit
from schemas.events import Drawn, MeasuredIn, Remark
from schemas.values import Coding

Comparator = Literal["<", "<=", ">=", ">"]

_LOINC = frozenset(("loinc", "http://loinc.org", "https://loinc.org", "ln", "urn:oid:2.16.840.1.113883.6.1"))
_REMEMBERED = 4096
"""A laboratory has some dozens of units and specimens; what nobody bounds is what a broken feed makes up."""

_NUMBER = re.compile(r"(<=|>=|=<|=>|<|>|≤|≥|less than|greater than)?\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)", re.IGNORECASE)
_SIGNS: Mapping[str, Comparator] = {
    "<": "<", "<=": "<=", "=<": "<=", "≤": "<=", "less than": "<",
    ">": ">", ">=": ">=", "=>": ">=", "≥": ">=", "greater than": ">",
}  # fmt: skip
_HAEMOLYSED = re.compile(r"h(?:a)?emoly[sz](?:ed|is)\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:no|not|non|nil|un|without|negative|absent|none)\b|\bnon?haemo|\bunhaemo", re.IGNORECASE)


class Measured(NamedTuple):
    """``value`` is in ``unit``, or None with the remark that says why; ``implausible`` flags a value and keeps it, unless the
    value is below nothing. A result in words has neither value nor remark."""

    analyte: str
    value: float | None
    unit: str
    remark: Remark
    measured_in: MeasuredIn = ""
    drawn: Drawn = ""


def canonical(
    codings: Sequence[Coding], value: float | None, unit: str, knowledge: Knowledge, specimen: str = ""
) -> Measured:
    """The result that ``codings``, ``value`` and ``unit`` say, as far as they can be understood; ``specimen`` is the kind that
    was received, in words. Never raises."""
    found = _analyte(codings, knowledge)
    if found is None:
        return Measured("", None, "", "no_analyte")
    analyte, measured_in, drawn = found
    if specimen and _contradicts(specimen, measured_in, knowledge.specimens):
        return Measured("", None, "", "other_specimen")
    if analyte.unit == WORDS:
        return Measured(analyte.name, None, "", "", measured_in, drawn)
    if value is None or not math.isfinite(value):
        return Measured(analyte.name, None, "", "no_value", measured_in, drawn)
    key = _unit_key(unit)
    factor = analyte.factors.get(key)
    if factor is None:
        return Measured(analyte.name, None, "", "unknown_unit" if key else "no_unit", measured_in, drawn)
    result = _converted(value, factor, analyte.offsets.get(key, 0) if analyte.offsets else 0)
    low, high = analyte.plausible
    # a quantity that may be negative, as a base excess, says so by its plausible range
    if value < 0 <= low or not math.isfinite(result):
        return Measured(analyte.name, None, "", "implausible", measured_in, drawn)
    remark: Remark = "" if low <= result <= high else "implausible"
    return Measured(analyte.name, result, analyte.unit, remark, measured_in, drawn)


def _analyte(codings: Sequence[Coding], knowledge: Knowledge) -> tuple[Analyte, MeasuredIn, Drawn] | None:
    """What the codes agree on; of where and when it was drawn, what they do not contradict each other in."""
    found: Analyte | None = None
    measured_in: MeasuredIn = ""
    drawn: Drawn = ""
    for coding in codings:
        system = coding.system.strip().lower()
        code = coding.code.strip()
        each = knowledge.analytes.get(code) if system in _LOINC else knowledge.local_analytes.get((system, code))
        if each is None:
            continue
        if found is None:
            found, measured_in, drawn = each, each.measured_in, each.drawn
        elif each.name != found.name:
            return None
        else:
            measured_in = each.measured_in if each.measured_in == measured_in else ""
            drawn = each.drawn if each.drawn == drawn else ""
    return None if found is None else (found, measured_in, drawn)


def _converted(value: float, factor: float, offset: float) -> float:
    if factor == 1 and not offset:
        return value
    # a product of two decimal fractions: what lies beyond the tenth significant digit is the computer's, not the value's
    return float(f"{value * factor + offset:.10g}")


def _contradicts(specimen: str, measured_in: MeasuredIn, words: Mapping[str, SpecimenKind]) -> bool:
    """Whether the words for the specimen name one kind only, and that is not the code's."""
    kinds = {words[word] for word in _specimen_words(specimen) if word in words}
    return bool(measured_in) and len(kinds) == 1 and kinds != {"urine" if measured_in == "urine" else "blood"}


@lru_cache(_REMEMBERED)
def _unit_key(unit: str) -> str:
    return plain_unit(unit)


@lru_cache(_REMEMBERED)
def _specimen_words(specimen: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", specimen.lower()))


def number_in(text: str) -> tuple[float, Comparator | None] | None:
    """The number that ``text`` is, with its comparator (``<0.2``, ``GREATER THAN 30``, ``6.3``); None where it is anything
    more or else: a range, a grade, a number with words. Never raises."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    return float(match[2]), _SIGNS[match[1].lower()] if match[1] else None


def says_haemolysed(text: str) -> bool:
    """Whether a text in place of or beside a result says that the specimen was haemolysed, and does not deny it."""
    return _HAEMOLYSED.search(text) is not None and _DENIED.search(text) is None
