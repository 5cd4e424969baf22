"""What stands in the stores and the changelog on real Kafka: late records without an owner, disks that fail."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.streaming import store
from services.streaming.errors import EngineError
from services.streaming.lane import Lane
from services.streaming.refusals import RefusalLimits
from services.streaming.store import PartitionStore
from tests.support.kafka_job import KEYS, PARTITIONS, WAIT_SECONDS, Job, counts, until_ready

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

KEY = KEYS[0]


@pytest.fixture
async def job(brokers: str, tmp_path: Path) -> Job:
    job = Job(brokers, tmp_path / "state")
    await job.make_topics()
    return job


async def test_the_next_owner_writes_over_what_came_while_there_was_none(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it gets no input, and when the first that should have done it was killed before."""
    await job.load(range(500))
    async with job.running():
        await job.output_of(range(500))
    state, epoch = await job.last_of_changelog(KEY)
    await job.write(job.changelog, KEY, b'{"count": 3, "applied": 1}', epoch - 1)

    async def killed(lane: Lane, memory: Any) -> None:
        lane.kill()

    with monkeypatch.context() as patch:
        patch.setattr(Lane, "_repay", killed)
        async with job.running() as engine:
            await until_ready(engine)
            await asyncio.sleep(2)
    assert (await job.last_of_changelog(KEY))[0]["count"] == 3
    async with job.running(), asyncio.timeout(15):
        while (await job.last_of_changelog(KEY))[0] != state:
            await asyncio.sleep(0.2)
    assert (await job.last_of_changelog(KEY))[1] > epoch
    await job.load(range(500, 550))
    async with job.running():
        assert set(counts(await job.output_of(range(550))).values()) == {11}


async def test_a_restore_that_fails_stops_the_worker_and_says_why(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    await job.load(range(500))
    async with job.running():
        await job.output_of(range(500))
    job.folder = job.folder.with_name("empty")
    await job.load(range(500, 600))

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(self.db, name)

        def __init__(self, db: Any) -> None:
            self.db = db

        def write(self, batch: Any) -> None:
            raise OSError("No space left on device")

        def close(self) -> None:
            self.db.close()
            raise OSError("a flush that fails")

    real = store._open
    with monkeypatch.context() as patch:
        patch.setattr(store, "_open", lambda path: Full(real(path)))
        with pytest.raises(EngineError, match=r"cannot be written.*No space left"):
            await asyncio.wait_for(job.engine().run(asyncio.Event(), 10), WAIT_SECONDS)
    assert len(await job.records(job.output)) == 500


async def test_a_store_ahead_of_its_changelog_stops_the_worker_with_what_to_do(job: Job) -> None:
    for partition in range(PARTITIONS):
        store = PartitionStore(job.folder / f"counts-{partition}.rocksdb")
        store.write({b"k": b"{}"}, 1, 1000)
        store.close()
    await job.load(range(50))
    async with job.on(job.folder.with_name("good")).running():
        await job.output_of(range(50))
    with pytest.raises(EngineError, match="rxvigil state rebuild"):
        await asyncio.wait_for(job.engine(limits=RefusalLimits(0, 0)).run(asyncio.Event(), 10), WAIT_SECONDS)
