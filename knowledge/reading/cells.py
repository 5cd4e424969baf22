"""What many columns hold: conditions, words of a list, names of medicines. Each fault says the place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar, get_args

from knowledge.conditions import Conditions, Names, parsed
from knowledge.model import Analyte, plain_name, plain_unit
from knowledge.reading.tables import RowT, Table

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


def meant(table: Table[RowT], row: RowT, column: str, meaning: Callable[[Any], ValueT]) -> ValueT:
    """What ``meaning`` makes of a cell; its ``ValueError`` says what is wrong with it."""
    try:
        return meaning(getattr(row, column))
    except ValueError as error:
        raise table.error(row, column, str(error)) from error


def conditions(table: Table[RowT], row: RowT, column: str, names: Names) -> Conditions:
    """The conditions of a cell, which speak of nothing but ``names``."""
    return meant(table, row, column, lambda cell: parsed(cell, names))


def words(table: Table[RowT], row: RowT, column: str, words_of: Any) -> frozenset[Any]:
    """The words of a cell, all of which the literal type ``words_of`` has."""
    for word in getattr(row, column):
        if word not in get_args(words_of):
            raise table.error(row, column, f"{word!r} is none of {', '.join(get_args(words_of))}")
    return frozenset(getattr(row, column))


def check_known(table: Table[RowT], row: RowT, column: str, known: Collection[str], where: str) -> None:
    """Refuses a cell that is none of ``known``, which stand in the file ``where``."""
    if getattr(row, column) not in known:
        raise table.error(row, column, f"{getattr(row, column)!r} is not in {where}")


def factor(table: Table[RowT], row: RowT, column: str, analyte: Analyte) -> float:
    """From the unit in a cell to that of its analyte."""
    unit: str = getattr(row, column)
    found = analyte.factors.get(plain_unit(unit))
    if found is None:
        raise table.error(row, column, f"{unit!r} is no unit of {analyte.name} in labs/units.csv")
    return found


def check_plain(table: Table[RowT], row: RowT, column: str) -> None:
    """Refuses the name of a medicine that is not written as a key."""
    cell = getattr(row, column)
    for name in (cell,) if isinstance(cell, str) else cell:
        if name != plain_name(name):
            raise table.error(row, column, f"is to be written {plain_name(name)!r}")


def grouped(values: Iterable[tuple[KeyT, ValueT]]) -> dict[KeyT, tuple[ValueT, ...]]:
    """The values of each key, in their order."""
    found: dict[KeyT, list[ValueT]] = {}
    for key, value in values:
        found.setdefault(key, []).append(value)
    return {key: tuple(each) for key, each in found.items()}
