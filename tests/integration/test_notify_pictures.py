"""Pictures of patients in real Postgres and through the whole service: the newest stands, an erased one stays erased, and a
patient is found by id, medicine and unit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from schemas.patients import PatientPicture
from services.notify.store import pictures, sql
from services.notify.store.database import open_pool
from services.notify.store.migrate import migrate
from services.notify.store.pictures import Received, patient_key
from tests.support.alerts import T0, alert, new_id, publish
from tests.support.notify_process import NotifyProcess, begin_at_the_end
from tests.support.pictures import lab, medicine, picture, problem, publish_pictures

pytestmark = pytest.mark.stack


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[Any]:
    pool = await open_pool(fresh_database)
    async with pool.acquire() as connection:
        await migrate(connection)
    yield pool
    await pool.close()


def at(unit: str, offset: int, epoch: int = 1, patient_id: str = "p-1") -> Received:
    """A picture that its unit tells from others."""
    return Received(patient_id, epoch, offset, picture(patient_id, unit=unit))


def erased(offset: int, epoch: int = 1, patient_id: str = "p-1") -> Received:
    return Received(patient_id, epoch, offset, None)


async def unit_of(pool: Any, patient_id: str = "p-1") -> str | None:
    found = await pictures.find(pool, patient_key(patient_id))
    return None if found is None else found.unit


async def test_the_newest_picture_stands_whatever_comes_again_or_late(pool: Any) -> None:
    steps = [
        (at("first", 10), 1, "first"),
        (at("second", 12), 1, "second"),
        (at("first", 10), 0, "second"),  # a batch again
        (at("next owner", 13, epoch=2), 1, "next owner"),
        (at("former owner, late", 14, epoch=1), 0, "next owner"),
        (at("next owner again", 15, epoch=2), 1, "next owner again"),
    ]
    for step, changed, unit in steps:
        assert (await pictures.put(pool, [step], T0), await unit_of(pool)) == (changed, unit)


async def test_of_a_batch_the_newest_of_each_patient_is_stored_in_one_statement(pool: Any) -> None:
    batch = [at("old", 1), at("b", 2, patient_id="p-2"), at("new", 3), at("stale owner", 4, epoch=0)]
    assert await pictures.put(pool, batch, T0) == 2
    assert (await unit_of(pool), await unit_of(pool, "p-2")) == ("new", "b")
    assert await pictures.put(pool, [], T0) == 0


async def test_an_erased_patient_stays_erased_and_leaves_nothing_that_says_anything(pool: Any) -> None:
    assert await pictures.put(pool, [at("ICU", 5, epoch=3)], T0) == 1
    assert await pictures.put(pool, [erased(6, epoch=3)], T0) == 1
    assert await pictures.put(pool, [at("late", 7, epoch=2), at("again", 5, epoch=3)], T0) == 0
    assert await unit_of(pool) is None
    assert await pictures.listed(pool) == await pictures.by_id(pool, "p-1") == await pictures.units(pool) == []
    row = dict(await pool.fetchrow("SELECT * FROM pictures"))
    assert row.pop("patient_key") == patient_key("p-1")
    assert (row.pop("epoch"), row.pop("record_offset"), row.pop("stored_at")) == (3, 6, T0)
    assert set(row.values()) == {None, ""}
    # the same person comes back
    assert await pictures.put(pool, [at("ICU", 8, epoch=3)], T0) == 1
    assert await unit_of(pool) == "ICU"


def ward() -> list[PatientPicture]:
    warfarin = medicine("Coumadin 5 mg tab", "warfarin")
    aspirin = medicine("Aspirin Protect 100 mg", "aspirin", record_id="o2")
    co_trimoxazole = medicine("Bactrim forte", "sulfamethoxazole", "trimethoprim", record_id="o3")
    return [
        picture("MRN-001", medicines=(warfarin, aspirin), open=(problem("high"), problem("critical"))),
        picture("MRN-002", medicines=(warfarin,), unit="4 West", open=(problem("moderate"),)),
        picture("mrn-003", medicines=(co_trimoxazole,), unit="4 West"),
        picture("MRN-0_4", medicines=(), unit="ICU 20", open=(problem("high"),)),
        picture("Ä 7", medicines=(medicine("Mittel 50% (neu)"),), unit=""),
    ]


@pytest.fixture
async def filled(pool: Any) -> Any:
    for offset, one in enumerate(ward()):
        await pictures.put(pool, [Received(one.patient_id, 1, offset, one)], T0)
    return pool


@pytest.mark.parametrize(
    ("unit", "drug", "ids"),
    [
        ("", "", ["MRN-001", "MRN-0_4", "MRN-002", "Ä 7", "mrn-003"]),
        ("", "warfarin", ["MRN-001", "MRN-002"]),  # by ingredient, which no label names
        ("", "COUMA", ["MRN-001", "MRN-002"]),  # by the beginning of a label's word
        ("", "warf asp", ["MRN-001"]),  # who has both
        ("", "arfarin", []),
        ("", "trimethoprim", ["mrn-003"]),
        ("4 West", "", ["MRN-002", "mrn-003"]),
        ("4 West", "warfarin", ["MRN-002"]),
        ("ICU 2", "", ["MRN-001"]),
        ("icu", "", []),
        ("", "50%", ["Ä 7"]),
        ("", "%", []),
        ("", "' | 'aspirin':* & !x", []),
        ("", "\0", []),
    ],
)
async def test_patients_are_found_by_unit_and_medicine_gravest_first(
    filled: Any, unit: str, drug: str, ids: list[str]
) -> None:
    found = [one.patient_id for one in await pictures.listed(filled, unit, drug)]
    # of two with no problem and one time the key decides, which says nothing to a reader
    assert (sorted(found), found[:3]) == (sorted(ids), ids[:3])


@pytest.mark.parametrize(
    ("begins", "ids"),
    [
        ("mrn-00", ["MRN-001", "MRN-002", "mrn-003"]),
        (" MRN-0_ ", ["MRN-0_4"]),
        ("MRN-0%", []),
        ("MRN-001\\", []),
        ("ä", ["Ä 7"]),
        ("", []),
        ("\0", []),
        ("RN", []),
    ],
)
async def test_patients_are_found_by_the_beginning_of_their_id(filled: Any, begins: str, ids: list[str]) -> None:
    assert [one.patient_id for one in await pictures.by_id(filled, begins)] == ids


async def test_every_unit_with_patients_is_named_once_and_a_list_has_an_end(filled: Any) -> None:
    assert await pictures.units(filled) == ["4 West", "ICU 2", "ICU 20"]
    assert [one.patient_id for one in await pictures.listed(filled, limit=2)] == ["MRN-001", "MRN-0_4"]


async def test_a_medicine_no_longer_in_force_is_no_longer_found(filled: Any) -> None:
    first = ward()[0]
    stopped = replace(first, medicines=first.medicines[1:])
    await pictures.put(filled, [Received(first.patient_id, 1, 99, stopped)], T0)
    assert [one.patient_id for one in await pictures.listed(filled, drug="warfarin")] == ["MRN-002"]
    assert await pictures.find(filled, patient_key("MRN-001")) == stopped


MANY = """
    INSERT INTO pictures (
        patient_key, epoch, record_offset, patient_id, facility, unit, clock, severity, words, stored_at, document
    )
    SELECT n, 1, n, 'MRN-' || n, '', 'unit ' || n % 500, now() - n * interval '1 min', NULL,
           array_to_tsvector(ARRAY['drug' || n % 700, 'mg']), now(), json_build_object('of', repeat(md5(n::text), 40))
    FROM generate_series(1, 20000) AS n
