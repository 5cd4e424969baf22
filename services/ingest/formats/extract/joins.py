"""Files that add their columns to the rows of a table, found by a key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from services.ingest.formats import Refusal
from services.ingest.formats.extract.mapping import Join, MappingError, columns_in, parts_of
from services.ingest.formats.extract.rows import Cells, Row, header_of, need

Text = Callable[[Cells], str]
MOST_BYTES = 512 * 1024 * 1024
"""The most memory that one joined file may take; only its keys and the columns that a table takes are kept."""
_PER_ROW = 150


class Joined(NamedTuple):
    """A joined file in memory: ``columns`` of it by the text of the key."""

    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def read_join(found: Iterable[Row], join: Join, columns: Sequence[str], where: str, most: int = MOST_BYTES) -> Joined:
    """The ``columns`` of a joined file. Raises ``MappingError`` when the file cannot serve: a column that is not there, a row
    that cannot be read, a key on two rows that differ in ``columns``, or more than ``most`` bytes."""
    rows = iter(found)
    header = next(rows, None)
    names = header_of(_cells(header, where), where) if header else {}
    need(names, [*columns_in(join.key), *columns], where)
    key_of, taken = template(join.key, names), [names[column] for column in columns]
    by_key: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    held = 0
    for row in rows:
        cells = _cells(row, where)
        if len(cells) != len(names):
            raise MappingError(f"{where}, line {row.line}: {len(cells)} cells under {len(names)} columns")
        key, own = key_of(cells), tuple(cells[index] for index in taken)
        if not key:
            continue
        if (first := by_key.setdefault(key, own)) is not own and first != own:
            raise MappingError(
                f"{where}, line {row.line}: the key {join.key} is that of line {lines[key]}, and the rows differ; a key may "
                "name one row only: take a key that does, or the file without the second row"
            )
        if lines.setdefault(key, row.line) == row.line:
            held += _PER_ROW + sys.getsizeof(key) + sum(map(sys.getsizeof, own))
        if held > most:
            raise MappingError(
                f"{where}, line {row.line}: the joined columns take more than {most:,} bytes of memory; join a file with "
                "fewer rows, or take fewer of its columns"
            )
    return Joined(tuple(columns), by_key)


def _cells(row: Row, where: str) -> list[str]:
    if isinstance(row.cells, Refusal):
        raise MappingError(f"{where}, line {row.line}: {row.cells.detail}")
    if not {"\x00", "\x1f"}.isdisjoint("".join(row.cells)):
        raise MappingError(f"{where}, line {row.line}: a cell with the character NUL or U+001F, which no store holds")
    return [cell.strip() for cell in row.cells]


def template(text: str, columns: dict[str, int]) -> Text:
    """The text of a template in a row; empty when all its columns are."""
    parts = parts_of(text)
    if len(parts) == 1 and parts[0][0] == "" and parts[0][1] is not None:
        only = columns[parts[0][1]]
        return lambda row: row[only]
    used = [columns[name] for _, name in parts if name is not None]
    form = "".join(literal.replace("%", "%%") + ("" if name is None else "%s") for literal, name in parts)
    if not used:
        constant = "".join(literal for literal, _ in parts)
        return lambda row: constant

    def filled(row: Cells) -> str:
        cells = tuple([row[index] for index in used])
        return (form % cells).strip() if any(cells) else ""

    return filled
