"""The data files of the knowledge as rows of text: how many are verified, and how two states of them differ."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from knowledge.reading.tables import SEPARATOR, KnowledgeError
from knowledge.reading.toml import Toml

SOURCES = "sources.csv"
SHIPPED = Path(str(files("knowledge")))

Rows = list[dict[str, str]]


class Counted(NamedTuple):
    """One file: its rows, and how many of them are verified."""

    file: str
    rows: int
    verified: int


class Difference(NamedTuple):
    """One row that differs. ``cells`` are those of a row that is there on one side only, with ``""`` for the other side, or
    those that changed: before and after by column."""

    file: str
    kind: Literal["added", "removed", "changed"]
    key: tuple[str, ...]
    cells: Mapping[str, tuple[str, str]]


def count(root: Path, over: Path | None = None) -> list[Counted]:
    """Every file of ``root``. A row says itself whether it is verified; where its file has no such column, it is when one of its
    sources is. ``over`` is a site's folder whose sources count too."""
    tables = read_all(root)
    status = {row["id"]: row["status"] for each in (root, over) if each for row in read_all(each).get(SOURCES, [])}
    return [Counted(file, len(rows), sum(is_verified(row, status) for row in rows)) for file, rows in tables.items()]


def is_verified(row: Mapping[str, str], status: Mapping[str, str]) -> bool:
    if "status" in row:
        return row["status"] == "verified"
    return any(status.get(each.strip()) == "verified" for each in row.get("sources", "").split(SEPARATOR))


def differences(old: Path, new: Path) -> Iterator[Difference]:
    """The rows that differ, by file and in the order in which they stand there. ``old`` and ``new`` are folders of knowledge or
    checkouts that hold one. Raises ``KnowledgeError`` for what is neither."""
    before, after = read_all(folder_of(old)), read_all(folder_of(new))
    for file in sorted(before.keys() | after.keys()):
        yield from _of_file(file, before.get(file, []), after.get(file, []))


def folder_of(path: Path) -> Path:
    """The folder of knowledge that ``path`` is or has."""
    for folder in (path, path / "knowledge"):
        if (folder / SOURCES).is_file():
            return folder
    raise KnowledgeError(str(path), 0, "", f"no folder of knowledge and no checkout of one: {SOURCES} is not there")


def read_all(root: Path) -> dict[str, Rows]:
    """The rows of every data file under ``root`` by its path there; of a file of written rules, the rules. Raises
    ``KnowledgeError`` for a file that is neither."""
    tables = {path.relative_to(root).as_posix(): _read(path) for path in sorted(root.rglob("*.csv"))}
    return tables | {
        path.relative_to(root).as_posix(): written_rows(path) for path in sorted(root.glob("rules/*.toml"))
    }


def written_rows(path: Path) -> Rows:
    """The rules of a file as rows, what names them first. What they ask and say is as the file has it."""
    try:
        toml = Toml(str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(str(path), 0, "", f"cannot be read as UTF-8 text ({error})") from error
    return [_row(rule) for rule in toml.said.get("rule", [])]


def _row(rule: Mapping[str, Any]) -> dict[str, str]:
    """``rule`` is the id once more: of a file that several rules share, it says whose the row is."""
    cells = {"id": str(rule.get("id", "")), "rule": str(rule.get("id", ""))}
    for key, value in rule.items():
        if key not in cells and key != "canary":
            cells[key] = _cell(value)
    return cells


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} = {_cell(each)}" for key, each in value.items())
    if isinstance(value, list):
        return SEPARATOR.join(f"({_cell(each)})" if isinstance(each, Mapping) else str(each) for each in value)
    return str(value)


def _read(path: Path) -> Rows:
    try:
        with path.open(encoding="utf-8", newline="") as text:
            return [{str(c): cell or "" for c, cell in row.items()} for row in csv.DictReader(text, strict=True)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KnowledgeError(str(path), 0, "", f"cannot be read as CSV in UTF-8 ({error})") from error


def _of_file(file: str, old: Rows, new: Rows) -> Iterator[Difference]:
    columns = _key(old, new)
    before, after = ({tuple(row.get(c, "") for c in columns): row for row in rows} for rows in (old, new))
    for key, row in before.items():
        if key not in after:
            yield Difference(file, "removed", key, {c: (cell, "") for c, cell in row.items()})
        elif changed := _changed(row, after[key]):
            yield Difference(file, "changed", key, changed)
    for key, row in after.items():
        if key not in before:
            yield Difference(file, "added", key, {c: ("", cell) for c, cell in row.items()})


def _key(*tables: Rows) -> list[str]:
    """The fewest leading columns by which no two rows of a table are the same: so the files are made, what names a row first."""
    columns = [c for c in (tables[0] or tables[1])[0] if all(c in rows[0] for rows in tables if rows)]
    for length in range(1, len(columns)):
        if all(len({tuple(row[c] for c in columns[:length]) for row in rows}) == len(rows) for rows in tables):
            return columns[:length]
    return columns


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    cells = {c: (old.get(c, ""), new.get(c, "")) for c in dict.fromkeys([*old, *new])}
    return {c: pair for c, pair in cells.items() if pair[0] != pair[1]}
