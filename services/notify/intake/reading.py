"""Reads a record, and says why where it cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiokafka import ConsumerRecord

T = TypeVar("T")
_PLACE = re.compile(r" - at `([^`]*)`$")


class RefusedError(ValueError):
    """A record that does not hold what its topic says; ``reason`` is one of ``schemas.dead_letters.REASONS``."""

    def __init__(self, reason: str, detail: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail, self.place = reason, detail, place


def decoded(value: bytes | None, decode: Callable[[bytes], T], name: str) -> T:
    """What a record holds; ``name`` is that of the contract ("an alert"). Raises ``RefusedError``."""
    if not value:
        raise RefusedError("empty", "the record has no value")
    try:
        return decode(value)
    except msgspec.ValidationError as error:
        # the text before the path may quote the value
        place = _PLACE.search(str(error))
        raise RefusedError("schema", f"not {name} of this schema", place[1] if place else "") from error
    except UnicodeDecodeError as error:
        raise RefusedError("not_utf8", "the value is not UTF-8") from error
    except msgspec.DecodeError as error:
        raise RefusedError("not_json", "the value is not JSON") from error


def epoch_of(record: ConsumerRecord) -> int:
    """The epoch of the monitor's owner that published a record (docs/streaming.md); 0 where it names none."""
    named = dict(record.headers).get("epoch", b"")
    return int(named) if named.isdigit() else 0
