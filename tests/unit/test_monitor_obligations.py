"""What a rule waits for: found at its own time and once, whatever ran then, and in whatever order the facts came.

The rule is a small one (a lithium level within two days of the start), so the times are those of its text: 48 hours.
"""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.patients import Owed
from services.monitor.evaluate import advance, due, take_event
from services.monitor.handler import MonitorHandler
from services.monitor.patient.bounds import MAX_OBLIGATIONS
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.picture import picture
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import compressed, decode, encode
from services.monitor.rules.failure import TooManyObligations
from services.notify.console.pages import render
from services.streaming.handler import Record, Send
from services.streaming.memory import MemoryEngine
from tests.support.clinical import KNOWLEDGE, at, lab, order, patient
from tests.support.pictures import picture as shown
from tests.support.rules import Asked, no_level, use
from tests.support.ward import Ward

START = order("lithium", 0)
LEVEL = lab("lithium", 0.8, 24)


@pytest.fixture(autouse=True)
def rule(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked(no_level)
    use(monkeypatch, asked)
    return asked


def play(*events: AnyEvent, state: PatientState | None = None) -> tuple[PatientState, list[Alert]]:
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWLEDGE, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def later(state: PatientState, hours: float) -> tuple[PatientState, list[Alert]]:
    return advance(state, at(hours), KNOWLEDGE, at(hours))


def owed(state: PatientState) -> list[tuple[str, str, datetime, str, str]]:
    return [(each.kind, each.subject, each.due, each.source, each.part) for each in state.obligations.values()]


WAITS = [("result", "lithium", at(48), "asked", "")]


def test_what_is_waited_for_is_kept_with_who_waits_and_is_no_alert() -> None:
    state, alerts = play(START)
    assert (owed(state), alerts, due(state)) == (WAITS, [], at(48))
    assert later(state, 47.99) == (state, [])


def test_it_is_found_at_its_time_and_not_waited_for_any_more() -> None:
    after, (alert,) = later(play(START)[0], 48)
    assert (alert.status, alert.subject, alert.history[0].at, alert.true_since) == ("open", "lithium", at(48), at(48))
    assert (owed(after), due(after)) == ([], None)
    assert later(after, 500) == (after, [])


def test_what_comes_in_time_ends_the_waiting_and_what_comes_late_ends_the_alert() -> None:
    state, alerts = play(START, LEVEL)
    assert (owed(state), alerts, due(state)) == ([], [], None)
    _, alerts = play(START, lab("lithium", 0.8, 50))
    assert [(alert.status, alert.history[-1].at) for alert in alerts] == [("open", at(48)), ("resolved", at(50))]


def test_a_result_before_the_start_or_one_that_was_cancelled_is_no_answer() -> None:
    for other in (lab("lithium", 0.8, -3), lab("lithium", 0.8, 9, status="cancelled"), lab("sodium", 140, 9)):
        assert owed(play(START, other)[0]) == WAITS
    assert owed(play(START, LEVEL, lab("lithium", 0.8, 24, version=2, status="cancelled"))[0]) == WAITS


def test_a_result_at_the_very_time_is_in_time() -> None:
    state, alerts = play(START, lab("lithium", 0.8, 48))
    assert (owed(state), alerts) == ([], [])


def test_what_is_stopped_is_not_waited_for() -> None:
    state, alerts = play(START, order("lithium", 9, version=2, status="discontinued"), order("metformin", 99))
    assert (owed(state), alerts, due(state)) == ([], [], None)


STORIES: list[list[AnyEvent]] = [
    [START, LEVEL, order("metformin", 60), patient(1)],
    [START, lab("lithium", 0.8, 50), order("metformin", 60)],
    [START, lab("sodium", 140, 47), order("metformin", 20)],
    [START, lab("sodium", 140, 49), order("lithium", 3, id="second")],
    [START, LEVEL, lab("lithium", 0.8, 24, version=2, status="cancelled"), lab("sodium", 140, 60)],
    [START, order("lithium", 9, version=2, status="discontinued"), order("metformin", 99)],
]
ENDS = [([], []), ([], []), (WAITS, []), ([("result", "lithium", at(51), "asked", "")], ["lithium"])]
ENDS += [([], ["lithium"]), ([], [])]


@pytest.mark.parametrize(("story", "end"), list(zip(STORIES, ENDS, strict=True)))
@pytest.mark.parametrize("timing", ["live", "replayed"])
def test_any_order_of_arrival_ends_in_the_same_waiting_and_the_same_alerts(
    story: list[AnyEvent], end: tuple[list[Any], list[str]], timing: Any
) -> None:
    for arrived in permutations(story):
        state, _ = play(*(replace(event, timing=timing) for event in arrived))
        assert (owed(state), [alert.subject for alert in state.open_alerts.values()]) == end


def milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def record(event: AnyEvent, offset: int, hours: float) -> Record:
    return Record(topics.EVENTS, 0, offset, milliseconds(at(hours)), b"p", codec.encode(event), ())


def alerts_of(sends: list[Send]) -> list[Alert]:
    return [codec.decode_alert(send.value or b"") for send in sends if send.topic == topics.ALERTS]


def test_what_was_due_while_nothing_ran_is_raised_after_the_start_once_and_under_the_same_id() -> None:
    def started() -> MemoryEngine:
        engine = MemoryEngine(MonitorHandler(KNOWLEDGE, lambda _: at(0)))
        engine.feed([record(START, 0, 0)])
        return engine

    always, away = started(), started()
    (in_time,) = alerts_of(always.advance(milliseconds(at(48))))
    # a month later a new process takes over what was stored
    stored = away.state(b"p")
    assert stored is not None
    handler = MonitorHandler(KNOWLEDGE, lambda _: at(720))
    assert handler.due(stored) == milliseconds(at(48))
    outcome = handler.handle_due({b"p": stored}, milliseconds(at(720)))
    (after,) = alerts_of(outcome.sends)
    assert (after.alert_id, after.true_since, after.history[0].at) == (in_time.alert_id, at(48), at(48))
    kept = outcome.states[b"p"]
    assert kept is not None
    assert handler.handle_due({b"p": kept}, milliseconds(at(900))).sends == []
    # a crash before the state was stored: the same again
    (again,) = alerts_of(handler.handle_due({b"p": stored}, milliseconds(at(721))).sends)
    assert again.alert_id == in_time.alert_id
    # a feed of old dates finds it with its next event, a record before the look too
    _, (replayed,) = play(*(replace(event, timing="replayed") for event in (START, lab("sodium", 140, 300))))
    late = handler.handle([record(lab("sodium", 140, 300), 1, 719)], {b"p": stored})
    assert {replayed.alert_id, *(alert.alert_id for alert in alerts_of(late.sends))} == {in_time.alert_id}


def of(patient_id: str, event: AnyEvent) -> AnyEvent:
    return replace(event, patient_id=patient_id)


def merge(former: str, into: str, hours: float) -> AnyEvent:
    return patient(hours, patient_id=former, merged_into=into)


def test_what_is_waited_for_goes_with_the_record_of_a_patient() -> None:
    def open_after(*events: AnyEvent) -> list[tuple[str, str]]:
        running = Ward(KNOWLEDGE)
        for event in events:
            running.put(event).run()
        return [(alert.patient_id, alert.subject) for alert in running.open()]

    old, joined = of("old", START), merge("old", "new", 30)
    last = of("new", lab("sodium", 140, 60))
    assert open_after(old, joined) == []
    assert open_after(old, joined, last) == [("new", "lithium")]
    assert open_after(old, of("new", LEVEL), joined, last) == [], "the level was taken under the other id"
    assert open_after(of("new", START), of("old", LEVEL), joined, last) == []


def answers(*said: Obligation) -> Asked:
    return Asked(lambda state: said)


def waiting(hours: float, subject: str = "lithium", kind: Any = "review") -> Obligation:
    return Obligation(kind, subject, at(hours), "someone else", at(0))


def test_a_rule_that_yields_what_is_due_already_is_asked_once_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(waiting(1), waiting(-5, "past"))
    use(monkeypatch, asked)
    state, _ = play(START)
    assert owed(state) == [("review", "lithium", at(1), "asked", "")]
    after, changed = later(state, 99)
    assert (owed(after), changed, due(after), asked.times) == ([], [], None, [at(0), at(1)])


def test_of_one_kind_and_subject_the_first_time_counts_and_each_part_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, answers(waiting(9), waiting(5), waiting(7), waiting(8, kind="dose")))
    assert [each[2] for each in owed(play(START)[0])] == [at(5), at(8)]
    use(monkeypatch, Asked(lambda state: [waiting(5)], parts=("a", "b")))
    assert [each[4] for each in owed(play(START)[0])] == ["a", "b"]


