"""Ports on this machine: free ones, and those that the user named."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

from services.local.errors import PortTakenError
from services.runtime.settings import Settings


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind((host, 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


def is_free(host: str, port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
    return True


def service_port(settings: Settings, service: str) -> int:
    """The port for a service: as set when the user set it, else the usual one when it is free, else any.

    Raises ``PortTakenError`` when the port that the user set is in use.
    """
    name = f"{service}_port"
    port: int = getattr(settings, name)
    if port and is_free(settings.host, port):
        return port
    if port and name in settings.model_fields_set:
        raise PortTakenError(
            f"port {port} on {settings.host} is in use, and {service} was told to use it (setting {name}, variable "
            f"RXVIGIL_{name.upper()}). End the program that has it, set another port, or 0 for any free one."
        )
    return free_ports(1, settings.host)[0]


async def answers(address: str) -> bool:
    """Whether somebody listens at host:port."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
