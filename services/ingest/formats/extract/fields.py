"""The fields of a table made ready for the columns of a file: each a function of a row's cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from services.ingest.formats.extract import cells
from services.ingest.formats.extract.cells import Times, UnreadableError
from services.ingest.formats.extract.joins import Text, template
from services.ingest.formats.extract.mapping import (
    Code,
    Decimal,
    Field,
    FieldSpec,
    MappingError,
    Source,
    columns_in,
    texts_of,
)
from services.ingest.formats.extract.rows import Cells, need
from services.ingest.formats.extract.targets import Target, target_of
from services.ingest.formats.strict import MAX_VERSION

Make = Callable[[Cells], Any]
"""The value of a field in a row; ``UNSET`` where the row does not say it. Raises ``UnreadableError``."""
_REMEMBERED = 16384


class Filler(NamedTuple):
    """A field, the columns that it reads, and how; the same cells always make the same value."""

    target: Target
    columns: tuple[str, ...]
    make: Make
    plain: bool = False
    """Whether the value is the cell of one column, as it stands."""

    @property
    def place(self) -> str:
        """What a refusal names."""
        return "+".join(self.columns) or self.target.path


class Fields:
    """Compiles the fields of one event type. Raises ``MappingError`` when a field cannot be; ``where`` says where."""

    def __init__(
        self, event_type: type[Any], columns: dict[str, int], times: Times, decimal: Decimal, where: str
    ) -> None:
        self._event_type, self._columns, self._times, self._where = event_type, columns, times, where
        self._decimal: Decimal = decimal

    def filler(self, path: str, spec: FieldSpec) -> Filler:
        where = f"{self._where}: fields.{path!r}"
        target = target_of(self._event_type, path, where)
        columns = tuple(dict.fromkeys(name for text in texts_of(spec) for name in columns_in(text)))
        need(self._columns, columns, where)
        if isinstance(spec, list) or target.kind == "codings":
            make = self._codings(target, spec, where)
        elif isinstance(spec, bool | int | float):
            _check_value(target, spec, where)
            if spec > MAX_VERSION:
                raise MappingError(f"{where}: at most {MAX_VERSION}, the largest number that JSON readers agree on")
            make = _always(spec)
        else:
            make = self._field(target, spec if isinstance(spec, Field) else Field(from_=spec), where)
        plain = target.kind == "text" and isinstance(spec, str) and spec == "{" + "".join(columns) + "}"
        filler = Filler(target, columns, make, plain)
        return filler._replace(make=_blamed(filler))

    def _field(self, target: Target, field: Field, where: str) -> Make:
        text, convert = self._text(field), self._converter(target, field, where)
        if not any(columns_in(each) for each in texts_of(field)):
            _check_constant(target, text, convert, where)
        for value in (*field.values.values(), *([field.otherwise] if field.otherwise else [])):
            if target.kind == "text":
                _check_value(target, value, where)
        unknown = {"value": None} if target.kind == "result" else None

        def make(row: Cells) -> Any:
            try:
                return convert(cell, row) if (cell := text(row)) else UNSET
            except UnreadableError:
                if field.unreadable == "refuse":
                    raise
                return unknown

        return make

    def _converter(self, target: Target, field: Field, where: str) -> Callable[[str, Cells], Any]:
        days, is_time = field.add_days, target.kind in ("time", "date")
        for name, set_, belongs in (("add_days", days, is_time), ("near", field.near, is_time)):
            if set_ and not belongs:
                raise MappingError(f"{where}: {name} belongs to a time or a day")
        if field.unit and target.kind != "quantity":
            raise MappingError(f"{where}: unit belongs to a quantity")
        if is_time:
            if field.near and not columns_in(field.near):
                _check_constant(target, _always(field.near), lambda cell, _: self._times.day(cell), f"{where}: near")
            read = self._times.instant if target.kind == "time" else self._times.day
            near = template(field.near, self._columns)
            return lambda cell, row: read(cell, days, near(row))
        if target.kind == "quantity":
            unit = template(field.unit, self._columns)
            return lambda cell, row: cells.quantity(cell, unit(row), self._decimal)
        if numeric := cells.NUMERIC.get(target.kind):
            return lambda cell, row: numeric(cell, self._decimal)
        reader = cells.READERS[target.kind]
        return lambda cell, row: reader(cell)

    def _codings(self, target: Target, spec: FieldSpec, where: str) -> Make:
        if target.kind != "codings" or not isinstance(spec, list):
            raise MappingError(f"{where}: a list of {{ system, code, display }} goes to codings, and only such a list")
        made = [(code, self._text(code.code), self._text(code.display)) for code in spec]
        for code in spec:
            if code.undotted and not code.system.startswith(("ICD-9", "ICD-10")):
                raise MappingError(f"{where}: undotted belongs to a system that begins with ICD-9 or ICD-10")

        def make(row: Cells) -> Any:
            found = [_coding(code, text, display(row)) for code, read, display in made if (text := read(row))]
            return found or UNSET

        return make

    def _text(self, spec: Source) -> Text:
        """The text of a field in a row; empty when there is none."""
        if isinstance(spec, str):
            return template(spec, self._columns)
        texts = [template(text, self._columns) for text in spec.texts]
        text = texts[0] if len(texts) == 1 and not spec.absent else _first(texts, frozenset(spec.absent) | {""})
        return _translated(text, spec) if spec.values else text


def _first(texts: Sequence[Text], absent: frozenset[str]) -> Text:
    return lambda row: next((cell for text in texts if (cell := text(row)) not in absent), "")


def _translated(text: Text, field: Field) -> Text:
    values, otherwise = field.values, field.otherwise

    def translate(row: Cells) -> str:
        cell = text(row)
        if cell in values or not cell:
            return values.get(cell, "")
        if otherwise is None:
            raise UnreadableError(f"none of the cells that the mapping's values name: {', '.join(values)}")
        return otherwise

    return translate


def _coding(code: Code, text: str, display: str) -> dict[str, str]:
    said = cells.dotted(text, code.system) if code.undotted else text
    return {"system": code.system, "code": said, "display": display}


def _always(value: Any) -> Make:
    return lambda row: value


def _blamed(filler: Filler) -> Make:
    """The field's ``make``, whose error names the columns."""
    inner, place = filler.make, filler.place

    def make(row: Cells) -> Any:
        try:
            return inner(row)
        except UnreadableError as error:
            error.place = place
            raise

    return make


