"""Alerts as the monitor publishes them, and their changes, for tests of what comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from schemas import cloudevents, codec, topics
from schemas.alerts import Acknowledgement, Alert, Change, HistoryEntry, Implicated
from schemas.feedback import Feedback
from schemas.values import Citation, Origin, Severity
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

T0 = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)


def new_id() -> str:
    return str(uuid4())


def alert(severity: Severity = "high", **more: Any) -> Alert:
    """An alert that has just opened: revision 1."""
    fields: dict[str, Any] = {
        "alert_id": new_id(),
        "revision": 1,
        "patient_id": "p-1",
        "rule": "critical-lab",
        "rule_version": "1",
        "knowledge_version": "test",
        "family": "laboratory",
        "subject": "potassium:high",
        "severity": severity,
        "evidence_grade": "survey",
        "status": "open",
        "summary": "Potassium critically high: 7.1 mmol/L (limit 6.2)",
        "detail": "7.1 mmol/L is above the critical limit of 6.2 mmol/L for adults.",
        "actions": ("Repeat the sample at once if it may be haemolysed.", "Obtain a 12-lead ECG."),
        "patient_explanation": "A blood test shows too much potassium.",
        "implicated": (
            Implicated(
                kind="lab_result",
                source="lab",
                record_id="r-71",
                version=1,
                label="Potassium",
                at=T0,
                value=7.1,
                unit="mmol/L",
            ),
        ),
        "citations": (Citation(id="c1", text="A survey of critical limits", url="https://example.org/limits"),),
        "origins": (Origin("hospital.lab-results", 2, 471, received_at=T0 + timedelta(minutes=1)),),
        "history": (),
        "true_since": T0,
        "detected_at": T0 + timedelta(minutes=1),
        "rank": 0.1,
        "unit": "ICU 2",
    } | more
    opened = Alert(**fields)
    entry = HistoryEntry(
        revision=1,
        change="opened",
        at=opened.true_since,
        why=opened.summary,
        severity=opened.severity,
        rank=opened.rank,
        recorded_at=opened.detected_at,
        facts=opened.implicated,
    )
    return replace(opened, history=(entry,))


def changed(before: Alert, change: Change, **more: Any) -> Alert:
    """The next revision, as the monitor makes it."""
    if change in ("resolved", "withdrawn"):
        more["status"] = change
    after = replace(before, **more)
    entry = HistoryEntry(
        revision=before.revision + 1,
        change=change,
        at=T0 + timedelta(minutes=10 * before.revision),
        why=f"{change} in a test",
        severity=after.severity,
        rank=after.rank,
        recorded_at=T0 + timedelta(minutes=10 * before.revision),
    )
    return replace(after, revision=entry.revision, history=(*before.history, entry))


def acknowledged(before: Alert, feedback: Feedback) -> Alert:
    """The revision with which the monitor confirms an answer (services/monitor/alerts/lifecycle.py)."""
    answer = Acknowledgement(by=feedback.by, at=feedback.at, reason=feedback.reason, comment=feedback.comment)
    after = changed(before, "acknowledged", acknowledgement=answer)
    entry = replace(
        after.history[-1],
        by=feedback.by,
        reason=feedback.reason,
        why=feedback.comment or feedback.reason,
        recorded_at=feedback.at,
    )
    return replace(after, history=(*before.history, entry))


async def publish(brokers: str, alerts: Sequence[Alert]) -> None:
    """Publish as the monitor does: key patient id, whole, all acknowledged."""
    producer = BatchProducer(brokers, "test-monitor")
    await producer.start()
    try:
        await producer.send(
            [
                Send(topics.ALERTS, one.patient_id.encode(), codec.encode(one), cloudevents.alert_headers(one))
                for one in alerts
            ]
        )
    finally:
        await producer.stop()
