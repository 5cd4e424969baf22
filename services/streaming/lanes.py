"""All lanes of an engine: born when their partition is restored, dead when it is revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any

import structlog

from services.streaming.errors import LaneLost
from services.streaming.lane import Lane, Memory, Shared

REVOKE_SECONDS = 3.0
"""How long a revocation waits for what is in hand; well below the session time-out, after which the group would go on alone."""

log = structlog.get_logger(__name__)


class Lanes:
    """``memory`` opens the place of a partition's states at its lane's birth and tells the lane's epoch."""

    def __init__(
        self,
        shared: Shared,
        memory: Callable[[int], tuple[int, Memory | None]],
        on_lost: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._shared, self._memory = shared, memory
        self._on_lost, self._on_error = on_lost, on_error
        self._lanes: dict[int, Lane] = {}
        self.open = False
        """From an assignment to the next revocation."""
        self._lost: set[int] = set()
        """Partitions whose lane died before they were revoked: nobody reads them until they are assigned anew."""

    def __iter__(self) -> Any:
        return iter(list(self._lanes.values()))

    def begin(self) -> None:
        """Partitions are assigned."""
        self.open = True

    def has_room(self, partition: int) -> bool:
        lane = self._lanes.get(partition)
        return partition not in self._lost and (lane is None or not lane.queue.full)

    def take(self, event: Any) -> None:
        """A fetch of an input partition, of the present assignment. Raises what the birth of a lane raises."""
        lane = self._of(event.message.partition)
        if lane:
            lane.put(event.value.records, event.ack)

    def bear(self, partitions: Iterable[int]) -> None:
        """Lanes of input partitions that are assigned and restored, also where no input comes: they mind the changelog."""
        try:
            for partition in partitions:
                self._of(partition)
        except Exception as error:
            self._on_error(error)

    def _of(self, partition: int) -> Lane | None:
        """The lane, born if need be; None where there may be none."""
        if not self.open or partition in self._lost:
            return None
        if partition not in self._lanes:
            epoch, memory = self._memory(partition)
            self._lanes[partition] = Lane(
                partition, epoch, self._shared, memory, lambda error: self._ended(partition, error)
            )
        return self._lanes[partition]

    def tick(self, now: int, behind: Collection[int]) -> None:
        """For a partition that is ``behind`` it is as late as its last record: what was due meanwhile may have been met by
        a record that is still to come."""
        for lane in self:
            lane.tick(min(now, lane.handled_until) if lane.partition in behind else now)

    async def finish(self, seconds: float) -> None:
        """Let every lane end what it has in hand, for at most ``seconds``; then they are dead."""
        self.open = False
        lanes = list(self._lanes.values())
        if lanes:
            ending = [asyncio.ensure_future(lane.finish()) for lane in lanes]
            _, late = await asyncio.wait(ending, timeout=seconds)
            for each in late:
                each.cancel()
            if late:
                log.warning("batches in hand were given up; they will be read again", partitions=len(late))
        for lane in lanes:
            lane.kill()
        self._lanes.clear()
        self._lost.clear()

    async def look(self, ends: Iterable[tuple[int, int]]) -> None:
        """``ends``: partition and end of its changelog, of lanes that were idle before and since it was asked for."""
        for partition, end in ends:
            lane = self._lanes.get(partition)
            if lane:
                await lane.look(end)

    def _ended(self, partition: int, error: Exception) -> None:
        self._lanes.pop(partition, None)
        self._lost.add(partition)
        if isinstance(error, LaneLost):
            log.warning(
                "a lane ends before its time; the worker joins its group anew", partition=partition, why=str(error)
            )
            self._shared.metrics.fenced.labels("lost").inc()
            if self.open:
                self._on_lost()
        else:
            self._on_error(error)
