"""Medicines of home about which nobody decides, and those that come back after they harmed. 24 hours are those of a guideline,
the others are our own, typed again."""

from __future__ import annotations

from itertools import permutations

import pytest

from knowledge.loader import load
from schemas.events import AnyEvent, Stay
from services.monitor.patient.stored import decode, encode
from services.monitor.rules.not_continued import NotContinued
from services.monitor.rules.restarted_after_harm import RestartedAfterHarm
from services.monitor.rules.rule import Rule
from tests.support.alone import alone, play
from tests.support.clinical import at, order, patient
from tests.support.supplies import DAY, given, handed, ordered, stay, tick

MINUTE = 1 / 60
HOME = -30 * DAY
WARD = ordered("acetaminophen", 1)
"""Something is ordered on the ward, so what is not ordered can be seen."""


def found(rule: Rule, *events: AnyEvent) -> dict[str, str]:
    with alone(rule):
        state, _ = play(*events)
    return {each.subject: each.severity for each in state.open_alerts.values()}


def forgotten(*events: AnyEvent) -> dict[str, str]:
    return found(NotContinued(), *events)


def again(*events: AnyEvent) -> dict[str, str]:
    return found(RestartedAfterHarm(), *events)


# --- admission
@pytest.mark.parametrize(
    ("name", "severity"),
    [("levetiracetam", "high"), ("tacrolimus", "high"), ("metoprolol", "moderate"), ("apixaban", "moderate"),
     ("prednisone", "moderate"), ("carbidopa/levodopa", "moderate"), ("levothyroxine", "info"), ("lisinopril", "info"),
     ("famotidine", "")],
)  # fmt: skip
def test_neither_ordered_nor_stopped_a_day_after_the_admission(name: str, severity: str) -> None:
    story = [ordered(name, HOME), stay(0), WARD]
    assert forgotten(*story, tick(24 - MINUTE)) == {}
    assert forgotten(*story, tick(24)) == ({name: severity} if severity else {})


def test_a_supply_of_home_without_an_order_counts_as_well() -> None:
    assert forgotten(handed("metoprolol", -5 * DAY), stay(0), WARD, tick(25)) == {"metoprolol": "moderate"}
    assert forgotten(handed("metoprolol", -40 * DAY), stay(0), WARD, tick(25)) == {}, "it ran out before"


def test_a_decision_keeps_it_away_and_ends_it() -> None:
    story = [ordered("metoprolol", HOME), stay(0), WARD]
    for decision in (
        ordered("metoprolol", 20, record_id="ward"),
        ordered("atenolol", 20),
        given("metoprolol", 20, order_id="ward", status="held"),
        order("metoprolol", 20, version=2, status="discontinued"),
        order("metoprolol", 20, version=2, status="held"),
        order("metoprolol", 20, version=2, status="changed"),
    ):
        assert forgotten(*story, decision, tick(25)) == {}, decision
        assert forgotten(*story, tick(25), decision) == {}, decision
    assert forgotten(*story, ordered("amlodipine", 20), tick(25)) == {"metoprolol": "moderate"}


def test_an_order_of_the_day_before_is_one_of_the_ward() -> None:
    assert forgotten(ordered("metoprolol", -23), stay(0), WARD, tick(30)) == {}
    assert forgotten(ordered("metoprolol", -24), stay(0), WARD, tick(30)) == {"metoprolol": "moderate"}


def test_it_is_not_judged_where_nothing_of_the_ward_is_known() -> None:
    story = [ordered("metoprolol", HOME), stay(0), tick(-1)]
    nothing = patient(30, sex="female")
    assert forgotten(*story, nothing) == {}
    assert forgotten(*story, given("acetaminophen", 2), nothing) == {"metoprolol": "moderate"}


def test_what_makes_it_right_to_leave_it_out() -> None:
    story = [ordered("metoprolol", HOME), stay(0), WARD]
    pressor = ordered("norepinephrine", 2, route="intravenous")
    assert forgotten(*story, pressor, tick(25)) == {}
    assert forgotten(*story, pressor, tick(25), order("norepinephrine", 30, version=2, status="discontinued")) == {
        "metoprolol": "moderate"
    }


def test_the_discharge_ends_it() -> None:
    story = [ordered("metoprolol", HOME), stay(0), WARD, tick(25)]
    assert forgotten(*story, stay(0, 48, version=2, occurred_at=at(48))) == {}
    assert forgotten(*story[:-1], stay(0, 20, version=2, occurred_at=at(20)), tick(25)) == {}


# --- discharge
def held(hours: float = 2) -> AnyEvent:
    return order("metoprolol", hours, version=2, status="held")


HELD = [ordered("metoprolol", HOME), stay(0), WARD, held()]
OUT = stay(0, 72, version=2, occurred_at=at(72))


