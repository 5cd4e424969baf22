"""Values that may not be known."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UnsetType

T = TypeVar("T")


def known_or(value: T | UnsetType | None, otherwise: T) -> T:
    """A value that is known, or ``otherwise``."""
    return otherwise if value is None or isinstance(value, UnsetType) else value
