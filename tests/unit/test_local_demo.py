"""How the demo ends."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from rich.console import Console

from services.local import demo
from services.runtime.settings import Settings


async def _told_to_stop(*_: Any) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()
    raise AssertionError


async def _broken_on_the_way_out(*_: Any) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.Event().wait()
    finally:
        raise OSError("the disk is full")


async def _over(*_: Any) -> int:
    return 1


@pytest.mark.parametrize(
    ("day", "once", "code"),
    [
        (_told_to_stop, False, 0),
        (_told_to_stop, True, 1),  # stopped before its verdict
        (_broken_on_the_way_out, False, 1),
        (_over, False, 1),
    ],
)
async def test_a_stop_is_the_normal_end_unless_a_verdict_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, day: Any, once: bool, code: int
) -> None:
    monkeypatch.setattr(demo, "_day", day)
    assert await demo.run(once=once, data_dir=None, settings=Settings(), console=Console(quiet=True)) == code
