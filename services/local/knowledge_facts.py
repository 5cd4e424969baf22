"""Everything that is known of one medicine, as statements with their status and their sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import groupby
from typing import Any, NamedTuple

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.model import Interaction, Knowledge, plain_name
from schemas.events import Drug
from schemas.values import SEVERITIES, Citation, Coding
from services.ingest.terminology.drugs import DrugResolver

_CODE_SYSTEMS = ("RxNorm", "NDC", "ATC")
_NOT_SAID = frozenset(("citations", "status", "patient_explanation"))
_SAID_AS = {"actions": "do", "evidence_grade": "evidence"}

Said = Mapping[str, str | tuple[str, ...]]


class Fact(NamedTuple):
    """One statement: ``head`` in a line, ``said`` the rest by its name. ``status`` is that of the row; without one of its own it
    follows from the sources."""

    head: str
    said: Said
    citations: tuple[Citation, ...]
    status: str
    severity: str = ""


class Section(NamedTuple):
    """A subject: what is known of an ingredient there."""

    title: str
    of: Callable[[Knowledge, str], Iterable[Fact]]


class Shown(NamedTuple):
    """One ingredient. ``names`` are those under which orders may have it alone."""

    ingredient: str
    names: tuple[str, ...]
    salts: tuple[str, ...]
    sections: tuple[tuple[str, tuple[Fact, ...]], ...]


def find(knowledge: Knowledge, asked: str) -> Drug:
    """What a name, a brand or a code means, resolved as ingest does. A code may stand alone or after its system
    (``RxNorm 36567``)."""
    resolve = DrugResolver(knowledge).resolve
    system, _, code = asked.replace(":", " ").replace("|", " ").strip().partition(" ")
    codings = [Coding(each, asked.strip()) for each in _CODE_SYSTEMS]
    if code.strip():
        codings.append(Coding(system, code.strip()))
    said = (Drug(text=asked), *(Drug(codings=(coding,)) for coding in codings))
    found = [resolve(drug) for drug in said]
    return next((drug for drug in found if drug.resolution != "unresolved"), found[0])


def alike(knowledge: Knowledge, asked: str) -> list[str]:
    """Names that are written much like ``asked``, for a person to choose from."""
    return get_close_matches(plain_name(asked), knowledge.drug_names, n=3, cutoff=0.8)


def of(knowledge: Knowledge, ingredient: str) -> Shown:
    """Everything that is known of ``ingredient``."""
    names = sorted(name for name, made_of in knowledge.drug_names.items() if made_of == (ingredient,))
    salts = tuple(salt.precise for salt in knowledge.salts.get(ingredient, ()))
    sections = ((section.title, tuple(section.of(knowledge, ingredient))) for section in SECTIONS)
    return Shown(ingredient, tuple(names), salts, tuple((title, facts) for title, facts in sections if facts))


def fact(row: Struct, head: str, *without: str, severity: str = "") -> Fact:
    """Any row of the knowledge as a statement: every field that says something, but for those of ``without``."""
    said = {_SAID_AS.get(name, name.replace("_", " ")): text for name, text in _fields(row, {*without, *_NOT_SAID})}
    citations = getattr(row, "citations", ())
    # a statement whose row has no status of its own has that of its sources
    return Fact(head, said, citations, getattr(row, "status", "") or _status(citations), severity)


def _graded(row: Any, title: str, *without: str) -> Fact:
    return fact(row, f"{row.severity.upper()} {title}", "severity", "title", *without, severity=row.severity)


def _fields(row: Struct, without: Collection[str]) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name in without or value is None or value == "" or value is False:
            continue
        if isinstance(value, frozenset):
            value = tuple(sorted(value))
        if not isinstance(value, tuple):
            yield name, _text(value)
        elif value:
            yield name, tuple(map(_text, value))


def _text(value: object) -> str:
    """A condition, an amount and a range have the text that the data have; another structure says its fields."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Struct):
        text = getattr(value, "text", None)
        fields = (f"{name.replace('_', ' ')} {said}" for name, said in _fields(value, _NOT_SAID))
        return text if isinstance(text, str) else ", ".join(fields)
    return "yes" if value is True else str(value)


def _status(citations: Iterable[Citation]) -> str:
    return "verified" if any(each.status == "verified" for each in citations) else "unverified"


