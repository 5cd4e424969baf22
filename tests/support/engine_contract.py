"""What every engine promises a handler (``services/streaming/handler.py``), as tests that each engine inherits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from services.streaming.errors import EngineError
from services.streaming.refusals import RefusalLimits

Fed = tuple[bytes, bytes | None]


class EngineContract:
    """The engine under test runs ``Counting``. ``feed`` gives it records, in one or several batches, and returns what it has
    sent for them once all are handled; ``state`` is what is kept of a key then."""

    async def feed(self, records: Sequence[Fed]) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def repeat(self) -> list[dict[str, Any]]:
        """What is sent when all that was fed comes once more, at the same offsets."""
        raise NotImplementedError

    async def state(self, key: bytes) -> object | None:
        raise NotImplementedError

    async def pass_time(self) -> list[dict[str, Any]]:
        """What is sent while more than a second passes."""
        raise NotImplementedError

    def limit(self, limits: RefusalLimits) -> None:
        raise NotImplementedError

    async def test_a_state_is_there_for_the_next_batch(self) -> None:
        assert await self.feed([(b"a", b"1"), (b"b", b"1")]) == [
            {"value": "1", "count": 1, "key": "a"},
            {"value": "1", "count": 1, "key": "b"},
        ]
        assert await self.feed([(b"a", b"2")]) == [{"value": "2", "count": 2, "key": "a"}]

    async def test_records_that_come_again_change_nothing(self) -> None:
        await self.feed([(b"a", b"1"), (b"a", b"2")])
        before = await self.state(b"a")
        assert before == {"count": 2, "applied": 1}
        assert await self.repeat() == []
        assert await self.state(b"a") == before

    async def test_a_bad_record_refuses_itself_and_nothing_else(self) -> None:
        sent = await self.feed([(b"a", b"1"), (b"a", b"bad"), (b"a", b"2")])
        assert sent == [
            {"value": "1", "count": 1, "key": "a"},
            {"refused": 1, "key": "a"},
            {"value": "2", "count": 2, "key": "a"},
        ]

    async def test_none_erases_a_state(self) -> None:
        await self.feed([(b"a", b"1"), (b"c", b"1")])
        await self.feed([(b"a", None), (b"c", b"2")])
        assert await self.state(b"a") is None
        sent = await self.feed([(b"a", b"2")])
        assert sent == [{"value": "2", "count": 1, "key": "a"}], sent

    async def test_what_is_sent_for_a_key_keeps_its_order(self) -> None:
        sent = await self.feed([(b"a", str(number).encode()) for number in range(5000)])
        assert [record["count"] for record in sent] == list(range(1, 5001))

    async def test_a_state_is_looked_at_once_when_it_is_due(self) -> None:
        await self.feed([(b"a", b"1"), (b"a", b"in 1"), (b"b", b"1"), (b"c", b"in 3600000")])
        assert await self.pass_time() == [{"due": 2, "key": "a"}]
        assert await self.state(b"a") == {"count": 2, "applied": 1}
        assert await self.pass_time() == []
        assert (await self.feed([(b"a", b"2")]))[0]["count"] == 3

    async def test_a_time_that_no_longer_stands_passes(self) -> None:
        await self.feed(
            [
                (b"a", b"in 1000"),
                (b"a", b"2"),
                (b"b", b"in 1000"),
                (b"b", b"in 3600000"),
                (b"c", b"in 1000"),
                (b"c", None),
            ]
        )
        assert await self.pass_time() == []

    async def test_a_state_that_cannot_be_looked_at_keeps_no_other_from_it(self) -> None:
        await self.feed([(b"a", b"in 1 bad"), (b"b", b"in 1"), (b"c", b"in 1")])
        assert await self.pass_time() == [{"due": 1, "key": "b"}, {"due": 1, "key": "c"}]
        assert (await self.feed([(b"a", b"2")]))[0]["count"] == 2

    async def test_too_many_refusals_in_a_row_stop_the_engine_and_nothing_of_the_batch_is_sent(self) -> None:
        self.limit(RefusalLimits(run=3, ratio=0))
        with pytest.raises(EngineError, match="the last 3 records"):
            await self.feed([(b"a", b"1"), *[(b"a", b"bad")] * 3])
        assert await self.state(b"a") is None

    async def test_a_large_share_of_refusals_stops_the_engine(self) -> None:
        self.limit(RefusalLimits(run=0, ratio=0.2))
        with pytest.raises(EngineError, match=r"\d+ of \d+ records"):
            await self.feed([(b"a", b"bad" if number % 4 == 0 else b"1") for number in range(600)])


def as_dict(key: bytes | None, value: bytes | None) -> dict[str, Any]:
    return {**json.loads(value or b"{}"), "key": (key or b"").decode()}
