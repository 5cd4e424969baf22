"""Crashes between batches, and looks at what is due, at any time: what was published is what the states hold.

A crash repeats the records of a batch with the state as it was before it, while all that was sent remains, and whoever comes
next writes with a higher epoch; notify orders alerts by (epoch, revision).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.events import AnyEvent, Dispensing, Drug, Ingredient, Patient, Prescription
from schemas.feedback import Feedback
from schemas.values import UNSET
from services.monitor.handler import MonitorHandler
from services.monitor.patient.state import PatientState
from services.streaming.handler import Record, Send
from tests.support.clinical import KNOWLEDGE, T0, at, daily, lab

IDS = ("a", "b", "c")
END = at(24 * 60)


class Cluster:
    """Each patient id in a partition of its own. ``crashes`` is how often a batch is delivered and not stored."""

    def __init__(self, chance: random.Random, crashes: float) -> None:
        self._handler = MonitorHandler(KNOWLEDGE, lambda _: self.now)
        self._chance, self._crashes = chance, crashes
        self._waiting: defaultdict[bytes, deque[Record]] = defaultdict(deque)
        self._offsets: Counter[tuple[str, bytes]] = Counter()
        self._stored: dict[bytes, bytes] = {}
        self._epoch = 0
        self._handled = 0
        self.now = at(0)
        self.published: dict[str, tuple[int, Alert]] = {}

    def put(self, message: AnyEvent | Feedback) -> None:
        topic = topics.FEEDBACK if isinstance(message, Feedback) else topics.EVENTS
        self.now += timedelta(hours=self._chance.choice((0, 0, 1, 20)))
        self._add(Send(topic, message.patient_id.encode(), codec.encode(message)))

    def run(self) -> None:
        while ready := [key for key, records in sorted(self._waiting.items()) if records]:
            key = self._chance.choice(ready)
            if self._chance.random() < 0.3:
                self.look(key)
            waiting = self._waiting[key]
            batch = [waiting.popleft() for _ in range(min(len(waiting), self._chance.randint(1, 5)))]
            self._handled += len(batch)
            assert self._handled < 5000, "records are sent round and round"
            if not self._kept(key, self._handler.handle(batch, {key: self.state(key)})):
                waiting.extendleft(reversed(batch))

    def end(self) -> None:
        """All is handled, and the wall clock goes on until nothing is due."""
        self.run()
        self.now = END
        for key in sorted(self._stored):
            looks = 0
            while self.look(key):
                looks += 1
                assert looks < 50, "due again and again"

    def look(self, key: bytes) -> bool:
        """Time passes for a partition no faster than its input is handled."""
        state, waiting = self.state(key), self._waiting[key]
        now = min(_milliseconds(self.now), waiting[0].timestamp if waiting else _milliseconds(END))
        due = None if state is None else self._handler.due(state)
        if state is None or due is None or due > now:
            return False
        self._kept(key, self._handler.handle_due({key: state}, now))
        return True

    def state(self, key: bytes) -> PatientState | None:
        stored = self._stored.get(key)
        state = None if stored is None else self._handler.decode_state(stored)
        assert state is None or isinstance(state, PatientState)
        return state

    def open(self) -> dict[str, Alert]:
        return {id_: alert for id_, (_, alert) in sorted(self.published.items()) if alert.status == "open"}

    def _kept(self, key: bytes, outcome: Any) -> bool:
        for send in outcome.sends:
            assert send.topic != topics.DEAD_LETTERS
            if send.topic == topics.EVENTS:
                self._add(send)
            elif send.topic == topics.ALERTS:
                self._publish(codec.decode_alert(send.value or b""))
        if self._chance.random() < self._crashes:
            self._epoch += 1
            return False
        self._stored |= {key: self._handler.encode_state(state) for key, state in outcome.states.items()}
        return True

    def _publish(self, alert: Alert) -> None:
        epoch, known = self.published.get(alert.alert_id, (-1, alert))
        assert epoch < self._epoch or alert.revision == known.revision + 1, "a revision goes backward or is left out"
        self.published[alert.alert_id] = (self._epoch, alert)

    def _add(self, send: Send) -> None:
        assert send.key is not None
        offset = self._offsets[(send.topic, send.key)]
        self._offsets[(send.topic, send.key)] += 1
        record = Record(send.topic, 0, offset, _milliseconds(self.now), send.key, send.value, send.headers)
        self._waiting[send.key].append(record)


def _milliseconds(time: Any) -> int:
    return int(time.timestamp() * 1000)


def _drug(name: str) -> Drug:
    return Drug(text=name, ingredients=(Ingredient(name),)) if name else Drug()


HOURS = st.integers(0, 60)
TIMES = HOURS.map(at)
some = st.sampled_from
NAMES = some(("simvastatin", "clarithromycin", "simvastatin", "clarithromycin", "fluoxetine", "phenelzine", ""))
COMMON: dict[str, Any] = {
    "patient_id": some(IDS), "source": st.just("ehr"), "occurred_at": TIMES, "timing": some(("live", "live", "replayed")),
}  # fmt: skip
ORDERS = st.builds(
    Prescription, record_id=some(("1", "2", "3", "4")), version=st.integers(1, 3), drug=NAMES.map(_drug),
    status=some(("ordered", "ordered", "ordered", "changed", "held", "resumed", "discontinued", "entered_in_error")),
    dosage=st.just(daily(20)), start=st.none() | TIMES, end=st.just(UNSET) | TIMES, replaces=some((UNSET, UNSET, "1")), **COMMON,
)  # fmt: skip
SUPPLIES = st.builds(
    Dispensing, record_id=some(("1", "2")), version=st.integers(1, 2), drug=some(("simvastatin", "clarithromycin")).map(_drug),
    status=some(("dispensed", "dispensed", "returned")), order_id=some((UNSET, "1", "2")),
    days_supply=some((1.0, 20.0)), **COMMON,
)  # fmt: skip
RESULTS = st.builds(
    lambda id_, version, hours, value, status, patient_id: lab(
        "potassium", value, hours, id=id_, version=version, status=status, patient_id=patient_id
    ),
    some(("k1", "k2", "k3")), st.integers(1, 2), HOURS, some((7.0, 7.5, 4.0)), some(("final", "corrected", "cancelled")),
    some(IDS),
)  # fmt: skip
MERGES = st.builds(
    Patient,
    patient_id=some(IDS),
    source=st.just("adt"),
    record_id=st.just("p"),
    occurred_at=TIMES,
    merged_into=some(IDS),
)
ANSWERS = st.tuples(some(("acknowledged", "will_monitor")), st.integers(0, 5), TIMES)
"""What is said, of which of the open alerts, and when."""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(ORDERS, ORDERS, SUPPLIES, RESULTS, MERGES, ANSWERS), min_size=2, max_size=16),
    st.integers(0, 2**20),
    some((0.0, 0.3)),
)
def test_what_is_published_as_open_is_what_the_states_hold(told: Sequence[Any], seed: int, crashes: float) -> None:
    cluster = Cluster(random.Random(seed), crashes)
    for number, each in enumerate(told):
        if not isinstance(each, tuple):
            cluster.put(each)
            if number % 3 == seed % 3:
                cluster.run()
            continue
        cluster.run()
        says, place, when = each
        shown = list(cluster.open().values())
        if shown:
            alert = shown[place % len(shown)]
            cluster.put(
                Feedback(
                    feedback_id=str(number), alert_id=alert.alert_id, patient_id=alert.patient_id, revision=alert.revision,
                    answer=says, reason="will_monitor", by="P", at=when,
                )
            )  # fmt: skip
    cluster.end()
    states = [state for id_ in IDS if (state := cluster.state(id_.encode())) is not None]
    held = {alert.alert_id: alert for state in states for alert in state.open_alerts.values()}
    assert sum(len(state.open_alerts) for state in states) == len(held)
    assert {id_: _content(alert) for id_, alert in cluster.open().items()} == {
        id_: _content(alert) for id_, alert in held.items()
    }
    for state in states:
        waits = {each.subject for each in state.obligations.values() if each.kind == "look_again"}
        assert not (state.live and waits), "what a person will monitor was asked again by the end"


def _content(alert: Alert) -> Alert:
    """Without when the monitor worked it out, which a repetition after a crash does at another time."""
    return replace(alert, detected_at=T0, history=())
