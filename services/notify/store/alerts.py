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
FOR_THE_PATIENT: Severity = "info"
"""What whoever opens the patient is to know, and nobody else: a list leaves it out unless asked for it."""


class Stored(Struct, frozen=True):
    """An alert in its list. An answer to a revision below ``asks_since`` no longer counts."""

    alert: Alert
    list: ListName
    asks_since: int


class Counts(Struct, frozen=True):
    """How many alerts are open and how many acknowledged, by severity."""

    open: dict[Severity, int]
    acknowledged: dict[Severity, int]

    @property
    def calling(self) -> int:
        """The open ones that are listed without being asked for."""
        return sum(number for severity, number in self.open.items() if severity != FOR_THE_PATIENT)

    def left_out(self, name: ListName) -> int | None:
        """How many a list leaves out; None of the ended ones, which are not counted."""
        waiting = {"open": self.open, "acknowledged": self.acknowledged}.get(name)
        return None if waiting is None else waiting[FOR_THE_PATIENT]


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


async def listed(connection: Any, name: ListName, limit: int = SHOWN, *, info: bool = False) -> list[Stored]:
    """The alerts of a list in the order in which people look at them; those of severity info only when asked for."""
    return [_stored(row) for row in await connection.fetch(_SQL[name], limit, info)]


async def counts(connection: Any) -> Counts:
    rows = {(row["list"], row["severity"]): row["alerts"] for row in await connection.fetch(_SQL["counts"])}
    return Counts(
        open={severity: rows.get(("open", severity), 0) for severity in SEVERITIES},
        acknowledged={severity: rows.get(("acknowledged", severity), 0) for severity in SEVERITIES},
    )


def _stored(row: Any) -> Stored:
    return Stored(codec.decode_alert(row["document"]), row["list"], row["asks_since"])
