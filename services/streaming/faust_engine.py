"""The engine on Kafka: Faust assigns, fetches, restores and commits; a batch goes through the handler as one.

Order, so that a crash at any point loses nothing: output acknowledged by the broker, changelog acknowledged, RocksDB
written, offset acked. A crash in between repeats the batch; the handler makes that harmless (``handler.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from aiokafka.errors import KafkaError
from yarl import URL

from services.streaming import batches
from services.streaming.faust_parts import BatchTable, PassThrough, scheduler, use_batch_transport
from services.streaming.handler import Handler, Record, Send
from services.streaming.metrics import StreamMetrics
from services.streaming.producer import BatchProducer

MAX_COALESCED_FETCHES = 64
SESSION_SECONDS = 10.0
HEARTBEAT_SECONDS = 2.0
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class EngineError(RuntimeError):
    """The engine cannot go on; the message says why."""


class Engine:
    """Runs one handler on Kafka topics.

    ``state`` names the table (its changelog topic is ``<app_id>-<state>-changelog`` and must have as many partitions as
    the input topics); None for a handler without state. ``state_dir`` holds RocksDB and may be lost: it is restored from
    the changelog.
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
    ) -> None:
        self._handler = handler
        self._metrics = metrics
        self._observe = observe
        self._generation = 0
        self._waits_for = "partitions to be assigned and restored"
        self._next_offset: dict[Any, int] = {}
        self._producer = BatchProducer(brokers, f"{app_id}-producer")
        changelog = frozenset() if state is None else frozenset({f"{app_id}-{state}-changelog"})
        self._app = self._make_app(app_id, brokers, state_dir, frozenset(topics) | changelog)
        self._table: BatchTable | None = None
        if state is not None:
            self._table = cast(BatchTable, self._app.Table(state, partitions=partitions, schema=PassThrough()))
        source = self._app.topic(*topics, schema=PassThrough(), acks=True)
        self._agent = self._app.agent(source, name="batches")(self._consume)

    def _make_app(self, app_id: str, brokers: str, state_dir: Path, batched: frozenset[str]) -> faust.App:
        urls = [URL(f"kafka://{broker.strip()}") for broker in brokers.split(",")]
        state_dir.mkdir(parents=True, exist_ok=True)
        app = faust.App(
            app_id,
            broker=urls,
            store="rocksdb://?driver=rocksdict",
            datadir=str(state_dir),
            Table=BatchTable,
            ConsumerScheduler=scheduler(batched),
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=HEARTBEAT_SECONDS,
            broker_commit_interval=0.5,
            consumer_auto_offset_reset="earliest",
            # counted in events, and an event is a whole fetch
            stream_buffer_maxsize=16,
            # without it a stop waits for ever for one batch that is never acked
            stream_wait_empty=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
        )
        use_batch_transport(app, urls, batched)
        app.on_partitions_revoked.connect(cast(Any, self._revoked))
        app.on_rebalance_complete.connect(cast(Any, self._restored))
        return app

    def ready(self) -> str:
        """What the engine still waits for; empty when partitions are assigned and their state is restored."""
        return self._waits_for

    async def run(self, stop: asyncio.Event, stop_timeout: float) -> None:
        """Run until ``stop`` is set; then end within ``stop_timeout`` seconds, whatever is in flight.

        Raises ``EngineError`` when Faust crashed or the handler's output can no longer be written.
        """
        await self._producer.start()
        lag = asyncio.create_task(self._watch_lag())
        try:
            await self._app.start()
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(self._app.wait_until_stopped())]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._app.crashed:
                raise EngineError(f"the engine stopped: {self._app.crash_reason!r}") from self._app.crash_reason
        finally:
            lag.cancel()
            self._waits_for = "nothing: it is stopping"
            await _bounded(self._shut_down(), stop_timeout)

    async def _shut_down(self) -> None:
        await self._app.stop()
        await self._producer.stop()
        if self._table is not None:
            self._table.close()

    async def _revoked(self, app: Any, *revoked: Any, **_: Any) -> None:
        self._generation += 1
        self._waits_for = "partitions to be assigned and restored"
        self._metrics.restored.set(0)
        for tp in revoked[0]:
            if self._next_offset.pop(tp, None) is not None:
                # another worker has it now; a last value that stays would look like a lag
                self._metrics.lag.remove(tp.topic, str(tp.partition))
        if self._table is not None:
            # Faust leaves closing to the garbage collector, and with it the lock that the next owner here needs
            self._table.close({tp.partition for tp in revoked[0]})

    async def _restored(self, app: Any, *_: Any, **__: Any) -> None:
        self._waits_for = ""
        self._metrics.restored.set(1)

    async def _consume(self, stream: Any) -> None:
        queue = stream.channel.queue
        async for event in stream.noack().events():
            generation = self._generation
            events = [event]
            while not queue.empty() and len(events) < MAX_COALESCED_FETCHES:
                events.append(queue.get_nowait())
            try:
                done = await self._batch(events, generation)
            except Exception as error:
                # Faust would ack the batch and go on; the batch must stay unread instead
                log.exception("batch failed")
                await self._app.crash(error)
                raise
            if done:
                for each in events:
                    each.ack()

    async def _batch(self, events: Iterable[Any], generation: int) -> bool:
        """Handle what was fetched, partition by partition; False when the partitions were lost meanwhile."""
        by_partition: dict[int, list[Any]] = {}
        for event in events:
            by_partition.setdefault(event.message.partition, []).append(event)
        for partition, fetches in by_partition.items():
            records = [_record(fetched) for event in fetches for fetched in event.value]
            sends, changes = self._handle(partition, records)
            if not await self._deliver(lambda sends=sends: self._producer.send(sends), "send", generation):  # type: ignore[misc]
                return False
            if self._table is not None and changes and not await self._keep(partition, changes, generation):
                return False
            if self._observe is not None:
                self._observe(records, sends)
            for event in fetches:
                self._next_offset[event.message.tp] = event.message.offset + 1
        return True

    def _handle(self, partition: int, records: list[Record]) -> tuple[list[Send], dict[bytes, bytes | None]]:
        handler = self._handler
        self._metrics.batch_records.observe(len(records))
        with self._metrics.batch_seconds.labels("handle").time():
            states: dict[bytes, object | None] = {}
            if self._table is not None:
                keys = {key for record in records if (key := handler.state_key(record)) is not None}
                stored = self._table.read(partition, list(keys))
                states = {key: None if value is None else handler.decode_state(value) for key, value in stored.items()}
            outcome, errors = batches.run(handler, records, states)
            for error in errors:
                self._metrics.refused.inc()
                log.error("record refused", error=type(error).__name__)
            changes = {
                key: None if state is None else handler.encode_state(state) for key, state in outcome.states.items()
            }
        return outcome.sends, changes

    async def _keep(self, partition: int, changes: dict[bytes, bytes | None], generation: int) -> bool:
        """Changelog first, store second; False when the partition was lost meanwhile."""
        assert self._table is not None
        topic = self._table.changelog_topic.get_topic_name()
        records = [Send(topic, key, value) for key, value in changes.items()]
        last: list[int | None] = []

        async def write() -> None:
            last.append(await self._producer.write_to(topic, partition, records))

        if not await self._deliver(write, "changelog", generation):
            return False
        with self._metrics.batch_seconds.labels("store").time():
            self._table.write(partition, changes, last[-1])
        return True

    async def _deliver(self, send: Callable[[], Any], stage: str, generation: int) -> bool:
        """Repeat ``send`` until the broker has it; False when the partitions were lost meanwhile.

        A broker that is away says nothing about a record, so it is asked again and nothing is refused.
        """
        started = time.perf_counter()
        while self._generation == generation:
            try:
                await send()
            except KafkaError as error:
                if not error.retriable:
                    raise
                self._metrics.retries.inc()
                log.warning("the broker did not take a batch, trying again", error=type(error).__name__, stage=stage)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._metrics.batch_seconds.labels(stage).observe(time.perf_counter() - started)
                return self._generation == generation
        return False

    async def _watch_lag(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for tp, offset in self._next_offset.items():
                end = self._app.consumer.highwater(tp)
                if end is not None:
                    self._metrics.lag.labels(tp.topic, str(tp.partition)).set(max(0, end - offset))


def _record(fetched: Any) -> Record:
    return Record(
        fetched.topic,
        fetched.partition,
        fetched.offset,
        fetched.timestamp,
        fetched.key,
        fetched.value,
        fetched.headers,
    )


async def _bounded(stopping: Any, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping, seconds)
    except TimeoutError:
        log.warning("the stop took too long and was cut short; nothing is lost, the last batch will be repeated")
