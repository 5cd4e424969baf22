"""On the real stack: canaries hold in a healthy system and reach nobody; a rule broken by an edit, one that raises and an emptied
code table are each announced by what runs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from knowledge.loader import load
from schemas.canaries import PREFIX
from services.local.follow import Follower, handled, settled
from services.local.send import send
from services.local.stack import Stack
from services.monitor.canaries.cases import SLOTS
from services.monitor.canaries.hearing import Hearing
from services.monitor.evaluate import index_of
from services.monitor.upkeep import NoStateError, show
from services.runtime.settings import Settings
from services.runtime.topics import ensure_topics
from tests.acceptance.test_while_down import RULE
from tests.support.webhook_receiver import SECRET, Receiver

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]

CONSOLE = Console(stderr=True)
ANNOUNCED_SECONDS = 200
"""With rounds one after another. At the interval as shipped: tests/unit/test_live_canaries.py."""
SERVICE = """
import sys
from pathlib import Path

how, some = Path(sys.argv[1]).read_text(), int(sys.argv[3])
import knowledge.loader
written = knowledge.loader.read_written
knowledge.loader.read_written = lambda root, lexicon: written(root, lexicon)[:some]
if "no codes" in how and sys.argv[2] == "ingest":
    from msgspec.structs import replace
    whole = knowledge.loader.load
    knowledge.loader.load = lambda *more: replace(whole(*more), analytes={})
if "qt raises" in how or "qt is silent" in how:
    from services.monitor.rules import RULES
    def findings(*_):
        if "qt raises" in how:
            raise RuntimeError("an edit")
        return iter(())
    (qt,) = (rule for rule in RULES if rule.id == "qt")
    type(qt).findings = findings
sys.argv = ["rxvigil", sys.argv[2]]
from services.cli import main
main()
"""
"""A service as somebody has edited it; the file that is named first says how, the last argument how many of the shipped written
rules it has."""
WRITTEN = int(os.environ.get("RXVIGIL_WRITTEN_CANARIES", "5"))
"""A round with all of them takes a quarter of a minute, and the story below has some twenty rounds."""


class Edited:
    """The stack with all services, two of which an edit may break."""

    def __init__(self, stack: Stack, how: Path) -> None:
        self.stack, self._how = stack, how

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path, settings: Settings) -> AsyncIterator[Edited]:
        how = folder / "how"
        how.write_text("")

        def command(service: str) -> Sequence[str]:
            return (sys.executable, "-c", SERVICE, str(how), service, str(WRITTEN))

        async with Stack(folder / "data", settings=settings, console=CONSOLE, command=command) as stack:
            yield cls(stack, how)

    async def edit(self, service: str, how: str) -> None:
        self._how.write_text(how)
        await self.stack.restart(service)

    async def metrics(self, service: str, name: str) -> dict[str, float]:
        """The samples of one metric with at most one label, by its value."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"{self.stack.urls[service]}/metrics")).text
        samples = (each for family in text_string_to_metric_families(text) for each in family.samples)
        return {"".join(each.labels.values()): each.value for each in samples if each.name == name}

    async def silent(self) -> set[str]:
        """The rules whose canary does not hold, after a round that began from now on has ended."""
        before = sum((await self.metrics("monitor", "rxvigil_canary_runs_total")).values())
        async with asyncio.timeout(ANNOUNCED_SECONDS):
            while sum((await self.metrics("monitor", "rxvigil_canary_runs_total")).values()) < before + 2:
                await asyncio.sleep(0.5)
        holds = await self.metrics("monitor", "rxvigil_canary_holds")
        return {rule for rule, each in holds.items() if not each}

    async def until_silent(self, *rules: str) -> set[str]:
        async with asyncio.timeout(ANNOUNCED_SECONDS):
            while not set(rules) <= (found := await self.silent()) or (not rules and found):
                pass
        return found

    async def rows(self, table: str) -> set[str]:
        connection = await asyncpg.connect(self.stack.database_url)
        try:
            return {row["patient_id"] for row in await connection.fetch(f"SELECT patient_id FROM {table}")}
        finally:
            await connection.close()


def of_a_person(number: int) -> list[dict[str, Any]]:
    """A QTc of 520 ms under two medicines that prolong it."""
    base = {"patient_id": "person", "source": "ward", "occurred_at": datetime.now(UTC).isoformat()}
    order = base | {"type": "prescription", "status": "ordered", "dosage": {"route": "intravenous"}}
    return [
        order | {"record_id": f"a{number}", "drug": {"text": "Haloperidol 5 mg/mL injection"}},
        order | {"record_id": f"b{number}", "drug": {"text": "Ondansetron 4 mg/2 mL injection"}},
        base | {"type": "observation", "record_id": f"c{number}", "kind": "qtc", "value": 520, "unit": "ms"},
    ]


async def publish(stack: Stack, folder: Path, events: list[dict[str, Any]]) -> None:
    file = folder / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, events)) + "\n")
    await send([file], None, brokers=stack.brokers, rate=None, progress=CONSOLE)


