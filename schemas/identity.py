"""Fixed identities: the same thing has the same id after a crash, a replay or a second feed."""

from __future__ import annotations

from hashlib import blake2b, sha1
from uuid import UUID

import msgspec
from msgspec.structs import replace

from schemas.events import Event
from schemas.values import Origin

NAMESPACE = UUID("6f2b9a52-5c0f-5d1b-9b1e-3c6a1f0e7d11")
_NAMESPACE_BYTES = NAMESPACE.bytes
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_SEPARATOR = "\x1f"
_CONTENT = msgspec.json.Encoder(order="sorted").encode


def fixed_id(kind: str, *parts: str | int) -> str:
    """UUIDv5 over a kind and its parts; parts may hold anything but the unit separator (U+001F).

    Put together by hand: each event needs one, and ``uuid.uuid5`` takes twice as long.
    """
    name = _SEPARATOR.join((kind, *map(str, parts))).encode()
    d = sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).hexdigest()
    return f"{d[:8]}-{d[8:12]}-5{d[13:16]}-{_VARIANT[d[16]]}{d[17:20]}-{d[20:32]}"


def event_id(origin: Origin) -> str:
    """Reading a source record again gives the same event id."""
    return fixed_id("event", origin.topic, origin.partition, origin.offset, origin.index)


def content_digest(event: Event) -> str:
    """What an event says, whichever way it came: equal for equal content, whatever its event id, receipt and origin."""
    content = _CONTENT(replace(event, event_id="", ingested_at=None, origin=None))
    return blake2b(content, digest_size=8).hexdigest()


def alert_id(rule: str, patient_id: str, subject: str, opened_by: Event) -> str:
    """The id of an episode: rule, patient, subject and the event that opened it.

    The event counts by its business identity (source, record, version, clinical time) and its content, and not by the place
    it was read from, so the same fact gives the same alert whether it came by another topic, from a file or through
    `rxvigil check`. The content counts because a source that numbers no versions may change a record more than once with one
    clinical time, and each change may open an episode of its own.
    """
    opened = (opened_by.source, opened_by.record_id, opened_by.version, opened_by.occurred_at.isoformat())
    return fixed_id("alert", rule, patient_id, subject, *opened, content_digest(opened_by))
