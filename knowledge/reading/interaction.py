"""Reads pairs of classes, their members and what holds for single combinations: ``interactions/``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from msgspec.structs import replace

from knowledge.model import Interaction, InteractionPair
from knowledge.reading.cells import check_known, check_plain
from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, StatementRow, Table, read
from schemas.values import SEVERITIES, Severity

Interactions = Mapping[tuple[str, str], tuple[Interaction, ...]]
Partners = Mapping[str, frozenset[str]]


class PairRow(Row, frozen=True, kw_only=True):
    id: str
    onc_number: int
    title: str
    object_class: str
    precipitant_class: str
    severity: Severity
    evidence_grade: str
    mechanism: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str
    systemic_only: bool
    author: str


class MemberRow(StatementRow, frozen=True, kw_only=True):
    """``severity`` says that combinations with this member are milder than the pair."""

    pair: str
    side: Literal["object", "precipitant"]
    ingredient: str
    severity: Severity | None = None


class CombinationRow(StatementRow, frozen=True, kw_only=True):
    """What holds for one object and precipitant, over what the members say. ``none``: it does not fire.
    A combination with a ``max_daily_mg`` does not need its precipitant among the members."""

    pair: str
    object: str
    precipitant: str
    severity: Severity | Literal["none"] | None = None
    max_daily_mg: float | None = None
    reason: str


class LeftOutRow(Row, frozen=True, kw_only=True):
    """A candidate that is not a member, and why."""

    pair: str
    side: Literal["object", "precipitant"]
    ingredient: str
    reason: str


def read_interactions(root: Traversable, sources: Sources) -> tuple[Interactions, Partners]:
    """Every combination of every pair, by the two ingredients in alphabetical order; and for each ingredient the others."""
    pairs = sources.checked(read(root, "interactions/pairs.csv", PairRow))
    members = sources.checked(read(root, "interactions/members.csv", MemberRow))
    combinations = sources.checked(read(root, "interactions/combinations.csv", CombinationRow))
    left_out = sources.checked(read(root, "interactions/left_out.csv", LeftOutRow))
    _check(pairs, members, combinations, left_out)
    interactions: dict[tuple[str, str], tuple[Interaction, ...]] = {}
    for row in pairs.rows:
        pair = _pair(row, sources)
        own = [each for each in combinations.rows if each.pair == row.id]
        of_pair = [each for each in members.rows if each.pair == row.id]
        for key, interaction in _of_pair(pair, of_pair, own, sources).items():
            interactions[key] = (*interactions.get(key, ()), interaction)
    return interactions, _partners(interactions)


def _pair(row: PairRow, sources: Sources) -> InteractionPair:
    return sources.made(InteractionPair, row)


def _of_pair(
    pair: InteractionPair, of_pair: list[MemberRow], own: list[CombinationRow], sources: Sources
) -> Mapping[tuple[str, str], Interaction]:
    objects = {each.ingredient: each for each in of_pair if each.side == "object"}
    precipitants = {each.ingredient: each for each in of_pair if each.side == "precipitant"}
    said = {(row.object, row.precipitant): row for row in own}
    found: dict[tuple[str, str], Interaction] = {}
    for object_, precipitant in sorted({(o, p) for o in objects for p in precipitants} | said.keys()):
        row = said.get((object_, precipitant))
        if object_ == precipitant or (row is not None and row.severity == "none"):
            continue
        members = [each for each in (objects.get(object_), precipitants.get(precipitant)) if each is not None]
        ids = dict.fromkeys(source for each in (row, *members) if each is not None for source in each.sources)
        interaction = Interaction(
            pair=_graded(pair, row, members),
            object=object_,
            precipitant=precipitant,
            max_daily_mg=row.max_daily_mg if row is not None else None,
            citations=sources.citations(ids),
        )
        # members of both sides give a combination twice: the graver stands
        known = found.get(_key(object_, precipitant))
        if known is None or _rank(interaction) < _rank(known):
            found[_key(object_, precipitant)] = interaction
    return found


def _rank(interaction: Interaction) -> int:
    return SEVERITIES.index(interaction.pair.severity)


def _graded(pair: InteractionPair, row: CombinationRow | None, members: list[MemberRow]) -> InteractionPair:
    """The combination's own grade, else the mildest that a member says, else the pair's."""
    if row is not None and row.severity is not None and row.severity != "none":
        return replace(pair, severity=row.severity, evidence_grade=row.evidence_grade)
    said = [each for each in members if each.severity is not None]
    if not said:
        return replace(pair, evidence_grade=row.evidence_grade) if row is not None else pair
    mildest = max(said, key=lambda each: SEVERITIES.index(each.severity or pair.severity))
    return replace(pair, severity=mildest.severity, evidence_grade=mildest.evidence_grade)


def _key(one: str, other: str) -> tuple[str, str]:
    return (min(one, other), max(one, other))


def _partners(interactions: Interactions) -> Partners:
    partners: dict[str, set[str]] = {}
    for one, other in interactions:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    return {ingredient: frozenset(others) for ingredient, others in partners.items()}


def _check(
    pairs: Table[PairRow], members: Table[MemberRow], combinations: Table[CombinationRow], left_out: Table[LeftOutRow]
) -> None:
    pairs.each_once("id")
    ids = {pair.id for pair in pairs.rows}
    seen = _checked_members(members, ids)
    for pair in pairs.rows:
        for side in ("object", "precipitant"):
            if not any(key[:2] == (pair.id, side) for key in seen):
                raise pairs.error(pair, "id", f"{pair.id!r} has no {side} in members.csv")
    for row in combinations.rows:
        check_known(combinations, row, "pair", ids, "pairs.csv")
        if (row.pair, "object", row.object) not in seen:
            raise combinations.error(row, "object", f"{row.object!r} is no object of {row.pair!r} in members.csv")
        if row.max_daily_mg is None and (row.pair, "precipitant", row.precipitant) not in seen:
            raise combinations.error(row, "precipitant", f"{row.precipitant!r} is no precipitant of {row.pair!r}")
        if row.max_daily_mg is not None and row.max_daily_mg <= 0:
            raise combinations.error(row, "max_daily_mg", "a daily dose is more than nothing")
    for out in left_out.rows:
        check_known(left_out, out, "pair", ids, "pairs.csv")
        if (out.pair, out.side, out.ingredient) in seen:
            raise left_out.error(out, "ingredient", f"{out.ingredient!r} is a member in members.csv")


def _checked_members(members: Table[MemberRow], ids: set[str]) -> set[tuple[str, str, str]]:
    members.each_once("pair", "side", "ingredient")
    for member in members.rows:
        check_known(members, member, "pair", ids, "pairs.csv")
        check_plain(members, member, "ingredient")
    return {(member.pair, member.side, member.ingredient) for member in members.rows}
