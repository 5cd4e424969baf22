"""When a patient's picture is sent: at once when it shows something new, but at most every few seconds; the last one always.

A picture that has to wait is owed: the state says so, and is due when the time has come, so a crash or another worker does not
forget it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b

from msgspec.structs import replace

from schemas import cloudevents, codec, topics
from schemas.identity import fixed_id
from services.monitor.patient.picture import picture
from services.monitor.patient.state import LastPicture, PatientState
from services.streaming.handler import Send

AT_MOST_EVERY = 5_000
"""Milliseconds between two pictures of a patient: whoever reads one sees no difference, and a picture takes longer to draw
than the event to apply."""

_ANY_TIME = datetime.min.replace(tzinfo=UTC)


def shown(state: PatientState, now: int) -> tuple[PatientState, list[Send]]:
    """The state may have changed: send its picture, or owe it. ``now`` is the monitor's time in milliseconds."""
    last = state.last_picture
    if 0 <= now - last.at < AT_MOST_EVERY:
        return (state if last.owed else replace(state, last_picture=replace(last, owed=True))), []
    drawn = picture(state)
    # time alone is nothing new
    digest = blake2b(codec.encode(replace(drawn, clock=_ANY_TIME)), digest_size=8).hexdigest()
    if digest == last.digest:
        return (replace(state, last_picture=replace(last, owed=False)) if last.owed else state), []
    applied = (f"{topic}:{offset}" for topic, offset in sorted(state.applied.items()))
    headers = cloudevents.picture_headers(drawn, fixed_id("picture", state.patient_id, *applied, digest))
    send = Send(topics.PICTURES, state.patient_id.encode(), codec.encode(drawn), headers)
    return replace(state, last_picture=LastPicture(now, digest)), [send]


def last(key: bytes, state: PatientState | None) -> Send:
    """The picture of a synthetic patient that is forgotten; without a value where nothing was known of it."""
    if state is None:
        return Send(topics.CANARY_PICTURES, key, None)
    drawn = picture(state)
    headers = cloudevents.picture_headers(drawn, fixed_id("picture", state.patient_id, "last"))
    return Send(topics.CANARY_PICTURES, key, codec.encode(drawn), headers)


def due(state: PatientState) -> int | None:
    """When an owed picture may be sent, milliseconds since the epoch."""
    return state.last_picture.at + AT_MOST_EVERY if state.last_picture.owed else None
