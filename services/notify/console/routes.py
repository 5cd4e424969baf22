"""Joins the console's pages, the event stream and what all of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import structlog
from litestar import Request, Router, get
from litestar.exceptions import HTTPException
from litestar.response import ServerSentEvent
from litestar.static_files import create_static_files_router

from services.notify.console.alerts import AlertPages
from services.notify.console.live import events
from services.notify.console.pages import Page, page
from services.notify.console.patients import PatientPages
from services.notify.desk import Desk
from services.notify.store.changes import Changes
from services.notify.store.database import named
from services.runtime.access import only_this_machine
from services.runtime.probes import Ready

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # no-referrer would make the browser hide the Origin that the answer form is checked by
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

log = structlog.get_logger(__name__)


def console(desk: Desk, changes: Changes, ready: Ready) -> Router:
    @get("/live")
    async def live() -> ServerSentEvent:
        return ServerSentEvent(events(changes, ready))

    static = create_static_files_router(
        "/static", directories=[Path(__file__).parent / "static"], cache_control=None, include_in_schema=False
    )
    return Router(
        "/",
        route_handlers=[AlertPages, PatientPages, live, static],
        dependencies=desk.dependencies(),
        guards=[only_this_machine],
        exception_handlers={
            HTTPException: _sorry,
            OSError: _away,
            TimeoutError: _away,
            asyncpg.PostgresError: _away,
            asyncpg.InterfaceError: _away,
        },
        response_headers=HEADERS,
        include_in_schema=False,
    )


def _sorry(_: Request[Any, Any, Any], error: HTTPException) -> Page:
    return _fault(error.status_code, error.detail)


def _away(_: Request[Any, Any, Any], error: Exception) -> Page:
    log.warning("a page was not shown", error=named(error))
    return _fault(503, "The database does not answer, so this page may be missing alerts. It is tried again by itself.")


def _fault(status: int, words: str) -> Page:
    answer = page("sorry.html", status, list="", status=status, words=words)
    answer.headers.update(HEADERS)
    return answer
