"""A written rule as the engine asks it: what it reads, in which parts, and what it finds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from knowledge.model import Knowledge
from knowledge.written import WrittenRule
from schemas.values import Citation
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.clock import later
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, earliest, read_by, reads_of, said
from services.monitor.rules.evidence import implicate_result
from services.monitor.rules.rule import WHOLE, Finding, Reads
from services.monitor.rules.view import view_of
from services.monitor.rules.written.acts import About, about, ends_by_itself, members_here, ordered_ever
from services.monitor.rules.written.asked import Held, Not, asked
from services.monitor.rules.written.due import Due, dues
from services.monitor.rules.written.texts import Texts, missing_in_words, missing_said

_WANTED = Need(newest=3)
"""Of a result that is asked for: two more to fall back on when the newest is cancelled."""

_FAR = timedelta(days=800)
"""What time alone makes true later than that is not waited for, so that nobody carries a birthday of decades ahead: any event
that touches the rule until then asks again. No pharmacology."""


class Written:
    """One rule of ``Knowledge.written``. A part is an ingredient where there is one alert a medicine, else the whole."""

    def __init__(self, rule: WrittenRule, here: Here) -> None:
        self.written = rule
        self.id, self.version, self.family, self.title = rule.id, rule.version, rule.family, rule.title
        self.data = (rule.file,)
        self._here = here
        self._members = frozenset(rule.trigger.members)
        self._own_reads: Reads | None = None

    def reads(self, knowledge: Knowledge) -> Reads:
        rule = self.written
        steps = (each for step in rule.steps for each in (*step.when, *step.unless))
        asks = read_by((*rule.when, *rule.unless, *steps), knowledge)
        wanted = {name: _WANTED for names in (rule.missing.results if rule.missing else ()) for name in names}
        if rule.trigger.begins == "result":
            wanted[rule.trigger.name] = _WANTED
        person = {"condition": ("history",), "admission": ("stay",), "discharge": ("stay",)}
        own = Reads(
            ingredients=self._members,
            analytes=wanted,
            person=person.get(rule.trigger.begins, ()),
            doses="dose" in rule.trigger.by and bool(self._members),
        )
        self._own_reads = reads_of(own, asks)
        return self._own_reads

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(self.written.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The medicines that changed, and all of the rule's that are here when anything else did that it reads."""
        if not self._members:
            return (WHOLE,)
        touched = self._members & change.ingredients
        here = self._here.of(self.id, state, knowledge)
        if self.written.one_per == "patient":
            return (WHOLE,) if touched or here else ()
        return touched | here if self._else_changed(change, knowledge) else touched

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """What is missing and not due yet, and what will hold when time has passed, is an obligation until then."""
        rule = self.written
        of = about(rule, state, knowledge, part)
        if of is None:
            end = ends_by_itself(rule, state, knowledge, part)
            if end is not None:
                yield Obligation("review", part, end, rule.id, end, part)
            return
        held = asked(rule, _situation(of, state, knowledge))
        if isinstance(held, Not):
            if held.until is not None and _reached(held.until, of) and held.until - state.clock < _FAR:
                yield Obligation("review", of.subject, held.until, rule.id, of.starts, part)
            return
        if rule.missing is None:
            yield self._finding(of, held, (), state)
            return
        wanted = list(dues(rule.missing, of.began, state))
        late = [each for each in wanted if later(each.at, rule.grace) <= state.clock]
        coming = [each for each in wanted if later(each.at, rule.grace) > state.clock]
        if late:
            yield self._finding(of, held, late, state, earliest(later(each.at, rule.grace) for each in coming))
            return
        for each in coming:
            due = later(each.at, rule.grace)
            if _reached(due, of):
                yield Obligation("result", each.names[0], due, rule.id, each.since, part)

    def _else_changed(self, change: Change, knowledge: Knowledge) -> bool:
        reads = self._own_reads or self.reads(knowledge)
        if change.person or not change.analytes.isdisjoint(reads.analytes):
            return True
        others = change.ordered - self._members
        return bool(others) and (reads.ingredients is None or not others.isdisjoint(reads.ingredients))

    def _finding(
        self, of: About, held: Held, late: Sequence[Due], state: PatientState, next_due: datetime | None = None
    ) -> Finding:
        rule, step = self.written, held.step
        texts = Texts(of, held.answers, late, state)
        since = _since(of, held.answers, late, state)
        actions = (*(step.actions if step is not None else ()), *rule.actions)
        opens = None if rule.missing is not None or not rule.grace else later(since, rule.grace)
        last = tuple(implicate_result(each.last) for each in late if each.last is not None)
        return Finding(
            subject=of.subject,
            severity=held.severity,
            summary=texts.summary(rule.summary),
            detail=" ".join(_detail(rule, held, late, texts, state)),
            actions=tuple(dict.fromkeys(texts.filled(each) for each in actions)),
            patient_explanation=texts.filled(rule.patient),
            evidence_grade=rule.evidence_grade,
            implicated=tuple(dict.fromkeys((*of.facts, *(f for each in held.answers for f in each.facts), *last))),
            citations=rule.citations,
            since=since,
            origins=of.origins,
            until=earliest((of.changes, held.until, next_due)),
            conditions=(*said((*held.answers, *held.open_)), *map(missing_said, late)),
            rows=(rule.row,),
            medicines=of.ingredients,
            problem=rule.problem,
            opens=opens,
            held=rule.held,
        )


