"""Works through the outbox of one channel. Any number of processes may do so at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from services.notify.delivery.backoff import pause
from services.notify.delivery.channel import Channel, NotAcceptedError
from services.notify.metrics import NotifyMetrics
from services.notify.store import deliveries
from services.notify.store.changes import Changes
from services.notify.store.database import COMMAND_SECONDS, named
from services.notify.store.deliveries import Delivery
from services.runtime.clock import Clock

AT_ONCE = 4
"""Deliveries that one process has under way, so that one slow answer does not hold up the next alert."""
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Outbox:
    """Takes, sends, and notes what came of it.

    A lease is longer than a delivery may take, so what another worker holds is never sent beside it; what a killed worker
    held comes back when its lease has run out.
    """

    def __init__(self, pool: Any, channel: Channel, changes: Changes, metrics: NotifyMetrics, clock: Clock) -> None:
        self._pool = pool
        self._channel = channel
        self._changes = changes
        self._metrics = metrics
        self._clock = clock
        self._lease = timedelta(seconds=channel.timeout + COMMAND_SECONDS)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop``. Errors of the database are logged and tried again."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work(stop))

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            seen = self._changes.number
            try:
                delivered = await self.deliver_one()
            except Exception as error:
                log.warning("the outbox cannot be read or written; trying again", error=named(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if not delivered:
                    await self._changes.wait(seen, POLL_SECONDS)

    async def deliver_one(self) -> bool:
        """Make one attempt at what is due; False when nothing is."""
        taken = await deliveries.take(self._pool, self._channel.name, self._clock(), self._lease, 1)
        for delivery in taken:
            await self._attempt(delivery)
        return bool(taken)

    async def _attempt(self, delivery: Delivery) -> None:
        name = self._channel.name
        try:
            said = await self._channel.send(delivery)
        except NotAcceptedError as error:
            self._metrics.deliveries.labels(name, error.outcome).inc()
            wait = pause(delivery.attempt)
            log.warning(
                "a delivery was not accepted; trying again",
                channel=name,
                delivery=delivery.delivery_id,
                attempt=delivery.attempt,
                outcome=str(error),
                again_in_seconds=wait.total_seconds(),
            )
            await deliveries.mark_failed(self._pool, delivery, self._clock() + wait, str(error))
        else:
            now = self._clock()
            await deliveries.mark_delivered(self._pool, delivery, now, said)
            self._metrics.deliveries.labels(name, "accepted").inc()
            self._metrics.delivered(delivery.stored_at, now)
