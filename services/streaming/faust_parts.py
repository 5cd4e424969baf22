"""The few parts of Faust that are replaced so that a partition fetch travels as one event, all at public extension points:
the consumer scheduler, the schema, the consumer of the transport, and the table.

Why each is needed is in docs/design.md, "The engine".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import faust
import rocksdict
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AIOKafkaTransport
from faust.transport.utils import DefaultSchedulingStrategy
from yarl import URL


class ForeignPartitionError(RuntimeError):
    """A changelog record came for a partition that this worker neither owns nor follows."""


class PassThrough(faust.Schema[Any, Any]):
    """Hands the list of records through untouched."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:
        return message.value


def scheduler(batched: frozenset[str]) -> type[DefaultSchedulingStrategy]:
    """A scheduler that yields one synthetic record for each partition fetch of the ``batched`` topics: its offset is the
    last one of the fetch and its value the list of records."""

    class BatchScheduler(DefaultSchedulingStrategy):
        def iterate(self, records: Mapping[Any, list[Any]]) -> Iterator[tuple[Any, Any]]:
            others = {}
            for tp, fetched in records.items():
                if tp.topic not in batched:
                    others[tp] = fetched
                elif fetched:
                    yield tp, _as_one(fetched)
            if others:
                yield from super().iterate(others)

    return BatchScheduler


def _as_one(fetched: list[Any]) -> SimpleNamespace:
    last = fetched[-1]
    return SimpleNamespace(
        topic=last.topic,
        partition=last.partition,
        offset=last.offset,
        timestamp=last.timestamp,
        timestamp_type=last.timestamp_type,
        headers=[],
        key=None,
        value=fetched,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
    )


FETCH_WAIT_MS = 50
"""How long a fetch waits for data. The client has one fetch in flight to a broker: data for a partition that this fetch
does not ask for waits until it returns, and Faust lets it wait for 1,500 ms."""


class _Thread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust passes a constant, and the client reads its own when it starts
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


def use_batch_transport(app: faust.App, brokers: list[URL], batched: frozenset[str]) -> None:
    """Give ``app`` a consumer that commits behind the last acked fetch, whose offsets are not contiguous by design."""

    class BatchConsumer(AIOKafkaConsumer):
        def _new_consumer_thread(self) -> Any:
            return _Thread(self, loop=self.loop, beacon=self.beacon)

        async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
            if tp.topic not in batched:
                await super()._add_gap(tp, offset_from, offset_to)

        def _new_offset(self, tp: Any) -> Any:
            if tp.topic not in batched:
                return super()._new_offset(tp)
            acked = self._acked[tp]
            if not acked:
                return None
            last = max(acked)
            self._acked_index[tp].difference_update(acked)
            acked.clear()
            return last + 1

    class BatchTransport(AIOKafkaTransport):
        Consumer = BatchConsumer

    app.transport = BatchTransport(brokers, app, app.loop)


class BatchTable(faust.Table[Any, Any]):
    """A Faust table whose values are opaque bytes, read and written a batch at a time.

    Each write goes into RocksDB as one ``WriteBatch`` together with the changelog offset that it stands at, so a crash
    leaves a store that says truly how far it is.
    """

    def _rocks(self) -> Any:
        return self.data

    def read(self, partition: int, keys: list[bytes]) -> dict[bytes, bytes | None]:
        """The stored values of ``keys``."""
        db = self._rocks()._db_for_partition(partition)
        return {key: db.get(key) for key in keys}

    def write(self, partition: int, changes: Mapping[bytes, bytes | None], changelog_offset: int | None) -> None:
        """Store ``changes`` (None erases), which the changelog holds up to ``changelog_offset``."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if changelog_offset is not None:
            batch.put(self._rocks().offset_key, str(changelog_offset).encode())
        self._rocks()._db_for_partition(partition).write(batch)

    def close(self, partitions: Iterable[int] | None = None) -> None:
        """Close the stores of ``partitions`` (all by default), which lets go of their locks; reading opens them again."""
        stores: dict[int, Any] = self._rocks()._dbs
        for partition in list(stores) if partitions is None else partitions:
            store = stores.pop(partition, None)
            if store is not None:
                store.close()

    def apply_changelog_batch(self, batch: Any) -> None:
        """Restore: each event is a whole fetch of the changelog."""
        for event in batch:
            message = event.message
            if message.topic != self.changelog_topic.get_topic_name():
                raise ForeignPartitionError(f"a record of {message.topic} came to the table {self.name}")
            changes = {record.key: record.value for record in message.value}
            self.write(message.partition, changes, message.offset)

    async def on_changelog_event(self, event: Any) -> None:
        """Nothing to do per event: the keys of a batch are not known before it is read."""
