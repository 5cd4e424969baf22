"""Keys whose last record in the changelog is a former owner's are written again by the next owner, whatever crashes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.streaming.epochs import epoch_of, headers_of
from services.streaming.errors import EngineError
from services.streaming.lanes import Lanes
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore
from services.streaming.stores import Stores
from tests.support.lane_play import EPOCH, Play

RIGHT, STALE = b'{"count": 5, "applied": 4}', b'{"count": 3, "applied": 2}'


def record(key: bytes, value: bytes | None, epoch: int, offset: int) -> Any:
    return SimpleNamespace(key=key, value=value, headers=headers_of(epoch), offset=offset)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store whose restore met late records of two keys, one of them erased."""
    store = PartitionStore(tmp_path / "store")
    store.apply([record(b"k", RIGHT, 5, 0), record(b"gone", None, 5, 1), record(b"other", RIGHT, 5, 2)])
    store.apply([record(b"k", STALE, 4, 3), record(b"gone", STALE, 4, 4)])
    store.close()
    return tmp_path / "store"


@asynccontextmanager
async def born(folder: Path) -> AsyncIterator[Play]:
    play = Play(folder, RefusalLimits(3, 0))
    try:
        yield play
    finally:
        play.lane.kill()
        play.store.close()


def test_a_store_keeps_what_is_owed_until_it_is_written(folder: Path) -> None:
    store = PartitionStore(folder)
    assert store.owed == {b"k", b"gone"}
    store.write({b"k": RIGHT}, 6, 5)
    assert store.owed == {b"gone"}
    store.close()
    store = PartitionStore(folder)
    assert store.owed == {b"gone"}
    assert list(store.items()) == [(b"k", RIGHT), (b"other", RIGHT)]
    store.close()


def test_nothing_is_owed_once_a_record_that_counts_stands_behind_the_late_one(folder: Path) -> None:
    store = PartitionStore(folder)
    store.apply([record(b"k", RIGHT, 5, 5), record(b"other", STALE, 4, 6), record(b"other", RIGHT, 6, 7)])
    assert store.owed == {b"gone"}
    store.close()
    store = PartitionStore(folder)
    assert store.owed == {b"gone"}
    store.close()


async def test_a_lane_writes_what_is_owed_before_anything_else_and_without_input(folder: Path) -> None:
    async with born(folder) as play:
        await play.until("changed")
        await play.settle()
        written = {r.key: (r.value, epoch_of(r.headers)) for r in play.broker.changelog}
        assert written == {b"k": (RIGHT, EPOCH), b"gone": (None, EPOCH)}
        assert (play.store.owed, play.store.offset, play.store.epoch(b"k")) == (frozenset(), 1, EPOCH)


async def test_nothing_is_sent_or_acked_while_something_is_owed(folder: Path) -> None:
    async with born(folder) as play:
        play.broker.gates["changelog"].clear()
        play.fetch(b"1", key=b"new")
        await play.until("changelog")
        await play.settle()
        assert (play.broker.log, play.acked) == (["changelog"], [])
        play.broker.gates["changelog"].set()
        await play.until("ack")
        assert play.broker.log == ["changelog", "changed", "send", "sent", "changelog", "changed", "ack"]


async def test_a_crash_before_it_is_written_forgets_nothing(folder: Path) -> None:
    async with born(folder) as play:
        play.broker.gates["changelog"].clear()
        await play.until("changelog")
    async with born(folder) as play:
        await play.until("changed")
        assert {r.key for r in play.broker.changelog} == {b"k", b"gone"}


async def test_lanes_are_born_for_partitions_without_input_and_not_for_lost_ones() -> None:
    births: list[int] = []
    errors: list[Exception] = []

    def memory(partition: int) -> tuple[int, None]:
        if partition == 3:
            raise EngineError("not restored")
        births.append(partition)
        return EPOCH, None

    shared: Any = SimpleNamespace(cache_bytes=0, limits=RefusalLimits(0, 0), handler=None, metrics=None)
    lanes = Lanes(shared, memory, lambda: None, errors.append)
    lanes.bear([0])
    assert births == []  # nothing is assigned
    lanes.begin()
    lanes._lost.add(1)
    lanes.bear([0, 1, 2])
    lanes.bear([0, 2])
    assert (births, [lane.partition for lane in lanes]) == ([0, 2], [0, 2])
    lanes.bear([3])
    assert [str(error) for error in errors] == ["not restored"]
    await lanes.finish(1)


def test_a_store_that_cannot_be_closed_says_so_and_the_others_are_closed(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("No space left on device")

    stores = Stores(tmp_path, "t")
    stores.assign([0, 1, 2])
    opened = [stores.of(0), stores.of(1), stores.of(2)]
    real = opened[1]._db
    opened[1]._db = SimpleNamespace(close=fail)
    with pytest.raises(EngineError, match=r"cannot be closed.*No space left"):
        stores.close()
    real.close()
    for partition in range(3):
        PartitionStore(stores.path(partition)).close()  # RocksDB's lock is free
