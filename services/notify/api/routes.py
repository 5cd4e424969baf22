"""The routes below ``/api``."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from msgspec import Struct

from schemas.alerts import Alert
from schemas.feedback import Feedback
from services.notify import answers
from services.notify.access import only_this_machine
from services.notify.api.problems import HANDLERS
from services.notify.metrics import NotifyMetrics
from services.notify.store import alerts
from services.notify.store import answers as stored_answers
from services.notify.store.alerts import ListName
from services.runtime.clock import Clock

OPENAPI = OpenAPIConfig(title="rxvigil", version="1", path="/api/schema", render_plugins=[JsonRenderPlugin()])


class Listing(Struct, frozen=True):
    """The alerts of one list in the order in which people look at them; at most ``services.notify.store.alerts.SHOWN``."""

    status: ListName
    alerts: list[Alert]


class Found(Struct, frozen=True):
    """One alert, the list that it stands in, and every answer given to it, confirmed by the monitor or not."""

    status: ListName
    alert: Alert
    answers: tuple[Feedback, ...]


def api(pool: Any, metrics: NotifyMetrics, clock: Clock) -> Router:
    @get("/alerts", summary="Alerts of one list")
    async def listed(status: ListName = "open") -> Listing:
        return Listing(status, [stored.alert for stored in await alerts.listed(pool, status)])

    @get("/alerts/{alert_id:str}", summary="One alert with its answers")
    async def one(alert_id: str) -> Found:
        async with pool.acquire() as connection:
            stored = await alerts.find(connection, alert_id)
            if stored is None:
                raise NotFoundException("There is no alert with this id.")
            return Found(stored.list, stored.alert, await stored_answers.of_alert(connection, alert_id))

    @post("/alerts/{alert_id:str}/answers", summary="Answer an alert")
    async def answer(alert_id: str, request: Request[Any, Any, Any]) -> Response[Feedback]:
        try:
            given = msgspec.json.decode(await request.body(), type=answers.Given)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HTTPException(status_code=400, detail=f"The answer cannot be read: {error}") from error
        feedback, is_new = await answers.take(pool, alert_id, given, clock())
        if is_new:
            metrics.answers.labels(feedback.reason).inc()
        return Response(feedback, status_code=201 if is_new else 200)

    return Router(
        "/api",
        route_handlers=[listed, one, answer],
        guards=[only_this_machine],
        exception_handlers=HANDLERS,
        response_headers={"Cache-Control": "no-store"},
    )
