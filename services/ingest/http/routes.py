"""The routes below ``/fhir``."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response, Router, get, post
from litestar.exceptions import ClientException, HTTPException, InternalServerException

from schemas.topics import MAX_RECORD_BYTES
from services.ingest.http.capability import capability_statement
from services.ingest.http.intake import Answer, Intake, too_large
from services.ingest.http.outcome import Issue, OperationOutcome
from services.ingest.metrics import IngestMetrics
from services.runtime.access import only_this_machine

FHIR_JSON = "application/fhir+json"
TYPES = (FHIR_JSON, "application/json")
FHIR_VERSIONS = ("4.0", "4.0.1", "4.3", "4.3.0")
"""Of the parameter ``fhirVersion``: R4, and R4B, which differs in nothing that is read."""
BODY_SECONDS = 60.0
RETRY_SECONDS = 5

OUTCOMES = {
    200: "ignored",
    202: "accepted",
    400: "malformed",
    403: "forbidden",
    408: "malformed",
    413: "too_large",
    415: "wrong_type",
    421: "forbidden",
    422: "refused",
    503: "unavailable",
}
"""How an answer is counted; any other is ``failed``."""

Said = Response[OperationOutcome]
log = structlog.get_logger(__name__)


def fhir(intake: Intake, metrics: IngestMetrics) -> Router:
    """``POST /fhir`` and ``GET /fhir/metadata``, for this machine only: there is no sign-in yet."""

    def said(answer: Answer) -> Said:
        metrics.http_requests.labels(OUTCOMES.get(answer.status, "failed")).inc()
        headers = {"Retry-After": str(RETRY_SECONDS)} if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return Response(answer.outcome, status_code=answer.status, media_type=FHIR_JSON, headers=headers)

    @post("/")
    async def take(request: Request[Any, Any, Any]) -> Said:
        began = time.perf_counter()
        answer = _wrong_type(request) or await intake.take(lambda: _body(request))
        metrics.http_seconds.observe(time.perf_counter() - began)
        return said(answer)

    @get("/metadata")
    async def metadata() -> Response[dict[str, Any]]:
        return Response(capability_statement(), media_type=FHIR_JSON)

    def of_http(_: Request[Any, Any, Any], error: HTTPException) -> Said:
        return said(too_large() if error.status_code == 413 else _error(error.status_code, error.detail))

    def of_defect(_: Request[Any, Any, Any], error: Exception) -> Said:
        log.error("a message was not answered", error=type(error).__name__)
        return said(_error(500, "ingest failed on this message: report it"))

    return Router(
        "/fhir",
        route_handlers=[take, metadata],
        guards=[only_this_machine],
        exception_handlers={HTTPException: of_http, Exception: of_defect},
        request_max_body_size=MAX_RECORD_BYTES,
        response_headers={"Cache-Control": "no-store"},
    )


def _wrong_type(request: Request[Any, Any, Any]) -> Answer | None:
    kind, parameters = request.content_type
    if kind.lower() not in TYPES or parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        return _error(415, f"send {' or '.join(TYPES)} in UTF-8")
    if parameters.get("fhirversion", "4.0") not in FHIR_VERSIONS:
        return _error(415, "FHIR R4 (fhirVersion=4.0) is read, no other version")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        return _error(415, "send the body as it is, without a Content-Encoding")
    return None


async def _body(request: Request[Any, Any, Any]) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise HTTPException(status_code=408, detail=f"the body did not come within {BODY_SECONDS:.0f} s") from None
    except InternalServerException as error:
        # so Litestar calls a sender that went away
        raise ClientException("the body ended before its end") from error


_CODES = {403: "forbidden", 408: "timeout", 415: "not-supported", 421: "forbidden", 500: "exception"}


def _error(status: int, text: str) -> Answer:
    return Answer(status, OperationOutcome((Issue("error", _CODES.get(status, "invalid"), text),)))
