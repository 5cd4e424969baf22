"""Who may have which partition's store open: only what is assigned, as owner or as standby, and each once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from services.streaming.store import PartitionStore


class ForeignPartitionError(RuntimeError):
    """Somebody asked for the store of a partition that this worker neither owns nor follows."""


class Stores:
    """Of one table, in ``folder``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._assigned: frozenset[int] = frozenset()
        self._open: dict[int, PartitionStore] = {}

    def assign(self, partitions: Iterable[int]) -> None:
        """From now on these; the stores of others are closed."""
        self._assigned = frozenset(partitions)
        self.close(self._open.keys() - self._assigned)

    def of(self, partition: int) -> PartitionStore:
        """Open it when it is not. Raises ``ForeignPartitionError`` and ``EngineError``."""
        if partition not in self._assigned:
            raise ForeignPartitionError(f"partition {partition} of {self._name} is not assigned to this worker")
        if partition not in self._open:
            self._open[partition] = PartitionStore(self.path(partition))
        return self._open[partition]

    def path(self, partition: int) -> Path:
        return self._folder / f"{self._name}-{partition}.rocksdb"

    def close(self, partitions: Iterable[int] | None = None) -> None:
        """All by default; one that cannot be closed (``EngineError``) leaves none of the others open."""
        with contextlib.ExitStack() as closing:
            for partition in list(self._open if partitions is None else partitions):
                store = self._open.pop(partition, None)
                if store is not None:
                    closing.callback(store.close)

    def size(self) -> int:
        """Bytes on disk of what is open."""
        return sum(store.size() for store in self._open.values())
