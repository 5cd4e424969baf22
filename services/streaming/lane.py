"""A lane: one partition under one assignment. It takes fetches, computes, delivers and acks, in this order and never out of it.

Computing the next batch runs beside the delivery of the last. A lane is born when the partition's state is restored and dies
when the partition is revoked, another owner shows, or this process was frozen: what a dead lane has in hand is neither
written nor acked, and the next owner reads it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from services.streaming.changelog import Changelog
from services.streaming.compute import Batch, Computer
from services.streaming.dues import Due
from services.streaming.epochs import headers_of
from services.streaming.errors import EngineError, LaneLost
from services.streaming.fetches import FetchQueue, Part
from services.streaming.handler import Handler, Record, Send
from services.streaming.metrics import StreamMetrics
from services.streaming.producer import BatchProducer
from services.streaming.pulse import Pulse
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore

RETRY_SECONDS = 0.5
AHEAD_RECORDS = 100
"""Fewer than this wait for the delivery under way, and become one batch with what comes meanwhile."""

log = structlog.get_logger(__name__)


class Shared(NamedTuple):
    """What all lanes of an engine have in common."""

    handler: Handler
    producer: BatchProducer
    metrics: StreamMetrics
    pulse: Pulse
    limits: RefusalLimits
    cache_bytes: int
    """of one lane"""
    observe: Callable[[Sequence[Record], Sequence[Send]], None] | None


class Memory(NamedTuple):
    """Where a lane of a handler with state keeps it."""

    store: PartitionStore
    changelog: Changelog


class Lane:
    """``memory`` is None for a handler without state. ``on_end`` is told once when the lane ends of itself: with ``LaneLost``,
    or with an error that ends the engine."""

    def __init__(
        self, partition: int, epoch: int, shared: Shared, memory: Memory | None, on_end: Callable[[Exception], None]
    ) -> None:
        self.partition, self.epoch = partition, epoch
        self.queue = FetchQueue()
        self.next_offset: dict[str, int] = {}
        """The first offset of each topic that is not yet handled."""
        self.handled_until = 0
        """Time stamp of the last record handled, and before there is one of the first that waits; milliseconds since the
        epoch."""
        self._shared, self._memory, self._on_end = shared, memory, on_end
        self._computer = Computer(
            shared.handler, memory.store if memory else None, shared.limits, shared.cache_bytes, shared.metrics
        )
        self._due: list[Due] = []
        self._now = 0
        self._headers = headers_of(epoch)
        self._dead = False
        self._closing = False
        self._writing = asyncio.Lock()
        self._delivery: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._guarded(self._run()))

    @property
    def idle(self) -> bool:
        return not self._writing.locked() and not self.queue.records

    @property
    def cache_bytes(self) -> int:
        return self._computer.cache.size

    def put(self, records: Sequence[Any], ack: Callable[[], None]) -> None:
        """A fetch, in order of its offsets; ``ack`` is called when its last record is done."""
        self.next_offset.setdefault(records[0].topic, records[0].offset)
        self.handled_until = self.handled_until or records[0].timestamp
        self.queue.put(records, ack)

    async def finish(self) -> None:
        """Take nothing more and wait for what is in hand. The caller sets the bound, and kills the lane after it."""
        self._closing = True
        self.queue.wake()
        await asyncio.wait({self._task})
        if self._delivery:
            await asyncio.wait({self._delivery})

    def kill(self) -> None:
        """From now on nothing is written or acked, whatever is under way."""
        self._dead = True
        self.queue.clear()
        for task in (self._task, self._delivery):
            if task and task is not asyncio.current_task():
                task.cancel()

    def tick(self, now: int) -> None:
        """It is ``now`` for this partition, milliseconds since the epoch: look at the states that are due."""
        if not (self._due or self._dead):
            self._due, self._now = self._computer.due(now), now
            if self._due:
                self.queue.wake()

    async def look(self, end: int) -> None:
        """The changelog ends at ``end``: see whether somebody else has written there. Does nothing unless idle."""
        if self._memory and self.idle and not self._dead:
            await self._guarded(self._look(end, self._memory))

    async def _look(self, end: int, memory: Memory) -> None:
        async with self._writing:
            self._check()
            before = memory.changelog.overwritten
            try:
                await memory.changelog.look(end, self._computer.stored, self._check)
            except KafkaError as error:
                log.warning("the end of the changelog could not be looked at", error=type(error).__name__)
            else:
                self._shared.metrics.fenced.labels("overwritten").inc(memory.changelog.overwritten - before)
                memory.store.touch()

    async def _run(self) -> None:
        if self._memory and self._memory.store.owed:
            await self._repay(self._memory)
        while True:
            await self.queue.filled()
            if self._delivery and self.queue.records < AHEAD_RECORDS:
                await asyncio.wait({self._delivery})
            if self._closing:
                return
            batch = self._next()
            if self._delivery:
                await asyncio.wait({self._delivery})
            self._computer.under_way = batch
            self._delivery = asyncio.create_task(self._guarded(self._deliver(batch)))

    def _next(self) -> Batch:
        """What is due goes first: it waits for no record, and there is little of it."""
        if self._due:
            met, self._due = self._due, []
            self.queue.rest()
            return self._computer.compute_due(met, self._now)
        return self._computer.compute(self.queue.take(self._computer.limit))

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Whatever ends a part of the lane ends the lane, at once."""
        try:
            await work
        except Exception as error:
            if not self._dead:
                self.kill()
                self._on_end(error)

    def _check(self) -> None:
        if self._dead:
            raise LaneLost("the partition was revoked")
        if self._shared.pulse.missed:
            raise LaneLost("this process was frozen for longer than its session may last")

    async def _repay(self, memory: Memory) -> None:
        """Write again, before anything else, what stands in the changelog before a former owner's record of the same key."""
        owed = {key: self._computer.stored(key) for key in memory.store.owed}
        log.info("writing again what former owners wrote over", partition=self.partition, keys=len(owed))
        values = {key: value for key, (value, _) in owed.items()}
        dues = {key: at for key, (_, at) in owed.items() if at is not None}
        async with self._writing:
            await self._keep(Batch(Part([], []), [], {}, values, dues), memory)

    async def _deliver(self, batch: Batch) -> None:
        """Output acknowledged, changelog acknowledged, store written, fetches acked."""
        if batch.sends:
            await self._until_taken("send", lambda: self._shared.producer.send(batch.sends, self._headers))
        if self._memory and (batch.changes or batch.met):
            async with self._writing:
                await self._keep(batch, self._memory)
        self._check()
        if self._shared.observe:
            self._shared.observe(batch.part.records, batch.sends)
        for record in batch.part.records:
            self.next_offset[record.topic] = record.offset + 1
        if batch.part.records:
            self.handled_until = batch.part.records[-1].timestamp
        for ack in batch.part.ends:
            ack()

    async def _keep(self, batch: Batch, memory: Memory) -> None:
        changelog, offset = memory.changelog, None
        if batch.changes:
            before, stored = changelog.overwritten, self._computer.stored
            await self._until_taken(
                "changelog", lambda: changelog.append(batch.changes, batch.dues, stored, self._check)
            )
            self._shared.metrics.fenced.labels("overwritten").inc(changelog.overwritten - before)
            offset = changelog.expected - 1
        with self._shared.metrics.batch_seconds.labels("store").time():
            memory.store.write(batch.changes, self.epoch, offset, batch.dues, batch.met)

    async def _until_taken(self, stage: str, send: Callable[[], Awaitable[object]]) -> None:
        """Repeat ``send`` until the broker has it. A broker that is away says nothing about a record: it is asked again.

        Raises ``LaneLost`` when the lane has died, also meanwhile.
        """
        started = time.perf_counter()
        while True:
            self._check()
            try:
                await send()
            except KafkaError as error:
                # the client does not call its own time-out retriable
                if not error.retriable and not isinstance(error, KafkaTimeoutError):
                    raise EngineError(
                        f"the broker refused a batch of partition {self.partition} ({stage}): {error!r}. Nothing of it "
                        "counts as read; mend the cause and start again"
                    ) from error
                self._shared.metrics.retries.inc()
                log.warning("the broker did not take a batch, trying again", error=type(error).__name__, stage=stage)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._shared.metrics.batch_seconds.labels(stage).observe(time.perf_counter() - started)
                self._check()
                return
