"""The engine without a broker keeps the contract of ``services/streaming/handler.py``."""

from __future__ import annotations

import json

from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from tests.support.counting import Counting


def records(*values: tuple[bytes, bytes | None], start: int = 0) -> list[Record]:
    return [Record("in", 0, start + i, 0, key, value) for i, (key, value) in enumerate(values)]


def test_state_is_kept_between_batches() -> None:
    engine = MemoryEngine(Counting("out"))
    engine.feed(records((b"a", b"1"), (b"b", b"1")))
    sends = engine.feed(records((b"a", b"2"), start=2))
    assert [json.loads(send.value or b"") for send in sends] == [{"value": "2", "count": 2}]


def test_a_repeated_batch_changes_nothing() -> None:
    engine = MemoryEngine(Counting("out"))
    batch = records((b"a", b"1"), (b"a", b"2"))
    engine.feed(batch)
    before = engine.state(b"a")
    assert engine.feed(batch) == []
    assert engine.state(b"a") == before == {"count": 2, "applied": 1}


def test_a_bad_record_refuses_itself_and_not_its_batch() -> None:
    engine = MemoryEngine(Counting("out"))
    sends = engine.feed(records((b"a", b"1"), (b"a", b"bad"), (b"a", b"2"), (b"b", b"1")))
    assert [json.loads(send.value or b"") for send in sends] == [
        {"value": "1", "count": 1},
        {"refused": 1},
        {"value": "2", "count": 2},
        {"value": "1", "count": 1},
    ]
    assert len(engine.errors) == 1


def test_none_erases_a_state() -> None:
    engine = MemoryEngine(Counting("out"))
    engine.feed(records((b"a", b"1")))
    engine.feed(records((b"a", None), start=1))
    assert engine.state(b"a") is None
