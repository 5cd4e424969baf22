"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from services.notify.answers import NotTakenError
from services.notify.store.database import named

log = structlog.get_logger(__name__)


class Problem(Struct, frozen=True):
    """``title`` is the status in words; ``detail`` says what happened here and what to do."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


def problem(status: int, detail: str) -> Response[Problem]:
    return Response(
        Problem(HTTPStatus(status).phrase, status, detail), status_code=status, media_type="application/problem+json"
    )


def of_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    return problem(error.status_code, error.detail)


def of_answer(_: Request[Any, Any, Any], error: NotTakenError) -> Response[Problem]:
    return problem(404 if error.why == "unknown" else 409, str(error))


def of_database(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.warning("a request was not answered", error=named(error))
    return problem(503, "The database does not answer. Try again in a moment.")


HANDLERS: dict[Any, Any] = {
    HTTPException: of_http,
    NotTakenError: of_answer,
    OSError: of_database,
    TimeoutError: of_database,
    asyncpg.PostgresError: of_database,
    asyncpg.InterfaceError: of_database,
}
