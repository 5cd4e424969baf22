"""A record of JSON: events of ours and FHIR resources, told apart by their content; one, a list of them, or one a line."""

from __future__ import annotations

from datetime import datetime

from services.ingest.formats import Item, fhir, native
from services.ingest.formats.framing import MAX_UNITS, Part, items


def decode(value: bytes | None, most: int = MAX_UNITS, received_at: datetime | None = None) -> list[Item]:
    """The units of one record. At least one for any input; a record of more than ``most`` is refused whole. Never raises.

    An object with a ``resourceType`` is FHIR, any other an event of ours. ``received_at`` is the time of a FHIR resource that
    has none.
    """
    return items(value, most, lambda text: _read(text, most, received_at))


def _read(text: bytes, most: int, received_at: datetime | None) -> list[Part]:
    if fhir.MARK in text and (parts := fhir.read(text, most, received_at)) is not None:
        return parts
    return native.read(text)
