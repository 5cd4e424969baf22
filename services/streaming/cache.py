"""The decoded states of one lane, as many as fit. Dropped with the lane, so no state outlives the assignment it is true for."""

from __future__ import annotations

OVERHEAD_BYTES = 64

_Entry = tuple[object | None, int]
_NOTHING: _Entry = (None, -1)


class StateCache:
    """Bounded by the encoded size of what it holds. What was not used for long goes first.

    Two generations in place of a list of uses: what is used is young; when the young ones fill half of the bound they become
    the old ones, and the old ones that nobody used meanwhile go. A look costs one dictionary access.
    """

    def __init__(self, max_bytes: int) -> None:
        self._half = max_bytes // 2
        self._young: dict[bytes, _Entry] = {}
        self._old: dict[bytes, _Entry] = {}
        self._young_bytes = self._old_bytes = 0

    @property
    def size(self) -> int:
        return self._young_bytes + self._old_bytes

    def __contains__(self, key: bytes) -> bool:
        return key in self._young or key in self._old

    def get(self, key: bytes, otherwise: object) -> object | None:
        """The state of a key, None when the key is known to have none; ``otherwise`` when nothing is known of it here."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, _NOTHING)
            if found is _NOTHING:
                return otherwise
            self._old_bytes -= found[1]
            self._young_bytes += found[1]
            self._young[key] = found
        return found[0]

    def put(self, key: bytes, state: object | None, size: int) -> None:
        """``size`` in bytes as encoded, 0 for no state. ``shrink`` keeps the bound."""
        size += OVERHEAD_BYTES
        before = self._young.get(key)
        if before is not None:
            self._young_bytes -= before[1]
        elif (before := self._old.pop(key, None)) is not None:
            self._old_bytes -= before[1]
        self._young[key] = (state, size)
        self._young_bytes += size

    def shrink(self) -> None:
        """Down to the bound, once a batch; a batch that is larger than half of it stays until the next."""
        if self._young_bytes > self._half:
            self._old, self._old_bytes = self._young, self._young_bytes
            self._young, self._young_bytes = {}, 0
