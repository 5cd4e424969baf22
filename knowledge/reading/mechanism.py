"""Reads what properties do to one another: ``interactions/`` mechanisms, passive and the context of both.

``passive.csv`` holds the low-priority pairs: they say nothing until a context does, so without one they are ``info``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.conditions import Names
from knowledge.mechanism import ROLES, Context, Mechanism, Mechanisms
from knowledge.reading.cells import check_known, conditions, grouped, meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, Row, StatementRow, Table, read
from knowledge.statement import Step
from schemas.values import Severity

Contexts = Mapping[str, tuple[Context, ...]]


class _Combined(AdvisedRow, frozen=True, kw_only=True):
    """``object`` and ``precipitant`` are who is on each side: parts, of which one is enough. A part is a property
    (``nsaid``), one with a grade (``cyp3a4-inhibitor strong``), an ingredient, or several joined by `` & `` that must all be
    true of it; one that begins with ``not`` takes away again."""

    id: str
    problem: str = ""
    object: tuple[str, ...]
    precipitant: tuple[str, ...]
    severity: Severity
    mechanism: str
    onset: str
    monitor: tuple[str, ...]


class MechanismRow(_Combined, frozen=True, kw_only=True):
    """``third``: a third medicine without which nothing is said."""

    third: tuple[str, ...] = ()


class PassiveRow(_Combined, frozen=True, kw_only=True):
    onc_number: int
    severity: Literal["info"]


class ContextRow(StatementRow, frozen=True, kw_only=True):
    """``severity`` when every condition of ``when`` holds. Of several rows that hold one with ``none`` decides, else the
    gravest."""

    id: str
    when: tuple[str, ...]
    severity: Step
    problem: str = ""
    reason: str


class LeftOutRow(Row, frozen=True, kw_only=True):
    """A member of a published low-priority pair that is none here, and why."""

    id: str
    side: Literal["object", "precipitant"]
    ingredient: str
    reason: str


AnyRow = MechanismRow | PassiveRow


def read_mechanisms(
    root: Traversable,
    sources: Sources,
    known: Pharmacology,
    names: Names,
    stand_over: Collection[tuple[str, str]],
) -> Mechanisms:
    """Every mechanism with its members and its contexts. ``names`` are what conditions may speak of, ``stand_over`` the pairs
    of ingredients that have a statement of their own."""
    found: list[Mechanism] = []
    taken: set[str] = set()
    for name, row_type in (("mechanism", MechanismRow), ("passive", PassiveRow)):
        file = "interactions/mechanisms.csv" if name == "mechanism" else "interactions/passive.csv"
        table: Table[AnyRow] = sources.checked(read(root, file, row_type))
        table.each_once("id")
        for row in table.rows:
            if row.id in taken:
                raise table.error(row, "id", f"{row.id!r} is there twice, in another file before")
        taken.update(row.id for row in table.rows)
        context = sources.checked(read(root, f"interactions/{name}_context.csv", ContextRow))
        contexts = _contexts(context, {row.id for row in table.rows}, file, names, sources)
        found += [_mechanism(row, table, known, contexts.get(row.id, ()), sources) for row in table.rows]
    _check_left_out(sources.checked(read(root, "interactions/passive_left_out.csv", LeftOutRow)), found)
    return Mechanisms(found, stand_over)


def _check_left_out(table: Table[LeftOutRow], mechanisms: list[Mechanism]) -> None:
    passive = {each.id: each for each in mechanisms if each.onc_number is not None}
    for row in table.rows:
        check_known(table, row, "id", passive, "interactions/passive.csv")
        if row.ingredient in passive[row.id].members[row.side]:
            raise table.error(row, "ingredient", f"{row.ingredient!r} is a member of the {row.side} in passive.csv")


def _who(parts: tuple[str, ...], known: Pharmacology) -> frozenset[str]:
    """Turns the parts of a side into ingredients. Raises ``ValueError`` for a part that names nothing."""
    wanted: set[str] = set()
    unwanted: set[str] = set()
    for part in parts:
        name = part.removeprefix("not ")
        (wanted if name == part else unwanted).update(
            frozenset.intersection(*(_members(each.strip(), known) for each in name.split("&")))
        )
    return frozenset(wanted - unwanted)


def _members(name: str, known: Pharmacology) -> frozenset[str]:
    kind, _, grade = name.partition(" ")
    if name not in known.kinds and kind in known.kinds and grade in known.kinds[kind].grades:
        return frozenset(each for each, member in known.members[kind].items() if member.grade == grade)
    return frozenset(known.who(name))


def _contexts(table: Table[ContextRow], ids: Collection[str], of_file: str, names: Names, sources: Sources) -> Contexts:
    for row in table.rows:
        check_known(table, row, "id", ids, of_file)
        if not row.when:
            raise table.error(row, "when", "names no condition; what always holds is the severity of the row itself")
    return grouped(
        (row.id, sources.made(Context, row, when=conditions(table, row, "when", names))) for row in table.rows
    )


def _mechanism(
    row: AnyRow, table: Table[AnyRow], known: Pharmacology, contexts: tuple[Context, ...], sources: Sources
) -> Mechanism:
    roles = [role for role in ROLES if getattr(row, role, ())]
    return sources.made(
        Mechanism,
        row,
        onc_number=row.onc_number if isinstance(row, PassiveRow) else None,
        members={role: meant(table, row, role, lambda parts: _who(parts, known)) for role in roles},
        contexts=contexts,
    )
