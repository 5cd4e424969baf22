"""One run: topics of its own, workers and a load as processes, each ended by its own id; notes of what was done and when."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from services.local.child import Child, Command
from services.local.stack import Stack
from tests.faults.ledger import Topics
from tests.faults.reading import positions

PARTITIONS = 4
STOP_BOUND = 12.0
"""Seconds within which SIGTERM must have ended a worker: the stop's own bound of 10 s and some for the interpreter."""
SESSION = 10.0
"""Seconds after which the group expels a worker that it does not hear from."""
READY_SECONDS, DRAIN_SECONDS = 60.0, 120.0


class RunError(RuntimeError):
    """A run did not come to its end; the message says what was waited for."""


class Worker:
    """A worker process. ``asked``: its end is part of the fault; else it is a finding."""

    def __init__(self, child: Child, folder: Path, status: Path) -> None:
        self.child, self.folder, self.status = child, folder, status
        self.asked = False

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        process = self.child._process
        return None if process is None else process.returncode

    @property
    def ready(self) -> bool:
        return self.code is None and self.status.exists() and self.status.read_text() == "ready"

    @property
    def stopped(self) -> bool:
        """Whether it is frozen by SIGSTOP."""
        try:
            stat = Path(f"/proc/{self.child.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.child.pid, number)


class Run:
    """What a fault has in its hands."""

    def __init__(
        self, stack: Stack, folder: Path, name: str, seed: int, broken: str | None = None, short: bool = False
    ) -> None:
        self.stack, self.folder, self.name, self.seed, self.broken = stack, folder, name, seed, broken
        self.short = short
        """Leave out what a fault does again in another way."""
        self.topics = Topics(name)
        self.rnd = random.Random(seed)
        self.workers: dict[str, Worker] = {}
        self.loads: list[Child] = []
        self._loads_begun = 0
        self.notes: list[tuple[float, str]] = []
        self.findings: list[str] = []
        """What is amiss beside the data: a worker that ended by itself, or too late."""
        self._started = time.monotonic()
        folder.mkdir(parents=True)

    @property
    def brokers(self) -> str:
        return self.stack.brokers

    def note(self, text: str) -> None:
        self.notes.append((round(time.monotonic() - self._started, 1), text))

    def finding(self, text: str) -> None:
        self.note(f"FINDING: {text}")
        self.findings.append(text)

    async def make_topics(self) -> None:
        topics = self.topics
        compacted = {"cleanup.policy": "compact", "min.compaction.lag.ms": "600000"}
        new = [NewTopic(name, PARTITIONS, 1) for name in (topics.facts, topics.answers, topics.alerts)]
        new += [NewTopic(name, PARTITIONS, 1) for name in (topics.dead, topics.told)]
        new.append(NewTopic(topics.changelog, PARTITIONS, 1, topic_configs=compacted))
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            await admin.create_topics(new)
            names = {each.name for each in new}
            while not names <= set(await admin.list_topics()):
                await asyncio.sleep(0.05)
        finally:
            await admin.close()

    # workers

    async def start(self, name: str, *options: str, folder: Path | None = None, wait: bool = True) -> Worker:
        """Start a worker; its folder is kept from start to start."""
        folder = folder or self.folder / f"worker-{name}"
        status = self.folder / f"{name}.status"
        status.unlink(missing_ok=True)
        broken = ("--broken", self.broken) if self.broken else ()
        arguments = ("tests.faults.worker", self.brokers, str(folder), "--run", self.name, "--status", str(status))
        child = self._child(f"worker-{name}", *arguments, *broken, *options, share=STOP_BOUND)
        await child.start()
        worker = self.workers[name] = Worker(child, folder, status)
        self.note(f"worker {name} started (pid {child.pid}) {' '.join(options)}".rstrip())
        if wait:
            await self.until(
                lambda: worker.ready or worker.code is not None, READY_SECONDS, f"worker {name} to be ready"
            )
        return worker

    async def kill(self, name: str) -> None:
        self.workers[name].asked = True
        self.note(f"SIGKILL worker {name}")
        await self.workers[name].child.kill()

    async def stop(self, name: str) -> None:
        """SIGTERM; a worker that takes longer than its bound, or ends with an error, is a finding."""
        worker = self.workers[name]
        if worker.code is not None:
            return
        worker.asked = True
        started = time.monotonic()
        in_time = await worker.child.stop()
        self.note(f"SIGTERM worker {name}: ended after {time.monotonic() - started:.1f} s with code {worker.code}")
        if not in_time:
            self.finding(f"worker {name} had not stopped {STOP_BOUND:.0f} s after SIGTERM and was killed")
        elif worker.code != 0:
            self.finding(f"worker {name} ended with code {worker.code} on SIGTERM: {self.last_words(name)}")

    async def ended(self, name: str, within: float = 40.0) -> int:
        """Wait for a worker that is to end by itself; its exit code."""
        worker = self.workers[name]
        worker.asked = True
        await self.until(lambda: worker.code is not None, within, f"worker {name} to end")
        self.note(f"worker {name} ended with {_how(worker.code or 0)}")
        return worker.code or 0

    async def supervise(self) -> None:
        """Start again what ended without being asked to, as any supervisor would, and note it as a finding."""
        for name, worker in list(self.workers.items()):
            if worker.code is not None and not worker.asked:
                self.finding(f"worker {name} ended by itself with {_how(worker.code)}: {self.last_words(name)}")
                await self.start(name, wait=False)

    def last_words(self, name: str) -> str:
        log = self.folder / "logs" / f"worker-{name}.log"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return (lines or ["(nothing in its log)"])[-1][-300:]

    # load

    async def load(self, rate: float = 600, **options: int) -> None:
        number = self._loads_begun
        self._loads_begun += 1
        extra = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
        seed = str(self.seed * 100 + number)
        arguments = ("tests.faults.load", self.brokers, "--run", self.name, "--seed", seed, "--rate", str(rate), *extra)
        child = self._child(f"load-{number}", *arguments, share=15.0)
        await child.start()
        self.loads.append(child)
        self.note(f"load of {rate:.0f} facts/s started (seed {seed}) {' '.join(extra)}".rstrip())

    async def end_load(self) -> None:
        for child in self.loads:
            await child.stop()
            self.note("load ended")
        self.loads = []

    async def publish(self, topic: str, records: list[tuple[bytes, bytes]]) -> None:
        """Send records of the run's own."""
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers, acks="all", max_request_size=18 << 20)
        await producer.start()
        try:
            for key, value in records:
                await producer.send_and_wait(topic, value, key=key)
        finally:
            await producer.stop()

    async def tell(self, round_: str, keys: int) -> None:
        """Have every state told, and wait until it is."""
        body = b'{"tell":"%s"}' % round_.encode()
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers, acks="all", linger_ms=20)
        await producer.start()
        try:
            for number in range(keys):
                await producer.send(self.topics.facts, body, key=b"key-%d" % number)
        finally:
            await producer.stop()
        await self.drain()
        self.note(f"every state told ({round_})")

    # waiting

    async def seconds(self, seconds: float) -> None:
        """Let the load run on, with a supervisor watching."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.supervise()
            await asyncio.sleep(0.2)

    async def until(self, done: Callable[[], bool], within: float, what: str) -> None:
        end = time.monotonic() + within
        while not done():
            if time.monotonic() > end:
                raise RunError(f"waited {within:.0f} s for {what}")
            await asyncio.sleep(0.05)

    async def drain(self, within: float = DRAIN_SECONDS) -> None:
        """Wait until the group has committed everything that is on the input topics."""
        end = time.monotonic() + within
        while (left := (await self.left())[0]) != 0:
            await self.supervise()
            if time.monotonic() > end:
                raise RunError(f"waited {within:.0f} s for {left} records to be committed")
            await asyncio.sleep(0.3)

    async def left(self) -> tuple[int, int]:
        topics = [self.topics.facts, self.topics.answers]
        return await positions(self.brokers, self.name, topics, PARTITIONS)

    async def progress(self, records: int, within: float = 60.0) -> None:
        """Wait until the group has committed so many more records."""
        start, begun = await self._committed(), time.monotonic()
        while await self._committed() < start + records:
            await self.supervise()
            if time.monotonic() - begun > within:
                raise RunError(f"waited {within:.0f} s for the workers to get on by {records} records")
            await asyncio.sleep(0.2)

    async def _committed(self) -> int:
        try:
            left, total = await self.left()
        except KafkaError:
            return 0
        return total - left

    # the group and the disk

    async def rewind(self) -> None:
        """Set the group back to the start of the input. No worker may run."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.brokers, group_id=self.name, enable_auto_commit=False)
        await consumer.start()
        try:
            topics = (self.topics.facts, self.topics.answers)
            every = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
            consumer.assign(every)
            await consumer.commit(dict.fromkeys(every, 0))
        finally:
            await consumer.stop()
        self.note("offsets of the group set back to the start of the input")

    def delete_store(self, name: str) -> None:
        shutil.rmtree(self.workers[name].folder, ignore_errors=True)
        self.note(f"store directory of worker {name} deleted")

    async def stale_writer(self) -> int:
        """Run ``stale.py``; the number of old states that it wrote."""
        arguments = [sys.executable, "-m", "tests.faults.stale", self.brokers, "--run", self.name]
        process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
        written = int((await process.communicate())[0] or b"-1")
        self.note(f"a stale writer (pid {process.pid}) wrote {written} old states to the changelog")
        return written

    async def close(self) -> None:
        """End every process that is left."""
        for child in [*(worker.child for worker in self.workers.values()), *self.loads]:
            await child.kill()

    def _child(self, name: str, module: str, *arguments: str, share: float) -> Child:
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        command = (sys.executable, "-m", module, *arguments)
        return Child(Command(name=name, arguments=command, log=log, cwd=ROOT, share=share))


ROOT = Path(__file__).parents[2]


def _how(code: int) -> str:
    return f"code {code}" if code >= 0 else signal.Signals(-code).name


Fault = Callable[[Run], Awaitable[None]]
