"""docs/site-rules.md: its twelve rules are read as a site's own, their canaries hold, and every key that there is is told."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import fields

from knowledge.loader import load
from knowledge.model import Knowledge
from knowledge.reading.written import CanaryTable, MissingTable, RuleTable, StepTable, TriggerTable
from knowledge.reading.written_texts import WIDTHS
from knowledge.written import CaseEvent, CasePatient
from services.local import canaries
from services.monitor.evaluate import ask_only, take_event
from services.monitor.rules.written import written_rules

PAGE = (Path(__file__).parents[2] / "docs" / "site-rules.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
IDS = [match for block in BLOCKS for match in re.findall(r'^id = "([^"]+)"', block, re.MULTILINE)]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The shipped knowledge with the rules of the page, each in a file."""
    folder = tmp_path_factory.mktemp("rules")
    for name, block in zip(IDS, BLOCKS, strict=True):
        (folder / f"{name}.toml").write_text(block, "utf-8")
    return load("", str(folder))


def test_there_are_twelve_and_they_stand_after_those_that_are_shipped(known: Knowledge) -> None:
    assert len(IDS) == len(set(IDS)) == 12
    shipped = [rule.id for rule in load().written]
    assert [rule.id for rule in known.written] == [*shipped, *sorted(IDS)]
    assert known.version.startswith(f"{load().version}-")


@pytest.mark.parametrize("rule", IDS)
def test_its_canary_holds(rule: str, known: Knowledge) -> None:
    (of,) = (each for each in written_rules(known) if each.id == rule)
    assert canaries.faults_of(of, known) == []


SHIPPED = [rule.id for rule in load().written]


@pytest.mark.parametrize("rule", [*IDS, *SHIPPED])
def test_any_order_of_arrival_of_its_canary_ends_in_the_same(rule: str, known: Knowledge) -> None:
    (of,) = (each for each in written_rules(known) if each.id == rule)
    shuffled = Random(rule)
    with ask_only([of], known):
        for case in (canaries.of(of, known).fires, canaries.of(of, known).silent):
            (events,) = canaries.taken(case.events, known)
            wanted = [(each.subject, each.severity) for each in getattr(case, "alerts", ())]
            for _ in range(8):
                state = None
                for event in shuffled.sample(events, len(events)):
                    state = take_event(state, event, known, event.occurred_at)[0]
                assert state is not None
                assert [(each.subject, each.severity) for each in state.standing.values()] == wanted


def test_between_them_they_show_every_trigger_and_every_severity(known: Knowledge) -> None:
    own = [rule for rule in known.written if rule.id in IDS]
    assert {rule.trigger.begins for rule in own} == {
        "medicine", "result", "condition", "order_end", "admission", "discharge",
    }  # fmt: skip
    assert {"high", "moderate", "info"} == {rule.fires.severity for rule in own}
    assert any(rule.missing for rule in own)
    assert any(rule.trigger.by == {"dose"} for rule in own)


def test_every_key_and_every_placeholder_is_told() -> None:
    told = set(re.findall(r"`\{?([a-z_]+)\}?(?: = [^`]*)?`", PAGE)) | set(re.findall(r"`\[+rule\.([a-z_.]+)\]+`", PAGE))
    tables = (RuleTable, TriggerTable, StepTable, MissingTable, CaseEvent, CasePatient)
    keys = {field.encode_name for table in tables for field in fields(table)} - {"at", "source", "what"}
    keys |= {f"canary.{field.encode_name}" for field in fields(CanaryTable)} - {"canary"}
    assert keys - told - {"canary"} == set()
    assert WIDTHS.keys() - told == set()
