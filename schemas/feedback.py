"""Feedback: a person's answer to an alert, from notify back to the monitor."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.values import Key, Time

Answer = Literal["acknowledged", "will_monitor", "not_relevant"]

REASONS: dict[str, str] = {
    "changed": "Order changed or stopped",
    "prescriber_contacted": "Prescriber contacted",
    "will_monitor": "Will monitor",
    "benefit_outweighs": "Known, benefit outweighs risk",
    "not_relevant": "Not clinically relevant here",
    "wrong_data": "The data are wrong",
}
"""Reason codes of an acknowledgement, with the words a person reads."""


class Feedback(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="feedback"):
    """One answer. ``feedback_id`` is fixed by the alert and the answer, so a copy changes nothing; ``revision`` is the
    alert's revision that the person saw."""

    feedback_id: str
    alert_id: str
    patient_id: Key
    revision: int
    answer: Answer
    reason: str
    by: Annotated[str, Meta(min_length=1, max_length=200)]
    at: Time
    comment: Annotated[str, Meta(max_length=2000)] = ""
