"""How a lane dies, and what it does when another has written to its changelog."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.streaming.errors import LaneLost
from services.streaming.refusals import RefusalLimits
from tests.support.lane_play import EPOCH, Play


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    play = Play(tmp_path / "store", RefusalLimits(3, 0))
    yield play
    play.lane.kill()
    play.store.close()


@pytest.mark.parametrize("stage", ["send", "changelog"])
async def test_a_lane_killed_in_the_middle_of_a_delivery_writes_and_acks_nothing_more(play: Play, stage: str) -> None:
    play.broker.gates[stage].clear()
    play.fetch(b"1")
    await play.until(stage)
    play.lane.kill()
    before = list(play.broker.log)
    play.broker.gates[stage].set()
    await play.settle()
    assert play.broker.log == before
    assert (play.stored(), play.store.offset, play.acked, play.ended) == (None, None, [], [])


async def test_a_lane_told_to_finish_ends_what_it_has_in_hand_and_takes_nothing_more(play: Play) -> None:
    play.broker.gates["send"].clear()
    play.fetch(b"1")
    await play.until("send")
    play.fetch(b"2")
    finishing = asyncio.create_task(play.lane.finish())
    await play.settle()
    assert not finishing.done()
    play.broker.gates["send"].set()
    await asyncio.wait_for(finishing, 5)
    assert (play.acked, play.stored()) == ([0], 1)


@pytest.mark.parametrize("stage", ["send", "changelog"])
async def test_a_frozen_process_does_not_send_when_it_wakes(play: Play, stage: str) -> None:
    if stage == "changelog":  # frozen while the output waits for its acknowledgement
        play.broker.gates["send"].clear()
        play.fetch(b"1")
        await play.until("send")
        play.now = 8.1
        play.pulse.beat()  # the loop's beat comes first, and hides nothing
        play.broker.gates["send"].set()
        await play.settle()
        assert play.broker.log == ["send", "sent"]
    else:
        play.now = 8.1
        play.pulse.beat()
        play.fetch(b"1")
        await play.settle()
        assert play.broker.log == []
    assert [type(error) for error in play.ended] == [LaneLost]
    assert (play.stored(), play.acked) == (None, [])


async def test_a_former_owners_record_is_written_over_before_anything_is_stored(play: Play) -> None:
    play.fetch(b"1")
    await play.until("ack")
    play.fetch(b"1", key=b"other")
    await play.until("ack", 2)
    play.broker.foreign(b"k", b'{"count": 99, "applied": 0}', EPOCH - 1)
    play.fetch(b"2", key=b"other")
    await play.until("ack", 3)
    assert play.broker.last(b"k") == {"count": 1, "applied": 0}
    assert play.store.offset == len(play.broker.changelog) - 1
    assert play.metrics.fenced.labels("overwritten")._value.get() == 1


async def test_a_newer_owners_record_ends_the_lane_and_nothing_is_stored_or_acked(play: Play) -> None:
    play.broker.foreign(b"k", b'{"count": 99, "applied": 5}', EPOCH + 1)
    play.fetch(b"1")
    await play.settle()
    assert [type(error) for error in play.ended] == [LaneLost]
    assert (play.stored(), play.store.offset, play.acked) == (None, None, [])


async def test_an_idle_lane_looks_at_the_end_of_its_changelog(play: Play) -> None:
    play.fetch(b"1")
    await play.until("ack")
    play.broker.foreign(b"k", b'{"count": 99, "applied": 0}', EPOCH - 1)
    await play.lane.look(len(play.broker.changelog))
    assert play.broker.last(b"k") == {"count": 1, "applied": 0}
    play.broker.foreign(b"k", b'{"count": 99, "applied": 9}', EPOCH + 1)
    await play.lane.look(len(play.broker.changelog))
    assert [type(error) for error in play.ended] == [LaneLost]


async def test_its_own_repeated_attempt_is_no_foreign_record(play: Play) -> None:
    play.broker.foreign(b"k", b"{}", EPOCH)
    play.fetch(b"1")
    await play.until("ack")
    assert (play.ended, len(play.broker.changelog)) == ([], 2)
