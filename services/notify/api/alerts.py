"""``/api/alerts``: the lists, one alert, an answer to it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import Parameter
from msgspec import Struct

from schemas.alerts import Alert
from schemas.feedback import Feedback
from services.notify import answers
from services.notify.desk import Desk
from services.notify.explained import Explained, explained, language_for, language_of
from services.notify.store import alerts
from services.notify.store import answers as stored_answers
from services.notify.store.alerts import ListName

Language = Annotated[
    str, Parameter(description="the language of the explanation, such as de; stands over Accept-Language")
]


class Listing(Struct, frozen=True):
    """The alerts of one list in the order in which people look at them; at most ``services.notify.store.alerts.SHOWN``.

    ``left_out`` is how many of severity info are in the list and were not asked for; null of the ended ones, which are not
    counted.
    """

    status: ListName
    alerts: list[Alert]
    left_out: int | None


class Found(Struct, frozen=True):
    """One alert, the list that it stands in, every answer given to it, confirmed by the monitor or not, and what the patient can
    be told in plain words."""

    status: ListName
    alert: Alert
    answers: tuple[Feedback, ...]
    explanation: Explained


class Alerts(Controller):
    path = "/alerts"

    @get("/", summary="Alerts of one list")
    async def listed(self, desk: Desk, status: ListName = "open", info: bool = False) -> Listing:
        """What calls somebody: severity info, which is for whoever opens the patient, is left out unless ``info`` is true."""
        async with desk.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            found = await alerts.listed(connection, status, info=info)
            left_out = 0 if info else (await alerts.counts(connection)).left_out(status)
        return Listing(status, [stored.alert for stored in found], left_out)

    @get("/{alert_id:str}", summary="One alert with its answers")
    async def one(self, desk: Desk, alert_id: str, request: Request[Any, Any, Any], language: Language = "") -> Found:
        """The explanation is in ``language``, else in the first of ``Accept-Language`` that there is, else in English."""
        known = desk.explanations
        if language and language_of(known, language) is None:
            raise HTTPException(
                status_code=400,
                detail=f"There is no explanation in this language; there are {', '.join(known.languages)}.",
            )
        chosen = language_for(known, language, request.headers.get("accept-language", ""))
        async with desk.pool.acquire() as connection:
            stored = await alerts.find(connection, alert_id)
            if stored is None:
                raise NotFoundException("There is no alert with this id.")
            given = await stored_answers.of_alert(connection, alert_id)
        return Found(stored.list, stored.alert, given, explained(stored.alert, chosen, known))

    @post("/{alert_id:str}/answers", summary="Answer an alert")
    async def answer(self, desk: Desk, alert_id: str, request: Request[Any, Any, Any]) -> Response[Feedback]:
        try:
            given = msgspec.json.decode(await request.body(), type=answers.Given)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HTTPException(status_code=400, detail=f"The answer cannot be read: {error}") from error
        feedback, is_new = await answers.take(desk.pool, alert_id, given, desk.clock())
        if is_new:
            desk.metrics.answers.labels(feedback.reason).inc()
        return Response(feedback, status_code=201 if is_new else 200)
