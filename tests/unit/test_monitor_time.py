"""Time without an event: what is due, found in its order and at its own time, live and in a replay alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from services.monitor.evaluate import LOOK_AGAIN, advance, due, take_event, take_feedback
from services.monitor.handler import MonitorHandler
from services.monitor.patient.state import PatientState
from services.streaming.handler import Record, Send
from tests.support.clinical import KNOWLEDGE, at, lab, order


def play(*events: AnyEvent, state: PatientState | None = None) -> tuple[PatientState, list[Alert]]:
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWLEDGE, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


PAIR = (order("simvastatin", 0), order("clarithromycin", 1, end=at(5)))


def later(state: PatientState, hours: float) -> tuple[PatientState, list[Alert]]:
    return advance(state, at(hours), KNOWLEDGE, at(hours))


def test_an_order_that_runs_out_resolves_its_alert_when_the_wall_clock_comes_to_its_end() -> None:
    state, _ = play(*PAIR)
    assert due(state) == at(5)
    assert later(state, 4.9) == (state, [])
    after, (ended,) = later(state, 5)
    assert (ended.status, ended.history[-1].at, after.clock, due(after)) == ("resolved", at(5), at(5), None)
    late, (same,) = later(state, 500)
    assert (same.history[-1].at, late) == (at(5), after), "a monitor that was not running finds it at its own time"


def test_a_replayed_feed_has_no_wall_clock_and_finds_the_same_with_its_next_event() -> None:
    replayed = [replace(event, timing="replayed") for event in PAIR]
    state, _ = play(*replayed)
    assert later(state, 500) == (state, [])
    _, (ended,) = play(replace(lab("sodium", 140, 9), timing="replayed"), state=state)
    assert (ended.status, ended.history[-1].at) == ("resolved", at(5))
    live, _ = play(replayed[0], PAIR[1])
    assert later(live, 6)[1] != [], "one running feed is enough"


def test_an_order_that_begins_as_the_former_ends_goes_on_as_the_same_alert_however_they_come() -> None:
    """Orders by the day: that of tomorrow begins at the midnight at which that of today is over."""
    today, tomorrow = PAIR[1], order("clarithromycin", 5, id="next", end=at(9))
    other = order("metformin", 5)
    for events in ((tomorrow, other), (other, tomorrow)):
        state, alerts = play(*PAIR, *(replace(event, timing="replayed") for event in events))
        assert {alert.alert_id for alert in alerts} == {alerts[0].alert_id}
        assert (alerts[-1].status, due(state)) == ("open", at(9))
    assert today.end == at(5)


def test_an_order_that_is_stopped_as_another_event_comes_ends_its_alert_at_once() -> None:
    stop = order("clarithromycin", 5, version=2, status="discontinued")
    _, alerts = play(*PAIR, replace(stop, timing="replayed"))
    assert (alerts[-1].status, alerts[-1].history[-1].at) == ("resolved", at(5))


def test_an_order_that_ran_out_as_another_medicine_began_ends_its_alert_when_time_goes_on() -> None:
    state, alerts = play(
        *(replace(event, timing="replayed") for event in PAIR), order("metformin", 5, timing="replayed")
    )
    assert [alert.status for alert in alerts] == ["open"]
    _, (ended,) = play(lab("sodium", 140, 6, timing="replayed"), state=state)
    assert ended.status == "resolved"
    assert at(5) <= ended.history[-1].at < at(5.01)


def answer(alert: Alert, **more: Any) -> Feedback:
    fields: dict[str, Any] = {
        "feedback_id": "f", "alert_id": alert.alert_id, "patient_id": "p", "revision": alert.revision, "answer": "will_monitor",
        "reason": "will_monitor", "by": "A. Pharmacist", "at": at(2),
    }  # fmt: skip
    return Feedback(**(fields | more))


def test_what_a_person_will_monitor_asks_again_the_next_day_once() -> None:
    state, (alert,) = play(lab("potassium", 7.0))
    state, _ = take_feedback(state, answer(alert), KNOWLEDGE, at(2))
    assert due(state) == at(2) + LOOK_AGAIN
    after, (again,) = advance(state, at(60), KNOWLEDGE, at(60))
    assert (again.history[-1].change, again.acknowledgement, again.history[-1].at) == (
        "attention",
        None,
        at(2) + LOOK_AGAIN,
    )
    assert (due(after), after.obligations) == (None, {})


def test_what_has_ended_meanwhile_does_not_ask_again() -> None:
    state, (alert,) = play(lab("potassium", 7.0))
    state, _ = take_feedback(state, answer(alert), KNOWLEDGE, at(2))
    state, _ = play(lab("potassium", 4.0, 3), state=state)
    after, changed = later(state, 60)
    assert (changed, after.obligations) == ([], {})
    state, _ = take_feedback(play(lab("potassium", 7.0))[0], answer(alert, answer="acknowledged"), KNOWLEDGE, at(2))
    assert due(state) is None


def milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def test_the_passing_of_time_gives_alerts_and_pictures_of_those_that_something_was_due_for() -> None:
    handler = MonitorHandler(KNOWLEDGE, lambda _: at(0))
    waiting, idle = play(*PAIR)[0], play(lab("sodium", 140))[0]
    assert handler.due(waiting) == milliseconds(at(5))
    assert handler.due(idle) is None
    outcome = handler.handle_due({b"p": waiting, b"q": idle}, milliseconds(at(5) + timedelta(minutes=1)))
    assert list(outcome.states) == [b"p"]
    assert [send.topic for send in outcome.sends] == [topics.ALERTS, topics.PICTURES]
    assert codec.decode_alert(outcome.sends[0].value or b"").status == "resolved"
    again = handler.handle_due({b"p": outcome.states[b"p"] or waiting}, milliseconds(at(9)))
    assert (again.states, again.sends) == ({}, [])


def received(event: AnyEvent, offset: int, hours: float) -> Record:
    return Record(topics.EVENTS, 0, offset, milliseconds(at(hours)), b"p", codec.encode(event), ())


def test_a_batch_that_a_crash_repeats_opens_what_it_opened_before_though_time_was_looked_at_meanwhile() -> None:
    """Else an alert that was sent before the crash would stay open for ever."""
    handler = MonitorHandler(KNOWLEDGE, lambda _: at(90))
    first, second = order("fluoxetine", 1, end=at(22)), order("simvastatin", 2, end=at(20))
    told = [order("phenelzine", 0), order("clarithromycin", 0), first, second]
    records = [received(event, number, 25) for number, event in enumerate(told)]
    sent = alerts_of(handler.handle(records, {b"p": None}).sends)
    state = handler.handle(records[:3], {b"p": None}).states[b"p"]
    looked = handler.handle_due({b"p": state}, milliseconds(at(25))).states.get(b"p", state)
    again = alerts_of(handler.handle(records[2:], {b"p": looked}).sends)
    assert again == [alert for alert in sent if alert in again]
    opened = {alert.alert_id for alert in sent if alert.revision == 1}
    ended = {alert.alert_id for alert in (*sent, *again) if alert.status == "resolved"}
    last = handler.handle(records[2:], {b"p": looked}).states[b"p"]
    assert isinstance(last, PatientState)
    assert opened - ended == {alert.alert_id for alert in last.open_alerts.values()}


def test_a_live_order_that_was_over_when_it_was_told_is_found_and_ended_at_its_own_time_at_once() -> None:
    handler = MonitorHandler(KNOWLEDGE, lambda _: at(90))
    records = [received(event, number, 9) for number, event in enumerate(PAIR)]
    outcome = handler.handle(records, {b"p": None})
    assert [(alert.status, alert.history[-1].at) for alert in alerts_of(outcome.sends)] == [
        ("open", at(1)),
        ("resolved", at(5)),
    ]
    state = outcome.states[b"p"]
    assert handler.due(state) is None


def test_a_time_stamp_of_the_future_ends_nothing() -> None:
    handler = MonitorHandler(KNOWLEDGE, lambda _: at(2))
    outcome = handler.handle([received(event, number, 24 * 365) for number, event in enumerate(PAIR)], {b"p": None})
    assert [alert.status for alert in alerts_of(outcome.sends)] == ["open"]


def alerts_of(sends: list[Send]) -> list[Alert]:
    return [codec.decode_alert(send.value or b"") for send in sends if send.topic == topics.ALERTS]
