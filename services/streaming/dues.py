"""When a state wants to be looked at though no record comes. Travels in a header of its changelog record, so whoever restores
the state knows it without understanding the state."""

from __future__ import annotations

from typing import NamedTuple

from services.streaming.handler import Headers

HEADER = "due"


class Due(NamedTuple):
    """``at`` in milliseconds since the epoch."""

    at: int
    key: bytes


def due_header(at: int) -> tuple[str, bytes]:
    return HEADER, str(at).encode()


def due_of(headers: Headers) -> int | None:
    for name, value in headers:
        if name == HEADER:
            return int(value)
    return None
