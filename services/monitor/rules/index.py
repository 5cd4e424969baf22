"""Which rules an event can touch: from ingredient, analyte and person to rules, made once from what the rules say they read."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from knowledge.model import Knowledge
from services.monitor.patient.bounds import SHOWN, Need
from services.monitor.patient.change import Change
from services.monitor.rules.rule import Rule


class Index:
    """The rules with what each reads; ``needs`` is what all of them together read of an analyte. ``tag`` is another one for other
    rules, versions of them or knowledge."""

    def __init__(self, rules: Sequence[Rule], knowledge: Knowledge) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.tag = _tag(rules, knowledge)
        self.needs: dict[str, Need] = {}
        self._place = {rule.id: place for place, rule in enumerate(rules)}
        self._analytes: dict[str, list[Rule]] = {}
        self._ordered, self._given = _ByName(), _ByName()
        self._person = _ByName()
        for rule in rules:
            self._add(rule, knowledge)

    def touched(self, change: Change) -> list[Rule]:
        """The rules that read anything of what changed, in their order."""
        found: dict[str, Rule] = {}
        for analyte in change.analytes:
            _note(found, self._analytes.get(analyte, ()))
        if change.medicines:
            if change.ordered or not change.given:
                self._ordered.note(found, change.ordered)
            if change.given or not change.ordered:
                self._given.note(found, change.given)
        if change.person:
            self._person.note(found, change.person)
        return sorted(found.values(), key=self.place)

    def place(self, rule: Rule) -> int:
        """Where a rule stands: of findings equally grave, that of the earlier rule is shown."""
        return self._place[rule.id]

    def _add(self, rule: Rule, knowledge: Knowledge) -> None:
        reads = rule.reads(knowledge)
        for analyte, need in reads.analytes.items():
            self.needs[analyte] = self.needs.get(analyte, SHOWN).joined(need)
            self._analytes.setdefault(analyte, []).append(rule)
        self._ordered.add(rule, reads.ingredients)
        if reads.doses:
            self._given.add(rule, reads.ingredients)
        if reads.person:
            self._person.add(rule, None if reads.person is True else reads.person)


class _ByName:
    """Rules by the names that they read, beside those that read whatever changes."""

    def __init__(self) -> None:
        self._all: list[Rule] = []
        self._of: dict[str, list[Rule]] = {}

    def add(self, rule: Rule, names: Iterable[str] | None) -> None:
        if names is None:
            self._all.append(rule)
        else:
            for name in names:
                self._of.setdefault(name, []).append(rule)

    def note(self, found: dict[str, Rule], changed: Iterable[str]) -> None:
        _note(found, self._all)
        for name in changed:
            _note(found, self._of.get(name, ()))


def _note(found: dict[str, Rule], rules: Iterable[Rule]) -> None:
    for rule in rules:
        found[rule.id] = rule


def _tag(rules: Iterable[Rule], knowledge: Knowledge) -> str:
    """Six characters: it is kept in each state."""
    said = "\0".join(f"{rule.id} {rule.version}" for rule in rules)
    digest = blake2b(f"{knowledge.version}\0{said}".encode(), digest_size=4).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