def test_held_and_not_resumed_a_day_after_the_discharge() -> None:
    assert forgotten(*HELD, tick(71)) == {}
    assert forgotten(*HELD, OUT, tick(96 - MINUTE)) == {}
    assert forgotten(*HELD, OUT, tick(96)) == {"metoprolol": "moderate"}
    assert forgotten(*HELD, OUT, tick(72 + 30 * DAY)) == {}, "asked for a month"


def test_a_word_on_it_ends_it() -> None:
    for decision in (
        order("metoprolol", 97, version=3, status="resumed"),
        order("metoprolol", 97, version=3, status="discontinued"),
        ordered("metoprolol", 71, record_id="discharge"),
        ordered("atenolol", 71),
        handed("metoprolol", 97),
    ):
        assert forgotten(*HELD, OUT, tick(98), decision) == {}, decision
    assert forgotten(*HELD, ordered("metoprolol", 30, record_id="ward", end=at(72)), OUT, tick(98)) == {
        "metoprolol": "moderate"
    }, "given on the ward, and then no more"


def test_what_was_held_at_home_long_before_is_not_a_matter_of_the_transfer() -> None:
    assert forgotten(ordered("metoprolol", HOME), held(-10 * DAY), stay(0), WARD, OUT, tick(98)) == {}


def test_a_source_that_tells_only_the_discharge() -> None:
    out = patient(72, stay=Stay(encounter_class="outpatient", discharged_at=at(72)))
    ward = ordered("acetaminophen", 3, end=at(72))
    story = [ordered("metoprolol", HOME), held(), ward, out]
    assert forgotten(*story, tick(97)) == {"metoprolol": "moderate"}


def test_the_order_of_arrival_does_not_matter() -> None:
    for end in (tick(30), tick(98)):
        for story in ([ordered("metoprolol", HOME), stay(0), WARD], [*HELD[:2], WARD, held(), OUT]):
            first = forgotten(*story, end)
            for some in permutations(story):
                assert forgotten(*some, end) == first
                assert forgotten(end, *some) == first


# --- restarted after harm
@pytest.mark.parametrize(
    ("reason", "severity"),
    [("adverse reaction: angioedema", "high"), ("GI bleed on 3 May", "high"), ("Adverse reaction: rash", "moderate"),
     ("not tolerated", "moderate"), ("side effects", "moderate"), ("no adverse reaction, course complete", ""),
     ("without any sign of bleeding", ""), ("formulary change", ""), ("", "")],
)  # fmt: skip
def test_what_a_reason_says(reason: str, severity: str) -> None:
    first = ordered("carbamazepine", HOME)
    stop = order("carbamazepine", -9 * DAY, version=2, status="discontinued", reason=reason)
    expected = {"carbamazepine": severity} if severity else {}
    assert again(first, stop, ordered("carbamazepine", 0, record_id="again")) == expected
    assert again(first, stop, handed("carbamazepine", 0)) == expected
    assert again(first, stop, order("carbamazepine", 0, version=3, status="resumed")) == expected


STOP = order("lisinopril", -9 * DAY, version=2, status="discontinued", reason="adverse reaction: angioedema")
STORY = [ordered("lisinopril", HOME), STOP, ordered("lisinopril", 0, record_id="again")]


def test_only_what_comes_after_the_stop_and_of_the_same_medicine() -> None:
    assert again(*STORY) == {"lisinopril": "high"}
    assert again(*STORY[:2]) == {}
    assert again(*STORY[:2], ordered("amlodipine", 0)) == {}
    assert again(*STORY[:2], ordered("lisinopril", -20 * DAY, record_id="beside")) == {}
    assert again(*STORY, order("lisinopril", 5, id="again", version=2, status="discontinued")) == {}
    assert again(*STORY, order("lisinopril", 5, version=3, status="entered_in_error")) == {}


def test_a_stop_that_comes_late_and_a_state_that_was_stored() -> None:
    for some in permutations(STORY):
        assert again(*some) == {"lisinopril": "high"}
    with alone(RestartedAfterHarm()):
        state, _ = play(*STORY[:2])
        kept = decode(encode(state))
        assert kept == state
        assert "angioedema" in [each.harmed for each in kept.orders["ward\x1flisinopril"].versions][-1]
        other, _ = play(ordered("lisinopril", HOME), order("lisinopril", -9 * DAY, version=2, status="discontinued",
                                                           reason="formulary change"))  # fmt: skip
    assert [each.harmed for each in other.orders["ward\x1flisinopril"].versions] == ["", ""], "no other reason is kept"


def test_the_gravest_of_two_harms_speaks_and_its_texts_tell_what_is_not_known() -> None:
    rash = order("lisinopril", -20 * DAY, id="first", version=2, status="discontinued", reason="rash")
    with alone(RestartedAfterHarm()):
        state, _ = play(ordered("lisinopril", HOME, record_id="first"), rash, *STORY[1:])
    (alert,) = state.open_alerts.values()
    assert (alert.severity, "angioedema" in alert.summary, "Not known" in alert.detail) == ("high", True, True)
    assert len(alert.summary) < 140
    assert load().transfers.harms[0].severity == "high"
