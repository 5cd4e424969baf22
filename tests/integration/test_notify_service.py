"""Notify as a process on real Kafka and Postgres: nothing is lost or repeated wrongly, whatever ends in between."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.partitioner import murmur2

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from services.notify.consume import Consumer
from services.notify.intake.alerts import AlertKind
from services.notify.intake.batches import Intake
from services.notify.intake.pictures import PictureKind
from services.notify.metrics import NotifyMetrics
from services.notify.store import alerts, offsets
from services.notify.store.database import open_pool
from services.notify.store.deliveries import delivery_id
from services.runtime.clock import system_clock
from services.streaming.producer import BatchProducer
from tests.support.alerts import alert, changed, new_id, publish
from tests.support.notify_process import NotifyProcess, begin_at_the_end
from tests.support.webhook_receiver import SECRET, Receiver

pytestmark = pytest.mark.stack

JSON = {"content-type": "application/json"}


@pytest.fixture
async def database(brokers: str, fresh_database: str) -> str:
    await begin_at_the_end(brokers, fresh_database)
    return fresh_database


async def records_of(brokers: str, topic: str, found: Callable[[ConsumerRecord], bool]) -> ConsumerRecord:
    """The first record of a topic, from its beginning, that is the one sought."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, n) for n in range(topics.topics()[topic].partitions)])
    try:
        async with asyncio.timeout(30):
            async for record in consumer:
                if found(record):
                    return record
    finally:
        await consumer.stop()
    raise AssertionError


async def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


