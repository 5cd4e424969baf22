"""Source formats, one file each: what a hospital sends becomes events of our schemas, before any code is resolved.

Every format gives the smallest units it can tell apart, and each unit has one of three ends: an event, a refusal or
ignored. A bad unit refuses itself and not its neighbours. Pure: bytes in, items out; no input makes a format raise.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from schemas.events import Event


class Refusal(NamedTuple):
    """Why a unit was refused: ``reason`` is a code of ``schemas.dead_letters.REASONS``, ``place`` a JSON path or a column.
    ``detail`` names types and rules and repeats no value of the unit: it is logged and travels in headers."""

    reason: str
    detail: str
    place: str = ""


class Ignored(NamedTuple):
    """A known kind that is not used; counted by ``kind``."""

    kind: str


End: TypeAlias = Event | Refusal | Ignored


class Item(NamedTuple):
    """One unit of an input: its position from 0, its own bytes as received, and its end."""

    position: int
    original: bytes
    end: End
