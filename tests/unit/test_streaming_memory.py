"""The engine without a broker keeps the contract of ``services/streaming/handler.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from services.streaming.refusals import RefusalLimits
from tests.support.counting import Counting
from tests.support.engine_contract import EngineContract, Fed, as_dict


class TestMemoryEngine(EngineContract):
    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        self._engine = MemoryEngine(Counting("out"))
        self._fed: list[Record] = []
        self._now = 0

    def limit(self, limits: RefusalLimits) -> None:
        self._engine = MemoryEngine(Counting("out"), limits)

    async def feed(self, records: Sequence[Fed]) -> list[dict[str, Any]]:
        start = len(self._fed)
        batch = [Record("in", 0, start + n, 0, key, value) for n, (key, value) in enumerate(records)]
        self._fed += batch
        return [as_dict(send.key, send.value) for send in self._engine.feed(batch)]

    async def repeat(self) -> list[dict[str, Any]]:
        return [as_dict(send.key, send.value) for send in self._engine.feed(self._fed)]

    async def pass_time(self) -> list[dict[str, Any]]:
        self._now += 2000
        return sorted(
            (as_dict(send.key, send.value) for send in self._engine.advance(self._now)), key=lambda s: s["key"]
        )

    async def state(self, key: bytes) -> object | None:
        return self._engine.state(key)


def test_errors_are_there_to_be_looked_at() -> None:
    engine = MemoryEngine(Counting("out"))
    engine.feed([Record("in", 0, 0, 0, b"a", b"bad")])
    assert [str(error) for error in engine.errors] == ["a bad record"]
