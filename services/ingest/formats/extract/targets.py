"""Fields of events by their dotted paths (``drug.text``): what a mapping file may fill, and with what."""

from __future__ import annotations

import types
from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Struct, UnsetType

from schemas.events import Event, LabResult
from schemas.values import Coding, Quantity
from services.ingest.formats.extract.mapping import MappingError, is_choice

Kind = Literal["text", "time", "date", "number", "whole", "truth", "quantity", "codings", "result"]
_KINDS: dict[Any, Kind] = {
    str: "text", datetime: "time", date: "date", float: "number", int: "whole", bool: "truth", Quantity: "quantity",
    tuple[Coding, ...]: "codings",
}  # fmt: skip
_NOT_MAPPED = {
    "source", "timing", "event_id", "ingested_at", "origin", "analyte", "canonical_value", "canonical_unit", "remark",
    "dosage.daily_dose", "dosage.remark",
    "drug.ingredients", "drug.resolution", "allergy.substance.ingredients", "allergy.substance.resolution",
}  # fmt: skip


class Target(NamedTuple):
    """A field that a mapping fills: its path, its type by the schema, and how a cell becomes it."""

    path: str
    type: Any
    kind: Kind
    choices: tuple[str, ...] = ()
    """The values that the field may have, where the schema lists them."""


def target_of(event_type: type[Event], path: str, where: str) -> Target:
    """Raises ``MappingError``, which lists the fields that there are."""
    kind: Any = event_type
    declared: Any = event_type
    for number, name in enumerate(path.split(".")):
        above = kind
        known = {f.name: f.type for f in msgspec.structs.fields(above)} if _is_struct(above) else {}
        prefix = ".".join(path.split(".")[:number])
        fields = {name: type_ for name, type_ in known.items() if f"{prefix}.{name}".strip(".") not in _NOT_MAPPED}
        if name not in fields:
            names = ", ".join(fields) or "none below it"
            raise MappingError(f"{where}: no such field; {prefix or event_type.__struct_config__.tag} has: {names}")
        declared = fields[name]
        kind = _bare(declared)
    if event_type is LabResult and path == "value":
        return Target(path, declared, "result")
    if is_choice(kind):
        return Target(path, declared, "text", get_args(kind))
    if kind not in _KINDS:
        hint = f"name a field of it, as {path}.{kind.__struct_fields__[0]}" if _is_struct(kind) else "it is a list"
        raise MappingError(f"{where}: a row cannot fill this field as a whole; {hint}")
    return Target(path, declared, _KINDS[kind])


def lacking(kind: type[Struct], paths: Collection[str], prefix: str = "") -> str | None:
    """The first field that the schema requires and none of ``paths`` fills; a struct that is filled needs its own."""
    for field in msgspec.structs.fields(kind):
        path = f"{prefix}{field.name}"
        filled = [each for each in paths if each == path or each.startswith(f"{path}.")]
        if not filled and field.required and path != "source":
            return path
        below = _bare(field.type)
        if filled and path not in filled and _is_struct(below) and (found := lacking(below, filled, f"{path}.")):
            return found
    return None


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _bare(kind: Any) -> Any:
    """A type without its limits and without "unknown"."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        known = [argument for argument in get_args(kind) if argument not in (UnsetType, types.NoneType)]
        return _bare(known[0]) if len(known) == 1 else kind
    return kind
