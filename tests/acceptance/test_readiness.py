"""`/readyz` says whether a service can do its work, also after it once could."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from services.local.stack import Stack
from tests.conftest import ANY_PORTS

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

SERVICES = ("ingest", "monitor", "notify")


async def until_all(stack: Stack, status: int) -> dict[str, str]:
    """What each service says at ``/readyz``, once all answer with ``status``."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client, asyncio.timeout(60):
        while True:
            answers = {name: await client.get(f"{stack.urls[name]}/readyz") for name in SERVICES}
            if all(answer.status_code == status for answer in answers.values()):
                return {name: answer.text for name, answer in answers.items()}
            await asyncio.sleep(0.5)


async def test_services_are_not_ready_while_the_broker_is_away_and_ready_when_it_is_back(tmp_path: Path) -> None:
    async with Stack(tmp_path, services=SERVICES, settings=ANY_PORTS, console=Console(stderr=True)) as stack:
        assert set((await until_all(stack, 200)).values()) == {"ready\n"}
        await stack.children["Kafka"].kill()
        said = await until_all(stack, 503)
        assert "broker" in said["ingest"]
        assert "broker" in said["monitor"]
        async with httpx.AsyncClient(trust_env=False) as client:
            alive = [(await client.get(f"{stack.urls[name]}/healthz")).status_code for name in SERVICES]
        assert alive == [200, 200, 200]
        await stack.restart("Kafka")
        await until_all(stack, 200)
