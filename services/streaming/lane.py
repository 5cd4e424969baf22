"""A lane: one partition under one assignment. It takes fetches, computes, delivers and acks, in this order and never out of it.

Computing the next batch runs beside the delivery of the last. A lane is born when the partition's state is restored and dies
when the partition is revoked, another owner shows, or this process was frozen: what a dead lane has in hand is neither
written nor acked, and the next owner reads it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from services.streaming import batches
from services.streaming.cache import StateCache
from services.streaming.changelog import Changelog
from services.streaming.epochs import headers_of
from services.streaming.errors import EngineError, LaneLost
from services.streaming.fetches import FetchQueue, Part
from services.streaming.handler import Handler, Record, Send
from services.streaming.metrics import StreamMetrics
from services.streaming.producer import BatchProducer
from services.streaming.pulse import Pulse
from services.streaming.refusals import RefusalLimits, Refusals
from services.streaming.store import PartitionStore

RETRY_SECONDS = 0.5
AHEAD_RECORDS = 100
"""Fewer than this wait for the delivery under way, and become one batch with what comes meanwhile."""

BATCH_SECONDS = 0.1
"""A batch is as large as what the handler did in this time of the last one: the larger, the fewer states are encoded and
written twice; but computing holds up the event loop, and with it the other lanes."""
LEAST_RECORDS = 500
_UNKNOWN = object()

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


class _Batch(NamedTuple):
    part: Part
    sends: list[Send]
    states: dict[bytes, object | None]
    changes: dict[bytes, bytes | None]
    """``states`` as stored."""


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
        self._cache = StateCache(shared.cache_bytes)
        self._unstored: dict[bytes, object | None] = {}
        """Of the batch under way, which nothing else may have."""
        self._limit = LEAST_RECORDS
        self._refusals = Refusals(shared.limits)
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
        return self._cache.size

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

    async def look(self, end: int) -> None:
        """The changelog ends at ``end``: see whether somebody else has written there. Does nothing unless idle."""
        if self._memory and self.idle and not self._dead:
            await self._guarded(self._look(end, self._memory))

    async def _look(self, end: int, memory: Memory) -> None:
        async with self._writing:
            self._check()
            before = memory.changelog.overwritten
            try:
                await memory.changelog.look(end, memory.store.read, self._check)
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
            batch = self._compute(self.queue.take(self._limit))
            if self._delivery:
                await asyncio.wait({self._delivery})
            self._unstored = batch.states
            self._delivery = asyncio.create_task(self._guarded(self._deliver(batch)))

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
        owed = {key: memory.store.read(key) for key in memory.store.owed}
        log.info("writing again what former owners wrote over", partition=self.partition, keys=len(owed))
        async with self._writing:
            await self._keep(owed, memory)

    def _compute(self, part: Part) -> _Batch:
        handler, metrics = self._shared.handler, self._shared.metrics
        metrics.batch_records.observe(len(part.records))
        started = time.perf_counter()
        states: dict[bytes, object | None] = {}
        if self._memory:
            keys = {key for record in part.records if (key := handler.state_key(record)) is not None}
            states = self._states(keys, self._memory.store)
        outcome, errors = batches.run(handler, part.records, states)
        for index, error in errors.items():
            record = part.records[index]
            log.error("record refused", error=type(error).__name__, topic=record.topic, offset=record.offset)
        self._refusals.count(len(part.records), errors)
        metrics.refused.inc(len(errors))
        changes = self._encode(outcome.states) if self._memory else {}
        took = time.perf_counter() - started
        metrics.batch_seconds.labels("handle").observe(took)
        # one that was held up, or is small, says little: halfway to what it says
        self._limit = max(LEAST_RECORDS, (self._limit + int(BATCH_SECONDS / took * len(part.records))) // 2)
        return _Batch(part, outcome.sends, outcome.states, changes)

    def _states(self, keys: Iterable[bytes], store: PartitionStore) -> dict[bytes, object | None]:
        known, unstored = self._cache.get, self._unstored
        states = {key: known(key, _UNKNOWN) for key in keys}
        missing = [key for key, state in states.items() if state is _UNKNOWN]
        for key in missing:
            if key in unstored:
                states[key] = unstored[key]
            else:
                stored = store.read(key)
                states[key] = state = None if stored is None else self._shared.handler.decode_state(stored)
                self._cache.put(key, state, len(stored or b""))
        self._shared.metrics.cache_hits.inc(len(states) - len(missing))
        self._shared.metrics.cache_misses.inc(len(missing))
        return states

    def _encode(self, states: dict[bytes, object | None]) -> dict[bytes, bytes | None]:
        encode, put = self._shared.handler.encode_state, self._cache.put
        changes: dict[bytes, bytes | None] = {}
        for key, state in states.items():
            value = changes[key] = None if state is None else encode(state)
            put(key, state, len(value or b""))
        self._cache.shrink()
        return changes

    async def _deliver(self, batch: _Batch) -> None:
        """Output acknowledged, changelog acknowledged, store written, fetches acked."""
        if batch.sends:
            await self._until_taken("send", lambda: self._shared.producer.send(batch.sends, self._headers))
        if self._memory and batch.changes:
            async with self._writing:
                await self._keep(batch.changes, self._memory)
        self._check()
        if self._shared.observe:
            self._shared.observe(batch.part.records, batch.sends)
        for record in batch.part.records:
            self.next_offset[record.topic] = record.offset + 1
        self.handled_until = batch.part.records[-1].timestamp
        for ack in batch.part.ends:
            ack()

    async def _keep(self, changes: dict[bytes, bytes | None], memory: Memory) -> None:
        before = memory.changelog.overwritten
        await self._until_taken("changelog", lambda: memory.changelog.append(changes, memory.store.read, self._check))
        self._shared.metrics.fenced.labels("overwritten").inc(memory.changelog.overwritten - before)
        with self._shared.metrics.batch_seconds.labels("store").time():
            memory.store.write(changes, self.epoch, memory.changelog.expected - 1)

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
