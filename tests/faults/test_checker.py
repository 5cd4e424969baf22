"""The checker finds what it is there to find: each anomaly planted by hand in topics that are otherwise right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from tests.faults import checker
from tests.faults.ledger import LedgerJob, Topics
from tests.faults.load import Load

TOPICS = Topics("run")


class Written(NamedTuple):
    """A record as the checker reads it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


class World(NamedTuple):
    """What a sound run leaves behind, in memory: one partition, one owner of epoch 5."""

    facts: list[Written]
    answers: list[Written]
    alerts: list[Written]
    dead: list[Written]
    states: dict[bytes, bytes]


@pytest.fixture
def world() -> World:
    load, job = Load(TOPICS, seed=7, keys=20, poison_every=101), LedgerJob(TOPICS)
    engine = MemoryEngine(job)
    facts: list[Written] = []
    answers: list[Written] = []
    sent: dict[str, list[Written]] = {TOPICS.alerts: [], TOPICS.dead: []}
    for number in range(2000):
        topic, key, value = load.answer() if number % 9 == 0 else load.fact()
        into = answers if topic == TOPICS.answers else facts
        into.append(Written(topic, 0, len(into), key, value))
        for send in engine.feed([Record(topic, 0, into[-1].offset, 0, key, value)]):
            headers = (*send.headers, ("epoch", b"5"))
            sent[send.topic].append(Written(send.topic, 0, len(sent[send.topic]), key, send.value or b"", headers))
    states = {key: job.encode_state(engine.state(key)) for key in {fact.key for fact in facts}}
    return World(facts, answers, sent[TOPICS.alerts], sent[TOPICS.dead], states)


def judged(world: World) -> checker.Verdict:
    verdict = checker.Verdict()
    keys, poison = checker.recompute(world.facts, world.answers)
    last = checker.check_alerts(verdict, keys, world.alerts)
    checker.check_dead(verdict, poison, world.dead)
    checker.check_states(verdict, keys, world.states, "states")
    checker.check_answers(verdict, keys, last, world.states)
    return verdict


def test_a_sound_run_is_clean(world: World) -> None:
    verdict = judged(world)
    assert verdict.clean, verdict.evidence
    assert len(world.alerts) > 200
    assert len(world.dead) > 10


def changed(record: Written, **fields: Any) -> Written:
    return record._replace(value=json.dumps(json.loads(record.value) | fields).encode())


def without_an_alert(world: World) -> World:
    gone = next(record for record in world.alerts if not json.loads(record.value)["answers"])
    return world._replace(alerts=[record for record in world.alerts if record is not gone])


def with_an_alert_of_another_level(world: World) -> World:
    return world._replace(alerts=[*world.alerts, changed(world.alerts[0], level=99)])


def with_an_episode_under_two_ids(world: World) -> World:
    return world._replace(alerts=[*world.alerts, changed(world.alerts[0], id="another")])


def with_a_late_word_of_a_newer_epoch(world: World) -> World:
    late = world.alerts[0]._replace(headers=(("epoch", b"6"),))
    return world._replace(alerts=[*world.alerts, late])


def without_a_dead_letter(world: World) -> World:
    return world._replace(dead=world.dead[1:])


def with_a_sound_record_refused(world: World) -> World:
    place = ("place", json.dumps(["run-facts", 0, 0]).encode())
    return world._replace(dead=[*world.dead, world.dead[0]._replace(headers=(place,))])


def with_a_fact_not_applied(world: World) -> World:
    key = world.facts[0].key
    return world._replace(facts=[*world.facts, Written("run-facts", 0, len(world.facts), key, b'{"n":9999,"x":0}')])


def with_two_facts_exchanged(world: World) -> World:
    first, *_, last = [number for number, fact in enumerate(world.facts) if fact.key == world.facts[0].key]
    facts = list(world.facts)
    facts[first], facts[last] = facts[last], facts[first]
    return world._replace(facts=facts)


def with_an_answer_applied_twice(world: World) -> World:
    key = next(key for key, state in world.states.items() if json.loads(state)["ignored"])
    state = json.loads(world.states[key])
    return world._replace(states=world.states | {key: json.dumps(state | {"ignored": state["ignored"] + 1}).encode()})


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (without_an_alert, "lost"),
        (with_an_alert_of_another_level, "wrong"),
        (with_an_episode_under_two_ids, "duplicate"),
        (with_a_late_word_of_a_newer_epoch, "wrong"),
        (without_a_dead_letter, "lost"),
        (with_a_sound_record_refused, "wrong"),
        (with_a_fact_not_applied, "unseen"),
        (with_two_facts_exchanged, "wrong"),
        (with_an_answer_applied_twice, "lost"),
    ],
)
def test_what_is_amiss_is_found(world: World, plant: Callable[[World], World], kind: str) -> None:
    assert getattr(judged(plant(world)), kind) > 0


def test_a_late_word_of_an_older_epoch_is_harmless(world: World) -> None:
    late = world.alerts[0]._replace(headers=(("epoch", b"4"),))
    assert judged(world._replace(alerts=[*world.alerts, late])).clean


def test_the_changelog_is_read_by_epoch_and_as_compaction_keeps_it() -> None:
    log = [
        Written("log", 0, 0, b"k", b"old", (("epoch", b"3"),)),
        Written("log", 0, 1, b"k", b"new", (("epoch", b"4"),)),
        Written("log", 0, 2, b"k", b"old", (("epoch", b"3"),)),
    ]
    assert checker.by_epoch(log) == {b"k": b"new"}
    assert checker.as_compacted(log) == {b"k": b"old"}
