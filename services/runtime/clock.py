"""The clock is injected: nothing but the wiring of a service reads the system time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant in UTC."""


def system_clock() -> datetime:
    return datetime.now(UTC)
