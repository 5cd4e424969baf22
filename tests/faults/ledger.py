"""The job of the fault runs. It knows no medicine: for each key a ledger from which every lost, repeated or reordered record
can be seen, and alerts with fixed ids and growing revisions.

A *fact* ``{"n": 7, "x": -2}`` moves the level of its key by x. At ``OPEN_AT`` an alert opens, at ``CLOSE_AT`` it is
resolved; while it is open each new band of the level is a change of it. An *answer* ``{"a": 3}`` comes by the second topic
and is listed in the alert that is open just then. A *tell* ``{"tell": "live"}``, a fact without effect, makes the worker
send the state that it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from msgspec.structs import replace

from services.streaming.handler import Outcome, Record, Send

OPEN_AT, CLOSE_AT, BAND = 9, 0, 4


class Topics(msgspec.Struct, frozen=True):
    """The topics of one run, named after it."""

    run: str

    @property
    def facts(self) -> str:
        return f"{self.run}-facts"

    @property
    def answers(self) -> str:
        return f"{self.run}-answers"

    @property
    def alerts(self) -> str:
        return f"{self.run}-alerts"

    @property
    def dead(self) -> str:
        return f"{self.run}-dead"

    @property
    def told(self) -> str:
        return f"{self.run}-told"

    @property
    def changelog(self) -> str:
        return f"{self.run}-ledger-changelog"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """``revision`` grows with everything that happens to the alert, ``change`` with what facts did to it."""

    id: str
    episode: int
    revision: int
    change: int
    status: str
    level: int
    chain: str
    answers: tuple[int, ...] = ()


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """``chain`` is a hash over all facts in their order, ``answers_chain`` over all answers in theirs."""

    facts: int = 0
    chain: str = ""
    level: int = 0
    episodes: int = 0
    answers: int = 0
    answers_chain: str = ""
    ignored: int = 0
    open: Alert | None = None
    applied: dict[str, int] = {}


class Body(msgspec.Struct, frozen=True):
    """Any record of either topic; ``pad`` makes a large one."""

    n: int = 0
    x: int = 0
    a: int = 0
    tell: str = ""
    pad: str = ""


_read = msgspec.json.Decoder(Body).decode
_stored = msgspec.json.Decoder(Ledger).decode


class LedgerJob:
    """The handler."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics

    def state_key(self, record: Record) -> bytes | None:
        return record.key

    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        changed: dict[bytes, object | None] = {}
        sends: list[Send] = []
        for record in records:
            assert record.key is not None
            ledger = cast("Ledger | None", changed.get(record.key, states.get(record.key))) or Ledger()
            if record.offset <= ledger.applied.get(record.topic, -1):
                continue
            body = _read(record.value or b"")
            if body.tell:
                sends.append(self._told(record.key, body.tell, ledger))
                continue
            after, alert = self._take(record, body, ledger)
            changed[record.key] = replace(after, applied={**ledger.applied, record.topic: record.offset})
            if alert is not None:
                sends.append(Send(self.topics.alerts, record.key, msgspec.json.encode(alert)))
        return Outcome(changed, sends)

    def _take(self, record: Record, body: Body, ledger: Ledger) -> tuple[Ledger, Alert | None]:
        if record.topic == self.topics.answers:
            return _answered(ledger, body, record.value or b"")
        return _moved(ledger, body, record.key or b"", record.value or b"")

    def _told(self, key: bytes, round_: str, ledger: Ledger) -> Send:
        return Send(self.topics.told, key, self.encode_state(ledger), [("round", round_.encode())])

    def refuse(self, record: Record, error: Exception) -> list[Send]:
        place = msgspec.json.encode([record.topic, record.partition, record.offset])
        return [Send(self.topics.dead, record.key, record.value, [("place", place)])]

    def encode_state(self, state: object) -> bytes:
        return msgspec.json.encode(state)

    def decode_state(self, stored: bytes) -> object:
        return _stored(stored)


def _moved(ledger: Ledger, fact: Body, key: bytes, value: bytes) -> tuple[Ledger, Alert | None]:
    level, chain = ledger.level + fact.x, linked(ledger.chain, value)
    after = replace(ledger, facts=ledger.facts + 1, level=level, chain=chain)
    alert = ledger.open
    if alert is None:
        if level < OPEN_AT:
            return after, None
        id_ = hashlib.sha1(b"%s opened by %d" % (key, fact.n), usedforsecurity=False).hexdigest()[:16]
        number = ledger.episodes + 1
        opened = Alert(id=id_, episode=number, revision=1, change=1, status="open", level=level, chain=chain)
        return replace(after, open=opened, episodes=number), opened
    if level > CLOSE_AT and level // BAND == alert.level // BAND:
        return after, None
    step = {"revision": alert.revision + 1, "change": alert.change + 1, "level": level, "chain": chain}
    if level <= CLOSE_AT:
        return replace(after, open=None), replace(alert, status="resolved", **step)
    return replace(after, open=(moved := replace(alert, **step))), moved


def _answered(ledger: Ledger, answer: Body, value: bytes) -> tuple[Ledger, Alert | None]:
    after = replace(ledger, answers=ledger.answers + 1, answers_chain=linked(ledger.answers_chain, value))
    alert = ledger.open
    if alert is None:
        return replace(after, ignored=ledger.ignored + 1), None
    listed = replace(alert, revision=alert.revision + 1, answers=(*alert.answers, answer.a))
    return replace(after, open=listed), listed


def linked(chain: str, value: bytes) -> str:
    """The hash of a chain with one more value."""
    return hashlib.sha1(chain.encode() + value, usedforsecurity=False).hexdigest()[:16]