"""


@pytest.mark.parametrize(
    ("query", "parameters", "index"),
    [
        ("listed", "NULL, '''drug7'':*', 100", "pictures_words"),
        ("listed", "'unit 7', NULL, 100", "pictures_unit"),
        ("listed", "NULL, NULL, 100", "pictures_in_order"),
        ("by_id", "'mrn-77%', 100", "pictures_patient"),
        ("units", "500", "pictures_unit"),
        ("find", "'77'", "pictures_pkey"),
    ],
)
async def test_no_search_reads_every_patient(pool: Any, query: str, parameters: str, index: str) -> None:
    async with pool.acquire() as connection:
        await connection.execute(f"{MANY}; ANALYZE pictures; PREPARE search AS {sql.load('pictures')[query]}")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE search({parameters})"))
    assert index in plan, plan
    assert "Seq Scan on pictures" not in plan, plan


async def test_labels_without_end_are_stored_and_bounded(pool: Any) -> None:
    many = tuple(medicine(" ".join(f"{'x' * 60}{n}{m}" for n in range(60)), record_id=f"o{m}") for m in range(400))
    assert await pictures.put(pool, [Received("p-1", 1, 1, picture(medicines=many))], T0) == 1
    assert len(await pictures.listed(pool, drug="x" * 90)) == 1


# through the service


@pytest.fixture
async def database(brokers: str, fresh_database: str) -> str:
    await begin_at_the_end(brokers, fresh_database)
    return fresh_database


async def _shown(client: httpx.AsyncClient, patient_id: str) -> dict[str, Any] | None:
    answer = await client.get(f"/api/patients/{patient_key(patient_id)}")
    return answer.json()["picture"] if answer.status_code == 200 else None


async def _until(client: httpx.AsyncClient, patient_id: str, found: Any) -> None:
    async with asyncio.timeout(30):
        while not found(await _shown(client, patient_id)):
            await asyncio.sleep(0.05)


async def test_a_picture_goes_from_the_topic_to_the_api_and_is_erased(
    brokers: str, database: str, tmp_path: Path
) -> None:
    mark = f"MRN {new_id()}"
    first = picture(mark, unit="ICU 2")
    second = replace(first, unit="4 West", labs=(lab("inr", 3.4, "1"),))
    async with NotifyProcess(brokers, database, tmp_path) as service, httpx.AsyncClient(base_url=service.url) as client:
        await publish_pictures(brokers, [first, second], epoch=4)
        await _until(client, mark, lambda shown: shown and shown["unit"] == "4 West")
        listing = await client.get("/api/patients", params={"unit": "4 West", "drug": "warf"})
        (found,) = listing.json()["patients"]
        assert found["key"] == patient_key(mark)
        assert found["picture"]["labs"] == [{"analyte": "inr", "value": 3.4, "unit": "1", "at": "2026-11-02T03:00:00Z"}]
        search = await client.post("/api/patients/search", json={"patient_id": mark.lower()[:20]})
        assert (search.status_code, [one["key"] for one in search.json()["patients"]]) == (200, [patient_key(mark)])
        # a former owner that wakes up late, then the erasure
        await publish_pictures(brokers, [first], epoch=3)
        await publish_pictures(brokers, [mark], epoch=4)
        await _until(client, mark, lambda shown: shown is None)
        assert (await client.get("/api/patients")).json() == {"patients": []}
        assert "rxvigil_notify_pictures_total" in (await client.get("/metrics")).text
    assert mark not in service.log()


async def test_the_api_refuses_with_problems_that_say_what_to_do(brokers: str, database: str, tmp_path: Path) -> None:
    async with NotifyProcess(brokers, database, tmp_path) as service, httpx.AsyncClient(base_url=service.url) as client:
        cases = [
            (await client.get("/api/patients/none"), 404, "no picture"),
            (await client.get("/api/patients/%00"), 404, "no picture"),
            (await client.get("/api/patients?limit=0"), 400, ""),
            (await client.get("/api/patients?limit=501"), 400, ""),
            (await client.post("/api/patients/search", json={"patient_id": "  "}), 400, "patient_id"),
            (await client.post("/api/patients/search", json={"patient_id": "x", "colour": 1}), 400, "colour"),
            (await client.post("/api/patients/search", data={"patient_id": "x"}), 403, "page itself"),
        ]
        for answer, status, words in cases:
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert words in answer.json()["detail"]
        assert "/api/patients/search" in (await client.get("/api/schema/openapi.json")).json()["paths"]
        assert (await client.post("/patients", data={"patient": "x"})).status_code == 403
        for path in ("/patients", "/patients/none", "/api/patients", "/fragments/patients/none"):
            elsewhere = await client.get(path, headers={"host": f"evil.example:{service.port}"})
            assert elsewhere.status_code == 421, path


async def test_what_is_no_picture_becomes_a_dead_letter_and_alerts_do_not_wait_for_it(
    brokers: str, database: str, tmp_path: Path
) -> None:
    mark = new_id()
    bad = replace(picture(mark), unit="\0")
    one = alert("high", patient_id=mark)
    async with NotifyProcess(brokers, database, tmp_path) as service, httpx.AsyncClient(base_url=service.url) as client:
        await publish_pictures(brokers, [picture(mark, unit="before"), bad, picture(f"{mark}-2")])
        await publish(brokers, [one])
        await _until(client, f"{mark}-2", bool)
        await _until(client, mark, lambda shown: shown and shown["unit"] == "before")
        async with asyncio.timeout(30):
            while (await client.get(f"/api/alerts/{one.alert_id}")).status_code != 200:
                await asyncio.sleep(0.05)
            while 'rxvigil_notify_refused_total{reason="notify_error"} 1.0' not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.05)
    assert mark not in service.log()
