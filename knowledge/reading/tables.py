"""Reads a CSV file of the knowledge into rows of a type. Every fault says file, line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from importlib.resources.abc import Traversable
from typing import Generic, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

from knowledge.statement import Status

SEPARATOR = "|"
"""Between the parts of a cell that holds several."""


class KnowledgeError(Exception):
    """The data cannot be used as they are: what is wrong, in which file, line and column, and what is expected."""

    def __init__(self, file: str, line: int, column: str, problem: str) -> None:
        place = "".join([file, f", line {line}" if line else "", f", column {column}" if column else ""])
        super().__init__(f"{place}: {problem}")
        self.file, self.line, self.column = file, line, column


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line; ``sources`` are ids of ``sources.csv``, at least one."""

    sources: tuple[str, ...]


class StatementRow(Row, frozen=True, kw_only=True):
    """A line that states something of patients or medicines: what a ``Statement`` rests on, and who wrote the line."""

    evidence_grade: str
    status: Status
    author: str


class AdvisedRow(StatementRow, frozen=True, kw_only=True):
    """A line with what an alert says, as in ``Advised``."""

    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


RowT = TypeVar("RowT", bound=Struct)


class Table(Generic[RowT]):
    """The rows of one file with their places: the file that each is in, and its line."""

    def __init__(self, file: str, row_type: type[RowT], rows: list[RowT], places: list[tuple[str, int]]) -> None:
        self.file, self.row_type, self.rows, self._places = file, row_type, rows, places

    def error(self, row: RowT, column: str, problem: str) -> KnowledgeError:
        """The fault of one cell."""
        at = next(i for i, each in enumerate(self.rows) if each is row)
        return KnowledgeError(*self._places[at], column, problem)

    def each_once(self, *columns: str) -> None:
        """Refuses two rows that say the same in all of these columns."""
        seen: set[tuple[object, ...]] = set()
        for row in self.rows:
            key = tuple(getattr(row, column) for column in columns)
            if key in seen:
                said = ", ".join(SEPARATOR.join(cell) if isinstance(cell, tuple) else str(cell) for cell in key)
                raise self.error(row, columns[-1], f"{said!r} is there twice")
            seen.add(key)

    def each_of(self, column: str, expected: Collection[str]) -> None:
        """Refuses a column that has not each of ``expected`` once."""
        self.each_once(column)
        missing = [each for each in expected if each not in {getattr(row, column) for row in self.rows}]
        if missing:
            raise self.error(self.rows[-1], column, f"there is no row for {', '.join(missing)}")

    def under(self, over: Table[RowT], key: tuple[str, ...]) -> Table[RowT]:
        """These rows but for those that ``over`` has a row of the same ``key`` for, then the rows of ``over``."""
        said = {tuple(getattr(row, name) for name in key) for row in over.rows}
        kept = [i for i, row in enumerate(self.rows) if tuple(getattr(row, name) for name in key) not in said]
        rows = [self.rows[i] for i in kept] + over.rows
        return Table(self.file, self.row_type, rows, [self._places[i] for i in kept] + over._places)


def read(root: Traversable, path: str, row_type: type[RowT], *, said: str = "") -> Table[RowT]:
    """Read the file ``path`` under ``root``; errors call it ``said`` where that is given. The header names exactly the fields
    of ``row_type``; an empty cell is absent.

    Raises ``KnowledgeError`` for a missing or unreadable file, a wrong header, a cell of the wrong type.
    """
    file = said or path
    try:
        text = root.joinpath(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(file, 0, "", f"cannot be read as UTF-8 text ({error})") from error
    columns = row_type.__struct_fields__
    cells, lines = _cells(file, text, columns)
    several = {name for name, kind in get_type_hints(row_type).items() if kind == tuple[str, ...]}
    records = [
        {c: _parts(cell) if c in several else cell.strip() for c, cell in row.items() if cell.strip()} for row in cells
    ]
    try:
        rows = msgspec.convert(records, list[row_type], strict=False)  # type: ignore[valid-type]
        return Table(path, row_type, rows, [(file, line) for line in lines])
    except msgspec.ValidationError as error:
        raise _located(file, error, lines) from error


def _cells(file: str, text: str, columns: tuple[str, ...]) -> tuple[list[dict[str, str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    try:
        header = next(reader, [])
        if sorted(header) != sorted(columns):
            wrong = ", ".join(sorted(set(header) ^ set(columns))) or "a column twice"
            raise KnowledgeError(file, 1, wrong, f"the header must name the columns {', '.join(columns)}, each once")
        for cells in reader:
            if len(cells) != len(header):
                last = header[min(len(cells), len(header) - 1)]
                raise KnowledgeError(
                    file, reader.line_num, last, f"{len(cells)} cells where {len(header)} are expected"
                )
            rows.append(dict(zip(header, cells, strict=True)))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise KnowledgeError(file, reader.line_num, "", f"not CSV ({error})") from error
    return rows, lines


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(SEPARATOR) if part.strip()]


def _located(file: str, error: msgspec.ValidationError, lines: list[int]) -> KnowledgeError:
    problem, _, path = str(error).partition(" - at `$[")
    at = int(path.split("]", 1)[0]) if path else 0
    column = re.search(r"\]\.(\w+)", path) or re.search(r"required field `(\w+)`", problem)
    return KnowledgeError(file, lines[at], column.group(1) if column else "", problem)
