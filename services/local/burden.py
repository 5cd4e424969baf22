"""How many alerts a feed of patients makes: by rule and severity, for each admission and each day of one.

The feed is played through ingest and the whole monitor, as `rxvigil check` does. An alert counts once, whatever number of
revisions it has, at the gravest severity that it reached; a finding that is held back counts when it first is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import get_args

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.events import EncounterRecord, Event
from schemas.values import SEVERITIES, Severity
from services.ingest.formats.extract.mapping import Mapping
from services.ingest.pipeline import Pipeline
from services.local.check import feed
from services.local.play import alerts_of, by_patient, engine, fixed, last_states, play
from services.local.report import Tally
from services.monitor.held import Reason
from services.monitor.patient.known import known_or
from services.monitor.rules import RULES, Rule
from services.monitor.rules.outside_interaction import outside_rules
from services.monitor.rules.written import written_rules
from services.runtime.clock import system_clock

REASONS: tuple[Reason, ...] = get_args(Reason)
_IN_HOSPITAL = ("inpatient", "emergency")


class OfRule(Struct, frozen=True, kw_only=True):
    """Counts of one rule: alerts by the gravest severity that each reached and by the last that it had, findings newly held
    back by reason. A severity or reason without any is there with 0."""

    rule: str
    family: str
    reached: dict[Severity, int]
    last: dict[Severity, int]
    held: dict[Reason, int]


class Burden(Struct, frozen=True, kw_only=True):
    """``rules``: all, in their order. ``days``: of all admissions that ended, from admission to discharge, parts of a day too."""

    knowledge: str
    patients: int
    admissions: int
    days: float
    rules: tuple[OfRule, ...]

    def reached(self, severity: Severity) -> int:
        """Alerts of all rules that reached it and nothing graver."""
        return sum(each.reached[severity] for each in self.rules)


def reached(alert: Alert) -> Severity:
    """The gravest severity that an alert has had."""
    return min((entry.severity for entry in alert.history), key=SEVERITIES.index, default=alert.severity)


def burden(paths: Sequence[Path], mapping: Mapping | None, knowledge: Knowledge, progress: Console) -> Burden:
    """Raises ``FeedError`` and ``MappingError`` when the input cannot be used at all; what ingest refuses is left out."""
    pipeline = Pipeline(knowledge, fixed(system_clock()))
    events = by_patient(feed(paths, mapping, progress, Counter()), pipeline, Tally(), lambda letter: None)
    held: Counter[tuple[str, Reason]] = Counter()
    monitor = engine(knowledge, lambda rule, reason: held.update([(rule, reason)]))
    alerts = [alert for each in events.values() for alert in last_states(alerts_of(play(each, monitor)))]
    stays = list(_stays(event for each in events.values() for event in each))
    return Burden(
        knowledge=knowledge.version,
        patients=len(events),
        admissions=len(stays),
        days=sum(stays, timedelta()) / timedelta(days=1),
        rules=tuple(_of_rules((*RULES, *written_rules(knowledge), *outside_rules(knowledge)), alerts, held)),
    )


def _stays(events: Iterable[Event]) -> Iterable[timedelta]:
    """How long each finished stay in hospital lasted, by the newest version of it."""
    newest = {(event.source, event.record_id): event for event in events if isinstance(event, EncounterRecord)}
    for event in newest.values():
        begun, over = known_or(event.stay.admitted_at, None), known_or(event.stay.discharged_at, None)
        inside = known_or(event.stay.encounter_class, "") in _IN_HOSPITAL and event.status == "finished"
        if inside and begun is not None and over is not None and over > begun:
            yield over - begun


def _of_rules(rules: Iterable[Rule], alerts: Iterable[Alert], held: Counter[tuple[str, Reason]]) -> Iterable[OfRule]:
    gravest: Counter[tuple[str, Severity]] = Counter()
    last: Counter[tuple[str, Severity]] = Counter()
    for alert in alerts:
        gravest[alert.rule, reached(alert)] += 1
        last[alert.rule, alert.severity] += 1
    for rule in rules:
        yield OfRule(
            rule=rule.id,
            family=rule.family,
            reached={severity: gravest[rule.id, severity] for severity in SEVERITIES},
            last={severity: last[rule.id, severity] for severity in SEVERITIES},
            held={reason: held[rule.id, reason] for reason in REASONS},
        )


def write(console: Console, found: Burden) -> None:
    """As a table, with a line for all rules, and one for each admission and each day."""
    table = Table(box=None, pad_edge=False, caption_justify="left")
    table.add_column("rule", no_wrap=True)
    for title in (*SEVERITIES, *REASONS):
        table.add_column(title, justify="right", no_wrap=True)
    for each in found.rules:
        table.add_row(each.rule, *_counts(each.reached.values()), *_counts(each.held.values()))
    total = [found.reached(severity) for severity in SEVERITIES]
    held = [sum(each.held[reason] for each in found.rules) for reason in REASONS]
    table.add_row("all", *_counts([*total, *held]), style="bold")
    for of, by in (
        (f"each of {found.admissions} admissions", found.admissions),
        (f"each of {found.days:.1f} days", found.days),
    ):
        if by:
            table.add_row(of, *(f"{count / by:.2f}" for count in (*total, *held)))
    console.print(table)
    console.print(f"{found.patients} patients; an alert counts at the gravest severity that it reached.")
    console.print(f"{', '.join(REASONS)}: findings held back, by the reason.")


def _counts(counts: Iterable[int]) -> Iterable[str]:
    return (f"{count:,}" if count else "" for count in counts)
