"""Which medicines an allergy to one reaches, and how grave that is by the reaction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from knowledge.statement import Statement
from schemas.values import SEVERITIES, Severity

Reach = Literal["same", "members", "name"]
"""``same``: the ingredient itself. ``members``: an allergy to one member reaches the others. ``name``: only an allergy that
names the group reaches its members, since reactions to one do not say much about the next."""
SAME = "same-medicine"
"""The group of the ingredient itself."""
UNKNOWN = "unknown"
"""The kind of a reaction of which nothing is known."""

_AROUND = re.compile(
    r"\([^)]*\)|-class of antibiotic-|^(allergy|allergic|hypersensitivity) to |^product containing "
    r"| (allergy|hypersensitivity|class|drugs|antibiotics|products)$"
)
"""What stands around a name in allergy lists and in the displays of codes."""


class Group(Statement, frozen=True, kw_only=True):
    """Medicines that cross-react. ``allergens`` are the ingredients whose allergy counts, ``medicines`` those that it reaches;
    mostly the same. ``names`` are the words by which an allergy list means the group."""

    id: str
    title: str
    reach: Reach
    names: frozenset[str]
    allergens: frozenset[str]
    medicines: frozenset[str]
    meaning: str
    actions: tuple[str, ...]
    patient_explanation: str


class Reaction(Struct, frozen=True, kw_only=True):
    """A kind of reaction and the words for it, in lower case."""

    id: str
    title: str
    words: tuple[str, ...]
    meaning: str


class Grade(Statement, frozen=True, kw_only=True):
    """How grave it is to give a medicine of a group after a reaction of a kind."""

    severity: Severity
    reason: str


class Crossing(NamedTuple):
    """An allergy that reaches a medicine by a group."""

    group: Group
    reaction: Reaction
    grade: Grade


class CrossReactivity(Struct, frozen=True, kw_only=True):
    """``reactions`` are gravest first, as the file has them; ``grades`` are by group and reaction: where there is none, the
    allergy does not count for the medicine. ``named`` gives the group that a name in an allergy list means."""

    groups: Mapping[str, Group] = {}
    reactions: tuple[Reaction, ...] = ()
    grades: Mapping[tuple[str, str], Grade] = {}
    named: Mapping[str, Group] = {}

    def group_of(self, text: str) -> Group | None:
        """The group that a substance's text names, with or without what code systems write around it (``Allergy to penicillin
        (finding)``)."""
        plain = " ".join(text.lower().split())
        while plain not in self.named:
            bare = " ".join(_AROUND.sub(" ", plain).split())
            if bare == plain:
                return None
            plain = bare
        return self.named[plain]

    def kind_of(self, text: str) -> Reaction:
        """The gravest kind of reaction that a text has a word for; ``unknown`` where it has none."""
        plain = text.lower()
        return next((each for each in self.reactions if any(_says(plain, word) for word in each.words)), self._unknown)

    def crossings(self, allergen: str, medicine: str, reaction: Reaction) -> Iterator[Crossing]:
        """How an allergy reaches the ingredient ``medicine``, gravest first. ``allergen`` is an ingredient, or a name that
        ``named`` has; some names say the reaction themselves (``hit``)."""
        if reaction.id == UNKNOWN:
            reaction = self.kind_of(allergen)
        found = [
            Crossing(group, reaction, grade)
            for group in self.groups.values()
            if self._reaches(group, allergen, medicine)
            and (grade := self.grades.get((group.id, reaction.id))) is not None
        ]
        yield from sorted(found, key=lambda each: SEVERITIES.index(each.grade.severity))

    @property
    def _unknown(self) -> Reaction:
        return next(each for each in self.reactions if each.id == UNKNOWN)

    def _reaches(self, group: Group, allergen: str, medicine: str) -> bool:
        if group.reach == "same":
            return allergen == medicine
        if allergen in group.names:
            return medicine in group.medicines
        # the ingredient itself is the matter of SAME
        return (
            group.reach == "members"
            and allergen in group.allergens
            and medicine in group.medicines
            and allergen != medicine
        )


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text) is not None
