"""Where the knowledge comes from: ``sources.csv``. Every other row names at least one of these.

A site's folder may hold files of the same names and columns. Their rows are added, and stand over a shipped row of the same key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, convert
from msgspec.structs import asdict

from knowledge.reading.tables import Row, RowT, Table, read
from knowledge.statement import Status
from schemas.values import Citation

KindT = TypeVar("KindT", bound=Struct)

KEYS = {
    "sources.csv": ("id",),
    "drugs/names_extra.csv": ("name",),
    "drugs/codes.csv": ("system", "code"),
    "drugs/vehicles.csv": ("name",),
    "drugs/words.csv": ("word",),
    "drugs/routes.csv": ("word",),
    "instructions/frequencies.csv": ("phrase",),
    "instructions/units.csv": ("spelling",),
    "instructions/words.csv": ("phrase",),
    "labs/loinc.csv": ("code",),
    "labs/local_codes.csv": ("system", "code"),
    "labs/units.csv": ("analyte", "spelling"),
    "labs/spellings.csv": ("unit", "spelling"),
    "labs/specimens.csv": ("word",),
}
"""The files that a site may bring, with the columns that name a row. No limits and no interactions: these are reviewed."""


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``verified``: the source itself, or its abstract, was read and says so; the date is when it was published or read."""

    id: str
    text: str
    url: str = ""
    date: str
    licence: str
    status: Status


class Sources:
    """The sources by id, and the site's folder of files that are laid over the shipped ones."""

    def __init__(self, table: Table[Source], site: Path | None = None) -> None:
        self._site = site
        self._citations: dict[str, Citation] = {}
        table.each_once("id")
        for row in table.rows:
            self._citations[row.id] = Citation(id=row.id, text=row.text, url=row.url, status=row.status)

    def checked(self, table: Table[RowT]) -> Table[RowT]:
        """The table with the site's rows over it, when each row names at least one source and only known ones."""
        table = overlaid(table, self._site)
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

    @property
    def ids(self) -> Collection[str]:
        """All that there are."""
        return self._citations.keys()

    def known(self, id: str) -> Citation | None:  # noqa: A002
        """The citation of an id, None where there is no such source."""
        return self._citations.get(id)

    def made(self, kind: type[KindT], row: Row, /, **more: Any) -> KindT:
        """A ``kind`` of what ``row`` has under the same names, of its citations and of ``more``, which stands over the row.

        Each value is checked against its type: one that does not fit is a slip of the reader, not of the data.
        """
        assert more.keys() <= set(kind.__struct_fields__), f"{kind.__name__} has no {more.keys()}"
        return convert({**asdict(row), "citations": self.citations(row.sources), **more}, kind)


def read_sources(root: Traversable, site: Path | None = None) -> Sources:
    return Sources(overlaid(read(root, "sources.csv", Source), site), site)


def overlaid(table: Table[RowT], site: Path | None) -> Table[RowT]:
    """The table with the rows of the site's file of the same name over it, where there is one and it may be."""
    if site is None or table.file not in KEYS or not (site / table.file).exists():
        return table
    own = read(site, table.file, table.row_type, said=str(site / table.file))
    return table.under(own, KEYS[table.file])