async def stored(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT alert_id, revision FROM alerts")
    await connection.close()
    return {row["alert_id"]: row["revision"] for row in rows}


def episodes(number: int) -> list[Alert]:
    """Alerts of many patients, each opened, made graver and resolved."""
    steps = []
    for n in range(number):
        opened = alert("high", patient_id=f"p-{new_id()}")
        graver = changed(opened, "updated", severity="critical")
        steps += [opened, graver] if n % 2 else [opened, graver, changed(graver, "resolved")]
    return steps


def last(revisions: Iterable[Alert]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in revisions:
        found[one.alert_id] = max(one.revision, found.get(one.alert_id, 0))
    return found


async def test_killed_again_and_again_it_loses_nothing_and_every_delivery_keeps_its_id(
    brokers: str, database: str, tmp_path: Path
) -> None:
    revisions = episodes(300)
    async with Receiver.started() as receiver:
        service = NotifyProcess(brokers, database, tmp_path, webhook_url=receiver.url, webhook_secret=SECRET)
        await publish(brokers, revisions)
        for _ in range(3):
            await service.start()
            before = len(receiver.received)
            await receiver.until(lambda r, before=before: len(r.received) >= before + 15, 40)  # type: ignore[misc]
            await service.kill()
        async with service:
            wanted = {delivery_id("webhook", one.alert_id, one.revision) for one in revisions}
            await receiver.until(lambda r: {got.id for got in r.accepted} >= wanted, 90)
            assert await stored(database) == last(revisions)
        assert service.exit_code == 0
    assert {got.id for got in receiver.accepted} == wanted
    by_alert: dict[str, list[int]] = {}
    for got in receiver.accepted:
        by_alert.setdefault(got.body["data"]["alert_id"], []).append(got.body["data"]["revision"])
    assert all(order == sorted(order) for order in by_alert.values())
    # only what was under way at a kill was delivered twice: at most four a kill
    assert sum(Counter(got.id for got in receiver.received).values()) - len(wanted) <= 3 * 4


async def test_an_alert_and_the_offset_behind_it_are_stored_together_or_not_at_all(
    brokers: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, producer, metrics = await open_pool(database), BatchProducer(brokers, "test"), NotifyMetrics()
    intake = Intake(pool, producer, metrics, system_clock, [AlertKind(metrics, None, "high"), PictureKind(metrics)])
    consumer = Consumer(brokers, pool, intake, metrics)
    put = offsets.put
    failures: list[Any] = []

    async def cut_off(*args: Any) -> None:
        if len(failures) < 2:
            failures.append(await alerts.find(args[0], one.alert_id))  # seen inside the transaction only
            raise ConnectionResetError
        await put(*args)

    monkeypatch.setattr(offsets, "put", cut_off)
    one = alert("high", patient_id=f"p-{new_id()}")
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    await until(lambda: _async(not consumer.ready()))
    await publish(brokers, [one])
    await until(lambda: _async(bool(failures)))
    assert await stored(database) == {}
    assert consumer.ready()
    await until(lambda: _async(not consumer.ready()))
    await until(lambda: _stored_is(database, {one.alert_id: 1}))
    stop.set()
    await running
    await pool.close()
    assert len(failures) == 2
    assert all(failures)
    assert metrics.registry.get_sample_value("rxvigil_notify_stale_total") == 0


async def _async(value: bool) -> bool:
    return value


async def _stored_is(url: str, wanted: dict[str, int]) -> bool:
    return await stored(url) == wanted


async def test_what_is_no_alert_becomes_a_dead_letter_and_the_stream_goes_on(
    brokers: str, database: str, tmp_path: Path
) -> None:
    mark = new_id()
    before, after = alert("high", patient_id=mark), alert("high", patient_id=mark)
    unstorable = codec.encode(alert("high", patient_id=f"{mark}\0"))
    bad = {b'{"mark": "%s"}' % mark.encode(): "schema", b"{ %s" % mark.encode(): "not_json", unstorable: "notify_error"}
    async with NotifyProcess(brokers, database, tmp_path) as service:
        producer = AIOKafkaProducer(bootstrap_servers=brokers)
        await producer.start()
        for value in (codec.encode(before), *bad, codec.encode(after)):
            await producer.send(topics.ALERTS, key=mark.encode(), value=value)
        await producer.stop()
        await until(lambda: _stored_is(database, {before.alert_id: 1, after.alert_id: 1}))
        for value, reason in bad.items():
            record = await records_of(brokers, topics.DEAD_LETTERS, lambda r, value=value: r.value == value)  # type: ignore[misc]
            letter = DeadLetter.from_record(list(record.headers), record.value)
            assert (letter.reason, letter.refused_by, letter.topic) == (reason, "notify", topics.ALERTS)
            assert letter.partition == (murmur2(mark.encode()) & 0x7FFFFFFF) % 4
        metrics = httpx.get(f"{service.url}/metrics").text
        assert 'rxvigil_notify_refused_total{reason="notify_error"} 1.0' in metrics
        assert 'rxvigil_notify_alerts_total{change="opened",severity="high"} 2.0' in metrics
    assert mark not in service.log()


async def test_an_answer_reaches_the_monitors_topic_once_under_its_id(
    brokers: str, database: str, tmp_path: Path
) -> None:
    one = alert("high", patient_id=f"p-{new_id()}")
    async with NotifyProcess(brokers, database, tmp_path) as service, httpx.AsyncClient(base_url=service.url) as client:
        await publish(brokers, [one])
        await until(lambda: _is_listed(client, one, "open"))
        answer = {"by": "Éva Ápoteker", "reason": "prescriber_contacted", "revision": 1, "comment": "Will stop it."}
        path = f"/api/alerts/{one.alert_id}/answers"
        first, again = await client.post(path, json=answer), await client.post(path, json=answer)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        record = await records_of(brokers, topics.FEEDBACK, lambda r: r.key == one.patient_id.encode())
        feedback = codec.decode_feedback(record.value)
        assert json.loads(record.value) == first.json()
        assert (feedback.alert_id, feedback.revision, feedback.by) == (one.alert_id, 1, "Éva Ápoteker")
        assert (feedback.answer, feedback.reason, feedback.comment) == (
            "acknowledged",
            "prescriber_contacted",
            "Will stop it.",
        )
        assert dict(record.headers)["ce_type"] == b"rxvigil.feedback.v1"
        assert dict(record.headers)["ce_id"].decode() == feedback.feedback_id
        assert record.partition == (murmur2(one.patient_id.encode()) & 0x7FFFFFFF) % 4
        assert await _is_listed(client, one, "acknowledged")


async def _is_listed(client: httpx.AsyncClient, one: Alert, status: str, **more: str) -> bool:
    listing = (await client.get("/api/alerts", params={"status": status, **more})).json()
    return one.alert_id in {found["alert_id"] for found in listing["alerts"]}


@pytest.fixture
async def service(brokers: str, database: str, tmp_path: Path) -> AsyncIterator[NotifyProcess]:
    async with NotifyProcess(brokers, database, tmp_path) as service:
        yield service


async def test_the_api_lists_what_is_for_whoever_opens_the_patient_only_when_asked(
    service: NotifyProcess, brokers: str
) -> None:
    quiet, told = alert("info", patient_id=f"p-{new_id()}"), alert("moderate", patient_id=f"p-{new_id()}")
    async with httpx.AsyncClient(base_url=service.url) as client:
        before = (await client.get("/api/alerts")).json()["left_out"]
        await publish(brokers, [quiet, told])
        await until(lambda: _is_listed(client, told, "open"))
        await until(lambda: _is_listed(client, quiet, "open", info="true"))
        assert not await _is_listed(client, quiet, "open")
        assert (await client.get("/api/alerts")).json()["left_out"] == before + 1
        assert (await client.get("/api/alerts?info=true")).json()["left_out"] == 0
        assert (await client.get("/api/alerts?status=ended")).json()["left_out"] is None


async def test_the_api_refuses_with_problems_that_say_what_to_do(service: NotifyProcess, brokers: str) -> None:
    one = alert("high", patient_id=f"p-{new_id()}", rank=1.0)
    good = {"by": "A", "reason": "changed", "revision": 1}
    async with httpx.AsyncClient(base_url=service.url) as client:
        await publish(brokers, [one, changed(one, "updated", rank=2.0)])
        await until(lambda: _is_listed(client, one, "open"))
        path = f"/api/alerts/{one.alert_id}/answers"
        cases = [
            (await client.post(path, json=good), 409, "got worse"),
            (await client.post(path, json=good | {"reason": "because"}), 400, "reason"),
            (await client.post(path, json=good | {"by": "  "}), 400, "by"),
            (await client.post(path, json=good | {"colour": "red"}), 400, "colour"),
            (await client.post(path, content=b"{", headers=JSON), 400, "cannot be read"),
            (await client.post("/api/alerts/none/answers", json=good), 404, "no alert"),
            (await client.get("/api/alerts/none"), 404, "no alert"),
            (await client.get("/api/alerts?status=lost"), 400, ""),
        ]
        for answer, status, words in cases:
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
            assert words in answer.json()["detail"]
        assert (await client.get("/api/alerts/%00")).status_code == 404
        assert "/api/alerts/{alert_id}/answers" in (await client.get("/api/schema/openapi.json")).json()["paths"]


async def test_only_this_machine_and_its_own_page_are_served(service: NotifyProcess, brokers: str) -> None:
    one = alert("high", patient_id=f"p-{new_id()}")
    form = {"by": "A", "reason": "changed", "revision": "1"}
    async with httpx.AsyncClient(base_url=service.url) as client:
        await publish(brokers, [one])
        await until(lambda: _is_listed(client, one, "open"))
        for path in ("/", "/api/alerts", "/live", f"/alerts/{one.alert_id}", "/static/console.js"):
            elsewhere = await client.get(path, headers={"host": f"evil.example:{service.port}"})
            assert elsewhere.status_code == 421, path
        for origin in ({}, {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}):
            answer = await client.post(f"/alerts/{one.alert_id}/answers", data=form, headers=origin)
            assert answer.status_code == 403, origin
            if origin:
                api = await client.post(f"/api/alerts/{one.alert_id}/answers", json=form, headers=origin)
                assert api.status_code == 403
        assert await _is_listed(client, one, "open")
        own = await client.post(f"/alerts/{one.alert_id}/answers", data=form, headers={"origin": service.url})
        assert own.status_code == 303
        assert await _is_listed(client, one, "acknowledged")
        page = await client.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
        sorry = await client.get("/alerts/none")
        assert (sorry.status_code, "script-src" in sorry.headers["content-security-policy"]) == (404, True)


async def test_without_a_loopback_address_only_the_probes_are_served(
    brokers: str, database: str, tmp_path: Path
) -> None:
    async with NotifyProcess(brokers, database, tmp_path, host="0.0.0.0") as service:
        async with httpx.AsyncClient(base_url=service.url) as client:
            statuses = [(await client.get(path)).status_code for path in ("/healthz", "/metrics", "/", "/api/alerts")]
        assert statuses == [200, 200, 404, 404]
        assert "no sign-in" in service.log()


async def test_while_postgres_is_away_it_waits_says_so_and_goes_on(
    brokers: str, database: str, database_url: str, tmp_path: Path
) -> None:
    name = database.rsplit("/", 1)[1].split("?")[0]
    admin = await asyncpg.connect(database_url)
    one = alert("high", patient_id=f"p-{new_id()}")
    async with NotifyProcess(brokers, database, tmp_path) as service:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await publish(brokers, [one])
        assert await service.until_ready_is(503) in ("the database does not answer", "alerts to be stored")
        assert httpx.get(f"{service.url}/healthz").status_code == 200
        assert httpx.get(f"{service.url}/").status_code == 503
        assert httpx.get(f"{service.url}/api/alerts").status_code == 503
        await asyncio.sleep(2)
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await service.until_ready()
        await until(lambda: _stored_is(database, {one.alert_id: 1}))
    await admin.close()


async def test_it_starts_before_its_servers_and_stops_in_time_when_they_never_come(tmp_path: Path) -> None:
    service = NotifyProcess("127.0.0.1:1", "postgresql://x@127.0.0.1:1/x", tmp_path)
    await service.start()
    assert "Kafka" in await service.until_ready_is(503)
    began = time.monotonic()
    await service.stop()
    assert service.exit_code == 0
    assert time.monotonic() - began < 10


async def test_a_webhook_without_secret_is_a_clear_start_error(brokers: str, database: str, tmp_path: Path) -> None:
    service = NotifyProcess(brokers, database, tmp_path, webhook_url="http://127.0.0.1:1/hook")
    await service.start()
    assert await service.wait() == 2
    assert "RXVIGIL_WEBHOOK_SECRET" in service.log()


async def test_it_stops_in_time_while_a_page_listens_and_a_receiver_does_not_answer(
    brokers: str, database: str, tmp_path: Path
) -> None:
    one = alert("critical", patient_id=f"p-{new_id()}")
    async with Receiver.started() as receiver:
        receiver.seconds = 4
        hook = {"webhook_url": receiver.url, "webhook_secret": SECRET, "stop_timeout": 2}
        async with NotifyProcess(brokers, database, tmp_path, **hook) as service, httpx.AsyncClient() as client:
            async with client.stream("GET", f"{service.url}/live") as live:
                lines = live.aiter_lines()
                heard = [await anext(lines) for _ in range(5)]
                assert heard[0] == "event: changed"
                assert "event: beat" in heard
                await publish(brokers, [one])
                await until(lambda: _async(bool(receiver.headers)))
                began = time.monotonic()
                await service.stop()
                assert time.monotonic() - began < 4
            assert service.exit_code == 0
        receiver.seconds = 0
        # the answer came after the end, so it is asked again under the same id when the lease has run out
        connection = await asyncpg.connect(database)
        assert await connection.fetchval("SELECT delivered_at IS NULL AND due_at > now() FROM deliveries")
        await connection.execute("UPDATE deliveries SET due_at = now()")
        await connection.close()
        async with NotifyProcess(brokers, database, tmp_path, **hook):
            await receiver.until(lambda r: len(r.received) == 2)
    assert {got.id for got in receiver.received} == {delivery_id("webhook", one.alert_id, 1)}
