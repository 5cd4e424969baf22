"""A port that the user named is used or refused; the usual ones give way."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from services.local import ports
from services.local.errors import PortTakenError
from services.runtime.settings import Settings


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_named_port_in_use_is_an_error_that_says_port_service_and_setting(taken: int) -> None:
    with pytest.raises(PortTakenError, match=rf"port {taken} .* notify .* notify_port, variable RXVIGIL_NOTIFY_PORT"):
        ports.service_port(Settings(notify_port=taken), "notify")


def test_the_environment_names_a_port_too(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RXVIGIL_INGEST_PORT", str(taken))
    with pytest.raises(PortTakenError):
        ports.service_port(Settings(), "ingest")


def test_a_free_named_port_is_used(taken: int) -> None:
    free = ports.free_ports(1)[0]
    assert ports.service_port(Settings(monitor_port=free), "monitor") == free


def test_a_usual_port_in_use_gives_way_to_a_free_one(taken: int) -> None:
    settings = Settings.model_construct(_fields_set=set(), host="127.0.0.1", notify_port=taken)
    chosen = ports.service_port(settings, "notify")
    assert chosen != taken
    assert ports.is_free("127.0.0.1", chosen)


def test_zero_is_any_free_port() -> None:
    assert ports.service_port(Settings(notify_port=0), "notify") > 0


def test_free_ports_differ() -> None:
    assert len(set(ports.free_ports(50))) == 50
