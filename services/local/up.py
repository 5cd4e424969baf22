"""`rxvigil up`: the whole of rxvigil on this machine until Ctrl-C or until a part of it dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.local.errors import ChildDiedError, StackError
from services.local.postgres import without_password
from services.local.stack import Stack
from services.runtime.service import COULD_NOT_START, FAILED, INTERRUPTED, OK
from services.runtime.settings import Settings


async def run(data_dir: Path, settings: Settings, console: Console) -> int:
    """Run the stack on a data directory and print its addresses.

    The exit code: 0 when told to stop, 1 when a child died, 2 when the stack could not start. A second signal ends
    everything at once, with 130.
    """
    return await run_until_told(Stack(data_dir, settings=settings, console=console), console)


async def run_until_told(stack: Stack, console: Console) -> int:
    stop = asyncio.Event()

    def told() -> None:
        if stop.is_set():
            stack.kill()
            console.show_cursor()
            os._exit(INTERRUPTED)
        stop.set()

    with _on_signals(told):
        running = asyncio.create_task(_run(stack, console))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            console.print("stopping")
            running.cancel()
        stopped.cancel()
        try:
            return await running
        except asyncio.CancelledError:
            return OK


async def _run(stack: Stack, console: Console) -> int:
    started = False
    try:
        async with stack:
            started = True
            console.print(_addresses(stack))
            await stack.wait()
    except StackError as error:
        what = "a part of rxvigil died" if started else "rxvigil cannot start"
        console.print(f"{what}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return FAILED if started and isinstance(error, ChildDiedError) else COULD_NOT_START
    return OK


def _addresses(stack: Stack) -> Table:
    table = Table("what", "where", box=None, pad_edge=False)
    if "notify" in stack.urls:
        table.add_row("page", f"{stack.urls['notify']}/")
    if "ingest" in stack.urls:
        table.add_row("FHIR", f"POST {stack.urls['ingest']}/fhir")
    for service, url in stack.urls.items():
        table.add_row(f"metrics of {service}", f"{url}/metrics")
    table.add_row("Kafka", stack.brokers)
    table.add_row("Postgres", without_password(stack.database_url))
    table.add_row("data and logs", str(stack.data_dir))
    return table


@contextmanager
def _on_signals(told: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
