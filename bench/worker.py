"""One contender in Python in a process of its own: ``python -m bench.worker engine|loop job|monitor RUN``.

Prints ``ready`` and the monotonic time when partitions are assigned and state is restored.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from bench import peer, run
from bench.job import JobHandler
from knowledge.loader import load
from services.monitor.handler import TOPICS, MonitorHandler
from services.runtime.service import until_stopped
from services.streaming.faust_engine import Engine
from services.streaming.handler import Handler
from services.streaming.metrics import StreamMetrics

AT = datetime(2027, 11, 1, tzinfo=UTC)
"""The monitor's time of receipt. It stands, so that a recomputation gives the same alerts."""


def monitor() -> MonitorHandler:
    return MonitorHandler(load(), lambda _: AT)


async def engine(settings: run.Run, topics: tuple[str, ...], handler: Handler) -> None:
    contender = Engine(
        app_id=settings.group,
        brokers=settings.brokers,
        topics=topics,
        handler=handler,
        state="state",
        state_dir=Path(settings.folder) / "state",
        partitions=settings.partitions,
        metrics=StreamMetrics(CollectorRegistry()),
        standby_replicas=settings.standbys,
    )

    async def tell() -> None:
        while contender.ready():
            await asyncio.sleep(0.02)
        print("ready", time.monotonic(), flush=True)

    telling = asyncio.create_task(tell())
    await until_stopped(lambda stop: contender.run(stop, 10))
    telling.cancel()


async def loop(settings: run.Run, topics: tuple[str, ...], handler: Handler) -> None:
    print("ready", time.monotonic(), flush=True)
    await peer.run(settings.brokers, settings.group, topics, settings.changelog, handler)


def main(contender: str, job: str, path: str) -> None:
    settings = run.read(path)
    topics = (settings.input,) if job == "job" else TOPICS
    handler: Handler = JobHandler(settings.knowledge, settings.output) if job == "job" else monitor()
    uvloop.run((engine if contender == "engine" else loop)(settings, topics, handler))


if __name__ == "__main__":
    main(*sys.argv[1:])
