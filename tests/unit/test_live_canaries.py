"""The canaries of every rule as they go into the running system, through ingest and monitor without a broker between them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import Raw
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from knowledge.loader import load
from schemas import codec, topics
from schemas.alerts import Alert
from schemas.canaries import PREFIX
from schemas.dead_letters import DeadLetter
from services.ingest.handler import IngestHandler
from services.ingest.pipeline import Pipeline
from services.monitor import evaluate
from services.monitor.canaries.cases import SLOTS, Case, Heard, Sent, came_back, cases_of, fault, sent
from services.monitor.canaries.metrics import CanaryMetrics
from services.monitor.canaries.prober import SETTLE_SECONDS, WITHIN_SECONDS
from services.monitor.handler import TOPICS, MonitorHandler
from services.monitor.metrics import MonitorMetrics
from services.notify.intake.alerts import AlertKind
from services.notify.intake.pictures import PictureKind, Received
from services.notify.metrics import NotifyMetrics
from services.runtime.settings import Settings
from services.streaming.handler import Record, Send
from services.streaming.memory import MemoryEngine

NOW = datetime(2029, 2, 28, 21, 17, tzinfo=UTC)
RULES = evaluate.index_of(load()).rules


def clock() -> datetime:
    return NOW


class System:
    """Ingest and monitor, joined as the broker would: an offset for each record, in their order."""

    def __init__(self, knowledge: Any = None) -> None:
        known = knowledge or load()
        self.ingest = MemoryEngine(IngestHandler(Pipeline(known, clock), clock))
        self.handler = MonitorHandler(known, lambda _: NOW)
        self.monitor = MemoryEngine(self.handler)
        self.offset = 0
        self.letters: list[DeadLetter] = []
        self.sends: list[Send] = []

    def records(self, sends: Sequence[Send]) -> list[Record]:
        found = []
        for each in sends:
            self.offset += 1
            at = int(NOW.timestamp() * 1000)
            found.append(Record(each.topic, 0, self.offset, at, each.key, each.value, each.headers))
        return found

    def take(self, sends: Sequence[Send]) -> list[Send]:
        came = self.ingest.feed(self.records(sends))
        letters = [each for each in came if each.topic == topics.DEAD_LETTERS]
        self.letters += [DeadLetter.from_record(list(each.headers), each.value or b"") for each in letters]
        self.sends = self.monitor.feed(self.records([each for each in came if each.topic in TOPICS]))
        assert not self.monitor.errors
        return self.sends

    def states(self) -> set[bytes]:
        return set(self.monitor._states)


def heard(sends: Sequence[Send]) -> Heard:
    alerts: dict[str, Alert] = {}
    pictures = {}
    for each in sends:
        assert each.topic in (topics.CANARY_ALERTS, topics.CANARY_PICTURES), "a synthetic patient shows nowhere else"
        if each.topic == topics.CANARY_ALERTS:
            alert = codec.decode_alert(each.value or b"")
            alerts[alert.alert_id] = alert
        else:
            pictures[(each.key or b"").decode()] = codec.decode_picture(each.value) if each.value else None
    return Heard(alerts, pictures)


def played(case: Case, system: System | None = None, round_: int = 7, now: datetime = NOW) -> tuple[Sent, Heard]:
    system = system or System()
    under_way = sent(case, round_, now)
    return under_way, heard(system.take(under_way.records))


@pytest.mark.parametrize("rule", RULES)
def test_both_sides_hold_and_nobody_is_left(rule: str) -> None:
    system = System()
    for case in cases_of(RULES[rule], load()):
        under_way, found = played(case, system)
        assert came_back(under_way, found)
        assert fault(under_way, found) == ""
    assert system.states() == set()
    assert system.letters == []


@pytest.mark.parametrize("rule", RULES)
def test_the_silent_side_is_not_taken_for_the_one_that_fires_nor_the_reverse(rule: str) -> None:
    fires, silent = cases_of(RULES[rule], load())
    for case, other in ((fires, silent), (silent, fires)):
        under_way, found = played(case._replace(events=other.events))
        assert fault(under_way, found)


@pytest.mark.parametrize("days", [1, 366, 1155])
def test_a_case_holds_on_whatever_day_it_is_played(days: int) -> None:
    now, system = NOW + timedelta(days=days, hours=days % 24), System()
    for rule in RULES.values():
        for case in cases_of(rule, load()):
            under_way, found = played(case, system, now=now)
            assert fault(under_way, found) == "", (rule.id, case.side)


def order(patient: str, at: str, **more: Any) -> dict[str, Any]:
    base = {"type": "prescription", "patient_id": patient, "source": "cpoe", "record_id": "1", "occurred_at": at}
    return base | {"status": "ordered", "drug": {"text": "Warfarin 5 mg tablet"}} | more


def made(*events: dict[str, Any]) -> Case:
    return Case("r", "fires", tuple(Raw(json.dumps(each).encode()) for each in events), Counter())


def test_times_move_by_whole_days_so_that_the_newest_is_of_the_last_day() -> None:
    case = made(
        order("a", "2026-11-03T23:00:00Z", end="2026-11-13T08:30:00+02:00"),
        order("b", "2026-11-01T06:00:00+01:00", drug={"text": "2026-11-01 is no date of it"}),
        {"type": "patient", "patient_id": "b", "source": "s", "record_id": "2", "occurred_at": "2026-11-01T04:00:00Z",
         "birth_date": "1950-02-27"},
    )  # fmt: skip
    records = sent(case, 3, NOW).records
    values = [json.loads(each.value) for each in records if each.value]
    # 2029-02-27 23:00 is the last 23:00 before NOW: 847 days on
    assert [each["occurred_at"] for each in values] == [
        "2029-02-25T04:00:00Z", "2029-02-25T06:00:00+01:00", "2029-02-27T23:00:00Z",
    ]  # fmt: skip
    assert values[2]["end"] == "2029-03-09T08:30:00+02:00"
    assert values[0]["birth_date"] == "1952-06-23"
    assert values[1]["drug"]["text"] == "2026-11-01 is no date of it"


def test_each_patient_has_an_id_of_the_round_and_is_forgotten_behind_its_last_event() -> None:
    case = made(order("a", "2026-11-03T23:00:00Z"), order("b", "2026-11-01T06:00:00Z"))
    under_way = sent(case, SLOTS + 3, NOW)
    assert under_way.patients == {f"{PREFIX}r:fires:a:3", f"{PREFIX}r:fires:b:3"}
    assert {each.topic for each in under_way.records} == {topics.CANARIES}
    for name in under_way.patients:
        of_one = [each for each in under_way.records if each.key == name.encode()]
        assert [each.value is None for each in of_one] == [False, True]
        assert json.loads(of_one[0].value or b"")["patient_id"] == name
    assert not under_way.patients & sent(case, SLOTS + 4, NOW).patients


def letters_of(topic: str, value: Any, key: bytes = b"k") -> list[str]:
    system = System()
    sends = system.take([Send(topic, key, None if value is None else json.dumps(value).encode())])
    assert system.letters == [] or not sends
    return [f"{each.reason} {each.place}" for each in system.letters]


def test_no_person_among_the_canaries_and_no_canary_among_people() -> None:
    person, canary = order("p", "2026-11-03T23:00:00Z"), order(f"{PREFIX}x", "2026-11-03T23:00:00Z")
    for topic in topics.SOURCES:
        assert letters_of(topic, person) == []
        assert letters_of(topic, canary) == ["reserved_patient $.patient_id"]
    assert letters_of(topics.CANARIES, person) == ["reserved_patient $.patient_id"]
    assert letters_of(topics.CANARIES, canary) == []
    merge = {"type": "patient", "source": "s", "record_id": "2", "occurred_at": "2026-11-01T04:00:00Z"}
    into_canary = merge | {"patient_id": "p", "merged_into": f"{PREFIX}x"}
    into_person = merge | {"patient_id": f"{PREFIX}x", "merged_into": "p"}
    assert letters_of(topics.MESSAGES, into_canary) == ["reserved_patient $.merged_into"]
    assert letters_of(topics.CANARIES, into_person) == ["reserved_patient $.merged_into"]


def test_only_the_topic_of_canaries_can_make_one_forgotten_and_nothing_a_person() -> None:
    key = f"{PREFIX}x".encode()
    for topic in topics.SOURCES:
        assert letters_of(topic, None, key) == ["empty "]
    assert letters_of(topics.CANARIES, None, b"p") == ["empty "]
    system = System()
    system.take([Send(topics.MESSAGES, b"p", json.dumps(order("p", "2026-11-03T23:00:00Z")).encode())])
    assert system.states() == {b"p"}
    for topic in (topics.EVENTS, topics.FEEDBACK):
        system.monitor.feed([Record(topic, 0, 99, 0, b"p", None)])
    assert system.states() == {b"p"}


def test_a_rule_that_finds_nothing_any_more_fails_on_the_side_that_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    fires, silent = cases_of(RULES["qt"], load())
    monkeypatch.setattr(type(RULES["qt"]), "findings", lambda *_: iter(()))
    assert fault(*played(fires)) == "not found: qt (critical)"
    assert fault(*played(silent)) == ""


def test_an_emptied_code_table_fails_what_rests_on_it() -> None:
    empty = replace(load(), analytes={})
    fires, _ = cases_of(RULES["qt"], load())
    whole, without = System(), System()
    without.ingest = MemoryEngine(IngestHandler(Pipeline(empty, clock), clock))
    fires, _ = cases_of(RULES["critical-lab"], load())
    assert fault(*played(fires, whole)) == ""
    assert fault(*played(fires, without)).startswith("not found: ")


def test_an_alert_that_was_published_and_is_not_in_the_picture_is_seen_and_the_reverse_on_the_silent_side() -> None:
    fires, silent = cases_of(RULES["qt"], load())
    under_way, found = played(fires)
    assert fault(under_way, Heard(found.alerts, dict.fromkeys(found.pictures))) == ""
    # people are told by alerts: one that is only in the picture was never published
    assert fault(under_way, Heard({}, found.pictures)) == "not found: qt (critical)"
    as_silent = under_way._replace(case=silent)
    for part in (Heard(found.alerts, dict.fromkeys(found.pictures)), Heard({}, found.pictures), found):
        assert fault(as_silent, part) == "found and not expected: qt (critical)"


def test_nothing_that_counts_people_counts_a_canary() -> None:
    system, metrics = System(), MonitorMetrics()
    system.handler._tell_held = metrics.observe_held
    records: list[Record] = []
    for rule in RULES.values():
        for case in cases_of(rule, load()):
            came = system.take(sent(case, 1, NOW).records)
            metrics.observe([Record(topics.CANARY_EVENTS, 0, 1, 0, f"{PREFIX}x".encode(), None)], came)
            records += system.records(came)
    assert len(records) > 100
    for counter in (metrics.alerts, metrics.held, metrics.events):
        assert counter.collect()[0].samples == []


async def test_notify_stores_nothing_of_a_canary_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, found = played(cases_of(RULES["qt"], load())[0])
    canaries = list(found.alerts.values())
    person = replace(canaries[0], patient_id="p")
    (name,) = under_way.patients
    metrics, put = NotifyMetrics(), []

    async def put_alert(connection: Any, alert: Alert, *_: Any) -> bool:
        put.append(alert.patient_id)
        return True

    async def put_pictures(connection: Any, received: Sequence[Received], *_: Any) -> int:
        put.extend(each.patient_id for each in received)
        return len(received)

    async def announce(connection: Any) -> None:
        pass

    monkeypatch.setattr("services.notify.store.alerts.put", put_alert)
    monkeypatch.setattr("services.notify.store.pictures.put", put_pictures)
    monkeypatch.setattr("services.notify.store.changes.announce", announce)
    kind = AlertKind(metrics, None, "info")
    (await kind.store(None, [(each, 1) for each in (*canaries, person)], NOW))()
    pictures = [Received(name, 1, 1, found.pictures[name]), Received("p", 1, 2, None)]
    (await PictureKind(metrics).store(None, pictures, NOW))()
    assert put == ["p", "p"]
    value = metrics.registry.get_sample_value
    assert value("rxvigil_notify_canaries_total") == len(canaries) + 1
    assert value("rxvigil_notify_stale_total") == 0
    assert value("rxvigil_notify_pictures_total") == 1


def test_metrics_name_the_rules_that_there_are() -> None:
    metrics = CanaryMetrics(CollectorRegistry())
    metrics.of({"a", "b"}, 100)
    metrics.tried("a", True, 130)
    metrics.tried("b", False, 131)

    def shown(gauge: Any) -> dict[str, float]:
        return {each.labels["rule"]: each.value for each in gauge.collect()[0].samples}

    assert (shown(metrics.holds), shown(metrics.last_held)) == ({"a": 1, "b": 0}, {"a": 130, "b": 100})
    metrics.of({"b", "c"}, 200)
    assert (shown(metrics.holds), shown(metrics.last_held)) == ({"b": 0}, {"b": 100, "c": 200})
    metrics.nobody()
    assert (shown(metrics.holds), shown(metrics.last_held)) == ({}, {})


def test_what_falls_silent_is_told_within_five_minutes_as_shipped() -> None:
    """The worst that may come together: a rule falls silent just after it was tried, what was sent takes its whole time, and
    Prometheus has just looked and just thought."""
    root = Path(__file__).parents[2] / "deploy" / "prometheus"
    times = yaml.safe_load((root / "prometheus.yml").read_text())["global"]
    looks = sum(int(times[name].removesuffix("s")) for name in ("scrape_interval", "evaluation_interval"))
    (group,) = yaml.safe_load((root / "rules" / "rxvigil.yml").read_text())["groups"]
    alerts = {each["alert"]: each for each in group["rules"]}
    interval = Settings.model_fields["canary_interval"].default
    assert "for" not in alerts["RxvigilCanaryFailed"]
    assert interval + WITHIN_SECONDS + SETTLE_SECONDS + looks < 300
    limit = float(alerts["RxvigilCanariesSilent"]["expr"].rpartition(">")[2])
    assert "for" not in alerts["RxvigilCanariesSilent"]
    assert 2 * interval < limit < 300 - looks + 1
