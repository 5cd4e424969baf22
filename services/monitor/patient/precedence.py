"""Which of two versions of a thing stands."""

from __future__ import annotations

import msgspec

from schemas.events import Event, LabResult
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Precedence

_content = msgspec.msgpack.Encoder(order="sorted").encode


def precedence(event: Event, rank: int = 0) -> Precedence:
    """Sources that count no versions are ordered by when they recorded a change; ``rank`` is that of the status."""
    resulted = known_or(event.resulted_at, None) if isinstance(event, LabResult) else None
    recorded = event.recorded_at or resulted or event.occurred_at
    return (event.version, recorded.timestamp(), rank, "")


def stands(one: Precedence, says: object, other: Precedence, other_says: object) -> bool:
    """Whether ``other`` does not come after ``one``: by precedence, and between equals by what they say, so that it does not
    matter which came first. Equal in both: it is the same version."""
    if one[:3] != other[:3]:
        return one[:3] > other[:3]
    return _content(says) >= _content(other_says)


def content(says: object) -> bytes:
    """What something says as bytes: equal for equal, and in an order of no meaning that is always the same."""
    return _content(says)
