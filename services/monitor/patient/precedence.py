"""Which of two versions of a thing stands."""

from __future__ import annotations

from schemas.events import Event, LabResult
from schemas.identity import content_digest
from services.monitor.patient.known import known_or
from services.monitor.patient.state import Precedence


def precedence(event: Event, rank: int = 0) -> Precedence:
    """Sources that count no versions are ordered by when they recorded a change; ``rank`` is that of the status."""
    resulted = known_or(event.resulted_at, None) if isinstance(event, LabResult) else None
    recorded = event.recorded_at or resulted or event.occurred_at
    return (event.version, recorded.timestamp(), rank, content_digest(event))
