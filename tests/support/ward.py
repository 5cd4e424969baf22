"""The monitor with each patient id in a partition of its own: what it sends to itself comes back, in any order between ids."""

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime
from typing import Any

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from services.monitor.handler import MonitorHandler
from services.monitor.patient.state import PatientState
from services.monitor.rules.failure import TellFailed, loudly
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine

NOW = datetime(2026, 11, 3, tzinfo=UTC)


class Ward:
    """Feeds events in batches of up to ``cut``; ``seed`` decides which id comes next and how its batch is cut."""

    def __init__(self, knowledge: Any, seed: int = 0, cut: int = 1, tell_failed: TellFailed = loudly) -> None:
        self._engine = MemoryEngine(MonitorHandler(knowledge, lambda _: NOW, tell_failed=tell_failed))
        self._random = random.Random(seed)
        self._cut = cut
        self._waiting: dict[bytes, deque[Record]] = {}
        self._offsets: dict[tuple[str, bytes], int] = {}
        self.alerts: list[Alert] = []
        self.told = 0
        self.records = 0

    def put(self, *messages: AnyEvent | Feedback) -> Ward:
        """Add to the topics without handling anything yet."""
        for message in messages:
            topic = topics.FEEDBACK if isinstance(message, Feedback) else topics.EVENTS
            self._add(topic, message.patient_id.encode(), codec.encode(message), ())
        self.told += len(messages)
        return self

    def run(self) -> Ward:
        """Handle all that waits, and what comes of it, to the end."""
        while ready := [key for key, records in sorted(self._waiting.items()) if records]:
            key = self._random.choice(ready)
            records = self._waiting[key]
            batch = [records.popleft() for _ in range(min(len(records), self._random.randint(1, self._cut)))]
            for send in self._engine.feed(batch):
                if send.topic == topics.EVENTS:
                    assert send.key is not None
                    self._add(send.topic, send.key, send.value or b"", send.headers)
                elif send.topic == topics.ALERTS:
                    self.alerts.append(codec.decode_alert(send.value or b""))
                elif send.topic == topics.DEAD_LETTERS:
                    raise AssertionError(self._engine.errors) from self._engine.errors[-1]
            self.records += len(batch)
            assert self.records < 1000 + 50 * self.told, "records are sent round and round"
        return self

    def state(self, patient_id: str) -> PatientState | None:
        found = self._engine.state(patient_id.encode())
        assert found is None or isinstance(found, PatientState)
        return found

    def open(self) -> list[Alert]:
        """The alerts that are open, by what was published of them."""
        last = {alert.alert_id: alert for alert in self.alerts}
        return [alert for alert in last.values() if alert.status == "open"]

    def _add(self, topic: str, key: bytes, value: bytes, headers: Any) -> None:
        offset = self._offsets[(topic, key)] = self._offsets.get((topic, key), -1) + 1
        record = Record(topic, 0, offset, 1_700_000_000_000, key, value, headers)
        self._waiting.setdefault(key, deque()).append(record)
