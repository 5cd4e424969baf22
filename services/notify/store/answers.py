"""People's answers. A row is its own outbox: it waits until the broker has acknowledged it on ``medication.feedback``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schemas import codec
from schemas.feedback import Feedback
from services.notify.store.sql import load

_SQL = load("answers")


async def add(connection: Any, feedback: Feedback) -> Feedback:
    """Record the answer; the one that stands: the first when the same was given before."""
    document = codec.encode(feedback).decode()
    await connection.execute(
        _SQL["add"], feedback.feedback_id, feedback.alert_id, feedback.revision, feedback.at, document
    )
    return codec.decode_feedback(await connection.fetchval(_SQL["find"], feedback.feedback_id))


async def of_alert(connection: Any, alert_id: str) -> tuple[Feedback, ...]:
    return tuple(codec.decode_feedback(row["document"]) for row in await connection.fetch(_SQL["of_alert"], alert_id))


async def unsent(connection: Any, limit: int) -> list[Feedback]:
    """Answers to send, held by this transaction against other processes."""
    return [codec.decode_feedback(row["document"]) for row in await connection.fetch(_SQL["unsent"], limit)]


async def mark_sent(connection: Any, sent: list[Feedback], now: datetime) -> None:
    await connection.execute(_SQL["sent"], [feedback.feedback_id for feedback in sent], now)


async def waiting(connection: Any) -> int:
    return int(await connection.fetchval(_SQL["waiting"]))
