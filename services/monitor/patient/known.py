"""Values that may not be known."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UnsetType

T = TypeVar("T")


def known_or(value: T | UnsetType | None, otherwise: T) -> T:
    """A value that is known, or ``otherwise``."""
    return otherwise if value is None or isinstance(value, UnsetType) else value


def said(value: T | UnsetType | None, unknown: T) -> T | None:
    """A value that was said, ``unknown`` when it was said not to be known, None when nothing was said."""
    if isinstance(value, UnsetType):
        return None
    return unknown if value is None else value
