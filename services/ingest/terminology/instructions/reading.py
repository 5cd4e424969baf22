"""What the parts of an instruction say together. A dose or a frequency is taken only when nothing else could change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from knowledge.wording import Wording, tokens
from schemas.values import Quantity
from services.ingest.terminology.instructions.grammar import parts
from services.ingest.terminology.instructions.parts import Part

LONGEST = 500
"""Characters. A longer text is a report, or one that was cut: a cut instruction may say something else."""
_DAYS_APART = 1 / 5
"""Times a day of what is certainly not taken daily, nor on the days of work."""
_NEARLY = 1e-9


class Reading(NamedTuple):
    """What a text says; None is "not said or not understood". ``frequency`` is from the least to the most times a day,
    ``daily`` the dose of a day where it is not dose times frequency, ``also`` the dose in other units. ``rhythm`` tells
    whether the words for how often are those of a day or of longer, also in a text that was not understood."""

    dose: Quantity | None = None
    also: tuple[Quantity, ...] = ()
    frequency: tuple[float, float] | None = None
    daily: Quantity | None = None
    as_needed: bool = False
    most: Quantity | None = None
    rate: Quantity | None = None
    remark: Literal["", "unread", "partly_read"] = ""
    rhythm: Literal["", "seldom", "daily"] = ""


class _Often(NamedTuple):
    """``clear`` is false when something is said of how often that is not certain."""

    times: tuple[float, float] | None = None
    clear: bool = True


_UNCLEAR = _Often(None, False)


def read(text: str, wording: Wording) -> Reading:
    """Reads a text of any kind and length; never raises."""
    if len(text) >= LONGEST:
        return Reading(remark="unread")
    found = [part for part in parts(tokens(text), wording) if part.kind != "filler"]
    rhythm = _rhythm(found)
    if any(part.kind == "unknown" for part in found) or _one_short_day(found) or _loose_end(found):
        return Reading(remark="unread", rhythm=rhythm)
    doses = [part for part in found if part.kind in ("dose", "bare", "per_day")]
    if len(doses) > 1:
        several = _at_several_times(found)
        return Reading(remark="unread", rhythm=rhythm) if several is None else several._replace(rhythm=rhythm)
    if (doses and doses[0].kind == "bare") or _several_steps(found):
        return Reading(remark="unread", rhythm=rhythm)
    return _one_dose(found, doses[0] if doses else None)._replace(rhythm=rhythm)


def _loose_end(found: Sequence[Part]) -> bool:
    """Whether the end is missing (``1 tablet in the morning and``), or "and" joins what is no list of times: ``twice a day and as
    needed`` is more than twice a day."""
    said = [part.kind for part in found if part.kind != "comma"]
    ands = [place for place, kind in enumerate(said) if kind == "and"]
    times = {"moment", "clock", "weekday", "meal"}
    joined = all(0 < at < len(said) - 1 and said[at - 1] in times for at in ands)
    followed = joined and all(said[at + 1] in {*times, "dose", "bare"} for at in ands)
    return not followed or (bool(found) and found[-1].key == "-")


def _one_short_day(found: Sequence[Part]) -> bool:
    """``mon`` by itself may be a month that was cut; ``on mon`` and ``mon, wed`` are days."""
    days = [part for part in found if part.kind == "weekday"]
    return len(days) == 1 and days[0].key == "short" and days[0].low == days[0].high


def _several_steps(found: Sequence[Part]) -> bool:
    """What no single instruction has twice."""
    kinds = [part.kind for part in found]
    return any(kinds.count(kind) > 1 for kind in ("rate", "most", "most_often", "lasting", "count", "up_to")) or (
        "rate" in kinds and any(kind in kinds for kind in ("dose", "per_day", "often", "moment", "weekday"))
    )


def _one_dose(found: Sequence[Part], dose: Part | None) -> Reading:
    kinds = {part.kind for part in found}
    often = _often(found)
    limited = _limited(often, found)
    needed = "need" in kinds or "up_to" in kinds
    clear_dose = "unclear_dose" not in kinds
    amount = dose.quantity if dose is not None and dose.kind == "dose" and clear_dose else None
    daily = None
    if dose is not None and dose.kind == "per_day":
        if limited == _Often((1, 1)) and clear_dose:
            amount = dose.quantity  # "1 tablet a day at bedtime"
        elif limited == _Often() and clear_dose and not needed:
            daily = dose.quantity
        else:
            return Reading(remark="unread")
    elif amount is not None and limited == _Often() and kinds & {"single"}:
        # once, or once a day: whichever is meant, it is the most in a day
        daily = amount
    rate = next((part.quantity for part in found if part.kind == "rate"), None)
    understood = clear_dose and limited.clear
    something = amount is not None or limited.times is not None or daily is not None or rate is not None
    return Reading(
        dose=amount,
        also=dose.also if dose is not None and amount is not None else (),
        frequency=limited.times,
        daily=daily,
        as_needed=needed,
        most=next((part.quantity for part in found if part.kind == "most"), None),
        rate=rate,
        remark="" if understood else "partly_read" if something else "unread",
    )


def _often(found: Sequence[Part]) -> _Often:
    """How often a day, from all that says something of it."""
    rates = {(part.low, part.high) for part in found if part.kind in ("often", "up_to")}
    kinds = {part.kind for part in found}
    if "unclear_frequency" in kinds or len(rates) > 1:
        return _UNCLEAR
    rate = next(iter(rates), None)
    if "single" in kinds:
        return _Often() if rate is None and not kinds & {"moment", "clock", "weekday", "meal", "count"} else _UNCLEAR
    named, clocks = _moments(found), len({part.key for part in found if part.kind == "clock"})
    if named is None:
        return _UNCLEAR
    times = _at_moments(rate, named, clocks, "meal" in kinds, bool(kinds & {"and", "comma"}))
    if "weekday" in kinds:
        times = _on_days(len(_days_of_week(found)), times, rate)
    return _lasting_enough(found, times)


def _at_moments(rate: tuple[float, float] | None, named: int, clocks: int, meal: bool, joined: bool) -> _Often:
    """A rate and the times of the day that are named beside it must agree; meals do not say how many they are. ``every evening at
    6 pm`` names one time in two ways, unless something joins the two."""
    counted = {named + clocks} - {0} | ({named} if named == clocks and named and not joined else set())
    if rate is None:
        if meal or (named and clocks):
            return _UNCLEAR
        return _Often((named + clocks, named + clocks)) if counted else _Often()
    if not counted:
        return _Often(rate)
    if rate[0] != rate[1]:
        return _UNCLEAR
    if meal:
        return _Often(rate) if rate[0] > max(counted) else _UNCLEAR
    return _Often(rate) if any(abs(max(rate[0], 1) - count) < _NEARLY for count in counted) else _UNCLEAR


def _moments(found: Sequence[Part]) -> int | None:
    """How many times of the day are named; None when two of them may be one. Two words for one time that nothing joins
    (``every morning before breakfast``) are one; supper and bedtime that nothing joins are one or two, and so are two times
    with the dose between them."""
    named, last, joined = list[str](), "", ""
    for part in found:
        if part.kind == "moment":
            if part.key == last and joined in ("", "dose"):
                continue
            if part.key in named or (named and joined == "dose"):
                return None
            if {part.key, last} == {"evening", "night"} and joined != "and":
                return None
            named.append(part.key)
            last, joined = part.key, ""
        elif part.kind in ("and", "comma"):
            joined = "and" if "and" in (joined, part.kind) else part.kind
        elif part.kind == "dose":
            joined = "dose"
    return len(named)


def _on_days(days: int, a_day: _Often, rate: tuple[float, float] | None) -> _Often:
    """``on Mondays``: once; ``3 times a week, Mon Wed Fri``: as often as days are named; ``daily Monday to Friday``. Daily on
    one day of the week contradicts itself."""
    if not a_day.clear:
        return _UNCLEAR
    if rate is None:
        low, high = a_day.times or (1.0, 1.0)
        return _Often((low * days / 7, high * days / 7))
    if rate[0] != rate[1]:
        return _UNCLEAR
    if rate[0] < 1:
        return _Often(rate) if abs(rate[0] * 7 - days) < _NEARLY else _UNCLEAR
    return _Often((rate[0] * days / 7, rate[1] * days / 7)) if days > 1 else _UNCLEAR


def _days_of_week(found: Sequence[Part]) -> set[int]:
    return {day for part in found if part.kind == "weekday" for day in range(int(part.low), int(part.high) + 1)}


def _lasting_enough(found: Sequence[Part], often: _Often) -> _Often:
    """``monthly for 3 days`` means more than one dose a month."""
    lasts = next((part.low for part in found if part.kind == "lasting"), None)
    if lasts is None or often.times is None or lasts * often.times[0] > 1 - _NEARLY:
        return often
    return _UNCLEAR


def _limited(often: _Often, found: Sequence[Part]) -> _Often:
    most = next((part.low for part in found if part.kind == "most_often"), None)
    if most is None or not often.clear:
        return often
    if often.times is None:
        return _UNCLEAR
    return _Often((min(often.times[0], most), min(often.times[1], most)))


def _at_several_times(found: Sequence[Part]) -> Reading | None:
    """``1 tablet in the morning and 2 at night``: an amount each time. Nothing else may say how much or how often."""
    kinds = {part.kind for part in found}
    if kinds - {"dose", "bare", "moment", "clock", "and", "comma", "directed", "lasting", "meal"}:
        return None
    if "lasting" in kinds and found[-1].kind != "lasting":
        return None  # one after the other
    timed = [part for part in found if part.kind in ("dose", "bare", "moment", "clock")]
    amounts, times = timed[::2], timed[1::2]
    if timed and timed[0].kind in ("moment", "clock"):
        amounts, times = times, amounts
    if len(amounts) != len(times) or any(each.kind not in ("dose", "bare") for each in amounts):
        return None
    if times[0].kind not in ("moment", "clock") or any(each.kind != times[0].kind for each in times):
        return None
    if len({each.key for each in times}) != len(times):
        return None  # one time twice
    if amounts[0].kind == "bare" or {each.unit for each in amounts if each.kind == "dose"} != {amounts[0].unit}:
        return None
    low, high = sum(each.low for each in amounts), sum(each.high for each in amounts)
    dose = Part("dose", min(a.low for a in amounts), max(a.high for a in amounts), amounts[0].unit)
    often = _lasting_enough(found, _Often((len(times), len(times))))
    if often.times is None:
        return None
    return Reading(dose=dose.quantity, frequency=often.times, daily=dose._replace(low=low, high=high).quantity)


def _rhythm(found: Sequence[Part]) -> Literal["", "seldom", "daily"]:
    """Whether all words for how often are those of what is taken on few days, or all those of each day."""
    said = [part.low for part in found if part.kind in ("often", "up_to", "unknown") and part.low]
    days = len(_days_of_week(found))
    if days:
        said.append(days / 7)
    if not said and any(part.kind == "moment" for part in found):
        return "daily"
    if said and max(said) <= _DAYS_APART:
        return "seldom"
    return "daily" if said and min(said) >= 1 else ""


__all__ = ["LONGEST", "Reading", "read"]
