"""The way to Postgres."""

from __future__ import annotations

from typing import Any

import asyncpg

COMMAND_SECONDS = 10.0
_CONNECTIONS = 8


async def open_pool(url: str) -> Any:
    """A pool that connects when it is first used, so that notify can start before Postgres does.

    What is in flight for more than ``COMMAND_SECONDS`` raises ``TimeoutError``.
    """
    return await asyncpg.create_pool(
        url, min_size=0, max_size=_CONNECTIONS, timeout=COMMAND_SECONDS, command_timeout=COMMAND_SECONDS
    )


def named(error: BaseException) -> str:
    """An error for a log line: its kind and Postgres' code, without the text, which may quote a row."""
    code = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
