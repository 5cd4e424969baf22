"""What a cell of an extract says: times, numbers, amounts and laboratory results as people and systems write them."""

from __future__ import annotations

import math
import re
from calendar import isleap
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from services.ingest.formats.extract.mapping import Decimal, no_century

_NUMBER = r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d*)?|[+-]?\.\d+"
"""``0,125`` is no number of thousands: somebody writes a decimal comma."""
_SWAPPED = str.maketrans(",.", ".,")
_PLAIN = re.compile(_NUMBER)
_RANGE = re.compile(rf"(?P<low>{_NUMBER})(?:\s*-\s*(?P<high>{_NUMBER}))?\s*(?P<unit>(?:[^\W\d_]|[%\[]).*)?")
_COMPARED = re.compile(rf"(?P<sign><=|>=|<|>|≤|≥|less than|greater than)\s*(?P<number>{_NUMBER})", re.IGNORECASE)
_SIGNS = {"≤": "<=", "≥": ">=", "less than": "<", "greater than": ">"}
_TRUTH = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
_ICD_9_STEM = re.compile(r"E\d{3}(?=\d$)|\d{3}(?=\d{1,2}$)|V\d{2}(?=\d{1,2}$)", re.IGNORECASE)
_ICD_10_STEM = re.compile(r"[A-Z]\d[0-9A-Z](?=[0-9A-Z]{1,4}$)", re.IGNORECASE)
_ISO = {
    "%Y-%m-%d %H:%M:%S": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII),
    "%Y-%m-%d": re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
}
_HALF_A_CENTURY = timedelta(days=18263)


class UnreadableError(ValueError):
    """A cell does not say what its field needs; the text names what was expected and never the cell. ``place`` names the
    columns."""

    place = ""


class Times:
    """Reads times by the formats of a mapping, in their order; a time without a zone is of the mapping's zone.

    A format whose year has two digits is tried only where ``near`` is given, the cell of a time that says the century.
    """

    def __init__(self, formats: tuple[str, ...], zone: str) -> None:
        self._formats = [(format_, no_century(format_)) for format_ in formats]
        self._whole_years = [format_ for format_, short in self._formats if not short]
        # a zone of rules asks them for every time, also where they are those of UTC
        self._zone: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)

    def _parse(self, cell: str, near: str) -> datetime:
        for format_, short in self._formats:
            if short and not near:
                continue
            found = _by_format(cell, format_)
            if found is not None:
                return _nearest(found, self._parse(near, "")) if short else found
        formats = [format_ for format_, _ in self._formats] if near else self._whole_years
        raise UnreadableError(f"not a time as {' or '.join(formats)}")

    def instant(self, cell: str, add_days: int = 0, near: str = "") -> datetime:
        """The instant in UTC; days are added by the calendar of the zone. Of a time that the clocks show twice, the first."""
        local = self._parse(cell, near)
        try:
            local += timedelta(days=add_days)
            found = local if local.tzinfo else local.replace(tzinfo=self._zone)
            return found if found.tzinfo is UTC else found.astimezone(UTC)
        except OverflowError as error:
            raise UnreadableError("a time outside the years 1 to 9999") from error

    def day(self, cell: str, add_days: int = 0, near: str = "") -> date:
        try:
            return self._parse(cell, near).date() + timedelta(days=add_days)
        except OverflowError as error:
            raise UnreadableError("a day outside the years 1 to 9999") from error


def _by_format(cell: str, format_: str) -> datetime | None:
    try:
        # strptime takes longer than all the rest of a row
        if (iso := _ISO.get(format_)) and iso.fullmatch(cell):
            return datetime.fromisoformat(cell)
        return datetime.strptime(cell, format_)  # noqa: DTZ007 - the zone is added by the caller
    except ValueError:
        return None


def _nearest(found: datetime, anchor: datetime) -> datetime:
    """``found`` in the century that brings it nearest to ``anchor``; of two as near, the earlier."""
    wall = anchor.replace(tzinfo=None)
    years = (found.year % 100 + 100 * century for century in range(anchor.year // 100 - 1, anchor.year // 100 + 2))
    there = (found.replace(year=y) for y in years if 1 <= y <= 9999 and _has_day(found, y))
    nearest = min(there, key=lambda time: abs(time.replace(tzinfo=None) - wall), default=None)
    if nearest is None or abs(nearest.replace(tzinfo=None) - wall) > _HALF_A_CENTURY:
        raise UnreadableError("29 February of a year that has none")
    return nearest


def _has_day(time: datetime, year: int) -> bool:
    return (time.month, time.day) != (2, 29) or isleap(year)


def dotted(code: str, system: str) -> str:
    """An ICD code with the dot that the classification has: ICD-10 after the third character, ICD-9-CM after the third or
    in a code of external causes (``E8798``) after the fourth. What is no such code without its dot is left as it is."""
    stem = (_ICD_10_STEM if "10" in system else _ICD_9_STEM).match(code)
    return f"{stem[0]}.{code[stem.end() :]}" if stem else code


def text(cell: str) -> str:
    return cell


def number(cell: str, decimal: Decimal = ".") -> float:
    """``7.35``, ``25,000``; no exponent, so that a local code is not taken for a number."""
    return _number(_pointed(cell, decimal))


def _pointed(cell: str, decimal: Decimal) -> str:
    """The cell with the point as its decimal sign."""
    return cell if decimal == "." else cell.translate(_SWAPPED)


def _number(pointed: str) -> float:
    if not _PLAIN.fullmatch(pointed) or math.isinf(value := float(pointed.replace(",", ""))):
        raise UnreadableError("not a number")
    return value


def whole(cell: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,15}", cell):
        raise UnreadableError("not a whole number")
    return int(cell)


def truth(cell: str) -> bool:
    if cell.lower() not in _TRUTH:
        raise UnreadableError("neither true nor false")
    return _TRUTH[cell.lower()]


def quantity(cell: str, unit: str, decimal: Decimal = ".") -> dict[str, Any]:
    """``500``, ``1-2`` (a range) and ``1-2mg`` where the unit is the given one or none is given."""
    match = _RANGE.fullmatch(_pointed(cell, decimal))
    own = cell[match.start("unit") :] if match and match["unit"] else ""
    if not match or (own and unit and own.casefold() != unit.casefold()):
        raise UnreadableError("not an amount as 500 or 1-2")
    low, high = _number(match["low"]), _number(match["high"]) if match["high"] else None
    if high is not None and high < low:
        raise UnreadableError("a range that ends below its start")
    return {"value": low, "unit": unit or own, **({} if high is None else {"high": high})}


def result(cell: str, decimal: Decimal = ".") -> dict[str, Any]:
    """A laboratory result: a number, a number with a comparator (``<0.2``, ``GREATER THAN 30``), else its text.

    A range (``0-2``), a grade (``1+``) and a number with words stay text: none of them is a number.
    """
    pointed = _pointed(cell, decimal)
    match = _COMPARED.fullmatch(pointed)
    try:
        value = _number(match["number"] if match else pointed)
    except UnreadableError:
        return {"text": cell}
    if match is None:
        return {"value": value}
    sign = match["sign"].lower()
    return {"value": value, "comparator": _SIGNS.get(sign, sign)}


READERS: dict[str, Callable[[str], Any]] = {"text": text, "whole": whole, "truth": truth}
"""How a cell is read, by the kind of its field; times, numbers and amounts need more than the cell."""
NUMERIC: dict[str, Callable[[str, Decimal], Any]] = {"number": number, "result": result}
