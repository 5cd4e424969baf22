"""What properties do to one another: ``interactions/`` mechanisms, passive and the context of both.

``passive.csv`` holds the low-priority pairs: they say nothing until a context does, so without one they are ``info``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.conditions import Names, parsed
from knowledge.mechanism import Context, Mechanism, Mechanisms, Role, Status, Step
from knowledge.pharmacology import Pharmacology
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Severity

Contexts = Mapping[str, tuple[Context, ...]]


class _Combined(Row, frozen=True, kw_only=True):
    """``object`` and ``precipitant`` are who is on each side: parts, of which one is enough. A part is a property
    (``nsaid``), one with a grade (``cyp3a4-inhibitor strong``), an ingredient, or several joined by `` & `` that must all be
    true of it; one that begins with ``not`` takes away again."""

    id: str
    title: str
    problem: str = ""
    object: tuple[str, ...]
    precipitant: tuple[str, ...]
    severity: Severity
    mechanism: str
    effect: str
    onset: str
    actions: tuple[str, ...]
    monitor: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    status: Status
    author: str


class MechanismRow(_Combined, frozen=True, kw_only=True):
    """``third``: a third medicine without which nothing is said."""

    third: tuple[str, ...] = ()


class PassiveRow(_Combined, frozen=True, kw_only=True):
    onc_number: int
    severity: Literal["info"]


class ContextRow(Row, frozen=True, kw_only=True):
    """``severity`` when every condition of ``when`` holds. Of several rows that hold one with ``none`` decides, else the
    gravest."""

    id: str
    when: tuple[str, ...]
    severity: Step
    problem: str = ""
    reason: str
    evidence_grade: str
    status: Status
    author: str


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
    ingredients: Collection[str],
    names: Names,
    stand_over: Collection[tuple[str, str]],
) -> Mechanisms:
    """Every mechanism with its members and its contexts. ``ingredients`` are those that a name stands for, ``names`` what
    conditions may speak of, ``stand_over`` the pairs of ingredients that have a statement of their own."""
    who = _Who(known, ingredients)
    found: list[Mechanism] = []
    taken: set[str] = set()
    for name, row_type in (("mechanism", MechanismRow), ("passive", PassiveRow)):
        file = "interactions/mechanisms.csv" if name == "mechanism" else "interactions/passive.csv"
        table: Table[AnyRow] = sources.checked(read(root, file, row_type))
        for row in table.rows:
            if row.id in taken:
                raise table.error(row, "id", f"{row.id!r} is there twice")
            taken.add(row.id)
        context = sources.checked(read(root, f"interactions/{name}_context.csv", ContextRow))
        contexts = _contexts(context, {row.id for row in table.rows}, file, names, sources)
        found += [_mechanism(row, table, who, contexts.get(row.id, ()), sources) for row in table.rows]
    _check_left_out(sources.checked(read(root, "interactions/passive_left_out.csv", LeftOutRow)), found)
    return Mechanisms(found, stand_over)


def _check_left_out(table: Table[LeftOutRow], mechanisms: list[Mechanism]) -> None:
    passive = {each.id: each for each in mechanisms if each.onc_number is not None}
    for row in table.rows:
        if row.id not in passive:
            raise table.error(row, "id", f"{row.id!r} is not in interactions/passive.csv")
        if row.ingredient in passive[row.id].members[row.side]:
            raise table.error(row, "ingredient", f"{row.ingredient!r} is a member of the {row.side} in passive.csv")


class _Who:
    """Turns the parts of a side into ingredients."""

    def __init__(self, known: Pharmacology, ingredients: Collection[str]) -> None:
        self._known, self._ingredients = known, ingredients

    def are(self, parts: tuple[str, ...]) -> frozenset[str]:
        """Raises ``ValueError`` for a part that names nothing."""
        wanted: set[str] = set()
        unwanted: set[str] = set()
        for part in parts:
            name = part.removeprefix("not ")
            (wanted if name == part else unwanted).update(
                frozenset.intersection(*(self._members(each.strip()) for each in name.split("&")))
            )
        return frozenset(wanted - unwanted)

    def _members(self, name: str) -> frozenset[str]:
        if name in self._known.kinds:
            return frozenset(self._known.members[name])
        kind, _, grade = name.partition(" ")
        if kind in self._known.kinds and grade in self._known.kinds[kind].grades:
            members = self._known.members[kind]
            return frozenset(each for each, member in members.items() if member.grade == grade)
        if name in self._ingredients:
            return frozenset((name,))
        raise ValueError(f"{name!r} is no property or grade of properties/properties.csv and no ingredient of drugs/")


def _contexts(table: Table[ContextRow], ids: Collection[str], of_file: str, names: Names, sources: Sources) -> Contexts:
    contexts: dict[str, tuple[Context, ...]] = {}
    for row in table.rows:
        if row.id not in ids:
            raise table.error(row, "id", f"{row.id!r} is not in {of_file}")
        try:
            when = parsed(row.when, names)
        except ValueError as error:
            raise table.error(row, "when", str(error)) from error
        if not when:
            raise table.error(row, "when", "names no condition; what always holds is the severity of the row itself")
        context = Context(
            when=when,
            severity=row.severity,
            problem=row.problem,
            reason=row.reason,
            evidence_grade=row.evidence_grade,
            status=row.status,
            citations=sources.citations(row.sources),
        )
        contexts[row.id] = (*contexts.get(row.id, ()), context)
    return contexts


def _mechanism(
    row: AnyRow, table: Table[AnyRow], who: _Who, contexts: tuple[Context, ...], sources: Sources
) -> Mechanism:
    sides: dict[Role, tuple[str, ...]] = {"object": row.object, "precipitant": row.precipitant}
    if isinstance(row, MechanismRow) and row.third:
        sides["third"] = row.third
    members: dict[Role, frozenset[str]] = {}
    for role, parts in sides.items():
        try:
            members[role] = who.are(parts)
        except ValueError as error:
            raise table.error(row, role, str(error)) from error
    return Mechanism(
        id=row.id,
        title=row.title,
        problem=row.problem,
        onc_number=row.onc_number if isinstance(row, PassiveRow) else None,
        members=members,
        severity=row.severity,
        contexts=contexts,
        mechanism=row.mechanism,
        effect=row.effect,
        onset=row.onset,
        actions=row.actions,
        monitor=row.monitor,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        status=row.status,
        citations=sources.citations(row.sources),
    )
