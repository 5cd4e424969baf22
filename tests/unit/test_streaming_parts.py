"""The small parts of the engine: epochs, pulse, cache, refusals, store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.streaming.cache import OVERHEAD_BYTES, StateCache
from services.streaming.epochs import epoch_of, headers_of, next_epoch
from services.streaming.errors import EngineError
from services.streaming.pulse import Pulse
from services.streaming.refusals import RefusalLimits, Refusals
from services.streaming.store import MAX_AWAY_SECONDS, PartitionStore
from services.streaming.stores import ForeignPartitionError, Stores


def test_a_later_owner_has_a_higher_epoch_whatever_it_has_seen() -> None:
    for first in range(1, 30):
        for seen in range(30):
            old = next_epoch(seen, first)
            # neither has written yet, or the later one has seen what the first wrote, or the group counts anew
            assert next_epoch(seen, first + 1) > old
            assert next_epoch(old, 1) > old


def test_an_epoch_is_a_header() -> None:
    assert epoch_of(headers_of(12)) == 12
    assert epoch_of([("other", b"x")]) == 0


def test_a_missed_pulse_stays_missed_until_the_next_assignment() -> None:
    now = 0.0
    pulse = Pulse(8, lambda: now)
    now = 7.9
    assert not pulse.missed
    pulse.beat()
    now = 16.0
    pulse.beat()
    assert pulse.missed
    now = 16.1
    pulse.beat()
    assert pulse.missed
    pulse.restart()
    assert not pulse.missed


def test_the_cache_keeps_its_bound_and_what_was_used_last() -> None:
    cache = StateCache(4 * (100 + OVERHEAD_BYTES))
    for number in range(1000):
        cache.put(b"%d" % number, number, 100)
        assert cache.get(b"hot", None) == ("hot" if number else None)
        cache.put(b"hot", "hot", 100)
        cache.shrink()
        # one batch over the half that makes the young ones old
        assert cache.size <= 5 * (100 + OVERHEAD_BYTES)
    assert [number for number in range(1000) if b"%d" % number in cache] == list(range(1000))[-cache.size // 164 + 1 :]


def test_the_cache_counts_a_key_once_whatever_happens_to_it() -> None:
    cache = StateCache(4 * (100 + OVERHEAD_BYTES))
    for size in (100, 10, 250, 30):
        cache.put(b"a", size, size)
        assert (cache.get(b"a", None), cache.size) == (size, size + OVERHEAD_BYTES)
    for key in (b"b", b"c", b"d"):
        cache.put(key, key, 100)
    cache.shrink()
    cache.put(b"a", None, 0)
    assert cache.get(b"a", "unknown") is None
    assert cache.get(b"b", "unknown") == b"b"
    assert cache.size == 3 * 100 + 4 * OVERHEAD_BYTES
    assert cache.get(b"e", "unknown") == "unknown"


def test_a_run_of_refusals_counts_over_batches_and_a_good_record_ends_it() -> None:
    refusals = Refusals(RefusalLimits(run=4, ratio=0))
    refusals.count(3, [1, 2])
    refusals.count(4, [0, 2, 3])
    refusals.count(1, [])
    refusals.count(3, [0, 1, 2])
    with pytest.raises(EngineError):
        refusals.count(2, [0])


def test_a_share_is_judged_when_there_are_enough_records() -> None:
    refusals = Refusals(RefusalLimits(run=0, ratio=0.2))
    refusals.count(499, range(0, 499, 2))
    with pytest.raises(EngineError, match="251 of 501"):
        refusals.count(2, [0])
    Refusals(RefusalLimits(run=0, ratio=0.2)).count(1000, range(200))
    Refusals(RefusalLimits(0, 0)).count(1000, range(1000))


def record(key: bytes, value: bytes | None, epoch: int, offset: int) -> Any:
    return SimpleNamespace(key=key, value=value, headers=headers_of(epoch), offset=offset)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_store_says_how_far_it_is(folder: Path) -> None:
    store = PartitionStore(folder)
    assert (store.offset, store.highest_epoch) == (None, 0)
    store.write({b"a": b"1", b"b": b"2"}, 3, 41)
    store.write({b"b": None}, 3, 42)
    store.close()
    store = PartitionStore(folder)
    assert (store.read(b"a"), store.read(b"b"), store.offset, store.highest_epoch) == (b"1", None, 42, 3)
    assert list(store.items()) == [(b"a", b"1")]
    store.close()


def test_a_late_record_of_a_former_owner_has_no_effect_wherever_it_stands(folder: Path) -> None:
    store = PartitionStore(folder)
    assert store.apply([record(b"a", b"new", 5, 0), record(b"a", b"late", 4, 1), record(b"b", b"only", 4, 2)]) == 1
    assert store.apply([record(b"a", b"later", 4, 3)]) == 1
    assert (store.read(b"a"), store.read(b"b"), store.offset) == (b"new", b"only", 3)
    assert store.apply([record(b"b", None, 5, 4), record(b"b", b"risen", 4, 5)]) == 1
    assert store.read(b"b") is None
    assert store.apply([record(b"b", b"risen", 4, 6)]) == 1
    assert store.read(b"b") is None
    store.close()


def test_a_store_that_was_away_for_too_long_is_made_anew(folder: Path) -> None:
    now = 1_000_000.0
    store = PartitionStore(folder, lambda: now)
    store.write({b"erased meanwhile": b"1"}, 1, 1)
    now += MAX_AWAY_SECONDS - 10
    store.touch()
    store.close()
    now += MAX_AWAY_SECONDS - 10
    store = PartitionStore(folder, lambda: now)
    assert store.offset == 1
    store.close()
    now += 20
    store = PartitionStore(folder, lambda: now)
    assert (store.offset, store.read(b"erased meanwhile")) == (None, None)
    store.close()


def test_only_what_is_assigned_is_opened_and_what_is_not_is_closed(tmp_path: Path) -> None:
    stores = Stores(tmp_path, "t")
    with pytest.raises(ForeignPartitionError):
        stores.of(0)
    stores.assign([0, 1])
    stores.of(0).write({b"a": b"1"}, 1, 1)
    stores.assign([1])
    with pytest.raises(ForeignPartitionError):
        stores.of(0)
    other = PartitionStore(stores.path(0))  # RocksDB's lock is free
    assert other.read(b"a") == b"1"
    other.close()
    stores.close()


def test_a_store_that_cannot_be_opened_says_where_and_what_to_do(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(EngineError, match="delete it"):
        PartitionStore(folder)
