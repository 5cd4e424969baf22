"""Rows become events as one table of a mapping file says. One row is one event, one refusal or one ignored."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from schemas.events import Event
from services.ingest.formats import End, Ignored, Refusal
from services.ingest.formats.extract.cells import Times, UnreadableError
from services.ingest.formats.extract.fields import Fields, Make, grouped, remembered
from services.ingest.formats.extract.joins import Joined, Text, template
from services.ingest.formats.extract.mapping import Mapping, MappingError, Table, columns_in
from services.ingest.formats.extract.rows import Row, need
from services.ingest.formats.extract.targets import lacking
from services.ingest.formats.strict import unsayable

_FAILURE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`\[]*)[^`]*`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.+)`")


class _Found(NamedTuple):
    """A join of this table: its rows, the key in a row of the table, and what a row without a partner comes to."""

    name: str
    rows: dict[str, tuple[str, ...]]
    key: Text
    blank: tuple[str, ...]
    refusal: Refusal | None


class Extract:
    """One table of a mapping, made ready for the header of one file and the files that it joins.

    ``unjoined`` counts the rows that became events without a partner in a joined file, by the join's name. Raises
    ``MappingError`` when the table names a field, a column or a constant that cannot be; ``where`` says where.
    """

    def __init__(
        self, mapping: Mapping, table: Table, columns: dict[str, int], joined: dict[str, Joined], where: str
    ) -> None:
        self.unjoined: Counter[str] = Counter()
        self._event_type = table.event_type
        self._width = len(columns)
        self._columns = dict(columns)
        self._joins = [self._join(mapping, name, other, where) for name, other in joined.items()]
        need(self._columns, [ignore.column for ignore in table.ignore], where)
        self._ignore = [(self._columns[i.column], frozenset(i.equals), Ignored(i.kind)) for i in table.ignore]
        times = Times(mapping.time_formats, mapping.zone)
        fields = Fields(self._event_type, self._columns, times, mapping.decimal or ".", where)
        self._fillers = [fields.filler(path, spec) for path, spec in table.fields.items()]
        if missing := lacking(self._event_type, [filler.target.path for filler in self._fillers]):
            raise MappingError(f"{where}: {table.event} needs the field {missing!r}")
        self._constants: dict[str, Any] = {"type": table.event, "source": mapping.source, "timing": mapping.timing}
        self._plain: list[tuple[str, int]] = []
        self._made: list[tuple[str, Make]] = []
        self._result: Make | None = None
        self._plan()

    def read(self, row: Row) -> End:
        """What a row says. Never raises."""
        if isinstance(row.cells, Refusal):
            return row.cells
        if len(row.cells) != self._width:
            return Refusal("mapping", f"{len(row.cells)} cells under {self._width} columns", "row")
        cells = list(map(str.strip, row.cells))
        alone = [join for join in self._joins if not _add_joined(join, cells)]
        for column, equals, ignored in self._ignore:
            if cells[column] in equals:
                return ignored
        if alone and (refusal := next((join.refusal for join in alone if join.refusal), None)):
            return refusal
        end = self._event(cells)
        # a mapping and a joined file say nothing of the kind, and times are made in UTC: only the row has to be looked at
        if isinstance(end, Event) and (b"\x00" in row.original or b"\x1f" in row.original):
            end = unsayable(end) or end
        if alone and isinstance(end, Event):
            self.unjoined.update(join.name for join in alone)
        return end

    def _event(self, cells: list[str]) -> Event | Refusal:
        data = dict(self._constants)
        for name, column in self._plain:
            if cell := cells[column]:
                data[name] = cell
        try:
            for name, make in self._made:
                if (value := make(cells)) is not UNSET:
                    data[name] = value
            if self._result and (said := self._result(cells)) is not UNSET:
                data.update(said)
        except UnreadableError as error:
            return Refusal("mapping", str(error), error.place)
        try:
            event: Event = msgspec.convert(data, self._event_type)
        except msgspec.ValidationError as error:
            return self._refusal(str(error))
        return event

    def _join(self, mapping: Mapping, name: str, joined: Joined, where: str) -> _Found:
        join = mapping.joins[name]
        on = join.on or join.key
        need(self._columns, columns_in(on), f"{where}: joins.{name}.on")
        key = template(on, self._columns)
        for column in joined.columns:
            own = f"{name}.{column}"
            if own in self._columns:
                raise MappingError(f"{where}: {own!r} is a column of the file and one of the join; rename the join")
            self._columns[own] = len(self._columns)
        refusal = Refusal("mapping", f"no row of {join.file} has this key (joins.{name})", "+".join(columns_in(on)))
        blank = ("",) * len(joined.columns)
        return _Found(name, joined.rows, key, blank, refusal if join.missing == "refuse" else None)

    def _plan(self) -> None:
        """What every row says alike is made once, plain columns are taken as they are, and the rest is made row by row."""
        names = dict.fromkeys(filler.target.path.split(".")[0] for filler in self._fillers)
        for name in names:
            fillers = [filler for filler in self._fillers if filler.target.path.split(".")[0] == name]
            reads = tuple(dict.fromkeys(self._columns[column] for filler in fillers for column in filler.columns))
            alone = fillers[0] if fillers[0].target.path == name else None
            make = alone.make if alone else grouped(fillers)
            if alone and alone.target.kind == "result":
                self._result = remembered(make, reads) if reads else make
            elif not reads:
                if (value := make(())) is not UNSET:
                    self._constants[name] = value
            elif alone and alone.plain:
                self._plain.append((name, reads[0]))
            else:
                many = alone is not None and alone.target.kind == "text" and len(reads) > 1
                # a text of several columns is an id, another in every row
                self._made.append((name, make if many else remembered(make, reads)))

    def _refusal(self, failure: str) -> Refusal:
        match = _FAILURE.fullmatch(failure)
        assert match
        path, what = match["path"] or "", match["what"]
        if missing := _MISSING.fullmatch(what):
            path = f"{path}.{missing[1]}".strip(".")
            what = f"{path} is required, and its cell is empty"
        elif what.startswith("Invalid"):
            what = f"{path}: not one of the values that the schema allows"
        else:
            what = f"{path}: {what}"
        place = next((f.place for f in self._fillers if f.target.path == path), "")
        place = place or next((f.place for f in self._fillers if f.target.path.startswith(f"{path}.")), path)
        return Refusal("mapping", what, place)


def _add_joined(join: _Found, cells: list[str]) -> bool:
    """Whether the row has its partner, or no key to have one; the joined columns are put behind its own."""
    key = join.key(cells)
    found = join.rows.get(key)
    cells.extend(join.blank if found is None else found)
    return found is not None or not key
