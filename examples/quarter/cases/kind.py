"""How a problem of the quarter is written down.

A kind is a function that lets it happen to a person and says what it is about, when it becomes true, and when it ends. The number
that it takes counts the people it happens to, so that each gets another medicine of its table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from examples.quarter.person import Person


class Told(NamedTuple):
    """``about``: ingredients, analytes or words, of which one names it. ``at``: the day from which the messages show it,
    ``until`` the day on which it ends by itself, None for never."""

    about: tuple[str, ...]
    at: float
    until: float | None = None


Play = Callable[[Person, int], Told]


@dataclass(frozen=True)
class Kind:
    """``hidden`` says why no message can reveal it; empty where they do."""

    family: str
    name: str
    true: bool
    play: Play
    hidden: str = ""


FAMILIES = (
    "interaction", "duplicate", "allergy", "medicine and value", "kidney dose", "liver dose", "dose range",
    "critical value", "kidney injury", "counts and liver", "QT", "levels and stops", "opioid",
    "joined streams", "adherence", "monitoring", "drug level", "trend", "who the patient is", "burden", "transfer",
    "stewardship", "opportunity",
)  # fmt: skip
KINDS: list[Kind] = []


def problem(family: str, name: str, hidden: str = "") -> Callable[[Play], Play]:
    """A problem of a family."""
    return _kind(family, name, True, hidden)


def lookalike(family: str, name: str) -> Callable[[Play], Play]:
    """What looks like a problem of a family and is none."""
    return _kind(family, name, False, "")


def _kind(family: str, name: str, true: bool, hidden: str) -> Callable[[Play], Play]:
    def listed(play: Play) -> Play:
        KINDS.append(Kind(family, name, true, play, hidden))
        return play

    return listed
