"""The changelog of one partition as its owner writes it, and what it does when somebody else has written there.

The owner knows at which offset its next record will stand. Another offset means that records of others stand between: of a
higher epoch, then this lane is the one that is no longer the owner; of lower epochs, then a former owner has woken up, and
what it wrote is written over, so that compaction, which keeps the last record of a key, keeps the right one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.streaming.dues import due_header
from services.streaming.epochs import epoch_of, headers_of
from services.streaming.errors import LaneLost
from services.streaming.producer import BatchProducer

Stored = Callable[[bytes], tuple[bytes | None, int | None]]
"""The value of a key as it is stored, and when it is due."""
ReadRange = Callable[[str, int, int, int], Awaitable[Sequence[Any]]]
"""Topic, partition, first offset, end: the records in between."""


class Changelog:
    """``expected`` is the offset at which the next record should stand."""

    def __init__(
        self, producer: BatchProducer, read_range: ReadRange, topic: str, partition: int, epoch: int, expected: int
    ) -> None:
        self._producer, self._read_range = producer, read_range
        self._topic, self._partition = topic, partition
        self.epoch, self.expected = epoch, expected
        self.overwritten = 0
        """Records of former owners that were found and are written over."""
        self._owed: set[bytes] = set()

    async def append(
        self,
        changes: Mapping[bytes, bytes | None],
        dues: Mapping[bytes, int],
        stored: Stored,
        alive: Callable[[], None],
    ) -> None:
        """Write ``changes`` and wait until the broker has them; they then end at ``expected``. ``dues`` goes with them.

        ``stored`` tells of a key that is not among the changes; ``alive`` raises when the lane may no longer
        write. Raises ``LaneLost`` when a newer owner has written; the changes may then stand in the changelog, where its
        epoch outdoes them. Raises ``KafkaError``; then call it again.
        """
        await self._write(changes, dues)
        while self._owed:
            alive()
            keys, self._owed = self._owed, set()
            try:
                again = {key: (changes[key], dues.get(key)) if key in changes else stored(key) for key in keys}
                await self._write(
                    {key: value for key, (value, _) in again.items()},
                    {key: at for key, (_, at) in again.items() if at is not None},
                )
            except BaseException:
                self._owed |= keys
                raise

    async def look(self, end: int, stored: Stored, alive: Callable[[], None]) -> None:
        """The changelog ends at ``end``, and the owner is not writing: deal with what others wrote as ``append`` does."""
        if end > self.expected:
            await self._pass(end)
            await self.append({}, {}, stored, alive)

    async def _write(self, changes: Mapping[bytes, bytes | None], dues: Mapping[bytes, int]) -> None:
        same = list(headers_of(self.epoch))
        records = (
            (key, value, [*same, due_header(dues[key])] if key in dues else same) for key, value in changes.items()
        )
        spans = await self._producer.append(self._topic, self._partition, records)
        for first, count in spans:
            if first < self.expected:
                # the broker had the batch already and no longer knows where; the restore will find it
                raise LaneLost("the broker could not say where a changelog batch stands")
            if first > self.expected:
                await self._pass(first)
            self.expected = first + count

    async def _pass(self, end: int) -> None:
        """What stands before ``end`` was written by others."""
        foreign = await self._foreign(self.expected, end)
        self.expected = end
        self._owed |= foreign
        self.overwritten += len(foreign)

    async def _foreign(self, start: int, end: int) -> set[bytes]:
        keys = set()
        for record in await self._read_range(self._topic, self._partition, start, end):
            epoch = epoch_of(record.headers)
            if epoch > self.epoch:
                raise LaneLost(
                    f"epoch {epoch} has written to {self._topic}/{self._partition}, this lane is {self.epoch}"
                )
            if epoch < self.epoch:  # its own are an attempt that was repeated
                keys.add(record.key)
        return keys


def range_reader(brokers: str) -> ReadRange:
    """Reads with a client of its own, made when it is needed: that is hardly ever."""

    async def read(topic: str, partition: int, start: int, end: int) -> list[Any]:
        at = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([at])
            consumer.seek(at, start)
            records: list[Any] = []
            while await consumer.position(at) < end:
                fetched = await consumer.getmany(at, timeout_ms=200)
                records += [record for record in fetched.get(at, ()) if record.offset < end]
            return records
        finally:
            await consumer.stop()

    return read