def test_of_too_many_those_due_first_are_kept_and_the_others_come_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = MAX_OBLIGATIONS + 50
    told: list[tuple[str, Exception]] = []
    asked = answers(*(waiting(hour, f"s{hour}") for hour in range(many, 0, -1)))
    use(monkeypatch, asked)
    state, _ = take_event(None, START, KNOWLEDGE, at(0), lambda rule, error: told.append((rule, error)))
    assert sorted(each[2] for each in owed(state)) == [at(hour) for hour in range(1, MAX_OBLIGATIONS + 1)]
    assert [(rule, type(error)) for rule, error in told] == [("asked", TooManyObligations)]
    state, _ = advance(state, at(60), KNOWLEDGE, at(0), lambda rule, error: None)
    assert sorted(each[2] for each in owed(state)) == [at(hour) for hour in range(61, many + 1)]
    assert state.again == ()
    with pytest.raises(TooManyObligations):
        play(START)


def test_stored_and_read_it_is_the_same_and_one_of_an_older_release_is_read() -> None:
    state, _ = play(START)
    former = [*msgspec.to_builtins(waiting(5))[:5]]
    for stored in (encode, compressed):
        assert decode(stored(state)) == state
    assert msgspec.convert(former, Obligation).part == ""


def test_the_picture_lists_what_is_waited_for_those_due_first_and_an_order_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, answers(waiting(9), waiting(5, "ward\x1flithium", "supply")))
    state, alerts = play(lab("potassium", 7.0, -1), START)
    assert alerts == []
    assert [(each.kind, each.subject, each.due, each.by) for each in picture(state).owed] == [
        ("supply", "lithium", at(5), "asked"),
        ("review", "lithium", at(9), "asked"),
    ]
    assert picture(later(state, 7)[0]).owed == picture(state).owed[1:]


def test_the_page_folds_away_what_is_waited_for() -> None:
    owed = Owed(kind="result", subject="lithium <level>", due=at(48), since=at(0), by="asked")
    again = Owed(kind="look_again", subject="alert-7", due=at(50), since=at(0), by="A. Pharmacist")
    page = render("patient_fragment.html", picture=shown(owed=(owed, again)), words="", now=at(9))
    folded = page[page.index('aria-label="Waited for"') :]
    assert "<details><summary>2 waited for</summary>" in folded
    assert "Result: lithium &lt;level&gt;" in folded
    assert 'href="/alerts/alert-7"' in folded
    assert "asked for by A. Pharmacist" in folded
    assert "Waited for" not in render("patient_fragment.html", picture=shown(), words="", now=at(9))
