"""Delimited text as rows with their own bytes."""

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
    reader = csv.reader(_texts(lines, taken), delimiter=delimiter, strict=True)
    line = 1
    while True:
        found: list[str] | Refusal
        try:
            found = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            found = Refusal("mapping", f"not a delimited row: {error}")
        original = taken[0] if len(taken) == 1 else b"".join(taken)
        at = line
        line += len(taken)
        taken.clear()
        if not original.isspace() and original:
            yield Row(at, original, found if original.isascii() else _not_utf8(original) or found)


def _texts(lines: Iterable[bytes], taken: list[bytes]) -> Iterator[str]:
    """Each line as text, put into ``taken`` before it is read."""
    first = True
    for line in lines:
        # a byte order mark before a quoted name would make the quotes part of it
        own = line.removeprefix(_BOM) if first else line
        first = False
        taken.append(own)
        yield own.decode("utf-8", "surrogateescape")


def _not_utf8(original: bytes) -> Refusal | None:
    try:
        original.decode()
    except UnicodeDecodeError as error:
        return Refusal("not_utf8", f"byte {error.start} of the row is not UTF-8")
    return None


def header_of(names: Cells, where: str) -> dict[str, int]:
    """Column names with their positions; a column without a name (a delimiter at the end of every line) is called by its
    number. Raises ``MappingError`` when two columns have one name."""
    columns: dict[str, int] = {}
    for index, given in enumerate(map(str.strip, names)):
        name = given or f"column {index + 1}"
        if columns.setdefault(name, index) != index:
            raise MappingError(f"{where}: two columns are named {name!r}; give each a name of its own")
    return columns


def need(columns: Iterable[str], wanted: Iterable[str], where: str) -> None:
    """Raises ``MappingError`` when a wanted column is not there."""
    there = list(columns)
    for name in wanted:
        if name not in there:
            raise MappingError(f"{where}: there is no column {name!r}; there are: {', '.join(there)}")
