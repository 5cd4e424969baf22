"""Rows of one struct as columns: values of one kind beside one another repeat, and a general compressor makes them small.

Fields may be added at the end of a row with a default, never moved or removed: an older table has fewer columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

T = TypeVar("T", bound=Struct)


class Table(Generic[T]):
    """How rows of one kind are laid out. ``stored`` is the struct to encode; fields that are rows in their turn are given as
    tables (``nested``)."""

    def __init__(self, row: type[T], **nested: Table[Any]) -> None:
        hints, names = get_type_hints(row), row.__struct_fields__
        self._row = row
        self._nested = {names.index(name): table for name, table in nested.items()}
        columns: list[tuple[str, Any, Any]] = [("absent", list[int], msgspec.field(default_factory=list))]
        for name in names:
            kind = nested[name].stored if name in nested else list[hints[name]]  # type: ignore[valid-type]
            empty = nested[name].stored if name in nested else list
            columns.append((name, kind, msgspec.field(default_factory=empty)))
        self.stored: Any = msgspec.defstruct(f"{row.__name__}Columns", columns, array_like=True)

    def columns(self, rows: Sequence[T | None]) -> Any:
        """The rows as ``stored``; the places of those that are None are kept beside."""
        absent = [place for place, row in enumerate(rows) if row is None]
        there = [row for row in rows if row is not None] if absent else rows
        columns: list[Any] = list(map(list, zip(*map(astuple, there), strict=True)))  # type: ignore[arg-type]
        for place, table in self._nested.items() if columns else ():
            columns[place] = table.columns(columns[place])
        return self.stored(absent, *columns)

    def rows(self, stored: Any) -> list[T | None]:
        """The rows that were stored."""
        absent, *columns = astuple(stored)
        for place, table in self._nested.items():
            columns[place] = table.rows(columns[place])
        filled = [column for column in columns if column]
        rows: list[T | None] = list(map(self._row, *filled)) if filled else []
        for place in absent:
            rows.insert(place, None)
        return rows
