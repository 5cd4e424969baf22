"""One supervised process: started, watched, stopped within its share of time, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from services.local import launch
from services.local.errors import ChildDiedError, StackError

T = TypeVar("T")
Waits = Callable[[], Awaitable[str]]
"""Says what a child still waits for; an empty text means it is ready."""

LAST_LINES = 12
LARGE_LOG = 10 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a child is run. ``user`` is for ``launch.py``; ``share`` is the seconds that a stop may take."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None
    user: str = "-"
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    share: float = 4.0


class Child:
    """A running ``Command``. It has its own session, so that Ctrl-C in a terminal reaches the supervisor only."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._asked = False
        self._died = asyncio.Event()
        self._log_start = 0

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.command.name} was not started"
        return self._process.pid

    async def start(self) -> None:
        command = self.command
        with _opened(command.log) as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__),
                *(str(os.getpid()), str(int(command.orphan_signal)), command.user, *command.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(command.environment),
                cwd=command.cwd,
                start_new_session=True,
            )
        self._asked = False
        self._died.clear()
        self._watch = asyncio.create_task(self._wait(self._process))

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        if not self._asked:
            self._died.set()

    async def ready(self, waits: Waits, within: float, say: Callable[[str], None] = lambda _: None) -> None:
        """Return when ``waits`` has nothing to say. Raises ``ChildDiedError``, or ``StackError`` after ``within`` seconds."""
        reason = ""

        async def poll() -> None:
            nonlocal reason
            while reason := await waits():
                say(f"{self.command.name}: {reason}")
                await asyncio.sleep(0.05)

        try:
            async with asyncio.timeout(within):
                await first(poll(), self.died())
        except TimeoutError:
            raise StackError(
                f"{self.command.name} was not ready after {within:.0f} s: {reason or 'no answer'}. "
                f"Its log is {self.command.log}."
            ) from None

    async def died(self) -> None:
        """Raise ``ChildDiedError`` when the process ends without having been asked to."""
        await self._died.wait()
        raise ChildDiedError(self._epitaph())

    def _epitaph(self) -> str:
        assert self._process is not None
        code = self._process.returncode or 0
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        end = _end(self.command.log, self._log_start)
        full = " The disk is full: free some space and start again." if "No space left" in end else ""
        # the frames of a Java trace would push out what it is about
        lines = [line for line in end.splitlines() if not line.startswith("\tat ")][-LAST_LINES:]
        quoted = "".join(f"\n  {line}" for line in lines) or " (nothing in it)"
        return f"{self.command.name} ended with {how}.{full} The end of its log {self.command.log}:{quoted}"

    async def stop(self) -> bool:
        """Ask the process to end and kill it after its share; whether it ended by itself."""
        self._signal(self.command.stop_signal)
        if self._watch is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._watch), self.command.share)
                return True
        await self.kill()
        return False

    def kill_now(self) -> None:
        """End the process by its own id, without waiting for its end."""
        self._signal(signal.SIGKILL)

    async def kill(self) -> None:
        """End the process by its own id."""
        self.kill_now()
        if self._watch is not None:
            await self._watch

    def _signal(self, number: signal.Signals) -> None:
        self._asked = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


async def first(*waiting: Awaitable[None]) -> None:
    """Wait for the first to end, cancel the others, raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def together(*waiting: Coroutine[Any, Any, T]) -> list[T]:
    """What all return; when one fails the others have ended before it is raised."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_to_end(command: Command) -> None:
    """Run a command that ends by itself. Raises ``ChildDiedError`` when it fails; a cancelled wait kills it."""
    child = Child(command)
    await child.start()
    assert child._process is not None
    try:
        code = await child._process.wait()
    finally:
        await child.kill()
    if code != 0:
        raise ChildDiedError(child._epitaph())


def _opened(log: Path) -> IO[bytes]:
    """The log to write to, set aside first when it has grown large."""
    if log.exists() and log.stat().st_size > LARGE_LOG:
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")


def _end(log: Path, start: int) -> str:
    """The end of a log that may be large, nothing from before ``start`` (bytes)."""
    if not log.exists():
        return ""
    size = log.stat().st_size
    with log.open("rb") as file:
        # a log that became shorter was set aside meanwhile
        file.seek(max(start if start <= size else 0, size - 16384))
        return file.read().decode(errors="replace")
