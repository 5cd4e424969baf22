"""A site's files change while the monitor runs: what can be used is in force at once, what cannot leaves the last good one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from knowledge.loader import KnowledgeError
from knowledge.model import Knowledge
from schemas import codec, topics
from schemas.alerts import Alert
from schemas.events import AnyEvent
from services.monitor import reload
from services.monitor.handler import MonitorHandler
from services.monitor.metrics import MonitorMetrics
from services.monitor.reload import SiteFiles
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from tests.support.clinical import at, lab, order
from tests.support.knowledge import copy_knowledge

RULE = """[[rule]]
id = "metformin-here"
version = "1"
family = "site"
title = "Metformin"
severity = "moderate"
summary = "{medicine} is ordered"
detail = "It is."
actions = ["Look"]
patient = "You take {medicine}."
evidence_grade = "policy"
status = "verified"
author = "the site"
sources = ["Policy 1"]

[rule.trigger]
ingredients = ["metformin"]

[rule.canary.fires]
what = "Metformin."
severity = "moderate"
subject = "metformin"
events = [{ at = "-1 d", order = "metformin 500 mg tablet", dosage = "1 tablet daily", route = "oral" }]

[rule.canary.silent]
what = "Ibuprofen."
events = [{ at = "-1 d", order = "ibuprofen 400 mg tablet", dosage = "1 tablet daily", route = "oral" }]
"""


class Running:
    """The monitor's handler with the files of a site, as the wiring joins them."""

    def __init__(self, rules: Path, folder: str = "") -> None:
        self.metrics = MonitorMetrics()
        self.site = SiteFiles(folder, str(rules))
        self.handler = MonitorHandler(self.site.load(), lambda _: at(9))
        self._engine = MemoryEngine(self.handler)
        self._offset = 0

    def use(self, knowledge: Knowledge) -> None:
        self.handler.use(knowledge)
        self.metrics.observe_knowledge(knowledge.version)

    async def look(self) -> None:
        """Two looks: a file counts when it has stopped changing."""
        for _ in range(2):
            await self.site.look(self.use, self.metrics.observe_reload)

    def take(self, event: AnyEvent) -> list[Alert]:
        record = Record(topics.EVENTS, 0, self._offset, 1_700_000_000_000, b"p", codec.encode(event))
        self._offset += 1
        sent = self._engine.feed([record])
        assert self._engine.errors == []
        return [codec.decode_alert(send.value or b"") for send in sent if send.topic == topics.ALERTS]

    def reloads(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value("rxvigil_knowledge_reloads_total", {"outcome": outcome})

    @property
    def stale(self) -> float | None:
        return self.metrics.registry.get_sample_value("rxvigil_knowledge_stale")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_knowledge(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(autouse=True)
def small(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shipped, without its large tables: they would only make these tests slow."""
    monkeypatch.setattr(reload, "files", lambda package: shipped)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "site.toml"
    file.write_text(RULE)
    return file


async def test_a_rule_that_is_edited_counts_with_the_next_event_and_one_that_is_taken_out_withdraws(
    rules: Path,
) -> None:
    running = Running(rules)
    (alert,) = (each for each in running.take(order("metformin", 0)) if each.rule == "metformin-here")
    assert alert.severity == "moderate"
    rules.write_text(RULE.replace('severity = "moderate"', 'severity = "high"'))
    await running.site.look(running.use, running.metrics.observe_reload)
    assert running.take(lab("sodium", 140, 1)) == [], "it may be half written"
    await running.look()
    (graver,) = running.take(lab("sodium", 140, 2))
    assert (graver.alert_id, graver.severity) == (alert.alert_id, "high")
    assert graver.knowledge_version == running.handler.knowledge.version != alert.knowledge_version
    assert (running.reloads("loaded"), running.stale) == (1, 0)
    rules.write_text(RULE.replace("metformin-here", "another-id"))
    await running.look()
    changed = {each.rule: each.status for each in running.take(lab("sodium", 140, 3))}
    assert changed == {"metformin-here": "withdrawn", "another-id": "open"}


async def test_what_cannot_be_used_leaves_the_last_good_version_and_says_where_it_is_wrong(rules: Path) -> None:
    running = Running(rules)
    good = running.handler.knowledge
    rules.write_text(RULE.replace('"metformin"', '"no such medicine"'))
    with capture_logs() as logged:
        await running.look()
    assert running.handler.knowledge is good
    assert (running.reloads("failed"), running.reloads("loaded"), running.stale) == (1, None, 1)
    (line,) = (each for each in logged if each["log_level"] == "error")
    assert str(rules) in line["error"]
    at_line = RULE[: RULE.index("ingredients")].count("\n") + 1
    assert f"{rules}:{at_line}:{len('ingredients = [') + 2}: " in line["error"], "file, line and column"
    with pytest.raises(KnowledgeError):
        SiteFiles("", str(rules)).load()
    assert [each.rule for each in running.take(order("metformin", 0))] == ["metformin-here"]
    # what was tried is not tried again
    await running.look()
    assert running.reloads("failed") == 1
    rules.write_text(RULE)
    await running.look()
    assert (running.reloads("unchanged"), running.stale) == (1, 0)
    assert running.take(lab("sodium", 140, 1)) == []


async def test_a_file_that_is_gone_is_told_and_the_rules_stay(rules: Path) -> None:
    running = Running(rules)
    rules.unlink()
    await running.look()
    assert running.stale == 1
    assert [each.rule for each in running.take(order("metformin", 0))] == ["metformin-here"]


async def test_the_site_s_own_names_are_watched_too(rules: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "drugs").mkdir(parents=True)
    running = Running(rules, str(folder))
    (folder / "drugs" / "vehicles.csv").write_text("name,sources\nhouse diluent,site\n")
    await running.look()
    assert (running.reloads("loaded"), running.reloads("failed")) == (1, None)
    assert "house diluent" in running.handler.knowledge.vehicles


async def test_a_version_that_no_handler_can_use_is_a_failure(rules: Path) -> None:
    running = Running(rules)
    version = running.handler.knowledge.version

    def refuses(knowledge: Knowledge) -> None:
        raise LookupError("a rule that cannot read it")

    rules.write_text(RULE.replace('version = "1"', 'version = "2"'))
    for _ in range(2):
        await running.site.look(refuses, running.metrics.observe_reload)
    assert (running.reloads("failed"), running.handler.knowledge.version) == (1, version)
    rules.write_text(RULE.replace('version = "1"', 'version = "3"'))
    await running.look()
    assert (running.reloads("loaded"), running.stale) == (1, 0)


async def test_the_watch_finds_a_change_by_itself_and_has_nothing_to_do_without_files(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK_SECONDS", 0.02)
    running = Running(rules)
    watching = asyncio.create_task(running.site.watch(running.use, running.metrics.observe_reload))
    rules.write_text(RULE.replace('version = "1"', 'version = "2"'))
    async with asyncio.timeout(60):
        while running.reloads("loaded") is None:
            await asyncio.sleep(0.02)
    watching.cancel()
    assert running.metrics.registry.get_sample_value(
        "rxvigil_knowledge_info", {"version": running.handler.knowledge.version}
    )
    async with asyncio.timeout(1):
        await SiteFiles("", "").watch(running.use, running.metrics.observe_reload)
