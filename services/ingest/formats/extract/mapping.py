"""The mapping file of a delimited extract: which columns of which files are which fields of which events. TOML.

A text in braces is a column (``"{SUBJECT_ID}"``), several make a template (``"{ID}-{TIME}"``), and a text without braces
is a constant (``"ordered"``). docs/ingest.md describes every key; examples/mimic-iii.toml is a whole one.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from string import Formatter
from typing import Annotated, Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from schemas.events import EVENT_TYPES, Event, Timing
from schemas.values import Key

NonEmpty = Annotated[str, Meta(min_length=1)]


class MappingError(ValueError):
    """The mapping file cannot be used as it is: says which file, which key and what is allowed there."""


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Field(_Part, frozen=True, kw_only=True):
    """How a field is made from columns.

    ``values`` translates cells, ``otherwise`` is for cells that it does not name (without it they are refused).
    ``absent`` lists cells that mean nothing (an empty cell always does). ``lookup`` takes column ``take`` of another file
    at the row that the cell names. ``add_days`` moves a time, as for an end day that is meant inclusively. ``unit`` belongs
    to a quantity. ``unreadable = "unknown"`` makes a cell that cannot be read an unknown field and not a refused row.
    """

    from_: NonEmpty = msgspec.field(name="from")
    values: dict[str, str] = {}
    otherwise: str | None = None
    absent: tuple[str, ...] = ()
    lookup: str = ""
    take: str = ""
    add_days: int = 0
    unit: str = ""
    unreadable: Literal["refuse", "unknown"] = "refuse"


Source = str | Field


class Code(_Part, frozen=True, kw_only=True):
    """One code of a list of codings; left out of the list where its cell says nothing."""

    system: Key
    code: Source
    display: Source = ""


FieldSpec = str | bool | int | float | Field | list[Code]


class Ignore(_Part, frozen=True, kw_only=True):
    """Rows that are known and not used: those whose ``column`` holds one of ``equals`` (by default: is empty)."""

    column: NonEmpty
    kind: Key
    equals: tuple[str, ...] = ("",)


class Table(_Part, frozen=True, kw_only=True):
    """One kind of file; ``file`` is its name without ``.gz`` and may have ``*`` and ``?``. One row is one event."""

    file: NonEmpty
    event: Literal["prescription", "dispensing", "administration", "lab_result", "observation", "patient"]
    fields: dict[str, FieldSpec]
    ignore: tuple[Ignore, ...] = ()

    @property
    def event_type(self) -> type[Event]:
        return next(kind for kind in EVENT_TYPES if kind.__struct_config__.tag == self.event)


class Lookup(_Part, frozen=True, kw_only=True):
    """A file that other tables look things up in, by its column ``key``. It lies beside them and gives no events."""

    file: NonEmpty
    key: NonEmpty


class Mapping(_Part, frozen=True, kw_only=True):
    """A mapping file. ``time_formats`` are tried in their order (Python's strptime); ``zone`` is for times without one."""

    source: Key
    timing: Timing = "live"
    zone: str = "UTC"
    time_formats: Annotated[tuple[NonEmpty, ...], Meta(min_length=1)] = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    tables: Annotated[tuple[Table, ...], Meta(min_length=1)]
    lookups: dict[str, Lookup] = {}
    ignored: tuple[NonEmpty, ...] = ()

    def table_of(self, name: str) -> Table | None:
        """The table of a file name (without ``.gz``); the first that fits."""
        return next((table for table in self.tables if fits(name, table.file)), None)

    def ignores(self, name: str) -> bool:
        """Whether the mapping knows the file and gives no events for its rows: look-ups and unused tables."""
        patterns = (*self.ignored, *(lookup.file for lookup in self.lookups.values()))
        return any(fits(name, pattern) for pattern in patterns)


def fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def load(text: bytes, file: str) -> Mapping:
    """Raises ``MappingError``; ``file`` is the name that it says."""
    try:
        data = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise MappingError(f"{file}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{file}: not TOML: {error}") from error
    try:
        mapping = msgspec.convert(data, Mapping)
    except msgspec.ValidationError as error:
        raise MappingError(f"{file}: {_located(data, str(error))}") from error
    try:
        ZoneInfo(mapping.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(f"{file}: zone: no time zone {mapping.zone!r}; use an IANA name as Europe/Berlin") from error
    for format_ in mapping.time_formats:
        _check_time_format(format_, file)
    for number, table in enumerate(mapping.tables):
        for path, spec in table.fields.items():
            _check_lookup(mapping, spec, f"{file}: tables[{number}].fields.{path!r}")
    return mapping


def _located(data: dict[str, Any], failure: str) -> str:
    """A failure with what is allowed there, and with the key of the field where msgspec says ``fields[...]``."""
    if "fields[...]" in failure:
        for number, table in enumerate(data["tables"]):
            for path, spec in table["fields"].items():
                try:
                    msgspec.convert(spec, FieldSpec)
                except msgspec.ValidationError as error:
                    return f"tables[{number}].fields.{path!r}: {_with_allowed(str(error), Field)}"
    return _with_allowed(_with_allowed(failure, Table), Mapping)


def _with_allowed(failure: str, kind: type[Struct]) -> str:
    """The failure, with the values that are allowed where it names a field of ``kind`` with a list of them."""
    choices = {field.name: get_args(field.type) for field in msgspec.structs.fields(kind) if is_choice(field.type)}
    for name, allowed in choices.items():
        if failure.startswith("Invalid enum value") and failure.endswith(f".{name}`"):
            return f"{failure}; allowed: {', '.join(allowed)}"
    return failure


def is_choice(kind: Any) -> bool:
    """Whether a type is a list of allowed texts."""
    return get_origin(kind) is Literal


def _check_time_format(format_: str, file: str) -> None:
    sample = datetime(2001, 2, 3, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(format_), format_)  # noqa: DTZ007 - the format alone is looked at
    except ValueError as error:
        raise MappingError(f"{file}: time_formats: {format_!r} is none of Python's strptime formats") from error
    if read.year != sample.year:
        raise MappingError(f"{file}: time_formats: {format_!r} names no year; every time would be of the year 1900")


def _check_lookup(mapping: Mapping, spec: object, where: str) -> None:
    if isinstance(spec, list):
        for code in spec:
            _check_lookup(mapping, code.code, where)
            _check_lookup(mapping, code.display, where)
    if not isinstance(spec, Field):
        return
    if spec.lookup and spec.lookup not in mapping.lookups:
        names = ", ".join(sorted(mapping.lookups)) or "there is none"
        raise MappingError(f"{where}: no look-up {spec.lookup!r}; under [lookups]: {names}")
    if bool(spec.lookup) != bool(spec.take):
        raise MappingError(f"{where}: lookup and take go together: the look-up and the column of it that is wanted")


def parts_of(template: str) -> list[tuple[str, str | None]]:
    """A template as pairs of literal text and the column after it. Raises ``ValueError`` on unbalanced braces."""
    parts: list[tuple[str, str | None]] = []
    for literal, column, format_, conversion in Formatter().parse(template):
        if format_ or conversion or column == "":
            raise ValueError("write a column as {NAME}")
        parts.append((literal, column))
    return parts
