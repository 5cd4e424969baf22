"""The checker: reads what went in and what came out, recomputes it linearly with its own code, and counts what differs.

It shares no code with the job or the engine. Facts of a key have one order, so what follows from them alone (chain, level,
episodes and their changes) is compared exactly. How answers fall between facts is free; of them it checks what holds for
every interleaving: each is in the state once and in its order, and is either listed by exactly one alert or ignored.

Words, after Jepsen's: *lost*, something had to be sent and no record of it is there. *Wrong*, a record or a state says
what does not follow from the input. *Duplicate*, one episode under two ids. *Unseen*, input that no state has applied.
*Differing*, two copies of the final state that are not the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from tests.faults.reading import epoch_of, read_topic

SHOWN = 3
"""Pieces of evidence kept of each kind."""


@dataclass
class Verdict:
    """Counts of what is amiss (all 0: nothing lost), counts of what was compared, and the first pieces of evidence."""

    lost: int = 0
    wrong: int = 0
    duplicate: int = 0
    unseen: int = 0
    differing: int = 0
    compared: dict[str, int] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.wrong or self.duplicate or self.unseen or self.differing)

    def add(self, kind: str, text: str, count: int = 1) -> None:
        setattr(self, kind, getattr(self, kind) + count)
        if sum(line.startswith(kind) for line in self.evidence) < SHOWN:
            self.evidence.append(f"{kind}: {text}")


@dataclass
class Expected:
    """What must have come of one key's facts and answers."""

    facts: int = 0
    chain: str = ""
    level: int = 0
    episodes: list[tuple[str, list[tuple[str, int, str]]]] = field(default_factory=list)
    """Of each its id and its changes: status, level, chain."""
    answers: list[int] = field(default_factory=list)
    answers_chain: str = ""

    def fact(self, key: bytes, value: bytes, fact: Mapping[str, Any]) -> None:
        self.facts += 1
        self.chain = _hash(self.chain.encode() + value)
        self.level += fact["x"]
        changes = self.episodes[-1][1] if self.episodes else [("resolved", 0, "")]
        status, level, _ = changes[-1]
        if status == "resolved":
            if self.level >= 9:
                opened = (_hash(f"{key.decode()} opened by {fact['n']}".encode()), [("open", self.level, self.chain)])
                self.episodes.append(opened)
        elif self.level <= 0:
            changes.append(("resolved", self.level, self.chain))
        elif self.level // 4 != level // 4:
            changes.append(("open", self.level, self.chain))

    def answer(self, value: bytes, answer: Mapping[str, Any]) -> None:
        self.answers.append(answer["a"])
        self.answers_chain = _hash(self.answers_chain.encode() + value)

    @property
    def is_open(self) -> bool:
        return bool(self.episodes) and self.episodes[-1][1][-1][0] == "open"


