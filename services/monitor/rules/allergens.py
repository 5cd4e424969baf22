"""What the entries of an allergy list mean: which medicines each reaches, by what reaction, and from when it was known.

An entry counts by its reaction, whether the list calls it an allergy or an intolerance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time

from msgspec import Struct

from knowledge.allergy import SAME, UNKNOWN, Crossing, Reaction
from knowledge.model import Knowledge, plain_name
from schemas.events import Allergy
from schemas.values import SEVERITIES
from services.monitor.patient.known import known_or
from services.monitor.patient.person import LIST
from services.monitor.patient.state import PatientState

FOR_LIFE = frozenset({"severe-delayed", "heparin-induced"})
"""Kinds of reaction that neither time nor a dose that was borne takes back."""
_WRONG = ("refuted", "entered_in_error")
_OVER = ("inactive", "resolved")
_AROUND = re.compile(
    r"\((substance|disorder|finding|product|medication|class)\)|\b(allergy|allergic reaction|hypersensitivity|intolerance|"
    r"adverse reaction)( to)?\b|\bcaused by\b",
    re.IGNORECASE,
)
"""What stands around a name in the displays of code systems and in lists written by people."""
_BETWEEN = re.compile(r"[,;/&]|\band\b", re.IGNORECASE)
_REMEMBERED = 2_000
"""Different names with their reactions that are kept in mind; beyond it all are read anew."""


class Entry(Struct, frozen=True, kw_only=True):
    """``reached`` gives by ingredient how the allergy reaches it, the gravest way; empty ``allergens``: its name is not
    understood. ``known_from`` is None where the list does not say since when it has the entry."""

    label: str
    allergens: tuple[str, ...]
    reaction: Reaction
    reached: Mapping[str, Crossing]
    allergy: Allergy
    known_from: datetime | None

    def known_at(self, when: datetime) -> bool:
        """Whether it was known then; one of which that is not told counts as known."""
        return self.known_from is None or self.known_from <= when

    def tolerated(self, today: date) -> date | None:
        """Since when the medicine has been taken without harm, where that was after the reaction."""
        since, onset = known_or(self.allergy.tolerated_since, None), known_or(self.allergy.onset, None)
        if since is None or since > today or (onset is not None and since < onset):
            return None
        return since


def entries(state: PatientState, knowledge: Knowledge) -> list[Entry]:
    """Every allergy that counts, in the order of their names. One that was refuted does not, nor one that is over, but for the
    reactions that are for life."""
    reach = _reach_of(knowledge)
    found = [
        entry
        for fact in state.allergy_facts.values()
        if not fact.void
        for allergy in fact.what
        if known_or(allergy.verification, "") not in _WRONG
        for entry in (_entry(allergy, None if fact.record_id == LIST else fact.at, reach),)
        if known_or(allergy.status, "") not in _OVER or entry.reaction.id in FOR_LIFE
    ]
    return sorted(found, key=lambda each: (each.label.casefold(), known_or(each.allergy.reaction, "")))


def _entry(allergy: Allergy, recorded: datetime | None, reach: _Reach) -> Entry:
    substance, onset = allergy.substance, known_or(allergy.onset, None)
    label = substance.text or next((each.display or each.code for each in substance.codings), "")
    texts = (substance.text, *(each.display for each in substance.codings))
    names = tuple(sorted({name for text in texts for name in _names(text)}))
    ingredients = tuple(each.name for each in substance.ingredients)
    allergens, reaction, reached = reach.of(ingredients, names, known_or(allergy.reaction, ""))
    began = datetime.combine(onset, time(), UTC) if onset is not None else None
    return Entry(
        label=" ".join(_AROUND.sub(" ", label).split())
        or label
        or " / ".join(ingredients)
        or "a substance without a name",
        allergens=allergens,
        reaction=reaction,
        reached=reached,
        allergy=allergy,
        known_from=min(filter(None, (recorded, began)), default=None),
    )


def _names(text: str) -> Iterator[str]:
    """A name as it stands, without what stands around it, and the parts of it where there are several in one entry."""
    for part in dict.fromkeys((text, *_BETWEEN.split(text))):
        yield plain_name(part)
        yield plain_name(_AROUND.sub(" ", part))


_Read = tuple[tuple[str, ...], Reaction, Mapping[str, Crossing]]


class _Reach:
    """What names and reactions come to, remembered: patients share them."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._known: dict[tuple[Sequence[str], Sequence[str], str], _Read] = {}

    def of(self, ingredients: tuple[str, ...], names: tuple[str, ...], reaction: str) -> _Read:
        """The allergens among ingredients and names, the kind of reaction, and the medicines that they reach."""
        key = (ingredients, names, reaction)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._read(ingredients, names, reaction)
        return self._known[key]

    def _read(self, ingredients: tuple[str, ...], names: tuple[str, ...], reaction: str) -> _Read:
        crossing = self.knowledge.cross_reactivity
        allergens = tuple(dict.fromkeys((*ingredients, *(name for name in names if name in crossing.named))))
        # some names say what happened: HIT
        said = [crossing.kind_of(text) for text in (reaction, *names)]
        kind = next((each for each in said if each.id != UNKNOWN), said[0])
        groups = crossing.groups.values()
        candidates = {*ingredients, *(each for each in allergens if any(each in group.medicines for group in groups))}
        for group in groups:
            if not (group.names.isdisjoint(allergens) and group.allergens.isdisjoint(allergens)):
                candidates |= group.medicines
        reached = {
            medicine: min(ways, key=_gravest_first)
            for medicine in candidates
            if (ways := [way for each in allergens for way in crossing.crossings(each, medicine, kind)])
        }
        return allergens, kind, reached


def _gravest_first(way: Crossing) -> tuple[int, bool, str]:
    return (SEVERITIES.index(way.grade.severity), way.group.id != SAME, way.group.id)


_last: list[_Reach] = []


def _reach_of(knowledge: Knowledge) -> _Reach:
    if not _last or _last[0].knowledge is not knowledge:
        _last[:] = [_Reach(knowledge)]
    return _last[0]
