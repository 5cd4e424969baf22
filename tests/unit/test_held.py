"""What is held back is kept in the patient's picture with its reason, shown on the page, and counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import codec, topics
from schemas.events import AnyEvent
from schemas.patients import HeldBack, PatientPicture
from services.monitor import evaluate
from services.monitor.handler import MonitorHandler
from services.monitor.held import newly_held, reason_of
from services.monitor.metrics import MonitorMetrics
from services.monitor.patient.standing import Standing
from services.monitor.patient.state import PatientState
from services.monitor.rules.index import Index
from services.notify.console.pages import render
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from tests.support.alerts import T0
from tests.support.clinical import SmallKnowledge, at, lab
from tests.support.pictures import picture
from tests.unit.test_alert_holding import Potassium

KNOWLEDGE: Any = SmallKnowledge([], [])
GRACE = timedelta(hours=2)
RULES = (
    Potassium("grave", 6.5, "critical", problem="x"),
    Potassium("mild", 5.5, "moderate", problem="x"),
    Potassium("silent", 5.5, "info", held="A low-priority pair."),
    Potassium("later", 5.5, "high", grace=GRACE),
)


class Monitor:
    """The monitor on these rules; ``told`` is every finding newly held back, ``pictures`` what it sends."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.pictures: list[PatientPicture] = []
        handler = MonitorHandler(KNOWLEDGE, self._time, lambda rule, reason: self.told.append((rule, reason)))
        self._engine, self._offset = MemoryEngine(handler), 0

    def take(self, event: AnyEvent) -> None:
        stamp = int(event.occurred_at.timestamp() * 1000)
        sends = self._engine.feed([Record(topics.EVENTS, 0, self._offset, stamp, b"p", codec.encode(event))])
        self._offset += 1
        self.pictures += [codec.decode_picture(s.value) for s in sends if s.topic == topics.PICTURES and s.value]

    def wait(self, hours: float) -> None:
        sends = self._engine.advance(int(at(hours).timestamp() * 1000))
        self.pictures += [codec.decode_picture(s.value) for s in sends if s.topic == topics.PICTURES and s.value]

    @staticmethod
    def _time(record: Record) -> Any:
        return at(0) + timedelta(milliseconds=record.timestamp - at(0).timestamp() * 1000)


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Monitor:
    monkeypatch.setattr(evaluate, "_last", [(KNOWLEDGE, Index(RULES, KNOWLEDGE))])  # type: ignore[arg-type]
    return Monitor()


def test_the_picture_has_it_with_the_reason_and_the_alert_that_speaks_for_it(monitor: Monitor) -> None:
    monitor.take(lab("potassium", 7.0, 0))
    (shown,) = monitor.pictures
    (speaks,) = shown.open
    assert shown.held == (
        HeldBack(
            rule="later", severity="high", summary="later", since=at(0),
            reason="Time is given until 2026-11-02 10:00 UTC for this to be put right.",
        ),
        HeldBack(
            rule="mild", severity="moderate", summary="mild", since=at(0), reason="Another alert shows the same problem.",
            by=speaks.alert_id,
        ),
        HeldBack(rule="silent", severity="info", summary="silent", reason="A low-priority pair.", since=at(0)),
    )  # fmt: skip


def test_it_leaves_the_picture_when_it_is_told_or_no_longer_true(monitor: Monitor) -> None:
    monitor.take(lab("potassium", 5.7, 0))
    assert [each.rule for each in monitor.pictures[-1].held] == ["later", "silent"]
    monitor.wait(3)
    assert [each.rule for each in monitor.pictures[-1].held] == ["silent"]
    assert [each.rule for each in monitor.pictures[-1].open] == ["later", "mild"]
    monitor.take(lab("potassium", 4.0, 4))
    assert monitor.pictures[-1].held == ()


def test_each_is_told_once_for_each_reason(monitor: Monitor) -> None:
    monitor.take(lab("potassium", 5.7, 0))
    assert sorted(monitor.told) == [("later", "grace"), ("silent", "rule")]
    monitor.take(lab("potassium", 5.8, 1))
    assert len(monitor.told) == 2
    # the mild one was an alert until the graver came
    monitor.take(lab("potassium", 7.0, 1.5))
    assert monitor.told[2:] == [("mild", "graver")]
    monitor.take(lab("potassium", 4.0, 2))
    monitor.take(lab("potassium", 5.7, 3))
    assert sorted(monitor.told[3:]) == [("later", "grace"), ("silent", "rule")]


def test_a_finding_that_is_held_for_another_reason_counts_again() -> None:
    waiting = Standing(rule="r", subject="s", part="", severity="high", rank=0, since=at(0), held="Time.", opens=at(2))
    behind = replace(waiting, by="other")
    speaking = replace(waiting, held="", opens=None)
    assert [reason_of(each) for each in (waiting, behind, speaking)] == ["grace", "graver", None]
    states = [PatientState("p", at(0), standing={"k": each}) for each in (waiting, behind, speaking)]
    assert list(newly_held(None, states[0])) == [("r", "grace")]
    assert list(newly_held(states[0], states[1])) == [("r", "graver")]
    assert list(newly_held(states[1], states[2])) == []
    assert list(newly_held(states[0], replace(states[0], clock=at(1)))) == []
    assert list(newly_held(states[0], None)) == []


def test_the_count_has_rule_and_reason_and_nothing_of_the_patient() -> None:
    metrics = MonitorMetrics()
    tell: Callable[..., None] = metrics.observe_held
    tell("mild", "graver")
    tell("mild", "graver")
    tell("later", "grace")
    found = {
        (sample.labels["rule"], sample.labels["reason"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "rxvigil_monitor_held_total"
    }
    assert found == {("mild", "graver"): 2, ("later", "grace"): 1}


def test_the_page_folds_it_away_with_its_reason_and_the_way_to_the_alert() -> None:
    held = HeldBack(
        rule="mild", severity="moderate", summary="Potassium <b>5.7</b> with spironolactone", since=T0, by="alert/7",
        reason="A graver alert shows the same problem.",
    )  # fmt: skip
    page = render("patient_fragment.html", picture=picture(held=(held, replace(held, by=""))), words="", now=T0)
    folded = page[page.index('aria-label="Found and not told"') :]
    assert "<details><summary>2 found and not told</summary>" in folded
    assert "Potassium &lt;b&gt;5.7&lt;/b&gt; with spironolactone" in folded
    assert folded.count("A graver alert shows the same problem.") == 2
    assert folded.count('href="/alerts/alert%2F7"') + folded.count('href="/alerts/alert/7"') == 1
    assert "Found and not told" not in render("patient_fragment.html", picture=picture(), words="", now=T0)
