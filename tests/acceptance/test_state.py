"""`rxvigil state`: what is kept of a patient can be looked at, and is the same after it was made anew."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from services.local.demo import DAY
from services.local.feed import load_mapping
from services.local.follow import Follower, handled
from services.local.send import send
from services.local.stack import Stack
from tests.conftest import ANY_PORTS

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[2]


async def rxvigil(stack: Stack, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`rxvigil state ...` against the servers of a stack."""
    settings = {"RXVIGIL_BROKERS": stack.brokers, "RXVIGIL_STATE_DIR": str(folder / "state")}
    command = [sys.executable, "-m", "services.cli", "state", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=ROOT, env=os.environ | settings, check=False
    )


async def shown(stack: Stack, folder: Path, patient: str) -> dict[str, Any]:
    done = await rxvigil(stack, folder, "show", patient)
    assert done.returncode == 0, done.stderr
    state: dict[str, Any] = json.loads(done.stdout)["state"]
    # an alert says when the monitor worked it out, and a picture when it was sent: another time after each start
    del state["last_picture"]
    state["open_alerts"] = {key: alert["alert_id"] for key, alert in state["open_alerts"].items()}
    assert state["open_alerts"], "the patient has an alert to be kept"
    return state


async def test_the_state_of_a_patient_is_shown_and_the_same_after_it_was_made_anew(tmp_path: Path) -> None:
    console = Console(stderr=True)
    async with (
        Stack(tmp_path, services=("ingest", "monitor"), settings=ANY_PORTS, console=console) as stack,
        Follower.started(stack.brokers, lambda alert: None) as follower,
    ):
        await send([DAY / "events"], load_mapping(DAY / "lab.toml"), brokers=stack.brokers, rate=None, progress=console)
        async with asyncio.timeout(120):
            await handled(stack.brokers)
            await follower.reached_the_end(stack.brokers)
        ids = {alert.alert_id for alert in follower.alerts()}
        before = await shown(stack, tmp_path, "W2101")
        assert "simvastatin" in json.dumps(before)
        unknown = await rxvigil(stack, tmp_path, "show", "nobody")
        assert (unknown.returncode, "keeps nothing" in unknown.stderr) == (2, True)
        running = await rxvigil(stack, tmp_path, "rebuild")
        assert (running.returncode, "stop them first" in running.stderr) == (2, True)

        for origin in ("changelog", "events"):
            await stack.children["monitor"].stop()
            done = await rxvigil(stack, tmp_path, "rebuild", "--from", origin)
            assert done.returncode == 0, done.stderr
            assert not (tmp_path / "state" / "monitor").exists()
            await stack.restart("monitor")
            async with asyncio.timeout(120):
                await handled(stack.brokers)
                await follower.reached_the_end(stack.brokers)
            after = await shown(stack, tmp_path, "W2101")
            assert after == before, origin
        assert {alert.alert_id for alert in follower.alerts()} == ids
