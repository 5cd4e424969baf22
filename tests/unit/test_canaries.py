"""Every rule has a canary, and both of its cases come out as they say, through ingest and the whole monitor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from msgspec.structs import replace

from knowledge.loader import load
from schemas import generate
from schemas.events import EVENT_TYPES
from services.local import canaries
from services.monitor.rules import RULES
from services.monitor.rules.canary import FOLDER, CanaryError, Expected, ids, read

RULE_IDS = [rule.id for rule in RULES]
SCHEMAS = {
    str(kind.__struct_config__.tag): generate.json_schema(str(kind.__struct_config__.tag)) for kind in EVENT_TYPES
}
INGEST_FILLS = {"event_id", "ingested_at", "origin", "analyte", "canonical_value", "canonical_unit", "remark"}


@pytest.mark.parametrize("rule", RULE_IDS)
def test_the_canary_of_each_rule_holds(rule: str) -> None:
    assert canaries.faults(rule, read(rule), load()) == []


def test_a_canary_belongs_to_a_rule() -> None:
    assert ids() <= set(RULE_IDS)


@pytest.mark.parametrize("rule", sorted(ids()))
def test_its_events_are_what_a_hospital_may_send(rule: str) -> None:
    canary = read(rule)
    for each in (*canary.fires.events, *canary.silent.events):
        event = msgspec.json.decode(each)
        jsonschema_rs.validator_for(SCHEMAS[event["type"]]).validate(event)
        assert not event.keys() & INGEST_FILLS
        assert event["timing"] == "replayed"


@pytest.mark.parametrize("rule", sorted(ids()))
def test_the_look_alike_is_about_what_the_rule_reads(rule: str) -> None:
    """A silent case that the rule is never asked about would show nothing: it has a medicine or a result that the rule reads."""
    reads = next(each for each in RULES if each.id == rule).reads(load())
    seen = canaries.seen(read(rule).silent.events, load())
    every = reads.ingredients is None and seen.ingredients
    assert every or seen.ingredients & set(reads.ingredients or ()) or seen.analytes & reads.analytes.keys()


def written(folder: Path, change: Any) -> Path:
    """The canary of potassium in a folder of its own, changed."""
    case = json.loads((FOLDER / "critical-lab.json").read_bytes())
    change(case)
    (folder / "critical-lab.json").write_text(json.dumps(case))
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda case: case["fires"].update(events=[]), "$.fires.events"),
        (lambda case: case["fires"].update(alerts=[]), "$.fires.alerts"),
        (lambda case: case.pop("fires"), "`fires`"),
        (lambda case: case["silent"].update(events=[]), "$.silent.events"),
        (lambda case: case["silent"].update(what=""), "$.silent.what"),
        (lambda case: case["fires"].update(alert=[]), "`alert`"),
        (lambda case: case["fires"]["alerts"][0].update(severity="grave"), "$.fires.alerts[0].severity"),
    ],
)
def test_a_canary_that_shows_nothing_is_refused_with_its_place(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(CanaryError) as refused:
        read("critical-lab", written(tmp_path, change))
    assert said in str(refused.value)
    assert "critical-lab.json" in str(refused.value)


def test_a_rule_without_a_canary_is_told(tmp_path: Path) -> None:
    with pytest.raises(CanaryError, match=r"unheard-of\.json: the rule has no canary"):
        read("unheard-of", tmp_path)


def test_what_does_not_hold_is_said() -> None:
    known, good = load(), read("critical-lab")
    wrong = replace(good, fires=replace(good.fires, alerts=(Expected(subject="potassium:high", severity="high"),)))
    assert canaries.faults("critical-lab", wrong, known) == [
        "fires: not found: potassium:high (high)",
        "fires: found and not expected: potassium:high (critical)",
    ]
    # the case in which it fires is no look-alike
    loud = replace(good, silent=replace(good.silent, events=good.fires.events))
    assert canaries.faults("critical-lab", loud, known) == ["silent: found and not expected: potassium:high (critical)"]
    # an alert of another rule is none of this one
    assert canaries.faults("drug-drug-interaction", loud, known) == ["fires: not found: potassium:high (critical)"]


def test_an_event_that_ingest_refuses_is_a_fault() -> None:
    good = read("critical-lab")
    bad = replace(good.silent, events=(msgspec.Raw(b'{"type": "lab_result", "patient_id": "p"}'),))
    (said,) = canaries.faults("critical-lab", replace(good, silent=bad), load())
    assert said.startswith("silent: event 1 $: schema:")
