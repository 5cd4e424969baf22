"""Wakes whoever waits for a change of the store, whichever notify process made it."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import structlog

from services.notify.store.database import COMMAND_SECONDS, named
from services.notify.store.sql import load

_SQL = load("changes")
_CHANNEL = "rxvigil_notify"
_CHECK_SECONDS = 2.0
_RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def announce(connection: Any) -> None:
    """Wake everybody when the transaction of ``connection`` commits."""
    await connection.execute(_SQL["announce"], _CHANNEL)


class Changes:
    """Counts changes. ``number`` grows with each one seen, and after an interruption, when some may have been missed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = asyncio.Event()
        self._alive = False
        self.closed = False
        self.number = 0

    def ready(self) -> str:
        return "" if self._alive else "the database does not answer"

    def close(self) -> None:
        """Let everybody who waits go."""
        self.closed = True
        self._wake()

    async def wait(self, seen: int, seconds: float) -> int:
        """The number when it is no longer ``seen``, or after ``seconds``."""
        if self.number == seen and not self.closed:
            waiter = self._changed
            try:
                async with asyncio.timeout(seconds):
                    await waiter.wait()
            except TimeoutError:
                pass
        return self.number

    async def run(self) -> None:
        """Listen until cancelled; connects again when the connection is lost."""
        while True:
            try:
                await self._listen()
            except Exception as error:
                log.warning("the database does not answer; trying again", error=named(error))
            self._alive = False
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=COMMAND_SECONDS, command_timeout=COMMAND_SECONDS)
        try:
            await connection.add_listener(_CHANNEL, lambda *_: self._wake())
            self._alive = True
            self._wake()
            while True:
                await asyncio.sleep(_CHECK_SECONDS)
                await connection.execute(_SQL["alive"])
        finally:
            connection.terminate()

    def _wake(self) -> None:
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()
