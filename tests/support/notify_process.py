"""Notify as a process of its own, on servers that run already."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from services.notify.store import offsets
from services.notify.store.migrate import migrate
from services.runtime.probes import listen
from services.runtime.topics import ensure_topics

ROOT = Path(__file__).parents[2]


async def begin_at_the_end(brokers: str, database_url: str) -> None:
    """Prepare an empty database so that notify reads what comes from now on, not what other tests have published."""
    await ensure_topics(brokers)
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
    await consumer.start()
    partitions = [
        TopicPartition(topic, n)
        for topic in (topics.ALERTS, topics.PICTURES)
        for n in range(topics.topics()[topic].partitions)
    ]
    ends = await consumer.end_offsets(partitions)
    await consumer.stop()
    connection = await asyncpg.connect(database_url)
    await migrate(connection)
    for partition, end in ends.items():
        await offsets.put(connection, partition.topic, partition.partition, end)
    await connection.close()


def free_port() -> int:
    with listen("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


class NotifyProcess:
    """``rxvigil notify``; a context manager that stops it as an operator would."""

    def __init__(self, brokers: str, database_url: str, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.exit_code: int | None = None
        self._log = folder / f"notify-{self.port}.log"
        self._folder = folder
        settings |= {"brokers": brokers, "database_url": database_url, "notify_port": self.port, "log_format": "json"}
        self._environment = {f"RXVIGIL_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.cli",
                "notify",
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self._environment},
                stderr=log,
                stdout=log,
            )

    async def until_ready(self, seconds: float = 40) -> None:
        await self.until_ready_is(200, seconds)

    async def until_ready_is(self, status: int, seconds: float = 40) -> str:
        """Wait until ``/readyz`` answers with this status; what it says."""
        async with httpx.AsyncClient() as client, asyncio.timeout(seconds):
            while True:
                assert self._process is not None
                assert self._process.returncode is None, self.log()
                try:
                    answer = await client.get(f"{self.url}/readyz")
                    if answer.status_code == status:
                        return answer.text
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(number)
            self.exit_code = await asyncio.wait_for(process.wait(), 30)

    async def wait(self) -> int:
        """The exit code when it ends by itself."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), 40)

    def log(self) -> str:
        return self._log.read_text()

    async def __aenter__(self) -> NotifyProcess:
        await self.start()
        await self.until_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