def grouped(fillers: Sequence[Filler]) -> Make:
    """One value of several fields below one name, as ``drug.text`` and ``drug.codings``."""
    steps = [(filler.target.path.split(".")[1:], filler.make) for filler in fillers]

    def make(row: Cells) -> Any:
        data: dict[str, Any] = {}
        for (*above, name), field in steps:
            if (value := field(row)) is not UNSET:
                into = data
                for step in above:
                    into = into.setdefault(step, {})
                into[name] = value
        return data or UNSET

    return make


def remembered(make: Make, reads: Sequence[int]) -> Make:
    """``make``, asked once for the same cells: one item, unit or medicine stands in many rows, and most of a row's time went
    into making the same parts again. What it gives is shared and never changed."""
    pick = itemgetter(*reads)
    known: dict[Any, Any] = {}

    def recall(row: Cells) -> Any:
        key = pick(row)
        try:
            return known[key]
        except KeyError:
            if len(known) >= _REMEMBERED:
                known.clear()
            found = known[key] = make(row)
            return found

    return recall


def _check_constant(target: Target, text: Text, convert: Callable[[str, Cells], Any], where: str) -> None:
    try:
        value = convert(text(()), ())
    except UnreadableError as error:
        raise MappingError(f"{where}: {error}; a column is written as {{NAME}}") from error
    if target.kind not in ("result", "time", "date"):
        _check_value(target, value, where)


def _check_value(target: Target, value: Any, where: str) -> None:
    try:
        msgspec.convert(value, target.type)
    except msgspec.ValidationError as error:
        allowed = f"; allowed: {', '.join(target.choices)}" if target.choices else ""
        raise MappingError(f"{where}: {error}{allowed}") from error
