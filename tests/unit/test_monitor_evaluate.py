"""Patients' stories: what opens, changes and ends an alert."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import Alert
from schemas.events import AnyEvent, Dosage, Drug
from schemas.feedback import Feedback
from schemas.values import Coding, Origin
from services.monitor.alerts.lifecycle import MAX_FACTS, MAX_HISTORY
from services.monitor.evaluate import due, take_event, take_feedback
from services.monitor.patient.state import PatientState
from tests.support.clinical import (
    KNOWLEDGE,
    SEROTONIN,
    STATIN,
    T0,
    SmallKnowledge,
    at,
    daily,
    interaction,
    lab,
    limit,
    order,
    patient,
)

NOW = datetime(2026, 11, 3, tzinfo=UTC)


def play(
    *events: AnyEvent, state: PatientState | None = None, knowledge: Any = KNOWLEDGE
) -> tuple[PatientState, list[Alert]]:
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, knowledge, NOW)
        alerts += changed
    assert state is not None
    return state, alerts


def changes(alerts: Iterable[Alert]) -> list[tuple[str, str]]:
    return [(alert.subject, alert.history[-1].change) for alert in alerts]


# --- interactions


def test_two_interacting_orders_open_one_alert_that_says_what_why_since_when_and_from_what() -> None:
    first = order("simvastatin", 0, origin=Origin("hospital.messages", 1, 7))
    second = order("clarithromycin", 2, origin=Origin("hospital.messages", 1, 9))
    _, (alert,) = play(first, second)
    assert alert.status == "open"
    assert alert.severity == "high"
    assert alert.subject == "statin:clarithromycin+simvastatin"
    assert alert.true_since == at(2)
    assert alert.detected_at == NOW
    assert [fact.record_id for fact in alert.implicated] == ["simvastatin", "clarithromycin"]
    assert [origin.offset for origin in alert.origins] == [7, 9]
    assert alert.actions
    assert alert.citations
    assert alert.knowledge_version == "test"
    assert [entry.change for entry in alert.history] == ["opened"]


def test_the_order_of_arrival_does_not_matter_for_a_pair() -> None:
    orders = [order("simvastatin", 0), order("clarithromycin", 2), order("metformin", 1)]
    subjects = {tuple(alert.subject for alert in play(*arrival)[1]) for arrival in permutations(orders)}
    assert subjects == {("statin:clarithromycin+simvastatin",)}


def test_nothing_fires_for_a_stopped_held_or_voided_order() -> None:
    for status in ("discontinued", "held", "entered_in_error"):
        stop = order("simvastatin", 1, status=status, version=2)
        _, alerts = play(order("simvastatin", 0), stop, order("clarithromycin", 2))
        assert alerts == [], status


def test_nothing_fires_when_one_order_ends_before_the_other_starts() -> None:
    _, alerts = play(order("simvastatin", 0, end=at(1)), order("clarithromycin", 0, start=at(1)))
    assert alerts == []
    _, alerts = play(order("simvastatin", 0, end=at(2)), order("clarithromycin", 0, start=at(1)))
    assert changes(alerts) == [("statin:clarithromycin+simvastatin", "opened")]


def test_nothing_fires_for_a_topical_member_or_the_same_ingredient_alone() -> None:
    assert play(order("simvastatin", 0), order("clarithromycin", 1, route="topical"))[1] == []
    assert play(order("simvastatin", 0, id="a"), order("simvastatin", 1, id="b"))[1] == []


def test_a_combination_product_does_not_interact_with_itself_but_with_another_order() -> None:
    product = order("simvastatin/clarithromycin", 0)
    assert play(product)[1] == []
    assert changes(play(product, order("clarithromycin", 1))[1]) == [("statin:clarithromycin+simvastatin", "opened")]


def test_two_orders_of_one_ingredient_are_still_one_problem() -> None:
    state, alerts = play(order("simvastatin", 0), order("clarithromycin", 1), order("clarithromycin", 2, id="second"))
    assert changes(alerts) == [
        ("statin:clarithromycin+simvastatin", "opened"),
        ("statin:clarithromycin+simvastatin", "updated"),
    ]
    assert len({alert.alert_id for alert in alerts}) == len(state.open_alerts) == 1


@pytest.mark.parametrize(("milligrams", "severity"), [(10, None), (10.01, "high"), (20, "high")])
def test_a_dose_that_the_label_permits_is_silent(milligrams: float, severity: str | None) -> None:
    _, alerts = play(order("simvastatin", 0, dosage=daily(milligrams)), order("diltiazem", 1))
    assert [alert.severity for alert in alerts] == ([severity] if severity else [])


def test_an_unknown_dose_is_moderate_and_said() -> None:
    _, (alert,) = play(order("simvastatin", 0), order("diltiazem", 1))
    assert alert.severity == "moderate"
    assert "not known" in alert.detail


def test_stopping_resolves_and_entered_in_error_withdraws() -> None:
    both = (order("simvastatin", 0), order("clarithromycin", 1))
    _, (_, ended) = play(*both, order("clarithromycin", 3, status="discontinued", version=2))
    assert (ended.status, ended.revision) == ("resolved", 2)
    assert "discontinued" in ended.history[-1].why
    _, (_, ended) = play(*both, order("clarithromycin", 3, status="entered_in_error", version=2))
    assert ended.status == "withdrawn"


def test_an_order_that_ran_out_resolves_with_the_next_event() -> None:
    _, alerts = play(order("simvastatin", 0), order("clarithromycin", 1, end=at(5)), lab("sodium", 140, 6))
    assert changes(alerts)[-1] == ("statin:clarithromycin+simvastatin", "resolved")


def test_a_stop_that_names_no_drug_stops_what_was_ordered() -> None:
    stop = order("x", 3, id="clarithromycin", status="discontinued", version=2, drug=Drug())
    state, alerts = play(order("simvastatin", 0), order("clarithromycin", 1), stop)
    assert alerts[-1].status == "resolved"
    assert [o.label for o in state.orders.values()] == ["simvastatin", "clarithromycin"]


def test_a_new_episode_after_the_end_of_one_has_an_id_of_its_own() -> None:
    hold = order("clarithromycin", 2, status="held", version=2)
    resume = order("clarithromycin", 3, status="resumed", version=3)
    _, alerts = play(order("simvastatin", 0), order("clarithromycin", 1), hold, resume)
    assert [alert.status for alert in alerts] == ["open", "resolved", "open"]
    assert alerts[0].alert_id != alerts[2].alert_id


def test_a_later_episode_points_at_the_one_before() -> None:
    ended = order("clarithromycin", 2, version=2, status="discontinued")
    state, alerts = play(order("simvastatin", 0), order("clarithromycin", 1), ended, lab("potassium", 7.0, 3))
    again, later = play(order("clarithromycin", 4, id="again"), state=state)
    (first,) = {alert.alert_id for alert in alerts if alert.family == "interaction"}
    assert [(alert.status, alert.previous) for alert in later] == [("open", first)]
    assert {alert.previous for alert in alerts} == {""}, "the first of its kind points at none"
    _, third = play(
        order("clarithromycin", 5, id="again", version=2, status="discontinued"),
        order("clarithromycin", 6, id="c"),
        state=again,
    )
    assert third[-1].previous == later[0].alert_id


def test_versions_that_a_source_does_not_count_are_ordered_by_time() -> None:
    hold, resume = order("clarithromycin", 2, status="held"), order("clarithromycin", 3, status="resumed")
    for arrival in permutations([order("clarithromycin", 1), hold, resume]):
        state, _ = play(order("simvastatin", 0), *arrival)
        assert len(state.open_alerts) == 1, [event.status for event in arrival]


# --- critical values


@pytest.mark.parametrize(
    ("value", "subject"),
    [(2.79, "potassium:low"), (2.8, None), (6.2, None), (6.21, "potassium:high")],
)
def test_limits_are_critical_strictly_beyond(value: float, subject: str | None) -> None:
    assert [alert.subject for alert in play(lab("potassium", value))[1]] == ([subject] if subject else [])


@pytest.mark.parametrize(
    ("comparator", "value", "critical"),
    [("<", 2.8, True), ("<=", 2.8, False), ("<", 3.0, False), (">", 6.2, True), (">", 6.0, False), ("<", 7.0, False)],
)
def test_a_result_with_a_comparator_is_critical_only_when_it_certainly_is(
    comparator: str, value: float, critical: bool
) -> None:
    assert bool(play(lab("potassium", value, comparator=comparator))[1]) is critical


@pytest.mark.parametrize(
    ("born", "critical"),
    [
        (date(1950, 1, 1), True),  # adult: above 6.2
        (date(2020, 1, 1), False),  # child: up to 6.4
        (date(2008, 11, 2), True),  # eighteen today
        (date(2008, 11, 3), False),  # eighteen tomorrow
        (date(2026, 11, 1), False),  # newborn: up to 7.8
        (date(2030, 1, 1), True),  # not yet born: age unknown, adult limits
        (date(1850, 1, 1), True),  # older than anyone: age unknown, adult limits
        (None, True),
    ],
)
def test_the_limits_are_those_of_the_age(born: date | None, critical: bool) -> None:
    known: list[AnyEvent] = [] if born is None else [patient(-1, birth_date=born)]
    _, alerts = play(*known, lab("potassium", 6.3))
    assert bool(alerts) is critical


def test_the_newborn_band_ends_after_28_days() -> None:
    for days, subject in ((27, []), (28, ["potassium:high"])):
        born = (T0 - timedelta(days=days)).date()
        assert [a.subject for a in play(patient(-1, birth_date=born), lab("potassium", 7.0))[1]] == subject


def test_an_unknown_age_is_said() -> None:
    assert "age is not known" in play(lab("potassium", 7))[1][0].detail


def test_an_episode_opens_updates_and_resolves_on_a_newer_result() -> None:
    values = [lab("potassium", value, hours) for hours, value in enumerate([6.5, 7.1, 6.4, 5.0, 6.6])]
    _, alerts = play(*values)
    assert [change for _, change in changes(alerts)] == ["opened", "updated", "updated", "resolved", "opened"]
    assert len({alert.alert_id for alert in alerts}) == 2
    assert [fact.value for entry in alerts[3].history for fact in entry.facts] == [6.5, 7.1, 6.4]
    assert "5 mmol/L" in alerts[3].history[-1].why


def test_a_late_older_result_opens_nothing() -> None:
    assert play(lab("potassium", 4.0, 5), lab("potassium", 7.5, 1))[1] == []


def test_two_results_of_one_time_count_both() -> None:
    for first, second in ((7.0, 4.0), (4.0, 7.0)):
        state, _ = play(lab("potassium", first, 1, id="a"), lab("potassium", second, 1, id="b"))
        assert len(state.open_alerts) == 1


def test_time_alone_never_ends_a_laboratory_alert() -> None:
    state, alerts = play(lab("potassium", 7.0, 0), order("metformin", 24 * 365))
    assert changes(alerts) == [("potassium:high", "opened")]
    assert state.open_alerts


def test_a_corrected_result_withdraws_and_a_cancelled_one_too() -> None:
    for status, value in (("corrected", 4.1), ("cancelled", None)):
        fixed = lab("potassium", value, 0, status=status, version=2)
        _, alerts = play(lab("potassium", 7.1, 0), fixed)
        assert [alert.status for alert in alerts] == ["open", "withdrawn"], status


def test_a_correction_that_comes_first_leaves_nothing_for_the_older_version_to_open() -> None:
    fixed = lab("potassium", 4.1, 0, status="corrected", version=2)
    assert play(fixed, lab("potassium", 7.1, 0))[1] == []


def test_a_result_without_a_number_changes_nothing() -> None:
    _, alerts = play(lab("potassium", 7.1, 0), lab("potassium", None, 1, text="haemolysed"))
    assert changes(alerts) == [("potassium:high", "opened")]


def test_a_birth_date_that_comes_later_changes_the_limits() -> None:
    _, alerts = play(lab("potassium", 6.3), patient(1, birth_date=date(2020, 1, 1)))
    assert [alert.status for alert in alerts] == ["open", "resolved"]


# --- the clock


def test_a_date_in_the_future_does_not_carry_the_clock_beyond_the_receipt() -> None:
    future = lab("sodium", 140, 24 * 365 * 50, ingested_at=at(3))
    state, alerts = play(order("simvastatin", 0), order("clarithromycin", 1, end=at(100)), future)
    assert state.clock == at(3)
    assert changes(alerts) == [("statin:clarithromycin+simvastatin", "opened")]
    year_9999 = datetime(9999, 12, 31, tzinfo=UTC)
    _, alerts = play(lab("potassium", 7.2, occurred_at=year_9999, ingested_at=at(3), id="x"), lab("potassium", 4.0, 4))
    assert [alert.status for alert in alerts] == ["open", "resolved"]


def test_a_replayed_source_has_its_own_time() -> None:
    state, _ = play(lab("sodium", 140, 24 * 365 * 150, ingested_at=at(3), timing="replayed"))
    assert state.clock.year > 2170


# --- repetition and order of arrival


def test_the_same_event_twice_changes_nothing() -> None:
    story: list[AnyEvent] = [order("simvastatin", 0), order("clarithromycin", 1), lab("potassium", 7, 2)]
    state, alerts = play(*story)
    again, more = play(*story, state=state)
    assert more == []
    assert again == state
    assert len(alerts) == 2


STORY_KNOWLEDGE: Any = SmallKnowledge(
    [
        *(each for known in KNOWLEDGE.interactions.values() for each in known),
        interaction(SEROTONIN, "tyramine", "tranylcypromine"),
        interaction(SEROTONIN, "fluoxetine", "tramadol"),
        interaction(STATIN, "simvastatin", "digoxin"),
    ],
    [*KNOWLEDGE.limits.values(), limit("glucose", 46, 484), limit("sodium", 120, 158), limit("calcium", 7, 13)],
)
STORY: list[AnyEvent] = [
    patient(-5, birth_date=date(1950, 5, 5)),
    order("simvastatin", 0),
    order("clarithromycin", 1),
    order("clarithromycin", 4, status="held", version=2),
    order("clarithromycin", 6, status="resumed", version=3),
    order("fluoxetine", 2),
    order("phenelzine", 3),
    order("phenelzine", 5, status="discontinued", version=2),
    lab("potassium", 7.0, 1, id="k1"),
    lab("potassium", 4.0, 1, id="k1", status="corrected", version=2),
    lab("potassium", 6.9, 3, id="k2"),
    lab("potassium", 2.1, 2, id="k3"),
    # an end that the next version leaves out, and a stop and a cancellation that name neither medicine nor analyte
    order("diltiazem", 0, end=at(3)),
    order("diltiazem", 1, status="changed", version=2),
    order("x", 4, id="digoxin", status="discontinued", version=2, drug=Drug(), dosage=Dosage()),
    order("digoxin", 0),
    lab("x", None, 9, id="k4", status="cancelled", version=2, analyte="", codings=(Coding("local", "K"),)),
    lab("potassium", 1.9, 5, id="k4"),
    # a record changed twice that nobody counts, in the end critical again
    lab("glucose", 30, 1, id="g1", recorded_at=at(1)),
    lab("glucose", 90, 1, id="g1", status="corrected", recorded_at=at(2)),
    lab("glucose", 31, 1, id="g1", status="corrected", recorded_at=at(3)),
    lab("glucose", 60, 2, id="g2", comparator="<"),
    lab("sodium", 170, 1, id="n1"),
    lab("sodium", 150, 2, id="n2", comparator=">"),
    lab("sodium", 140, 3, id="n3", remark="implausible"),
    lab("calcium", 20, 1, id="c1", comparator=">"),
    lab("calcium", 9, 2, id="c2", comparator="<"),
    # a single dose of the last hours, and one of the day before
    order("tranylcypromine", 6, start=at(6), end=at(6)),
    order("tyramine", 6),
    order("tramadol", -30, start=at(-30), end=at(-30)),
]

ENDS_WITH = {
    "statin:clarithromycin+simvastatin", "serotonin:tranylcypromine+tyramine", "potassium:high", "glucose:low", "sodium:high",
}  # fmt: skip


def open_problems(state: PatientState) -> set[tuple[Any, ...]]:
    return {(a.rule, a.subject, a.status, a.severity, a.implicated) for a in state.open_alerts.values()}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(STORY), max_size=4))
def test_any_order_of_arrival_ends_in_the_same_open_problems(seed: int, repeated: list[AnyEvent]) -> None:
    expected = open_problems(play(*STORY, knowledge=STORY_KNOWLEDGE)[0])
    assert {subject for _, subject, *_ in expected} == ENDS_WITH
    arrival = [*STORY, *repeated]
    random.Random(seed).shuffle(arrival)
    assert open_problems(play(*arrival, knowledge=STORY_KNOWLEDGE)[0]) == expected


# --- answers


def answer(alert: Alert, **more: Any) -> Feedback:
    fields: dict[str, Any] = {
        "feedback_id": "f",
        "alert_id": alert.alert_id,
        "patient_id": "p",
        "revision": alert.revision,
        "answer": "acknowledged",
        "reason": "prescriber_contacted",
        "by": "A. Pharmacist",
        "at": NOW,
    }
    return Feedback(**(fields | more))


def test_an_answer_is_kept_and_said_once() -> None:
    state, (alert,) = play(lab("potassium", 7.0))
    state, (noted,) = take_feedback(state, answer(alert), KNOWLEDGE, NOW)
    assert (noted.revision, noted.status, noted.history[-1].by) == (2, "open", "A. Pharmacist")
    assert noted.acknowledgement is not None
    assert noted.acknowledgement.reason == "prescriber_contacted"
    assert take_feedback(state, answer(alert), KNOWLEDGE, NOW) == (state, [])


def test_after_an_answer_only_something_worse_asks_again() -> None:
    state, (alert,) = play(lab("potassium", 7.0))
    state, _ = take_feedback(state, answer(alert), KNOWLEDGE, NOW)
    state, (milder,) = play(lab("potassium", 6.6, 1), state=state)
    assert milder.history[-1].change == "updated"
    assert milder.acknowledgement is not None
    state, (worse,) = play(lab("potassium", 7.4, 2), state=state)
    assert worse.history[-1].change == "attention"
    assert worse.acknowledgement is None


def test_an_answer_to_a_milder_state_asks_again_at_once() -> None:
    state, alerts = play(lab("potassium", 6.5), lab("potassium", 7.4, 1))
    state, revisions = take_feedback(state, answer(alerts[0]), KNOWLEDGE, NOW)
    assert [revision.history[-1].change for revision in revisions] == ["acknowledged", "attention"]
    assert [revision.revision for revision in revisions] == [3, 4]


def test_an_answer_to_an_alert_that_has_ended_changes_nothing() -> None:
    state, (alert, _) = play(lab("potassium", 6.5), lab("potassium", 4.4, 1))
    assert take_feedback(state, answer(alert), KNOWLEDGE, NOW) == (state, [])


def test_an_answer_that_comes_late_does_not_undo_a_later_one() -> None:
    state, (alert,) = play(lab("potassium", 7.0))
    second = answer(alert, feedback_id="2", by="B. Pharmacist", at=at(5), reason="prescriber_contacted")
    first = answer(alert, feedback_id="1", answer="will_monitor", reason="will_monitor", at=at(4))
    for came in ((first, second), (second, first)):
        after = state
        for each in came:
            after, revisions = take_feedback(after, each, KNOWLEDGE, at(6))
            assert [revision.history[-1].change for revision in revisions] == ["acknowledged"]
        (noted,) = after.open_alerts.values()
        assert noted.acknowledgement is not None
        assert (noted.acknowledgement.by, len(noted.history), due(after)) == ("B. Pharmacist", 3, None)


def test_the_history_of_an_alert_is_bounded_in_entries_and_in_what_an_entry_names() -> None:
    _, alerts = play(*(lab("potassium", 7.0 + number % 3, number) for number in range(MAX_HISTORY + 50)))
    assert len(alerts[-1].history) == MAX_HISTORY
    assert (alerts[-1].history[0].change, alerts[-1].revision) == ("opened", MAX_HISTORY + 50)
    together = (order("simvastatin", number, id=f"o{number}") for number in range(MAX_FACTS + 20))
    _, (opened, *_) = play(*together, order("clarithromycin", 99))
    assert (len(opened.implicated), len(opened.history[0].facts)) == (MAX_FACTS + 21, MAX_FACTS)
