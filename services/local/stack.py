"""Kafka, Postgres and the services as children of this process, started and stopped in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

import httpx
from pydantic import SecretStr
from rich.console import Console

from services.local import jars, ports
from services.local.child import Child, Command, Waits, first, together
from services.local.errors import DataDirError, StackError
from services.local.folder import held
from services.local.kafka import Kafka
from services.local.postgres import Postgres
from services.runtime.settings import CONFIG_FILE_VARIABLE, Settings

__all__ = ["SERVICES", "Stack", "StackError"]

SERVICES = ("ingest", "monitor", "notify")
SERVICE_SHARE = 4.0
"""Seconds that each service may take to stop; with Kafka's and Postgres' share below 20 s in all."""
START_TIMEOUT = 120.0
"""Seconds until a server is ready. A service, which may have much state to restore, has five times as long."""


def service_command(service: str) -> Sequence[str]:
    return (sys.executable, "-m", "services.cli", service)


class Stack:
    """The embedded stack on a data directory; an asynchronous context manager.

    Entering starts real Kafka and Postgres on free loopback ports, then ``services``, and returns when all are ready. It
    raises ``StackError`` and leaves nothing running when one cannot start. Leaving stops them in the reverse order within
    20 s and kills by its own id what takes longer. The children end with this process however it ends (on Linux; elsewhere
    as far as it is stopped in order). What was acknowledged is there again after the next start on the same directory.
    """

    brokers: str
    """host:port of Kafka."""
    database_url: str
    """URL of the Postgres database, with its password."""

    def __init__(
        self,
        data_dir: Path,
        services: Sequence[str] = SERVICES,
        *,
        settings: Settings,
        console: Console,
        command: Callable[[str], Sequence[str]] = service_command,
    ) -> None:
        self.urls: dict[str, str] = {}
        """Address of each service by its name."""
        self.children: dict[str, Child] = {}
        """By name (Kafka, Postgres, ingest, ...), in the order of their start."""
        self.data_dir, self._services = data_dir.absolute(), services
        self._settings, self._console, self._command = settings, console, command
        self._waits: dict[str, Waits] = {}
        self._exit = AsyncExitStack()
        self._say: Callable[[str], None] = _nothing

    async def __aenter__(self) -> Stack:
        async with AsyncExitStack() as undo:
            undo.enter_context(held(self.data_dir))
            undo.push_async_callback(self._stop)
            try:
                await self._start()
            except OSError as error:
                raise DataDirError(f"the stack could not start in {self.data_dir}: {error}") from error
            self._exit = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def wait(self) -> None:
        """Return never; raise ``ChildDiedError`` when a child ends without having been asked to."""
        await first(*(child.died() for child in self.children.values()))

    async def restart(self, name: str, *, kill: bool = False) -> None:
        """Stop one child, or ``kill`` it, and start it again with the same ports; returns when it is ready."""
        child = self.children[name]
        await (child.kill() if kill else child.stop())
        await child.start()
        await self._ready(name)

    def kill(self) -> None:
        """End every child at once, without waiting."""
        for child in reversed(self.children.values()):
            child.kill_now()

    async def _start(self) -> None:
        for name in self._services:
            ports.service_port(self._settings, name)  # a port in use is told before anything is started
        kafka, postgres = Kafka(self.data_dir, jars.ensure(self._console)), Postgres(self.data_dir)
        with self._console.status("Kafka and Postgres: starting") as status:
            self._say = status.update
            postgres_command, kafka_command = await together(postgres.prepare(), kafka.prepare())
            self.brokers, self.database_url = kafka.brokers, postgres.url
            await self._add(postgres_command, postgres.waits)
            await self._add(kafka_command, kafka.waits)
            await together(*(self._ready(name) for name in ("Postgres", "Kafka")))
        for name in self._services:
            self.urls[name] = f"http://{self._settings.host}:{ports.service_port(self._settings, name)}"
        with self._console.status("services: starting") as status:
            self._say = status.update
            for name in self._services:
                await self._add(self._service(name), _answers_ready(self.urls[name]))
            await together(*(self._ready(name) for name in self._services))
        self._say = _nothing

    async def _add(self, command: Command, waits: Waits) -> None:
        self._waits[command.name] = waits
        self.children[command.name] = Child(command)
        await self.children[command.name].start()

    async def _ready(self, name: str) -> None:
        within = START_TIMEOUT * 5 if name in self._services else START_TIMEOUT
        await self.children[name].ready(self._waits[name], within, self._say)

    def _service(self, name: str) -> Command:
        own = {f"{service}_port": url.rpartition(":")[2] for service, url in self.urls.items()}
        own |= {"brokers": self.brokers, "database_url": self.database_url, "stop_timeout": str(SERVICE_SHARE - 1)}
        if "state_dir" not in self._settings.model_fields_set:
            own["state_dir"] = str(self.data_dir / "state")
        return Command(
            name=name,
            arguments=self._command(name),
            log=self.data_dir / "logs" / f"{name}.log",
            environment=os.environ | variables(self._settings) | {f"RXVIGIL_{key.upper()}": own[key] for key in own},
            share=SERVICE_SHARE,
        )

    async def _stop(self) -> None:
        try:
            for child in reversed(self.children.values()):
                if not await child.stop():
                    name, share = child.command.name, child.command.share
                    self._console.print(f"{name} did not stop within {share:.0f} s and was killed")
        finally:
            self.kill()  # what a stop that was itself broken off has not reached


def variables(settings: Settings) -> dict[str, str]:
    """The settings as environment variables of a child, which then reads no file."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    plain = {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in values.items()}
    return {f"RXVIGIL_{name.upper()}": str(value) for name, value in plain.items()} | {CONFIG_FILE_VARIABLE: os.devnull}


def _nothing(_: str) -> None:
    """Nobody watches the start."""


def _answers_ready(url: str) -> Waits:
    async def waits() -> str:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
                answer = await client.get(f"{url}/readyz")
        except httpx.HTTPError:
            return "no answer yet"
        return "" if answer.status_code == httpx.codes.OK else answer.text.strip() or f"status {answer.status_code}"

    return waits
