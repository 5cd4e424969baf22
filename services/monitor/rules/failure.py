"""A rule that raises. It must not take the other rules with it: what it had found stands, and it is asked again."""

from __future__ import annotations

from collections.abc import Callable
from traceback import extract_tb

TellFailed = Callable[[str, Exception], None]
"""Told the rule's id and what it raised. It may raise itself: then the evaluation ends with that."""

EVERY = "\x1f"
"""Stands for the parts of a rule that failed to say which parts a change touches."""


class TooManyObligations(Exception):  # noqa: N818 - told beside errors, and never raised by a rule
    """More is waited for than is kept of one patient. What is due last is left out, and asked for again at each evaluation."""


def loudly(rule: str, error: Exception) -> None:
    """Where nobody counts failures, one is an error like any other."""
    raise error


def place_of(error: Exception) -> str:
    """Where in the code it was raised: ``opioid.py:112``. An error's text may hold facts of a patient, its place does not."""
    frames = extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
