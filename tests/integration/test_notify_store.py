"""The store on real Postgres: migrations, the order of revisions, the lists, the outbox under two workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import resources
from typing import Any

import asyncpg
import httpx
import pytest

from schemas.alerts import Alert
from services.notify.answers import Given, NotTakenError, take
from services.notify.delivery.outbox import Outbox
from services.notify.delivery.webhook import Webhook
from services.notify.metrics import NotifyMetrics
from services.notify.routing.asking import asks_since
from services.notify.store import alerts, answers, deliveries, sql
from services.notify.store.changes import Changes, announce
from services.notify.store.database import open_pool
from services.notify.store.migrate import MigrationError, migrate, migrations
from services.runtime.clock import system_clock
from tests.support.alerts import T0, acknowledged, alert, changed
from tests.support.webhook_receiver import SECRET, Receiver

pytestmark = pytest.mark.stack


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(fresh_database)
    async with pool.acquire() as connection:
        await migrate(connection)
    yield pool
    await pool.close()


async def put(pool: Any, *revisions: Alert) -> list[bool]:
    return [await alerts.put(pool, one, asks_since(one), T0) for one in revisions]


async def listed(pool: Any, name: alerts.ListName) -> list[str]:
    return [stored.alert.alert_id for stored in await alerts.listed(pool, name)]


async def _schema(connection: Any) -> list[tuple[Any, ...]]:
    """Every column, constraint, index, view, type and comment of the public schema, from Postgres' own catalogue."""
    rows = await connection.fetch("""
        SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
               coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(col_description(c.oid, a.attnum), '')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', ''
        FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'view', viewname, '', definition, '', '', '' FROM pg_views WHERE schemaname = 'public'
        UNION ALL SELECT 'type', t.typname, e.enumlabel, e.enumsortorder::text, '', '', ''
        FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
        UNION ALL SELECT 'comment', relname, coalesce(obj_description(oid, 'pg_class'), ''), '', '', '', ''
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
    """)
    return sorted(tuple(row) for row in rows if row[1] != "migrations")


async def test_two_processes_that_start_at_once_migrate_once_and_a_later_start_changes_nothing(
    fresh_database: str,
) -> None:
    both = [await asyncpg.connect(fresh_database) for _ in range(2)]
    applied = await asyncio.gather(*map(migrate, both))
    names = [migration.name for migration in migrations()]
    assert sorted(applied) == [[], names]
    before = await _schema(both[0])
    assert await migrate(both[1]) == []
    assert await _schema(both[0]) == before
    for connection in both:
        await connection.close()


async def test_the_schema_file_says_what_the_migrations_make(fresh_database: str) -> None:
    connection = await asyncpg.connect(fresh_database)
    await migrate(connection)
    migrated = await _schema(connection)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.execute(resources.files("services.notify.store").joinpath("schema.sql").read_text())
    assert await _schema(connection) == migrated
    assert {row[1] for row in migrated} >= {"alerts", "answers", "deliveries", "offsets"}
    await connection.close()


async def test_a_changed_migration_or_a_newer_database_is_refused(fresh_database: str) -> None:
    connection = await asyncpg.connect(fresh_database)
    await migrate(connection)
    await connection.execute("UPDATE migrations SET sha256 = 'other'")
    with pytest.raises(MigrationError, match="0001"):
        await migrate(connection)
    await connection.execute("DELETE FROM migrations; INSERT INTO migrations VALUES ('9999_later', 'x')")
    with pytest.raises(MigrationError, match="9999_later"):
        await migrate(connection)
    await connection.close()


async def test_postgres_takes_every_query(pool: Any) -> None:
    files = [file.name for file in resources.files("services.notify.store").joinpath("queries").iterdir()]
    async with pool.acquire() as connection:
        for file in files:
            for name, query in sql.load(file.removesuffix(".sql")).items():
                assert await connection.prepare(query), name


async def test_only_a_higher_revision_is_stored_so_a_late_copy_does_not_open_an_alert_again(pool: Any) -> None:
    first = alert("high")
    second = changed(first, "updated", severity="critical")
    end = changed(second, "resolved")
    assert await put(pool, first, second, first, end, second, end, first) == [
        True,
        True,
        False,
        True,
        False,
        False,
        False,
    ]
    stored = await alerts.find(pool, first.alert_id)
    assert stored is not None
    assert (stored.list, stored.alert) == ("ended", end)
    assert await listed(pool, "open") == []
    assert await listed(pool, "ended") == [first.alert_id]


