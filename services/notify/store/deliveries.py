"""The outbox: what is to be delivered to whom, until it is accepted.

A worker takes a row for a lease. When it dies the lease runs out and the row is taken again, under the same
``delivery_id``; no row is ever dropped.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from schemas.alerts import Alert
from schemas.identity import fixed_id
from services.notify.store.sql import load

_SQL = load("deliveries")


class Delivery(Struct, frozen=True):
    """One taken row. ``attempt`` counts from 1; ``stored_at`` is when the alert was stored."""

    delivery_id: str
    body: str
    attempt: int
    stored_at: datetime


def delivery_id(channel: str, alert_id: str, revision: int) -> str:
    """The id under which a receiver knows a delivery, however often it comes."""
    return fixed_id("delivery", channel, alert_id, revision)


async def add(connection: Any, channel: str, alert: Alert, body: str, now: datetime) -> None:
    """Put one revision into the outbox, once."""
    id_ = delivery_id(channel, alert.alert_id, alert.revision)
    await connection.execute(_SQL["add"], id_, channel, alert.alert_id, alert.revision, alert.severity, body, now)


async def told(connection: Any, channel: str, alert_id: str) -> bool:
    """Whether the channel was given anything of this alert."""
    return bool(await connection.fetchval(_SQL["told"], channel, alert_id))


async def take(connection: Any, channel: str, now: datetime, lease: timedelta, limit: int) -> list[Delivery]:
    """Take due rows for ``lease``. No two workers hold one row, and of an alert only the earliest undelivered one."""
    rows = await connection.fetch(_SQL["take"], channel, now, lease, limit)
    return [Delivery(row["delivery_id"], row["body"], row["attempts"], row["stored_at"]) for row in rows]


async def mark_delivered(connection: Any, delivery: Delivery, now: datetime, outcome: str) -> None:
    await connection.execute(_SQL["delivered"], delivery.delivery_id, now, outcome)


async def mark_failed(connection: Any, delivery: Delivery, due_at: datetime, outcome: str) -> None:
    """Note why it failed and when it is due again; nothing when another worker has taken it since."""
    await connection.execute(_SQL["failed"], delivery.delivery_id, due_at, outcome, delivery.attempt)


async def waiting(connection: Any, channel: str) -> int:
    return int(await connection.fetchval(_SQL["waiting"], channel))
