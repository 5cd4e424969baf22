"""Reads what a site brought in from elsewhere (``imported/*.csv``, as `rxvigil import` writes it) and its choices
(``choices.csv``)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from knowledge.outside import OURS, Choice, Outside, Scope, Theirs, Use, pair_of
from knowledge.property import Member
from knowledge.reading.property import Pharmacology
from knowledge.reading.tables import KnowledgeError, Table, read
from schemas.values import Citation, Severity

FOLDER, CHOICES = "imported", "choices.csv"
_PROPERTIES = ".properties.csv"


class TheirsRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An interaction of a source, as it is in a file of ``imported``."""

    a: str
    b: str
    severity: Severity
    said: str
    effect: str = ""
    source: str
    licence: str
    edition: str


class MembersRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A property of an ingredient by a source, as it is in a file ``imported/<source>.properties.csv``."""

    ingredient: str
    property: str
    grade: str
    said: str
    source: str
    licence: str
    edition: str


class ChoiceRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of ``choices.csv``."""

    scope: Scope
    which: str
    use: Use
    reason: str
    author: str


class _Known(NamedTuple):
    pharmacology: Pharmacology
    sources: frozenset[str]


def read_outside(site: Path | None, pharmacology: Pharmacology) -> tuple[Outside, Pharmacology]:
    """What was brought in, and ``pharmacology`` with the members of properties that the site chose to count beside ours. Nothing
    where the site has no such files. Raises ``KnowledgeError``."""
    if site is None:
        return Outside(), pharmacology
    theirs, members = list(_theirs(site, pharmacology)), list(_members(site, pharmacology))
    known = _Known(pharmacology, frozenset([*(each.source for each in theirs), *(each.source for each in members)]))
    outside = Outside(theirs, _choices(site, known), pharmacology.of)
    counting = {each.which for each in outside.choices if each.scope == "source" and each.use == "theirs"}
    return outside, _joined(pharmacology, [each for each in members if each.source in counting])


def _members(site: Path, pharmacology: Pharmacology) -> Iterator[MembersRow]:
    for path in sorted((site / FOLDER).glob(f"*{_PROPERTIES}")):
        table = read(site, f"{FOLDER}/{path.name}", MembersRow, said=str(path))
        table.each_once("ingredient", "property")
        for row in table.rows:
            kind = pharmacology.kinds.get(row.property)
            if kind is None:
                raise table.error(row, "property", f"{row.property!r} is no property known here")
            if row.grade not in (kind.grades or ("",)):
                raise table.error(row, "grade", f"{row.grade!r} is no grade of it: {', '.join(kind.grades) or 'none'}")
            if row.ingredient not in pharmacology.ingredients:
                raise table.error(row, "ingredient", f"{row.ingredient!r} is no ingredient known here")
            yield row


def _joined(pharmacology: Pharmacology, rows: list[MembersRow]) -> Pharmacology:
    """What we say of a member stands over what a source says."""
    members = {name: dict(of) for name, of in pharmacology.members.items()}
    properties = dict(pharmacology.of)
    for row in rows:
        if row.ingredient not in members.setdefault(row.property, {}):
            text = f"{row.source}, edition {row.edition}; licence: {row.licence}"
            members[row.property][row.ingredient] = Member(
                property=row.property,
                ingredient=row.ingredient,
                grade=row.grade,
                applies="systemic",
                note=f"{row.source}: {row.said}",
                evidence_grade="as its source says",
                status="unverified",
                citations=(Citation(f"{row.source}-{row.edition}", text),),
            )
            properties[row.ingredient] = properties.get(row.ingredient, frozenset()) | {row.property}
    return pharmacology._replace(members=members, of=properties)


def _theirs(site: Path, pharmacology: Pharmacology) -> Iterator[Theirs]:
    for path in sorted((site / FOLDER).glob("*.csv")):
        if path.name.endswith(_PROPERTIES):
            continue
        name = f"{FOLDER}/{path.name}"
        table = read(site, name, TheirsRow, said=str(path))
        table.each_once("a", "b", "source")
        for row in table.rows:
            for column, ingredient in (("a", row.a), ("b", row.b)):
                if ingredient not in pharmacology.ingredients:
                    raise table.error(row, column, f"{ingredient!r} is no ingredient known here; import the file again")
            if row.a == row.b:
                raise table.error(row, "b", "an ingredient does not interact with itself")
            yield Theirs(
                pair=pair_of(row.a, row.b),
                severity=row.severity,
                said=row.said,
                effect=row.effect,
                source=row.source,
                licence=row.licence,
                edition=row.edition,
                row=f"{name}#{row.a},{row.b}",
            )


def _choices(site: Path, known: _Known) -> Iterator[Choice]:
    if not (site / CHOICES).exists():
        return
    table = read(site, CHOICES, ChoiceRow, said=str(site / CHOICES))
    table.each_once("scope", "which")
    for row in table.rows:
        _check(table, row, known)
        yield Choice(
            scope=row.scope,
            which=row.which,
            use=row.use,
            reason=row.reason,
            author=row.author,
            row=f"{CHOICES}#{row.scope},{row.which}",
        )


def _check(table: Table[ChoiceRow], row: ChoiceRow, known: _Known) -> None:
    names = row.which.split("+")
    counts: tuple[int, ...]
    match row.scope:
        case "source":
            if row.which == OURS and row.use == "theirs":
                raise table.error(row, "use", f"{OURS} is ours: ours or off")
            expected, what, counts = {*known.sources, OURS}, "source that was brought in", (1,)
        case "class":
            expected, what, counts = set(known.pharmacology.kinds), "property (knowledge/properties)", (1, 2)
        case _:
            expected, what, counts = set(known.pharmacology.ingredients), "ingredient", (2,)
    if len(names) not in counts:
        raise table.error(row, "which", f"{row.which!r}: {' or '.join(map(str, counts))} joined by + are expected")
    for name in names:
        if name not in expected:
            near = get_close_matches(name, sorted(expected), 1)
            raise _unknown(table, row, name, what, near)


def _unknown(table: Table[ChoiceRow], row: ChoiceRow, name: str, what: str, near: list[str]) -> KnowledgeError:
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return table.error(row, "which", f"{name!r} is no {what}{hint}")
