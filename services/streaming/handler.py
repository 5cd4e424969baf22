"""The one interface between an engine and what a service does: a pure function from a batch of records and the states
they touch to new states and records to send.

Two engines run it: ``faust_engine`` on Kafka with the states in a Faust table, and ``memory`` in one process without a
broker. A handler cannot tell which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec

S = TypeVar("S")
Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """One record read. ``timestamp`` is the broker's, in milliseconds since the epoch; ``value`` is None for a tombstone.

    An engine may hand over its client's own record in place of this one, which has the same attributes: read them by name.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Send(NamedTuple):
    """One record to send. The partition follows from the key as every Kafka client computes it; without a key the engine
    spreads records over the partitions."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outcome(msgspec.Struct):
    """What a batch came to. ``states`` holds the keys that changed (None erases the state); records of ``sends`` with one
    key keep their order."""

    states: dict[bytes, object | None]
    sends: list[Send]


class Handler(Protocol):
    """What a service does with its records.

    ``handle`` is pure: no clock but the one it was built with, no I/O, nothing kept between calls, so the engine may call
    it again with the same records after a crash. It must not mutate the states it is given.

    After a crash the engine repeats whole batches. Every record of ``sends`` is acknowledged by the broker before the new
    states are kept, and these before the batch counts as read: a crash repeats sends and never loses one. The handler
    makes the repetition harmless: it keeps in each state the last offset applied (per topic and partition) and skips what
    is at or below it, and gives what it sends fixed ids.

    ``handle`` may raise: then the batch is tried again record by record, and ``refuse`` says what to send in place of the
    record that raises alone.
    """

    def state_key(self, record: Record) -> bytes | None:
        """The key of the state that a record touches; None when it touches none."""
        ...

    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        """``states`` holds the state of every key that ``state_key`` names for these records, None where there is none."""
        ...

    def refuse(self, record: Record, error: Exception) -> list[Send]:
        """What to send when ``handle`` raised ``error`` for this record alone: normally one dead letter."""
        ...

    def encode_state(self, state: object) -> bytes:
        """A state as stored. Equal states give equal bytes."""
        ...

    def decode_state(self, stored: bytes) -> object:
        """The state of stored bytes."""
        ...


@runtime_checkable
class TimedHandler(Handler, Protocol):
    """A handler whose states may want to be looked at at a time, though no record comes.

    An engine looks once that time has come, within a second or so, and after the records that came before it: time passes for
    a partition no faster than its input is handled. It is not lost by a crash or with a worker; a crash may make the engine
    look again, at another ``now``, and what is sent needs the same ids then.
    """

    def due(self, state: object) -> int | None:
        """When, in milliseconds since the epoch; None for never. Asked at every change of the state, so it has to be cheap."""
        ...

    def handle_due(self, states: Mapping[bytes, object], now: int) -> Outcome:
        """``handle`` for states whose time has come. A state that is still due afterwards is looked at again a second later."""
        ...