def _properties(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    for name, kind in knowledge.property_kinds.items():
        if name in knowledge.properties_of.get(ingredient, ()):
            member = knowledge.properties[name][ingredient]
            head = f"{kind.title}: {member.grade.replace('_', ' ')}" if member.grade else kind.title
            applies = "by every route" if member.applies == "any" else ""
            said = {key: text for key, text in (("note", member.note), ("acts", applies)) if text}
            evidence = {"evidence": member.evidence_grade}
            yield Fact(head, said | evidence, member.citations, member.status)


def _interactions(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    """Partners with which the same holds are one statement; the gravest first."""
    found = [
        each
        for partner in sorted(knowledge.partners.get(ingredient, ()))
        for each in knowledge.interactions[min(ingredient, partner), max(ingredient, partner)]
    ]
    found.sort(key=_same)
    for _, same in groupby(found, key=_same):
        yield _interaction(ingredient, list(same))


def _same(each: Interaction) -> tuple[int, str, str, float, str]:
    grave = SEVERITIES.index(each.pair.severity)
    return grave, each.pair.id, each.pair.evidence_grade, each.max_daily_mg or 0, _status(each.citations)


def _interaction(ingredient: str, same: list[Interaction]) -> Fact:
    pair, limit = same[0].pair, same[0].max_daily_mg
    partners = tuple(each.precipitant if each.object == ingredient else each.object for each in same)
    citations = tuple(dict.fromkeys((*pair.citations, *(one for each in same for one in each.citations))))
    permitted = f"up to {limit:g} mg a day of {', '.join(dict.fromkeys(each.object for each in same))}" if limit else ""
    said: Said = {
        "with": partners,
        "permitted": permitted,
        "effect": pair.effect,
        "do": pair.actions,
        "mechanism": pair.mechanism,
        "evidence": pair.evidence_grade,
    }
    said = {name: text for name, text in said.items() if text}
    return Fact(f"{pair.severity.upper()} {pair.title}", said, citations, _status(same[0].citations), pair.severity)


def _levels(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    for (analyte, band), limit in knowledge.limits.items():
        if analyte == ingredient:
            yield fact(limit, f"critical level, {band}", "analyte", "band", "when_low", "when_high")


def _values(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    for step in knowledge.thresholds.steps_of.get(ingredient, ()):
        yield _graded(step, step.title, "rule", "family", "ingredients")


def _allergies(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    for group in knowledge.cross_reactivity.groups.values():
        if ingredient in group.allergens or ingredient in group.medicines:
            yield fact(group, group.title, "id", "title", "names")


def _mechanisms(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    """By whom it meets there: those of the other roles."""
    for each in sorted(knowledge.mechanisms.of(ingredient), key=lambda one: SEVERITIES.index(one.severity)):
        others = {who for role, who in each.members.items() if ingredient not in who} or each.members.values()
        partners = frozenset().union(*others) - {ingredient}
        shown = _graded(each, each.title, "id", "problem", "onc_number", "members", "contexts")
        contexts = tuple(f"{one.severity} when {_all(one.when)}: {one.reason}" for one in each.contexts)
        yield shown._replace(said={"with": tuple(sorted(partners)), **shown.said, "but": contexts})


def _all(when: Conditions) -> str:
    return " and ".join(each.text for each in when)


def _doses(knowledge: Knowledge, ingredient: str) -> Iterator[Fact]:
    doses = knowledge.doses
    for limit in doses.limits.get(ingredient, ()):
        title = "contraindicated" if limit.max is None else f"at most {limit.max.text}, {limit.kind.replace('_', ' ')}"
        yield _graded(limit, title, "ingredient", "kind", "max")
    for renal in doses.renal.get(ingredient, ()):
        yield _graded(renal, f"kidney: {renal.step}", "ingredient", "step")
    for hepatic in doses.hepatic.get(ingredient, ()):
        yield _graded(hepatic, f"liver: {hepatic.step}", "ingredient", "step")
    for interval in doses.intervals.get(ingredient, ()):
        title = f"at least {interval.min_interval_d:g} days between doses"
        yield _graded(interval, title, "ingredient", "min_interval_d")
    for opioid in doses.opioids.get(ingredient, ()):
        yield fact(opioid, "morphine equivalents", "ingredient")


SECTIONS: tuple[Section, ...] = (
    Section("properties", _properties),
    Section("interactions", _interactions),
    Section("mechanisms", _mechanisms),
    Section("doses", _doses),
    Section("laboratory values", _values),
    Section("levels in blood", _levels),
    Section("allergies", _allergies),
)
"""In the order in which they are shown. A new subject is a line here: its rows of an ingredient, each as a ``fact``."""
