"""``medication.alerts``: each alert is stored under its list, and what is to be told goes to the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.canaries import is_canary
from schemas.values import Severity
from services.notify.delivery.channel import Channel
from services.notify.intake.batches import Count, Kind
from services.notify.intake.reading import RefusedError, decoded, epoch_of
from services.notify.metrics import NotifyMetrics
from services.notify.routing.asking import asks_since
from services.notify.routing.severity import is_told
from services.notify.store import alerts, changes, deliveries


def read(value: bytes | None) -> Alert:
    """The alert of a record. Raises ``RefusedError``."""
    alert = decoded(value, codec.decode_alert, "an alert")
    if not alert.history:
        raise RefusedError("schema", "an alert without history", "$.history")
    return alert


class AlertKind(Kind[tuple[Alert, int]]):
    """``channel`` is who is told, of alerts from ``lowest`` upward; None for nobody. Of synthetic patients nothing is stored."""

    topic = topics.ALERTS

    def __init__(self, metrics: NotifyMetrics, channel: Channel | None, lowest: Severity) -> None:
        self._metrics = metrics
        self._channel = channel
        self._lowest = lowest

    def read(self, record: ConsumerRecord) -> tuple[Alert, int]:
        return read(record.value), epoch_of(record)

    async def store(self, connection: Any, found: Sequence[tuple[Alert, int]], now: datetime) -> Count:
        of_people = [(alert, epoch) for alert, epoch in found if not is_canary(alert.patient_id)]
        stored = [alert for alert, epoch in of_people if await self._put(connection, alert, epoch, now)]
        if stored:
            await changes.announce(connection)

        def count() -> None:
            for alert in stored:
                self._metrics.stored(alert, now)
            self._metrics.stale.inc(len(of_people) - len(stored))
            self._metrics.canaries.inc(len(found) - len(of_people))

        return count

    async def _put(self, connection: Any, alert: Alert, epoch: int, now: datetime) -> bool:
        if not await alerts.put(connection, alert, asks_since(alert), now, epoch):
            return False
        if self._channel is not None:
            told = await deliveries.told(connection, self._channel.name, alert.alert_id)
            if is_told(alert, self._lowest, told):
                await deliveries.add(connection, self._channel.name, alert, self._channel.body(alert), now)
        return True
