"""One contender in a process of its own: `python -m bench.worker engine|peer BROKERS STATE_DIR`.

Prints a line of JSON after every batch: records handled and seconds passed since the end of the first one.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench import peer
from knowledge.loader import load
from schemas import topics
from services.monitor.handler import TOPICS, MonitorHandler
from services.monitor.metrics import MonitorMetrics
from services.monitor.wiring import APP_ID, STATE
from services.runtime.clock import system_clock
from services.runtime.service import until_stopped
from services.streaming.faust_engine import Engine
from services.streaming.handler import Record, Send


class Progress:
    """Counts what was delivered; the clock starts with the end of the first batch, which is not counted."""

    def __init__(self, metrics: MonitorMetrics) -> None:
        self._metrics = metrics
        self._records = 0
        self._started = 0.0

    def __call__(self, records: Sequence[Record], sends: Sequence[Send]) -> None:
        now = time.perf_counter()
        self._metrics.observe(records, sends)
        if not self._started:
            self._started, self._records = now, -len(records)
        self._records += len(records)
        print(json.dumps({"records": self._records, "seconds": now - self._started}), flush=True)


async def engine(brokers: str, state_dir: Path) -> None:
    metrics = MonitorMetrics()
    contender = Engine(
        app_id=APP_ID,
        brokers=brokers,
        topics=TOPICS,
        handler=MonitorHandler(load(), lambda _: system_clock()),
        state=STATE,
        state_dir=state_dir,
        metrics=metrics.stream,
        observe=Progress(metrics),
    )
    await until_stopped(lambda stop: contender.run(stop, 10))


async def no_framework(brokers: str, state_dir: Path) -> None:
    handler = MonitorHandler(load(), lambda _: system_clock())
    task = asyncio.create_task(
        peer.run(brokers, "bench-peer", TOPICS, topics.PATIENT_STATE, handler, Progress(MonitorMetrics()))
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


if __name__ == "__main__":
    contender, brokers, state_dir = sys.argv[1:]
    uvloop.run((engine if contender == "engine" else no_framework)(brokers, Path(state_dir)))
