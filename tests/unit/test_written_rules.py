"""Written rules in a patient: when a result is due and when it is missing, courses, steps, and what nobody knows."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from knowledge.loader import load
from knowledge.model import Knowledge
from knowledge.reading.written import read_rules
from schemas.alerts import Alert
from schemas.events import AnyEvent, Dosage, Patient
from services.local import canaries
from services.monitor.evaluate import advance, ask_only, due, take_event
from services.monitor.patient.change import between
from services.monitor.patient.state import PatientState
from services.monitor.rules.written import Written, written_rules
from tests.support.clinical import at, lab, order, patient
from tests.unit.test_canaries import SCHEMAS
from tests.unit.test_written_reader import lexicon  # noqa: F401

DAY = 24.0
RULES = {rule.id: rule for rule in written_rules(load()) if isinstance(rule, Written)}


def play(*events: AnyEvent, rule: str = "", known: Knowledge | None = None, to: float | None = None) -> PatientState:
    """The state after a story, asked of one shipped rule alone, or of all written rules of a knowledge; ``to``: the clock comes
    there by an event that says nothing."""
    known = known or load()
    asked = [each for each in written_rules(known) if not rule or each.id == rule]
    state: PatientState | None = None
    with ask_only(asked, known):
        for event in events if to is None else (*events, tick(to)):
            state = take_event(state, event, known, at(0))[0]
    assert state is not None
    return state


def tick(hours: float) -> Patient:
    return patient(hours, record_id="tick", version=1 + int(hours + 1e6))


def open_(state: PatientState) -> list[tuple[str, str]]:
    return sorted((alert.subject, alert.severity) for alert in state.open_alerts.values())


def only(state: PatientState) -> Alert:
    (alert,) = state.open_alerts.values()
    return alert


def mine(text: str, lexicon: Any) -> Knowledge:  # noqa: F811
    return replace(load(), written=read_rules("own.toml", text, lexicon, own=True))


# --- those that are shipped


@pytest.mark.parametrize("rule", RULES)
def test_the_canary_of_each_holds(rule: str) -> None:
    assert canaries.faults_of(RULES[rule], load()) == []


@pytest.mark.parametrize("rule", RULES)
def test_its_events_are_what_a_hospital_may_send(rule: str) -> None:
    canary = canaries.of(RULES[rule], load())
    for each in (*canary.fires.events, *canary.silent.events):
        event = msgspec.json.decode(each)
        jsonschema_rs.validator_for(SCHEMAS[event["type"]]).validate(event)


@pytest.mark.parametrize("rule", RULES)
def test_its_look_alike_is_about_what_the_rule_reads(rule: str) -> None:
    reads = RULES[rule].reads(load())
    seen = canaries.seen(canaries.of(RULES[rule], load()).silent.events, load())
    every = reads.ingredients is None and seen.ingredients
    assert every or seen.ingredients & set(reads.ingredients or ()) or seen.analytes & reads.analytes.keys()


@pytest.mark.parametrize("rule", RULES)
def test_its_sources_are_told_and_its_row_is_its_own(rule: str) -> None:
    assert RULES[rule].citations(load())
    assert RULES[rule].written.row == f"{RULES[rule].written.file}#{rule}"


# Days by hand from the sources: amiodarone six-monthly, lithium after a week and three-monthly, metformin yearly, methotrexate
# two-weekly in the first six weeks and then three-monthly (so azathioprine and leflunomide), warfarin in 84 days at most; and the
# days that a test may be late.
@pytest.mark.parametrize(
    ("rule", "ingredient", "done", "at_days", "fires"),
    [
        ("amiodarone-thyroid", "amiodarone", {}, 180 + 14 - 0.01, False),
        ("amiodarone-thyroid", "amiodarone", {}, 180 + 14, True),
        ("amiodarone-thyroid", "amiodarone", {"TSH": 100}, 100 + 180 + 14 - 0.01, False),
        ("amiodarone-thyroid", "amiodarone", {"TSH": 100}, 100 + 180 + 14, True),
        ("amiodarone-liver", "amiodarone", {"ALT": 100}, 100 + 180 + 14 - 0.01, False),
        ("amiodarone-liver", "amiodarone", {"ALT": 100}, 100 + 180 + 14, True),
        ("lithium-level-due", "lithium", {}, 7 + 14 - 0.01, False),
        ("lithium-level-due", "lithium", {}, 7 + 14, True),
        ("lithium-level-due", "lithium", {"lithium": 8}, 8 + 90 + 14 - 0.01, False),
        ("lithium-level-due", "lithium", {"lithium": 8}, 8 + 90 + 14, True),
        ("metformin-kidney", "metformin", {"creatinine": 10}, 10 + 365 + 30 - 0.01, False),
        ("metformin-kidney", "metformin", {"creatinine": 10}, 10 + 365 + 30, True),
        ("methotrexate-counts", "methotrexate", {}, 14 + 7 - 0.01, False),
        ("methotrexate-counts", "methotrexate", {}, 14 + 7, True),
        ("dmard-counts", "azathioprine", {}, 14 + 7 - 0.01, False),
        ("dmard-counts", "leflunomide", {}, 14 + 7, True),
        ("warfarin-inr-due", "warfarin", {"INR": 10}, 10 + 84 + 7 - 0.01, False),
        ("warfarin-inr-due", "warfarin", {"INR": 10}, 10 + 84 + 7, True),
        ("lithium-kidney-thyroid", "lithium", {"creatinine": 90, "calcium": 90}, 180 + 14 - 0.01, False),
        ("lithium-kidney-thyroid", "lithium", {"creatinine": 90, "calcium": 90}, 180 + 14, True),
    ],
)
def test_it_is_silent_until_it_is_due_and_so_much_late(
    rule: str, ingredient: str, done: dict[str, float], at_days: float, fires: bool
) -> None:
    results = [lab(name, 1.0, day * DAY) for name, day in done.items()]
    state = play(order(ingredient, 0), *results, rule=rule, to=at_days * DAY)
    assert bool(state.open_alerts) is fires
    # it is owed as long as it is not late
    assert bool(state.obligations) is not fires


METHOTREXATE = ("platelets", "white blood cells", "ALT", "creatinine")


@pytest.mark.parametrize(
    ("done", "to", "fires"),
    [
        (20, 20 + 14 + 7 - 0.01, False),  # within the first six weeks every two
        (20, 20 + 14 + 7, True),
        (42, 42 + 90 + 7 - 0.01, False),  # at their end every three months
        (42, 42 + 90 + 7, True),
    ],
)
def test_methotrexate_is_tested_more_often_at_first(done: float, to: float, fires: bool) -> None:
    results = [lab(name, 1.0, done * DAY) for name in METHOTREXATE]
    state = play(order("methotrexate", 0), *results, rule="methotrexate-counts", to=to * DAY)
    assert bool(state.open_alerts) is fires


@pytest.mark.parametrize(("born", "fires"), [("1953-02-01", True), ("1953-03-01", False), (None, False)])
def test_the_old_are_those_of_75_years(born: str | None, fires: bool) -> None:
    """450 days and 14 of grace after 2 November 2026 it is 9 February 2028: one is 75 then, the other not yet."""
    who = [] if born is None else [patient(0, birth_date=datetime.fromisoformat(born).date())]
    events = [*who, order("ramipril", 0), order("furosemide", 0)]
    state = play(*events, rule="older-ras-diuretic-kidney", to=464 * DAY)
    # one alert for both medicines
    assert open_(state) == ([("older-ras-diuretic-kidney", "moderate")] if fires else [])


def test_never_and_too_long_ago_are_told_apart() -> None:
    never = only(play(order("amiodarone", 0), rule="amiodarone-thyroid", to=200 * DAY))
    assert "never known" in never.summary
    old = only(play(lab("TSH", 2.0, -24), order("amiodarone", 0), rule="amiodarone-thyroid", to=200 * DAY))
    assert "last 2 mmol/L on 2026-11-01" in old.summary
    assert "never" not in old.summary + old.detail


def test_of_several_results_that_are_missing_the_one_is_named_of_which_least_is_known() -> None:
    done = [lab(name, 1.0, 10 * DAY, unit="mg/dL") for name in ("creatinine", "ALT")]
    some = only(play(order("methotrexate", 0), *done, rule="methotrexate-counts", to=200 * DAY))
    assert some.summary.endswith("first: platelets never known")
    late = [lab(name, 2.0, 11 * DAY) for name in ("platelets", "white blood cells", "ALT")]
    all_ = only(play(order("methotrexate", 0), done[0], *late, rule="methotrexate-counts", to=200 * DAY))
    assert all_.summary.endswith("first: creatinine last 1 mg/dL on 2026-11-12")


def test_the_result_closes_it_and_a_cancelled_one_does_not() -> None:
    story = [order("amiodarone", 0), tick(200 * DAY)]
    done = lab("TSH", 2.0, 201 * DAY, id="t")
    closed = play(*story, done, rule="amiodarone-thyroid")
    assert not closed.open_alerts
    again = play(
        *story, done, lab("TSH", 2.0, 201 * DAY, id="t", status="cancelled", version=2), rule="amiodarone-thyroid"
    )
    assert open_(again) == [("amiodarone", "moderate")]


def test_it_ends_with_the_medicine_and_nothing_is_owed_any_more() -> None:
    stop = order("amiodarone", 210 * DAY, status="discontinued", version=2)
    assert not play(order("amiodarone", 0), tick(200 * DAY), stop, rule="amiodarone-thyroid").open_alerts
    early = order("amiodarone", 10 * DAY, status="discontinued", version=2)
    state = play(order("amiodarone", 0), early, rule="amiodarone-thyroid")
    assert not state.obligations


def test_nothing_is_owed_beyond_the_end_of_the_order() -> None:
    assert not play(order("amiodarone", 0, end=at(30 * DAY)), rule="amiodarone-thyroid").obligations
    assert play(order("amiodarone", 0, end=at(400 * DAY)), rule="amiodarone-thyroid").obligations


@pytest.mark.parametrize(("gap", "fires"), [(30, True), (30.1, False)])
def test_orders_no_farther_apart_than_the_gap_are_one_course(gap: float, fires: bool) -> None:
    first = order("amiodarone", 0, id="a", end=at(100 * DAY))
    second = order("amiodarone", (100 + gap) * DAY, id="b")
    state = play(first, second, rule="amiodarone-thyroid", to=200 * DAY)
    assert bool(state.open_alerts) is fires


def test_an_order_that_was_an_error_is_no_part_of_the_course() -> None:
    first = order("amiodarone", 0, id="a", end=at(100 * DAY))
    wrong = order("amiodarone", 100 * DAY, id="a", status="entered_in_error", version=2)
    state = play(first, wrong, order("amiodarone", 100 * DAY, id="b"), rule="amiodarone-thyroid", to=200 * DAY)
    assert not state.open_alerts


def test_it_is_found_once_at_its_own_time_however_long_nothing_ran() -> None:
    """The wall clock of a patient of a running feed."""
    rule, known = "amiodarone-thyroid", load()
    with ask_only([RULES[rule]], known):
        state, _ = take_event(None, order("amiodarone", 0, timing="live", ingested_at=at(0)), known, at(0))
        found: list[Alert] = []
        moments = []
        while (moment := due(state)) is not None and len(moments) < 10:
            moments.append(moment)
            state, alerts = advance(state, moment, known, moment)
            found += alerts
        assert [alert.true_since for alert in found] == [at(180 * DAY)]
        assert [alert.history[0].at for alert in found] == [at(194 * DAY)]
        # the same after two years in which nothing ran
        state, _ = take_event(None, order("amiodarone", 0, timing="live", ingested_at=at(0)), known, at(0))
        state, late = advance(state, at(730 * DAY), known, at(730 * DAY))
        assert [alert.alert_id for alert in late] == [alert.alert_id for alert in found]
        assert advance(state, at(731 * DAY), known, at(731 * DAY))[1] == []


STORY: list[AnyEvent] = [
    order("lithium", 0, id="a", end=at(60 * DAY)),
    order("lithium", 62 * DAY, id="b"),
    lab("lithium", 0.7, 8 * DAY),
    lab("lithium", 0.8, 30 * DAY, id="x"),
    order("ibuprofen", 140 * DAY),
    tick(150 * DAY),
]


@settings(deadline=None, max_examples=40)
@given(st.permutations(STORY))
def test_any_order_of_arrival_ends_in_the_same(story: list[AnyEvent]) -> None:
    """The level of day 30 is too old on day 134; the NSAID of day 140 makes it high."""
    state = play(*story, rule="lithium-level-due")
    assert open_(state) == [("lithium", "high")]
    assert [each.since for each in state.standing.values()] == [at(120 * DAY)]
    assert {fact.record_id for fact in only(state).implicated} == {"b", "x", "ibuprofen"}


def test_a_story_with_a_correction_ends_the_same_in_any_order() -> None:
    corrected = lab("lithium", 0.8, 30 * DAY, id="x", status="cancelled", version=2)
    ends = {
        tuple(open_(play(*each, rule="lithium-level-due")))
        for each in permutations((STORY[0], STORY[1], STORY[3], corrected, tick(115 * DAY)))
    }
    assert ends == {(("lithium", "moderate"),)}


def test_what_changes_elsewhere_asks_no_rule() -> None:
    known = load()
    before = play(order("lisinopril", 0), known=known)
    after = take_event(before, lab("creatinine", 1.0, 1), known, at(1))[0]
    change = between(before, after)
    asked = {id_: set(rule.parts(change, after, known)) for id_, rule in RULES.items() if rule.written.trigger.members}
    assert {
        id_ for id_, parts in asked.items() if parts and "lisinopril" not in RULES[id_].written.trigger.members
    } == set()


# --- what a site may write

OWN = """[[rule]]
id = "own"
version = "1"
family = "own"
title = "Own"
{more}
summary = "{{medicine}} with potassium {{potassium}}, creatinine {{creatinine}}, {{beside}}"
detail = "Detail."
actions = ["Act on {{medicine}}"]
patient = "Words."
evidence_grade = "policy"
status = "verified"
author = "site"
sources = ["Our policy"]
[rule.trigger]
{trigger}
{steps}
[rule.canary.fires]
what = "x"
severity = "high"
subject = "x"
events = [{{ at = "0 h", result = "INR", value = 1 }}]
[rule.canary.silent]
what = "x"
events = [{{ at = "0 h", result = "INR", value = 1 }}]
"""


def own(lexicon: Any, more: str, trigger: str = 'ingredients = ["digoxin"]', steps: str = "") -> Knowledge:  # noqa: F811
    return mine(OWN.format(more=more, trigger=trigger, steps=steps), lexicon)


STEPS = """[[rule.steps]]
severity = "critical"
when = ["potassium < 3"]
actions = ["First this"]
[[rule.steps]]
severity = "high"
when = ["potassium < 3.5"]
unless = ["end_of_life"]
"""


@pytest.mark.parametrize(
    ("value", "severity"), [(2.9, "critical"), (3.0, "high"), (3.4, "high"), (3.5, "moderate"), (None, "moderate")]
)
def test_the_gravest_step_that_holds_counts(value: float | None, severity: str, lexicon: Any) -> None:  # noqa: F811
    known = own(lexicon, 'severity = "moderate"', steps=STEPS)
    results = [] if value is None else [lab("potassium", value, 1)]
    alert = only(play(order("digoxin", 0), *results, known=known))
    assert alert.severity == severity
    assert ("Not known: potassium < 3, potassium < 3.5." in alert.detail) is (value is None)
    assert (alert.actions[0] == "First this") is (severity == "critical")
    said = "not known" if value is None else f"{value:g} mmol/L"
    assert alert.summary == f"Digoxin with potassium {said}, creatinine not known, not known"


def test_without_a_severity_of_its_own_only_the_steps_speak(lexicon: Any) -> None:  # noqa: F811
    known = own(lexicon, "", steps=STEPS)
    assert not play(order("digoxin", 0), known=known).open_alerts
    assert not play(order("digoxin", 0), lab("potassium", 3.5, 1), known=known).open_alerts
    assert open_(play(order("digoxin", 0), lab("potassium", 3.4, 1), known=known)) == [("digoxin", "high")]


def test_unknown_fulfils_nothing_and_excludes_nothing(lexicon: Any) -> None:  # noqa: F811
    when = own(lexicon, 'severity = "high"\nwhen = ["egfr < 30"]')
    assert not play(order("digoxin", 0), known=when).open_alerts
    unless = own(lexicon, 'severity = "high"\nunless = ["egfr < 30"]')
    assert play(order("digoxin", 0), known=unless).open_alerts


def test_grace_is_waited_for_and_what_is_held_is_told_to_nobody(lexicon: Any) -> None:  # noqa: F811
    known = own(lexicon, 'severity = "high"\ngrace = "6 h"')
    assert not play(order("digoxin", 0), known=known, to=5.9).open_alerts
    assert play(order("digoxin", 0), known=known, to=6).open_alerts
    held = play(order("digoxin", 0), known=own(lexicon, 'severity = "high"\nheld = "a trial"'), to=9)
    assert not held.open_alerts
    assert [each.held for each in held.standing.values()] == ["a trial"]


@pytest.mark.parametrize(("hours", "fires"), [(71.9, False), (72.1, True)])
def test_what_time_alone_makes_true_is_found_when_it_is(hours: float, fires: bool, lexicon: Any) -> None:  # noqa: F811
    known = own(lexicon, 'severity = "high"\nwhen = ["potassium unknown within 72 h"]')
    state = play(order("digoxin", -5), lab("potassium", 4.0, 0), known=known, to=hours)
    assert bool(state.open_alerts) is fires
    assert bool(state.obligations) is not fires


def test_it_ends_when_what_is_beside_runs_out_by_itself(lexicon: Any) -> None:  # noqa: F811
    known = own(lexicon, 'severity = "high"\nwhen = ["with ingredient furosemide"]')
    story = [order("digoxin", 0), order("furosemide", 0, end=at(48))]
    assert play(*story, known=known, to=47).open_alerts
    assert not play(*story, known=known, to=100).open_alerts
    without = own(lexicon, 'severity = "high"\nwhen = ["without ingredient furosemide"]')
    assert not play(*story, known=without, to=47).open_alerts
    assert play(*story, known=without, to=49).open_alerts


def test_topical_use_counts_only_where_the_rule_says_so(lexicon: Any) -> None:  # noqa: F811
    cream = order("diclofenac", 0, dosage=Dosage(route="topical"))
    trigger = 'ingredients = ["diclofenac"]'
    assert not play(cream, known=own(lexicon, 'severity = "high"', trigger)).open_alerts
    assert play(cream, known=own(lexicon, 'severity = "high"', trigger + "\nany_route = true")).open_alerts


def test_a_summary_is_never_too_long(lexicon: Any) -> None:  # noqa: F811
    known = own(lexicon, 'severity = "high"\nwhen = ["with anticholinergic"]')
    names = ("amitriptyline", "oxybutynin", "diphenhydramine", "hydroxyzine", "scopolamine", "benztropine", "clozapine")
    alert = only(play(order("digoxin", 0), *(order(name, 0) for name in names), known=known))
    assert len(alert.summary) <= 139
    assert alert.summary.endswith(" …")


def test_what_is_known_of_the_texts_is_filled_in_everywhere(lexicon: Any) -> None:  # noqa: F811
    alert = only(play(order("digoxin", 0), known=own(lexicon, 'severity = "high"')))
    assert alert.actions == ("Act on digoxin",)
    assert [each.id for each in alert.citations] == ["site"]
    assert alert.true_since == at(0)
    assert timedelta(0) <= alert.detected_at - at(0)
