"""Adoption: what the monitor kept of a patient whose record was merged into another, sent to where the record goes on.

Written and read by the monitor alone, on ``medication.events`` under the key of the patient that goes on, so that it has its
place in that patient's one order of events.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from schemas.values import Key, Time


class Adoption(Struct, frozen=True, kw_only=True, tag_field="type", tag="adoption"):
    """``state`` is the state of ``former_id`` as the monitor stores it, in base64; ``at`` is the clinical time of the merge.
    A copy changes nothing."""

    patient_id: Key
    former_id: Key
    at: Time
    state: Annotated[bytes, Meta(max_length=8_000_000)]
