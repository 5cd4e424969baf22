"""Kidney injury on real hospital data: stage and first qualifying result of every admission equal those of a computation in
pandas that shares no code with the rule and knows KDIGO from the guideline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from knowledge.loader import load
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from services.local.play import by_patient
from services.local.report import Tally
from services.monitor import evaluate
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.acute_kidney_injury import AcuteKidneyInjury
from tests.conftest import SHARED

pytestmark = pytest.mark.shared

ROOT = Path(__file__).parents[2]
MIMIC = SHARED / "corpus" / "mimic-iii-demo"
# ICD-9-CM: stage 5 and end-stage disease, dialysis status, care for dialysis
ON_DIALYSIS = ("5855", "5856", "V451", "V56")


class Injury(NamedTuple):
    """What runs at a result: the first that qualified, and the stage now."""

    first: pd.Timestamp
    stage: int


def table(name: str, *times: str) -> pd.DataFrame:
    return pd.read_csv(MIMIC / f"{name}.csv.gz", dtype=str, parse_dates=list(times))


def creatinines() -> pd.DataFrame:
    """Creatinine of blood in hundredths of mg/dL, whole numbers. Those of 138 and 0 mg/dL are slips: nobody lives with them."""
    rows = table("LABEVENTS", "CHARTTIME")
    rows = rows[rows["ITEMID"] == "50912"]
    value = pd.to_numeric(rows["VALUE"], errors="coerce")
    rows = rows.assign(value=(value * 100).round())[(value > 0) & (value < 100)]
    return rows[["SUBJECT_ID", "CHARTTIME", "value"]].drop_duplicates().sort_values("CHARTTIME")


def stage(value: float, baseline: float) -> int:
    """Of a result where the definition is met: KDIGO 2012, table 2, for adults."""
    if value >= 3 * baseline or value >= 400:
        return 3
    return 2 if value >= 2 * baseline else 1


def running(rows: pd.DataFrame) -> Injury | None:
    """At the last row. An injury starts with a result 0.3 above the lowest of 48 hours or 1.5 times the lowest of 7 days,
    and lasts to the first that is neither 1.5 times nor 0.3 above that lowest of 7 days."""
    by_time = rows.groupby("CHARTTIME")["value"].agg(["min", "max"])
    two_days = by_time["min"].rolling("48h", closed="left").min()
    week = by_time["min"].rolling("7D", closed="left").min()
    meets = (by_time["max"] - two_days >= 30) | (by_time["max"] >= 1.5 * week)
    time = by_time.index.min()
    while meets[meets.index >= time].any():
        first = meets[meets.index >= time].idxmax()
        baseline, after = week[first], by_time.loc[first:, "max"]
        over = (after < 1.5 * baseline) & (after - baseline < 30)
        if not over.any():
            return Injury(first, stage(after.iloc[-1], baseline))
        time = over.idxmax()
    return None


def remembered(rows: pd.DataFrame) -> pd.DataFrame:
    """What is kept of the results up to the last: thirty days to the end of its day, and at least three."""
    end_of_day = rows["CHARTTIME"].max().normalize() + pd.Timedelta(days=1)
    fresh = end_of_day - rows["CHARTTIME"] <= pd.Timedelta(days=30)
    return rows[fresh | (rows.index.isin(rows.index[-3:]))]


Course = dict[tuple[str, pd.Timestamp], Injury | None]
"""What runs at each time at which a patient's creatinine was measured."""


@pytest.fixture(scope="module")
def expected() -> Course:
    found: Course = {}
    for patient, rows in creatinines().groupby("SUBJECT_ID"):
        for time in rows["CHARTTIME"].unique():
            found[str(patient), time] = running(remembered(rows[rows["CHARTTIME"] <= time]))
    return found


class Seen(NamedTuple):
    """What the monitor holds true at a time, whether it reaches nobody, and how grave it is."""

    injury: Injury
    held: str
    severity: str


@pytest.fixture(scope="module")
def found() -> Iterator[dict[tuple[str, pd.Timestamp], Seen | None]]:
    """After the last event of each time of each patient."""
    knowledge, mapping = load(), load_mapping(ROOT / "examples" / "mimic-iii.toml")
    pipeline = Pipeline(knowledge, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    feed = (unit for file in files([MIMIC], mapping) for unit in units(file, mapping))
    seen: dict[tuple[str, pd.Timestamp], Seen | None] = {}
    with pytest.MonkeyPatch.context() as only:
        only.setattr(evaluate, "RULES", (AcuteKidneyInjury(),))
        only.setattr(evaluate, "written_rules", lambda knowledge: ())
        only.setattr(evaluate, "_last", [])
        for patient, events in by_patient(feed, pipeline, Tally(), lambda letter: None).items():
            state: PatientState | None = None
            for event in events:
                state, _ = take_event(state, event, knowledge, event.occurred_at)
                standing = next(iter(state.standing.values()), None)
                seen[patient, local(state.clock)] = standing and Seen(
                    Injury(local(standing.since), int(standing.rank)), standing.held, standing.severity
                )
        yield seen


def local(time: datetime) -> pd.Timestamp:
    return pd.Timestamp(time).tz_localize(None)


def test_at_every_result_the_injury_and_its_stage_are_those_of_the_independent_computation(
    expected: Course, found: dict[tuple[str, pd.Timestamp], Seen | None]
) -> None:
    ours = {key: seen.injury if (seen := found[key]) is not None else None for key in expected}
    assert len(expected) > 850
    assert {each.stage for each in expected.values() if each} == {1, 2, 3}
    assert ours == expected


def by_admission(course: Course) -> dict[str, tuple[pd.Timestamp, int, int] | None]:
    """Of each admission its first qualifying result, the stage of this one, and the worst stage in the admission."""
    of: dict[str, tuple[pd.Timestamp, int, int] | None] = {}
    for stay in table("ADMISSIONS", "ADMITTIME", "DISCHTIME").itertuples():
        inside = [
            (time, each)
            for (patient, time), each in sorted(course.items(), key=lambda item: item[0])
            if patient == stay.SUBJECT_ID and each is not None and stay.ADMITTIME <= time <= stay.DISCHTIME
        ]
        qualifying = next(((time, each.stage) for time, each in inside if each.first == time), None)
        of[stay.HADM_ID] = qualifying and (*qualifying, max(each.stage for _, each in inside))
    return of


def test_stage_and_first_qualifying_result_of_every_admission_are_equal(
    expected: Course, found: dict[tuple[str, pd.Timestamp], Seen | None]
) -> None:
    theirs = by_admission(expected)
    ours = by_admission({key: seen.injury if (seen := found[key]) is not None else None for key in expected})
    assert len(theirs) == len(table("ADMISSIONS"))
    assert sum(each is not None for each in theirs.values()) > 20
    assert ours == theirs


def test_only_patients_on_dialysis_are_held_back_and_each_stage_3_is_told_when_it_begins(
    found: dict[tuple[str, pd.Timestamp], Seen | None],
) -> None:
    listed = table("DIAGNOSES_ICD").merge(table("ADMISSIONS", "ADMITTIME")[["HADM_ID", "ADMITTIME"]], on="HADM_ID")
    since = listed[listed["ICD9_CODE"].str.startswith(ON_DIALYSIS)].groupby("SUBJECT_ID")["ADMITTIME"].min().to_dict()
    assert any(seen and patient in since for (patient, _), seen in found.items())
    for (patient, time), seen in found.items():
        if seen is not None:
            assert bool(seen.held) == (patient in since and time >= since[patient])
            if seen.injury == (time, 3):
                assert seen.severity == "high"
