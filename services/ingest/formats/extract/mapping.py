"""The mapping file of a delimited extract: which columns of which files are which fields of which events. TOML.

A text in braces is a column (``"{SUBJECT_ID}"``, of a joined file ``"{item.LABEL}"``), several make a template
(``"{ID}-{TIME}"``), and a text without braces is a constant (``"ordered"``). docs/ingest.md describes every key;
examples/mimic-iii.toml is a whole one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from string import Formatter
from typing import Annotated, Any, Literal, get_origin

import msgspec
from msgspec import Meta, Struct

from schemas.events import EVENT_TYPES, Event, Timing
from schemas.values import Key

Decimal = Literal[".", ","]
NonEmpty = Annotated[str, Meta(min_length=1)]


class MappingError(ValueError):
    """The mapping file cannot be used as it is: says which file, which key and what is allowed there."""


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Field(_Part, frozen=True, kw_only=True):
    """How a field is made from columns.

    ``from`` is a text, or a list of which the first that says something is taken. ``values`` translates cells,
    ``otherwise`` is for cells that it does not name (without it they are refused). ``absent`` lists cells that mean nothing
    (an empty cell always does). ``add_days`` moves a time, as for an end day that is meant inclusively. ``near`` is a time
    that says the century of one whose year has two digits: the century that brings it nearest. ``unit`` belongs to a
    quantity. ``unreadable = "unknown"`` makes a cell that cannot be read an unknown field and not a refused row.
    """

    from_: NonEmpty | Annotated[tuple[NonEmpty, ...], Meta(min_length=1)] = msgspec.field(name="from")
    values: dict[str, str] = {}
    otherwise: str | None = None
    absent: tuple[str, ...] = ()
    add_days: int = 0
    near: str = ""
    unit: str = ""
    unreadable: Literal["refuse", "unknown"] = "refuse"

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.from_,) if isinstance(self.from_, str) else self.from_


Source = str | Field


class Code(_Part, frozen=True, kw_only=True):
    """One code of a list of codings; left out of the list where its cell says nothing. ``undotted``: an ICD code that is
    written without its dot gets it back."""

    system: Key
    code: Source
    display: Source = ""
    undotted: bool = False


FieldSpec = str | bool | int | float | Field | list[Code]


class Ignore(_Part, frozen=True, kw_only=True):
    """Rows that are known and not used: those whose ``column`` holds one of ``equals`` (by default: is empty)."""

    column: NonEmpty
    kind: Key
    equals: tuple[str, ...] = ("",)


class Table(_Part, frozen=True, kw_only=True):
    """One kind of file; ``file`` is its name without ``.gz`` and may have ``*`` and ``?``. One row is one event."""

    file: NonEmpty
    event: Literal[
        "prescription", "dispensing", "administration", "lab_result", "observation", "patient", "condition", "allergy",
        "encounter",
    ]  # fmt: skip
    fields: dict[str, FieldSpec]
    ignore: tuple[Ignore, ...] = ()

    @property
    def event_type(self) -> type[Event]:
        return next(kind for kind in EVENT_TYPES if kind.__struct_config__.tag == self.event)


class Join(_Part, frozen=True, kw_only=True):
    """A file that lies beside the tables and adds its columns to their rows, as ``{NAME.COLUMN}``.

    ``key`` is the text in its rows that equals the text ``on`` in a table's row (by default both are one). ``missing`` says
    what becomes of a row whose key the file does not have: ``keep`` it without the joined columns, and count it, or
    ``refuse`` it. An empty key joins nothing and is not missing.
    """

    file: NonEmpty
    key: NonEmpty
    on: str = ""
    missing: Literal["keep", "refuse"]


class Mapping(_Part, frozen=True, kw_only=True):
    """A mapping file. ``time_formats`` are tried in their order (Python's strptime); ``zone`` is for times without one.

    ``decimal`` is the sign before the decimals of a number; the other of the two stands between thousands."""

    source: Key
    timing: Timing = "live"
    zone: str = "UTC"
    time_formats: Annotated[tuple[NonEmpty, ...], Meta(min_length=1)] = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    decimal: Decimal | None = None
    tables: Annotated[tuple[Table, ...], Meta(min_length=1)]
    joins: dict[str, Join] = {}
    ignored: tuple[NonEmpty, ...] = ()

    def table_of(self, name: str) -> Table | None:
        """The table of a file name (without ``.gz``); the first that fits."""
        return next((table for table in self.tables if fits(name, table.file)), None)

    def ignores(self, name: str) -> bool:
        """Whether the mapping knows the file and gives no events for its rows: joined files and unused ones."""
        patterns = (*self.ignored, *(join.file for join in self.joins.values()))
        return any(fits(name, pattern) for pattern in patterns)

    def joined(self, table: Table) -> dict[str, tuple[str, ...]]:
        """The joins that a table uses, each with the columns that it takes of it."""
        found: dict[str, dict[str, None]] = {}
        for column in columns_of(table):
            name, dot, taken = column.partition(".")
            if dot and name in self.joins:
                found.setdefault(name, {})[taken] = None
        return {name: tuple(taken) for name, taken in found.items()}


def fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def columns_of(table: Table) -> Iterator[str]:
    """Every column that a table names, joined ones as ``NAME.COLUMN``."""
    yield from (ignore.column for ignore in table.ignore)
    for spec in table.fields.values():
        for text in texts_of(spec):
            yield from columns_in(text)


def texts_of(spec: FieldSpec) -> Iterator[str]:
    """The texts of which a field is made: each a column, a template or a constant."""
    match spec:
        case str():
            yield spec
        case Field():
            yield from (*spec.texts, spec.near, spec.unit)
        case list():
            for code in spec:
                yield from (*texts_of(code.code), *texts_of(code.display))


def columns_in(text: str) -> list[str]:
    return [column for _, column in parts_of(text) if column is not None]


def parts_of(template: str) -> list[tuple[str, str | None]]:
    """A template as pairs of literal text and the column after it. Raises ``ValueError`` on unbalanced braces."""
    parts: list[tuple[str, str | None]] = []
    for literal, column, format_, conversion in Formatter().parse(template):
        if format_ or conversion or column == "":
            raise ValueError("write a column as {NAME}")
        parts.append((literal, column))
    return parts


def is_choice(kind: Any) -> bool:
    """Whether a type is a list of allowed texts."""
    return get_origin(kind) is Literal


def no_century(format_: str) -> bool:
    """Whether a time format writes the year with two digits."""
    sample = datetime(2101, 2, 3, tzinfo=UTC)
    return datetime.strptime(sample.strftime(format_), format_).year == 2001  # noqa: DTZ007 - only the year is looked at
