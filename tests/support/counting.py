"""A handler that knows no medicine: counts the records of each key and sends each count, so that any loss or repetition of
a record in the state shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.streaming.handler import Outcome, Record, Send


class Counting:
    """Refuses records whose value is ``bad``; erases the state on a tombstone. After ``in 300`` the state wants to be looked at
    300 milliseconds later, unless another record comes before; it then says so and forgets it. After ``in 300 bad`` that
    raises."""

    def __init__(self, output: str) -> None:
        self.output = output

    def state_key(self, record: Record) -> bytes | None:
        return record.key

    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        changed: dict[bytes, Any] = {}
        sends: list[Send] = []
        for record in records:
            assert record.key is not None
            if record.value == b"bad":
                raise ValueError("a bad record")
            state: Any = changed.get(record.key, states.get(record.key)) or {"count": 0, "applied": -1}
            if record.offset <= state["applied"]:
                continue
            if record.value is None:
                changed[record.key] = None
                continue
            changed[record.key] = {"count": state["count"] + 1, "applied": record.offset}
            if record.value.startswith(b"in "):
                changed[record.key]["due"] = record.timestamp + int(record.value.split()[1])
                changed[record.key]["bad"] = record.value.endswith(b"bad")
            count = {"value": record.value.decode(), "count": state["count"] + 1}
            sends.append(Send(self.output, record.key, json.dumps(count).encode()))
        return Outcome(changed, sends)

    def refuse(self, record: Record, error: Exception) -> list[Send]:
        return [Send(self.output, record.key, json.dumps({"refused": record.offset}).encode())]

    def encode_state(self, state: object) -> bytes:
        return json.dumps(state).encode()

    def decode_state(self, stored: bytes) -> object:
        return json.loads(stored)

    def due(self, state: object) -> int | None:
        assert isinstance(state, dict)
        return state.get("due")

    def handle_due(self, states: Mapping[bytes, object], now: int) -> Outcome:
        kept: dict[bytes, object | None] = {}
        sends: list[Send] = []
        for key, state in states.items():
            assert isinstance(state, dict)
            if state["bad"]:
                raise ValueError("cannot be looked at")
            assert state["due"] <= now
            kept[key] = {name: state[name] for name in ("count", "applied")}
            sends.append(Send(self.output, key, json.dumps({"due": state["count"]}).encode()))
        return Outcome(kept, sends)
