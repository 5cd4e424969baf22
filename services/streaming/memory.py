"""The engine without a broker: one process, one partition, states in a dictionary. For `rxvigil check` and for tests."""

from __future__ import annotations

from collections.abc import Sequence

from services.streaming import batches
from services.streaming.handler import Handler, Record, Send
from services.streaming.refusals import NO_LIMITS, RefusalLimits, Refusals


class MemoryEngine:
    """Runs a handler on the records it is fed. States go through the handler's encoding, as they do on Kafka."""

    def __init__(self, handler: Handler, limits: RefusalLimits = NO_LIMITS) -> None:
        self._handler = handler
        self._refusals = Refusals(limits)
        self._states: dict[bytes, bytes] = {}
        self.errors: list[Exception] = []

    def feed(self, records: Sequence[Record]) -> list[Send]:
        """Handle one batch; gives the records sent. Raises ``EngineError`` when too many were refused; nothing is kept then."""
        keys = {key for record in records if (key := self._handler.state_key(record)) is not None}
        states = {key: self.state(key) for key in keys}
        outcome, errors = batches.run(self._handler, records, states)
        self._refusals.count(len(records), errors)
        self.errors += errors.values()
        for key, state in outcome.states.items():
            if state is None:
                self._states.pop(key, None)
            else:
                self._states[key] = self._handler.encode_state(state)
        return outcome.sends

    def state(self, key: bytes) -> object | None:
        """The state of a key, None where there is none."""
        stored = self._states.get(key)
        return None if stored is None else self._handler.decode_state(stored)
