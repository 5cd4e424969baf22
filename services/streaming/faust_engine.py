"""The engine on Kafka: Faust assigns, fetches, says from where to restore, and commits; lanes do the rest.

Order, so that a crash at any point loses nothing: output acknowledged by the broker, changelog acknowledged, store written,
offset acked. A crash in between repeats the batch; the handler makes that harmless (``handler.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import structlog
from faust.exceptions import ConsistencyError
from faust.types import TP

from services.streaming.changelog import Changelog, range_reader
from services.streaming.epochs import next_epoch
from services.streaming.errors import EngineError
from services.streaming.faust_app import SESSION_SECONDS, make_app
from services.streaming.faust_consumer import Hooks, PassThrough
from services.streaming.handler import Handler, Record, Send
from services.streaming.lane import Memory, Shared
from services.streaming.lanes import REVOKE_SECONDS, Lanes
from services.streaming.metrics import StreamMetrics
from services.streaming.producer import BatchProducer
from services.streaming.pulse import Pulse
from services.streaming.refusals import RefusalLimits
from services.streaming.stores import Stores
from services.streaming.watch import Watch

__all__ = ["SESSION_SECONDS", "Engine", "EngineError"]

FROZEN_SECONDS = SESSION_SECONDS - 2.0
"""Whoever was frozen for so long must not send; the margin is for what was checked just before."""

CACHE_BYTES = 32 << 20
GC_THRESHOLD = (50_000, 20, 50)

log = structlog.get_logger(__name__)


class Engine:
    """Runs one handler on Kafka topics.

    ``state`` names the table (its changelog topic is ``<app_id>-<state>-changelog`` and must have as many partitions as
    the input topics); None for a handler without state. ``state_dir`` holds RocksDB and may be lost: it is restored from
    the changelog. ``standby_replicas`` workers besides the owner follow each partition. ``cache_bytes`` bounds the decoded
    states held, by their encoded size. ``observe`` is told of each batch that was delivered whole; it must not block.
    """

    def __init__(
        self,
        *,
        app_id: str,
        brokers: str,
        topics: Sequence[str],
        handler: Handler,
        state_dir: Path,
        metrics: StreamMetrics,
        state: str | None = None,
        partitions: int = 4,
        observe: Callable[[Sequence[Record], Sequence[Send]], None] | None = None,
        standby_replicas: int = 0,
        cache_bytes: int = CACHE_BYTES,
        limits: RefusalLimits = RefusalLimits(),  # noqa: B008 - a tuple
    ) -> None:
        self._metrics = metrics
        self._failure: Exception | None = None
        self._waits_for = "partitions to be assigned and restored"
        self._pulse = Pulse(FROZEN_SECONDS)
        self._producer = BatchProducer(brokers, f"{app_id}-producer")
        self._read_range = range_reader(brokers)
        shared = Shared(handler, self._producer, metrics, self._pulse, limits, cache_bytes // partitions, observe)
        self._lanes = Lanes(shared, self._born, self._rejoin, self._fail)
        self._changelog = None if state is None else f"{app_id}-{state}-changelog"
        self._stores = None if state is None else Stores(state_dir, state)
        hooks = Hooks(lambda tp: self._lanes.has_room(tp.partition), self._revoking, self._on_changelog, self._fail)
        self._app = make_app(app_id, brokers, state_dir, standby_replicas, self._changelog, hooks)
        if state is not None:
            table = self._app.Table(
                state, partitions=partitions, schema=PassThrough(), recovery_buffer_size=2, standby_buffer_size=2
            )
            table.stores = self._stores
        source = self._app.topic(*topics, schema=PassThrough(), acks=True)
        self._app.agent(source, name="batches")(self._consume)
        self._app.on_partitions_assigned.connect(cast(Any, self._assigned))
        self._app.on_rebalance_complete.connect(cast(Any, self._restored))
        self._watch = Watch(
            self._app,
            self._lanes,
            self._stores,
            self._changelog,
            metrics,
            self._pulse,
            self._rejoin,
            self._producer.answers,
        )

    def ready(self) -> str:
        """What the engine still waits for; empty when partitions are assigned, their state is restored and the broker
        answers."""
        if self._watch.broker_away and not self._waits_for:
            return "the broker, which does not answer; what is in hand is sent when it does"
        left = self._watch.restore_left
        return (
            f"{self._waits_for} ({left} records of the changelog left)" if self._waits_for and left else self._waits_for
        )

    async def run(self, stop: asyncio.Event, stop_timeout: float) -> None:
        """Run until ``stop`` is set; then end within ``stop_timeout`` seconds, whatever is in flight.

        Raises ``EngineError`` when Faust crashed, too much was refused, the state cannot be kept or restored, or the
        handler's output can no longer be written.
        """
        helpers = []
        # many long-lived states make a full collection slow, and Python's default has one after every few batches
        gc.set_threshold(*GC_THRESHOLD)
        try:
            await self._producer.start()
            await self._app.start()
            helpers = [asyncio.create_task(self._pulse.run()), asyncio.create_task(self._watch.run())]
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(self._app.wait_until_stopped())]
            await asyncio.wait([*ends, *helpers], return_when=asyncio.FIRST_COMPLETED)
            for each in ends:
                each.cancel()
            for each in helpers:
                if each.done():
                    each.result()
            if self._failure or self._app.crashed:
                raise _explained(self._failure or self._app.crash_reason)
        finally:
            self._waits_for = "nothing: it is stopping"
            await self._shut_down(stop_timeout)
            for each in helpers:
                each.cancel()

    async def _shut_down(self, seconds: float) -> None:
        """In order if that can be done in time; what is left then ends with the process."""
        stopping = asyncio.create_task(self._stop_in_order(min(REVOKE_SECONDS, seconds / 3)))
        await asyncio.wait({stopping}, timeout=seconds * 0.9)
        if not stopping.done():
            stopping.cancel()
            log.warning("the stop took too long and was cut short; nothing is lost, the last batch will be repeated")
        await self._lanes.finish(0)
        self._close_stores()

    def _close_stores(self) -> None:
        try:
            if self._stores:
                self._stores.close()
        except EngineError as error:
            if not (self._failure or self._app.crashed):
                raise
            # it follows from what ended the engine, and must not hide that
            log.error("a state store could not be closed", error=str(error))

    async def _stop_in_order(self, seconds: float) -> None:
        await self._lanes.finish(seconds)
        if self._app.consumer.assignment_number:
            await self._app.consumer.commit_now()
        with contextlib.suppress(Exception):
            await self._app.stop()
        await self._producer.stop()

    # what Faust tells

    async def _consume(self, stream: Any) -> None:
        async for event in stream.noack().events():
            if self._failure or event.value.assignment != self._app.consumer.assignment_number:
                continue
            try:
                self._lanes.take(event)
            except Exception as error:
                self._fail(error)

    async def _revoking(self) -> None:
        self._waits_for = "partitions to be assigned and restored"
        self._metrics.restored.set(0)
        await self._lanes.finish(REVOKE_SECONDS)
        self._watch.forget()
        if self._stores:
            self._stores.assign(())

    async def _assigned(self, app: Any, *_: Any, **__: Any) -> None:
        self._metrics.rebalances.inc()
        self._pulse.restart()
        self._lanes.begin()

    async def _restored(self, app: Any, *_: Any, **__: Any) -> None:
        if not self._failure:
            self._waits_for = ""
            self._metrics.restored.set(1)

    def _on_changelog(self, partition: int, records: Sequence[Any]) -> None:
        assert self._stores is not None
        fenced = self._stores.of(partition).apply(records)
        self._metrics.restore_records.inc(len(records))
        self._metrics.fenced.labels("skipped").inc(fenced)

    # what lanes tell

    def _born(self, partition: int) -> tuple[int, Memory | None]:
        generation = self._app.consumer_generation_id
        if self._stores is None or self._changelog is None:
            return next_epoch(0, generation), None
        store = self._stores.of(partition)
        recovery, tp = self._app.tables.recovery, TP(self._changelog, partition)
        end = recovery.active_highwaters.get(tp, -1)
        if (-1 if store.offset is None else store.offset) < end:
            raise EngineError(
                f"the state of partition {partition} was restored up to offset {store.offset} of {self._changelog}, which "
                f"goes up to {end}; start again, and if it stays so delete the state folder"
            )
        epoch = next_epoch(store.highest_epoch, generation)
        expected = max(-1 if store.offset is None else store.offset, recovery.active_offsets.get(tp) or -1) + 1
        log.info("a lane begins", partition=partition, epoch=epoch, changelog=expected)
        return epoch, Memory(
            store, Changelog(self._producer, self._read_range, self._changelog, partition, epoch, expected)
        )

    def _rejoin(self) -> None:
        self._app.consumer.rejoin()

    def _fail(self, error: Exception) -> None:
        """End the engine: Faust would log the error, and ack the batch or go on with half a state."""
        if self._failure is None:
            self._failure = error
            log.error("the engine ends", error=repr(error))
            asyncio.ensure_future(self._app.crash(error))  # noqa: RUF006 - awaited by ``run`` through Faust


def _explained(error: BaseException | None) -> EngineError:
    if isinstance(error, EngineError):
        return error
    if isinstance(error, ConsistencyError):
        explained = EngineError(
            f"the local state is ahead of its changelog, which was made anew or has lost records: {error}. Stop all workers "
            "and run `rxvigil state rebuild`"
        )
    else:
        explained = EngineError(f"the engine stopped: {error!r}")
    explained.__cause__ = error
    return explained
