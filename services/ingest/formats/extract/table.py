"""Rows become events as one table of a mapping file says. One row is one event, one refusal or one ignored."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from schemas.events import Event
from services.ingest.formats import End, Ignored, Refusal
from services.ingest.formats.extract import cells
from services.ingest.formats.extract.cells import UnreadableError
from services.ingest.formats.extract.mapping import Code, Field, Mapping, MappingError, Source, Table, parts_of
from services.ingest.formats.extract.rows import Cells, LookUp, Row, need
from services.ingest.formats.extract.targets import Target, target_of
from services.ingest.formats.strict import unsayable

Text = Callable[[Cells], str]
_FAILURE = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`\[]*)[^`]*`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.+)`")


class _Filled(NamedTuple):
    """A field and how a row fills it; ``columns`` is what a refusal names."""

    target: Target
    columns: str
    fill: Callable[[dict[str, Any], Cells], None]


class Extract:
    """One table of a mapping, made ready for the header of one file.

    Raises ``MappingError`` when the table names a field, a column or a constant that cannot be; ``where`` says where.
    """

    def __init__(
        self, mapping: Mapping, table: Table, columns: dict[str, int], look_ups: dict[str, LookUp], where: str
    ) -> None:
        self._columns = columns
        self._look_ups = look_ups
        self._event_type = table.event_type
        self._constants = {"type": table.event, "source": mapping.source, "timing": mapping.timing}
        self._time = cells.Times(mapping.time_formats, mapping.zone)
        self._where = where
        need(columns, [ignore.column for ignore in table.ignore], where)
        self._ignore = [(columns[i.column], frozenset(i.equals), Ignored(i.kind)) for i in table.ignore]
        self._filled = [self._compile(path, spec) for path, spec in table.fields.items()]
        self._check_required(table)

    def read(self, row: Row) -> End:
        """What a row says. Never raises."""
        if isinstance(row.cells, Refusal):
            return row.cells
        if len(row.cells) != len(self._columns):
            return Refusal("mapping", f"{len(row.cells)} cells under {len(self._columns)} columns", "row")
        stripped = [cell.strip() for cell in row.cells]
        for column, equals, ignored in self._ignore:
            if stripped[column] in equals:
                return ignored
        data: dict[str, Any] = dict(self._constants)
        for filled in self._filled:
            try:
                filled.fill(data, stripped)
            except UnreadableError as error:
                return Refusal("mapping", str(error), filled.columns)
        try:
            event: Event = msgspec.convert(data, self._event_type)
        except msgspec.ValidationError as error:
            return self._refusal(str(error))
        return unsayable(event) or event

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
        columns = next((f.columns for f in self._filled if f.target.path == path), "")
        columns = columns or next((f.columns for f in self._filled if f.target.path.startswith(f"{path}.")), path)
        return Refusal("mapping", what, columns)

    def _check_required(self, table: Table) -> None:
        filled = {filled.target.path.split(".")[0] for filled in self._filled}
        for field in msgspec.structs.fields(self._event_type):
            if field.required and field.name not in filled | self._constants.keys():
                raise MappingError(f"{self._where}: {table.event} needs the field {field.name!r}")

    def _compile(self, path: str, spec: Any) -> _Filled:
        where = f"{self._where}: fields.{path!r}"
        target = target_of(self._event_type, path, where)
        if isinstance(spec, list) or target.kind == "codings":
            return self._codings(target, spec, where)
        if isinstance(spec, bool | int | float):
            _check_value(target, spec, where)
            return _Filled(target, path, lambda data, row: target.put(data, spec))
        text = self._text(spec, where)
        columns = self._named(spec, where)
        field = spec if isinstance(spec, Field) else Field(from_=spec)
        convert = self._converter(target, field, where)
        if not columns and not field.lookup:
            self._check_constant(target, convert, text, where)
        for value in (*field.values.values(), *([field.otherwise] if field.otherwise else [])):
            if target.kind == "text":
                _check_value(target, value, where)
        unknown = field.unreadable == "unknown"

        def fill(data: dict[str, Any], row: Cells) -> None:
            try:
                if cell := text(row):
                    target.put(data, convert(cell, row))
            except UnreadableError:
                if not unknown:
                    raise
                target.put(data, None)

        return _Filled(target, "+".join(columns) or path, fill)

    def _converter(self, target: Target, field: Field, where: str) -> Callable[[str, Cells], Any]:
        if field.add_days and target.kind not in ("time", "date"):
            raise MappingError(f"{where}: add_days belongs to a time or a day")
        if field.unit and target.kind != "quantity":
            raise MappingError(f"{where}: unit belongs to a quantity")
        days = field.add_days
        match target.kind:
            case "time":
                return lambda cell, row: self._time.instant(cell, days)
            case "date":
                return lambda cell, row: self._time.day(cell, days)
            case "quantity":
                unit = self._text(field.unit, where)
                return lambda cell, row: cells.quantity(cell, unit(row))
            case kind:
                read = cells.READERS[kind]
                return lambda cell, row: read(cell)

    def _check_constant(self, target: Target, convert: Callable[[str, Cells], Any], text: Text, where: str) -> None:
        try:
            value = convert(text(()), ())
        except UnreadableError as error:
            raise MappingError(f"{where}: {error}; a column is written as {{NAME}}") from error
        if target.kind != "result":
            _check_value(target, value, where)

    def _codings(self, target: Target, spec: Any, where: str) -> _Filled:
        if target.kind != "codings" or not isinstance(spec, list):
            raise MappingError(f"{where}: a list of {{ system, code, display }} goes to codings, and only such a list")
        codes: list[Code] = spec
        made = [(c.system, self._text(c.code, where), self._text(c.display, where)) for c in codes]
        columns = [name for code in codes for name in self._named(code.code, where)]

        def fill(data: dict[str, Any], row: Cells) -> None:
            codings = [
                {"system": system, "code": text, "display": display(row)}
                for system, code, display in made
                if (text := code(row))
            ]
            target.put(data, codings)

        return _Filled(target, "+".join(columns) or target.path, fill)

    def _named(self, spec: Source, where: str) -> list[str]:
        template = spec.from_ if isinstance(spec, Field) else spec
        try:
            return [column for _, column in parts_of(template) if column is not None]
        except ValueError as error:
            raise MappingError(f"{where}: {template!r}: {error}") from error

    def _text(self, spec: Source, where: str) -> Text:
        """The text of a field in a row; empty when there is none."""
        names = self._named(spec, where)
        need(self._columns, names, where)
        template = spec.from_ if isinstance(spec, Field) else spec
        text = _template(parts_of(template), self._columns)
        if isinstance(spec, str):
            return text
        field = spec
        absent = frozenset(field.absent) | {""}
        translate = self._translation(field, where)
        return lambda row: "" if (cell := text(row)) in absent else translate(cell)

    def _translation(self, field: Field, where: str) -> Callable[[str], str]:
        find = self._finder(field, where)
        if not field.values:
            return find
        values, otherwise = field.values, field.otherwise

        def translate(cell: str) -> str:
            found = find(cell)
            if found in values or not found:
                return values.get(found, "")
            if otherwise is None:
                raise UnreadableError(f"none of the cells that the mapping's values name: {', '.join(values)}")
            return otherwise

        return translate

    def _finder(self, field: Field, where: str) -> Callable[[str], str]:
        if not field.lookup:
            return lambda cell: cell
        table = self._look_ups[field.lookup]
        need(table.columns, [field.take], f"{where}: look-up {field.lookup}")
        column = table.columns[field.take]
        return lambda cell: found[column] if (found := table.rows.get(cell)) else ""


def _check_value(target: Target, value: Any, where: str) -> None:
    try:
        msgspec.convert(value, target.type)
    except msgspec.ValidationError as error:
        allowed = f"; allowed: {', '.join(target.choices)}" if target.choices else ""
        raise MappingError(f"{where}: {error}{allowed}") from error


def _template(parts: list[tuple[str, str | None]], columns: dict[str, int]) -> Text:
    if len(parts) == 1 and parts[0][0] == "" and parts[0][1] is not None:
        only = columns[parts[0][1]]
        return lambda row: row[only]
    pieces = [(literal, None if name is None else columns[name]) for literal, name in parts]
    used = [index for _, index in pieces if index is not None]

    def text(row: Cells) -> str:
        if used and not any(row[index] for index in used):
            return ""
        return "".join(literal + (row[index] if index is not None else "") for literal, index in pieces).strip()

    return text
