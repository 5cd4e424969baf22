"""Delimited text as rows with their own bytes, and files that other tables look things up in."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.ingest.formats import Refusal
from services.ingest.formats.extract.mapping import MappingError

Cells = Sequence[str]
_BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A data row: the line that it begins on (the first line of a file is 1), its own bytes, and its cells."""

    line: int
    original: bytes
    cells: list[str] | Refusal


def rows(lines: Iterable[bytes], delimiter: str) -> Iterator[Row]:
    """The rows of a delimited text, the header first; blank lines are none. Never raises for what the text holds."""
    taken: list[bytes] = []

    def texts() -> Iterator[str]:
        for number, line in enumerate(lines):
            # a byte order mark before a quoted name would make the quotes part of it
            own = line if number else line.removeprefix(_BOM)
            taken.append(own)
            yield own.decode("utf-8", "surrogateescape")

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    line = 1
    while True:
        found: list[str] | Refusal
        try:
            found = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            found = Refusal("mapping", f"not a delimited row: {error}")
        original, at = b"".join(taken), line
        line += len(taken)
        taken.clear()
        if original.strip():
            yield Row(at, original, _not_utf8(original) or found)


def _not_utf8(original: bytes) -> Refusal | None:
    try:
        original.decode()
    except UnicodeDecodeError as error:
        return Refusal("not_utf8", f"byte {error.start} of the row is not UTF-8")
    return None


class LookUp(NamedTuple):
    """A look-up file in memory: rows by the cell of the key column."""

    columns: dict[str, int]
    rows: dict[str, Cells]


def look_up(found: Iterable[Row], key: str, where: str) -> LookUp:
    """Raises ``MappingError`` when the file cannot serve as a look-up."""
    columns: dict[str, int] = {}
    by_key: dict[str, Cells] = {}
    for row in found:
        if isinstance(row.cells, Refusal):
            raise MappingError(f"{where}, line {row.line}: {row.cells.detail}")
        stripped = [cell.strip() for cell in row.cells]
        if not columns:
            columns = header_of(stripped, where)
            need(columns, [key], where)
            continue
        if len(stripped) != len(columns):
            raise MappingError(f"{where}, line {row.line}: {len(stripped)} cells under {len(columns)} columns")
        if by_key.setdefault(stripped[columns[key]], stripped) != stripped:
            raise MappingError(f"{where}, line {row.line}: the column {key} names this row a second time")
    return LookUp(columns, by_key)


def header_of(names: Cells, where: str) -> dict[str, int]:
    """Column names with their positions. Raises ``MappingError`` when two columns have one name."""
    columns: dict[str, int] = {}
    for index, name in enumerate(map(str.strip, names)):
        if columns.setdefault(name, index) != index:
            raise MappingError(f"{where}: two columns are named {name!r}; give each a name of its own")
    return columns


def need(columns: dict[str, int], wanted: Iterable[str], where: str) -> None:
    """Raises ``MappingError`` when a wanted column is not there."""
    for name in wanted:
        if name not in columns:
            raise MappingError(f"{where}: there is no column {name!r}; there are: {', '.join(columns)}")
