"""Asking rules for what they find in their parts and what they wait for. One that raises does not keep others from answering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from knowledge.model import Knowledge
from services.monitor.patient.obligation import Obligation, Obligations, bounded
from services.monitor.patient.state import PatientState
from services.monitor.rules.failure import TellFailed, TooManyObligations
from services.monitor.rules.index import Index
from services.monitor.rules.outside_interaction import INTERACTION, OutsideInteraction
from services.monitor.rules.rule import Finding, Rule

Part = tuple[str, str]
"""A rule's id and a part of it."""
Found = Mapping[str, tuple[Rule, str, Finding]]
"""What was found anew: by key the rule, its part and the finding."""


def alert_key(rule: str, subject: str) -> str:
    """The key of a finding and its alert in a state: one episode of a rule and subject is open at a time."""
    return f"{rule}\x1f{subject}"


class Answers:
    """What the rules say of a state. ``asked`` are the parts that were answered, ``failed`` those whose rule raised; ``fresh`` is
    what was found, ``owed`` what is waited for."""

    def __init__(self, state: PatientState, index: Index, knowledge: Knowledge, tell: TellFailed) -> None:
        self.asked: set[Part] = set()
        self.failed: set[Part] = set()
        self.fresh: dict[str, tuple[Rule, str, Finding]] = {}
        self.owed: list[Obligation] = []
        self._state, self._index, self._knowledge, self._tell = state, index, knowledge, tell

    def ask(self, parts: Iterable[Part]) -> None:
        for rule_id, part in sorted(parts):
            rule = self._index.rules[rule_id]
            try:
                said = list(rule.findings(self._state, self._knowledge, part))
            except Exception as error:
                self._tell(rule_id, error)
                self.failed.add((rule_id, part))
                continue
            self.asked.add((rule_id, part))
            for each in said:
                if isinstance(each, Finding):
                    self.fresh[alert_key(rule_id, each.subject)] = (rule, part, self._chosen(rule, each))
                else:
                    self.owed.append(replace(each, source=rule_id, part=part))

    def noted(self, state: PatientState) -> PatientState:
        """With what is waited for, and what is to be asked again because it could not be answered whole."""
        if not (state.obligations or self.owed or state.again or self.failed):
            return state
        obligations, left_out = bounded(self._waited_for(state.obligations))
        for rule in sorted({each.source for each in left_out}):
            self._tell(rule, TooManyObligations())
        more = {(each.source, each.part) for each in left_out}
        again = tuple(sorted((set(state.again) - self.asked) | self.failed | more))
        if (obligations, again) == (state.obligations, state.again):
            return state
        return replace(state, obligations=obligations, again=again)

    def _waited_for(self, before: Obligations) -> Obligations:
        kept = {
            key: each for key, each in before.items() if not (each.of_rule and (each.source, each.part) in self.asked)
        }
        for each in self.owed:
            known = kept.get(each.key)
            # what is due by now was just asked for
            if each.due > self._state.clock and (known is None or each.due < known.due):
                kept[each.key] = each
        return kept

    def _chosen(self, rule: Rule, finding: Finding) -> Finding:
        """As the site chose: an interaction of ours that does not count there is kept, and told to nobody."""
        outside = self._knowledge.outside
        if not outside.choices or rule.family != INTERACTION or isinstance(rule, OutsideInteraction):
            return finding
        choice = outside.turned_off(finding.medicines)
        return (
            finding if choice is None else replace(finding, held=f"The site chose so: {choice.reason} ({choice.row})")
        )
