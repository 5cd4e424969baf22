"""Ingest behind the batch interface: what goes to which topic, under which key, with which headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.loader import load
from schemas import codec, topics
from schemas.dead_letters import DeadLetter
from schemas.events import Patient, Prescription
from services.ingest.handler import IngestHandler, origin_of
from services.ingest.metrics import IngestMetrics
from services.ingest.pipeline import Pipeline, Taken
from services.streaming.handler import Outcome, Record, Send
from services.streaming.memory import MemoryEngine

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
STAMP = datetime(2026, 11, 3, 11, 59, tzinfo=UTC)


@pytest.fixture
def handler() -> IngestHandler:
    return IngestHandler(Pipeline(load(), lambda: NOW), lambda: NOW)


def record(
    value: bytes | None, offset: int = 0, key: bytes | None = b"sender's", topic: str = topics.MESSAGES
) -> Record:
    return Record(topic, 3, offset, int(STAMP.timestamp() * 1000), key, value)


def order(patient: str, number: int = 1, **more: Any) -> dict[str, Any]:
    fields = {
        "type": "prescription", "patient_id": patient, "source": "cpoe", "record_id": f"o{number}", "status": "ordered",
        "occurred_at": "2026-11-02T08:00:00Z", "drug": {"text": "Warfarin 5 mg tablet"},
    }  # fmt: skip
    return fields | more


def result(**more: Any) -> dict[str, Any]:
    fields = {
        "type": "lab_result", "patient_id": "p", "source": "lab", "record_id": "k1", "status": "final", "value": 7.4,
        "occurred_at": "2026-11-02T08:00:00Z", "codings": [{"system": "LOINC", "code": "2823-3"}],
    }  # fmt: skip
    return fields | more


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def letter_of(send: Send) -> DeadLetter:
    assert send.topic == topics.DEAD_LETTERS
    return DeadLetter.from_record(list(send.headers), send.value or b"")


def test_events_go_out_keyed_by_patient_in_the_order_of_their_records(handler: IngestHandler) -> None:
    values = [order("a", 1), [order("b", 2), order("a", 3)], order("a", 4)]
    outcome = handler.handle([record(dumped(value), n) for n, value in enumerate(values)], {})
    assert outcome.states == {}
    assert {send.topic for send in outcome.sends} == {topics.EVENTS}
    events = [codec.decode_event(send.value or b"") for send in outcome.sends]
    assert [(send.key, event.record_id) for send, event in zip(outcome.sends, events, strict=True)] == [
        (b"a", "o1"), (b"b", "o2"), (b"a", "o3"), (b"a", "o4"),
    ]  # fmt: skip
    assert [(e.origin.offset, e.origin.index, e.origin.received_at) for e in events if e.origin] == [
        (0, 0, STAMP), (1, 0, STAMP), (1, 1, STAMP), (2, 0, STAMP),
    ]  # fmt: skip
    assert [event.drug.resolution for event in events if isinstance(event, Prescription)] == ["name"] * 4


def test_an_event_carries_the_headers_that_others_read(handler: IngestHandler) -> None:
    (send,) = handler.handle([record(dumped(order("a")))], {}).sends
    headers = dict(send.headers)
    event = codec.decode_event(send.value or b"")
    assert headers["ce_id"] == event.event_id.encode()
    assert headers["ce_type"] == b"rxvigil.prescription.v1"


def test_the_content_decides_what_a_record_is_and_not_its_topic(handler: IngestHandler) -> None:
    for topic in topics.SOURCES:
        (send,) = handler.handle([record(dumped(order("a")), topic=topic)], {}).sends
        assert send.topic == topics.EVENTS


def test_a_dead_letter_has_the_original_bytes_the_place_and_the_key_of_its_record(handler: IngestHandler) -> None:
    bad = dumped(order("a", version="three"))
    (send,) = handler.handle([record(bad, 41)], {}).sends
    assert (send.key, send.value) == (b"sender's", bad)
    assert letter_of(send) == DeadLetter(
        reason="schema", detail="Expected `int`, got `str`", place="$.version", topic=topics.MESSAGES, partition=3,
        offset=41, original=bad, received_at=STAMP, refused_at=NOW, refused_by="ingest",
    )  # fmt: skip


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{", b"[" * 100_000, b"\x00" * 1000])
def test_a_bad_record_refuses_itself_and_not_its_batch(handler: IngestHandler, value: bytes | None) -> None:
    batch = [record(dumped(order("a")), 0), record(value, 1, key=None), record(dumped(order("b")), 2)]
    sends = handler.handle(batch, {}).sends
    assert [send.topic for send in sends] == [topics.EVENTS, topics.DEAD_LETTERS, topics.EVENTS]
    letter = letter_of(sends[1])
    assert (letter.offset, letter.original, sends[1].key) == (1, value or b"", None)


def test_the_same_record_twice_gives_the_same_sends(handler: IngestHandler) -> None:
    batch = [record(dumped([order("a"), {"type": "x"}]), 7), record(b"{", 8)]
    assert handler.handle(batch, {}) == handler.handle(batch, {})
    assert (
        MemoryEngine(handler).feed(batch) == handler.handle(batch[:1], {}).sends + handler.handle(batch[1:], {}).sends
    )


def test_an_event_that_grows_above_the_limit_is_a_dead_letter_and_does_not_stop_the_stream(
    handler: IngestHandler,
) -> None:
    """Each allergy is resolved and grows; what went in was allowed, what comes out is not."""
    patient = {
        "type": "patient",
        "patient_id": "a",
        "source": "adt",
        "record_id": "a",
        "occurred_at": "2026-11-02T08:00:00Z",
    }
    big = dumped(patient | {"allergies": [{"substance": {"text": "warfarin"}}] * 250_000})
    assert len(big) < topics.MAX_RECORD_BYTES
    value = b"[" + dumped(order("a")) + b"," + big + b"," + dumped(order("b")) + b"]"
    sends = handler.handle([record(value, 41)], {}).sends
    assert [send.topic for send in sends] == [topics.EVENTS, topics.DEAD_LETTERS, topics.EVENTS]
    letter = letter_of(sends[1])
    assert (letter.reason, letter.offset, letter.index, letter.refused_by) == ("too_large", 41, 1, "ingest")
    small = dumped(patient | {"allergies": [{"substance": {"text": "warfarin"}}] * 1000})
    (send,) = handler.handle([record(small)], {}).sends
    assert isinstance(codec.decode_event(send.value or b""), Patient)


def test_a_record_that_ingest_fails_on_is_refused_without_the_text_of_the_error(handler: IngestHandler) -> None:
    (send,) = handler.refuse(record(b"{}", 9), RuntimeError("patient Jane Roe"))
    letter = letter_of(send)
    assert (letter.reason, letter.detail, letter.offset, letter.original) == ("ingest_error", "RuntimeError", 9, b"{}")
    assert "Jane" not in str(send.headers)
    (send,) = handler.refuse(record(None, 9), RuntimeError())
    assert letter_of(send).original == b""


def test_the_engine_refuses_the_record_that_raises_alone() -> None:
    class Failing(Pipeline):
        def take(self, value: bytes | None, origin: Any) -> Taken:
            if origin.offset == 1:
                raise RuntimeError("a defect")
            return super().take(value, origin)

    engine = MemoryEngine(IngestHandler(Failing(load(), lambda: NOW), lambda: NOW))
    sends = engine.feed([record(dumped(order("a")), n) for n in range(3)])
    assert [send.topic for send in sends] == [topics.EVENTS, topics.DEAD_LETTERS, topics.EVENTS]
    assert letter_of(sends[1]).reason == "ingest_error"


@pytest.mark.parametrize("stamp", [-1, -(2**63), 2**63 - 1, 253402300800000])
def test_a_time_stamp_that_is_no_time_is_left_out(handler: IngestHandler, stamp: int) -> None:
    odd = Record(topics.MESSAGES, 0, 0, stamp, None, dumped(order("a")))
    assert origin_of(odd).received_at is None
    assert [send.topic for send in handler.handle([odd], {}).sends] == [topics.EVENTS]
    assert origin_of(odd._replace(timestamp=0)).received_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_ingest_keeps_no_state(handler: IngestHandler) -> None:
    assert handler.state_key(record(b"")) is None
    for use in (lambda: handler.encode_state(object()), lambda: handler.decode_state(b"")):
        with pytest.raises(NotImplementedError):
            use()


def test_the_metrics_count_each_end_by_its_kind() -> None:
    metrics = IngestMetrics()
    handler = IngestHandler(Pipeline(load(), lambda: NOW), lambda: NOW, metrics.watch)
    values = [dumped(order("a")), dumped(order("a", drug={"text": "XR-417"})), b"[]", b"{", None]
    outcome: Outcome = handler.handle([record(value, n) for n, value in enumerate(values)], {})
    assert len(outcome.sends) == 4

    def count(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"rxvigil_ingest_{name}_total", labels)

    assert count("events", source=topics.MESSAGES, type="prescription") == 2
    assert [count("drugs", resolution=how) for how in ("name", "unresolved")] == [1, 1]
    assert [count("refused", reason=why) for why in ("not_json", "empty")] == [1, 1]
    assert count("ignored", kind="empty_list") == 1


def test_the_metrics_count_instructions_that_were_not_understood_by_why() -> None:
    metrics = IngestMetrics()
    handler = IngestHandler(Pipeline(load(), lambda: NOW), lambda: NOW, metrics.watch)
    dosages: list[dict[str, Any]] = [
        {"text": "1 tablet daily"}, {"text": "as told"}, {"text": "then 2"}, {"text": "1 tablet OD"},
        {"text": "1 tablet weekly", "frequency_per_day": 1}, {},
    ]  # fmt: skip
    values = [dumped(order("p-1", n, dosage=each)) for n, each in enumerate(dosages)]
    handler.handle([record(value, n) for n, value in enumerate(values)], {})
    counted = {
        tuple(sample.labels.items()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "rxvigil_ingest_unread_instructions_total"
    }
    assert counted == {
        (("reason", "unread"),): 2, (("reason", "partly_read"),): 1, (("reason", "contradictory"),): 1,
    }  # fmt: skip


def test_the_metrics_count_results_that_rules_cannot_use_by_why() -> None:
    metrics = IngestMetrics()
    handler = IngestHandler(Pipeline(load(), lambda: NOW), lambda: NOW, metrics.watch)
    potassium = {"system": "LOINC", "code": "2823-3"}
    sent = [
        {"unit": "mmol/L"},
        {"unit": "furlongs"},
        {"unit": "furlongs"},
        {},
        {"unit": "mmol/L", "value": -7.5},
        {"unit": "mmol/L", "codings": [potassium, {"system": "LOINC", "code": "2951-2"}]},
        {"unit": "mmol/L", "value": None},
    ]
    values = [dumped(result(**each)) for each in sent]
    handler.handle([record(value, n) for n, value in enumerate(values)], {})
    counted = {
        sample.labels["reason"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "rxvigil_ingest_unusable_results_total"
    }
    assert counted == {"unknown_unit": 2, "no_unit": 1, "implausible": 1, "no_analyte": 1, "no_value": 1}
