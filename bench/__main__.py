"""`make bench`: throughput of the monitor and event-to-alert time, with the no-framework peer in the same run.

    python -m bench [--events 60000] [--rate 1000] [--seconds 10] [--rounds 3]

Prints one line a figure; ratios are against the peer of the same round. Needs nothing but the embedded broker, which it
starts in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from bench.events import events
from schemas import codec, topics
from schemas.cloudevents import event_headers
from schemas.events import AnyEvent
from services.local.stack import Stack
from services.runtime.settings import Settings
from services.runtime.topics import ensure_topics
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

CONTENDERS = ("engine", "peer")
BEGIN = 500
"""Events that are not counted: both contenders warm up on them."""


def record(event: AnyEvent) -> Send:
    return Send(topics.EVENTS, event.patient_id.encode(), codec.encode(event), event_headers(event))


@asynccontextmanager
async def producing(brokers: str) -> AsyncIterator[BatchProducer]:
    producer = BatchProducer(brokers, "bench-load")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def contender(name: str, brokers: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.worker", name, brokers, str(folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def throughput(name: str, brokers: str, folder: Path, count: int) -> float:
    """Events per second over ``count`` events that wait in the topic."""
    async with producing(brokers) as producer:
        pending = [record(event) for event in events(count)]
        for start in range(0, count, 5000):
            await producer.send(pending[start : start + 5000])
    async with contender(name, brokers, folder) as process:
        assert process.stdout is not None
        first: int | None = None
        async for line in process.stdout:
            done = json.loads(line)
            first = done["records"] if first is None else first
            if done["records"] >= count * 0.9 and done["seconds"] > 0:
                return float(done["records"] / done["seconds"])
    raise RuntimeError(f"{name} ended before it had read the load")


async def event_to_alert(name: str, brokers: str, folder: Path, rate: int, seconds: int) -> tuple[float, float]:
    """Median and 99th percentile in seconds from the send of an event to its alert at a reader."""
    sent: dict[str, float] = {}
    delays: list[float] = []

    async def read() -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="latest", fetch_max_wait_ms=50)
        await consumer.start()
        consumer.assign(
            [TopicPartition(topics.ALERTS, number) for number in range(topics.topics()[topics.ALERTS].partitions)]
        )
        try:
            while True:
                for fetched in (await consumer.getmany(timeout_ms=100)).values():
                    now = time.perf_counter()
                    for each in fetched:
                        facts = codec.decode_alert(each.value).history[-1].facts
                        times = [sent[fact.record_id] for fact in facts if fact.record_id in sent]
                        if times:
                            delays.append(now - max(times))
        finally:
            await consumer.stop()

    async with producing(brokers) as producer, contender(name, brokers, folder) as process:
        reader = asyncio.create_task(read())
        drain = asyncio.create_task(_drain(process))
        await producer.send([record(event) for event in events(BEGIN, seed=1)])
        await asyncio.sleep(8)
        began = time.perf_counter()
        for number, event in enumerate(events(rate * seconds, seed=2)):
            sent[event.record_id] = time.perf_counter()
            asyncio.create_task(producer.send([record(event)]))  # noqa: RUF006
            ahead = began + (number + 1) / rate - time.perf_counter()
            if ahead > 0.002:
                await asyncio.sleep(ahead)
        await asyncio.sleep(3)
        reader.cancel()
        drain.cancel()
    percentiles = statistics.quantiles(delays, n=100)
    return percentiles[49], percentiles[98]


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async for _ in process.stdout:
        pass


async def empty_topics(brokers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.delete_topics(list(topics.topics()))
    await admin.close()
    await asyncio.sleep(2)
    await ensure_topics(brokers)


async def main(options: argparse.Namespace) -> None:
    console = Console()
    with tempfile.TemporaryDirectory(prefix="rxvigil-bench-") as folder:
        root = Path(folder)
        async with Stack(root / "stack", services=(), settings=Settings(), console=console) as stack:
            for round_number in range(options.rounds):
                rates = {}
                for name in CONTENDERS:
                    await empty_topics(stack.brokers)
                    state = root / f"{name}-{round_number}"
                    rates[name] = await throughput(name, stack.brokers, state, options.events)
                    console.print(f"round {round_number + 1}  throughput  {name:<7} {rates[name]:>9,.0f} events/s")
                console.print(
                    f"round {round_number + 1}  throughput  engine/peer {rates['engine'] / rates['peer']:.2f}"
                )
            for name in CONTENDERS:
                await empty_topics(stack.brokers)
                p50, p99 = await event_to_alert(
                    name, stack.brokers, root / f"{name}-delay", options.rate, options.seconds
                )
                console.print(
                    f"event to alert at {options.rate}/s  {name:<7} p50 {p50 * 1000:.1f} ms  p99 {p99 * 1000:.1f} ms"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=60_000, help="events of a throughput round (default %(default)s)")
    parser.add_argument("--rate", type=int, default=1000, help="events a second for the delay (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="length of the delay run (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="throughput rounds (default %(default)s)")
    uvloop.run(main(parser.parse_args()))
