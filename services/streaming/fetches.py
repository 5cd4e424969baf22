"""What a lane has to read: fetches queued in order, taken a batch at a time.

A batch is coalesced from what is there, bounded in records and in bytes; a fetch that is larger is taken in parts and counts
as read with its last one. Records are the client's own objects: they have what ``Record`` has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from services.streaming.handler import Record

MAX_BATCH_RECORDS = 20_000
MAX_BATCH_BYTES = 4 << 20
MAX_QUEUE_BYTES = 4 << 20
"""A lane with more than this waiting asks the broker for nothing; one fetch more may be under way."""


class Part(NamedTuple):
    """One batch; ``ends`` acknowledge the fetches that end in it."""

    records: list[Record]
    ends: list[Callable[[], None]]


class _Fetch:
    __slots__ = ("ack", "bytes", "records", "taken")

    def __init__(self, records: Sequence[Any], ack: Callable[[], None]) -> None:
        self.records, self.ack, self.taken = records, ack, 0
        self.bytes = sum(len(record.value or b"") for record in records)


class FetchQueue:
    """One writer, one reader, one event loop."""

    def __init__(self, max_records: int = MAX_BATCH_RECORDS, max_bytes: int = MAX_BATCH_BYTES) -> None:
        self._max_records, self._max_bytes = max_records, max_bytes
        self._fetches: deque[_Fetch] = deque()
        self._filled = asyncio.Event()
        self.records = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        return self.bytes >= MAX_QUEUE_BYTES

    def put(self, records: Sequence[Any], ack: Callable[[], None]) -> None:
        """``records`` are the client's, in order of their offsets; ``ack`` is called when the last of them is done."""
        fetch = _Fetch(records, ack)
        self._fetches.append(fetch)
        self.records += len(records)
        self.bytes += fetch.bytes
        self._filled.set()

    def clear(self) -> None:
        self._fetches.clear()
        self.records = self.bytes = 0
        self._filled.clear()

    async def filled(self) -> None:
        """Wait until there is something to take, or ``wake``."""
        await self._filled.wait()

    def wake(self) -> None:
        self._filled.set()

    def rest(self) -> None:
        """Undo ``wake``."""
        if not self._fetches:
            self._filled.clear()

    def take(self, limit: int = MAX_BATCH_RECORDS) -> Part:
        """The next batch, of at most ``limit`` records; empty when nothing waits."""
        limit = min(limit, self._max_records)
        part = Part([], [])
        room = self._max_bytes
        while self._fetches and len(part.records) < limit and room > 0:
            fetch = self._fetches[0]
            room -= self._move(fetch, part.records, limit - len(part.records), room)
            if fetch.taken == len(fetch.records):
                self._fetches.popleft()
                part.ends.append(fetch.ack)
        if not self._fetches:
            self._filled.clear()
        return part

    def _move(self, fetch: _Fetch, into: list[Record], limit: int, room: int) -> int:
        """Records of ``fetch`` until one of the bounds is reached; the bytes moved."""
        records = fetch.records[fetch.taken : fetch.taken + limit]
        moved = fetch.bytes
        if len(records) < len(fetch.records) or moved > room:
            moved = 0
            for number, record in enumerate(records, 1):
                moved += len(record.value or b"")
                if moved >= room:
                    records = records[:number]
                    break
        into += records
        fetch.taken += len(records)
        self.records -= len(records)
        self.bytes -= moved
        return moved
