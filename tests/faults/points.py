"""Named points of a worker's way at which it can be made to send itself a signal.

They sit at the border to the Kafka client and to the handler, never inside the engine, so they hold for any engine:

- ``handle``: the handler has computed a batch, nothing of it is sent
- ``output``: the broker has acknowledged alerts, the changelog does not have them
- ``handed``: a changelog batch is with the producer and not yet on its way (a process frozen here sends it when it wakes)
- ``changelog``: the broker has acknowledged a changelog batch, the store does not have it
- ``commit``: offsets are about to be committed
- ``slow``: alerts are held back for two seconds, then this point is passed and they are never sent
- ``restore``: a fetch of the changelog has come in (a worker fetches it only while it restores or follows)
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.fetcher import Fetcher

from services.streaming.handler import Outcome, Record
from tests.faults.ledger import LedgerJob, Topics

NAMES = ("handle", "output", "handed", "changelog", "commit", "slow", "restore")
SLOW_SECONDS = 2.0

_on_handle: list[Callable[[], None]] = []


class _Watched(LedgerJob):
    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        outcome = super().handle(records, states)
        for passed in _on_handle:
            passed()
        return outcome


def watched(job: LedgerJob) -> LedgerJob:
    """The job, with the point ``handle`` in it."""
    return _Watched(job.topics)


def arm(orders: str, topics: Topics) -> None:
    """Do as ``POINT:COUNT:SIGNAL`` says (several are separated by commas)."""
    for order in orders.split(","):
        point, count, name = order.split(":")
        _PLACES[point](_counted(int(count), signal.Signals[f"SIG{name}"]), topics)


def _counted(count: int, number: signal.Signals) -> Callable[[], None]:
    left, lock = count, threading.Lock()  # the consumer runs in a thread of its own

    def passed() -> None:
        nonlocal left
        with lock:
            left -= 1
            now = left == 0
        if now:
            os.kill(os.getpid(), number)

    return passed


def _handle(passed: Callable[[], None], _: Topics) -> None:
    _on_handle.append(passed)


def _acknowledged(of: Callable[[Topics], str]) -> Callable[[Callable[[], None], Topics], None]:
    def place(passed: Callable[[], None], topics: Topics) -> None:
        async def send_batch(self: Any, batch: Any, topic: str, *, partition: int) -> Any:
            future = await original(self, batch, topic, partition=partition)
            if topic == of(topics):
                future.add_done_callback(lambda done: None if done.cancelled() or done.exception() else passed())
            return future

        original = _replace(AIOKafkaProducer, "send_batch", send_batch)

    return place


def _handed(passed: Callable[[], None], topics: Topics) -> None:
    async def send_batch(self: Any, batch: Any, topic: str, *, partition: int) -> Any:
        future = await original(self, batch, topic, partition=partition)
        if topic == topics.changelog:
            passed()
        return future

    original = _replace(AIOKafkaProducer, "send_batch", send_batch)


def _slow(passed: Callable[[], None], topics: Topics) -> None:
    sent = 0

    async def send_batch(self: Any, batch: Any, topic: str, *, partition: int) -> Any:
        nonlocal sent
        if topic == topics.alerts:
            sent += 1
            if sent > SLOW_AFTER:
                await asyncio.sleep(SLOW_SECONDS)
                passed()
        return await original(self, batch, topic, partition=partition)

    original = _replace(AIOKafkaProducer, "send_batch", send_batch)


SLOW_AFTER = 50
"""Batches of alerts that go out before the broker "becomes slow"."""


def _commit(passed: Callable[[], None], _: Topics) -> None:
    async def commit(self: Any, offsets: Any = None) -> None:
        passed()
        await original(self, offsets)

    original = _replace(AIOKafkaConsumer, "commit", commit)


RESTORE_RECORDS = 500
"""A worker with the point ``restore`` reads no more at a time: a restore in two large fetches would have no middle."""


def _restore(passed: Callable[[], None], topics: Topics) -> None:
    async def fetched_records(self: Any, partitions: Any, *arguments: Any, **options: Any) -> Any:
        options["max_records"] = RESTORE_RECORDS
        fetched = await original(self, partitions, *arguments, **options)
        if any(tp.topic == topics.changelog and records for tp, records in fetched.items()):
            passed()
        return fetched

    original = _replace(Fetcher, "fetched_records", fetched_records)


def _replace(kind: type, name: str, new: Any) -> Any:
    original = getattr(kind, name)
    setattr(kind, name, new)
    return original


_PLACES: dict[str, Callable[[Callable[[], None], Topics], None]] = {
    "handle": _handle,
    "output": _acknowledged(lambda topics: topics.alerts),
    "handed": _handed,
    "changelog": _acknowledged(lambda topics: topics.changelog),
    "commit": _commit,
    "slow": _slow,
    "restore": _restore,
}
