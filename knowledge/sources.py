"""Where the knowledge comes from: ``sources.csv``. Every other row names at least one of these."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources.abc import Traversable
from typing import Literal

from msgspec import Struct

from knowledge.tables import Row, RowT, Table, read
from schemas.values import Citation


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``verified``: the source itself, or its abstract, was read and says so; the date is when it was published or read."""

    id: str
    text: str
    url: str = ""
    date: str
    licence: str
    status: Literal["verified", "unverified"]


class Sources:
    """The sources by id."""

    def __init__(self, table: Table[Source]) -> None:
        self._citations: dict[str, Citation] = {}
        for row in table.rows:
            if row.id in self._citations:
                raise table.error(row, "id", f"{row.id!r} is there twice")
            self._citations[row.id] = Citation(id=row.id, text=row.text, url=row.url, status=row.status)

    def checked(self, table: Table[RowT]) -> Table[RowT]:
        """The table, when each of its rows names at least one source and only known ones."""
        for row in table.rows:
            assert isinstance(row, Row)
            if not row.sources:
                raise table.error(row, "sources", "names no source")
            for source in row.sources:
                if source not in self._citations:
                    raise table.error(row, "sources", f"{source!r} is not in sources.csv")
        return table

    def citations(self, ids: Iterable[str]) -> tuple[Citation, ...]:
        """The citations of ids that ``checked`` has seen."""
        return tuple(self._citations[each] for each in ids)


def read_sources(root: Traversable) -> Sources:
    return Sources(read(root, "sources.csv", Source))
