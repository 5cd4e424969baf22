"""`POST /fhir` over a real socket; only the broker is a stand-in. fhir.resources is the judge of what it answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from knowledge.loader import load
from schemas.identity import content_digest
from schemas.topics import MAX_RECORD_BYTES, MESSAGES
from schemas.values import Origin
from services.ingest.http.intake import IN_HAND, Intake
from services.ingest.http.outcome import MOST_ISSUES
from services.ingest.http.routes import fhir
from services.ingest.metrics import IngestMetrics
from services.ingest.pipeline import Pipeline, Taken
from services.ingest.wiring import ways_in
from services.runtime.probes import HttpServer, listen, probe_routes
from services.streaming.handler import Send

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
JSON = {"Content-Type": "application/fhir+json"}
SECONDS = 0.3
PATIENT = {"resourceType": "Patient", "id": "p-1", "birthDate": "1951-03-09", "gender": "female"}
POTASSIUM = {
    "resourceType": "Observation", "id": "k-1", "status": "final", "subject": {"reference": "Patient/p-1"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}, "effectiveDateTime": "2026-11-24T08:10:00+01:00",
    "valueQuantity": {"value": 6.4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
}  # fmt: skip
SECRET = "Kowalczyk-Okonkwo"
BAD = POTASSIUM | {"id": "k-2", "status": SECRET}
UNUSED = {"resourceType": "Appointment", "id": "a-1", "status": "booked"}


def bundle(*resources: dict[str, Any], kind: str = "collection") -> bytes:
    # spaced as no encoder of ours would do it: what is published must be these bytes
    entries = [{"resource": each} for each in resources]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}, separators=(" ,  ", " : ")).encode()


class Broker:
    """Stands in for the producer: acknowledges unless it is told to hold or to fail."""

    def __init__(self) -> None:
        self.sent: list[Send] = []
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        await self.answers.wait()

    async def send(self, sends: Sequence[Send]) -> None:
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        self.sent += sends


class Held(Pipeline):
    """Decodes for as long as the test wants."""

    entered, leave = threading.Event(), threading.Event()

    def take(self, value: bytes | None, origin: Origin) -> Taken:
        self.entered.set()
        assert self.leave.wait(20)
        return super().take(value, origin)


class Service:
    def __init__(self, pipeline: type[Pipeline] = Pipeline) -> None:
        self.broker = Broker()
        self.metrics = IngestMetrics()
        self.intake = Intake(pipeline(load(), lambda: NOW), self.broker, lambda: NOW, SECONDS)
        routes = [*probe_routes(self.metrics.registry, lambda: ""), fhir(self.intake, self.metrics)]
        self.server = HttpServer(routes, listen("127.0.0.1", 0))
        self.url = f"{self.server.url}/fhir"

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.post(self.url, content=body, headers=JSON | named)

    def counted(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value("rxvigil_ingest_http_requests_total", {"outcome": outcome})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.server.start()
    await service.intake.start()
    yield service
    await service.intake.stop()
    await service.server.stop()


def issues(answer: httpx.Response) -> list[Any]:
    """The issues of an answer, which must be a valid resource of its media type and repeat nothing of the patient."""
    assert answer.headers["content-type"] == "application/fhir+json"
    assert SECRET not in answer.text
    found: list[Any] = OperationOutcome.model_validate_json(answer.content).issue
    assert {each.severity for each in found} <= {"fatal", "error", "warning", "information"}
    assert {each.code for each in found} <= ISSUE_TYPES
    return found


ISSUE_TYPES = {
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
    "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
    "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
    "exception", "timeout", "incomplete", "throttled", "informational",
}  # fmt: skip
"""The value set issue-type of R4."""


@pytest.mark.parametrize("kind", ["collection", "transaction", "batch", "message", "searchset", "document", "history"])
async def test_a_bundle_of_any_type_is_published_as_it_was_received(service: Service, kind: str) -> None:
    body = bundle(PATIENT, POTASSIUM, kind=kind)
    answer = await service.post(body)
    assert answer.status_code == 202
    assert service.broker.sent == [Send(MESSAGES, b"p-1", body)]
    (told,) = issues(answer)
    assert (told.severity, told.code) == ("information", "informational")
    assert "2 events, 0 refused, 0 ignored" in told.diagnostics
    assert answer.headers["cache-control"] == "no-store"


async def test_a_single_resource_is_taken_as_plain_json_too(service: Service) -> None:
    body = json.dumps(POTASSIUM).encode()
    answer = await service.post(body, Content_Type="application/json; charset=UTF-8")
    assert answer.status_code == 202
    assert service.broker.sent == [Send(MESSAGES, b"p-1", body)]


async def test_202_waits_for_the_broker(service: Service) -> None:
    service.broker.answers.clear()
    posting = asyncio.create_task(service.post(bundle(POTASSIUM)))
    await asyncio.sleep(SECONDS / 3)
    assert not posting.done()
    service.broker.answers.set()
    assert (await posting).status_code == 202
    assert service.counted("accepted") == 1


async def test_a_refused_part_is_an_error_with_its_path_and_the_rest_is_taken(service: Service) -> None:
    body = bundle(PATIENT, BAD, POTASSIUM, UNUSED)
    answer = await service.post(body)
    assert answer.status_code == 202
    first, refused = issues(answer)
    assert "2 events, 1 refused, 1 ignored" in first.diagnostics
    assert refused.severity == "error"
    assert refused.expression == ["Bundle.entry[1].resource.status"]
    assert "becomes a dead letter" in refused.diagnostics
    assert service.broker.sent == [Send(MESSAGES, b"p-1", body)]


async def test_of_very_many_refused_parts_the_first_are_told_and_the_others_counted(service: Service) -> None:
    answer = await service.post(bundle(POTASSIUM, *[BAD] * (MOST_ISSUES + 7)))
    _, *refused = issues(answer)
    assert len(refused) == MOST_ISSUES + 1
    assert refused[-1].diagnostics.startswith("7 more")


@pytest.mark.parametrize("body", [bundle(BAD), json.dumps(BAD).encode(), bundle(BAD, UNUSED)])
async def test_a_message_of_which_nothing_can_be_used_is_refused_and_not_published(
    service: Service, body: bytes
) -> None:
    answer = await service.post(body)
    assert answer.status_code == 422
    (refused,) = issues(answer)
    assert refused.severity == "error"
    assert refused.expression[0].endswith("status")
    assert "Nothing was published" in refused.diagnostics
    assert (service.broker.sent, service.counted("refused")) == ([], 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" \n", 400),
        (b'{"resourceType": "Patient"', 400),
        (b'{"resourceType": "\xff"}', 400),
        (b"[" * 5000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"resourceType": 7}', 422),
        (json.dumps({"resourceType": SECRET}).encode(), 422),
        (bundle(POTASSIUM) + b"\n" + bundle(POTASSIUM), 400),
        (b'{"type": "patient", "patient_id": "p", "source": "s", "record_id": "r", "occurred_at": "2026-11-24T08:00:00Z"}', 422),
    ],
)  # fmt: skip
async def test_what_is_no_fhir_is_not_published(service: Service, body: bytes, status: int) -> None:
    answer = await service.post(body)
    assert answer.status_code == status
    assert issues(answer)[0].severity == "error"
    assert service.broker.sent == []


async def test_what_nobody_here_reads_is_no_error_and_is_not_published(service: Service) -> None:
    answer = await service.post(bundle(UNUSED, UNUSED))
    assert answer.status_code == 200
    (told,) = issues(answer)
    assert (told.severity, "2 ignored" in told.diagnostics) == ("information", True)
    assert (service.broker.sent, service.counted("ignored")) == ([], 1)


def padded(size: int) -> bytes:
    return bundle(POTASSIUM).ljust(size)


async def test_a_message_of_the_largest_size_is_taken_and_a_larger_one_is_not(service: Service) -> None:
    assert (await service.post(padded(MAX_RECORD_BYTES))).status_code == 202

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 1024 * 1024

    for body in (padded(MAX_RECORD_BYTES + 1), unannounced()):
        answer = await service.post(body)
        assert answer.status_code == 413
        assert issues(answer)[0].code == "too-long"
    assert (len(service.broker.sent), service.counted("too_large")) == (1, 2)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "application/fhir+xml"},
        {"Content_Type": "application/jsonp"},
        {"Content_Type": "application/fhir+json; charset=latin-1"},
        {"Content_Type": "application/fhir+json; fhirVersion=5.0"},
        {"Content_Encoding": "gzip"},
    ],
)
async def test_another_type_is_refused(service: Service, headers: dict[str, str]) -> None:
    body = gzip.compress(bundle(POTASSIUM)) if "Content_Encoding" in headers else bundle(POTASSIUM)
    answer = await service.post(body, **headers)
    assert answer.status_code == 415
    assert issues(answer)[0].code == "not-supported"
    assert service.broker.sent == []


@pytest.mark.parametrize("version", ["4.0", "4.3"])
async def test_the_version_that_is_read_may_be_named(service: Service, version: str) -> None:
    answer = await service.post(bundle(POTASSIUM), Content_Type=f"application/fhir+json; fhirVersion={version}")
    assert answer.status_code == 202


async def test_a_broker_that_does_not_answer_is_never_202(service: Service) -> None:
    service.broker.answers.clear()
    answer = await service.post(bundle(POTASSIUM))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert issues(answer)[0].code == "transient"
    service.broker.answers.set()
    assert (await service.post(bundle(POTASSIUM))).status_code == 202
    # the first arrived after all, and the second is the same message
    assert len({send.value for send in service.broker.sent}) == 1
    assert (service.counted("unavailable"), service.counted("accepted")) == (1, 1)


async def test_what_the_broker_refuses_is_told(service: Service) -> None:
    service.broker.error = KafkaTimeoutError()
    assert (await service.post(bundle(POTASSIUM))).status_code == 503
    service.broker.error = MessageSizeTooLargeError()
    assert (await service.post(bundle(POTASSIUM))).status_code == 413
    service.broker.error = RuntimeError(SECRET)
    answer = await service.post(bundle(POTASSIUM))
    assert (answer.status_code, issues(answer)[0].code) == (500, "exception")
    assert service.counted("failed") == 1


async def test_a_broker_that_is_away_for_long_does_not_fill_the_memory(service: Service) -> None:
    service.broker.answers.clear()
    many = [service.post(bundle(POTASSIUM)) for _ in range(5 * IN_HAND)]
    answers = await asyncio.gather(*many)
    assert {answer.status_code for answer in answers} == {503}
    service.broker.answers.set()
    assert (await service.post(bundle(POTASSIUM))).status_code == 202
    assert len(service.broker.sent) - 1 <= 2 * IN_HAND, "the others were turned away unread"


async def test_before_the_start_and_after_the_stop_it_is_503(service: Service) -> None:
    await service.intake.stop()
    assert (await service.post(bundle(POTASSIUM))).status_code == 503
    await service.intake.start()
    assert (await service.post(bundle(POTASSIUM))).status_code == 202


async def test_a_stop_does_not_wait_for_a_broker_that_is_away(service: Service) -> None:
    service.broker.answers.clear()
    assert (await service.post(bundle(POTASSIUM))).status_code == 503
    async with asyncio.timeout(5):
        await service.intake.stop()
    assert service.broker.sent == []


async def test_probes_are_answered_while_a_message_is_decoded() -> None:
    service = Service(Held)
    await service.server.start()
    await service.intake.start()
    posting = asyncio.create_task(service.post(bundle(POTASSIUM)))
    assert await asyncio.to_thread(Held.entered.wait, 10)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{service.server.url}/healthz")).status_code == 200
        assert not posting.done()
    Held.leave.set()
    assert (await posting).status_code == 202
    await service.intake.stop()
    await service.server.stop()


async def test_only_programs_of_this_machine_are_answered(service: Service) -> None:
    assert (await service.post(bundle(POTASSIUM), Host="evil.example.org")).status_code == 421
    foreign = await service.post(bundle(POTASSIUM), Origin="http://evil.example.org")
    assert (foreign.status_code, issues(foreign)[0].code) == (403, "forbidden")
    form = await service.post(bundle(POTASSIUM), Content_Type="text/plain")
    assert form.status_code == 403
    assert (service.broker.sent, service.counted("forbidden")) == ([], 3)


@pytest.mark.parametrize(("host", "served"), [("127.0.0.1", 1), ("localhost", 1), ("0.0.0.0", 0), ("10.1.2.3", 0)])
async def test_it_is_served_on_loopback_only(service: Service, host: str, served: int) -> None:
    assert len(ways_in(host, service.intake, service.metrics)) == served


async def test_the_capability_statement_is_valid_and_claims_no_reading(service: Service) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{service.url}/metadata")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    statement = CapabilityStatement.model_validate_json(answer.content)
    assert statement.fhirVersion == "4.0.1"
    (rest,) = statement.rest
    assert not any(resource.interaction for resource in rest.resource)
    assert {"Patient", "Observation", "MedicationRequest"} <= {resource.type for resource in rest.resource}


def test_the_same_message_again_is_the_same_facts() -> None:
    pipeline = Pipeline(load(), lambda: NOW)
    body = bundle(PATIENT, POTASSIUM)
    first, second = (pipeline.take(body, Origin(MESSAGES, 0, offset)).events for offset in (7, 8))
    assert len(first) == 2
    assert list(map(content_digest, first)) == list(map(content_digest, second))
    assert [(e.source, e.record_id, e.version) for e in first] == [(e.source, e.record_id, e.version) for e in second]
