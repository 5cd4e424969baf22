"""Two records of one patient become one, with each id in a partition of its own: stories. All orders of arrival are in
``test_patient_state_properties``."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from tests.support.clinical import KNOWLEDGE, at, lab, order, patient
from tests.support.ward import Ward


def of(patient_id: str, event: AnyEvent) -> AnyEvent:
    return replace(event, patient_id=patient_id)


def merge(former: str, into: str, hours: float) -> AnyEvent:
    return patient(hours, patient_id=former, merged_into=into)


def answer(alert: Alert) -> Feedback:
    return Feedback(
        feedback_id="f", alert_id=alert.alert_id, patient_id=alert.patient_id, revision=alert.revision, answer="acknowledged",
        reason="prescriber_contacted", by="A. Pharmacist", at=at(3),
    )  # fmt: skip


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
