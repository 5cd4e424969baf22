"""When a state wants to be looked at: kept by the store, by the changelog's headers, and in step with the input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from services.streaming.dues import Due, due_header, due_of
from services.streaming.epochs import headers_of
from services.streaming.lanes import Lanes
from services.streaming.metrics import StreamMetrics
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore
from services.streaming.watch import Watch
from tests.support.lane_play import Play


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    play = Play(tmp_path / "store", RefusalLimits(3, 0))
    yield play
    play.lane.kill()
    play.store.close()


def test_a_store_gives_what_is_due_the_longest_due_first(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "store")
    store.write({b"a": b"1", b"b": b"2"}, 1, 0, {b"a": 300, b"b": 70_000})
    store.write({b"c": b"3"}, 1, 1, {b"c": 200})
    assert store.due(100, 9) == []
    assert store.due(300, 9) == [Due(200, b"c"), Due(300, b"a")]
    assert store.due(99_999, 2) == [Due(200, b"c"), Due(300, b"a")]
    store.write({}, 1, None, met=[Due(200, b"c"), Due(300, b"a")])
    assert (store.due(99_999, 9), store.offset) == ([Due(70_000, b"b")], 1)
    assert [key for key, _ in store.items()] == [b"a", b"b", b"c"]
    store.close()


def test_a_restored_state_is_due_when_it_was(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "store")
    headers = (*headers_of(2), due_header(500))
    assert due_of(headers) == 500
    records: list[Any] = [
        SimpleNamespace(key=b"a", value=b"1", headers=headers, offset=0),
        SimpleNamespace(key=b"b", value=b"1", headers=headers_of(2), offset=1),
        # a former owner's, which does not count
        SimpleNamespace(key=b"b", value=b"0", headers=(*headers_of(1), due_header(400)), offset=2),
    ]
    store.apply(records)
    assert store.due(1000, 9) == [Due(500, b"a")]
    store.close()


async def test_what_is_written_again_for_a_former_owner_is_still_due(play: Play) -> None:
    play.fetch(b"in 900", at=100)
    await play.until("ack")
    assert play.broker.changelog[-1].headers == (("epoch", b"7"), ("due", b"1000"))
    play.broker.foreign(b"k", b'{"count": 99, "applied": 0}', 6)
    await play.lane.look(len(play.broker.changelog))
    assert play.broker.changelog[-1].headers == (("epoch", b"7"), ("due", b"1000"))


async def test_a_crash_before_it_is_stored_looks_again(play: Play) -> None:
    play.fetch(b"in 900", at=100)
    await play.until("ack")
    play.broker.gates["send"].clear()
    play.lane.tick(1000)
    await play.until("send", 2)
    play.lane.kill()
    await play.settle()
    assert play.store.due(1000, 9) == [Due(1000, b"k")]


async def test_a_state_that_changed_while_it_waited_is_not_looked_at(play: Play) -> None:
    play.fetch(b"in 900", at=100)
    await play.until("ack")
    play.broker.gates["send"].clear()
    play.fetch(b"2")
    await play.until("send", 2)
    play.lane.tick(1000)  # the record that ends it is handled, and not yet stored
    play.broker.gates["send"].set()
    await play.until("ack", 2)
    await play.settle()
    assert len(play.broker.sent) == 2
    assert play.store.due(1000, 9) == []


def test_time_passes_no_faster_than_the_input_is_handled() -> None:
    told: dict[int, int] = {}

    def lane(partition: int, handled_until: int) -> Any:
        return SimpleNamespace(
            partition=partition, handled_until=handled_until, tick=lambda now: told.update({partition: now})
        )

    shared: Any = None
    lanes = Lanes(shared, lambda _: (1, None), lambda: None, print)
    lanes._lanes = {0: lane(0, 500), 1: lane(1, 500), 2: lane(2, 5000)}
    lanes.tick(1000, {1, 2})
    assert told == {0: 1000, 1: 500, 2: 1000}


def test_a_partition_is_behind_until_it_is_known_that_it_is_not() -> None:
    ends: dict[Any, int | None] = {}
    begins: dict[Any, int | None] = {}
    place = TP("in", 0)
    consumer = SimpleNamespace(assignment=lambda: {place, TP("changelog", 0)}, highwater=ends.get, begins_at=begins.get)
    lane = SimpleNamespace(partition=0, next_offset={}, handled_until=0)
    app, lanes, none = SimpleNamespace(consumer=consumer), [lane], None
    given: Any = (app, lanes, none, "changelog", StreamMetrics(CollectorRegistry()), none, none, none)
    watch = Watch(*given)
    assert watch._lag() == {0}  # nothing was fetched yet
    ends[place] = 7
    assert watch._lag() == {0}  # something waits, and nothing was ever committed
    begins[place] = 5
    assert watch._lag() == {0}  # two that were not handled before a restart
    begins[place] = 7
    assert watch._lag() == set()
    lane.next_offset["in"] = 6
    assert watch._lag() == {0}
    lane.next_offset["in"] = 7
    assert watch._lag() == set()
