"""Laboratory results: which version stands, which one says that a limit is passed, and how a value is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.alerts import Alert
from schemas.events import AnyEvent, LabResult
from services.monitor.evaluate import take_event
from services.monitor.patient.bounds import MAX_OF_EACH_KIND, MAX_VOID
from services.monitor.patient.picture import picture
from services.monitor.patient.state import PatientState
from tests.support.clinical import KNOWLEDGE, SmallKnowledge, at, lab, limit

NOW = datetime(2026, 11, 3, tzinfo=UTC)
GLUCOSE: Any = SmallKnowledge([], [limit("glucose", 46, 484)])


def play(*events: AnyEvent, knowledge: Any = KNOWLEDGE) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, knowledge, NOW)
        alerts += changed
    assert state is not None
    return state, alerts


def uncoded(status: str, **more: Any) -> LabResult:
    """A version with a local code only, in which ingest saw no analyte."""
    fields: dict[str, Any] = {
        "analyte": "",
        "canonical_unit": "",
        "status": status,
        "version": 2,
        "remark": "no_analyte",
    }
    return lab("x", None, 0, **({"id": "k"} | fields | more))


# --- versions


def test_what_takes_a_result_back_need_not_name_what_was_measured() -> None:
    critical = lab("potassium", 7.5, 0, id="k")
    for status in ("cancelled", "entered_in_error", "corrected"):
        _, alerts = play(critical, uncoded(status))
        assert [alert.status for alert in alerts] == ["open", "withdrawn"], status
        assert play(uncoded(status), critical)[1] == [], status
    unversioned = uncoded("cancelled", version=1, recorded_at=at(1))
    assert [alert.status for alert in play(critical, unversioned)[1]] == ["open", "withdrawn"]


def test_a_record_taken_back_is_that_of_its_source_alone() -> None:
    critical = lab("potassium", 7.5, 0, id="k")
    for other in (
        uncoded("cancelled", id="j"),
        uncoded("cancelled", source="elsewhere"),
        uncoded("cancelled", version=0),
    ):
        state, _ = play(critical, other)
        assert state.open_alerts


def test_a_corrected_analyte_moves_the_result() -> None:
    versions = [lab("potassium", 7.5, 0, id="k"), lab("sodium", 140, 0, id="k", status="corrected", version=2)]
    for arrival in permutations(versions):
        state, alerts = play(*arrival)
        assert list(state.results) == ["sodium"]
        assert not state.open_alerts
        assert [alert.status for alert in alerts] in ([], ["open", "withdrawn"])


def test_results_of_nobody_are_not_kept_and_the_picture_shows_no_empty_name() -> None:
    state, _ = play(lab("x", 1, 0, analyte=""), uncoded("cancelled", id="z"))
    assert sum(map(len, state.results.values())) == 1
    assert picture(state).labs == ()


def test_versions_that_nobody_counts_stand_by_when_they_were_recorded_or_resulted() -> None:
    for field in ("recorded_at", "resulted_at"):
        values = [(7.5, "final"), (4.0, "corrected"), (7.6, "corrected")]
        versions = [
            lab("potassium", value, 0, id="k", status=status, **{field: at(1 + hours)})
            for hours, (value, status) in enumerate(values)
        ]
        for arrival in permutations(versions):
            state, _ = play(*arrival)
            assert [each.value for each in state.results["potassium"]] == [7.6], field
        _, alerts = play(*versions)
        assert [(alert.status, alert.revision) for alert in alerts] == [("open", 1), ("withdrawn", 2), ("open", 1)]
        assert alerts[0].alert_id != alerts[2].alert_id


def test_the_same_fact_by_another_feed_is_the_same_episode() -> None:
    first = lab("potassium", 7.5, 0)
    second = replace(first, event_id="another", ingested_at=at(4))
    assert play(first)[1][0].alert_id == play(second)[1][0].alert_id


# --- which result answers


@pytest.mark.parametrize(
    ("value", "comparator", "ends"),
    [
        (400, ">", False), (484, ">=", False), (500, "<", False), (485, "<=", False), (9999, "<", False),
        (484, "<", True), (484, "<=", True), (400, "<", True), (484, "", True), (90, "", True),
    ],
)  # fmt: skip
def test_only_a_result_that_says_it_is_within_the_limit_ends_a_high_alert(
    value: float, comparator: str, ends: bool
) -> None:
    high, next_ = lab("glucose", 600, 0, comparator=">"), lab("glucose", value, 1, comparator=comparator or None)
    for arrival in permutations([high, next_]):
        assert bool(play(*arrival, knowledge=GLUCOSE)[0].open_alerts) is not ends


@pytest.mark.parametrize(
    ("value", "comparator", "ends"),
    [(60, "<", False), (46.1, "<=", False), (40, ">", False), (46, ">", True), (46, ">=", True), (50, ">", True)],
)
def test_only_a_result_that_says_it_is_within_the_limit_ends_a_low_alert(
    value: float, comparator: str, ends: bool
) -> None:
    low, next_ = lab("glucose", 30, 0), lab("glucose", value, 1, comparator=comparator)
    for arrival in permutations([low, next_]):
        assert bool(play(*arrival, knowledge=GLUCOSE)[0].open_alerts) is not ends


def test_an_open_question_in_one_direction_may_be_an_answer_in_the_other() -> None:
    _, alerts = play(lab("glucose", 30, 0), lab("glucose", 400, 1, comparator=">"), knowledge=GLUCOSE)
    assert [alert.status for alert in alerts] == ["open", "resolved"]


def test_a_number_that_can_hardly_be_opens_and_says_so_and_ends_nothing() -> None:
    slip = lab("potassium", 0.5, 1, remark="implausible")
    state, alerts = play(lab("potassium", 7.5, 0), slip)
    assert {alert.subject for alert in state.open_alerts.values()} == {"potassium:high", "potassium:low"}
    assert [alert.status for alert in alerts] == ["open", "open"]
    assert "hardly possible" in alerts[1].detail
    assert "hardly possible" not in alerts[0].detail
    _, alerts = play(lab("potassium", 7.5, 0), lab("potassium", 5.0, 1, remark="implausible"))
    assert [alert.status for alert in alerts] == ["open"]
    assert play(lab("potassium", 5.0, 1, remark="implausible"))[1] == []


@pytest.mark.parametrize(
    "flood",
    [
        {"status": "cancelled"}, {"value": None, "text": "haemolysed"}, {"value": 6.0, "comparator": ">"},
        {"value": 5.0, "remark": "implausible"},
    ],
)  # fmt: skip
def test_no_number_of_results_that_say_nothing_pushes_out_the_one_that_counts(flood: dict[str, Any]) -> None:
    value = flood.get("value", 4.0)
    more = {key: part for key, part in flood.items() if key != "value"}
    two = [lab("potassium", 7.5, 0, id="a"), lab("potassium", 7.1, 0, id="b")]
    state, alerts = play(*two, *(lab("potassium", value, hours, **more) for hours in range(1, 80)))
    assert len(state.open_alerts) == 1
    assert {alert.status for alert in alerts} == {"open"}
    assert len(state.results["potassium"]) == (MAX_VOID if "status" in flood else MAX_OF_EACH_KIND) + 2


# --- what is shown


def opened(event: LabResult, knowledge: Any) -> Alert:
    (alert,) = play(event, knowledge=knowledge)[1]
    return alert


def test_a_value_is_shown_as_its_laboratory_wrote_it() -> None:
    received = lab("glucose", 540.48, 0, value=30.0, unit="mmol/L", canonical_unit="mg/dL", comparator=">")
    knowledge: Any = SmallKnowledge([], [replace(limit("glucose", 46, 484), unit="mg/dL")])
    alert = opened(received, knowledge)
    assert alert.summary == "Glucose critically high: >30 mmol/L (>540 mg/dL), limit 484 mg/dL"
    assert alert.detail.startswith(">30 mmol/L (>540 mg/dL) is above the critical limit of 484 mg/dL for adults.")
    (fact,) = alert.implicated
    assert (fact.received, fact.value, fact.unit) == (">30 mmol/L", 540.48, "mg/dL")


def test_rounding_never_puts_a_value_on_its_limit() -> None:
    knowledge: Any = SmallKnowledge([], [replace(limit("glucose", 46, 484), unit="mg/dL")])
    received = lab("glucose", 484.18, 0, value=26.875, unit="mmol/L", canonical_unit="mg/dL")
    assert "26.875 mmol/L (484.18 mg/dL), limit 484 mg/dL" in opened(received, knowledge).summary


@pytest.mark.parametrize(
    ("analyte", "unit", "summary"),
    [
        ("pH", "1", "pH critically low: 7.1, limit 7.2"),
        ("INR", "", "INR critically low: 7.1, limit 7.2"),
        ("ionized calcium", "mmol/L", "Ionized calcium critically low: 7.1 mmol/L, limit 7.2 mmol/L"),
    ],
)
def test_names_and_units_are_written_as_people_write_them(analyte: str, unit: str, summary: str) -> None:
    canonical = unit or "1"
    knowledge: Any = SmallKnowledge([], [replace(limit(analyte, 7.2, None), unit=canonical)])
    assert opened(lab(analyte, 7.1, 0, unit=unit, canonical_unit=canonical), knowledge).summary == summary


def test_any_number_of_results_of_one_time_is_bounded() -> None:
    state: PatientState | None = None
    for number in range(240):
        state, _ = take_event(state, lab("potassium", 4.1, id=f"k{number}"), KNOWLEDGE, at(1))
    assert state is not None
    assert len(state.results["potassium"]) <= 4 * MAX_OF_EACH_KIND


def test_a_run_that_was_cancelled_is_not_revived_when_its_feed_is_delivered_again() -> None:
    run = [lab("potassium", 7.5, hours, id=f"k{hours}") for hours in range(MAX_VOID)]
    cancelled = [
        lab("potassium", 7.5, hours, id=f"k{hours}", version=2, status="cancelled") for hours in range(MAX_VOID)
    ]
    assert not play(*run, *cancelled, *run)[0].open_alerts
    assert not play(*cancelled, *run)[0].open_alerts
