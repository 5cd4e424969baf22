"""What a rule is and what it finds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from knowledge.model import Knowledge
from schemas.alerts import Alert, Implicated
from schemas.values import Citation, Origin, Severity
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState

WHOLE = ""
"""The part of a rule whose findings hang together and are found at once."""


class Finding(Struct, frozen=True, kw_only=True):
    """A problem that the state makes true now.

    ``subject`` names it at the level at which it is one problem: as long as a rule gives the same subject for a patient it
    is the same episode. ``rank`` orders findings of one severity and grows as the problem gets worse. ``since`` is the
    clinical time from which it is true. ``origins`` are the records behind ``implicated``.
    """

    subject: str
    severity: Severity
    summary: str
    detail: str
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    implicated: tuple[Implicated, ...]
    citations: tuple[Citation, ...]
    since: datetime
    rank: float = 0.0
    origins: tuple[Origin, ...] = ()


class Rule(Protocol):
    """A rule family: a pure function of state and knowledge. ``now`` is the state's clock.

    ``id`` never changes once published; ``version`` changes when the logic does (what the data say is the knowledge's
    version).
    """

    id: str
    version: str
    family: str

    def needs(self, analyte: str, knowledge: Knowledge) -> Need | None:
        """What the rule reads of an analyte, and so what is kept of it; None when it reads nothing."""
        ...

    def touched(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The parts in which ``change`` can make a finding true or false: an event costs what it touches."""
        ...

    def part_of(self, subject: str) -> str:
        """The part that a subject belongs to."""
        ...

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding]:
        """Every finding of a part that is true of ``state``, each subject once."""
        ...

    def changes_at(self, alert: Alert, state: PatientState) -> datetime | None:
        """When time alone may end or change an open alert of this rule; None: never."""
        ...

    def ended(self, alert: Alert, state: PatientState) -> str:
        """Why an open alert of this rule is no longer true of ``state``: a sentence for the history."""
        ...


def implicate_order(order: Order) -> Implicated:
    """An order as evidence."""
    return Implicated(
        kind="dispensing" if order.kind == "dispensing" else "prescription",
        source=order.source,
        record_id=order.record_id,
        version=order.version,
        label=" ".join(part for part in (order.label, order.dosage, order.route) if part),
        at=order.first_seen if order.kind == "dispensing" else order.starts,
        until=order.end,
    )


def implicate_result(result: Result) -> Implicated:
    """A laboratory result as evidence."""
    return Implicated(
        kind="lab_result",
        source=result.source,
        record_id=result.record_id,
        version=result.version,
        label=result.label,
        at=result.at,
        value=result.value,
        unit=result.unit,
        received=result.received,
    )
