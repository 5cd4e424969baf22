"""The engine on real Kafka across restarts, rebalances, former owners and frozen workers."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from services.streaming.errors import EngineError
from services.streaming.faust_engine import SESSION_SECONDS
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore
from tests.support.counting import Counting
from tests.support.kafka_job import KEYS, PARTITIONS, WAIT_SECONDS, Job, Running, counts, until_ready

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

KEY = KEYS[0]


@pytest.fixture
async def job(brokers: str, tmp_path: Path) -> Job:
    job = Job(brokers, tmp_path / "state")
    await job.make_topics()
    return job


def value(metric: Any) -> float:
    return float(metric._value.get())


async def until(condition: Any, seconds: float = WAIT_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def test_state_survives_a_restart_with_and_without_the_local_store(job: Job) -> None:
    await job.load(range(1000))
    async with job.running():
        await job.output_of(range(1000))
    await job.load(range(1000, 2000))
    async with job.running() as engine:
        await job.output_of(range(2000))
        assert value(engine.measured.restore_records) <= PARTITIONS  # the last record of each partition is read again
    # the disk is lost: everything must come back from the changelog
    job.folder = job.folder.with_name("empty")
    await job.load(range(2000, 3000))
    async with job.running() as engine:
        output = await job.output_of(range(3000))
        assert value(engine.measured.restore_records) > 50
    assert set(counts(output).values()) == {3000 // len(KEYS)}
    assert {state["count"] for state in job.stored().values()} == {3000 // len(KEYS)}


def handled(engine: Running) -> float:
    return float(engine.measured.batch_records._sum.get())  # type: ignore[attr-defined]


async def test_a_clean_stop_and_a_rebalance_repeat_nothing(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.streaming.faust_app.COMMIT_SECONDS", 60.0)
    await job.load(range(500))
    async with job.running() as before:
        await job.output_of(range(500))
    await job.load(range(500, 1000))
    async with job.running() as first:
        await job.output_of(range(1000))
        async with job.on(tmp_path / "other").running() as second:
            await until_ready(first, second)
            await job.load(range(1000, 1500))
            await job.output_of(range(1500))
            assert handled(second) > 0
    assert handled(before) + handled(first) + handled(second) == 1500


async def test_a_bad_record_is_refused_and_the_stream_goes_on(job: Job) -> None:
    await job.load(range(500), bad=123)
    async with job.running() as engine:
        output = await job.output_until(lambda found: len(found) >= 500)
        assert value(engine.measured.refused) == 1
    assert [record["key"] for record in output if "refused" in record] == [KEYS[123 % len(KEYS)]]
    assert {record["value"] for record in output if "value" in record} == {str(v) for v in range(500)} - {"123"}


async def test_too_many_refusals_stop_the_worker_and_leave_the_records_unread(job: Job) -> None:
    class Broken(Counting):
        def handle(self, records: Any, states: Any) -> Any:
            raise TypeError("a bad deployment")

    await job.load(range(400))
    # below what the smallest partition holds: every lane has too many in its first batch
    engine = job.engine(Broken(job.output), limits=RefusalLimits(10, 0))
    with pytest.raises(EngineError, match=r"Undo the last deployment.*refusal_run"):
        await engine.run(asyncio.Event(), 10)
    assert await job.records(job.output) == []
    async with job.running():
        assert set(counts(await job.output_of(range(400))).values()) == {8}


async def test_a_partition_lost_and_regained_starts_from_what_is_true(job: Job, tmp_path: Path) -> None:
    """Two workers join and leave under load; each has the states of the other's time in its cache and store."""
    other = job.on(tmp_path / "other")
    loaded = 0

    async def load(more: int) -> None:
        nonlocal loaded
        await job.load(range(loaded, loaded + more))
        loaded += more

    async with job.running() as first:
        await until_ready(first)
        await load(2000)
        for _ in range(2):
            async with other.running() as second:
                await load(1000)
                await until_ready(first, second)
                await load(1000)
                await job.output_of(range(loaded))
                assert handled(second) > 0
            await load(1000)
            await until_ready(first)
        output = await job.output_of(range(loaded))
        assert value(first.measured.rebalances) >= 5
    assert set(counts(output).values()) == {loaded // len(KEYS)}


async def test_a_former_owners_late_record_does_not_win_in_a_restore(job: Job) -> None:
    await job.load(range(500))
    async with job.running():
        await job.output_of(range(500))
    _, epoch = await job.last_of_changelog(KEY)
    await job.write(job.changelog, KEY, b'{"count": 3, "applied": 1}', epoch - 1)
    job.folder = job.folder.with_name("empty")
    async with job.running() as engine:
        await until_ready(engine)
        await job.load(range(500, 550))
        output = await job.output_of(range(550))
        assert value(engine.measured.fenced.labels("skipped")) == 1
    assert set(counts(output).values()) == {11}
    assert (await job.last_of_changelog(KEY))[0]["count"] == 11


async def test_an_idle_owner_writes_over_a_former_owners_late_record(job: Job) -> None:
    await job.load(range(500))
    async with job.running() as engine:
        await job.output_of(range(500))
        state, epoch = await job.last_of_changelog(KEY)
        await job.write(job.changelog, KEY, b'{"count": 3, "applied": 1}', epoch - 1)
        await until(lambda: value(engine.measured.fenced.labels("overwritten")) == 1, 15)
        await asyncio.sleep(0.5)
        assert await job.last_of_changelog(KEY) == (state, epoch)
        await job.load(range(500, 550))
        assert set(counts(await job.output_of(range(550))).values()) == {11}


async def test_a_newer_owners_record_ends_the_lane_and_the_worker_begins_anew_from_it(job: Job) -> None:
    await job.load(range(500))
    async with job.running() as engine:
        await job.output_of(range(500))
        await job.write(job.changelog, KEY, b'{"count": 1000, "applied": 0}', 10**6)
        await until(lambda: value(engine.measured.fenced.labels("lost")) == 1, 15)
        await until_ready(engine)
        await job.load(range(500, 550))
        output = await job.output_of(range(550))
    assert counts(output)[KEY] == 1001
    assert max(record["epoch"] for record in output if record["key"] == KEY) > 10**6
    assert job.stored()[KEY]["count"] == 1001


async def test_a_frozen_worker_that_wakes_corrupts_nothing(job: Job, tmp_path: Path) -> None:
    """SIGSTOP longer than the session, under load, and SIGCONT: the other worker's state stands, in changelog and store."""
    other = job.on(tmp_path / "other")
    stop = asyncio.Event()
    loaded = 0

    async def load() -> None:
        nonlocal loaded
        while not stop.is_set():
            await job.load(range(loaded, loaded + 100))
            loaded += 100
            await asyncio.sleep(0.1)

    async with job.child() as frozen:
        loading = asyncio.create_task(load())
        await job.output_until(lambda found: len(found) > 500)
        async with other.running() as engine:
            await until_ready(engine)
            await asyncio.sleep(2)
            frozen.send_signal(signal.SIGSTOP)
            await asyncio.sleep(SESSION_SECONDS + 4)
            frozen.send_signal(signal.SIGCONT)
            await asyncio.sleep(6)
            stop.set()
            await loading
            output = await job.output_of(range(loaded))
            frozen.terminate()
            assert await asyncio.wait_for(frozen.wait(), 12) == 0
            await until_ready(engine)
            await job.load(range(loaded, loaded + 100))
            output = await job.output_of(range(loaded + 100))
    wanted = {(loaded + 100) // len(KEYS)}
    assert set(counts(output).values()) == wanted
    assert {state["count"] for state in other.stored().values()} == wanted
    for key in KEYS[:5]:
        assert (await job.last_of_changelog(key))[0]["count"] in wanted


async def test_a_standby_takes_over_without_a_restore(job: Job, tmp_path: Path) -> None:
    other = job.on(tmp_path / "other")
    async with job.running(standby_replicas=1) as first:
        await until_ready(first)
        async with other.running(standby_replicas=1) as second:
            await until_ready(first, second)
            await job.load(range(5000))
            await job.output_of(range(5000))
            everything = len(await job.records(job.changelog))
            both = [first.measured.restore_records, second.measured.restore_records]
            # each record is followed by the one of the two that does not own it
            await until(lambda: sum(map(value, both)) >= everything, 15)
            followed = value(second.measured.restore_records)
            first_stop = first.task
            first_stop.cancel()  # the first is gone at once; its end is none of this test's
            await asyncio.wait({first_stop})
            await job.load(range(5000, 6000))
            output = await job.output_of(range(6000))
            assert value(second.measured.restore_records) - followed < 100
            assert set(counts(output).values()) == {6000 // len(KEYS)}
            first.task = asyncio.create_task(asyncio.sleep(0))


async def test_a_stop_in_the_middle_of_a_restore_ends_within_its_bound(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    await job.load(range(2000))
    async with job.running():
        await job.output_of(range(2000))
    job.folder = job.folder.with_name("empty")
    restoring = asyncio.Event()

    def apply(self: PartitionStore, records: Any) -> int:
        restoring.set()
        time.sleep(0.3)  # a slow disk
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(PartitionStore, "apply", apply)
        engine, stop = job.engine(), asyncio.Event()
        task = asyncio.create_task(engine.run(stop, 5))
        await asyncio.wait_for(restoring.wait(), WAIT_SECONDS)
        started = time.monotonic()
        stop.set()
        await asyncio.wait_for(task, 5)
        assert time.monotonic() - started < 5
    await job.load(range(2000, 3000))
    async with job.running():
        assert set(counts(await job.output_of(range(3000))).values()) == {60}
