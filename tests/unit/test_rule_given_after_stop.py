"""A dose given or a supply handed out after the stop of its order. An hour is what the guideline of ISMP (2011) gives the
doses of a day; the rest of the times are our own, and typed here again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from knowledge.after_stop import FILE
from knowledge.loader import load
from knowledge.reading.after_stop import read_after_stops
from knowledge.reading.sources import read_sources
from knowledge.reading.tables import KnowledgeError
from schemas.alerts import Alert
from schemas.events import Administration, AnyEvent, Dispensing, Drug, Ingredient
from schemas.feedback import Feedback
from schemas.values import Quantity
from services.monitor import evaluate
from services.monitor.evaluate import take_event, take_feedback
from services.monitor.patient.state import PatientState
from services.monitor.rules.given_after_stop import GivenAfterStop
from tests.support.clinical import at, order
from tests.support.knowledge import copy_knowledge

KNOWN = load()
MINUTE = 1 / 60


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (GivenAfterStop(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def drug(name: str) -> Drug:
    return Drug(text=name, ingredients=tuple(Ingredient(each) for each in name.split("/")), resolution="name")


def given(hours: float, name: str = "metoprolol", **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": f"dose-{hours}", "occurred_at": at(hours), "status": "given",
        "drug": drug(name), "order_id": name, "route": "oral",
    }  # fmt: skip
    return Administration(**(fields | more))


def handed_out(hours: float, name: str = "metoprolol", **more: Any) -> Dispensing:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": f"supply-{hours}", "occurred_at": at(hours), "status": "dispensed",
        "drug": drug(name), "order_id": name, "days_supply": 30,
    }  # fmt: skip
    return Dispensing(**(fields | more))


def stopped(hours: float, name: str = "metoprolol", status: str = "discontinued", **more: Any) -> AnyEvent:
    return order(name, hours, version=2, status=status, **more)


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWN, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def found(*events: AnyEvent, hours: float | None = None) -> dict[str, Alert]:
    """The alerts after ``events`` and the time that a late order is waited for."""
    state, _ = play(*events)
    last = max(event.occurred_at for event in events) if hours is None else at(hours)
    # replayed time does not pass by itself
    tick = order("acetaminophen", ((last - at(0)).total_seconds() / 3600) + (0.6 if hours is None else 0), id="tick")
    state, _ = take_event(state, tick, KNOWN, at(0))
    return {each.subject: each for each in state.open_alerts.values()}


def severity(*events: AnyEvent) -> str:
    alerts = list(found(*events).values())
    assert len(alerts) < 2
    return alerts[0].severity if alerts else ""


@pytest.mark.parametrize("status", ["discontinued", "held", "entered_in_error"])
def test_a_dose_counts_from_more_than_an_hour_after_the_stop(status: str) -> None:
    stop = stopped(10, status=status)
    assert severity(order("metoprolol"), stop, given(11)) == ""
    assert severity(order("metoprolol"), stop, given(11 + MINUTE)) == "high"
    assert severity(order("metoprolol"), stop, given(9)) == ""


@pytest.mark.parametrize(
    ("name", "dose", "supply"),
    [
        ("insulin", "critical", "high"), ("morphine", "critical", "high"), ("heparin", "critical", "high"),
        ("enoxaparin", "critical", "high"), ("apixaban", "critical", "high"), ("alteplase", "critical", "high"),
        ("potassium chloride", "critical", "high"), ("warfarin", "high", "high"), ("amoxicillin", "high", "high"),
        ("oxycodone/acetaminophen", "critical", "high"),
    ],
)  # fmt: skip
def test_how_grave_it_is_depends_on_the_medicine_and_on_whether_it_was_taken(name: str, dose: str, supply: str) -> None:
    assert severity(order(name), stopped(10, name), given(13, name)) == dose
    assert severity(order(name), stopped(10, name), handed_out(13, name)) == supply


def test_what_was_refused_held_back_or_entered_in_error_was_not_given() -> None:
    for status in ("refused", "held", "entered_in_error"):
        assert severity(order("metoprolol"), stopped(10), given(13, status=status)) == ""
    for status in ("returned", "cancelled", "entered_in_error"):
        supply = (handed_out(13), handed_out(13, version=2, status=status, occurred_at=at(13.2)))
        assert severity(order("metoprolol"), stopped(10), *supply) == ""


def test_an_order_that_merely_ran_out_was_not_stopped() -> None:
    assert severity(order("metoprolol", 0, end=at(10)), given(13)) == ""


def test_an_order_that_goes_on_is_given_again() -> None:
    held, resumed = stopped(10, status="held"), order("metoprolol", 12, version=3, status="resumed")
    assert severity(order("metoprolol"), held, resumed, given(13)) == ""
    # given while it was held, and resumed afterwards
    assert (
        severity(order("metoprolol"), held, order("metoprolol", 14, version=3, status="resumed"), given(13)) == "high"
    )


def test_another_order_of_the_medicine_explains_the_dose() -> None:
    story = (order("metoprolol"), stopped(10), given(13))
    assert severity(*story, order("metoprolol", 12, id="new")) == ""
    assert severity(*story, order("metoprolol/hydrochlorothiazide", 12, id="new")) == ""
    assert severity(*story, order("metoprolol", 14, id="later")) == "high"
    assert severity(*story, order("atenolol", 12, id="other")) == "high"
    assert severity(
        *story, order("metoprolol", 12, id="new"), order("metoprolol", 12.5, id="new", version=2, status="held")
    )


def test_the_order_that_replaces_it_ends_it() -> None:
    other = order("apixaban", 10, replaces="heparin")
    assert severity(order("heparin", route="IV"), other, given(13, "heparin")) == "critical"
    same = order("heparin", 10, id="new", replaces="heparin")
    assert severity(order("heparin", route="IV"), same, given(13, "heparin")) == ""


def test_a_stop_that_is_a_date_holds_from_the_next_day_on() -> None:
    midnight = datetime(2026, 11, 3, tzinfo=UTC)  # hour 16 of the story
    stop = order("metoprolol", version=2, status="discontinued", occurred_at=midnight)
    assert severity(order("metoprolol"), stop, given(25)) == ""
    assert severity(order("metoprolol"), stop, given(40.9)) == ""
    assert severity(order("metoprolol"), stop, given(41.1)) == "high"


def test_the_tail_of_an_infusion_is_not_a_new_dose() -> None:
    rate = Quantity(12, "mL/h")
    begun = (order("heparin", route="IV"), given(5, "heparin", rate=rate), stopped(10, "heparin"))
    assert severity(*begun, given(11.5, "heparin", rate=rate)) == ""
    assert severity(*begun, given(12, "heparin", rate=rate)) == ""
    assert severity(*begun, given(12.1, "heparin", rate=rate)) == "critical"
    # hung as the order was stopped
    hung = (order("heparin", route="IV"), given(10, "heparin", rate=rate), stopped(10, "heparin"))
    assert severity(*hung, given(11.5, "heparin", rate=rate)) == ""
    # a bolus is none, and neither is what starts an infusion that had ended
    assert severity(*begun, given(11.5, "heparin")) == "critical"
    ended = (order("heparin", route="IV"), given(5, "heparin", rate=rate, stopped_at=at(8)), stopped(10, "heparin"))
    assert severity(*ended, given(11.5, "heparin", rate=rate)) == "critical"


def test_a_stop_that_was_recorded_only_afterwards_could_not_be_known() -> None:
    late = stopped(10, recorded_at=at(14))
    alert = found(order("metoprolol"), late, given(13))["metoprolol"]
    assert alert.severity == "moderate"
    assert "recorded only at" in alert.detail
    assert severity(order("metoprolol"), stopped(10, recorded_at=at(13)), given(13)) == "high"


def test_a_late_order_is_waited_for() -> None:
    story = (order("morphine"), stopped(10, "morphine"), given(13, "morphine"))
    assert found(*story, hours=13 + 14 * MINUTE) == {}
    assert set(found(*story, hours=13 + 15 * MINUTE)) == {"morphine"}
    state, _ = play(*story)
    assert [each.held[:13] for each in state.standing.values()] == ["Time is given"]


STORY = (order("morphine"), stopped(10, "morphine"), given(13, "morphine"), given(14, "morphine"))


@pytest.mark.parametrize("events", list(permutations(STORY)))
def test_the_order_of_arrival_does_not_matter(events: Sequence[AnyEvent]) -> None:
    alert, expected = found(*events)["morphine"], found(*STORY)["morphine"]
    for field in ("severity", "summary", "rank", "true_since", "implicated", "needs_closure"):
        assert getattr(alert, field) == getattr(expected, field)
    assert alert.true_since == at(13)
    assert alert.rank == 2


def test_a_dose_that_reached_the_patient_stays_until_somebody_answers() -> None:
    state, _ = play(order("morphine"), stopped(10, "morphine"), given(13, "morphine"), order("acetaminophen", 14))
    (alert,) = state.open_alerts.values()
    assert alert.needs_closure
    state, _ = take_event(state, order("acetaminophen", 100, id="days later"), KNOWN, at(0))
    assert len(state.open_alerts) == 1
    answer = Feedback(
        feedback_id="f", alert_id=alert.alert_id, patient_id="p", revision=alert.revision, answer="acknowledged",
        reason="prescriber_contacted", by="me", at=at(101),
    )  # fmt: skip
    state, _ = take_feedback(state, answer, KNOWN, at(101))
    assert state.open_alerts == {}


def test_a_dose_counts_for_a_day() -> None:
    story = (order("metoprolol"), stopped(10), given(13))
    assert set(found(*story, hours=36.9)) == {"metoprolol"}
    # told of only when it does not count any more: too late to act on it
    assert play(order("metoprolol"), stopped(10), order("acetaminophen", 37), given(13))[0].standing == {}
    assert play(order("metoprolol"), stopped(10), order("acetaminophen", 36.9), given(13))[0].standing != {}


def test_a_dose_that_was_never_given_takes_the_alert_back() -> None:
    story = (*STORY[:3], order("acetaminophen", 14), given(13, "morphine", version=2, status="entered_in_error"))
    state, alerts = play(*story)
    assert state.open_alerts == {}
    assert alerts[-1].status == "withdrawn"


def test_a_supply_that_comes_back_ends_it_without_an_answer() -> None:
    state, _ = play(order("metoprolol"), stopped(10), handed_out(13), order("acetaminophen", 14))
    (alert,) = state.open_alerts.values()
    assert not alert.needs_closure
    back = handed_out(13, version=2, status="returned", occurred_at=at(20))
    state, _ = take_event(state, back, KNOWN, at(0))
    assert state.open_alerts == {}


def test_a_medicine_without_a_known_ingredient_is_found_by_its_order() -> None:
    unknown = Drug(text="Study drug 7", resolution="unresolved")
    story = (
        order("x", drug=unknown), order("x", 10, version=2, status="discontinued", drug=unknown),
        given(13, "x", drug=unknown),
    )  # fmt: skip
    assert set(found(*story)) == {"study drug 7"}


def test_it_says_what_when_and_after_which_stop() -> None:
    alert = found(*STORY)["morphine"]
    assert alert.summary == (
        "morphine given at 2026-11-02 21:00 UTC, after its order was discontinued at 2026-11-02 18:00 UTC"
    )
    assert {fact.kind for fact in alert.implicated} == {"prescription", "administration"}
    assert alert.patient_explanation


# --- the data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("insulin,", "insulinn,", 1), "insulinn"),
        (lambda text: text + text.splitlines()[1] + "\n", "twice"),
        (lambda text: text.replace("high,60,120", "high,-1,120", 1), "charting_minutes"),
        (lambda text: text.replace("critical,high", "grave,high", 1), "given"),
    ],
)
def test_a_wrong_row_is_refused_with_its_place(tmp_path: Path, change: Any, said: str) -> None:
    folder = copy_knowledge(tmp_path)
    (folder / FILE).write_text(change((folder / FILE).read_text("utf-8")), "utf-8")
    with pytest.raises(KnowledgeError, match=said) as refused:
        read_after_stops(
            folder, read_sources(folder, None), {"opioid": ["morphine"], **dict.fromkeys(KNOWN.properties, ())}, ()
        )
    assert FILE in str(refused.value)
