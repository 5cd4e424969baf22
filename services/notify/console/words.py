"""Clinical and technical values as words and times for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.alerts import Change, Implicated
from schemas.feedback import REASONS

_CHANGES: dict[Change, str] = {
    "opened": "Opened",
    "updated": "Updated",
    "acknowledged": "Answered",
    "attention": "Asks again",
    "resolved": "Resolved",
    "withdrawn": "Withdrawn",
}
_KINDS = {
    "prescription": "Order",
    "dispensing": "Dispensing",
    "administration": "Dose given",
    "lab_result": "Result",
    "observation": "Measurement",
}


def utc(at: datetime) -> str:
    """``2026-11-02 08:30 UTC``."""
    return f"{_in_utc(at):%Y-%m-%d %H:%M} UTC"


def machine(at: datetime) -> str:
    """The instant for a ``datetime`` attribute."""
    return _in_utc(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def _in_utc(at: datetime) -> datetime:
    """The last and the first day of time ("for ever") have no other zone: they stand as they are."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the two largest units that matter."""
    minutes = int((now - at) / timedelta(minutes=1))
    if minutes < 1:
        return "just now" if minutes >= 0 else "in the future"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h ago" if days < 14 else f"{days} d ago"
    return f"{hours} h {minutes} min ago" if hours else f"{minutes} min ago"


def change(name: Change) -> str:
    return _CHANGES[name]


def kind(fact: Implicated) -> str:
    return _KINDS[fact.kind]


def reason(code: str) -> str:
    """The words of a reason code; the code itself when a later version gave it."""
    return REASONS.get(code, code)


def value(fact: Implicated) -> str:
    """As received; what was converted beside it in brackets, with three digits."""
    if fact.value is None:
        return fact.received
    unit = "" if fact.unit == "1" else fact.unit
    plain = f"{fact.value:g} {unit}".strip()
    if not fact.received or fact.received.lstrip("<>= ") == plain:
        return fact.received or plain
    rounded = float(f"{fact.value:.3g}")
    return f"{fact.received} ({rounded:g}{unit and ' '}{unit})"
