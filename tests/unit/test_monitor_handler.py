"""The monitor behind the batch interface: repetition, refusal, what goes to which topic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from schemas import codec, topics
from schemas.dead_letters import DeadLetter
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from services.monitor.handler import MonitorHandler
from services.monitor.patient.state import LastPicture, PatientState
from services.monitor.pictures import AT_MOST_EVERY
from services.streaming.handler import Record, Send
from services.streaming.memory import MemoryEngine
from tests.support.clinical import KNOWLEDGE, at, lab, order, patient

NOW = datetime(2026, 11, 3, tzinfo=UTC)


def engine(seconds: int = 0) -> MemoryEngine:
    """The monitor's time is ``NOW`` and so many seconds more with each offset."""
    return MemoryEngine(MonitorHandler(KNOWLEDGE, lambda record: NOW + timedelta(seconds=seconds * record.offset)))


def facts(running: MemoryEngine) -> object:
    """What is known of the patient, and not when it was last shown."""
    state = running.state(b"p")
    assert isinstance(state, PatientState)
    return replace(state, last_picture=LastPicture())


def record(
    event: AnyEvent | Feedback | bytes, offset: int, topic: str = topics.EVENTS, key: bytes | None = b"p"
) -> Record:
    value = event if isinstance(event, bytes) else codec.encode(event)
    return Record(topic, 0, offset, 1_700_000_000_000, key, value)


def of(topic: str, sends: list[Send]) -> list[bytes]:
    return [send.value or b"" for send in sends if send.topic == topic]


STORY: list[AnyEvent] = [patient(-1), lab("potassium", 7.0), order("simvastatin", 1), order("clarithromycin", 2)]


def test_a_batch_sends_each_alert_change_and_one_picture_a_patient() -> None:
    sends = engine().feed([record(event, offset) for offset, event in enumerate(STORY)])
    alerts = [codec.decode_alert(value) for value in of(topics.ALERTS, sends)]
    assert [alert.subject for alert in alerts] == ["potassium:high", "statin:clarithromycin+simvastatin"]
    (picture,) = (codec.decode_picture(value) for value in of(topics.PICTURES, sends))
    assert [(medicine.label, medicine.route) for medicine in picture.medicines] == [
        ("clarithromycin", "oral"),
        ("simvastatin", "oral"),
    ]
    assert [problem.severity for problem in picture.open] == ["critical", "high"]
    assert [(found.analyte, found.value) for found in picture.labs] == [("potassium", 7.0)]
    assert picture.clock == at(2)
    assert {send.key for send in sends} == {b"p"}


def pictures(sends: list[Send]) -> list[list[str]]:
    shown = [codec.decode_picture(value) for value in of(topics.PICTURES, sends)]
    return [[medicine.label for medicine in each.medicines] for each in shown]


def test_a_picture_is_sent_when_it_shows_something_new_and_time_alone_is_nothing_new() -> None:
    running = engine(seconds=10)
    told: list[AnyEvent] = [
        order("simvastatin", 0, end=at(5)),
        order("simvastatin", 0, end=at(5)),
        lab("sodium", 140, 1),
        lab("unlisted", 140, 2, analyte=""),
        lab("sodium", 140, 3, id="sodium-1"),
        lab("unlisted", 1, 6, analyte=""),
    ]
    sent = [pictures(running.feed([record(event, offset)])) for offset, event in enumerate(told)]
    # nothing new: the order again, a result of nobody, an hour that passes; new: the order that ran out in the sixth
    assert sent == [[["simvastatin"]], [], [["simvastatin"]], [], [["simvastatin"]], [[]]]


def test_pictures_of_a_patient_come_at_most_every_few_seconds_and_the_last_one_always() -> None:
    running = engine(seconds=1)
    told = [order(name, 0, id=name) for name in ("simvastatin", "warfarin", "digoxin")]
    sent = [pictures(running.feed([record(event, offset)])) for offset, event in enumerate(told)]
    assert sent == [[["simvastatin"]], [], []]
    start = int(NOW.timestamp() * 1000)
    assert running.advance(start + AT_MOST_EVERY - 1) == []
    (last,) = pictures(running.advance(start + AT_MOST_EVERY))
    assert sorted(last) == ["digoxin", "simvastatin", "warfarin"]
    assert running.advance(start + 10 * AT_MOST_EVERY) == []


def test_a_picture_that_is_owed_and_shows_nothing_new_after_all_is_not_sent() -> None:
    running = engine(seconds=1)
    told = [
        order("simvastatin", 0, id="s"),
        order("warfarin", 1, id="w"),
        order("warfarin", 1, id="w", version=2, status="entered_in_error"),
    ]
    assert len([each for n, event in enumerate(told) for each in pictures(running.feed([record(event, n)]))]) == 1
    assert pictures(running.advance(int(NOW.timestamp() * 1000) + 2 * AT_MOST_EVERY)) == []


def test_records_below_the_applied_offset_are_skipped_and_the_state_is_the_same() -> None:
    first = engine()
    batch = [record(event, offset) for offset, event in enumerate(STORY)]
    first.feed(batch)
    state = first.state(b"p")
    assert first.feed(batch) == []
    assert first.state(b"p") == state


def test_one_batch_or_many_end_in_the_same_state_and_alerts() -> None:
    whole, single = engine(), engine()
    batch = [record(event, offset) for offset, event in enumerate(STORY)]
    together = of(topics.ALERTS, whole.feed(batch))
    apart = [value for each in batch for value in of(topics.ALERTS, single.feed([each]))]
    assert together == apart
    assert facts(whole) == facts(single)


def test_offsets_of_the_two_topics_are_counted_apart() -> None:
    running = engine()
    (opened,) = map(codec.decode_alert, of(topics.ALERTS, running.feed([record(lab("potassium", 7.0), 500)])))
    feedback = Feedback(
        feedback_id="f",
        alert_id=opened.alert_id,
        patient_id="p",
        revision=1,
        answer="acknowledged",
        reason="changed",
        by="A. Pharmacist",
        at=NOW,
    )
    sends = running.feed([record(feedback, 3, topics.FEEDBACK)])
    (noted,) = map(codec.decode_alert, of(topics.ALERTS, sends))
    assert noted.history[-1].change == "acknowledged"
    assert running.feed([record(feedback, 3, topics.FEEDBACK)]) == []


def test_what_cannot_be_read_is_refused_alone_with_its_bytes() -> None:
    sends = engine().feed([record(STORY[1], 0), record(b"{", 1), record(STORY[2], 2), record(b"{}", 3, key=None)])
    letters = [
        DeadLetter.from_record(list(send.headers), send.value or b"")
        for send in sends
        if send.topic == topics.DEAD_LETTERS
    ]
    assert [(letter.reason, letter.offset, letter.original) for letter in letters] == [
        ("undecodable_event", 1, b"{"),
        ("undecodable_event", 3, b"{}"),
    ]
    assert len(of(topics.ALERTS, sends)) == 1
