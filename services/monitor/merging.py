"""Merged records of one patient: what is kept under one id goes on under another, and so does what comes later.

A key sees only its own state, and the other id's may live in another partition. So the state of the former id ends as a
pointer and sends its whole content to the id that goes on, and each later event of the former id is sent after it. What is
sent on carries the merges that it passed (``Hop``), so that a chain is followed to its end and a circle is seen: there the
newest merge counts, and the record that it points at is the one that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas import cloudevents, codec, topics
from schemas.adoption import Adoption
from schemas.alerts import Alert
from schemas.events import AnyEvent, Patient
from schemas.identity import fixed_id
from services.monitor.alerts.lifecycle import merged_away
from services.monitor.patient.order import Precedence
from services.monitor.patient.precedence import precedence
from services.monitor.patient.state import PatientState, Pointer
from services.monitor.patient.stored import encode
from services.streaming.handler import Headers, Record, Send

HEADER = "rxvigil_merges"


class Hop(Struct, frozen=True, array_like=True):
    """A merge that a record followed: of ``former_id`` into ``into``, ``by`` whose word."""

    former_id: str
    into: str
    by: Precedence


Hops = tuple[Hop, ...]
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Hops).decode


def hops_of(record: Record) -> Hops:
    """The merges that a record followed."""
    value = next((value for name, value in record.headers if name == HEADER), None)
    return _decode(value) if value is not None else ()


def points_away(state: PatientState | None) -> bool:
    """Whether the record of this patient goes on under another id."""
    return state is not None and state.merged is not None and state.merged.follows


def merge_of(state: PatientState, event: AnyEvent) -> Pointer | None:
    """The merge that ``event`` orders, when it is news."""
    if not isinstance(event, Patient) or event.merged_into in (None, state.patient_id):
        return None
    assert event.merged_into is not None
    by: Precedence = (0, *precedence(event)[1:3], event.merged_into)
    return None if state.merged is not None and state.merged.by >= by else Pointer(event.merged_into, by)


def ended(
    state: PatientState, pointer: Pointer, hops: Hops, event: AnyEvent, at: datetime
) -> tuple[PatientState, list[Alert], list[Send]]:
    """The state as a pointer, its open alerts withdrawn, and its content sent on."""
    content = Adoption(
        patient_id=pointer.into,
        former_id=state.patient_id,
        at=event.occurred_at,
        state=encode(replace(state, applied={})),
    )
    alerts = [merged_away(alert, pointer.into, state.clock, at) for alert in state.open_alerts.values()]
    left = PatientState(state.patient_id, state.clock, applied=state.applied, live=state.live, merged=pointer)
    return left, alerts, [_adoption(content, _with(hops, state.patient_id, pointer))]


def redirected(state: PatientState, event: AnyEvent | Adoption) -> PatientState:
    """The pointer after ``event``: a newer merge says where later events go. What was sent on before stays where it is."""
    pointer = None if isinstance(event, Adoption) else merge_of(state, event)
    return state if pointer is None else replace(state, merged=pointer)


def passed_on(state: PatientState, message: AnyEvent | Adoption, hops: Hops) -> list[Send]:
    """The message under the id at which the record goes on."""
    assert state.merged is not None
    hops = _with(hops, state.patient_id, state.merged)
    if isinstance(message, Adoption):
        return [_adoption(replace(message, patient_id=state.merged.into), hops)]
    event = replace(message, patient_id=state.merged.into)
    if isinstance(event, Patient):
        event = replace(event, merged_into=None)
    return [_send(event.patient_id, codec.encode(event), cloudevents.event_headers(event), hops)]


def goes_on_here(state: PatientState, hops: Hops) -> bool:
    """Whether the merges that a record followed are a circle, and the newest of them points here."""
    assert state.merged is not None
    # the record may have passed here when this id still pointed elsewhere
    of = {hop.former_id: hop for hop in _with(hops, state.patient_id, state.merged)}
    circle: list[Hop] = []
    place = state.patient_id
    while place in of and of[place] not in circle:
        circle.append(of[place])
        place = of[place].into
    newest = max(circle, key=lambda hop: (hop.by, hop.former_id), default=None)
    return place == state.patient_id and newest is not None and newest.into == place


def revived(state: PatientState) -> PatientState:
    """The pointer as the record that goes on after all; an older merge does not take it away again."""
    assert state.merged is not None
    return replace(state, merged=replace(state.merged, follows=False))


def _with(hops: Hops, patient_id: str, pointer: Pointer) -> Hops:
    """With the merge that holds now for an id, once."""
    return (*(hop for hop in hops if hop.former_id != patient_id), Hop(patient_id, pointer.into, pointer.by))


def _adoption(message: Adoption, hops: Hops) -> Send:
    id_ = fixed_id("adoption", message.former_id, message.patient_id, message.at.isoformat())
    return _send(message.patient_id, codec.encode(message), cloudevents.adoption_headers(message, id_), hops)


def _send(patient_id: str, value: bytes, headers: Headers, hops: Sequence[Hop]) -> Send:
    return Send(topics.EVENTS, patient_id.encode(), value, [*headers, (HEADER, _encode(hops))])
