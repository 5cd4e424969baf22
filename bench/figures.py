"""Figures as they come, and the table and the JSON made of them."""

from __future__ import annotations

import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


class Figure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One figure of one contender. ``values`` holds one number a round; ``ratios`` the same rounds against the contender
    named in ``against``. ``wrong`` says why there is no number that counts."""

    about: str
    contender: str
    unit: str
    values: list[float] = msgspec.field(default_factory=list)
    against: str = ""
    ratios: list[float] = msgspec.field(default_factory=list)
    note: str = ""
    wrong: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.ratios else None


class Report(msgspec.Struct, kw_only=True):
    """All figures of a run and where they were taken."""

    command: str
    taken_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    cores: int | None = msgspec.field(default_factory=os.cpu_count)
    python: str = msgspec.field(default_factory=platform.python_version)
    figures: list[Figure] = msgspec.field(default_factory=list)

    def table(self) -> Table:
        table = Table(title=f"{self.command}  ({self.cores} cores, Python {self.python})", title_justify="left")
        for heading in ("figure", "contender", "median", "rounds", "ratio", ""):
            table.add_column(heading, justify="right" if heading in ("median", "rounds", "ratio") else "left")
        for figure in self.figures:
            table.add_row(*_row(figure))
        return table

    def write(self, path: Path) -> None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def _row(figure: Figure) -> tuple[str, ...]:
    if figure.wrong or not figure.values:
        return figure.about, figure.contender, "-", "", "", figure.wrong or figure.note
    spread = "" if len(figure.values) == 1 else f"{_short(min(figure.values))} to {_short(max(figure.values))}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x {figure.against}"
    return figure.about, figure.contender, f"{_short(figure.median)} {figure.unit}", spread, ratio, figure.note


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def say(console: Console, text: str) -> None:
    """A line as soon as something is known: a run takes minutes."""
    console.print(text, highlight=False, soft_wrap=True)
