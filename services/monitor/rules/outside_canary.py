"""The canary of the interactions that a site brought in: made of the first pair that counts, which only the site knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from knowledge.model import Knowledge
from services.monitor.rules.canary import Canary, CanaryError, Expected, Fires, Silent

_PRESENT = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def outside_canary(knowledge: Knowledge) -> Canary:
    """Two orders together, and one that ended before the other began. Raises ``CanaryError`` where nothing counts."""
    if not knowledge.outside.counting:
        raise CanaryError("nothing that the site brought in counts, so there is nothing to try")
    theirs = min(knowledge.outside.counting.values(), key=lambda each: each.pair)
    one, other = theirs.pair
    apart = [_order(one, -9, until=-3), _order(other, 0)]
    return Canary(
        fires=Fires(
            what=f"{one} and {other} are ordered together.",
            events=(_order(one, -9), _order(other, 0)),
            alerts=(Expected(subject=f"{one}+{other}", severity=theirs.severity),),
        ),
        silent=Silent(what=f"{one} ended before {other} began.", events=tuple(apart)),
    )


def _order(ingredient: str, hours: int, until: int | None = None) -> Raw:
    at = _PRESENT + hours * _HOUR
    said: dict[str, Any] = {
        "type": "prescription",
        "patient_id": "canary",
        "source": "canary",
        "record_id": ingredient,
        "occurred_at": at.isoformat(),
        "timing": "replayed",
        "status": "ordered",
        "drug": {"text": ingredient},
        "dosage": {"route": "oral"},
    }
    if until is not None:
        said["end"] = (_PRESENT + until * _HOUR).isoformat()
    return Raw(msgspec.json.encode(said))
