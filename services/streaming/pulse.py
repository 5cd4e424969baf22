"""Whether this process has been running all along.

A process that was stopped for longer than its session (SIGSTOP, a suspended machine, a loop that was blocked) is no longer the
owner of anything and does not know it yet. The event loop notes the time at every beat, and nobody else does: right after it
wakes, the last beat is old, whoever asks first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

BEAT_SECONDS = 0.2


class Pulse:
    """``missed`` stays true, once the pulse was out for ``limit`` seconds, until ``restart``."""

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._last = clock()
        self._missed = False

    @property
    def missed(self) -> bool:
        self._missed = self._missed or self._clock() - self._last > self._limit
        return self._missed

    def beat(self) -> None:
        if not self.missed:
            self._last = self._clock()

    def restart(self) -> None:
        self._last, self._missed = self._clock(), False

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(BEAT_SECONDS)
