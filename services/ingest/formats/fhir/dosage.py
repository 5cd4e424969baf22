"""FHIR's dosage instructions as a ``schemas.events.Dosage``, with the span and the number of doses that they set.

A range of frequencies has both its ends. Of several instructions (a tapering dose, one dose in the morning and another at
night) the texts are joined, and route, need and daily limit are read where all agree; dose and frequency are left to the
joined text only where the text of each says all that is said, and are null otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from schemas.events import Dosage
from schemas.values import Quantity
from services.ingest.formats.fhir import resources as fhir
from services.ingest.formats.fhir.elements import codes, instant, quantity, quotient, spread, words

T = TypeVar("T")

PER_DAY = {"s": 86400.0, "min": 1440.0, "h": 24.0, "d": 1.0, "wk": 1 / 7, "mo": 12 / 365.25, "a": 1 / 365.25}
"""How many of a unit of time (UCUM) a day has."""
_TIME_UNITS = {
    **{name: name for name in PER_DAY},
    "sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hr": "h", "hour": "h", "hours": "h",
    "day": "d", "days": "d", "week": "wk", "weeks": "wk", "month": "mo", "months": "mo", "year": "a", "years": "a",
}  # fmt: skip
_ABBREVIATIONS = {
    "QD": 1, "BID": 2, "TID": 3, "QID": 4, "AM": 1, "PM": 1, "BED": 1, "QOD": 0.5, "WK": PER_DAY["wk"], "MO": PER_DAY["mo"],
    "Q1H": 24, "Q2H": 12, "Q3H": 8, "Q4H": 6, "Q6H": 4, "Q8H": 3,
}  # fmt: skip
"""HL7's GTSAbbreviation, which FHIR R4 lists for Timing.code: times a day."""
_MEALS = {"C", "AC", "PC"}
"""HL7's TimingEvent "at meals", which does not say at how many."""
_WEEK = 7
_MAX_TEXT = 4000
_MAX_DAYS = 36_525
"""A century; a longer span is a slip and no end."""


class Instructions(NamedTuple):
    """``start`` and ``end`` span all instructions, where they say them."""

    dosage: Dosage
    start: datetime | None
    end: datetime | None
    one_time: bool


def read(given: Sequence[fhir.Dosage], place: str) -> Instructions:
    """Raises ``FaultError`` for a time that is none."""
    if not given:
        return Instructions(Dosage(), None, None, False)
    dosages = [_dosage(each) for each in given]
    spans = [_span(each.timing, f"{place}[{number}].timing") for number, each in enumerate(given)]
    starts = [start for start, _ in spans if start is not None]
    ends = [end for _, end in spans if end is not None]
    return Instructions(
        dosages[0] if len(dosages) == 1 else _agreed(dosages, _told_by_texts(given)),
        min(starts, default=None),
        max(ends) if len(ends) == len(given) else None,
        len(given) == 1 and _once(given[0].timing),
    )


def days(found: fhir.Quantity | None) -> float | None:
    """A span of time in days; one without a unit is in days, as ``daysSupply`` says by its name."""
    amount = quantity(found)
    if amount is None or found is None:
        return None
    name = _unit(found) if found.unit or found.code else "d"
    return amount.value / PER_DAY[name] if name and 0 <= amount.value / PER_DAY[name] <= _MAX_DAYS else None


def rate(of: fhir.DoseAndRate | fhir.AdministeredDosage) -> Quantity | None:
    found = quantity(of.rateQuantity) or quotient(of.rateRatio)
    return found or (spread(of.rateRange) if isinstance(of, fhir.DoseAndRate) else None)


