"""The life of a service process: run until told to stop, stop within a bound, end at once when told twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from services.runtime.probes import HttpServer

OK = 0
FAILED = 1
COULD_NOT_START = 2
INTERRUPTED = 130


async def until_stopped(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Call ``run`` with an event that SIGTERM or SIGINT sets; a second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, told)
    try:
        await run(stop)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def serve(work: Callable[[asyncio.Event], Awaitable[None]], http: HttpServer) -> int:
    """Answer ``http`` and do ``work`` until the process is told to stop; the exit code."""
    await http.start()
    try:
        await until_stopped(work)
    finally:
        await http.stop()
    return OK
