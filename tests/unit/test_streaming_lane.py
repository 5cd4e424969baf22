"""One lane: order, batches, computing ahead, refusals and a broker that is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from services.streaming.compute import LEAST_RECORDS
from services.streaming.errors import EngineError
from services.streaming.fetches import MAX_BATCH_RECORDS
from services.streaming.refusals import RefusalLimits
from tests.support.lane_play import Play


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    play = Play(tmp_path / "store", RefusalLimits(3, 0))
    yield play
    play.lane.kill()
    play.store.close()


async def test_output_then_changelog_then_store_then_ack(play: Play) -> None:
    play.broker.gates["send"].clear()
    play.broker.gates["changelog"].clear()
    play.fetch(b"1")
    await play.until("send")
    await play.settle()
    assert play.broker.log == ["send"]
    play.broker.gates["send"].set()
    await play.until("changelog")
    await play.settle()
    assert (play.broker.log, play.stored(), play.store.offset) == (["send", "sent", "changelog"], None, None)
    play.broker.gates["changelog"].set()
    await play.until("ack")
    assert play.broker.log == ["send", "sent", "changelog", "changed", "ack"]
    assert (play.stored(), play.store.offset) == (1, 0)
    assert play.broker.sent[0].headers == (("epoch", b"7"),)
    assert play.broker.changelog[0].headers == (("epoch", b"7"),)


async def test_the_next_batch_is_computed_while_the_last_is_delivered_and_order_holds(play: Play) -> None:
    computed = play.metrics.batch_records
    play.broker.gates["send"].clear()
    play.fetch(b"first")
    await play.until("send")
    play.fetch(*[b"next"] * 150)
    await play.settle()
    assert computed._sum.get() == 151  # type: ignore[attr-defined]
    assert play.broker.log == ["send"]  # and nothing of the second is sent
    play.broker.gates["send"].set()
    await play.until("ack", 2)
    assert play.acked == [0, 150]
    assert play.batches == [1, 150]
    assert [json.loads(send.value or b"")["count"] for send in play.broker.sent] == list(range(1, 152))
    assert play.stored() == 151


async def test_what_is_computed_and_not_yet_stored_is_what_the_next_batch_sees(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        play.lane._computer.cache, "get", lambda key, otherwise: otherwise
    )  # a cache that keeps nothing
    play.broker.gates["send"].clear()
    play.fetch(b"first")
    await play.until("send")
    play.fetch(*[b"next"] * 150)
    await play.settle()
    play.broker.gates["send"].set()
    await play.until("ack", 2)
    assert play.stored() == 151


async def test_an_oversize_fetch_is_split_and_acked_with_its_last_part(play: Play) -> None:
    play.fetch(*[b"x"] * 45_000)
    await play.until("ack")
    assert len(play.batches) > 2
    assert max(play.batches) <= MAX_BATCH_RECORDS
    assert play.acked == [44_999]
    assert play.stored() == 45_000


async def test_a_batch_is_what_the_handler_does_in_its_time(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    # each look at the clock is a second later: a batch takes five times as long as it should
    monkeypatch.setattr("services.streaming.compute.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    play.lane._computer.limit = 8000
    play.fetch(*[b"x"] * 15_680)
    await play.until("ack")
    # halfway to the fifth of what was done, each time, and not below the least
    assert play.batches[:3] == [8000, 4800, 2880]
    play.fetch(*[b"x"] * 5_000)
    await play.until("ack", 2)
    assert min(play.batches[:-1]) == LEAST_RECORDS


async def test_a_batch_is_bounded_in_bytes(play: Play) -> None:
    play.fetch(*[b"x" * 300_000] * 20)
    await play.until("ack")
    assert play.batches == [14, 6]


async def test_what_waits_is_coalesced(play: Play) -> None:
    play.broker.gates["send"].clear()
    play.fetch(b"1")
    await play.until("send")
    for number in range(20):
        play.fetch(str(number).encode())
    play.broker.gates["send"].set()
    await play.until("ack", 21)
    assert play.batches == [1, 20]


async def test_a_broker_that_is_away_is_asked_again(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.streaming.lane.RETRY_SECONDS", 0)
    play.broker.errors = [KafkaTimeoutError(), KafkaTimeoutError()]
    play.fetch(b"1")
    await play.until("ack")
    assert play.broker.log[:4] == ["send", "send", "send", "sent"]
    assert play.metrics.refused._value.get() == 0  # type: ignore[attr-defined]


async def test_what_the_broker_will_never_take_ends_the_engine(play: Play) -> None:
    play.broker.errors = [MessageSizeTooLargeError()]
    play.fetch(b"1")
    await play.settle()
    assert isinstance(play.ended[0], EngineError)
    assert (play.stored(), play.acked) == (None, [])


async def test_too_many_refusals_end_the_engine_before_anything_is_sent(play: Play) -> None:
    play.fetch(b"1", b"bad", b"bad", b"bad")
    await play.settle()
    assert "refusal_run" in str(play.ended[0])
    assert play.broker.log == []


async def test_where_a_lane_stands_is_known_before_its_first_batch_is_done(play: Play) -> None:
    play.broker.gates["send"].clear()
    play.offset = 40
    play.fetch(b"1", at=1_700_000_000_000)
    await play.until("send")
    assert (play.lane.next_offset, play.lane.handled_until) == ({"in": 40}, 1_700_000_000_000)
    play.broker.gates["send"].set()
    await play.until("ack")
    assert play.lane.next_offset == {"in": 41}
