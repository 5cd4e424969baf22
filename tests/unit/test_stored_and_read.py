"""A state that was stored and read again finds what it would have found without: the engine keeps some and reads others."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bench import rules, ward
from bench.events import events
from knowledge.loader import load
from schemas import codec, topics
from schemas.alerts import Alert
from services.monitor.alerts.lifecycle import updated
from services.monitor.evaluate import take_event
from services.monitor.handler import MonitorHandler
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES
from services.monitor.rules.rule import Finding
from services.monitor.rules.view import View
from services.streaming.handler import Record
from tests.support.clinical import at, lab, order

# twelve of the load's patients, each with a hundred events, and a ward
FEW = [replace(event, patient_id=f"few-{int(event.patient_id[-5:]) % 12}") for event in events(1500)]
STREAM = rules.records([*FEW, *ward.events(4, 3.0)])
Change = tuple[str, int, str, str]


def changes(share: float, seed: int = 0) -> list[Change]:
    """Every change of every alert, where that share of the states is stored and read again between two batches."""
    rnd = random.Random(seed)
    handler = MonitorHandler(load(), lambda record: datetime.fromtimestamp(record.timestamp / 1000, UTC))
    states: dict[bytes, object | None] = {}
    found: list[Change] = []
    place = 0
    while place < len(STREAM):
        batch: list[Record] = STREAM[place : (place := place + rnd.randrange(1, 30))]
        outcome = handler.handle(batch, states)
        for key, state in outcome.states.items():
            again = state is not None and rnd.random() < share
            states[key] = handler.decode_state(handler.encode_state(state)) if again and state is not None else state
        alerts = (codec.decode_alert(send.value or b"") for send in outcome.sends if send.topic == topics.ALERTS)
        found += [(each.alert_id, each.revision, each.severity, each.history[-1].change) for each in alerts]
    return sorted(found)


@pytest.fixture(scope="module")
def kept() -> list[Change]:
    return changes(0)


@pytest.mark.parametrize(("share", "seed"), [(0.5, 1), (1, 2)])
def test_the_same_changes_of_the_same_alerts(share: float, seed: int, kept: list[Change]) -> None:
    assert len(kept) > 200
    assert changes(share, seed) == kept


def test_the_order_in_which_a_state_has_its_orders_changes_nothing() -> None:
    """A state that is stored in columns has them by their key, one that never was as they came."""
    story = [order(name, hours, id=id_) for name, hours, id_ in (("lisinopril", 0, "b"), ("spironolactone", 1, "a"))]
    state: PatientState | None = None
    for event in (*story, lab("potassium", 6.1, 2)):
        state, _ = take_event(state, event, load(), at(3))
    assert state is not None
    assert any("potassium" in key for key in state.open_alerts)
    alert = next(alert for key, alert in state.open_alerts.items() if "potassium" in key)
    assert len(alert.implicated) > 1
    fields = set(Finding.__struct_fields__) & set(Alert.__struct_fields__) - {"implicated"}
    same = {name: getattr(alert, name) for name in fields}
    turned = Finding(**same, since=alert.true_since, implicated=alert.implicated[::-1])
    assert updated(alert, RULES[0], turned, state, alert.knowledge_version, at(3)) is None
    # what acts is told in one order, whatever that of the state
    again = replace(state, orders=dict(reversed(state.orders.items())))
    assert list(again.orders) != list(state.orders)
    assert [each.label for each in View(again, load()).acting] == [each.label for each in View(state, load()).acting]