def _hash(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()[:16]


async def check(brokers: str, run: str, told: Sequence[str]) -> Verdict:
    """Compare all topics of a run. ``told``: the rounds in which workers were asked for every state."""
    verdict = Verdict()
    facts, answers = await read_topic(brokers, f"{run}-facts"), await read_topic(brokers, f"{run}-answers")
    keys, poison = recompute(facts, answers)
    alerts = await read_topic(brokers, f"{run}-alerts")
    last = check_alerts(verdict, keys, alerts)
    dead = await read_topic(brokers, f"{run}-dead")
    check_dead(verdict, poison, dead)
    changelog = await read_topic(brokers, f"{run}-ledger-changelog")
    copies = {"changelog by epoch": by_epoch(changelog), "changelog as compaction keeps it": as_compacted(changelog)}
    tells = await read_topic(brokers, f"{run}-told")
    copies |= {f"told {round_}": told_in(tells, round_) for round_ in told}
    for name, states in copies.items():
        check_states(verdict, keys, states, name)
    check_answers(verdict, keys, last, copies["changelog by epoch"])
    check_equal(verdict, copies)
    if not verdict.clean and (trace := first_wrong_write(facts, changelog)):
        verdict.evidence.insert(0, trace)
    verdict.compared = {
        "facts": sum(expected.facts for expected in keys.values()),
        "answers": len(answers),
        "poison": len(poison),
        "keys": len(keys),
        "episodes": sum(len(expected.episodes) for expected in keys.values()),
        "changes": sum(len(changes) for expected in keys.values() for _, changes in expected.episodes),
        "alert records": len(alerts),
        "alert records repeated": len(alerts) - len({(record.key, record.value) for record in alerts}),
        "dead letters": len(dead),
        "changelog records": len(changelog),
        "epochs": len({epoch_of(record) for record in changelog}),
    }
    return verdict


def recompute(
    facts: Iterable[ConsumerRecord], answers: Iterable[ConsumerRecord]
) -> tuple[dict[bytes, Expected], set[tuple[str, int, int]]]:
    """What must have come of every key, and the places of the records that had to be refused."""
    keys: dict[bytes, Expected] = defaultdict(Expected)
    poison = set()
    for record in facts:
        if record.value.startswith(b"poison"):
            poison.add((record.topic, record.partition, record.offset))
        elif "tell" not in (fact := json.loads(record.value)):
            keys[record.key].fact(record.key, record.value, fact)
    for record in answers:
        keys[record.key].answer(record.value, json.loads(record.value))
    return dict(keys), poison


def check_alerts(
    verdict: Verdict, keys: Mapping[bytes, Expected], alerts: Iterable[ConsumerRecord]
) -> dict[str, dict[str, Any]]:
    """Every change sent, nothing else, and the last word on each alert by (epoch, revision), which is returned."""
    seen: Counter[tuple[str, int]] = Counter()
    ids: dict[tuple[bytes, int], set[str]] = defaultdict(set)
    last: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}
    for record in alerts:
        alert = json.loads(record.value)
        ids[(record.key, alert["episode"])].add(alert["id"])
        right = _right(keys.get(record.key), alert)
        if not right:
            verdict.add("wrong", f"alert of {record.key!r} at {record.partition}:{record.offset}: {record.value!r}")
        seen[(alert["id"], alert["change"])] += 1
        order = (epoch_of(record), alert["revision"])
        if alert["id"] not in last or order >= last[alert["id"]][0]:
            last[alert["id"]] = (order, alert)
    for (key, episode), found in ids.items():
        if len(found) > 1:
            verdict.add("duplicate", f"episode {episode} of {key!r} is under {len(found)} ids")
    for key, expected in keys.items():
        for id_, changes in expected.episodes:
            for change in range(1, len(changes) + 1):
                if not seen[(id_, change)]:
                    verdict.add("lost", f"change {change} of alert {id_} of {key!r}")
    finals = {id_: alert for id_, (_, alert) in last.items()}
    _check_last(verdict, keys, finals)
    return finals


def _right(expected: Expected | None, alert: Mapping[str, Any]) -> bool:
    if expected is None or not 1 <= alert["episode"] <= len(expected.episodes):
        return False
    id_, changes = expected.episodes[alert["episode"] - 1]
    if alert["id"] != id_ or not 1 <= alert["change"] <= len(changes):
        return False
    said = (alert["status"], alert["level"], alert["chain"])
    return bool(said == changes[alert["change"] - 1] and alert["revision"] == alert["change"] + len(alert["answers"]))


def _check_last(verdict: Verdict, keys: Mapping[bytes, Expected], last: Mapping[str, dict[str, Any]]) -> None:
    for key, expected in keys.items():
        for id_, changes in expected.episodes:
            if id_ in last and last[id_]["change"] != len(changes):
                verdict.add("wrong", f"last word on {id_} of {key!r} is change {last[id_]['change']} of {len(changes)}")


def check_dead(verdict: Verdict, poison: set[tuple[str, int, int]], dead: Iterable[ConsumerRecord]) -> None:
    """Every record that had to be refused has its dead letter, and no other has."""
    places = {tuple(json.loads(dict(record.headers)["place"])) for record in dead}
    for place in poison - places:
        verdict.add("lost", f"the dead letter of {place}")
    for place in places - poison:
        verdict.add("wrong", f"a dead letter of {place}, which is sound")


def check_states(verdict: Verdict, keys: Mapping[bytes, Expected], states: Mapping[bytes, bytes], name: str) -> None:
    """One copy of the final states against the recomputation."""
    for key, expected in keys.items():
        if (stored := states.get(key)) is None:
            verdict.add("unseen", f"{name}: {key!r} has no state", expected.facts + len(expected.answers))
            continue
        state = json.loads(stored)
        missing = max(expected.facts - state["facts"], 0) + max(len(expected.answers) - state["answers"], 0)
        if missing:
            verdict.add("unseen", f"{name}: {missing} records of {key!r} are not in its state", missing)
        elif not _state_right(expected, state):
            verdict.add("wrong", f"{name}: {key!r}: {stored[:400]!r}")


def _state_right(expected: Expected, state: Mapping[str, Any]) -> bool:
    facts = (state["facts"], state["chain"], state["level"], state["episodes"])
    if facts != (expected.facts, expected.chain, expected.level, len(expected.episodes)):
        return False
    if (state["answers"], state["answers_chain"]) != (len(expected.answers), expected.answers_chain):
        return False
    if not expected.is_open:
        return state["open"] is None
    opened = state["open"]
    return opened is not None and opened["change"] == len(expected.episodes[-1][1]) and _right(expected, opened)


