"""Reads written rules (``rules/*.toml``, and a site's own): all that is wrong with a file is told at once, with its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple, get_args

from msgspec import Struct

from knowledge.conditions import Condition, Conditions, Names, nearest, parsed
from knowledge.model import plain_name
from knowledge.property import Member
from knowledge.reading.sources import Sources
from knowledge.reading.tables import KnowledgeError
from knowledge.reading.toml import Fault, RulesError, Toml
from knowledge.reading.toml import Path as Place
from knowledge.reading.toml_table import made
from knowledge.reading.written_texts import check_texts
from knowledge.statement import Status
from knowledge.written import ActsBy, Begins, Case, Missing, OnePer, Trigger, WrittenRule, WrittenStep
from schemas.values import Citation, Severity

_SPAN = re.compile(r"(\d+) (h|d)")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class TriggerTable(Struct, frozen=True, kw_only=True):
    ingredients: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    by: tuple[ActsBy, ...] = ("order", "supply")
    any_route: bool = False
    gap: str = ""
    result: str = ""
    history: str = ""
    event: str = ""
    within: str = ""


class StepTable(Struct, frozen=True, kw_only=True):
    severity: Severity
    when: tuple[str, ...]
    unless: tuple[str, ...] = ()
    detail: str = ""
    actions: tuple[str, ...] = ()


class MissingTable(Struct, frozen=True, kw_only=True):
    results: tuple[str, ...]
    before_start: str = ""
    first_within: str = ""
    at_first_every: str = ""
    at_first_for: str = ""
    then_every: str = ""


class CanaryTable(Struct, frozen=True, kw_only=True):
    fires: Case
    silent: Case


class RuleTable(Struct, frozen=True, kw_only=True):
    """One ``[[rule]]`` as it is written."""

    id: str
    version: str
    family: str
    title: str
    trigger: TriggerTable
    one_per: OnePer = "medicine"
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    severity: Severity | None = None
    steps: tuple[StepTable, ...] = ()
    missing: MissingTable | None = None
    grace: str = ""
    held: str = ""
    problem: str = ""
    summary: str
    detail: str
    actions: tuple[str, ...]
    patient: str
    evidence_grade: str
    status: Status
    author: str
    sources: tuple[str, ...]
    canary: CanaryTable


class Lexicon(NamedTuple):
    """What a rule may speak of. ``ids`` are those of rules that there are already."""

    names: Names
    members: Mapping[str, Mapping[str, Member]]
    sources: Sources
    ids: Collection[str] = ()


def read_written(root: Traversable, lexicon: Lexicon) -> tuple[WrittenRule, ...]:
    """The rules that are shipped, by file. Raises ``RulesError`` with all faults of all files."""
    folder = root.joinpath("rules")
    files = sorted(folder.iterdir(), key=lambda each: each.name) if folder.is_dir() else []
    named = {f"rules/{each.name}": each.read_text("utf-8") for each in files if each.name.endswith(".toml")}
    return _read_all(named, lexicon, own=False)


def read_site_rules(path: Path, lexicon: Lexicon) -> tuple[WrittenRule, ...]:
    """A site's own rules: a file, or all files ``*.toml`` of a folder. Raises ``RulesError`` with all faults of all files,
    ``KnowledgeError`` where there is nothing to read."""
    files = rule_files(path)
    if not files:
        raise KnowledgeError(
            str(path), 0, "", "there is no *.toml in it; the setting site_rules names a file or a folder"
        )
    named: dict[str, str] = {}
    for file in files:
        try:
            named[str(file)] = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KnowledgeError(str(file), 0, "", f"cannot be read as UTF-8 text ({error})") from error
    return _read_all(named, lexicon, own=True)


def rule_files(path: Path) -> list[Path]:
    """The files of rules that ``path`` is or has."""
    return sorted(path.glob("*.toml")) if path.is_dir() else [path]


def _read_all(named: Mapping[str, str], lexicon: Lexicon, *, own: bool) -> tuple[WrittenRule, ...]:
    found: list[WrittenRule] = []
    faults: list[Fault] = []
    for file, text in named.items():
        known = lexicon._replace(ids={*lexicon.ids, *(rule.id for rule in found)})
        try:
            found += read_rules(file, text, known, own=own)
        except RulesError as error:
            faults += error.faults
    if faults:
        raise RulesError(faults)
    return tuple(found)


def read_rules(file: str, text: str, lexicon: Lexicon, *, own: bool = False) -> tuple[WrittenRule, ...]:
    """The rules of one file. ``own``: a site's, whose source may be its policy, in its own words. Raises ``RulesError``."""
    toml = Toml(file, text)
    faults = [
        toml.fault((key,), f"there is no key {key!r} here; a file has [[rule]] and nothing else")
        for key in toml.said.keys() - {"rule"}
    ]
    tables = toml.said.get("rule", [])
    if not isinstance(tables, list) or not tables:
        raise RulesError(faults or [Fault(file, 1, 1, "there is no rule in it: begin one with [[rule]]")])
    rules: list[WrittenRule] = []
    taken = set(lexicon.ids)
    for place, table in enumerate(tables):
        at: Place = ("rule", place)
        row = made(RuleTable, table, at, toml, faults)
        if row is None:
            continue
        if row.id in taken:
            faults.append(toml.fault((*at, "id"), f"there is already a rule {row.id!r}; ids are used once"))
        taken.add(row.id)
        rule = _Reading(toml, at, lexicon, faults, own=own).rule(row)
        rules.append(rule)
    if faults:
        raise RulesError(sorted(set(faults)))
    return tuple(rules)


