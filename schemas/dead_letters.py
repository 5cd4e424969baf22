"""Dead letters: an input that was refused, whole and with the reason.

On Kafka the record's value is the original bytes, untouched and never enlarged, and everything else is a header, so an
input of the largest size allowed still fits. No header holds clinical content: ``detail`` names places and types.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from schemas.values import Time

REASONS: dict[str, str] = {
    "empty": "the record has no value",
    "too_large": "the record is larger than the largest allowed",
    "too_many": "the record holds more events than one record may",
    "not_utf8": "the text is not valid UTF-8",
    "not_json": "the value is not JSON",
    "unknown_type": "the event's type is none that the schemas name",
    "schema": "a field is missing, has the wrong type or is not in the schema",
    "mapping": "a row lacks what the mapping file requires, or a cell cannot be read as it says",
    "reserved_patient": "the patient id is reserved for synthetic patients, or is not and came on their topic",
    "ingest_error": "ingest failed on this record",
    "undecodable_event": "a canonical event could not be read",
    "rule_error": "the monitor failed on this event",
    "notify_error": "notify could not store this alert",
}


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``topic``, ``partition``, ``offset`` and ``index`` say where the input stood; ``place`` where in it the fault is
    (a JSON path, or a column)."""

    reason: Annotated[str, Meta(extra_json_schema={"enum": list(REASONS)})]
    detail: str
    topic: str
    partition: int
    offset: int
    original: bytes
    index: int = 0
    place: str = ""
    received_at: Time | None = None
    refused_at: Time | None = None
    refused_by: str = ""

    def headers(self) -> list[tuple[str, bytes]]:
        """The Kafka headers of this letter; ``original`` is the value."""
        fields = msgspec.to_builtins(self, builtin_types=(bytes,))
        return [(f"dl_{name}", str(v).encode()) for name, v in fields.items() if name != "original"]

    @classmethod
    def from_record(cls, headers: list[tuple[str, bytes]], value: bytes) -> DeadLetter:
        """The letter of a Kafka record. Raises ``msgspec.ValidationError`` if a header is missing or malformed."""
        fields: dict[str, object] = {
            name.removeprefix("dl_"): v.decode() for name, v in headers if name.startswith("dl_")
        }
        return msgspec.convert(fields | {"original": value}, cls, strict=False)
