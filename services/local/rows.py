"""From what an alert names of the knowledge (``interactions/pairs.csv#ssri-maoi``) to the rows themselves, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from knowledge.reading.tables import SEPARATOR
from knowledge.reading.written import rule_files
from services.local.knowledge_rows import SHIPPED, SOURCES, Rows, read_all, written_rows

MARK = "#"


class KnownRow(Struct, frozen=True, kw_only=True):
    """``cells`` are those that say something, by column; none: no such row is there now. ``sources`` are rows of the sources."""

    reference: str
    cells: Mapping[str, str] = {}
    sources: tuple[Mapping[str, str], ...] = ()


class RowFinder:
    """The files of the knowledge, a site's own (``site``) over those that are shipped, and the rules that it wrote (``rules``);
    read once."""

    def __init__(self, site: str = "", rules: str = "") -> None:
        self._files: dict[str, Rows] = dict(read_all(SHIPPED))
        for file, rows in read_all(Path(site)).items() if site else ():
            self._files[file] = [*rows, *self._files.get(file, [])]
        self._files |= {str(path): written_rows(path) for path in (rule_files(Path(rules)) if rules else ())}
        self._sources = {row["id"]: row for row in reversed(self._files[SOURCES])}

    def find(self, reference: str) -> list[KnownRow]:
        """Every row whose first columns, joined by commas, are what the reference says after the file."""
        file, _, key = reference.partition(MARK)
        rows = [row for row in self._files.get(file, []) if _begins(list(row.values()), key)]
        return [self._known(reference, row) for row in rows] or [KnownRow(reference=reference)]

    def _known(self, reference: str, row: Mapping[str, str]) -> KnownRow:
        named = [each.strip() for each in row.get("sources", "").split(SEPARATOR)]
        cells = {name: cell for name, cell in row.items() if cell and name != "sources"}
        sources = tuple(self._sources[each] for each in named if each in self._sources)
        return KnownRow(reference=reference, cells=cells, sources=sources)


def _begins(cells: list[str], key: str) -> bool:
    """A cell may hold a comma itself."""
    return any(",".join(cells[:count]) == key for count in range(1, len(cells) + 1))
