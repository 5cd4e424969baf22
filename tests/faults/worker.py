"""One worker of a fault run: `python -m tests.faults.worker BROKERS FOLDER --run RUN --status FILE`.

It runs the engine with the job of ``ledger.py`` until SIGTERM, and writes to the status file what the engine still waits
for (nothing: it is ready). ``--at POINT:COUNT:SIGNAL`` sends itself a signal when a point is passed for the COUNTth time
(``points.py``); ``--broken NAME`` breaks the engine on purpose (``broken.py``); ``--file-limit BYTES`` is the stand-in for
a full disk where no small file system can be mounted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import signal
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.runtime import logs
from services.runtime.service import FAILED, OK, until_stopped
from services.streaming.faust_engine import Engine
from services.streaming.metrics import StreamMetrics
from tests.faults import broken, points
from tests.faults.ledger import LedgerJob, Topics

STOP_SECONDS = 10.0
STATUS_SECONDS = 0.1


def main() -> int:
    arguments = _parser().parse_args()
    logs.configure("info", "console")
    topics = Topics(arguments.run)
    if arguments.broken:
        broken.BUILDS[arguments.broken]()
    if arguments.at:
        points.arm(arguments.at, topics)
    if arguments.file_limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit then fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.file_limit, arguments.file_limit))
    try:
        asyncio.run(_run(arguments, topics))
    except Exception as error:
        print(f"the worker ends: {error!r}", file=sys.stderr, flush=True)
        return FAILED
    return OK


async def _run(arguments: argparse.Namespace, topics: Topics) -> None:
    engine = Engine(
        app_id=arguments.run,
        brokers=arguments.brokers,
        topics=[topics.facts, topics.answers],
        handler=points.watched(LedgerJob(topics)),
        state="ledger",
        state_dir=arguments.folder,
        partitions=arguments.partitions,
        metrics=StreamMetrics(CollectorRegistry()),
    )

    async def tell() -> None:
        while True:
            with contextlib.suppress(OSError):
                arguments.status.write_text(f"waits for {reason}" if (reason := engine.ready()) else "ready")
            await asyncio.sleep(STATUS_SECONDS)

    telling = asyncio.create_task(tell())
    try:
        await until_stopped(lambda stop: engine.run(stop, STOP_SECONDS))
    finally:
        telling.cancel()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.worker")
    parser.add_argument("brokers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", required=True)
    parser.add_argument("--status", type=Path, required=True)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--at", default="")
    parser.add_argument("--broken", choices=broken.BUILDS, default=None)
    parser.add_argument("--file-limit", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