class _Reading:
    """One rule; what is wrong with it is added to ``faults``."""

    def __init__(self, toml: Toml, at: Place, lexicon: Lexicon, faults: list[Fault], *, own: bool) -> None:
        self.toml, self.at, self.lexicon, self.faults, self.own = toml, at, lexicon, faults, own

    def rule(self, row: RuleTable) -> WrittenRule:
        if not _ID.fullmatch(row.id):
            self._fault(("id",), f"{row.id!r}: an id is small letters, digits and single hyphens")
        if row.severity is None and not row.steps:
            self._fault(("id",), "say how grave it is: severity, or [[rule.steps]]")
        trigger = self._trigger(row.trigger)
        if row.missing is not None and trigger.begins != "medicine":
            self._fault(("missing",), "what is missing is asked while a medicine acts: the trigger is to be one")
        if not row.actions:
            self._fault(("actions",), "say what to do, the most urgent first")
        rule = WrittenRule(
            file=self.toml.file,
            id=row.id,
            version=row.version,
            family=row.family,
            title=row.title,
            trigger=trigger,
            one_per=row.one_per,
            when=self._conditions(("when",), row.when),
            unless=self._conditions(("unless",), row.unless),
            severity=row.severity,
            steps=tuple(self._step(("steps", place), each) for place, each in enumerate(row.steps)),
            missing=None if row.missing is None else self._missing(row.missing),
            grace=self._span(("grace",), row.grace) or timedelta(0),
            held=row.held,
            problem=row.problem,
            summary=row.summary,
            detail=row.detail,
            actions=row.actions,
            patient=row.patient,
            evidence_grade=row.evidence_grade,
            status=row.status,
            author=row.author,
            citations=self._citations(row.sources, row.status),
            fires=row.canary.fires,
            silent=row.canary.silent,
        )
        for path, cell, problem in check_texts(rule, self.lexicon.names):
            self._fault(path, problem, cell)
        self._check_canary(rule)
        return rule

    def _fault(self, path: Place, problem: str, cell: str = "") -> None:
        self.faults.append(self.toml.fault((*self.at, *path), problem, cell))

    def _trigger(self, table: TriggerTable) -> Trigger:
        names, at = self.lexicon.names, "trigger"
        members: dict[str, bool] = {}
        for each in table.ingredients:
            if each in names.ingredients:
                members[each] = table.any_route
            else:
                known = plain_name(each)
                hint = f"it is written {known!r}" if known in names.ingredients else nearest(known, names.ingredients)
                self._fault((at, "ingredients"), f"{each!r} is no ingredient that is known; {hint}", each)
        for each in table.properties:
            if each not in names.properties:
                problem = f"{each!r} is no property of a medicine; {nearest(each, names.properties)}"
                self._fault((at, "properties"), problem, each)
            for name, member in self.lexicon.members.get(each, {}).items():
                members[name] = members.get(name, False) or table.any_route or member.applies == "any"
        begins = self._begins(table)
        for key, said, of in (("result", table.result, names.analytes), ("history", table.history, names.groups)):
            if said and said not in of:
                self._fault((at, key), f"{said!r} is not known; {nearest(said, of)}", said)
        within = self._span((at, "within"), table.within)
        return Trigger(
            begins=begins,
            members=dict(sorted(members.items())),
            by=frozenset(table.by),
            gap=self._span((at, "gap"), table.gap) or timedelta(0),
            name=table.result or table.history,
            within=within or timedelta(days=1),
        )

    def _begins(self, table: TriggerTable) -> Begins:
        medicine = bool(table.ingredients or table.properties)
        if table.event and table.event not in ("order_end", "admission", "discharge"):
            known = ("order_end", "admission", "discharge")
            self._fault(("trigger", "event"), f"{table.event!r} is not known; {nearest(table.event, known)}")
        if medicine and table.event == "order_end":
            return "order_end"
        named = [bool(medicine), bool(table.result), bool(table.history), bool(table.event)]
        if sum(named) != 1:
            problem = "a rule begins with one of: ingredients and properties, result, history, event (order_end of a medicine)"
            self._fault(("trigger",), problem)
        if table.result:
            return "result"
        if table.history:
            return "condition"
        return table.event if table.event in get_args(Begins) else "medicine"  # type: ignore[return-value]

    def _step(self, at: Place, table: StepTable) -> WrittenStep:
        return WrittenStep(
            severity=table.severity,
            when=self._conditions((*at, "when"), table.when),
            unless=self._conditions((*at, "unless"), table.unless),
            detail=table.detail,
            actions=table.actions,
        )

    def _missing(self, table: MissingTable) -> Missing:
        at = "missing"
        results = tuple(tuple(part.strip() for part in each.split(" or ")) for each in table.results)
        analytes = self.lexicon.names.analytes
        for name in (name for each in results for name in each if name not in analytes):
            self._fault((at, "results"), f"{name!r} is no analyte; {nearest(name, analytes)}", name)
        names = ("before_start", "first_within", "at_first_every", "at_first_for", "then_every")
        spans = {name: self._span((at, name), getattr(table, name)) for name in names}
        if not results or not any(spans.values()):
            self._fault((at,), "say which results, and when they are due: before_start, first_within or then_every")
        if (spans["at_first_every"] is None) != (spans["at_first_for"] is None):
            self._fault((at,), "at_first_every goes with at_first_for: how often, and for how long")
        return Missing(results=results, **spans)

    def _conditions(self, at: Place, cells: Sequence[str]) -> Conditions:
        found: list[Condition] = []
        for cell in cells:
            try:
                found += parsed([cell], self.lexicon.names)
            except ValueError as error:
                self._fault(at, str(error), cell)
        return tuple(found)

    def _span(self, at: Place, text: str) -> timedelta | None:
        if not text:
            return None
        found = _SPAN.fullmatch(text)
        if found is None:
            self._fault(at, f"{text!r} is no length of time; it is to be like '72 h' or '90 d'")
            return None
        return timedelta(hours=int(found[1])) if found[2] == "h" else timedelta(days=int(found[1]))

    def _citations(self, cells: Sequence[str], status: Status) -> tuple[Citation, ...]:
        if not cells:
            self._fault(("sources",), "names no source" + ("; a policy of yours is one" if self.own else ""))
        found: list[Citation] = []
        for cell in cells:
            known = self.lexicon.sources.known(cell)
            if known is None and not self.own:
                near = nearest(cell, self.lexicon.sources.ids)
                self._fault(("sources",), f"{cell!r} is not in sources.csv; {near}", cell)
            found.append(known or Citation(id="site", text=cell, status=status))
        return tuple(found)

    def _check_canary(self, rule: WrittenRule) -> None:
        fires, silent = rule.fires, rule.silent
        for name, case in (("fires", fires), ("silent", silent)):
            if not case.what or not case.events:
                self._fault(("canary", name), "a case has a sentence (what) and at least one event")
        if fires.severity is None:
            self._fault(("canary", "fires"), "say how grave the alert is that must be there: severity")
        if silent.severity is not None or silent.subject:
            self._fault(("canary", "silent"), "nothing is to be found in it: no severity and no subject")
        if not fires.subject and not subject_of(rule) and rule.trigger.members:
            problem = "the trigger has several medicines: say about which the alert is: subject"
            self._fault(("canary", "fires"), problem)


def subject_of(rule: WrittenRule) -> str:
    """What an alert of the rule is about, where it does not depend on the medicine; empty where it does."""
    trigger = rule.trigger
    if trigger.begins in ("result", "condition"):
        return trigger.name
    if trigger.begins in ("admission", "discharge"):
        return trigger.begins
    if rule.one_per == "patient":
        return rule.id
    return next(iter(trigger.members)) if len(trigger.members) == 1 else ""
