"""Who may reach what has no sign-in yet, pages and ways in: a browser or a program on this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_FORM = ("application/json", "application/fhir+")

Connection = ASGIConnection[Any, Any, Any, Any]


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def only_this_machine(connection: Connection, _: BaseRouteHandler) -> None:
    """A guard. Refuses what another web page makes the reader's browser send.

    A page elsewhere can point a name of its own at the loopback address; its requests then carry that name as ``Host``. It
    can also post a form to us; a browser then names it in ``Origin``.
    """
    host = connection.headers.get("host", "")
    if re.sub(r":\d+$", "", host.lower()) not in _NAMES:
        raise HTTPException(status_code=421, detail="This address is served under 127.0.0.1 or localhost only.")
    if connection.scope.get("method") not in _SAFE and not _same_origin(connection, host):
        raise PermissionDeniedException("This must be sent from the page itself.")


def _same_origin(connection: Connection, host: str) -> bool:
    origin = connection.headers.get("origin")
    if origin is not None:
        return origin.lower() == f"http://{host.lower()}"
    # no browser leaves Origin out of a form that it posts; what no form can be comes from a program
    return connection.headers.get("content-type", "").lower().startswith(_NO_FORM)
