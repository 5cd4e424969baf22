"""Reads allergies and what they reach: ``allergies/``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.allergy import SAME, UNKNOWN, CrossReactivity, Grade, Group, Reach, Reaction
from knowledge.reading.cells import check_known, check_plain, meant
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, StatementRow, read
from schemas.values import Severity

FOLDER = "allergies"


class GroupRow(StatementRow, frozen=True, kw_only=True):
    id: str
    title: str
    reach: Reach
    names: tuple[str, ...] = ()
    meaning: str
    actions: tuple[str, ...]
    patient_explanation: str


class MemberRow(StatementRow, frozen=True, kw_only=True):
    """``member`` is a property, which stands over an ingredient of the same name, or an ingredient. ``side``: whether its
    allergy counts (``allergen``), whether it is reached (``medicine``), or both."""

    group: str
    member: str
    side: Literal["both", "allergen", "medicine"]
    note: str = ""


class ReactionRow(StatementRow, frozen=True, kw_only=True):
    """The order of the rows is that of gravity."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    meaning: str


class SeverityRow(StatementRow, frozen=True, kw_only=True):
    group: str
    reaction: str
    severity: Severity
    reason: str


class LeftOutRow(Row, frozen=True, kw_only=True):
    """What does not cross, or is not known to, and why."""

    group: str
    substances: str
    reason: str


def read_cross_reactivity(root: Traversable, sources: Sources, known: Pharmacology) -> CrossReactivity:
    """Every group with its members, the reactions, and how grave each is."""
    groups = _groups(root, sources, known)
    reactions = _reactions(root, sources)
    left_out = sources.checked(read(root, f"{FOLDER}/left_out.csv", LeftOutRow))
    for row in left_out.rows:
        check_known(left_out, row, "group", groups, "groups.csv")
    return CrossReactivity(
        groups=groups,
        reactions=reactions,
        grades=_grades(root, sources, groups, {reaction.id for reaction in reactions}),
        named={name: group for group in groups.values() for name in group.names},
    )


def _groups(root: Traversable, sources: Sources, known: Pharmacology) -> Mapping[str, Group]:
    table = sources.checked(read(root, f"{FOLDER}/groups.csv", GroupRow))
    table.each_once("id")
    members = _members(root, sources, known)
    groups: dict[str, Group] = {}
    for row in table.rows:
        check_plain(table, row, "names")
        allergens, medicines = members.get((row.id, "allergen"), set()), members.get((row.id, "medicine"), set())
        for name in row.names:
            if name in medicines or any(name in other.names for other in groups.values()):
                raise table.error(row, "names", f"{name!r} means one of its medicines or another group")
        if (row.reach == "same") != (row.id == SAME):
            raise table.error(row, "reach", f"{SAME!r}, and no other, is about the ingredient itself")
        if row.id != SAME and not medicines:
            raise table.error(row, "id", f"{row.id!r} has no medicine in members.csv")
        groups[row.id] = sources.made(
            Group,
            row,
            names=frozenset(row.names),
            allergens=frozenset(allergens),
            medicines=frozenset(medicines),
        )
    if SAME not in groups:
        raise table.error(table.rows[0], "id", f"there is no group {SAME!r}")
    return groups


def _members(root: Traversable, sources: Sources, known: Pharmacology) -> Mapping[tuple[str, str], set[str]]:
    """The ingredients of each side of each group. A group that is in no row of groups.csv is refused."""
    table = sources.checked(read(root, f"{FOLDER}/members.csv", MemberRow))
    groups = {row.id for row in read(root, f"{FOLDER}/groups.csv", GroupRow).rows}
    members: dict[tuple[str, str], set[str]] = {}
    table.each_once("group", "member")
    for row in table.rows:
        if row.group not in groups or row.group == SAME:
            raise table.error(row, "group", f"{row.group!r} is no group with members in groups.csv")
        who = meant(table, row, "member", known.who)
        for side in ("allergen", "medicine"):
            if row.side in (side, "both"):
                members.setdefault((row.group, side), set()).update(who)
    return members


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
    return tuple(sources.made(Reaction, row) for row in table.rows)


def _grades(
    root: Traversable, sources: Sources, groups: Collection[str], reactions: Collection[str]
) -> Mapping[tuple[str, str], Grade]:
    table = sources.checked(read(root, f"{FOLDER}/severities.csv", SeverityRow))
    table.each_once("group", "reaction")
    for row in table.rows:
        check_known(table, row, "group", groups, "groups.csv")
        check_known(table, row, "reaction", reactions, "reactions.csv")
    return {(row.group, row.reaction): sources.made(Grade, row) for row in table.rows}
