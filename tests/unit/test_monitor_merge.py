"""Two records of one patient become one, with each id in a partition of its own: stories. All orders of arrival are in
``test_patient_state_properties``."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from services.monitor.evaluate import LOOK_AGAIN, advance, due, take_event
from services.monitor.patient.bounds import MAX_FORMER_IDS, MAX_VERSIONS
from services.monitor.patient.state import PatientState, Pointer
from tests.support.clinical import KNOWLEDGE, at, lab, order, patient
from tests.support.ward import Ward


def of(patient_id: str, event: AnyEvent) -> AnyEvent:
    return replace(event, patient_id=patient_id)


def merge(former: str, into: str, hours: float) -> AnyEvent:
    return patient(hours, patient_id=former, merged_into=into)


def answer(alert: Alert, **more: Any) -> Feedback:
    fields: dict[str, Any] = {
        "feedback_id": "f", "alert_id": alert.alert_id, "patient_id": alert.patient_id, "revision": alert.revision,
        "answer": "acknowledged", "reason": "prescriber_contacted", "by": "A. Pharmacist", "at": at(3),
    }  # fmt: skip
    return Feedback(**(fields | more))


def ward(*events: AnyEvent | Feedback) -> Ward:
    """Each event handled, with what comes of it, before the next."""
    running = Ward(KNOWLEDGE)
    for event in events:
        running.put(event).run()
    return running


POTASSIUM = of("old", lab("potassium", 7.0, 1))


def test_a_problem_that_needs_facts_of_both_records_is_found_when_they_are_one() -> None:
    apart = ward(of("old", order("simvastatin", 0)), of("new", order("clarithromycin", 1)))
    assert apart.open() == []
    (alert,) = apart.put(merge("old", "new", 2)).run().open()
    assert (alert.patient_id, alert.subject) == ("new", "statin:clarithromycin+simvastatin")


def test_an_open_problem_is_open_once_under_the_id_that_goes_on_and_the_old_alert_points_there() -> None:
    running = ward(POTASSIUM, of("new", lab("sodium", 140, 0)), merge("old", "new", 2))
    former, opened = running.alerts[0], running.open()
    assert [(alert.patient_id, alert.subject) for alert in opened] == [("new", "potassium:high")]
    withdrawn = next(alert for alert in running.alerts if alert.alert_id == former.alert_id and alert.revision == 2)
    assert withdrawn.status == "withdrawn"
    assert "patient new" in withdrawn.history[-1].why


def test_a_problem_that_both_records_had_open_goes_on_under_its_id() -> None:
    running = ward(POTASSIUM, of("new", lab("potassium", 7.2, 1, id="k2")), merge("old", "new", 2))
    (alert,) = running.open()
    assert alert.alert_id == next(each.alert_id for each in running.alerts if each.patient_id == "new")
    assert {fact.record_id for fact in alert.implicated} == {"potassium-1", "k2"}


def test_an_answer_is_not_asked_for_again_unless_it_is_graver() -> None:
    first = ward(POTASSIUM)
    (alert,) = first.open()
    first.put(answer(alert)).run().put(merge("old", "new", 4)).run()
    (carried,) = first.open()
    assert carried.acknowledgement is not None
    assert [entry.change for entry in carried.history] == ["opened", "acknowledged"]
    assert "patient old" in carried.history[-1].why
    graver = ward(POTASSIUM)
    graver.put(answer(graver.open()[0]), of("new", order("metformin", 0))).run()
    graver.put(of("old", lab("potassium", 7.9, 5, id="late")), merge("old", "new", 6)).run()
    assert graver.open()[0].acknowledgement is None


def test_late_events_for_the_old_id_follow_and_corrections_find_what_they_correct() -> None:
    running = ward(POTASSIUM, merge("old", "new", 2))
    running.put(of("old", lab("potassium", 4.0, 1, status="corrected", version=2))).run()
    assert running.open() == []
    running.put(of("old", order("simvastatin", 3)), of("new", order("clarithromycin", 3))).run()
    assert [alert.patient_id for alert in running.open()] == ["new"]
    old = running.state("old")
    assert old is not None and old.merged is not None
    assert (old.merged.into, old.orders, old.results) == ("new", {}, {})
    new = running.state("new")
    assert new is not None
    assert new.former_ids == ("old",)


@pytest.mark.parametrize(
    ("merges", "goes_on"),
    [
        ((("a", "b"), ("b", "c")), "c"),
        ((("a", "b"), ("b", "a")), "a"),  # the second merge is the newer one, and takes the first back
        ((("a", "b"), ("b", "c"), ("c", "a")), "a"),
        ((("a", "a"),), "a"),
        ((("a", "b"), ("a", "b")), "b"),
    ],
)
def test_chains_are_followed_to_their_end_and_circles_end(merges: tuple[tuple[str, str], ...], goes_on: str) -> None:
    ordered = [merge(former, into, 10 + number) for number, (former, into) in enumerate(merges)]
    facts: list[Any] = [of("a", order("simvastatin", 0)), of("a", order("clarithromycin", 1))]
    for events in ([*facts, *ordered], [*facts, *reversed(ordered)], [*ordered, *facts], [*reversed(ordered), *facts]):
        running = ward(*events)
        assert [alert.patient_id for alert in running.open()] == [goes_on]
        state = running.state(goes_on)
        assert state is not None
        assert len(state.orders) == 2


def test_a_record_delivered_again_after_a_crash_changes_nothing() -> None:
    events = [POTASSIUM, merge("old", "new", 2), of("old", order("simvastatin", 3))]
    once, twice = ward(*events), ward(*events, *events)
    assert [a.alert_id for a in once.open()] == [a.alert_id for a in twice.open()]
    first, second = once.state("new"), twice.state("new")
    assert first is not None and second is not None
    assert replace(first, applied={}) == replace(second, applied={})


def test_a_result_that_the_other_record_knows_to_be_of_another_analyte_leaves_no_alert_behind() -> None:
    wrong, right = lab("potassium", 7.5, 1, id="r"), lab("sodium", 140, 1, id="r", status="corrected", version=2)
    running = ward(of("new", wrong), of("old", right), merge("old", "new", 2))
    assert running.open() == []


def test_what_a_person_will_monitor_asks_again_under_the_id_that_goes_on() -> None:
    running = ward(POTASSIUM)
    running.put(answer(running.open()[0], answer="will_monitor")).run().put(merge("old", "new", 4)).run()
    (carried,) = running.open()
    assert carried.acknowledgement is not None
    state = running.state("new")
    assert state is not None
    assert due(state) == at(3) + LOOK_AGAIN
    after, (again,) = advance(state, at(40), KNOWLEDGE, at(40))
    assert (again.alert_id, again.acknowledgement, again.history[-1].change) == (carried.alert_id, None, "attention")
    assert after.obligations == {}


def test_what_ended_before_the_other_record_came_ended_at_its_own_time() -> None:
    pair = [of("new", order("simvastatin", 0)), of("new", order("clarithromycin", 1, end=at(5)))]
    running = ward(*pair, of("old", lab("sodium", 140, 9)), merge("old", "new", 10))
    assert (running.alerts[-1].status, running.alerts[-1].history[-1].at) == ("resolved", at(5))


def test_a_newer_merge_says_where_later_events_go() -> None:
    running = ward(merge("old", "wrong", 1), merge("old", "right", 2), of("old", lab("potassium", 7.0, 3)))
    assert [alert.patient_id for alert in running.open()] == ["right"]
    again = ward(merge("old", "right", 2), merge("old", "wrong", 1), of("old", lab("potassium", 7.0, 3)))
    assert [alert.patient_id for alert in again.open()] == ["right"]


def test_what_passed_an_id_before_it_pointed_elsewhere_does_not_stay_there() -> None:
    running = Ward(KNOWLEDGE)
    running.put(merge("a", "b", 1), merge("b", "a", 2), merge("a", "b", 3), of("a", lab("potassium", 7.0, 0))).run()
    assert [alert.patient_id for alert in running.open()] == ["b"]
    left = running.state("a")
    assert left is not None and left.merged is not None
    assert left.merged.follows


def test_an_order_of_many_versions_keeps_its_start_when_it_is_taken_over() -> None:
    told = [of("old", order("simvastatin", hours, id="o", version=hours + 1)) for hours in range(MAX_VERSIONS + 10)]
    state = ward(*told, merge("old", "new", 90)).state("new")
    assert state is not None
    assert state.orders["ward\x1fo"].starts == at(0)


def test_a_fact_that_comes_again_after_a_circle_opens_an_alert_of_its_own() -> None:
    """The alert that was withdrawn has the higher revision, and would hide one that opened under its id."""
    never_left = PatientState("old", at(0))
    came_back = replace(never_left, merged=Pointer("new", (0, 2.0, 0, "new"), follows=False))
    once, again, other = (
        take_event(state, POTASSIUM, KNOWLEDGE, at(2))[1][0].alert_id for state in (came_back, came_back, never_left)
    )
    assert once == again != other


def test_any_number_of_records_merged_into_one_leaves_a_state_that_is_bounded() -> None:
    running = Ward(KNOWLEDGE).put(
        *(merge(f"unknown-{number:03}", "one", number) for number in range(MAX_FORMER_IDS + 20))
    )
    state = running.run().state("one")
    assert state is not None
    assert len(state.former_ids) == MAX_FORMER_IDS
