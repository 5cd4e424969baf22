"""Sodium that rises too fast. Numbers typed from the sources: 12 mmol/L in 24 hours is the limit of guidelines (Kidney360,
PMC8786124, figure 1); harm after less where it began below 115 (the same, table 1)."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from schemas.alerts import Alert
from schemas.events import AnyEvent, LabResult
from services.monitor import evaluate
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.rapid_change import RapidChange
from tests.support.clinical import at, lab, order
from tests.support.knowledge import copy_knowledge

KNOWN = load()


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (RapidChange(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def sodium(value: float, hours: float, **more: Any) -> LabResult:
    return lab("sodium", value, hours, **more)


def glucose(value: float, hours: float) -> LabResult:
    return lab("glucose", value, hours, unit="mg/dL", canonical_unit="mg/dL")


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWN, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def severities(*events: AnyEvent) -> list[str]:
    return [alert.severity for alert in play(*events)[0].open_alerts.values()]


@pytest.mark.parametrize(
    ("first", "then", "severity"),
    [
        (119, 131, "high"), (119, 131.5, "critical"),
        (119, 129, None), (119, 129.5, "high"), (115, 125, None),
        (114, 122, None), (114, 122.5, "high"), (114, 126, "high"), (114, 126.5, "critical"),
        (120, 132, None), (120, 132.5, "moderate"), (129, 141, None), (129, 141.5, "moderate"),
        (130, 160, None), (140, 155, None), (119, 105, None),
    ],
)  # fmt: skip
def test_how_far_and_from_where(first: float, then: float, severity: str | None) -> None:
    assert severities(sodium(first, 0), sodium(then, 20)) == ([severity] if severity else [])


@pytest.mark.parametrize(("hours", "fires"), [(1, True), (24, True), (24.1, False)])
def test_within_a_day(hours: float, fires: bool) -> None:
    assert bool(severities(sodium(112, 0), sodium(126, hours))) is fires


def test_the_lowest_of_the_day_counts_in_any_order_of_arrival() -> None:
    course = [sodium(118, 0), sodium(112, 4), sodium(119, 12), sodium(125, 20)]
    for arrival in permutations(course):
        (alert,) = play(*arrival)[0].open_alerts.values()
        assert alert.severity == "critical"
        assert "from 112 mmol/L to 125 mmol/L in 16 h" in alert.summary


def test_it_goes_on_until_a_newer_result_has_not_risen_so_far() -> None:
    assert severities(sodium(112, 0), sodium(126, 12), sodium(127, 18)) == ["critical"]
    state, alerts = play(sodium(112, 0), sodium(126, 12), sodium(120, 18))
    assert (state.open_alerts, alerts[-1].status) == ({}, "resolved")
    assert severities(sodium(112, 0), sodium(126, 12), lab("potassium", 4, 300)) == ["critical"]  # never by age


@pytest.mark.parametrize("more", [{"comparator": ">"}, {"remark": "implausible"}])
def test_only_sure_numbers_are_compared(more: dict[str, Any]) -> None:
    assert severities(sodium(112, 0, **more), sodium(126, 12)) == []
    assert severities(sodium(112, 0), sodium(126, 12, **more)) == []


def test_a_corrected_start_takes_it_back() -> None:
    wrong = [sodium(112, 0, id="a"), sodium(126, 12), sodium(124, 0, id="a", version=2, status="corrected")]
    for arrival in permutations(wrong):
        assert severities(*arrival) == []


def test_a_fall_of_glucose_explains_a_rise_that_did_not_begin_very_low() -> None:
    rise = [sodium(125, 0), sodium(139, 6)]
    for fallen, expected in ((450, []), (451, ["moderate"])):
        for arrival in permutations([*rise, glucose(650, 0), glucose(fallen, 6)]):
            assert severities(*arrival) == expected
    assert severities(sodium(112, 0), sodium(126, 6), glucose(650, 0), glucose(200, 6)) == ["critical"]


def test_it_names_what_may_have_raised_it() -> None:
    (alert,) = play(order("tolvaptan", -2), order("lisinopril", -2), sodium(112, 0), sodium(126, 12))[
        0
    ].open_alerts.values()
    assert alert.summary.endswith("; with tolvaptan")
    assert alert.actions[0] == "Look at these medicines first: tolvaptan"
    assert "for how long it had been low" in alert.detail
    assert [(each.answer, each.text) for each in alert.conditions] == [
        ("yes", "sodium rise > 12 within 24 h"), ("yes", "sodium began below 120"),
    ]  # fmt: skip


# --- the data


@pytest.mark.parametrize(
    ("file", "old", "new", "column"),
    [
        ("critical_changes", "sodium,12,24,120", "natrium,12,24,120", "analyte"),
        ("critical_changes", "sodium,12,24,120", "sodium,0,24,120", "over"),
        ("critical_changes", "sodium,12,24,120", "sodium,12,0,120", "over"),
        ("critical_changes", "glucose fall >= 200", "glucose drops 200", "unless"),
        ("critical_context", ",chemotherapy,28,", ",chemotherapy,,", "after_d"),
        ("critical_context", ",chemotherapy,28,", ",,28,", "after_d"),
        ("critical_context", ",chemotherapy,28,", ",chemo,28,", "after"),
        ("critical_context", "history cancer", "history of cancer", "when"),
        ("critical_context", ",calcium < 6.6 within 1 h,", ",,", "when"),
        ("explained_by", "potassium,high,potassium-raising", "potassium,high,potassium", "medicine"),
        ("explained_by", "potassium,high,", "potassium,up,", "direction"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, file: str, old: str, new: str, column: str) -> None:
    root = copy_knowledge(tmp_path)
    path = root / f"labs/{file}.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(KnowledgeError) as refused:
        load_from(root)
    assert (refused.value.file, refused.value.column) == (f"labs/{file}.csv", column)
    assert refused.value.line > 1
