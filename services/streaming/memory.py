"""The engine without a broker: one process, one partition, states in a dictionary. For `rxvigil check` and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.streaming import batches
from services.streaming.handler import Handler, Record, Send, TimedHandler
from services.streaming.refusals import NO_LIMITS, RefusalLimits, Refusals


class MemoryEngine:
    """Runs a handler on the records it is fed. States go through the handler's encoding, as they do on Kafka."""

    def __init__(self, handler: Handler, limits: RefusalLimits = NO_LIMITS) -> None:
        self._handler = handler
        self._refusals = Refusals(limits)
        self._timed = handler if isinstance(handler, TimedHandler) else None
        self._states: dict[bytes, bytes] = {}
        self._dues: dict[bytes, int] = {}
        self.errors: list[Exception] = []

    def feed(self, records: Sequence[Record]) -> list[Send]:
        """Handle one batch; gives the records sent. Raises ``EngineError`` when too many were refused; nothing is kept then."""
        keys = {key for record in records if (key := self._handler.state_key(record)) is not None}
        states = {key: self.state(key) for key in keys}
        outcome, errors = batches.run(self._handler, records, states)
        self._refusals.count(len(records), errors)
        self.errors += errors.values()
        self._keep(outcome.states, 0)
        return outcome.sends

    def advance(self, now: int) -> list[Send]:
        """Let time pass until ``now`` (milliseconds since the epoch): every state is looked at when it is due."""
        sends: list[Send] = []
        while self._timed and (due := self._next_due(now)) is not None:
            ready = {
                key: state for key in self._dues if self._dues[key] == due and (state := self.state(key)) is not None
            }
            outcome, errors = batches.run_due(self._timed, ready, due)
            for key in ready:
                del self._dues[key]
            self._keep(outcome.states, due)
            self.errors += errors
            sends += outcome.sends
        return sends

    def _next_due(self, now: int) -> int | None:
        first = min(self._dues.values(), default=now + 1)
        return first if first <= now else None

    def _keep(self, states: Mapping[bytes, object | None], now: int) -> None:
        for key, state in states.items():
            self._dues.pop(key, None)
            if state is None:
                self._states.pop(key, None)
                continue
            self._states[key] = self._handler.encode_state(state)
            if self._timed and (at := self._timed.due(state)) is not None:
                self._dues[key] = max(at, now + 1)

    def state(self, key: bytes) -> object | None:
        """The state of a key, None where there is none."""
        stored = self._states.get(key)
        return None if stored is None else self._handler.decode_state(stored)
