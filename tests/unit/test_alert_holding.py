"""One problem is one alert: which findings speak, which wait, and that none is lost by waiting."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.feedback import Feedback
from schemas.values import SEVERITIES
from services.monitor import evaluate
from services.monitor.alerts.holding import Candidate, held_back
from services.monitor.evaluate import advance, due, take_event, take_feedback
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_result
from services.monitor.rules.index import Index
from services.monitor.rules.rule import WHOLE, Finding, Reads
from tests.support.clinical import CITED, SmallKnowledge, at, lab, order

KNOWLEDGE: Any = SmallKnowledge([], [])


def candidate(key: str, severity: str = "high", medicines: str = "", **more: Any) -> Candidate:
    fields: dict[str, Any] = {"rank": 0.0, "place": 0, "problem": "", "held": "", "opens": None} | more
    return Candidate(key=key, severity=severity, medicines=frozenset(medicines.split()), **fields)  # type: ignore[arg-type]


def held(*candidates: Candidate) -> set[str]:
    (one,) = {frozenset(held_back(order, at(0)).held) for order in permutations(candidates)}
    return set(one)


def test_of_one_problem_the_gravest_speaks() -> None:
    one, other = candidate("a", "moderate", problem="potassium"), candidate("b", "critical", problem="potassium")
    assert held(one, other, candidate("c", "info", problem="glucose")) == {"a"}


def test_of_one_problem_the_earlier_rule_speaks_as_gravely_as_the_gravest() -> None:
    early, late = (
        candidate("early", "moderate", place=0, problem="x"),
        candidate("late", "critical", place=1, problem="x"),
    )
    assert held_back([late, early], at(0)) == held_back([early, late], at(0))
    assert held(early, late) == {"late"}
    assert held_back([early, late], at(0)).raised == {"early": ("critical", "late")}
    # and then holds back what is milder than that
    about = candidate("about", "high", "m n", place=2)
    spoken = early._replace(medicines=frozenset("mn"))
    assert held(spoken, about) == {"early"}
    assert held(spoken, late, about) == {"late", "about"}


def test_of_one_rule_the_gravest_speaks_then_the_higher_rank() -> None:
    assert held(candidate("a", place=1, problem="x"), candidate("b", place=0, problem="x")) == {"a"}
    assert held(candidate("a", rank=1, problem="x"), candidate("b", rank=2, problem="x")) == {"a"}


def test_a_graver_one_about_the_same_medicines_speaks_for_the_lesser() -> None:
    pair = candidate("pair", "moderate", "lisinopril ibuprofen")
    assert held(pair, candidate("triple", "high", "lisinopril ibuprofen furosemide")) == {"pair"}
    assert held(pair, candidate("other", "high", "lisinopril furosemide")) == set()
    # equally grave ones may be two mechanisms, and one medicine may have two problems
    assert held(pair, candidate("same", "moderate", "lisinopril ibuprofen")) == set()
    assert held(candidate("dose", "moderate", "digoxin"), candidate("level", "high", "digoxin")) == set()


def test_one_that_is_itself_held_back_speaks_for_nobody() -> None:
    waiting = candidate("waiting", "critical", problem="x", opens=at(1))
    assert held(waiting, candidate("now", "moderate", problem="x")) == {"waiting"}
    silent = candidate("silent", "critical", problem="x", held="low priority")
    assert held(silent, candidate("now", "moderate", problem="x")) == {"silent"}


def test_a_chain_is_followed_from_its_gravest_end() -> None:
    a, b, c = (
        candidate("a", "critical", problem="x"),
        candidate("b", "high", "m n", problem="x"),
        candidate("c", "info", "m n"),
    )
    # b waits behind a, so c, which only b would speak for, is told
    assert held(a, b, c) == {"b"}


@given(
    st.lists(
        st.tuples(st.sampled_from(SEVERITIES), st.sampled_from(["", "x", "y"]), st.sets(st.sampled_from("mno"))),
        max_size=6,
    ),
    st.randoms(),
)
def test_whatever_is_held_back_by_another_has_one_as_grave_that_speaks(
    found: list[tuple[str, str, set[str]]], random: Any
) -> None:
    all_ = [candidate(str(i), s, " ".join(m), problem=p, place=i % 3) for i, (s, p, m) in enumerate(found)]
    holds, raised = held_back(all_, at(0))
    shuffled = list(all_)
    random.shuffle(shuffled)
    assert held_back(shuffled, at(0)) == (holds, raised)
    by_key = {each.key: each for each in all_}
    for key, hold in holds.items():
        assert hold.by not in holds
        spoken = raised[hold.by].severity if hold.by in raised else by_key[hold.by].severity
        assert SEVERITIES.index(spoken) <= SEVERITIES.index(by_key[key].severity)


# --- through the whole evaluation


class Potassium:
    """A made-up rule: potassium above a limit, as grave as it is told."""

    version, family, title, data = "1", "test", "test", ()

    def __init__(self, id: str, limit: float, severity: str, **more: Any) -> None:  # noqa: A002
        self.id, self._limit, self._severity, self._more = id, limit, severity, more

    def reads(self, knowledge: Any) -> Reads:
        return Reads(analytes={"potassium": Need(newest=1)}, ingredients=["spironolactone"])

    def citations(self, knowledge: Any) -> Collection[Any]:
        return CITED

    def parts(self, change: Change, state: PatientState, knowledge: Any) -> Collection[str]:
        return (WHOLE,)

    def findings(self, state: PatientState, knowledge: Any, part: str) -> Iterable[Finding]:
        newest = state.newest("potassium")
        if newest is None or newest.value is None or newest.value < self._limit:
            return
        grace = self._more.get("grace")
        more = {name: value for name, value in self._more.items() if name != "grace"}
        yield Finding(
            subject="potassium", severity=self._severity, summary=f"{self.id}", detail="", actions=(),  # type: ignore[arg-type]
            patient_explanation="", evidence_grade="", implicated=(implicate_result(newest),), citations=CITED, since=newest.at,
            opens=None if grace is None else newest.at + grace, **more,
        )  # fmt: skip


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*rules: Any) -> None:
        monkeypatch.setattr(evaluate, "_last", [(KNOWLEDGE, Index(rules, KNOWLEDGE))])

    return use


def play(*events: Any, state: PatientState | None = None) -> tuple[PatientState, list[str]]:
    said = []
    for event in events:
        state, alerts = take_event(state, event, KNOWLEDGE, at(0))
        said += [f"{alert.rule} {alert.history[-1].change}" for alert in alerts]
    assert state is not None
    return state, said


def test_a_lesser_one_gives_way_and_comes_back(rules: Any) -> None:
    rules(Potassium("grave", 6.5, "critical", problem="x"), Potassium("mild", 5.5, "moderate", problem="x"))
    state, said = play(lab("potassium", 5.6, 0), lab("potassium", 7.0, 1), lab("potassium", 5.7, 2))
    assert said == ["mild opened", "mild resolved", "grave opened", "grave resolved", "mild opened"]
    assert [alert.rule for alert in state.open_alerts.values()] == ["mild"]
    again = next(iter(state.open_alerts.values()))
    assert again.previous


def test_the_alert_that_a_person_knows_stays_while_another_rule_gets_graver_and_milder(rules: Any) -> None:
    rules(Potassium("first", 5.5, "moderate", problem="x"), Potassium("second", 6.5, "critical", problem="x"))
    state, said = play(lab("potassium", 5.6, 0), lab("potassium", 7.0, 1), lab("potassium", 5.7, 2))
    assert said == ["first opened", "first updated", "first updated"]
    (alert,) = state.open_alerts.values()
    assert [entry.severity for entry in alert.history] == ["moderate", "critical", "moderate"]
    state, _ = play(lab("potassium", 7.0, 3), state=state)
    (alert,) = state.open_alerts.values()
    assert "It is critical because: second." in alert.detail


def test_a_problem_that_another_rule_now_shows_keeps_what_a_person_answered(rules: Any) -> None:
    rules(Potassium("first", 6.5, "critical", problem="x"), Potassium("second", 5.5, "high", problem="x"))
    state, _ = play(lab("potassium", 7.0, 0))
    (alert,) = state.open_alerts.values()
    answer = Feedback(
        feedback_id="f", alert_id=alert.alert_id, patient_id="p", revision=alert.revision, answer="acknowledged",
        reason="changed", by="Ann", at=at(1),
    )  # fmt: skip
    state, _ = take_feedback(state, answer, KNOWLEDGE, at(1))
    state, said = play(lab("potassium", 5.7, 2), state=state)
    (after,) = state.open_alerts.values()
    assert (after.rule, after.previous, after.acknowledgement is not None) == ("second", alert.alert_id, True)
    assert said == ["first resolved", "second acknowledged"]


def test_what_is_held_back_is_kept_with_its_reason(rules: Any) -> None:
    rules(Potassium("grave", 6.5, "critical", problem="x"), Potassium("mild", 5.5, "moderate", problem="x"))
    state, said = play(lab("potassium", 7.0, 0))
    assert said == ["grave opened"]
    (kept,) = (each for each in state.standing.values() if each.held)
    assert (kept.rule, kept.summary, kept.by) == ("mild", "mild", "grave\x1fpotassium")


def test_a_finding_that_reaches_nobody_is_no_alert(rules: Any) -> None:
    rules(Potassium("silent", 5.5, "moderate", held="A low-priority pair."))
    state, said = play(lab("potassium", 7.0, 0))
    assert said == []
    assert [each.held for each in state.standing.values()] == ["A low-priority pair."]
    assert play(lab("potassium", 4.0, 1), state=state)[0].standing == {}


def test_grace_lets_the_right_action_come_first(rules: Any) -> None:
    rules(Potassium("later", 5.5, "moderate", grace=at(2) - at(0)))
    state, said = play(lab("potassium", 6.0, 0), lab("potassium", 5.0, 1))
    assert (said, state.standing) == ([], {})
    state, said = play(lab("potassium", 6.0, 0))
    assert (said, due(state)) == ([], at(2))
    # found at its own time, whether an event or the clock brings it
    _, said = play(lab("sodium", 140.0, 3), state=state)
    assert said == ["later opened"]
    _, alerts = advance(state, at(5), KNOWLEDGE, at(5))
    assert [(alert.true_since, alert.history[-1].at) for alert in alerts] == [(at(0), at(2))]


def test_harm_that_has_reached_the_patient_waits_for_a_person(rules: Any) -> None:
    rules(Potassium("given", 6.0, "critical", needs_closure=True))
    state, said = play(lab("potassium", 7.0, 0), lab("potassium", 4.0, 1))
    assert said == ["given opened"]
    (alert,) = state.open_alerts.values()
    answer = Feedback(
        feedback_id="f", alert_id=alert.alert_id, patient_id="p", revision=alert.revision, answer="acknowledged",
        reason="changed", by="Ann", at=at(2),
    )  # fmt: skip
    state, alerts = take_feedback(state, answer, KNOWLEDGE, at(2))
    assert [each.history[-1].change for each in alerts] == ["acknowledged", "resolved"]
    assert (state.open_alerts, state.standing) == ({}, {})


def test_harm_that_was_a_slip_of_the_record_is_withdrawn(rules: Any) -> None:
    rules(Potassium("given", 6.0, "critical", needs_closure=True))
    state, _ = play(lab("potassium", 7.0, 0, id="a"))
    state, said = play(lab("potassium", 7.0, 0, id="a", version=2, status="entered_in_error"), state=state)
    assert (said, state.open_alerts, state.standing) == (["given withdrawn"], {}, {})


def test_an_event_evaluates_only_the_rules_that_read_what_it_changes(rules: Any) -> None:
    asked: list[str] = []

    class Watched(Potassium):
        def findings(self, state: PatientState, knowledge: Any, part: str) -> Iterable[Finding]:
            asked.append(self.id)
            return super().findings(state, knowledge, part)

    rules(Watched("watched", 5.5, "moderate"))
    state, _ = play(lab("sodium", 140.0, 0), order("aspirin", 1))
    assert asked == []
    play(order("spironolactone", 2), lab("potassium", 4.0, 3), state=state)
    assert asked == ["watched", "watched"]
