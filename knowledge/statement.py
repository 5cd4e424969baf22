"""What most of what is known has in common: on what it rests, and what an alert says by it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.values import SEVERITIES, Citation, Severity

Status = Literal["verified", "unverified"]
"""Whether what is stated was read in its sources."""
Step = Severity | Literal["none"]
"""A severity, or that nothing is to be said."""


class Statement(Struct, frozen=True, kw_only=True):
    """Something stated, with how good its evidence is and where it is from."""

    evidence_grade: str
    status: Status
    citations: tuple[Citation, ...]


class Advised(Statement, frozen=True, kw_only=True):
    """What an alert says: what it is, what it can do to the patient, what to do, and what to tell the patient."""

    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


def decides_before(step: Step) -> int:
    """The place of a step among others that hold: the least decides. ``none`` stands before every severity."""
    return -1 if step == "none" else SEVERITIES.index(step)
