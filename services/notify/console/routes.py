"""The console's routes: the lists, one alert, the answer form, the event stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import asyncpg
import msgspec
import structlog
from litestar import MediaType, Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from litestar.response import Redirect, ServerSentEvent
from litestar.static_files import create_static_files_router

from services.notify import answers
from services.notify.access import only_this_machine
from services.notify.console.live import events
from services.notify.console.pages import render
from services.notify.metrics import NotifyMetrics
from services.notify.store import alerts
from services.notify.store import answers as stored_answers
from services.notify.store.alerts import ListName
from services.notify.store.changes import Changes
from services.notify.store.database import named
from services.runtime.clock import Clock
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
_NAME_COOKIE = "rxvigil_name"
_NAME_SECONDS = 12 * 3600
"""A shift: after it the next person at this screen gives their own name."""

Page = Response[str]
log = structlog.get_logger(__name__)


def console(pool: Any, changes: Changes, metrics: NotifyMetrics, clock: Clock, ready: Ready) -> Router:
    pages = _Pages(pool, clock)

    @get("/")
    async def open_list() -> Page:
        return await pages.list("open")

    @get("/acknowledged")
    async def acknowledged_list() -> Page:
        return await pages.list("acknowledged")

    @get("/ended")
    async def ended_list() -> Page:
        return await pages.list("ended")

    @get("/fragments/{name:str}")
    async def fragment(name: ListName) -> Page:
        return await pages.list(name, template="list_fragment.html")

    @get("/alerts/{alert_id:str}")
    async def one(alert_id: str, request: Request[Any, Any, Any]) -> Page:
        return await pages.alert(alert_id, {"by": unquote(request.cookies.get(_NAME_COOKIE, ""))})

    @post("/alerts/{alert_id:str}/answers")
    async def answer(alert_id: str, request: Request[Any, Any, Any]) -> Page | Redirect:
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            given = msgspec.convert(form, answers.Given, strict=False)
        except msgspec.ValidationError:
            return await pages.alert(alert_id, form, "Give your name and choose a reason.", 400)
        try:
            feedback, is_new = await answers.take(pool, alert_id, given, clock())
        except answers.NotTakenError as error:
            return await pages.alert(alert_id, form, str(error), 404 if error.why == "unknown" else 409)
        if is_new:
            metrics.answers.labels(feedback.reason).inc()
        name = Cookie(
            _NAME_COOKIE, value=quote(given.by), max_age=_NAME_SECONDS, httponly=True, samesite="strict", path="/"
        )
        return Redirect(f"/alerts/{quote(alert_id, safe='')}", status_code=303, cookies=[name])

    @get("/live")
    async def live() -> ServerSentEvent:
        return ServerSentEvent(events(changes, ready))

    static = create_static_files_router(
        "/static", directories=[Path(__file__).parent / "static"], cache_control=None, include_in_schema=False
    )
    return Router(
        "/",
        route_handlers=[open_list, acknowledged_list, ended_list, fragment, one, answer, live, static],
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


class _Pages:
    """Reads from the store and renders."""

    def __init__(self, pool: Any, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def list(self, name: ListName, template: str = "list.html") -> Page:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            found = await alerts.listed(connection, name)
            counts = await alerts.counts(connection)
        return _page(render(template, list=name, alerts=found, counts=counts, now=self._clock()))

    async def alert(self, alert_id: str, form: dict[str, str], fault: str = "", status: int = 200) -> Page:
        """``form`` is what stands in the answer form, so that nobody has to type it twice."""
        async with self._pool.acquire() as connection:
            stored = await alerts.find(connection, alert_id)
            given = await stored_answers.of_alert(connection, alert_id) if stored else ()
        if stored is None:
            return _page(render("sorry.html", list="", status=404, words="There is no alert at this address."), 404)
        confirmed = {(entry.by, entry.recorded_at) for entry in stored.alert.history if entry.by}
        pending = [answer for answer in given if (answer.by, answer.at) not in confirmed]
        return _page(
            render(
                "alert.html",
                alert=stored.alert,
                list=stored.list,
                answers=[answer for answer in given if answer.revision >= stored.asks_since],
                pending=pending,
                form=form,
                fault=fault,
                now=self._clock(),
            ),
            status,
        )


def _page(html: str, status: int = 200) -> Page:
    return Response(html, status_code=status, media_type=MediaType.HTML)


def _sorry(_: Request[Any, Any, Any], error: HTTPException) -> Page:
    page = _page(render("sorry.html", list="", status=error.status_code, words=error.detail), error.status_code)
    page.headers.update(HEADERS)
    return page


def _away(_: Request[Any, Any, Any], error: Exception) -> Page:
    log.warning("a page was not shown", error=named(error))
    words = "The database does not answer, so this page may be missing alerts. It is tried again by itself."
    page = _page(render("sorry.html", list="", status=503, words=words), 503)
    page.headers.update(HEADERS)
    return page
