"""Engines broken on purpose, so that it shows that the fault runs would notice. Each is one change to the engine inside the
worker's process; the worker calls it before it makes its engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.streaming.cache import StateCache
from services.streaming.changelog import Changelog
from services.streaming.lane import Lane
from services.streaming.pulse import Pulse
from services.streaming.store import PartitionStore


def ack_before_produce() -> None:
    """The offset counts as read before the output is sent: what is in hand at a crash is lost."""
    deliver = Lane._deliver

    async def early(self: Lane, batch: Any) -> None:
        for ack in batch.part.ends:
            ack()
        await deliver(self, batch)

    Lane._deliver = early  # type: ignore[method-assign]


def stale_cache() -> None:
    """A partition that comes back finds the cache that it left: states from before another owner went on with them."""
    make, kept = Lane.__init__, dict[int, StateCache]()

    def init(self: Lane, partition: int, *arguments: Any) -> None:
        make(self, partition, *arguments)
        self._computer.cache = kept.setdefault(partition, self._computer.cache)

    Lane.__init__ = init  # type: ignore[method-assign,assignment]


def no_fencing() -> None:
    """Nobody looks at epochs, at what stands between the owner's own records, or at the pulse: the last record wins."""

    async def nothing(*_: Any) -> set[bytes]:
        return set()

    PartitionStore._epoch_among = lambda *_: 0  # type: ignore[method-assign]
    Changelog._foreign = nothing  # type: ignore[method-assign,assignment]
    Pulse.missed = property(lambda _: False)  # type: ignore[method-assign,assignment]


BUILDS: dict[str, Callable[[], None]] = {
    "ack-before-produce": ack_before_produce,
    "stale-cache": stale_cache,
    "no-fencing": no_fencing,
}
