"""The writer's side of a contract: the same structs, closed to fields that they do not name, and to what no reader or
store downstream could hold.

Readers pass unknown fields by, so that a newer writer does not stop them. What is written to us is held to the schema:
a misspelt ``dose`` must not vanish.
"""

from __future__ import annotations

import types
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from schemas.codec import encode
from schemas.events import Event
from services.ingest.formats import Refusal

MAX_VERSION = 2**53 - 1
"""The largest whole number that JSON readers agree on (RFC 8259, section 6)."""
_SUSPECTS = (b"\\u0000", b"\\u001f", b'"9999-12-31T', b'"0001-01-01T')


@cache
def closed(kind: type[Struct]) -> type[Struct]:
    """A struct type with the fields of ``kind`` that refuses any other, in itself and in every struct below it."""
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__,
        [(field.name, _closed_type(field.type), _default(field)) for field in msgspec.structs.fields(kind)],
        kw_only=True,
        forbid_unknown_fields=True,
        tag_field=config.tag_field,
        tag=config.tag,
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return msgspec.NODEFAULT if field.required else msgspec.UNSET


def _closed_type(kind: Any) -> Any:
    """``kind`` with every struct in it closed; ``UNSET`` is allowed so that any field not required may be absent."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return closed(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return Annotated[(_closed_type(arguments[0]), *arguments[1:])]
    if origin in (Union, types.UnionType):
        return Union[tuple(_closed_type(argument) for argument in arguments)]  # noqa: UP007 - built at run time
    if origin is tuple:
        return tuple[tuple(_closed_type(a) if a is not Ellipsis else a for a in arguments)]  # type: ignore[misc]
    return kind


def unsayable(event: Event) -> Refusal | None:
    """What the schema allows and no reader or store downstream could hold: NUL (Postgres) and U+001F (our fixed ids) in a
    text, a time that UTC cannot express in the years 1 to 9999, a version that other JSON readers round."""
    if event.version > MAX_VERSION:
        return Refusal("schema", f"a version above {MAX_VERSION}", "$.version")
    encoded = encode(event)
    if any(suspect in encoded for suspect in _SUSPECTS):
        return _first_fault(event, "$")
    return None


def _first_fault(value: Any, place: str) -> Refusal | None:
    if isinstance(value, str) and ("\x00" in value or "\x1f" in value):
        return Refusal("schema", "a text with the character NUL or U+001F", place)
    if isinstance(value, datetime):
        try:
            value.astimezone(UTC)
        except OverflowError:
            return Refusal("schema", "a time outside the years 1 to 9999 in UTC", place)
    below: list[tuple[str, Any]] = []
    if isinstance(value, msgspec.Struct):
        below = [(f"{place}.{name}", getattr(value, name)) for name in value.__struct_fields__]
    elif isinstance(value, tuple):
        below = [(f"{place}[{index}]", part) for index, part in enumerate(value)]
    return next((fault for name, part in below if (fault := _first_fault(part, name))), None)
