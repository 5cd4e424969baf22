"""Phenytoin corrected for albumin, against worked examples that were published."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, LabResult, Observation, Procedure
from services.monitor import evaluate
from services.monitor.evaluate import take_event
from services.monitor.patient.phenytoin import corrected
from services.monitor.patient.state import PatientState
from services.monitor.rules.corrected_level import CorrectedLevel
from tests.support.clinical import at, lab, order, patient

KNOWN = load()
UNITS = {analyte.name: analyte.unit for analyte in KNOWN.analytes.values()}
NORMAL, FAILURE = (0.2, 0.1), (0.1, 0.1)
"""Sheiner and Tozer; the second where the kidney has failed."""


@pytest.mark.parametrize(
    ("level", "albumin", "factors", "expected"),
    [
        # novacalculator.com, phenytoin correction calculator, worked examples 1 and 2
        (7.2, 2.0, NORMAL, 14.4),
        (5.0, 2.8, FAILURE, 13.2),
        # by hand: normal albumin of 4.5 leaves the level; 15 with 3.0 is 15 / 0.7
        (15, 4.5, NORMAL, 15),
        (15, 3.0, NORMAL, 21.43),
        (10, 2.0, FAILURE, 33.33),
        (10, 5.0, NORMAL, 10),  # no correction down
        (0, 2.0, NORMAL, 0),
    ],
)
def test_worked_examples(level: float, albumin: float, factors: tuple[float, float], expected: float) -> None:
    assert corrected(level, albumin, *factors) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(("level", "albumin"), [(10, 0), (10, -1), (-1, 3)])
def test_there_is_nothing_to_correct_with(level: float, albumin: float) -> None:
    assert corrected(level, albumin, *NORMAL) is None


def test_the_factors_that_are_shipped_are_the_published_ones() -> None:
    rows = [row for row in KNOWN.thresholds.corrections if row.analyte == "phenytoin"]
    assert [(row.slope, row.intercept) for row in rows] == [NORMAL, FAILURE, FAILURE]


# --- the rule


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (CorrectedLevel(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def result(analyte: str, value: float, hours: float = 0, **more: Any) -> LabResult:
    return lab(analyte, value, hours, **({"unit": UNITS[analyte], "canonical_unit": UNITS[analyte]} | more))


PHENYTOIN = order("phenytoin", -200)
WOMAN = patient(-10_000, birth_date=date(1956, 1, 1), sex="female")
WEIGHT = Observation(
    patient_id="p", source="ward", record_id="w", occurred_at=at(-50), kind="weight", value=60, unit="kg"
)


def play(*events: AnyEvent) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWN, at(0))
    assert state is not None
    return state


def alerts(*events: AnyEvent) -> list[Alert]:
    return list(play(*events).open_alerts.values())


@pytest.mark.parametrize(
    ("level", "albumin", "severity"),
    [
        (9.9, 2.0, None), (10.1, 2.0, "moderate"),  # corrected: 19.8, 20.2
        (14.9, 2.0, "moderate"), (15.1, 2.0, "high"),  # 29.8, 30.2
        (19.9, 2.0, "high"),  # 39.8
        (20.1, 2.0, "high"),  # 40.2: an estimate is never graver
        (14, 4.2, None),
    ],
)  # fmt: skip
def test_both_sides_of_each_limit(level: float, albumin: float, severity: str | None) -> None:
    story: list[AnyEvent] = [PHENYTOIN, result("albumin", albumin), result("phenytoin", level)]
    for arrival in permutations(story):
        assert [each.severity for each in alerts(*arrival)] == ([severity] if severity else [])


def test_what_the_level_itself_says_is_left_to_the_rule_of_levels() -> None:
    assert alerts(PHENYTOIN, result("albumin", 4.0), result("phenytoin", 25)) == []  # 27.8 is no graver than 25
    assert len(alerts(PHENYTOIN, result("albumin", 3.0), result("phenytoin", 25))) == 1  # 35.7 is


def kidney(clearance_below_20: bool) -> list[AnyEvent]:
    """A woman of 70 years and 60 kg: (140 - 70) x 60 / (72 x creatinine) x 0.85 = 49.6 / creatinine."""
    return [WOMAN, WEIGHT, result("creatinine", 2.5 if clearance_below_20 else 2.4, -1)]


@pytest.mark.parametrize("failed", [False, True])
def test_in_kidney_failure_the_other_factor_counts(failed: bool) -> None:
    (alert,) = alerts(PHENYTOIN, *kidney(failed), result("albumin", 2.0), result("phenytoin", 11))
    assert ("about 36.7 mg/L" if failed else "about 22 mg/L") in alert.summary
    assert "not known;" not in alert.detail


def test_dialysis_is_kidney_failure() -> None:
    known = patient(-40, procedures=(Procedure(kind="dialysis", start=at(-40)),))
    (alert,) = alerts(PHENYTOIN, known, result("albumin", 2.0), result("phenytoin", 11))
    assert "about 36.7 mg/L" in alert.summary


def test_a_kidney_that_nobody_knows_is_said() -> None:
    (alert,) = alerts(PHENYTOIN, result("albumin", 2.0), result("phenytoin", 11))
    assert "The function of the kidney is not known" in alert.detail
    assert "free phenytoin" in alert.actions[0]
    assert {fact.kind for fact in alert.implicated} == {"lab_result", "prescription"}
    assert alert.medicines == ("phenytoin",)


@pytest.mark.parametrize(
    "story",
    [
        [result("albumin", 2.0), result("phenytoin", 15)],
        [PHENYTOIN, result("phenytoin", 15)],
        [PHENYTOIN, result("albumin", 2.0, comparator="<"), result("phenytoin", 15)],
        [order("phenytoin", -200, end=at(-100)), result("albumin", 2.0), result("phenytoin", 15)],
        [order("phenytoin", -200, route="topical"), result("albumin", 2.0), result("phenytoin", 15)],
        [order("carbamazepine", -200), result("albumin", 2.0), result("phenytoin", 15)],
    ],
)
def test_without_the_medicine_or_the_albumin_there_is_nothing_to_say(story: list[AnyEvent]) -> None:
    assert alerts(*story) == []


def test_it_ends_when_albumin_is_back_and_is_found_with_fosphenytoin() -> None:
    story: list[AnyEvent] = [
        order("fosphenytoin", -20, route="intravenous"),
        result("albumin", 2.0),
        result("phenytoin", 15),
    ]
    assert len(alerts(*story)) == 1
    assert alerts(*story, result("albumin", 4.4, 1)) == []


def test_a_level_that_is_not_corrected_is_none_of_its_business() -> None:
    assert alerts(order("carbamazepine", -200), result("carbamazepine", 15), result("albumin", 2.0)) == []
