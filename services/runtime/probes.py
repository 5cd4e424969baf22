"""The HTTP side of a service: ``/metrics``, ``/healthz`` (alive) and ``/readyz`` (assigned, restored, able to write)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from litestar import Litestar, MediaType, Response, get
from litestar.handlers import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Ready = Callable[[], str]
"""Says what a service still waits for; an empty text means it is ready."""


def probe_routes(registry: CollectorRegistry, ready: Ready) -> list[BaseRouteHandler]:
    """The three routes; ``/readyz`` answers 503 with what it waits for."""

    @get("/metrics", sync_to_thread=False, include_in_schema=False)
    def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @get("/healthz", sync_to_thread=False, include_in_schema=False, media_type=MediaType.TEXT)
    def healthz() -> str:
        return "alive\n"

    @get("/readyz", sync_to_thread=False, include_in_schema=False)
    def readyz() -> Response[str]:
        waits_for = ready()
        return Response(waits_for or "ready\n", status_code=503 if waits_for else 200, media_type=MediaType.TEXT)

    return [metrics, healthz, readyz]


class PortInUseError(OSError):
    """Another process has the port."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ``PortInUseError`` with what to do about it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another port or 0 for any"
        ) from error
    return listener


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Signals belong to the service, not to its HTTP side."""
        yield


class HttpServer:
    """Serves an application on a bound socket until ``stop``."""

    def __init__(self, routes: Sequence[BaseRouteHandler], listener: socket.socket, **options: Any) -> None:
        app = Litestar(list(routes), **({"openapi_config": None, "logging_config": None} | options))
        config = uvicorn.Config(app, log_config=None, lifespan="on", access_log=False, timeout_graceful_shutdown=2)
        self._server = _Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None
        self.url = "http://{}:{}".format(*listener.getsockname()[:2])

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise RuntimeError("the HTTP server ended while it was starting")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._task is not None:
            self._server.should_exit = True
            await self._task
