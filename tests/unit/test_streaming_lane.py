"""One lane with a broker that the test plays: order, pipelining, death, fences."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from prometheus_client import CollectorRegistry

from services.streaming.changelog import Changelog
from services.streaming.errors import EngineError, LaneLost
from services.streaming.fetches import MAX_BATCH_RECORDS
from services.streaming.handler import Headers, Send
from services.streaming.lane import LEAST_RECORDS, Lane, Memory, Shared
from services.streaming.metrics import StreamMetrics
from services.streaming.producer import KeyValue, Span
from services.streaming.pulse import Pulse
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore
from tests.support.counting import Counting

EPOCH = 7


class Broker:
    """Notes what is written, in order, into ``log``. A gate that is closed holds acknowledgements back."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.changelog: list[Any] = []
        self.sent: list[Send] = []
        self.gates = {"send": asyncio.Event(), "changelog": asyncio.Event()}
        self.errors: list[Exception] = []
        for gate in self.gates.values():
            gate.set()

    async def send(self, sends: Sequence[Send], headers: Headers = ()) -> None:
        self.log.append("send")
        await self.gates["send"].wait()
        if self.errors:
            raise self.errors.pop(0)
        self.sent += [send._replace(headers=headers) for send in sends]
        self.log.append("sent")

    async def append(
        self, topic: str, partition: int, records: Iterable[KeyValue], headers: Headers = ()
    ) -> list[Span]:
        self.log.append("changelog")
        first = len(self.changelog)
        self.changelog += [SimpleNamespace(key=key, value=value, headers=headers) for key, value in records]
        await self.gates["changelog"].wait()
        self.log.append("changed")
        written = len(self.changelog) - first
        return [Span(first, written)] if written else []

    def foreign(self, key: bytes, value: bytes, epoch: int) -> None:
        """A record of another writer."""
        headers = (("epoch", str(epoch).encode()),)
        self.changelog.append(SimpleNamespace(key=key, value=value, headers=headers))

    async def read(self, topic: str, partition: int, start: int, end: int) -> list[Any]:
        return self.changelog[start:end]

    def last(self, key: bytes) -> Any:
        return json.loads(next(r.value for r in reversed(self.changelog) if r.key == key))


class Play:
    def __init__(self, folder: Path, limits: RefusalLimits) -> None:
        self.now = 0.0
        self.broker = Broker()
        self.metrics = StreamMetrics(CollectorRegistry())
        self.pulse = Pulse(8, lambda: self.now)
        self.store = PartitionStore(folder)
        self.ended: list[Exception] = []
        self.acked: list[int] = []
        self.batches: list[int] = []
        self.offset = 0
        broker: Any = self.broker
        shared = Shared(Counting("out"), broker, self.metrics, self.pulse, limits, 1 << 20, self.observe)
        changelog = Changelog(broker, self.broker.read, "changelog", 0, EPOCH, 0)
        self.lane = Lane(0, EPOCH, shared, Memory(self.store, changelog), self.ended.append)

    def observe(self, records: Sequence[Any], sends: Sequence[Send]) -> None:
        self.batches.append(len(records))

    def fetch(self, *values: bytes, key: bytes = b"k") -> None:
        records = []
        for value in values:
            records.append(
                SimpleNamespace(
                    topic="in", partition=0, offset=self.offset, timestamp=0, key=key, value=value, headers=()
                )
            )
            self.offset += 1
        last = self.offset - 1

        def ack() -> None:
            self.broker.log.append("ack")
            self.acked.append(last)

        self.lane.queue.put(records, ack)

    def stored(self, key: bytes = b"k") -> Any:
        value = self.store.read(key)
        return None if value is None else json.loads(value)["count"]

    async def until(self, what: str, times: int = 1) -> None:
        async with asyncio.timeout(5):
            while self.broker.log.count(what) < times:
                await asyncio.sleep(0)

    async def settle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)


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
    monkeypatch.setattr(play.lane._cache, "get", lambda key, otherwise: otherwise)  # a cache that keeps nothing
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
    # each look at the clock is a second later: a batch takes ten times as long as it should
    monkeypatch.setattr("services.streaming.lane.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    play.lane._limit = 8000
    play.fetch(*[b"x"] * 16_000)
    await play.until("ack")
    # halfway to the tenth of what was done, each time, and not below the least
    assert play.batches[:3] == [8000, 4400, 2420]
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
