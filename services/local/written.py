"""`rxvigil rules check` and `rxvigil rules try`: rules that a site writes, before they are in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from rich.console import Console
from rich.padding import Padding
from rich.progress import track
from rich.table import Table
from rich.text import Text

from knowledge.loader import load
from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.values import SEVERITIES, Severity
from services.ingest.formats.extract.mapping import Mapping
from services.ingest.pipeline import Pipeline
from services.local import canaries
from services.local.burden import reached
from services.local.check import feed
from services.local.knowledge_rows import SHIPPED
from services.local.play import alerts_of, by_patient, engine, fixed, last_states, play
from services.local.report import Tally, counts
from services.monitor.evaluate import ask_only
from services.monitor.rules.rule import Rule
from services.monitor.rules.written import Written, written_rules
from services.runtime.clock import system_clock

EXAMPLES = 5
"""Alerts of each rule that are shown to be read."""


class Checked(NamedTuple):
    """A rule, and what of its canary does not hold."""

    rule: Written
    faults: tuple[str, ...]


class OfRule(Struct, frozen=True, kw_only=True):
    """What one rule would have raised: alerts at the gravest severity that each reached, how many patients had any, how many
    alerts that is for 100 patients, and some to read."""

    rule: str
    title: str
    reached: dict[Severity, int]
    patients: int
    per_100_patients: float
    examples: tuple[Alert, ...]


class Tried(Struct, frozen=True, kw_only=True):
    """``patients`` are all of the files, ``refused`` what ingest could not read, by reason."""

    knowledge: str
    patients: int
    refused: dict[str, int]
    rules: tuple[OfRule, ...]


def rules_in(path: Path, site: str) -> tuple[Knowledge, list[Written]]:
    """The knowledge with the rules of ``path``, a file or a folder, and these rules. Raises ``KnowledgeError``."""
    shipped = (SHIPPED / "rules").resolve()
    whole = path.resolve()
    if whole == shipped or whole.parent == shipped:
        known = load(site)
        files = {"rules/" + whole.name} if whole != shipped else {rule.file for rule in known.written}
    else:
        known = load(site, str(path))
        files = {rule.file for rule in known.written if not rule.file.startswith("rules/")}
    return known, [each for each in written_rules(known) if isinstance(each, Written) and each.written.file in files]


def checked(path: Path, site: str) -> list[Checked]:
    """Every rule of ``path`` with its canary played. Raises ``KnowledgeError`` where the files cannot be used."""
    known, found = rules_in(path, site)
    return [Checked(rule, tuple(canaries.faults_of(rule, known))) for rule in found]


def write_checked(console: Console, found: Iterable[Checked]) -> None:
    """A line for each rule, and what does not hold of its canary."""
    for rule, faults in found:
        line = Text("FAILS  ", "bold red") if faults else Text("holds  ", "green")
        line.append(rule.id, "bold").append(f"  version {rule.version}, {rule.family}: {rule.title}")
        console.print(line, soft_wrap=True)
        for fault in faults:
            console.print(Padding(Text(fault, "red"), (0, 0, 0, 7)))


def tried(path: Path, paths: Sequence[Path], mapping: Mapping | None, site: str, progress: Console) -> Tried:
    """Plays recorded data through ingest and a monitor that has only the rules of ``path``. Raises ``KnowledgeError``,
    ``FeedError`` and ``MappingError``."""
    known, rules = rules_in(path, site)
    tally = Tally()
    units = feed(paths, mapping, progress, tally.unjoined)
    events = by_patient(units, Pipeline(known, fixed(system_clock())), tally, lambda letter: None)
    with ask_only(rules, known):
        monitor = engine(known)
        alerts: list[Alert] = []
        quiet = not progress.is_terminal
        for each in track(list(events), "trying", console=progress, transient=True, disable=quiet):
            alerts += last_states(alerts_of(play(events[each], monitor)))
    return Tried(
        knowledge=known.version,
        patients=len(events),
        refused=dict(tally.refused),
        rules=tuple(_of_rule(rule, alerts, len(events)) for rule in rules),
    )


def _of_rule(rule: Rule, alerts: Iterable[Alert], patients: int) -> OfRule:
    own = [alert for alert in alerts if alert.rule == rule.id]
    gravest = Counter(map(reached, own))
    own.sort(key=lambda alert: SEVERITIES.index(reached(alert)))
    return OfRule(
        rule=rule.id,
        title=rule.title,
        reached={severity: gravest[severity] for severity in SEVERITIES},
        patients=len({alert.patient_id for alert in own}),
        per_100_patients=round(100 * len(own) / patients, 2) if patients else 0.0,
        examples=_spread(own),
    )


def _spread(own: Sequence[Alert]) -> tuple[Alert, ...]:
    """As many as are shown, of different patients first."""
    first = {alert.patient_id: alert for alert in reversed(own)}
    of_others = list(dict.fromkeys(alert.alert_id for alert in (*reversed(list(first.values())), *own)))
    by_id = {alert.alert_id: alert for alert in own}
    return tuple(by_id[each] for each in of_others[:EXAMPLES])


def write_tried(console: Console, found: Tried) -> None:
    """How often, as a table, and the examples under it."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", overflow="fold")
    for title in (*SEVERITIES, "patients", "per 100"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in found.rules:
        said = [f"{count:,}" if count else "" for count in each.reached.values()]
        table.add_row(each.rule, *said, f"{each.patients:,}", f"{each.per_100_patients:g}")
    console.print(table)
    console.print(
        f"{found.patients:,} patients; an alert counts at the gravest severity that it reached; per 100: of patients."
    )
    if found.refused:
        console.print(Text(f"refused of these files: {counts(Counter(found.refused))}; `rxvigil check` lists them"))
    for each in found.rules:
        for alert in each.examples:
            _write_example(console, alert)


def _write_example(console: Console, alert: Alert) -> None:
    console.print()
    console.print(Text.assemble((f"{alert.severity}, {alert.status}: ", "bold"), alert.summary), soft_wrap=True)
    said = f"{alert.rule}; patient {alert.patient_id}; true since {alert.true_since:%Y-%m-%d %H:%M} UTC"
    console.print(Padding(Text(said, "dim"), (0, 0, 0, 2)))
    console.print(Padding(Text(alert.detail), (0, 0, 0, 2)))
    for fact in alert.implicated:
        value = f" {fact.received}" if fact.received else ""
        console.print(Padding(Text(f"{fact.at:%Y-%m-%d %H:%M}  {fact.label}{value}", "dim"), (0, 0, 0, 2)))
