"""What a feed came to, for people: the counts and the alerts as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC

from rich.table import Table
from rich.text import Text

from schemas.alerts import Alert
from schemas.events import Administration, Dispensing, Event, LabResult, Prescription
from services.ingest.metrics import resolution_of
from services.ingest.pipeline import Taken
from services.monitor.rules.failure import place_of

MOST_FREQUENT = 10


class Tally:
    """``read`` = events + refused + ignored, always.

    ``refused_here`` are those of ``refused`` that never reach ingest (rows of an extract, judged by `send`); ``failed`` are
    events that the monitor could not take, ``rule_errors`` what rules raised, by rule and place; ``unjoined`` are rows that a
    joined file has no row for. All by reason or kind.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()
        self.refused_here: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.rule_errors: Counter[str] = Counter()
        self.drugs: Counter[str] = Counter()
        self.unresolved: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()
        self.unusable: Counter[str] = Counter()
        self.unjoined: Counter[str] = Counter()

    @property
    def read(self) -> int:
        return self.events.total() + self.refused.total() + self.ignored.total()

    def add(self, taken: Taken) -> None:
        for event in taken.events:
            self._add_event(event)
        self.refused.update(letter.reason for letter in taken.refused)
        self.ignored.update(taken.ignored)

    def add_rule_error(self, rule: str, error: Exception) -> None:
        """A rule raised; its text may hold facts of a patient and is left out."""
        self.rule_errors[f"{rule} ({type(error).__name__} at {place_of(error)})"] += 1

    def _add_event(self, event: Event) -> None:
        self.events[str(event.__struct_config__.tag)] += 1
        resolution = resolution_of(event)
        if resolution is not None:
            self.drugs[resolution] += 1
        if resolution == "unresolved" and isinstance(event, Prescription | Dispensing | Administration):
            drug = event.drug
            coded = next((f"{c.system} {c.code} {c.display}".strip() for c in drug.codings), "")
            named = " + ".join(ingredient.name for ingredient in drug.ingredients)
            self.unresolved[drug.text or coded or named or "no name"] += 1
        if isinstance(event, LabResult) and event.remark:
            self.remarks[event.remark] += 1
            self.unusable[_unusable(event)] += 1


def _unusable(result: LabResult) -> str:
    """What a result that rules cannot use was, without its value."""
    if not result.analyte:
        # the LOINC code, if there is one, is what would have to be listed
        coding = next((c for c in result.codings if "loinc" in c.system.lower()), result.codings[0])
        return f"{coding.system} {coding.code} {coding.display}".strip()
    return f"{result.analyte}, {result.unit or 'no unit'}: {result.remark}"


def summary(tally: Tally, alerts: Counter[str] | None = None) -> Table:
    """The summary as a table of two columns; ``alerts`` counts by what stands before it."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("read", f"{tally.read:,}")
    for name, counted in (("events", tally.events), ("refused", tally.refused), ("ignored", tally.ignored)):
        table.add_row(name, Text(counts(counted)))
    if tally.unjoined:
        table.add_row("not joined", Text(counts(tally.unjoined)))
    if tally.drugs:
        table.add_row("medicines", counts(tally.drugs))
    if tally.failed:
        table.add_row("failed", counts(tally.failed))
    if tally.rule_errors:
        table.add_row("rules failed", Text(counts(tally.rule_errors)))
    if alerts is not None:
        table.add_row("alerts", counts(alerts))
    if tally.unresolved:
        table.add_row("unresolved", _most_frequent(tally.unresolved))
    if tally.remarks:
        table.add_row("unusable results", counts(tally.remarks))
        table.add_row("most frequent", _most_frequent(tally.unusable))
    return table


def _most_frequent(counted: Counter[str]) -> Text:
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_FREQUENT]
    # names come as received: brackets in them are no markup
    return Text("; ".join(f"{name} ({count:,})" for name, count in most))


def counts(counted: Counter[str]) -> str:
    """A sum and its parts, the most frequent first."""
    if not counted:
        return "0"
    parts = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return f"{counted.total():,}: {', '.join(f'{name} {count:,}' for name, count in parts)}"


def alert_table(alerts: Iterable[Alert]) -> Table:
    """Alerts, one a row."""
    table = Table("severity", "status", "patient", "since", "what", box=None, pad_edge=False)
    for alert in alerts:
        table.add_row(*map(Text, alert_row(alert)), style=STYLES[alert.severity] if alert.status == "open" else "dim")
    return table


STYLES = {"critical": "bold red", "high": "yellow", "moderate": "cyan", "info": ""}


def alert_row(alert: Alert) -> tuple[str, str, str, str, str]:
    """Severity, what it came to, patient, since when, summary."""
    since = f"{alert.true_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return alert.severity, alert.status, alert.patient_id, since, alert.summary