async def test_a_former_owner_of_the_partition_that_wakes_up_late_changes_nothing(pool: Any) -> None:
    first = alert("high")
    second = changed(first, "updated", severity="critical")
    end = changed(second, "resolved")
    assert await alerts.put(pool, second, 2, T0, epoch=7)
    # the new owner works out the same revision again, and its word counts
    assert await alerts.put(pool, second, 2, T0, epoch=8)
    # a higher revision of the former owner does not
    assert not await alerts.put(pool, end, 2, T0, epoch=7)
    # an owner that begins again behind what is stored takes nothing back
    assert not await alerts.put(pool, first, 1, T0, epoch=9)
    stored = await alerts.find(pool, first.alert_id)
    assert stored is not None
    assert (stored.list, stored.alert) == ("open", second)
    assert await alerts.put(pool, end, 2, T0, epoch=8)


async def test_open_alerts_come_gravest_first_then_by_rank_then_the_longest_waiting(pool: Any) -> None:
    late = T0 + timedelta(hours=1)
    wanted = [
        alert("critical", rank=0.9, true_since=late),
        alert("critical", rank=0.1, true_since=T0),
        alert("critical", rank=0.1, true_since=late),
        alert("high", rank=5.0),
        alert("moderate"),
        alert("info", rank=9.0),
    ]
    await put(pool, *(wanted[index] for index in (3, 5, 1, 4, 2, 0)))
    found = await alerts.listed(pool, "open", info=True)
    assert [stored.alert.alert_id for stored in found] == [one.alert_id for one in wanted]
    counts = await alerts.counts(pool)
    assert counts.open == {"critical": 3, "high": 1, "moderate": 1, "info": 1}
    assert set(counts.acknowledged.values()) == {0}


async def test_what_is_for_whoever_opens_the_patient_is_in_no_list_unless_asked_for(pool: Any) -> None:
    told, quiet, answered, over = alert("moderate"), alert("info"), alert("info"), alert("info")
    await put(pool, told, quiet, answered, over, changed(over, "resolved"))
    await take(pool, answered.alert_id, given(1), T0)
    wanted: dict[alerts.ListName, tuple[Alert, list[str], int | None]] = {
        "open": (quiet, [told.alert_id], 1),
        "acknowledged": (answered, [], 1),
        "ended": (over, [], None),
    }
    counts = await alerts.counts(pool)
    assert counts.calling == 1
    for name, (left_out, listed_, number) in wanted.items():
        assert await listed(pool, name) == listed_
        assert counts.left_out(name) == number
        with_info = [stored.alert.alert_id for stored in await alerts.listed(pool, name, info=True)]
        assert with_info == [*listed_, left_out.alert_id]
    # what gets worse is listed
    await put(pool, changed(quiet, "updated", severity="high"))
    assert await listed(pool, "open") == [quiet.alert_id, told.alert_id]


def given(revision: int, **more: Any) -> Given:
    fields: dict[str, Any] = {"by": "A. Pharmacist", "reason": "will_monitor", "revision": revision} | more
    return Given(**fields)


async def test_an_answer_takes_the_alert_off_the_list_until_it_gets_worse(pool: Any) -> None:
    opened = alert("high", rank=1.0)
    await put(pool, opened)
    feedback, is_new = await take(pool, opened.alert_id, given(1), T0)
    assert is_new
    assert feedback.answer == "will_monitor"
    assert await listed(pool, "open") == []
    assert await listed(pool, "acknowledged") == [opened.alert_id]
    # the monitor changes it in silence, then confirms: it stays away
    same = changed(opened, "updated", rank=0.9)
    confirmed = acknowledged(same, feedback)
    for step in (same, confirmed):
        await put(pool, step)
        assert await listed(pool, "open") == []
    await put(pool, changed(confirmed, "attention", rank=2.0, acknowledgement=None))
    assert await listed(pool, "open") == [opened.alert_id]


