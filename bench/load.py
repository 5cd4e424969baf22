"""The load generator in a process of its own: ``python -m bench.load RUN JSON``, the JSON being a ``Pace``.

Sends the monitor's events at a steady rate and, at the end, writes the monotonic time at which each was handed to the
producer into ``sent`` (doubles, by number of the event).
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from bench import job, run
from bench.events import events
from bench.throughput import monitor_record
from services.streaming.handler import Send


class Pace(msgspec.Struct):
    """``each``: every record is a produce request of its own. Otherwise records are collected for 5 ms as the producers of
    Java (since 4.0) and librdkafka do unless told otherwise. ``job`` is ``monitor`` or, over so many ``patients``, the
    common one."""

    rate: int
    seconds: float
    sent: str
    each: bool = False
    job: str = "monitor"
    patients: int = 0

    @property
    def count(self) -> int:
        return int(self.rate * self.seconds)


AHEAD = 200_000
"""Up to so many records are made before the first is sent; more would fill the memory and are made on the way."""


def records(settings: run.Run, pace: Pace) -> Iterable[Send]:
    made: Iterator[Send]
    if pace.job == "monitor":
        made = map(monitor_record, events(pace.count))
    else:
        made = (Send(settings.input, key, value) for key, value in job.events(pace.count, pace.patients))
    return list(made) if pace.count <= AHEAD else made


async def main(settings: run.Run, pace: Pace) -> None:
    waiting = records(settings, pace)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.brokers, acks="all", linger_ms=0 if pace.each else 5, max_batch_size=1 << 20
    )
    await producer.start()
    pending: set[asyncio.Future[Any]] = set()
    sent = array("d")
    print("ready", time.monotonic(), flush=True)
    began = time.monotonic()
    for number, record in enumerate(waiting):
        wait = began + number / pace.rate - time.monotonic()
        if wait > 0.001:
            await asyncio.sleep(wait)
        sent.append(time.monotonic())
        pending.add(await _send(producer, record, pace.each))
        if len(pending) > 2 * pace.rate:
            pending = {each for each in pending if not each.done()}
    await asyncio.gather(*pending)
    await producer.stop()
    path = Path(pace.sent)
    path.with_suffix(".part").write_bytes(sent.tobytes())
    path.with_suffix(".part").rename(path)  # whoever sees the file sees all of it
    await asyncio.sleep(5)  # a contender that ends by itself has failed; the reader ends this process before


async def _send(producer: AIOKafkaProducer, record: Send, each: bool) -> Any:
    """The acknowledgement to come."""
    headers = list(record.headers)
    if not each:
        return await producer.send(record.topic, record.value, record.key, headers=headers)
    batch = producer.create_batch()
    batch.append(key=record.key, value=record.value, timestamp=None, headers=headers)
    partitions = await producer.partitions_for(record.topic)
    assert record.key is not None
    return await producer.send_batch(batch, record.topic, partition=partition_of(record.key, len(partitions)))


def partition_of(key: bytes, partitions: int) -> int:
    """As every Kafka client computes it."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


if __name__ == "__main__":
    uvloop.run(main(run.read(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Pace)))
