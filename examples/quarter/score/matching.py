"""Which alert is about which case, and what follows: recall by family, precision of what interrupts.

An alert tells of a case when patient, family, one of the words that name the case, and time agree. What interrupts is what
reached critical or high at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from examples.quarter.generate import Case
from schemas.alerts import Alert

SEVERITIES = ("critical", "high", "moderate", "info")
INTERRUPTS = ("critical", "high")
EARLY, LATE = timedelta(hours=12), timedelta(days=3)
"""How long before its day an alert may come (the day of a case is that of its last sign), and how long after its end."""

LABORATORY = (
    "laboratory", "medicine and laboratory", "kidney injury", "liver", "falling counts", "therapeutic drug monitoring",
    "trend", "kidney dose", "joined streams",
)  # fmt: skip
TELLS: dict[str, tuple[str, ...]] = {
    "interaction": ("opioid", "heart"),
    "duplicate": ("interaction",),
    "medicine and value": LABORATORY,
    "kidney dose": ("medicine and laboratory",),
    "dose range": ("opioid",),
    "critical value": LABORATORY,
    "kidney injury": LABORATORY,
    "counts and liver": LABORATORY,
    "QT": ("heart", "interaction"),
    "levels and stops": (*LABORATORY, "given after stop"),
    "opioid": ("interaction",),
    "joined streams": (*LABORATORY, "given after stop", "duplicate"),
    "drug level": LABORATORY,
    "trend": LABORATORY,
    "adherence": ("joined streams", "transfer"),
    "who the patient is": ("dose range", "opportunity"),
    "burden": ("interaction", "kidney injury", "opioid", "who the patient is"),
    "transfer": ("joined streams", "adherence"),
    "opportunity": ("opioid", "who the patient is"),
}
"""Families of alerts that may tell of a case beside the one of the same name, because of one problem the gravest rule speaks."""


@dataclass
class Score:
    """``found``: the problems that an alert tells of; ``interrupting``: those of which one tells that interrupts.

    ``about_none``: the alerts that tell of none, among them all about look-alikes and the unremarkable. ``fooled``: what was said
    of the patient of a look-alike.
    """

    problems: list[Case]
    lookalikes: list[Case]
    found: set[Case] = field(default_factory=set)
    interrupting: set[Case] = field(default_factory=set)
    fooled: dict[Case, list[Alert]] = field(default_factory=dict)
    about_some: list[Alert] = field(default_factory=list)
    about_none: list[Alert] = field(default_factory=list)

    @property
    def missed(self) -> list[Case]:
        return [case for case in self.problems if not case.hidden and case not in self.found]

    def recall(self, family: str = "") -> tuple[int, int]:
        """How many were found of how many that the data can reveal: of a family, or of all."""
        cases = [case for case in self.problems if not case.hidden and family in ("", case.family)]
        return len([case for case in cases if case in self.found]), len(cases)

    def precision(self, severities: Sequence[str] = INTERRUPTS) -> tuple[int, int]:
        """How many are about a problem, of how many alerts that reached one of these severities."""
        right = len([alert for alert in self.about_some if gravest(alert) in severities])
        return right, right + len([alert for alert in self.about_none if gravest(alert) in severities])


def score(problems: Iterable[Case], lookalikes: Iterable[Case], alerts: Iterable[Alert]) -> Score:
    """Every alert beside every case."""
    made = Score(list(problems), list(lookalikes))
    by_patient: dict[str, list[Case]] = defaultdict(list)
    for case in made.problems:
        by_patient[case.patient_id].append(case)
    alike = {case.patient_id: case for case in made.lookalikes}
    for alert in alerts:
        told = [case for case in by_patient[alert.patient_id] if tells(alert, case)]
        made.found.update(told)
        made.interrupting.update(told if gravest(alert) in INTERRUPTS else ())
        (made.about_some if told else made.about_none).append(alert)
        if alert.patient_id in alike:
            made.fooled.setdefault(alike[alert.patient_id], []).append(alert)
    return made


def tells(alert: Alert, case: Case) -> bool:
    """Whether the alert is about the case."""
    if alert.patient_id != case.patient_id or alert.family not in (case.family, *TELLS.get(case.family, ())):
        return False
    begin = datetime.fromisoformat(case.at) - EARLY
    end = datetime.fromisoformat(case.until) + LATE if case.until else datetime.max.replace(tzinfo=UTC)
    if not any(begin <= entry.at <= end for entry in alert.history):
        return False
    words = " ".join((alert.subject, *alert.medicines, alert.summary)).lower()
    return any(word.lower() in words for word in case.about)


def gravest(alert: Alert) -> str:
    """The gravest severity that it reached."""
    return min((alert.severity, *(entry.severity for entry in alert.history)), key=SEVERITIES.index)
