"""Looks, every second, at what moves by itself: lag, restore, sizes; at a pulse that was missed; whether the broker answers; at
states that are due; at partitions without input, which need a lane too; and, of idle lanes, whether somebody else has written
to their changelog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from services.streaming.lanes import Lanes
from services.streaming.metrics import StreamMetrics
from services.streaming.pulse import Pulse
from services.streaming.stores import Stores

WATCH_SECONDS = 1.0
LOOK_EVERY = 3
"""Asks the broker, and looks at the changelogs' ends, in so many rounds once."""

log = structlog.get_logger(__name__)


class Watch:
    def __init__(
        self,
        app: Any,
        lanes: Lanes,
        stores: Stores | None,
        changelog: str | None,
        metrics: StreamMetrics,
        pulse: Pulse,
        rejoin: Callable[[], None],
        answers: Callable[[], Awaitable[bool]],
    ) -> None:
        self._app, self._lanes, self._stores, self._changelog = app, lanes, stores, changelog
        self._metrics, self._pulse, self._rejoin, self._answers = metrics, pulse, rejoin, answers
        self._lags: set[tuple[str, str]] = set()
        self._told = 0.0
        self.restore_left = 0
        self.broker_away = False

    async def run(self) -> None:
        """Until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            rounds += 1
            self._restore()
            self._lanes_without_input()
            behind = self._lag()
            self._lanes.tick(int(time.time() * 1000), behind)
            self._sizes()
            if self._pulse.missed and self._lanes.open:
                self._rejoin()
            if rounds % LOOK_EVERY == 0:
                self.broker_away = not await self._answers()
                if self._changelog and not self.broker_away:
                    await self._look(self._changelog)

    def forget(self) -> None:
        """The partitions are gone; a last value that stays would look like a lag."""
        for topic, partition in self._lags:
            self._metrics.lag.remove(topic, partition)
        self._metrics.lag_time.clear()
        self._lags.clear()

    def _lanes_without_input(self) -> None:
        # not before: the state of the partitions may not be restored
        if self._lanes.open and not self._app.rebalancing:
            self._lanes.bear(tp.partition for tp in self._app.consumer.assignment() if tp.topic != self._changelog)

    def _restore(self) -> None:
        if self._changelog is None:
            return
        recovery = self._app.tables.recovery
        self.restore_left = max(0, recovery.active_remaining_total()) if recovery.in_recovery else 0
        self._metrics.restore_left.set(self.restore_left)
        if self.restore_left and time.monotonic() - self._told > 2 * WATCH_SECONDS:
            self._told = time.monotonic()
            log.info("restoring the state", records_left=self.restore_left)

    def _lag(self) -> set[int]:
        """The partitions that are behind, or of which it is not known yet: nothing was fetched of them."""
        consumer = self._app.consumer
        places = [tp for tp in consumer.assignment() if tp.topic != self._changelog]
        behind: set[int] = set()
        for lane in self._lanes:
            total = 0
            for tp in (tp for tp in places if tp.partition == lane.partition):
                end = consumer.highwater(tp)
                at = lane.next_offset.get(tp.topic, consumer.begins_at(tp))
                if end is None or (at is None and end):
                    behind.add(lane.partition)
                    continue
                left = max(0, end - (at or 0))
                self._metrics.lag.labels(tp.topic, str(lane.partition)).set(left)
                self._lags.add((tp.topic, str(lane.partition)))
                total += left
            if total:
                behind.add(lane.partition)
            if lane.handled_until:
                age = max(0.0, time.time() - lane.handled_until / 1000) if total else 0.0
                self._metrics.lag_time.labels(str(lane.partition)).set(age)
        return behind

    def _sizes(self) -> None:
        self._metrics.queue.set(sum(lane.queue.records for lane in self._lanes))
        self._metrics.cache_size.set(sum(lane.cache_bytes for lane in self._lanes))
        if self._stores:
            self._metrics.state_size.set(self._stores.size())

    async def _look(self, changelog: str) -> None:
        idle = [TP(changelog, lane.partition) for lane in self._lanes if lane.idle]
        if not idle:
            return
        try:
            ends = await self._app.consumer.highwaters(*idle)
        except (KafkaError, TimeoutError) as error:
            log.warning("the ends of the changelog could not be read", error=type(error).__name__)
            return
        await self._lanes.look((tp.partition, end) for tp, end in ends.items())
