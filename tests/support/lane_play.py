"""A lane with a broker that a test plays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from services.streaming.changelog import Changelog
from services.streaming.handler import Headers, Send
from services.streaming.lane import Lane, Memory, Shared
from services.streaming.metrics import StreamMetrics
from services.streaming.producer import Packed, Span
from services.streaming.pulse import Pulse
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore
from tests.support.counting import Counting

EPOCH = 7


class Broker:
    """Notes what is written, in order, into ``log``. A gate that is closed holds acknowledgements back."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.changelog: list[Any] = []
        self.sent: list[Send] = []
        self.gates = {"send": asyncio.Event(), "changelog": asyncio.Event()}
        self.errors: list[Exception] = []
        for gate in self.gates.values():
            gate.set()

    async def send(self, sends: Sequence[Send], headers: Headers = ()) -> None:
        self.log.append("send")
        await self.gates["send"].wait()
        if self.errors:
            raise self.errors.pop(0)
        self.sent += [send._replace(headers=headers) for send in sends]
        self.log.append("sent")

    async def append(self, topic: str, partition: int, records: Iterable[Packed]) -> list[Span]:
        self.log.append("changelog")
        first = len(self.changelog)
        self.changelog += [
            SimpleNamespace(key=key, value=value, headers=tuple(headers)) for key, value, headers in records
        ]
        await self.gates["changelog"].wait()
        self.log.append("changed")
        written = len(self.changelog) - first
        return [Span(first, written)] if written else []

    def foreign(self, key: bytes, value: bytes, epoch: int) -> None:
        """A record of another writer."""
        headers = (("epoch", str(epoch).encode()),)
        self.changelog.append(SimpleNamespace(key=key, value=value, headers=headers))

    async def read(self, topic: str, partition: int, start: int, end: int) -> list[Any]:
        return self.changelog[start:end]

    def last(self, key: bytes) -> Any:
        return json.loads(next(r.value for r in reversed(self.changelog) if r.key == key))


class Play:
    def __init__(self, folder: Path, limits: RefusalLimits) -> None:
        self.now = 0.0
        self.broker = Broker()
        self.metrics = StreamMetrics(CollectorRegistry())
        self.pulse = Pulse(8, lambda: self.now)
        self.store = PartitionStore(folder)
        self.ended: list[Exception] = []
        self.acked: list[int] = []
        self.batches: list[int] = []
        self.offset = 0
        broker: Any = self.broker
        shared = Shared(Counting("out"), broker, self.metrics, self.pulse, limits, 1 << 20, self.observe)
        changelog = Changelog(broker, self.broker.read, "changelog", 0, EPOCH, 0)
        self.lane = Lane(0, EPOCH, shared, Memory(self.store, changelog), self.ended.append)

    def observe(self, records: Sequence[Any], sends: Sequence[Send]) -> None:
        self.batches.append(len(records))

    def fetch(self, *values: bytes, key: bytes = b"k", at: int = 0) -> None:
        records = []
        for value in values:
            records.append(
                SimpleNamespace(
                    topic="in", partition=0, offset=self.offset, timestamp=at, key=key, value=value, headers=()
                )
            )
            self.offset += 1
        last = self.offset - 1

        def ack() -> None:
            self.broker.log.append("ack")
            self.acked.append(last)

        self.lane.put(records, ack)

    def stored(self, key: bytes = b"k") -> Any:
        value = self.store.read(key)
        return None if value is None else json.loads(value)["count"]

    async def until(self, what: str, times: int = 1) -> None:
        async with asyncio.timeout(5):
            while self.broker.log.count(what) < times:
                await asyncio.sleep(0)

    async def settle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)