async def test_what_falls_silent_is_announced_and_no_canary_reaches_anybody(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE)
    async with Receiver.started() as receiver:
        settings = Settings(
            ingest_port=0, monitor_port=0, notify_port=0, site_rules=str(rules), canary_interval=4,
            webhook_url=receiver.url, webhook_secret=SECRET, webhook_severity="info", source_silence="ward=3600, lab=1",
        )  # fmt: skip
        async with Edited.started(tmp_path, settings) as system:
            stack = system.stack
            assert await system.until_silent() == set()
            holds = await system.metrics("monitor", "rxvigil_canary_holds")
            shipped = [rule.id for rule in load().written]
            assert set(holds) == {*index_of(load()).rules, "lithium-level"} - set(shipped[WRITTEN:])
            assert (await system.metrics("monitor", "rxvigil_canary_runs_total")).get("failed", 0) == 0
            held = await system.metrics("monitor", "rxvigil_canary_last_held_timestamp_seconds")
            assert all(time.time() - each < 30 for each in held.values())

            await publish(stack, tmp_path, of_a_person(1))
            async with Follower.started(stack.brokers, lambda alert: None) as follower:
                await receiver.until(lambda r: bool(r.accepted))
                await nobody_else_is_told(system, receiver, follower)
            assert await system.metrics("ingest", "rxvigil_source_silent") == {"ward": 0, "lab": 1}
            assert (
                abs(
                    (await system.metrics("ingest", "rxvigil_source_last_event_timestamp_seconds"))["ward"]
                    - time.time()
                )
                < 60
            )

            rules.write_text(RULE.replace('first_within = "2 h"', 'first_within = "200 h"'))
            assert await system.until_silent("lithium-level") == {"lithium-level"}
            rules.write_text(RULE)
            assert await system.until_silent() == set()

            await system.edit("monitor", "qt is silent")
            assert await system.until_silent("qt") == {"qt"}
            await system.edit("monitor", "qt raises")
            assert await system.until_silent("qt") == {"qt"}
            assert set(await system.metrics("monitor", "rxvigil_rule_errors_total")) == {"qt"}
            await system.edit("monitor", "")
            assert await system.until_silent() == set()

            await system.edit("ingest", "no codes")
            without = await system.until_silent("critical-lab")
            assert {"critical-lab", "acute-kidney-injury", "lithium-level"} & without == {
                "critical-lab",
                "acute-kidney-injury",
            }
            assert "drug-drug-interaction" not in without
            await system.edit("ingest", "")
            assert await system.until_silent() == set()

            await forgotten(stack, settings)
            async with Follower.started(stack.brokers, lambda alert: None) as follower:
                await nobody_else_is_told(system, receiver, follower)


async def nobody_else_is_told(system: Edited, receiver: Receiver, follower: Follower) -> None:
    async with asyncio.timeout(120):
        await handled(system.stack.brokers)
        await settled(system.stack, follower)
    assert {alert.patient_id for alert in follower.alerts()} == {"person"}
    assert {got.body["data"]["patient_id"] for got in receiver.received} == {"person"}
    assert await system.rows("alerts") == {"person"}
    assert await system.rows("pictures") == {"person"}
    assert await system.metrics("notify", "rxvigil_notify_canaries_total") == {"": 0}
    async with httpx.AsyncClient(base_url=system.stack.urls["notify"], trust_env=False) as client:
        for path in ("/api/alerts?info=true", "/api/patients", "/", "/patients"):
            answer = await client.get(path)
            assert (answer.status_code, PREFIX in answer.text) == (200, False), path


async def forgotten(stack: Stack, settings: Settings) -> None:
    """What the monitor keeps of the synthetic patients whose round is over, asked of the changelog itself."""
    there = settings.model_copy(update={"brokers": stack.brokers})
    await show(there, "person", CONSOLE.print)
    consumer = AIOKafkaConsumer("canary.inputs", bootstrap_servers=stack.brokers, auto_offset_reset="earliest")
    await consumer.start()
    keys: dict[str, None] = {}
    until = time.time() * 1000
    async for record in consumer:  # a round is always under way
        keys[record.key.decode()] = None
        if record.timestamp > until:
            break
    await consumer.stop()
    of_qt = [key for key in keys if key.startswith(f"{PREFIX}qt:fires")]
    assert 3 < len(of_qt) <= SLOTS
    for key in of_qt[:3]:
        with pytest.raises(NoStateError):
            await show(there, key, CONSOLE.print)


async def test_of_several_processes_one_has_the_turn_and_another_takes_it(brokers: str) -> None:
    await ensure_topics(brokers)
    async with Hearing.started(brokers) as first:
        await until_turn(first)
        async with Hearing.started(brokers) as second:
            await asyncio.sleep(8)
            assert [await first.begin(), await second.begin()].count(True) == 1
    async with Hearing.started(brokers) as third:
        await until_turn(third)


async def until_turn(hearing: Hearing) -> None:
    async with asyncio.timeout(60):
        while not await hearing.begin():
            await asyncio.sleep(0.5)
