"""What a service answers to those who look after it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.probes import HttpServer, PortInUseError, listen, probe_routes


class Service:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.counter = Counter("probed_total", "for the test", registry=self.registry)
        self.waits_for = "waiting for partitions"
        self.server = HttpServer(probe_routes(self.registry, lambda: self.waits_for), listen("127.0.0.1", 0))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.server.start()
    yield service
    await service.server.stop()


async def get(service: Service, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(service.server.url + path)


async def test_alive_is_not_ready(service: Service) -> None:
    assert (await get(service, "/healthz")).status_code == 200
    waiting = await get(service, "/readyz")
    assert (waiting.status_code, waiting.text) == (503, "waiting for partitions")
    service.waits_for = ""
    assert (await get(service, "/readyz")).status_code == 200
    service.waits_for = "the broker is away"
    assert (await get(service, "/readyz")).text == "the broker is away"


async def test_metrics_are_what_prometheus_reads(service: Service) -> None:
    service.counter.inc(3)
    response = await get(service, "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    samples = {s.name: s.value for family in text_string_to_metric_families(response.text) for s in family.samples}
    assert samples["probed_total"] == 3


async def test_nothing_else_is_served(service: Service) -> None:
    for path in ("/", "/schema", "/metrics/x", "/debug"):
        assert (await get(service, path)).status_code == 404
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(service.server.url + "/healthz")).status_code == 405


async def test_a_stopped_server_answers_no_more_and_gives_its_port_back(service: Service) -> None:
    port = int(service.server.url.rpartition(":")[2])
    await service.server.stop()
    with pytest.raises(httpx.ConnectError):
        await get(service, "/healthz")
    listen("127.0.0.1", port).close()


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{port}.*choose another port or 0"):
            listen("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(PortInUseError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_zero_is_any_free_port() -> None:
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as other:
        assert one.getsockname()[1] != other.getsockname()[1]
