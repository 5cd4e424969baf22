"""The decoded states of one lane, as many as fit. Dropped with the lane, so no state outlives the assignment it is true for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

OVERHEAD_BYTES = 64


class _Entry:
    __slots__ = ("pins", "size", "state")

    def __init__(self, state: object | None, size: int, pins: int) -> None:
        self.state, self.size, self.pins = state, size, pins


class StateCache:
    """Bounded by the encoded size of what it holds; the least recently used goes first.

    A state that is computed and not yet stored is pinned: it stays, over the bound if need be, because nothing else has it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        return key in self._entries

    def get(self, key: bytes) -> object | None:
        """The state of a key that is here; None when the key is known to have none."""
        self._entries.move_to_end(key)
        return self._entries[key].state

    def put(self, key: bytes, state: object | None, size: int, *, pin: bool = False) -> None:
        """``size`` in bytes as encoded, 0 for no state. Each pin needs one ``unpin``. ``shrink`` keeps the bound."""
        old = self._entries.pop(key, None)
        self.bytes += size + OVERHEAD_BYTES - (old.size if old else 0)
        self._entries[key] = _Entry(state, size + OVERHEAD_BYTES, (old.pins if old else 0) + pin)

    def unpin(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self._entries[key].pins -= 1

    def shrink(self) -> None:
        """Down to the bound, once a batch."""
        for _ in range(len(self._entries)):
            if self.bytes <= self._max_bytes:
                return
            key, entry = next(iter(self._entries.items()))
            if entry.pins:
                self._entries.move_to_end(key)
            else:
                self.bytes -= self._entries.pop(key).size
