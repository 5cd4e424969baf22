"""The scorer on cases made by hand: what an alert tells of, what it does not, and the figures that follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from examples.quarter.generate import Case
from examples.quarter.score.matching import Score, gravest, score, tells
from examples.quarter.score.report import BEGIN, END, figures, lists, put_into
from schemas.alerts import Alert
from schemas.values import Severity
from tests.support.alerts import alert, changed

AT = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def case(patient: str = "Q1", family: str = "interaction", **more: object) -> Case:
    fields: dict[str, object] = {
        "patient_id": patient, "family": family, "kind": "a kind", "about": ("simvastatin", "clarithromycin"),
        "at": AT.isoformat(), "until": None, "hidden": "",
    }  # fmt: skip
    return Case(**(fields | more))  # type: ignore[arg-type]


def told(
    patient: str = "Q1", family: str = "interaction", severity: Severity = "high", after: timedelta = timedelta(0)
) -> Alert:
    return alert(
        severity, patient_id=patient, family=family, rule="drug-drug-interaction", subject="statin:both",
        medicines=("clarithromycin", "simvastatin"), summary="clarithromycin with simvastatin", true_since=AT + after,
    )  # fmt: skip


def test_patient_family_words_and_time_must_all_agree() -> None:
    assert tells(told(), case())
    assert not tells(told(patient="Q2"), case())
    assert not tells(told(family="allergy"), case())
    assert not tells(told(), case(about=("warfarin",)))
    assert not tells(told(after=timedelta(days=-1)), case())


def test_an_alert_may_be_a_little_early_and_late_by_days_after_the_end_but_not_more() -> None:
    ended = case(until=(AT + timedelta(days=2)).isoformat())
    assert tells(told(after=timedelta(hours=-12)), ended)
    assert not tells(told(after=timedelta(hours=-13)), ended)
    assert tells(told(after=timedelta(days=5)), ended)
    assert not tells(told(after=timedelta(days=6)), ended)
    assert tells(told(after=timedelta(days=60)), case())


def test_an_alert_that_stood_before_and_got_worse_at_the_time_tells_of_it() -> None:
    before = told(severity="info", after=timedelta(days=-3))
    worse = changed(before, "updated", severity="high", true_since=AT)
    assert not tells(before, case())
    assert worse.history[-1].at >= AT - timedelta(hours=12)
    assert tells(worse, case())


def test_of_one_problem_another_family_may_speak_where_the_table_says_so() -> None:
    assert tells(told(family="medicine and laboratory"), case(family="critical value"))
    assert not tells(told(family="critical value"), case(family="medicine and laboratory"))


def test_what_interrupted_once_counts_as_that_though_it_got_milder() -> None:
    assert gravest(changed(told(severity="critical"), "updated", severity="moderate")) == "critical"


@pytest.fixture
def made() -> Score:
    """Two problems found of three that can be, one hidden; one of four that interrupted is about no problem."""
    problems = [
        case("Q1"), case("Q2"), case("Q3"), case("Q4", hidden="nobody wrote it down"),
        case("Q5", "critical value", about=("potassium",)),
    ]  # fmt: skip
    alerts = [
        told("Q1"),
        told("Q1", severity="critical", after=timedelta(days=1)),
        told("Q2", severity="moderate"),
        told("L1"),
        told("B1", severity="info"),
        alert("critical", patient_id="Q5", family="laboratory", true_since=AT),
    ]
    return score(problems, [case("L1"), case("L2")], alerts)


def test_recall_is_of_what_can_be_found(made: Score) -> None:
    assert made.recall("interaction") == (2, 3)
    assert made.recall("critical value") == (1, 1)
    assert made.recall() == (3, 4)
    assert [each.patient_id for each in made.missed] == ["Q3"]


def test_precision_is_of_alerts_and_leaves_none_out(made: Score) -> None:
    assert made.precision() == (3, 4)
    assert made.precision(("moderate",)) == (1, 1)
    assert made.precision(("info",)) == (0, 1)


def test_the_table_and_the_lists_say_the_same(made: Score) -> None:
    rows = list(figures(made))
    assert "| interaction | 2 | 3 | 66.7 % | 1 | 1 | 2 | 1 | 0 |" in rows
    assert "| critical value | 1 | 1 | 100.0 % | 1 | 0 | 0 | 0 | 0 |" in rows
    assert "| critical and high | 3 | 4 | 75.0 % |" in rows
    read = "\n".join(lists(made))
    assert "MISSED (1)\n  Q3 interaction: a kind" in read
    assert "ABOUT NO PROBLEM, high (1)\n  L1 drug-drug-interaction" in read
    assert "ABOUT NO PROBLEM, info (1)\n  B1" in read


def test_figures_go_between_their_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into(page, ["| new |"])
    put_into(page, ["| new |"])
    assert page.read_text() == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here")
    with pytest.raises(ValueError, match="figures go between"):
        put_into(page, ["| new |"])
    assert page.read_text() == "nothing here"
