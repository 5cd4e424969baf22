"""Small values that several contracts share.

Three answers to "do we know?": a field of type ``Known[T]`` is

* absent from the JSON (``UNSET``): nobody asked, or the source cannot say;
* ``null`` (``None``): it was asked and the answer is not known;
* a value: known.

"Unknown" and "no" are different facts in medicine (no allergy against allergies not asked for), so no field of a
clinical event has a default that claims knowledge.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")
Known: TypeAlias = T | UnsetType | None

Time = Annotated[datetime, Meta(tz=True)]
"""An instant, RFC 3339 with an offset."""

Key = Annotated[str, Meta(min_length=1, max_length=256)]
"""An identifier as its source gives it."""

Text = Annotated[str, Meta(max_length=4000)]
"""Free text as received."""

Severity = Literal["critical", "high", "moderate", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "moderate", "info")
"""Gravest first. critical pages a person now, high notifies, moderate goes to the work list, info is seen by whoever
opens the patient."""


class Coding(Struct, frozen=True, omit_defaults=True):
    """One code of one code system, as FHIR's Coding: ``system`` is ``RxNorm``, ``NDC``, ``ATC``, ``LOINC``, ``ICD-9-CM``,
    ``ICD-10``, ``SNOMED CT`` or a local system's name."""

    system: Key
    code: Key
    display: Text = ""


class Quantity(Struct, frozen=True, omit_defaults=True):
    """A measured amount, or a range of it when ``high`` is given. ``unit`` is as received."""

    value: float
    unit: Annotated[str, Meta(max_length=64)] = ""
    high: float | None = None


class Origin(Struct, frozen=True, omit_defaults=True):
    """Where a fact was read: a Kafka record, or for files ``topic`` is the file's name and ``offset`` its row.

    ``index`` counts the parts of a record that holds several. ``received_at`` is the broker's time stamp.
    """

    topic: str
    partition: int
    offset: int
    index: int = 0
    received_at: Time | None = None


class Citation(Struct, frozen=True, omit_defaults=True):
    """Where a clinical statement comes from. ``status`` is ``verified`` when the source itself was read."""

    id: str
    text: str
    url: str = ""
    status: Literal["verified", "unverified"] = "unverified"


def broker_time(milliseconds: int) -> datetime | None:
    """A Kafka record's time stamp; None where it is no time, as any sender may set any number."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds >= 0 else None
    except (OverflowError, ValueError, OSError):
        return None


__all__ = [
    "SEVERITIES",
    "UNSET",
    "Citation",
    "Coding",
    "Key",
    "Known",
    "Origin",
    "Quantity",
    "Severity",
    "Text",
    "Time",
    "UnsetType",
    "broker_time",
]
