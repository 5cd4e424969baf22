"""The engine under faults: a short choice of `make faults`, on real processes and the Kafka of the session.

Faults of the broker are not among them: other tests share it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from services.local.stack import Stack
from tests.faults.catalogue import SHORT
from tests.faults.play import play

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.filterwarnings("default"), pytest.mark.timeout(400)]


@pytest.mark.parametrize("name", SHORT)
async def test_nothing_is_lost(stack: Stack, tmp_path: Path, name: str) -> None:
    result = await play(stack, name, seed=1, folder=tmp_path / "run", short=True)
    assert result.outcome == "passed", result.as_json()
    assert result.verdict is not None
    assert result.verdict.compared["changes"] > 100, "the run was too short to show anything"
