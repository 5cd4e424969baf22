"""`rxvigil replay`: recorded events under another knowledge or other rules, beside what is in force: which alerts would be
gained, lost, or of another severity. What is tried before it goes live.

Alerts of one problem (patient, rule, subject) belong together where they were open at a common time, whatever their ids: another
threshold opens an alert with another event, and so under another id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from knowledge.loader import KnowledgeError, load_from
from knowledge.model import Knowledge
from schemas.alerts import Alert
from schemas.values import SEVERITIES, Severity
from services.ingest.formats.extract import mapping as extract
from services.ingest.pipeline import Pipeline
from services.local.burden import reached
from services.local.check import feed
from services.local.feed import Unit
from services.local.play import alerts_of, by_patient, engine, fixed, last_states, play
from services.local.report import Tally
from services.runtime.clock import system_clock

Kind = Literal["gained", "lost", "moved"]
T = TypeVar("T")

_TREE = "sources.csv", "drugs"
"""What a whole tree of knowledge has, and a site's folder has not."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class Difference(Struct, frozen=True, kw_only=True):
    """An alert that only one side has, or that both have and at another severity: the gravest that it reached on each side, None
    where it is not there. ``summary`` is that of the new side where there is one."""

    kind: Kind
    family: str
    rule: str
    patient_id: str
    subject: str
    true_since: datetime
    before: Severity | None
    after: Severity | None
    summary: str


class Counted(Struct, frozen=True, kw_only=True):
    """How many differences there are of a family and kind at a pair of severities."""

    family: str
    kind: Kind
    before: Severity | None
    after: Severity | None
    alerts: int


class Comparison(Struct, frozen=True, kw_only=True):
    """``in_force`` and ``tried`` are the versions of knowledge and rules; ``same``: alerts that both sides have, at one severity.
    ``refused``: what ingest or the monitor refused on each side."""

    in_force: str
    tried: str
    patients: int
    alerts_in_force: int
    alerts_tried: int
    same: int
    refused_in_force: int
    refused_tried: int
    differences: tuple[Difference, ...]

    @property
    def counted(self) -> list[Counted]:
        """By family, kind and severities; the gravest first."""
        counts = Counter((d.family, d.kind, d.before, d.after) for d in self.differences)
        return [
            Counted(family=family, kind=kind, before=before, after=after, alerts=alerts)
            for (family, kind, before, after), alerts in sorted(
                counts.items(), key=lambda each: (*_gravity(each[0][2], each[0][3]), each[0][0], each[0][1])
            )
        ]


class _Played(NamedTuple):
    alerts: list[Alert]
    patients: int
    refused: int


def other(in_force_site: str, in_force_rules: str, knowledge: Path | None, rules: Path | None) -> Knowledge:
    """The knowledge to try: ``knowledge`` is a whole tree of it, a checkout that has one, or a site's folder, in place of the
    site's folder in force; ``rules`` are a site's rules in place of those in force. What is not named stays as it is.

    Raises ``KnowledgeError``.
    """
    root: Traversable = files("knowledge")
    site = Path(in_force_site) if in_force_site else None
    if knowledge is not None:
        if not knowledge.is_dir():
            raise KnowledgeError(str(knowledge), 0, "", "no such folder; --knowledge names a folder of knowledge")
        inside = knowledge / "knowledge"
        tree = next((each for each in (inside, knowledge) if all((each / name).exists() for name in _TREE)), None)
        root, site = (tree, site) if tree is not None else (root, knowledge)
    chosen = rules or (Path(in_force_rules) if in_force_rules else None)
    return load_from(root, site, chosen)


def replay(
    paths: Sequence[Path], mapping: extract.Mapping | None, in_force: Knowledge, tried: Knowledge, progress: Console
) -> Comparison:
    """Raises ``FeedError`` and ``MappingError`` when the input cannot be used at all."""
    units = list(feed(paths, mapping, progress, Counter()))
    before = _played(units, in_force, "in force", progress)
    after = _played(units, tried, "tried", progress)
    differences, same = compared(before.alerts, after.alerts)
    return Comparison(
        in_force=in_force.version,
        tried=tried.version,
        patients=max(before.patients, after.patients),
        alerts_in_force=len(before.alerts),
        alerts_tried=len(after.alerts),
        same=same,
        refused_in_force=before.refused,
        refused_tried=after.refused,
        differences=tuple(differences),
    )


def compared(before: Iterable[Alert], after: Iterable[Alert]) -> tuple[list[Difference], int]:
    """The differences, gravest first, and how many alerts both sides have at one severity. Each alert counts once."""
    found, same = list[Difference](), 0
    old, new = _by_problem(before), _by_problem(after)
    for problem in old.keys() | new.keys():
        for one, two in _paired(old.get(problem, []), new.get(problem, [])):
            if one is not None and two is not None and reached(one) == reached(two):
                same += 1
            else:
                found.append(_difference(one, two))
    return sorted(
        found, key=lambda d: (*_gravity(d.before, d.after), d.family, d.kind, d.patient_id, d.true_since)
    ), same


