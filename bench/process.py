"""A contender's process: started, watched, measured, and ended by its own id."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from services.local.child import Child, Command

T = TypeVar("T")
LAST_LINES = 12


class Contender:
    def __init__(self, child: Child) -> None:
        self.child = child
        self._log_start = child.command.log.stat().st_size if child.command.log.exists() else 0

    async def ready(self, within: float = 180.0) -> float:
        """The monotonic time at which the contender said that it is ready."""

        async def waits() -> str:
            return "" if self._said() else "not ready yet"

        await self.child.ready(waits, within)
        return float(self._said()[-1].split()[1])

    def _said(self) -> list[str]:
        with self.child.command.log.open(errors="replace") as log:
            log.seek(self._log_start)
            # a line may be half written
            return [line for line in log if line.startswith("ready ") and line.endswith("\n")]

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``. Raises ``ChildDiedError`` when the contender ends before."""
        task = asyncio.ensure_future(work)
        died = asyncio.ensure_future(self.child.died())
        await asyncio.wait((task, died), return_when=asyncio.FIRST_COMPLETED)
        for each in (task, died):
            if not each.done():
                each.cancel()
        await asyncio.gather(task, died, return_exceptions=True)
        return task.result() if not task.cancelled() else died.result()  # type: ignore[return-value]

    def cpu_seconds(self) -> float:
        """Of all threads since the start. Linux only."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """The most memory that was resident so far. Linux only."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024


@asynccontextmanager
async def running(name: str, arguments: Sequence[str], folder: Path) -> AsyncIterator[Contender]:
    """``arguments`` as a process that is killed at the end: no contender has anything to lose then."""
    folder.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": root} if arguments[0] == sys.executable else dict(os.environ)
    child = Child(Command(name=name, arguments=arguments, log=folder / "log", environment=environment))
    contender = Contender(child)
    await child.start()
    try:
        yield contender
    except Exception as error:
        lines = child.command.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        error.add_note(f"The end of what {name} said:\n" + "\n".join(lines))
        raise
    finally:
        await child.kill()
