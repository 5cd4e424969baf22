"""Which partitions are asked for, and when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka
from faust.types import TP

from services.streaming.faust_consumer import BatchConsumer

INPUT, FULL, CHANGELOG = TP("in", 0), TP("in", 1), TP("changelog", 0)


@pytest.mark.parametrize(("rebalancing", "wanted"), [(True, [{CHANGELOG}]), (False, [{CHANGELOG, INPUT}])])
async def test_input_is_asked_for_when_the_rebalance_is_over(
    monkeypatch: pytest.MonkeyPatch, rebalancing: bool, wanted: list[set[TP]]
) -> None:
    """A fetch before that may land in a queue that Faust clears, with the position behind it."""
    asked: list[set[TP]] = []

    async def getmany(self: Any, partitions: set[TP], timeout: float) -> dict[TP, Any]:
        asked.append(partitions)
        return {}

    monkeypatch.setattr(aiokafka.Consumer, "_getmany", getmany)
    consumer: Any = BatchConsumer.__new__(BatchConsumer)
    consumer.app = SimpleNamespace(rebalancing=rebalancing)
    consumer.changelog = "changelog"
    consumer.hooks = SimpleNamespace(has_room=lambda tp: tp != FULL)
    assert await consumer._getmany({INPUT, FULL, CHANGELOG}, 1.0) == {}
    assert asked == wanted
