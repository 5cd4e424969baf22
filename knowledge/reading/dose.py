"""Reads the largest doses, what kidney and liver change of them, and what is not for every day: ``dosing/``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib.resources.abc import Traversable
from typing import Any, Literal, NamedTuple, TypeVar

from knowledge.conditions import Names
from knowledge.dose import (
    NO_SALT,
    Amount,
    ChildPugh,
    Doses,
    Equivalent,
    Form,
    Formula,
    HepaticStep,
    Indication,
    Interval,
    Kind,
    Limit,
    OpioidLevel,
    RenalStep,
    StepKind,
    Way,
    amount,
    band,
)
from knowledge.model import RouteWord, Salt
from knowledge.reading.cells import check_known, check_plain, conditions, grouped, meant, words
from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, RowT, StatementRow, Table, read
from schemas.values import Severity

FOLDER = "dosing"
ValueT = TypeVar("ValueT")
StatedT = TypeVar("StatedT", Limit, RenalStep, HepaticStep, Interval, Equivalent)


class _Stated(StatementRow, frozen=True, kw_only=True):
    """A statement about one ingredient. Empty ``ways``: every systemic one."""

    ingredient: str
    ways: tuple[str, ...] = ()
    severity: Severity
    actions: tuple[str, ...]


class LimitRow(_Stated, frozen=True, kw_only=True):
    """``max`` is an amount (``75 mg/kg``), of a ``rate`` one for an hour or a minute, and empty where ``contraindicated``."""

    precise: str = ""
    form: Form | None = None
    kind: Kind
    max: str = ""
    when: tuple[str, ...] = ()
    indication: Indication | None = None
    graver_from: float | None = None
    rounding: float | None = None


class _StepRow(_Stated, frozen=True, kw_only=True):
    form: Form | None = None
    when: tuple[str, ...] = ()
    step: StepKind
    max_single: str = ""
    max_daily: str = ""
    min_interval_h: float | None = None


class RenalRow(_StepRow, frozen=True, kw_only=True):
    """``range`` in mL/min, empty only where ``when`` says dialysis."""

    formula: Formula
    range: str = ""
    indication: Indication | None = None
    problem: str = ""


class HepaticRow(_StepRow, frozen=True, kw_only=True):
    child_pugh: tuple[str, ...]


class IntervalRow(_Stated, frozen=True, kw_only=True):
    precise: str = ""
    dose_from: str = ""
    dose_to: str = ""
    min_interval_d: float
    unless_protocol: bool


class OpioidRow(StatementRow, frozen=True, kw_only=True):
    """Without a ``factor`` the ``note`` says why."""

    ingredient: str
    ways: tuple[str, ...] = ()
    unit: Literal["mg", "mcg/h"]
    factor: float | None = None
    note: str = ""


class LevelRow(StatementRow, frozen=True, kw_only=True):
    level: str
    mme_a_day: float
    severity: Severity
    actions: tuple[str, ...]


class WayRow(Row, frozen=True, kw_only=True):
    """A route or a form, as ``drugs/routes.csv`` lists them, that says how a dose gets in."""

    word: str
    way: Way


class LeftOutRow(Row, frozen=True, kw_only=True):
    """What the labels say and no row does, and why."""

    ingredients: str
    what: str
    reason: str


class Known(NamedTuple):
    """What the rows may speak of."""

    ingredients: Collection[str]
    salts: Mapping[str, tuple[Salt, ...]]
    routes: Mapping[str, RouteWord]
    names: Names


def read_doses(root: Traversable, sources: Sources, known: Known) -> Doses:
    """Everything in ``dosing/``. Raises ``KnowledgeError`` at the first row that names what is not known, says the same as
    another, or has not the numbers that its kind needs."""
    reader = _Reader(root, sources, known)
    reader.table("left_out.csv", LeftOutRow)
    return Doses(
        limits=_by_ingredient(reader.each("limits.csv", LimitRow, reader.limit)),
        renal=_by_ingredient(reader.each("renal.csv", RenalRow, reader.renal)),
        hepatic=_by_ingredient(reader.each("hepatic.csv", HepaticRow, reader.hepatic)),
        intervals=_by_ingredient(reader.each("intervals.csv", IntervalRow, reader.interval)),
        opioids=_by_ingredient(reader.each("opioids.csv", OpioidRow, reader.opioid)),
        opioid_levels=tuple(reader.each("opioid_levels.csv", LevelRow, reader.level)),
        ways=dict(reader.each("ways.csv", WayRow, reader.way)),
    )


class _Reader:
    def __init__(self, root: Traversable, sources: Sources, known: Known) -> None:
        self._root, self._sources, self._known = root, sources, known

    def table(self, file: str, row_type: type[RowT]) -> Table[RowT]:
        return self._sources.checked(read(self._root, f"{FOLDER}/{file}", row_type))

    def each(self, file: str, row_type: type[RowT], made: Callable[[RowT, Table[RowT]], ValueT]) -> list[ValueT]:
        """What the rows of a file mean; no two rows may differ only in what they conclude."""
        table = self.table(file, row_type)
        seen: set[tuple[Any, ...]] = set()
        for row in table.rows:
            key = tuple(getattr(row, name, None) for name in _KEY)
            if key in seen:
                raise table.error(
                    row, next(n for n in _KEY if hasattr(row, n)), "another row further up says it of the same"
                )
            seen.add(key)
        return [made(row, table) for row in table.rows]

    def limit(self, row: LimitRow, table: Table[LimitRow]) -> Limit:
        self._ingredient(row, table)
        self._precise(row, table)
        most = _amount(row, table, "max")
        if (most is None) != (row.kind == "contraindicated"):
            raise table.error(row, "max", "every kind but 'contraindicated' has a maximum, and that has none")
        if most is not None and most.per_hour != (row.kind == "rate"):
            raise table.error(row, "max", "a rate, and nothing else, is for an hour or a minute ('10 mEq/h')")
        if row.kind == "contraindicated" and not row.when:
            raise table.error(row, "when", "says for whom it is contraindicated")
        if row.graver_from is not None and (row.graver_from <= 1 or row.severity == "critical" or most is None):
            raise table.error(
                row, "graver_from", "a multiple above 1 of the maximum, where something graver than the row is left"
            )
        if row.rounding is not None and (most is None or not most.per_kg or most.per_hour or not 0 < row.rounding < 1):
            raise table.error(row, "rounding", "a part of a maximum for each kg, as 0.1 is a tenth; a rate has none")
        return self._sources.made(
            Limit,
            row,
            ways=words(table, row, "ways", Way),
            max=most,
            rounding=row.rounding or 0.0,
            when=conditions(table, row, "when", self._known.names),
            row=_reference(table, row, "precise", "ways", "form", "kind", "max", "when", "indication"),
        )

    def renal(self, row: RenalRow, table: Table[RenalRow]) -> RenalStep:
        if not row.range and "dialysis" not in row.when:
            raise table.error(row, "range", "is empty only where 'when' says dialysis")
        return self._sources.made(
            RenalStep,
            row,
            range=meant(table, row, "range", _if_any(band)),
            row=_reference(table, row, "ways", "form", "formula", "range", "indication", "when", "step"),
            **self._step(row, table),
        )

    def hepatic(self, row: HepaticRow, table: Table[HepaticRow]) -> HepaticStep:
        if not row.child_pugh:
            raise table.error(row, "child_pugh", "names no class")
        return self._sources.made(
            HepaticStep,
            row,
            child_pugh=words(table, row, "child_pugh", ChildPugh),
            row=_reference(table, row, "ways", "form", "child_pugh", "when", "step"),
            **self._step(row, table),
        )

    def interval(self, row: IntervalRow, table: Table[IntervalRow]) -> Interval:
        self._ingredient(row, table)
        self._precise(row, table)
        least, most = _amount(row, table, "dose_from"), _amount(row, table, "dose_to")
        if most is not None and (least is None or most.value < least.value):
            raise table.error(row, "dose_to", "is there only beside a dose_from, and not below it")
        if row.min_interval_d <= 1:
            raise table.error(row, "min_interval_d", "what is for every day has no interval")
        return self._sources.made(
            Interval,
            row,
            ways=words(table, row, "ways", Way),
            dose_from=least,
            dose_to=most,
            row=_reference(table, row, "precise", "ways", "dose_from", "dose_to"),
        )

    def opioid(self, row: OpioidRow, table: Table[OpioidRow]) -> Equivalent:
        self._ingredient(row, table)
        if row.factor is None and not row.note:
            raise table.error(row, "note", "says why there is no factor")
        if row.factor is not None and row.factor <= 0:
            raise table.error(row, "factor", "a factor is more than nothing; without one the cell is empty")
        return self._sources.made(Equivalent, row, ways=words(table, row, "ways", Way))

    def level(self, row: LevelRow, table: Table[LevelRow]) -> OpioidLevel:
        if row.mme_a_day <= 0:
            raise table.error(row, "mme_a_day", "a level is more than nothing")
        return self._sources.made(OpioidLevel, row)

    def way(self, row: WayRow, table: Table[WayRow]) -> tuple[str, Way]:
        check_known(table, row, "word", self._known.routes, "drugs/routes.csv")
        return row.word, row.way

    def _step(self, row: _StepRow, table: Table[Any]) -> dict[str, Any]:
        """What a step has not from its row as it stands."""
        self._ingredient(row, table)
        single, daily = _amount(row, table, "max_single"), _amount(row, table, "max_daily")
        numbers = (single, daily, row.min_interval_h)
        if any(each is not None for each in numbers) != (row.step == "limit"):
            raise table.error(row, "step", "a limit, and no other step, has a maximum or an interval")
        if row.min_interval_h is not None and row.min_interval_h <= 0:
            raise table.error(row, "min_interval_h", "an interval is more than nothing")
        return {
            "ways": words(table, row, "ways", Way),
            "when": conditions(table, row, "when", self._known.names),
            "max_single": single,
            "max_daily": daily,
        }

    def _ingredient(self, row: _Stated | OpioidRow, table: Table[Any]) -> None:
        check_plain(table, row, "ingredient")
        if row.ingredient not in self._known.ingredients:
            raise table.error(
                row, "ingredient", f"{row.ingredient!r} is no ingredient that a name in drugs/ stands for"
            )

    def _precise(self, row: LimitRow | IntervalRow, table: Table[Any]) -> None:
        salts = {salt.precise for salt in self._known.salts.get(row.ingredient, ())}
        if row.precise and row.precise not in {*salts, NO_SALT}:
            raise table.error(row, "precise", f"{row.precise!r} is no salt of {row.ingredient!r} in drugs/salts.csv")


_KEY = (
    "ingredient", "word", "level", "precise", "ways", "form", "kind", "when", "indication", "formula", "range", "child_pugh",
    "dose_from",
)  # fmt: skip
"""The columns that say of whom and of what a row speaks."""


def _reference(table: Table[Any], row: _Stated, *columns: str) -> str:
    """How an alert names the row: the file, the ingredient and the columns after it."""
    cells = (getattr(row, column) for column in columns)
    said = ("|".join(cell) if isinstance(cell, tuple) else cell or "" for cell in cells)
    return f"{table.file}#{','.join((row.ingredient, *said))}"


def _amount(row: Row, table: Table[Any], column: str) -> Amount | None:
    return meant(table, row, column, _if_any(amount))


def _if_any(meaning: Callable[[str], ValueT]) -> Callable[[str], ValueT | None]:
    return lambda text: meaning(text) if text else None


def _by_ingredient(values: list[StatedT]) -> Mapping[str, tuple[StatedT, ...]]:
    return grouped((value.ingredient, value) for value in values)
