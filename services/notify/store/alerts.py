"""Alerts as last published, and the list that each stands in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from schemas import codec
from schemas.alerts import Alert
from schemas.values import SEVERITIES, Severity
from services.notify.store.sql import load

_SQL = load("alerts")

ListName = Literal["open", "acknowledged", "ended"]
"""``open`` asks for an answer; ``acknowledged`` is true and answered; ``ended`` is resolved or withdrawn."""

SHOWN = 500
"""The most alerts that a list gives."""


class Stored(Struct, frozen=True):
    """An alert in its list. An answer to a revision below ``asks_since`` no longer counts."""

    alert: Alert
    list: ListName
    asks_since: int


class Counts(Struct, frozen=True):
    """How many alerts are open, by severity, and how many acknowledged."""

    open: dict[Severity, int]
    acknowledged: int

    @property
    def all_open(self) -> int:
        return sum(self.open.values())


async def put(connection: Any, alert: Alert, asks_since: int, now: datetime, epoch: int = 0) -> bool:
    """Store the alert; False, and nothing changes, when this revision or a higher one is there, or one of a later ``epoch``
    (that of the monitor's owner of the partition). The same revision of a later owner replaces that of a former one."""
    stored = await connection.fetchval(
        _SQL["put"],
        alert.alert_id,
        alert.revision,
        alert.patient_id,
        alert.severity,
        alert.rank,
        alert.status,
        alert.acknowledgement is not None,
        asks_since,
        alert.true_since,
        now,
        codec.encode(alert).decode(),
        epoch,
    )
    return stored is not None


async def find(connection: Any, alert_id: str) -> Stored | None:
    row = None if "\0" in alert_id else await connection.fetchrow(_SQL["find"], alert_id)
    return None if row is None else _stored(row)


async def find_and_hold(connection: Any, alert_id: str) -> Stored | None:
    """As ``find``; nobody else changes the alert until the transaction ends."""
    if "\0" not in alert_id:
        await connection.fetch(_SQL["lock"], alert_id)
    return await find(connection, alert_id)


async def listed(connection: Any, name: ListName, limit: int = SHOWN) -> list[Stored]:
    """The alerts of a list in the order in which people look at them."""
    return [_stored(row) for row in await connection.fetch(_SQL[name], limit)]


async def counts(connection: Any) -> Counts:
    rows = [(row["list"], row["severity"], row["alerts"]) for row in await connection.fetch(_SQL["counts"])]
    waiting = {severity: number for name, severity, number in rows if name == "open"}
    return Counts(
        open={severity: waiting.get(severity, 0) for severity in SEVERITIES},
        acknowledged=sum(number for name, _, number in rows if name == "acknowledged"),
    )


def _stored(row: Any) -> Stored:
    return Stored(codec.decode_alert(row["document"]), row["list"], row["asks_since"])
