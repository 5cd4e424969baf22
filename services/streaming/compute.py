"""What a batch comes to: the states that it touches, the handler, and what changed as it is stored. Waits for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from services.streaming import batches
from services.streaming.cache import StateCache
from services.streaming.dues import Due
from services.streaming.fetches import Part
from services.streaming.handler import Handler, Send, TimedHandler
from services.streaming.metrics import StreamMetrics
from services.streaming.refusals import RefusalLimits, Refusals
from services.streaming.store import PartitionStore

BATCH_SECONDS = 0.2
"""A batch is as large as what the handler did in this time of the last one: the larger, the fewer states are encoded and
written twice; but computing holds up the event loop, and with it the other lanes."""
LEAST_RECORDS = 500
MOST_DUES = 1_000
AGAIN_MILLISECONDS = 1_000
"""A state that is due again at once waits for so long."""
_UNKNOWN = object()

log = structlog.get_logger(__name__)


class Batch(NamedTuple):
    part: Part
    sends: list[Send]
    states: Mapping[bytes, object | None]
    changes: dict[bytes, bytes | None]
    """``states`` as stored."""
    dues: dict[bytes, int]
    """When states among them want to be looked at, milliseconds since the epoch."""
    met: Sequence[Due] = ()
    """Times that have come, and are not to come again."""


class Computer:
    """Of one lane. ``store`` is None for a handler without state. The caller tells which batch is ``under_way``: computed, and
    perhaps not yet stored, so nothing else may have its states."""

    def __init__(
        self,
        handler: Handler,
        store: PartitionStore | None,
        limits: RefusalLimits,
        cache_bytes: int,
        metrics: StreamMetrics,
    ) -> None:
        self._handler, self._store, self._metrics = handler, store, metrics
        self._timed = handler if isinstance(handler, TimedHandler) else None
        self._refusals = Refusals(limits)
        self.cache = StateCache(cache_bytes)
        self.under_way: Batch | None = None
        self.limit = LEAST_RECORDS
        """How many records the next batch may have."""

    def compute(self, part: Part) -> Batch:
        """Raises ``EngineError`` when too many records were refused; nothing of the batch may be sent then."""
        handler, metrics, records = self._handler, self._metrics, part.records
        metrics.batch_records.observe(len(records))
        started = time.perf_counter()
        keys = {key for record in records if (key := handler.state_key(record)) is not None} if self._store else ()
        outcome, errors = batches.run(handler, records, self._states(keys))
        for index, error in errors.items():
            record = records[index]
            log.error("record refused", error=type(error).__name__, topic=record.topic, offset=record.offset)
        self._refusals.count(len(records), errors)
        metrics.refused.inc(len(errors))
        batch = Batch(part, outcome.sends, outcome.states, *self._encoded(outcome.states, 0))
        took = time.perf_counter() - started
        metrics.batch_seconds.labels("handle").observe(took)
        # one that was held up, or is small, says little: halfway to what it says
        self.limit = max(LEAST_RECORDS, (self.limit + int(BATCH_SECONDS / took * len(records))) // 2)
        return batch

    def due(self, now: int) -> list[Due]:
        """Times that have come, some of them perhaps no longer wanted."""
        return self._store.due(now, MOST_DUES) if self._timed and self._store else []

    def compute_due(self, met: Sequence[Due], now: int) -> Batch:
        """``met`` came from ``due``. A state that the handler raises for is left as it is until its next record."""
        timed = self._timed
        assert timed is not None
        states = {
            key: state
            for key, state in self._states({each.key for each in met}).items()
            if state is not None and (at := timed.due(state)) is not None and at <= now
        }
        outcome, errors = batches.run_due(timed, states, now)
        for error in errors:
            log.error("a state could not be looked at when it was due", error=type(error).__name__)
        self._metrics.refused.inc(len(errors))
        return Batch(Part([], []), outcome.sends, outcome.states, *self._encoded(outcome.states, now), met)

    def stored(self, key: bytes) -> tuple[bytes | None, int | None]:
        """A state as the store has it, and when it is due."""
        assert self._store is not None
        value = self._store.read(key)
        due = None if value is None or not self._timed else self._timed.due(self._timed.decode_state(value))
        return value, due

    def _states(self, keys: Iterable[bytes]) -> dict[bytes, object | None]:
        known, unstored = self.cache.get, self.under_way.states if self.under_way else {}
        states = {key: known(key, _UNKNOWN) for key in keys}
        missing = [key for key, state in states.items() if state is _UNKNOWN]
        for key in missing:
            states[key] = unstored[key] if key in unstored else self._read(key)
        self._metrics.cache_hits.inc(len(states) - len(missing))
        self._metrics.cache_misses.inc(len(missing))
        return states

    def _read(self, key: bytes) -> object | None:
        assert self._store is not None
        stored = self._store.read(key)
        state = None if stored is None else self._handler.decode_state(stored)
        self.cache.put(key, state, len(stored or b""))
        return state

    def _encoded(
        self, states: Mapping[bytes, object | None], now: int
    ) -> tuple[dict[bytes, bytes | None], dict[bytes, int]]:
        changes: dict[bytes, bytes | None] = {}
        dues: dict[bytes, int] = {}
        if self._store is None:
            return changes, dues
        encode, put, timed = self._handler.encode_state, self.cache.put, self._timed
        for key, state in states.items():
            value = changes[key] = None if state is None else encode(state)
            put(key, state, len(value or b""))
            if timed and state is not None and (at := timed.due(state)) is not None:
                dues[key] = max(at, now + AGAIN_MILLISECONDS) if now else at
        self.cache.shrink()
        return changes, dues
