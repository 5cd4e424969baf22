"""Joins notify's parts and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import asyncpg
import httpx
import structlog
from aiokafka.errors import KafkaError

from knowledge.reading.explanation import load_explanations
from services.notify.api.routes import OPENAPI, api
from services.notify.console.routes import console
from services.notify.consume import Consumer
from services.notify.delivery.feedback import FeedbackPublisher
from services.notify.delivery.outbox import Outbox
from services.notify.delivery.webhook import Webhook, webhook
from services.notify.desk import Desk
from services.notify.errors import NotifyError
from services.notify.intake.alerts import AlertKind
from services.notify.intake.batches import Intake, Kind
from services.notify.intake.pictures import PictureKind
from services.notify.metrics import NotifyMetrics
from services.notify.store import answers, deliveries
from services.notify.store.changes import Changes
from services.notify.store.database import COMMAND_SECONDS, named, open_pool
from services.notify.store.migrate import migrate
from services.runtime.access import is_loopback
from services.runtime.clock import system_clock
from services.runtime.probes import HttpServer, listen, probe_routes
from services.runtime.service import serve
from services.runtime.settings import Settings
from services.runtime.topics import BrokersUnreachableError, ensure_topics
from services.streaming.producer import BatchProducer

__all__ = ["NotifyError", "run"]

_RETRY_SECONDS = 1.0
_COUNT_SECONDS = 2.0
_AWAY = (OSError, TimeoutError, KafkaError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)
"""What a server raises that is not there yet or no longer; a wrong password or database name is not among them."""

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises what keeps it from starting.

    Kafka and Postgres may come later, and go away and come back: notify waits for them and says so at ``/readyz``.
    """
    listener = listen(settings.host, settings.notify_port)
    async with httpx.AsyncClient(timeout=None) as client:  # noqa: S113 - each channel bounds its own calls
        channel = webhook(settings, system_clock, client)
        try:
            pool = await open_pool(settings.database_url.get_secret_value())
        except (ValueError, asyncpg.InterfaceError) as error:
            # the text may quote the password
            raise NotifyError(f"database_url is no URL of a Postgres database ({type(error).__name__})") from None
        service = _Notify(settings, channel, pool)
        http = HttpServer(service.routes(), listener, openapi_config=OPENAPI if is_loopback(settings.host) else None)
        return await serve(service.run, http)


class _Notify:
    """The parts, and the order in which they start and end."""

    def __init__(self, settings: Settings, channel: Webhook | None, pool: Any) -> None:
        self._settings = settings
        self._channel = channel
        self._pool = pool
        self._waits_for = "Kafka"
        self.metrics = NotifyMetrics()
        self._changes = Changes(settings.database_url.get_secret_value())
        self._producer = BatchProducer(settings.brokers, "rxvigil-notify-producer")
        kinds: list[Kind[Any]] = [
            AlertKind(self.metrics, channel, settings.webhook_severity),
            PictureKind(self.metrics),
        ]
        intake = Intake(pool, self._producer, self.metrics, system_clock, kinds)
        self._consumer = Consumer(settings.brokers, pool, intake, self.metrics)

    def ready(self) -> str:
        return self._waits_for or self._changes.ready() or self._consumer.ready()

    def routes(self) -> list[Any]:
        """The probes; page and API only where nobody from outside can reach them, until there is sign-in."""
        routes: list[Any] = [*probe_routes(self.metrics.registry, self.ready)]
        if is_loopback(self._settings.host):
            desk = Desk(self._pool, self.metrics, system_clock, load_explanations())
            routes += [console(desk, self._changes, self.ready), api(desk)]
        else:
            log.warning(
                "the console and the API are not served: there is no sign-in yet, so they need a loopback address",
                host=self._settings.host,
            )
        return routes

    async def run(self, stop: asyncio.Event) -> None:
        listening = asyncio.create_task(self._changes.run())
        try:
            if await self._prepared(stop):
                await self._work(stop)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            self._changes.close()
            await self._producer.stop()
            self._pool.terminate()

    async def _prepared(self, stop: asyncio.Event) -> bool:
        """Topics, schema and producer; False when told to stop before they were there."""
        steps: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("Kafka", lambda: ensure_topics(self._settings.brokers)),
            ("the database", self._migrate),
            ("Kafka", self._producer.start),
        ]
        for name, step in steps:
            self._waits_for = name
            while not await self._tried(name, step):
                if stop.is_set():
                    return False
                await asyncio.sleep(_RETRY_SECONDS)
        self._waits_for = ""
        return not stop.is_set()

    async def _tried(self, name: str, step: Callable[[], Awaitable[Any]]) -> bool:
        try:
            await step()
        except (BrokersUnreachableError, *_AWAY) as error:
            log.warning(f"{name} does not answer; trying again", error=named(error))
            return False
        return True

    async def _migrate(self) -> None:
        try:
            # another process may hold the lock for longer than a command may take
            connection = await asyncpg.connect(self._settings.database_url.get_secret_value(), timeout=COMMAND_SECONDS)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise NotifyError(f"the database refuses us ({named(error)}): check database_url") from error
        try:
            for name in await migrate(connection):
                log.info("the database was migrated", migration=name)
        finally:
            connection.terminate()

    async def _work(self, stop: asyncio.Event) -> None:
        parts: list[Coroutine[Any, Any, None]] = [
            self._consumer.run(stop),
            FeedbackPublisher(self._pool, self._producer, self._changes, system_clock).run(stop),
            self._count(stop),
        ]
        if self._channel is not None:
            parts.append(Outbox(self._pool, self._channel, self._changes, self.metrics, system_clock).run(stop))
        tasks = {asyncio.create_task(part) for part in parts}
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        # what is under way may end; what does not is repeated after the next start
        ended, late = await asyncio.wait(tasks, timeout=self._settings.stop_timeout / 2)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in ended:
            task.result()

    async def _count(self, stop: asyncio.Event) -> None:
        """Keep the gauges of what waits."""
        while not stop.is_set():
            try:
                self.metrics.waiting.labels("feedback").set(await answers.waiting(self._pool))
                if self._channel is not None:
                    waiting = await deliveries.waiting(self._pool, self._channel.name)
                    self.metrics.waiting.labels(self._channel.name).set(waiting)
            except Exception as error:
                log.debug("the outbox cannot be counted", error=named(error))
            seen = self._changes.number
            await self._changes.wait(seen, _COUNT_SECONDS)
            await asyncio.sleep(0.2)
