"""The ward day while everything dies once: after recovery exactly the expected alerts, and every delivery at least once.

`make faults` runs it more often (RXVIGIL_FAULT_ROUNDS); the plain test run does one round.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from pathlib import Path

import pytest
from rich.console import Console

from schemas.identity import fixed_id
from services.local.demo import DAY, expected_alerts, settled
from services.local.feed import load_mapping
from services.local.follow import Follower
from services.local.receiver import WebhookReceiver
from services.local.send import send
from services.local.stack import Stack
from tests.conftest import ANY_PORTS

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("RXVIGIL_FAULT_ROUNDS", "1"))
VICTIMS = ("ingest", "monitor", "notify", "Kafka", "Postgres")


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_the_day_comes_out_the_same_when_everything_is_killed_once(tmp_path: Path, seed: int) -> None:
    rnd = random.Random(seed)
    victims = rnd.sample(VICTIMS, len(VICTIMS))
    console = Console(stderr=True)
    mapping = load_mapping(DAY / "lab.toml")
    async with WebhookReceiver.started() as receiver:
        settings = ANY_PORTS.model_copy(update=receiver.settings() | {"webhook_severity": "info"})
        async with (
            Stack(tmp_path, settings=settings, console=console) as stack,
            Follower.started(stack.brokers, lambda alert: None) as follower,
        ):
            sending = asyncio.create_task(
                send([DAY / "events"], mapping, brokers=stack.brokers, rate=5, progress=console)
            )
            for victim in victims:
                await asyncio.sleep(rnd.uniform(0.5, 2.5))
                assert not sending.done(), "the day must not be over before the last kill"
                await stack.restart(victim, kill=True)
            await sending
            async with asyncio.timeout(180):
                await settled(stack, follower)
            alerts = follower.alerts()
    found = sorted((a.patient_id, a.rule, a.subject, a.severity, a.status) for a in alerts)
    assert found == sorted(expected.identity for expected in expected_alerts())
    assert_no_episode_has_two_ids(alerts)
    told = {
        fixed_id("delivery", "webhook", alert.alert_id, entry.revision)
        for alert in alerts
        for entry in alert.history
        if entry.change in ("opened", "attention", "resolved", "withdrawn")
    }
    assert told <= set(receiver.deliveries)
    assert receiver.refused == 0


def assert_no_episode_has_two_ids(alerts: list) -> None:  # type: ignore[type-arg]
    ids = defaultdict(set)
    for alert in alerts:
        ids[(alert.patient_id, alert.rule, alert.subject, alert.true_since)].add(alert.alert_id)
    assert all(len(found) == 1 for found in ids.values())
