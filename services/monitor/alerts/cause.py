"""What makes an alert open or end when it is no event: time, and the merge of two records of one patient."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from schemas.events import AnyEvent
from schemas.identity import alert_id, fixed_id


class TimePassed(Struct, frozen=True):
    """A due time has come."""

    at: datetime


class Merged(Struct, frozen=True):
    """The record of ``former_id`` became part of this one by a merge of the clinical time ``at``."""

    former_id: str
    at: datetime


Cause = AnyEvent | TimePassed | Merged


def opened_id(rule: str, patient_id: str, subject: str, cause: Cause) -> str:
    """The id of an episode that ``cause`` opened: fixed, so a repetition after a crash opens the same."""
    match cause:
        case TimePassed(at):
            return fixed_id("alert", rule, patient_id, subject, "time", at.isoformat())
        case Merged(former_id, at):
            return fixed_id("alert", rule, patient_id, subject, "merged", former_id, at.isoformat())
    return alert_id(rule, patient_id, subject, cause)
