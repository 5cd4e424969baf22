"""The pages of alerts: the lists, one alert, and its answer form."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from services.notify import answers
from services.notify.console.pages import Page, page
from services.notify.desk import Desk
from services.notify.explained import explained, language_for
from services.notify.store import alerts
from services.notify.store import answers as stored_answers
from services.notify.store.alerts import ListName

_NAME_COOKIE = "rxvigil_name"
_NAME_SECONDS = 12 * 3600
"""A shift: after it the next person at this screen gives their own name."""


class AlertPages(Controller):
    @get("/")
    async def open(self, desk: Desk, info: bool = False) -> Page:
        return await _list(desk, "open", info)

    @get("/acknowledged")
    async def acknowledged(self, desk: Desk, info: bool = False) -> Page:
        return await _list(desk, "acknowledged", info)

    @get("/ended")
    async def ended(self, desk: Desk, info: bool = False) -> Page:
        return await _list(desk, "ended", info)

    @get("/fragments/{name:str}")
    async def fragment(self, desk: Desk, name: ListName, info: bool = False) -> Page:
        return await _list(desk, name, info, "list_fragment.html")

    @get("/alerts/{alert_id:str}")
    async def one(self, desk: Desk, alert_id: str, request: Request[Any, Any, Any]) -> Page:
        return await _alert(desk, alert_id, request, {"by": unquote(request.cookies.get(_NAME_COOKIE, ""))})

    @post("/alerts/{alert_id:str}/answers")
    async def answer(self, desk: Desk, alert_id: str, request: Request[Any, Any, Any]) -> Page | Redirect:
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            given = msgspec.convert(form, answers.Given, strict=False)
        except msgspec.ValidationError:
            return await _alert(desk, alert_id, request, form, "Give your name and choose a reason.", 400)
        try:
            feedback, is_new = await answers.take(desk.pool, alert_id, given, desk.clock())
        except answers.NotTakenError as error:
            return await _alert(desk, alert_id, request, form, str(error), 404 if error.why == "unknown" else 409)
        if is_new:
            desk.metrics.answers.labels(feedback.reason).inc()
        name = Cookie(
            _NAME_COOKIE, value=quote(given.by), max_age=_NAME_SECONDS, httponly=True, samesite="strict", path="/"
        )
        return Redirect(f"/alerts/{quote(alert_id, safe='')}", status_code=303, cookies=[name])


async def _list(desk: Desk, name: ListName, info: bool, template: str = "list.html") -> Page:
    async with desk.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        found = await alerts.listed(connection, name, info=info)
        counts = await alerts.counts(connection)
    return page(template, list=name, info=info, alerts=found, counts=counts, now=desk.clock())


async def _alert(
    desk: Desk, alert_id: str, request: Request[Any, Any, Any], form: dict[str, str], fault: str = "", status: int = 200
) -> Page:
    """``form`` is what stands in the answer form, so that nobody has to type it twice. What the patient is told is in the
    language that the address asks for: a pharmacist's browser does not know what the patient reads."""
    language = language_for(desk.explanations, request.query_params.get("language", ""), "")
    async with desk.pool.acquire() as connection:
        stored = await alerts.find(connection, alert_id)
        given = await stored_answers.of_alert(connection, alert_id) if stored else ()
    if stored is None:
        return page("sorry.html", 404, list="", status=404, words="There is no alert at this address.")
    confirmed = {(entry.by, entry.recorded_at) for entry in stored.alert.history if entry.by}
    return page(
        "alert.html",
        status,
        alert=stored.alert,
        list=stored.list,
        answers=[answer for answer in given if answer.revision >= stored.asks_since],
        pending=[answer for answer in given if (answer.by, answer.at) not in confirmed],
        form=form,
        fault=fault,
        explained=explained(stored.alert, language, desk.explanations),
        languages=desk.explanations.languages,
        now=desk.clock(),
    )
