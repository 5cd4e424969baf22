"""On real Kafka and real processes: what was due while nothing ran is raised after the start, once; a rule that a site edits is
in force without a start; one that is broken by an edit is announced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from schemas.alerts import Alert
from services.local.follow import Follower, handled
from services.local.send import send
from services.local.stack import Stack
from services.runtime.settings import Settings

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

CONSOLE = Console(stderr=True)
RULE = """[[rule]]
id = "lithium-level"
version = "1"
family = "monitoring"
title = "Lithium without a level"
severity = "high"
summary = "{medicine} without {missing}: {last}"
detail = "Wanted within two hours of the start."
actions = ["Order a level"]
patient = "You take {medicine}. Please have your blood test done."
evidence_grade = "policy"
status = "verified"
author = "the site"
sources = ["Policy 1"]

[rule.trigger]
ingredients = ["lithium"]

[rule.missing]
results = ["lithium"]
first_within = "2 h"

[rule.canary.fires]
what = "Lithium for three hours."
severity = "high"
subject = "lithium"
events = [{ at = "-3 h", order = "lithium carbonate 300 mg capsule", dosage = "1 capsule twice daily", route = "oral" }]

[rule.canary.silent]
what = "Lithium for an hour."
events = [{ at = "-1 h", order = "lithium carbonate 300 mg capsule", dosage = "1 capsule twice daily", route = "oral" }]
"""
WITHIN = timedelta(hours=2)
DOWN = timedelta(seconds=45)
"""From the event to the due time: in it the event is handled and everything is stopped."""


def event(kind: str, at: datetime, **more: Any) -> dict[str, Any]:
    base = {"type": kind, "patient_id": "p", "source": "ward", "record_id": kind, "timing": "live"}
    return base | {"occurred_at": at.isoformat()} | more


async def publish(stack: Stack, folder: Path, *events: dict[str, Any]) -> None:
    file = folder / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, events)) + "\n")
    await send([file], None, brokers=stack.brokers, rate=None, progress=CONSOLE)
    async with asyncio.timeout(60):
        await handled(stack.brokers)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.2)


async def metric(stack: Stack, name: str, **labels: str) -> float | None:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{stack.urls['monitor']}/metrics")).text
    samples = (each for family in text_string_to_metric_families(text) for each in family.samples)
    return next((each.value for each in samples if (each.name, each.labels) == (name, labels)), None)


async def until_metric(stack: Stack, value: float, name: str, **labels: str) -> None:
    async with asyncio.timeout(60):
        while await metric(stack, name, **labels) != value:
            await asyncio.sleep(0.5)


def of_rule(follower: Follower) -> list[Alert]:
    return [alert for alert in follower.alerts() if alert.rule == "lithium-level"]


async def test_what_is_due_while_nothing_runs_is_raised_once_and_a_rule_is_edited_in_flight(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE)
    settings = Settings(ingest_port=0, monitor_port=0, notify_port=0, site_rules=str(rules))

    def stack() -> Stack:
        return Stack(tmp_path / "data", services=("ingest", "monitor"), settings=settings, console=CONSOLE)

    async with stack() as first:
        started = datetime.now(UTC) - WITHIN + DOWN
        drug = {"text": "lithium carbonate 300 mg capsule"}
        await publish(
            first, tmp_path, event("prescription", started, status="ordered", drug=drug, dosage={"route": "oral"})
        )
        async with Follower.started(first.brokers, lambda alert: None) as follower:
            await follower.reached_the_end(first.brokers)
            assert of_rule(follower) == []
    due = started + WITHIN
    assert datetime.now(UTC) < due, "it was to fall due while nothing ran"
    await asyncio.sleep((due - datetime.now(UTC)).total_seconds() + 1)

    async with stack() as second, Follower.started(second.brokers, lambda alert: None) as follower:
        await until(lambda: bool(of_rule(follower)))
        await second.restart("monitor", kill=True)
        sodium = {"status": "final", "value": 140, "unit": "mmol/L"}
        sodium |= {"codings": [{"system": "LOINC", "code": "2951-2", "display": "Sodium"}]}
        await publish(second, tmp_path, event("lab_result", datetime.now(UTC), **sodium))
        await follower.reached_the_end(second.brokers)
        (alert,) = of_rule(follower)
        assert (alert.status, alert.severity, alert.revision) == ("open", "high", 1)
        assert abs(alert.true_since - due) < timedelta(seconds=1)
        assert abs(alert.history[0].at - due) < timedelta(seconds=1)

        rules.write_text(RULE.replace('severity = "high"', 'severity = "critical"'))
        await until_metric(second, 1, "rxvigil_knowledge_reloads_total", outcome="loaded")
        await publish(second, tmp_path, event("lab_result", datetime.now(UTC), record_id="next", **sodium))
        await until(lambda: of_rule(follower)[0].severity == "critical")
        assert [each.alert_id for each in of_rule(follower)] == [alert.alert_id]

        rules.write_text(RULE.replace('["lithium"]', '["no such thing"]'))
        await until_metric(second, 1, "rxvigil_knowledge_stale")
        assert await metric(second, "rxvigil_stream_restored") == 1
