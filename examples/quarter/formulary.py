"""The medicines and tests of the quarter, from its own two tables."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Drug:
    """A product as a prescriber orders it: ``dose`` in ``unit`` at one time, ``per_day`` times a day, None as needed."""

    name: str
    text: str
    dose: float
    unit: str
    route: str
    per_day: float | None


@dataclass(frozen=True)
class Test:
    """A laboratory test; ``low`` to ``high`` is where results of the unremarkable lie, well inside what is normal."""

    name: str
    loinc: str
    display: str
    unit: str
    low: float
    high: float
    decimals: int


@cache
def drugs() -> dict[str, Drug]:
    return {
        row["name"]: Drug(
            row["name"], row["text"], float(row["dose"]), row["unit"], row["route"], _number(row["per_day"])
        )
        for row in _rows("formulary.csv")
    }


@cache
def tests() -> dict[str, Test]:
    return {
        row["test"]: Test(
            row["test"], row["loinc"], row["display"], row["unit"], float(row["low"]), float(row["high"]),
            int(row["decimals"]),
        )
        for row in _rows("panel.csv")
    }  # fmt: skip


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
