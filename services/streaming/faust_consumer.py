"""Faust's consumer, changed in how much travels at a time and in who may still speak after a rebalance.

What a partition fetch brings travels through Faust as one event. Each event carries the number of the assignment during which
it was fetched, because Faust's own bookkeeping can mix one assignment's records and acks with the next one's
(docs/streaming.md, "Holes of Faust").
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AIOKafkaTransport
from mode.threads import WorkerThread
from yarl import URL

FETCH_WAIT_MS = 50
"""How long a fetch waits for data. The client has one fetch in flight to a broker: data for a partition that this fetch
does not ask for waits until it returns, and Faust lets it wait for 1,500 ms."""

FULL_WAIT_SECONDS = 0.01
"""How soon a partition is asked for again that had no room a moment ago."""

THREAD_STOP_SECONDS = 1.0
COMMIT_SECONDS = 2.0


class Fetch(NamedTuple):
    """What travels as the value of an event."""

    assignment: int
    records: Sequence[Any]


class Hooks(NamedTuple):
    """What the engine has to say and wants to hear. All are called in the main loop."""

    has_room: Callable[[Any], bool]
    """whether more of an input partition may be fetched"""
    before_revoked: Callable[[], Awaitable[None]]
    """partitions are about to be taken away: end what is in hand, within a bound of your own"""
    on_changelog: Callable[[int, Sequence[Any]], None]
    """records of a partition of the changelog, as owner-to-be or standby; what it raises ends the engine"""
    on_error: Callable[[Exception], None]


class PassThrough(faust.Schema[Any, Any]):
    """Hands an event's value through untouched."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:
        return message.value


class _Worker(WorkerThread):
    """Faust waits for its thread without a bound, blocking the loop, and the interpreter does so once more at its end."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True

    def stop(self) -> None:
        self.is_stopped.wait(THREAD_STOP_SECONDS)


class _Thread(AIOKafkaConsumerThread):
    Worker = _Worker
    consumer: BatchConsumer

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust passes a constant, and the client reads its own when it starts
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - Faust names it so
        max_records: int | None = None,
    ) -> Any:
        """Nothing of a fetch that outlives its assignment may count as read: the next one begins where it says, and Faust
        would drop these records with the position behind them."""
        assignment = self.consumer.assignment_number
        fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        if self.consumer.assignment_number == assignment:
            return fetched
        for tp, records in fetched.items():
            if tp in consumer.assignment():
                consumer.seek(tp, records[0].offset)
        return {}


class BatchConsumer(AIOKafkaConsumer):
    """One event a partition fetch; commits behind the last acked one."""

    hooks: Hooks
    changelog: str | None
    assignment_number = 0
    handing_over = False
    """While partitions are being revoked nothing that comes in is anybody's."""

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust names it so
        """Ask for partitions that have room. Faust's own way to hold back lets it sleep a second when all are full.

        Input only when the rebalance is over: until then Faust may clear the queues, with the position behind what was in
        them."""
        wanted = {
            tp
            for tp in active_partitions
            if tp.topic == self.changelog or (not self.app.rebalancing and self.hooks.has_room(tp))
        }
        if self.handing_over or not wanted:
            await asyncio.sleep(FULL_WAIT_SECONDS)
            return {}
        if len(wanted) < len(active_partitions):
            timeout = FULL_WAIT_SECONDS
        assignment = self.assignment_number
        fetched = await super()._getmany(wanted, timeout)
        if not self._current(assignment):
            return {}
        return {tp: [_as_one(assignment, records)] for tp, records in fetched.items() if records}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109 - Faust names it so
        tp: Any
        message: Any
        async for tp, message in super().getmany(timeout):
            if not self._current(message.value.assignment):
                continue
            if tp.topic == self.changelog:
                self._restore(tp.partition, message)
            yield tp, message

    def _current(self, assignment: int) -> bool:
        return assignment == self.assignment_number and not self.handing_over

    def _restore(self, partition: int, message: Any) -> None:
        """Apply records of the changelog here and not behind Faust's queue, which is cleared with what it holds when the
        flow resumes, and whose reader logs an error and goes on."""
        try:
            self.hooks.on_changelog(partition, message.value.records)
        except Exception as error:
            self.hooks.on_error(error)
            raise
        message.value = None

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        self.handing_over = True
        try:
            await self.hooks.before_revoked()
            await self.commit_now()
            await super().on_partitions_revoked(revoked)
        finally:
            self.assignment_number += 1
            self.handing_over = False

    async def commit_now(self) -> None:
        """Without it what was acked in the last half second is done again by the next owner; without its bound a coordinator
        that is away would hold up a rebalance or a stop."""
        await asyncio.wait({asyncio.ensure_future(self.commit())}, timeout=COMMIT_SECONDS)

    def begins_at(self, tp: Any) -> int | None:
        """The offset from which a partition is read, until something of it was read; None when nothing is committed."""
        return self._read_offset.get(tp)

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        """Offsets between events are no gaps."""

    def _new_offset(self, tp: Any) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        last = int(max(acked))
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return last + 1

    def rejoin(self) -> None:
        """Ask the group for an assignment anew."""
        thread = self._thread
        thread.thread_loop.call_soon_threadsafe(lambda: thread._ensure_consumer()._coordinator.request_rejoin())


def _as_one(assignment: int, records: Sequence[Any]) -> SimpleNamespace:
    last = records[-1]
    return SimpleNamespace(
        topic=last.topic,
        partition=last.partition,
        offset=last.offset,
        timestamp=last.timestamp,
        timestamp_type=last.timestamp_type,
        headers=[],
        key=None,
        value=Fetch(assignment, records),
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
    )


def use_batch_transport(app: faust.App, brokers: list[URL], changelog: str | None, hooks: Hooks) -> None:
    """Give ``app`` a ``BatchConsumer``. ``changelog`` is the topic of the table, if there is one."""
    kind = type("BatchConsumer", (BatchConsumer,), {"hooks": hooks, "changelog": changelog})
    app.transport = type("BatchTransport", (AIOKafkaTransport,), {"Consumer": kind})(brokers, app, app.loop)
