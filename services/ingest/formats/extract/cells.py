"""What a cell of an extract says: times, numbers, amounts and laboratory results as people and systems write them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|[+-]?\.\d+"
_PLAIN = re.compile(_NUMBER)
_RANGE = re.compile(rf"(?P<low>{_NUMBER})(?:\s*-\s*(?P<high>{_NUMBER}))?\s*(?P<unit>(?:[^\W\d_]|[%\[]).*)?")
_COMPARED = re.compile(rf"(?P<sign><=|>=|<|>|≤|≥|less than|greater than)\s*(?P<number>{_NUMBER})", re.IGNORECASE)
_SIGNS = {"≤": "<=", "≥": ">=", "less than": "<", "greater than": ">"}
_TRUTH = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
_TIMES_REMEMBERED = 16384


class UnreadableError(ValueError):
    """A cell does not say what its field needs; the text names what was expected and never the cell."""


class Times:
    """Reads times by the formats of a mapping, in their order; a time without a zone is of the mapping's zone."""

    def __init__(self, formats: tuple[str, ...], zone: str) -> None:
        self._formats = formats
        self._zone = ZoneInfo(zone)
        # the same day and minute stands in many rows
        self.instant = lru_cache(_TIMES_REMEMBERED)(self._instant)
        self.day = lru_cache(_TIMES_REMEMBERED)(self._day)

    def _parse(self, cell: str) -> datetime:
        for format_ in self._formats:
            try:
                return datetime.strptime(cell, format_)  # noqa: DTZ007 - the zone is added by the caller
            except ValueError:
                continue
        raise UnreadableError(f"not a time as {' or '.join(self._formats)}")

    def _instant(self, cell: str, add_days: int) -> datetime:
        """The instant in UTC; days are added by the calendar of the zone. Of a time that the clocks show twice, the first."""
        local = self._parse(cell)
        try:
            local += timedelta(days=add_days)
            return (local if local.tzinfo else local.replace(tzinfo=self._zone)).astimezone(UTC)
        except OverflowError as error:
            raise UnreadableError("a time outside the years 1 to 9999") from error

    def _day(self, cell: str, add_days: int) -> date:
        try:
            return self._parse(cell).date() + timedelta(days=add_days)
        except OverflowError as error:
            raise UnreadableError("a day outside the years 1 to 9999") from error


def text(cell: str) -> str:
    return cell


def number(cell: str) -> float:
    """``7.35``, ``25,000``; no exponent, so that a local code is not taken for a number."""
    if not _PLAIN.fullmatch(cell) or math.isinf(value := float(cell.replace(",", ""))):
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


def quantity(cell: str, unit: str) -> dict[str, Any]:
    """``500``, ``1-2`` (a range) and ``1-2mg`` where the unit is the given one or none is given."""
    match = _RANGE.fullmatch(cell)
    if not match or (match["unit"] and unit and match["unit"].casefold() != unit.casefold()):
        raise UnreadableError("not an amount as 500 or 1-2")
    low, high = number(match["low"]), number(match["high"]) if match["high"] else None
    if high is not None and high < low:
        raise UnreadableError("a range that ends below its start")
    return {"value": low, "unit": unit or match["unit"] or "", **({} if high is None else {"high": high})}


def result(cell: str) -> dict[str, Any]:
    """A laboratory result: a number, a number with a comparator (``<0.2``, ``GREATER THAN 30``), else its text.

    A range (``0-2``), a grade (``1+``) and a number with words stay text: none of them is a number.
    """
    match = _COMPARED.fullmatch(cell)
    try:
        value = number(match["number"] if match else cell)
    except UnreadableError:
        return {"text": cell}
    if match is None:
        return {"value": value}
    sign = match["sign"].lower()
    return {"value": value, "comparator": _SIGNS.get(sign, sign)}


READERS: dict[str, Callable[[str], Any]] = {
    "text": text, "number": number, "whole": whole, "truth": truth, "result": result,
}  # fmt: skip
"""How a cell is read, by the kind of its field; times and amounts need more than the cell."""