class Here:
    """Which members of written rules act in a patient, found once for all of them as long as the same orders act."""

    def __init__(self, rules: Iterable[WrittenRule]) -> None:
        self._rules = {rule.id: rule for rule in rules if rule.trigger.members}
        self._by_member: dict[str, list[str]] = {}
        for rule in self._rules.values():
            for name in rule.trigger.members:
                self._by_member.setdefault(name, []).append(rule.id)

    def of(self, rule: str, state: PatientState, knowledge: Knowledge) -> frozenset[str]:
        """The members of a rule that act or will, and those given where doses count; of a rule about the end of an order, those
        that were ordered."""
        trigger = self._rules[rule].trigger
        if trigger.begins == "order_end":
            return ordered_ever(state, knowledge) & trigger.members.keys()
        if "dose" in trigger.by:
            return frozenset(members_here(trigger, state, knowledge))
        view = view_of(state, knowledge)
        found = view.made_of_acting((Here, id(self)), lambda: self._acting(view.by_ingredient))
        return found.get(rule, frozenset())

    def _acting(self, ingredients: Iterable[str]) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for name in ingredients:
            for rule in self._by_member.get(name, ()):
                found.setdefault(rule, set()).add(name)
        return {rule: frozenset(names) for rule, names in found.items()}


def _situation(of: About, state: PatientState, knowledge: Knowledge) -> Situation:
    ingredient = of.ingredients[0] if of.ingredients else ""
    return Situation(
        state=state, knowledge=knowledge, orders=of.orders, objects=of.orders, ingredient=ingredient, began=of.began
    )


def _reached(time: datetime, of: About) -> bool:
    """Whether it is still about anything then, by what is known now: what renews it is a change that is seen."""
    return of.until is None or time < of.until


def _since(of: About, found: Sequence[Answer], late: Sequence[Due], state: PatientState) -> datetime:
    """From when all of it has been true, as far as that is known: of a missing result since it was due."""
    if late:
        return max(of.starts, min(each.at for each in late))
    times = [of.starts]
    for each in found:
        match each.condition.kind:
            case "acting" if each.condition.op == ">=":
                times.append(later(of.began, timedelta(days=each.condition.value)))
            case "result" | "course" | "own" | "resistant":
                times += [fact.at for fact in each.facts]
            case "no_result" | "old_result" if each.facts and each.condition.within is not None:
                times.append(later(each.facts[-1].at, each.condition.within))
    return max(times)


def _detail(rule: WrittenRule, held: Held, late: Sequence[Due], texts: Texts, state: PatientState) -> Iterator[str]:
    yield texts.filled(rule.detail)
    if held.step is not None and held.step.detail:
        yield texts.filled(held.step.detail)
    for each in late:
        yield missing_in_words(each, state)
    unknown = list(dict.fromkeys(each.condition.text for each in held.open_))
    if unknown:
        yield f"Not known: {', '.join(unknown)}."