async def test_an_alert_that_got_worse_before_its_answer_was_confirmed_is_open(pool: Any) -> None:
    opened = alert("high")
    await put(pool, opened)
    await take(pool, opened.alert_id, given(1), T0)
    await put(pool, changed(opened, "updated", severity="critical"))
    assert await listed(pool, "open") == [opened.alert_id]


async def test_a_double_click_records_one_answer(pool: Any) -> None:
    opened = alert("high")
    await put(pool, opened)
    later = T0 + timedelta(seconds=1)
    both = await asyncio.gather(*(take(pool, opened.alert_id, given(1), at) for at in (T0, later)))
    assert sorted(is_new for _, is_new in both) == [False, True]
    assert both[0][0] == both[1][0]
    assert await answers.waiting(pool) == 1


@pytest.mark.parametrize(
    ("steps", "revision", "why"),
    [
        (("updated",), 1, "changed"),
        (("resolved",), 1, "ended"),
        ((), 7, "not_yet"),
        (None, 1, "unknown"),
    ],
)
async def test_an_answer_to_what_is_no_longer_so_is_not_taken(
    pool: Any, steps: tuple[Any, ...] | None, revision: int, why: str
) -> None:
    one = alert("high", rank=1.0)
    if steps is not None:
        await put(pool, one, *(changed(one, step, rank=2.0) for step in steps))
    with pytest.raises(NotTakenError) as raised:
        await take(pool, one.alert_id, given(revision), T0)
    assert raised.value.why == why
    assert await answers.waiting(pool) == 0


async def test_a_milder_change_does_not_stand_in_the_way_of_an_answer(pool: Any) -> None:
    one = alert("high", rank=1.0)
    await put(pool, one, changed(one, "updated", rank=0.5))
    feedback, _ = await take(pool, one.alert_id, given(1), T0)
    assert feedback.revision == 1


def outbox(pool: Any, receiver: Receiver, client: httpx.AsyncClient, metrics: NotifyMetrics) -> Outbox:
    channel = Webhook(receiver.url, SECRET, system_clock, client)
    return Outbox(pool, channel, Changes(""), metrics, system_clock)


async def fill(pool: Any, receiver: Receiver, revisions: list[Alert]) -> None:
    async with httpx.AsyncClient() as client:
        channel = Webhook(receiver.url, SECRET, system_clock, client)
        for one in revisions:
            await put(pool, one)
            await deliveries.add(pool, channel.name, one, channel.body(one), system_clock())


def ids(revisions: list[Alert]) -> list[str]:
    return sorted(deliveries.delivery_id("webhook", one.alert_id, one.revision) for one in revisions)


async def test_two_workers_share_the_outbox_and_never_deliver_one_row_at_the_same_time(pool: Any) -> None:
    revisions = [alert("high") for _ in range(40)]
    async with Receiver.started() as receiver, httpx.AsyncClient() as client:
        receiver.seconds = 0.02
        await fill(pool, receiver, revisions)
        stop = asyncio.Event()
        workers = [asyncio.create_task(outbox(pool, receiver, client, NotifyMetrics()).run(stop)) for _ in range(2)]
        await receiver.until(lambda r: len(r.accepted) >= len(revisions))
        await asyncio.sleep(0.7)
        stop.set()
        await asyncio.gather(*workers)
    assert sorted(got.id for got in receiver.received) == ids(revisions)
    assert receiver.at_once == 1
    assert await deliveries.waiting(pool, "webhook") == 0


async def test_the_revisions_of_an_alert_are_delivered_in_their_order_although_one_is_refused_first(pool: Any) -> None:
    opened = alert("high")
    worse = changed(opened, "updated", severity="critical")
    end = changed(worse, "resolved")
    async with Receiver.started() as receiver, httpx.AsyncClient() as client:
        await fill(pool, receiver, [opened, worse, end])
        receiver.status = 500
        worker = outbox(pool, receiver, client, metrics := NotifyMetrics())
        assert await worker.deliver_one()
        assert not await worker.deliver_one()  # the later ones wait for the first
        receiver.status = 204
        await asyncio.sleep(1.05)
        while await worker.deliver_one():
            pass
    assert [got.body["data"]["revision"] for got in receiver.received] == [1, 1, 2, 3]
    assert len({got.id for got in receiver.received[:2]}) == 1
    count = metrics.registry.get_sample_value
    name = "rxvigil_notify_deliveries_total"
    assert count(name, {"channel": "webhook", "outcome": "refused"}) == 1
    assert count(name, {"channel": "webhook", "outcome": "accepted"}) == 3