def _by_problem(alerts: Iterable[Alert]) -> Mapping[tuple[str, str, str], list[Alert]]:
    found: dict[tuple[str, str, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        found[alert.patient_id, alert.rule, alert.subject].append(alert)
    return found


def _paired(before: Sequence[Alert], after: Sequence[Alert]) -> Iterator[tuple[Alert | None, Alert | None]]:
    """Episodes of one problem that were open at a common time, the same id first, then the earliest with the earliest."""
    left = sorted(after, key=_since)
    for one in sorted(before, key=_since):
        two = next((each for each in left if each.alert_id == one.alert_id), None)
        two = two or next((each for each in left if _since(each) <= _until(one) and _since(one) <= _until(each)), None)
        if two is not None:
            left.remove(two)
        yield one, two
    yield from ((None, each) for each in left)


def _since(alert: Alert) -> datetime:
    return alert.history[0].at if alert.history else alert.true_since


def _until(alert: Alert) -> datetime:
    return _NEVER if alert.status == "open" or not alert.history else alert.history[-1].at


def _difference(before: Alert | None, after: Alert | None) -> Difference:
    alert = after or before
    assert alert is not None
    kind: Kind = "gained" if before is None else "lost" if after is None else "moved"
    return Difference(
        kind=kind,
        family=alert.family,
        rule=alert.rule,
        patient_id=alert.patient_id,
        subject=alert.subject,
        true_since=alert.true_since,
        before=None if before is None else reached(before),
        after=None if after is None else reached(after),
        summary=alert.summary,
    )


def _gravity(before: Severity | None, after: Severity | None) -> tuple[int, int]:
    places = [len(SEVERITIES) if each is None else SEVERITIES.index(each) for each in (after, before)]
    return min(places), sum(places)


def _played(units: Iterable[Unit], knowledge: Knowledge, what: str, progress: Console) -> _Played:
    tally = Tally()
    events = by_patient(units, Pipeline(knowledge, fixed(system_clock())), tally, lambda letter: None)
    monitor = engine(knowledge)
    alerts = [
        alert
        for patient in _shown(sorted(events), what, progress)
        for alert in last_states(alerts_of(play(events[patient], monitor)))
    ]
    return _Played(alerts, len(events), tally.refused.total() + len(monitor.errors))


def _shown(items: Sequence[T], what: str, progress: Console) -> Iterable[T]:
    return track(items, what, console=progress, transient=True, disable=not progress.is_terminal)


def write(console: Console, found: Comparison, *, examples: int, patients: bool) -> None:
    """Counts by family and severity, then up to ``examples`` of each; ids of patients only where they are asked for."""
    console.print(f"in force {found.in_force}: {found.alerts_in_force:,} alerts of {found.patients:,} patients")
    console.print(f"tried    {found.tried}: {found.alerts_tried:,} alerts; {found.same:,} are the same")
    if found.refused_in_force != found.refused_tried:
        console.print(
            f"refused: {found.refused_in_force:,} in force, {found.refused_tried:,} tried; see `rxvigil check`"
        )
    if not found.differences:
        console.print("no alert is gained, lost or moved")
        return
    table = Table("family", "what", "in force", "tried", box=None, pad_edge=False)
    table.add_column("alerts", justify="right")
    for each in found.counted:
        table.add_row(each.family, each.kind, each.before or "", each.after or "", f"{each.alerts:,}")
    console.print(table)
    for each in found.counted:
        same = [d for d in found.differences if (d.family, d.kind, d.before, d.after) == _of(each)]
        if examples:
            console.print(Text(f"\n{each.family}, {each.kind}: {_severities(each)}", "bold"))
        for difference in same[:examples]:
            console.print(Text(f"  {_line(difference, patients)}"), soft_wrap=True)
        if examples and len(same) > examples:
            console.print(f"  and {len(same) - examples:,} more (--examples)")


def _of(each: Counted) -> tuple[str, Kind, Severity | None, Severity | None]:
    return each.family, each.kind, each.before, each.after


def _severities(each: Counted) -> str:
    return " to ".join(severity for severity in (each.before, each.after) if severity is not None)


def _line(difference: Difference, patients: bool) -> str:
    whose = f"{difference.patient_id}, " if patients else ""
    return f"{whose}{difference.true_since:%Y-%m-%d %H:%M}  {difference.rule}: {difference.summary}"


def without_patients(found: Comparison) -> Comparison:
    """The same without what names a patient."""
    return replace(found, differences=tuple(replace(each, patient_id="") for each in found.differences))