def check_answers(
    verdict: Verdict,
    keys: Mapping[bytes, Expected],
    last: Mapping[str, Mapping[str, Any]],
    states: Mapping[bytes, bytes],
) -> None:
    """Each answer is listed by one alert, in the order of the answers, or counted as ignored."""
    for key, expected in keys.items():
        listed = [answer for id_, _ in expected.episodes for answer in last.get(id_, {"answers": []})["answers"]]
        rest = iter(expected.answers)
        if not all(answer in rest for answer in listed):
            verdict.add("wrong", f"answers of {key!r} out of order, repeated or foreign: {listed[:20]}")
        if key not in states:
            continue
        state = json.loads(states[key])
        if len(listed) + state["ignored"] != state["answers"]:
            difference = abs(state["answers"] - state["ignored"] - len(listed))
            verdict.add("lost", f"{difference} answers of {key!r} are in no alert and not ignored", difference)
        if state["open"] is not None and (word := last.get(state["open"]["id"])) != state["open"]:
            verdict.add("wrong", f"the last word on the open alert of {key!r} is {word}, the state has {state['open']}")


def check_equal(verdict: Verdict, copies: Mapping[str, Mapping[bytes, bytes]]) -> None:
    """All copies of the final states hold the same, to the byte."""
    (first, states), *others = copies.items()
    for name, other in others:
        for key in sorted(states.keys() | other.keys()):
            if states.get(key) != other.get(key):
                verdict.add("differing", f"{key!r}: {first} and {name}")


def first_wrong_write(facts: Iterable[ConsumerRecord], changelog: Iterable[ConsumerRecord]) -> str:
    """Where it began: the earliest state in the changelog that does not follow from the one before it, and which facts are
    missing between the two, if leaving out some that stand together explains it."""
    by_key: dict[bytes, list[ConsumerRecord]] = defaultdict(list)
    for record in facts:
        if not record.value.startswith((b"poison", b'{"tell"')):
            by_key[record.key].append(record)
    before: dict[bytes, tuple[str, int, int]] = {}
    for record in sorted(changelog, key=lambda record: (record.timestamp, record.offset)):
        state = json.loads(record.value or b"{}")
        applied = next((at for topic, at in state.get("applied", {}).items() if topic.endswith("-facts")), -1)
        chain, upto, epoch = before.get(record.key, ("", -1, 0))
        if epoch_of(record) < epoch:
            continue  # a former owner's, which counts nowhere
        between = [fact for fact in by_key[record.key] if upto < fact.offset <= applied]
        if state and state["chain"] != _chained(chain, between):
            missing = _left_out(chain, between, state["chain"])
            span = f"{missing[0].offset}-{missing[-1].offset}" if missing else "unknown"
            place = f"changelog {record.partition}:{record.offset} of epoch {epoch_of(record)} (before it {epoch})"
            return f"began: {record.key!r}, {place}, facts applied up to {upto} and then {applied}; left out: {span}"
        before[record.key] = (state.get("chain", ""), applied, epoch_of(record))
    return ""


def _chained(chain: str, facts: Iterable[ConsumerRecord]) -> str:
    for fact in facts:
        chain = _hash(chain.encode() + fact.value)
    return chain


def _left_out(chain: str, facts: Sequence[ConsumerRecord], found: str) -> Sequence[ConsumerRecord]:
    for first in range(len(facts)):
        for last in range(first, len(facts)):
            if _chained(chain, [*facts[:first], *facts[last + 1 :]]) == found:
                return facts[first : last + 1]
    return []


def by_epoch(changelog: Iterable[ConsumerRecord]) -> dict[bytes, bytes]:
    """Of each key the record of the highest epoch, the later of two equal ones."""
    newest: dict[bytes, tuple[int, bytes | None]] = {}
    for record in changelog:
        if record.key is not None and epoch_of(record) >= newest.get(record.key, (0, None))[0]:
            newest[record.key] = (epoch_of(record), record.value)
    return {key: value for key, (_, value) in newest.items() if value is not None}


def as_compacted(changelog: Iterable[ConsumerRecord]) -> dict[bytes, bytes]:
    """Of each key the last record, whatever its epoch: all that is left once the broker has compacted the topic."""
    last = {record.key: record.value for record in changelog if record.key is not None}
    return {key: value for key, value in last.items() if value is not None}


def told_in(tells: Iterable[ConsumerRecord], round_: str) -> dict[bytes, bytes]:
    """What workers told in a round; a state told twice counts as the last telling has it."""
    return {record.key: record.value for record in tells if dict(record.headers)["round"] == round_.encode()}
