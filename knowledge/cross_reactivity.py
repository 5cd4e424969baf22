"""Allergies and what they reach: ``allergies/``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.allergy import SAME, UNKNOWN, CrossReactivity, Grade, Group, Reach, Reaction, Status
from knowledge.model import plain_name
from knowledge.pharmacology import Pharmacology
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import Severity

FOLDER = "allergies"


class _Graded(Row, frozen=True, kw_only=True):
    evidence_grade: str
    status: Status
    author: str


class GroupRow(_Graded, frozen=True, kw_only=True):
    id: str
    title: str
    reach: Reach
    names: tuple[str, ...] = ()
    meaning: str
    actions: tuple[str, ...]
    patient_explanation: str


class MemberRow(_Graded, frozen=True, kw_only=True):
    """``member`` is a property, which stands over an ingredient of the same name, or an ingredient. ``side``: whether its
    allergy counts (``allergen``), whether it is reached (``medicine``), or both."""

    group: str
    member: str
    side: Literal["both", "allergen", "medicine"]
    note: str = ""


class ReactionRow(_Graded, frozen=True, kw_only=True):
    """The order of the rows is that of gravity."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    meaning: str


class SeverityRow(_Graded, frozen=True, kw_only=True):
    group: str
    reaction: str
    severity: Severity
    reason: str


class LeftOutRow(Row, frozen=True, kw_only=True):
    """What does not cross, or is not known to, and why."""

    group: str
    substances: str
    reason: str


def read_cross_reactivity(
    root: Traversable, sources: Sources, known: Pharmacology, ingredients: Collection[str]
) -> CrossReactivity:
    """``ingredients`` are those that a name stands for."""
    groups = _groups(root, sources, known, ingredients)
    reactions = _reactions(root, sources)
    left_out = sources.checked(read(root, f"{FOLDER}/left_out.csv", LeftOutRow))
    for row in left_out.rows:
        if row.group not in groups:
            raise left_out.error(row, "group", f"{row.group!r} is not in groups.csv")
    return CrossReactivity(
        groups=groups,
        reactions=reactions,
        grades=_grades(root, sources, groups, {reaction.id for reaction in reactions}),
        named={name: group for group in groups.values() for name in group.names},
    )


def _groups(
    root: Traversable, sources: Sources, known: Pharmacology, ingredients: Collection[str]
) -> Mapping[str, Group]:
    table = sources.checked(read(root, f"{FOLDER}/groups.csv", GroupRow))
    members = _members(root, sources, known, ingredients)
    groups: dict[str, Group] = {}
    for row in table.rows:
        if row.id in groups:
            raise table.error(row, "id", f"{row.id!r} is there twice")
        allergens, medicines = members.get((row.id, "allergen"), set()), members.get((row.id, "medicine"), set())
        for name in row.names:
            if name != plain_name(name):
                raise table.error(row, "names", f"is to be written {plain_name(name)!r}")
            if name in medicines or any(name in other.names for other in groups.values()):
                raise table.error(row, "names", f"{name!r} means one of its medicines or another group")
        if (row.reach == "same") != (row.id == SAME):
            raise table.error(row, "reach", f"{SAME!r}, and no other, is about the ingredient itself")
        if row.id != SAME and not medicines:
            raise table.error(row, "id", f"{row.id!r} has no medicine in members.csv")
        groups[row.id] = Group(
            id=row.id,
            title=row.title,
            reach=row.reach,
            names=frozenset(row.names),
            allergens=frozenset(allergens),
            medicines=frozenset(medicines),
            meaning=row.meaning,
            actions=row.actions,
            patient_explanation=row.patient_explanation,
            evidence_grade=row.evidence_grade,
            status=row.status,
            citations=sources.citations(row.sources),
        )
    if SAME not in groups:
        raise table.error(table.rows[0], "id", f"there is no group {SAME!r}")
    return groups


def _members(
    root: Traversable, sources: Sources, known: Pharmacology, ingredients: Collection[str]
) -> Mapping[tuple[str, str], set[str]]:
    """The ingredients of each side of each group. A group that is in no row of groups.csv is refused."""
    table = sources.checked(read(root, f"{FOLDER}/members.csv", MemberRow))
    groups = {row.id for row in read(root, f"{FOLDER}/groups.csv", GroupRow).rows}
    members: dict[tuple[str, str], set[str]] = {}
    seen: set[tuple[str, str]] = set()
    for row in table.rows:
        if row.group not in groups or row.group == SAME:
            raise table.error(row, "group", f"{row.group!r} is no group with members in groups.csv")
        if (row.group, row.member) in seen:
            raise table.error(row, "member", f"{row.member!r} is there twice in {row.group}")
        seen.add((row.group, row.member))
        who = _who(row, table, known, ingredients)
        for side in ("allergen", "medicine"):
            if row.side in (side, "both"):
                members.setdefault((row.group, side), set()).update(who)
    return members


def _who(row: MemberRow, table: Table[MemberRow], known: Pharmacology, ingredients: Collection[str]) -> Collection[str]:
    if row.member in known.kinds:
        return known.members[row.member]
    if row.member in ingredients:
        return (row.member,)
    problem = f"{row.member!r} is no property of properties/properties.csv and no ingredient of drugs/"
    raise table.error(row, "member", problem)


def _reactions(root: Traversable, sources: Sources) -> tuple[Reaction, ...]:
    table = sources.checked(read(root, f"{FOLDER}/reactions.csv", ReactionRow))
    taken: dict[str, str] = {}
    for row in table.rows:
        for word in row.words:
            if word != " ".join(word.lower().split()):
                raise table.error(row, "words", f"{word!r} is not in lower case")
            if taken.setdefault(word, row.id) != row.id:
                raise table.error(row, "words", f"{word!r} means {taken[word]!r} further up")
    if sum(row.id == UNKNOWN for row in table.rows) != 1 or table.rows[-1].id != UNKNOWN:
        raise table.error(table.rows[-1], "id", f"the last reaction, and no other, is {UNKNOWN!r}")
    return tuple(Reaction(id=row.id, title=row.title, words=row.words, meaning=row.meaning) for row in table.rows)


def _grades(
    root: Traversable, sources: Sources, groups: Collection[str], reactions: Collection[str]
) -> Mapping[tuple[str, str], Grade]:
    table = sources.checked(read(root, f"{FOLDER}/severities.csv", SeverityRow))
    grades: dict[tuple[str, str], Grade] = {}
    for row in table.rows:
        if row.group not in groups:
            raise table.error(row, "group", f"{row.group!r} is not in groups.csv")
        if row.reaction not in reactions:
            raise table.error(row, "reaction", f"{row.reaction!r} is not in reactions.csv")
        if (row.group, row.reaction) in grades:
            raise table.error(row, "reaction", f"{row.reaction!r} of {row.group} is there twice")
        grades[row.group, row.reaction] = Grade(
            severity=row.severity,
            reason=row.reason,
            evidence_grade=row.evidence_grade,
            status=row.status,
            citations=sources.citations(row.sources),
        )
    return grades