async def test_a_crashed_workers_row_comes_back_under_the_same_id_when_its_lease_has_run_out(pool: Any) -> None:
    one = alert("critical")
    async with Receiver.started() as receiver:
        await fill(pool, receiver, [one])
        now, lease = system_clock(), timedelta(seconds=20)
        (crashed,) = await deliveries.take(pool, "webhook", now, lease, 10)
        assert await deliveries.take(pool, "webhook", now + lease - timedelta(seconds=1), lease, 10) == []
        (again,) = await deliveries.take(pool, "webhook", now + lease, lease, 10)
        # the crashed one was only slow: what it says now no longer moves the row
        await deliveries.mark_failed(pool, crashed, now, "late")
        assert await deliveries.take(pool, "webhook", now + lease, lease, 10) == []
    assert (again.delivery_id, again.body, again.attempt) == (crashed.delivery_id, crashed.body, 2)


@pytest.mark.parametrize(("status", "outcome"), [(500, "refused"), (302, "refused"), (410, "refused"), (0, "timeout")])
async def test_a_receiver_that_does_not_accept_is_asked_again_and_the_row_says_why(
    pool: Any, status: int, outcome: str
) -> None:
    one = alert("critical")
    async with Receiver.started() as receiver, httpx.AsyncClient(timeout=None) as client:
        await fill(pool, receiver, [one])
        channel = Webhook(receiver.url, SECRET, system_clock, client)
        channel.timeout = 0.3
        worker = Outbox(pool, channel, Changes(""), metrics := NotifyMetrics(), system_clock)
        receiver.status, receiver.seconds = (status, 0.0) if status else (204, 0.6)
        await worker.deliver_one()
        row = await pool.fetchrow("SELECT attempts, last_outcome, delivered_at FROM deliveries")
        assert (row["attempts"], row["delivered_at"]) == (1, None)
        assert row["last_outcome"] == (f"refused: HTTP {status}" if status else "timeout: no answer within 0.3 s")
        labels = {"channel": "webhook", "outcome": outcome}
        assert metrics.registry.get_sample_value("rxvigil_notify_deliveries_total", labels) == 1
        receiver.status, receiver.seconds, channel.timeout = 204, 0.0, 10.0
        await asyncio.sleep(1.05)
        assert await worker.deliver_one()
        assert await deliveries.waiting(pool, "webhook") == 0
        assert receiver.headers["webhook-id"] == deliveries.delivery_id("webhook", one.alert_id, 1)


async def test_a_receiver_that_is_not_there_is_asked_until_it_is(pool: Any) -> None:
    one = alert("critical")
    async with Receiver.started() as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
        await fill(pool, receiver, [one])
    stop = asyncio.Event()
    async with httpx.AsyncClient() as client:
        worker = asyncio.create_task(outbox(pool, receiver, client, NotifyMetrics()).run(stop))
        await asyncio.sleep(1.5)
        assert (await pool.fetchval("SELECT last_outcome FROM deliveries")).startswith("unreachable: ")
        async with Receiver.started(port) as there:
            await there.until(lambda r: bool(r.accepted))
        stop.set()
        await worker
    assert [got.id for got in there.accepted] == ids([one])


async def test_a_change_in_one_process_wakes_another(pool: Any, fresh_database: str) -> None:
    changes = Changes(fresh_database)
    listening = asyncio.create_task(changes.run())
    while changes.ready():
        await asyncio.sleep(0.02)
    seen = changes.number
    async with pool.acquire() as connection, connection.transaction():
        await announce(connection)
        assert await changes.wait(seen, 0.2) == seen  # not before the commit
    assert await changes.wait(seen, 5) == seen + 1
    # the connection is cut: it comes back by itself and counts that as a change
    await pool.execute("""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """)
    assert await changes.wait(seen + 1, 10) > seen + 1
    listening.cancel()
