"""What there is to say of a rule: what it is, what it reads, which data and sources it stands on, and its canary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from knowledge.model import Knowledge
from schemas.values import Citation
from services.local import canaries
from services.local.knowledge_rows import SHIPPED, SOURCES, Rows, is_verified, read_all
from services.monitor.patient.bounds import Need
from services.monitor.rules import RULES, Rule
from services.monitor.rules.canary import Canary, CanaryError
from services.monitor.rules.outside_interaction import outside_rules
from services.monitor.rules.written import written_rules

_ANALYTES_SHOWN = 8


class DataFile(NamedTuple):
    """A file of the knowledge that the rule reads: the rows that are for it, and how many of them are not verified."""

    file: str
    rows: int
    unverified: int


class Sheet(NamedTuple):
    """``faults`` is what of the canary does not hold now; ``canary`` None: it has none that can be read."""

    rule: Rule
    data: tuple[DataFile, ...]
    citations: tuple[Citation, ...]
    canary: Canary | None
    faults: tuple[str, ...]

    @property
    def unverified(self) -> int:
        return sum(each.unverified for each in self.data)

    @property
    def holds(self) -> bool:
        return not self.faults


def sheets(knowledge: Knowledge) -> Iterator[Sheet]:
    """One of each rule, in their order; its canary is played."""
    rows = read_all(SHIPPED)
    for rule in (*RULES, *written_rules(knowledge), *outside_rules(knowledge)):
        yield _sheet(rule, knowledge, rows)


def sheet(rule: Rule, knowledge: Knowledge) -> Sheet:
    """That of one rule; its canary is played."""
    return _sheet(rule, knowledge, read_all(SHIPPED))


def _sheet(rule: Rule, knowledge: Knowledge, rows: dict[str, Rows]) -> Sheet:
    canary: Canary | None = None
    with suppress(CanaryError):
        canary = canaries.of(rule, knowledge)
    faults = canaries.faults_of(rule, knowledge)
    citations = sorted(rule.citations(knowledge), key=lambda each: each.id)
    data = tuple(_data_file(file, rule.id, rows) for file in rule.data)
    return Sheet(rule, data, tuple(citations), canary, tuple(faults))


def _data_file(file: str, rule: str, rows: dict[str, Rows]) -> DataFile:
    """Of a file with a column ``rule`` the rows that name this rule; where none does, those that name no other."""
    status = {row["id"]: row["status"] for row in rows[SOURCES]}
    found, others = rows.get(file, []), {each.id for each in RULES} - {rule}
    own = [row for row in found if row.get("rule") == rule]
    of_rule = own or [row for row in found if row.get("rule") not in others]
    return DataFile(file, len(of_rule), sum(not is_verified(row, status) for row in of_rule))


def alike(asked: str, knowledge: Knowledge) -> list[str]:
    """The ids of rules that may have been meant."""
    known = [rule.id for rule in (*RULES, *written_rules(knowledge), *outside_rules(knowledge))]
    within = [each for each in known if asked.lower() in each]
    return within or get_close_matches(asked.lower(), known, n=3, cutoff=0.4)


def as_object(each: Sheet, knowledge: Knowledge) -> dict[str, object]:
    """For machines."""
    reads, canary = each.rule.reads(knowledge), each.canary
    return {
        "rule": each.rule.id,
        "version": each.rule.version,
        "family": each.rule.family,
        "title": each.rule.title,
        "reads": {
            "ingredients": None if reads.ingredients is None else sorted(reads.ingredients),
            "analytes": {name: _need(need) for name, need in sorted(reads.analytes.items())},
            "person": reads.person,
        },
        "data": [file._asdict() for file in each.data],
        "citations": each.citations,
        "canary": None if canary is None else {"fires": canary.fires.what, "silent": canary.silent.what},
        "holds": each.holds,
        "faults": each.faults,
    }


def write_list(console: Console, found: list[Sheet]) -> None:
    """All rules, each in a few lines: whether its canary holds, what it stands on, and what the canary shows."""
    for each in found:
        rule, rows = each.rule, sum(file.rows for file in each.data)
        line = Text("holds  ", "green") if each.holds else Text("FAILS  ", "bold red")
        line.append(rule.id, "bold").append(f"  version {rule.version}, {rule.family}: {rule.title}")
        console.print(line, soft_wrap=True)
        stands_on = f"{len(each.citations):,} sources, {each.unverified:,} of {rows:,} rows unverified"
        console.print(Padding(Text(stands_on, "dim"), (0, 0, 0, 7)))
        for fault in each.faults:
            console.print(Padding(Text(fault, "red"), (0, 0, 0, 7)))
        if each.holds and each.canary is not None:
            console.print(Padding(Text(each.canary.fires.what), (0, 0, 0, 7)))


def write(console: Console, each: Sheet, knowledge: Knowledge) -> None:
    """Everything of one rule, for people."""
    rule, reads = each.rule, each.rule.reads(knowledge)
    console.print(Text.assemble((rule.id, "bold reverse"), f"  version {rule.version}, {rule.family}\n{rule.title}"))
    _heading(console, "IS ASKED WHEN ONE OF THESE CHANGES")
    if reads.ingredients is None:
        _line(console, "medicines", "every one")
    elif reads.ingredients:
        _line(console, "medicines", f"{len(reads.ingredients):,} ingredients")
    if reads.analytes:
        _line(console, "results", _analytes(dict(reads.analytes)))
    if reads.person:
        _line(console, "the person", "age, sex, measurements, conditions, allergies, stay")
    _heading(console, "DATA")
    for file in each.data:
        _line(console, str(Path("knowledge") / file.file), f"{file.rows:,} rows, {file.unverified:,} unverified")
    _heading(console, "CANARY")
    if each.canary is not None:
        _line(console, "fires", each.canary.fires.what)
        for alert in each.canary.fires.alerts:
            console.print(Padding(f"{alert.severity}  {alert.subject}", (0, 0, 0, 9)))
        _line(console, "silent", each.canary.silent.what)
    for fault in each.faults:
        _line(console, "does not hold", fault)
    if each.holds:
        console.print(Padding(Text("holds", "green"), (0, 0, 0, 2)))
    _heading(console, "SOURCES")
    for cited in each.citations:
        said = Text.assemble((f"{cited.id} ", "bold"), f"{cited.status}: {cited.text}", (f" {cited.url}", "dim"))
        console.print(Padding(said, (0, 0, 0, 2)))


def _analytes(needs: dict[str, Need]) -> str:
    """With what is kept of each; those that need the same are one."""
    alike: dict[str, list[str]] = {}
    for name, need in sorted(needs.items()):
        alike.setdefault(_need(need), []).append(name)
    return "; ".join(f"{_some(names)} ({need})" for need, names in alike.items())


def _some(names: list[str]) -> str:
    more = len(names) - _ANALYTES_SHOWN
    return ", ".join(names[:_ANALYTES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _need(need: Need) -> str:
    within = f", and those of {_span(need.within)}" if need.within else ""
    return f"the newest {need.newest}{within}"


def _span(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours / 24:g} days" if hours > 48 else f"{hours:g} hours"


def _heading(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}", "bold"))


def _line(console: Console, name: str, text: str) -> None:
    console.print(Padding(Text.assemble((f"{name}: ", "bold"), text), (0, 0, 0, 2)))
