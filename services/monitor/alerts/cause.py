"""What makes an alert open or end when it is no event: time, and the merge of two records of one patient."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from schemas.events import AnyEvent
from schemas.identity import alert_id, fixed_id
from services.monitor.patient.state import PatientState


class TimePassed(Struct, frozen=True):
    """A due time has come."""

    at: datetime


class Merged(Struct, frozen=True):
    """The record of ``former_id`` became part of this one by a merge of the clinical time ``at``."""

    former_id: str
    at: datetime


Cause = AnyEvent | TimePassed | Merged


def opened_id(rule: str, state: PatientState, subject: str, cause: Cause) -> str:
    """The id of an episode that ``cause`` opened: fixed, so a repetition after a crash opens the same.

    A record that was continued under another id for a while has given its alerts up. A fact that opened one of them may come
    again, and then opens another.
    """
    id_ = _opened_id(rule, state.patient_id, subject, cause)
    return id_ if state.merged is None else fixed_id("alert", id_, state.merged.into, *map(str, state.merged.by))


def _opened_id(rule: str, patient_id: str, subject: str, cause: Cause) -> str:
    match cause:
        case TimePassed(at):
            return fixed_id("alert", rule, patient_id, subject, "time", at.isoformat())
        case Merged(former_id, at):
            return fixed_id("alert", rule, patient_id, subject, "merged", former_id, at.isoformat())
    return alert_id(rule, patient_id, subject, cause)