def known(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _dosage(given: fhir.Dosage) -> Dosage:
    amount = _ordered(given.doseAndRate)
    often = frequency(given.timing)
    dose = quantity(amount.doseQuantity) or spread(amount.doseRange) if amount is not None else None
    as_needed = True if given.asNeededCodeableConcept is not None else given.asNeededBoolean
    return Dosage(
        text=given.text or given.patientInstruction or "",
        route=words(given.route) or UNSET,
        dose=known(dose),
        frequency_per_day=often[0] if isinstance(often, tuple) else often,
        frequency_high=often[1] if isinstance(often, tuple) and often[1] > often[0] else UNSET,
        as_needed=known(as_needed),
        rate=known(rate(amount) if amount is not None else None),
        max_daily_dose=known(_per_day(given.maxDosePerPeriod)),
    )


def _ordered(given: Sequence[fhir.DoseAndRate]) -> fhir.DoseAndRate | None:
    """The dose as ordered, where a calculated one stands beside it."""
    return next((each for each in given if "ordered" in codes(each.type)), given[0] if given else None)


def _told_by_texts(given: Sequence[fhir.Dosage]) -> bool:
    """Whether the texts, one after the other, are the whole instruction: no data beside them, none said twice, no steps."""
    texts = {each.text or each.patientInstruction or "" for each in given}
    bare = all(each.timing is None and not each.doseAndRate for each in given)
    return bare and "" not in texts and len(texts) == len(given) and len({each.sequence for each in given}) == 1


def _agreed(dosages: Sequence[Dosage], by_texts: bool) -> Dosage:
    """What several have in common; their doses may be of different times, so no one dose and frequency is that of the order."""
    first = dosages[0]
    same = {
        name: getattr(first, name)
        for name in ("route", "as_needed", "max_daily_dose")
        if all(getattr(each, name) == getattr(first, name) for each in dosages)
    }
    text = "; ".join(dict.fromkeys(each.text for each in dosages if each.text))
    joined = Dosage(text=text[:_MAX_TEXT], **same)
    return joined if by_texts else replace(joined, dose=None, frequency_per_day=None, rate=None)


def frequency(timing: fhir.Timing | None) -> tuple[float, float] | UnsetType | None:
    """From the least to the most times a day. A frequency that is not said is one a period, as FHIR reads it. FHIR lets the code
    and the data of a timing say one thing; where they say two, one of them is a slip, and weekly is not to be read as daily:
    None."""
    if timing is None:
        return UNSET
    said = None if timing.repeat is None else _repeated(timing.repeat)
    coded = next((float(_ABBREVIATIONS[code]) for code in codes(timing.code) if code in _ABBREVIATIONS), None)
    if coded is None:
        return UNSET if said is None else said
    within = said is None or said[0] <= coded <= said[1] or any(math.isclose(coded, end) for end in said)
    return (said or (coded, coded)) if within else None


def _repeated(repeat: fhir.Repeat) -> tuple[float, float] | None:
    if repeat.period is not None and repeat.periodUnit is not None:
        of_unit = PER_DAY[repeat.periodUnit]
        shortest, longest = repeat.period / of_unit, (repeat.periodMax or repeat.period) / of_unit
    elif repeat.dayOfWeek or repeat.timeOfDay or repeat.when:
        shortest, longest = 1.0, 1.0
    else:
        return None
    one = _of_period(repeat, repeat.frequencyMax or repeat.frequency, shortest)
    if repeat.frequencyMax is None and shortest == longest:
        return None if one is None else (one, one)
    other = _of_period(repeat, repeat.frequency, longest)
    return None if one is None or other is None else (min(one, other), max(one, other))


def _of_period(repeat: fhir.Repeat, said: int | None, span: float) -> float | None:
    """``said`` times in ``span`` days."""
    times, named = _times(repeat, said), len(set(repeat.dayOfWeek) - {None})
    if times is None or span <= 0:
        return None
    if not named or span >= _WEEK:
        # every week or 7 days, on Mondays: each day that is named is one time
        found = max(times, named) / span
    elif span <= 1:
        # once a day, on Mondays: the days are those on which the day's frequency holds
        found = times / span * named / _WEEK
    else:
        return None  # every second day, on Mondays: whichever way it is meant
    return found if math.isfinite(found) else None


def _times(repeat: fhir.Repeat, said: int | None) -> int | None:
    """How often in a period: as often as it is said and at least at each time that is named."""
    when = set(repeat.when) - {None}
    if said is None and when & _MEALS:
        return None
    return max(said or 1, len(set(repeat.timeOfDay) - {None}), len(when))


def _per_day(most: fhir.Ratio | None) -> Quantity | None:
    """The most in a day, where the limit is one of a day."""
    if most is None or most.denominator is None or days(most.denominator) != 1:
        return None
    return quantity(most.numerator)


def _unit(found: fhir.Quantity) -> str:
    return next((_TIME_UNITS[n] for n in (found.code or "", (found.unit or "").lower()) if n in _TIME_UNITS), "")


def _span(timing: fhir.Timing | None, place: str) -> tuple[datetime | None, datetime | None]:
    if timing is None:
        return None, None
    events = [instant(each, f"{place}.event[{number}]") for number, each in enumerate(timing.event)]
    start = min((each for each in events if each is not None), default=None)
    repeat = timing.repeat
    if repeat is None:
        return start, None
    if repeat.boundsPeriod is not None:
        bounds = f"{place}.repeat.boundsPeriod"
        begin = instant(repeat.boundsPeriod.start, f"{bounds}.start")
        return begin or start, until(repeat.boundsPeriod.end, f"{bounds}.end")
    return start, None


def until(text: str | None, place: str) -> datetime | None:
    """The end of a period, which FHIR counts in: an end that is a day lasts to the end of that day."""
    at = instant(text, place)
    if at is None or text is None or "T" in text:
        return at
    try:
        if len(text) == len("2015"):
            return at.replace(year=at.year + 1)
        if len(text) == len("2015-02"):
            return (at + timedelta(days=31)).replace(day=1)
        return at + timedelta(days=1)
    except (OverflowError, ValueError):
        return at


def lasting(given: Sequence[fhir.Dosage], start: datetime | None) -> datetime | None:
    """The end that the durations of every instruction set, from ``start``: of instructions with one ``sequence`` the longest,
    and those of a later sequence begin when an earlier one is over, as in a tapering dose."""
    steps: dict[int | None, float] = {}
    for each in given:
        span = _duration(each.timing.repeat) if each.timing is not None and each.timing.repeat is not None else None
        if span is None:
            return None
        steps[each.sequence] = max(span, steps.get(each.sequence, 0))
    if start is None or not steps:
        return None
    try:
        return start + timedelta(days=sum(steps.values()))
    except OverflowError:
        return None


def _duration(repeat: fhir.Repeat) -> float | None:
    return days(repeat.boundsDuration) if repeat.boundsRange is None else days(repeat.boundsRange.high)


def _once(timing: fhir.Timing | None) -> bool:
    if timing is None:
        return False
    counted = timing.repeat is not None and timing.repeat.count == 1
    return counted or (len(timing.event) == 1 and timing.repeat is None)
