"""Other rules, another version of one, or another knowledge: all of a patient is evaluated anew with the next event, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.alerts import Alert
from schemas.events import AnyEvent
from services.monitor.evaluate import advance, due, index_of, take_event
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import encode
from services.monitor.rules.critical_lab import CriticalLab
from services.monitor.rules.drug_interaction import DrugInteraction
from services.monitor.rules.rule import Finding, Rule
from tests.support.clinical import KNOWLEDGE, SmallKnowledge, at, lab, limit, order, patient
from tests.support.rules import Asked, Said, found, no_level, use
from tests.support.ward import Ward


def on_lithium(state: PatientState) -> Iterable[Finding]:
    if any("lithium" in each.ingredients for each in state.acting()):
        yield found("lithium", state)


def play(
    *events: AnyEvent, state: PatientState | None = None, knowledge: Any = KNOWLEDGE
) -> tuple[PatientState, list[Alert]]:
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, knowledge, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


START = order("lithium", 0)
NEXT = lab("sodium", 140, 9)
"""No rule of these tests reads it."""


def changed_with(monkeypatch: pytest.MonkeyPatch, before: list[Rule], after: list[Rule]) -> list[Alert]:
    """What the first event under other rules changes; the one after it must change nothing."""
    use(monkeypatch, *before)
    state, _ = play(START, lab("potassium", 7.0, 1))
    use(monkeypatch, *after)
    state, alerts = play(NEXT, state=state)
    again, more = play(lab("sodium", 140, 10, id="again"), state=state)
    assert (more, again.rules) == ([], index_of(KNOWLEDGE).tag)
    return alerts


def test_a_new_rule_finds_what_is_true_of_those_who_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    (alert,) = changed_with(monkeypatch, [CriticalLab()], [CriticalLab(), Asked(on_lithium)])
    assert (alert.subject, alert.status, alert.history[0].at) == ("lithium", "open", at(9))


def test_an_alert_of_a_rule_that_is_gone_is_withdrawn_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    (alert,) = changed_with(monkeypatch, [CriticalLab(), Asked(on_lithium)], [CriticalLab()])
    assert (alert.rule, alert.status, alert.history[-1].change) == ("asked", "withdrawn", "withdrawn")
    assert "not in use any more" in alert.history[-1].why


def test_another_version_of_a_rule_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Asked(lambda state: (), version="2")
    (alert,) = changed_with(monkeypatch, [Asked(on_lithium)], [silent])
    assert (alert.status, len(silent.times)) == ("resolved", 1)
    same = Asked(on_lithium)
    assert changed_with(monkeypatch, [Asked(on_lithium)], [same]) == []
    assert same.times == [], "the same rules under the same knowledge are not asked"


def test_what_a_rule_that_is_gone_waited_for_or_held_back_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def held(state: PatientState) -> Iterable[Said]:
        return (replace(each, held="for the test") for each in on_lithium(state))

    use(monkeypatch, Asked(no_level, "waits"), Asked(held, "holds"))
    state, _ = play(START)
    assert (len(state.obligations), len(state.standing)) == (1, 1)
    use(monkeypatch, CriticalLab())
    after, alerts = play(NEXT, state=state)
    assert (after.obligations, after.standing, alerts, due(after)) == ({}, {}, [], None)
    # the wall clock finds it too: what was due is asked by the rules there are
    after, alerts = advance(state, at(60), KNOWLEDGE, at(60))
    assert (after.obligations, after.standing, alerts, after.clock) == ({}, {}, [], at(48))


def test_what_waited_behind_the_alert_of_a_rule_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def speaks(state: PatientState) -> Iterable[Said]:
        return (replace(each, problem="same") for each in on_lithium(state))

    first, second = Asked(speaks, "first"), Asked(speaks, "second")
    alerts = changed_with(monkeypatch, [first, second], [second])
    assert [(alert.rule, alert.status) for alert in alerts] == [("first", "withdrawn"), ("second", "open")]


def test_another_knowledge_counts_for_what_is_known_already() -> None:
    strict: Any = SmallKnowledge([], [limit("potassium", 2.8, 5.0)])
    strict.version = "strict"
    state, alerts = play(lab("potassium", 5.6, 0), order("simvastatin", 0), order("clarithromycin", 1))
    assert [alert.rule for alert in alerts] == ["drug-drug-interaction"]
    after, alerts = play(NEXT, state=state, knowledge=strict)
    assert sorted((alert.rule, alert.status) for alert in alerts) == [
        ("critical-lab", "open"),
        ("drug-drug-interaction", "resolved"),
    ]
    assert alerts[-1].knowledge_version == "strict"
    assert after.rules != state.rules


def test_a_state_of_an_older_release_is_evaluated_anew_and_a_new_patient_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(on_lithium)
    use(monkeypatch, asked, DrugInteraction())
    state, _ = play(START)
    assert len(asked.times) == 1
    older = replace(state, rules="", standing={})
    after, alerts = play(NEXT, state=older)
    assert (alerts, after.rules, list(after.standing)) == ([], state.rules, list(state.standing))
    assert len(asked.times) == 2


def test_the_tag_is_short_and_costs_a_state_few_bytes() -> None:
    state, _ = play(START)
    assert 0 < len(state.rules) <= 8
    assert len(encode(state)) - len(encode(replace(state, rules=""))) <= 8


def test_a_merge_evaluates_by_the_rules_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Asked(on_lithium))
    running = Ward(KNOWLEDGE)
    running.put(order("lithium", 0, patient_id="old"), order("lithium", 0, patient_id="new")).run()
    use(monkeypatch, CriticalLab())
    running.put(patient(3, patient_id="old", merged_into="new")).run()
    assert running.open() == []
    assert {alert.status for alert in running.alerts if alert.revision == 2} == {"withdrawn"}
