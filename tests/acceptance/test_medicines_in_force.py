"""What a patient's state says of the MIMIC-III demo agrees with pandas over the same files: the medicines in force at noon of
each day, and the newest value of each analyte that rules read at each time at which there was a result."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from knowledge.loader import load
from knowledge.model import Knowledge
from schemas.events import AnyEvent
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from services.local.play import fixed
from services.monitor.evaluate import need, need_of
from services.monitor.patient.apply import apply
from services.monitor.patient.bounds import KEEP_ENDED_ORDERS, SHOWN
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import decode, encode
from services.runtime.clock import system_clock
from tests.conftest import SHARED

pytestmark = pytest.mark.shared

ROOT = Path(__file__).parents[2]
MIMIC = SHARED / "corpus" / "mimic-iii-demo"
DAY, NOON = timedelta(days=1), timedelta(hours=12)

LABELS = {
    "bicarbonate": ("Bicarbonate", "Calculated Bicarbonate, Whole Blood", "Calculated Total CO2"),
    "calcium": ("Calcium, Total",),
    "creatinine": ("Creatinine",),
    "glucose": ("Glucose",),
    "hemoglobin": ("Hemoglobin",),
    "ionized calcium": ("Free Calcium",),
    "magnesium": ("Magnesium",),
    "pH": ("pH",),
    "phosphate": ("Phosphate",),
    "platelets": ("Platelet Count",),
    "potassium": ("Potassium", "Potassium, Whole Blood"),
    "sodium": ("Sodium", "Sodium, Whole Blood"),
    "white blood cells": ("White Blood Cells", "WBC Count"),
}
"""In the units of the database each number is that of our unit: an equivalent of a single charge is a mole."""


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load()


@pytest.fixture(scope="module")
def events(knowledge: Knowledge) -> dict[str, list[AnyEvent]]:
    """Of each patient, in order of clinical time."""
    mapping = load_mapping(ROOT / "examples" / "mimic-iii.toml")
    pipeline = Pipeline(knowledge, fixed(system_clock()))
    found: dict[str, list[AnyEvent]] = {}
    for file in files([MIMIC], mapping):
        for unit in units(file, mapping):
            for event in pipeline.take_unit(unit.end, unit.original, unit.origin).events:
                found.setdefault(event.patient_id, []).append(event)
    return {patient: sorted(each, key=clinical_time) for patient, each in found.items()}


def states(
    told: list[AnyEvent], times: list[datetime], knowledge: Knowledge
) -> Iterator[tuple[datetime, PatientState]]:
    """The state when all was told that had happened by each time."""
    state: PatientState | None = None
    waiting = iter([*told, None])
    event = next(waiting)
    for time in times:
        while event is not None and clinical_time(event) <= time:
            state = apply(state, event, knowledge, need(event, knowledge))
            event = next(waiting)
        if state is not None:
            yield time, state


def prescriptions() -> pd.DataFrame:
    """With the period of each in whole days, as the mapping says it: from the start of the first to the end of the last."""
    rows = pd.read_csv(MIMIC / "PRESCRIPTIONS.csv.gz", dtype={"SUBJECT_ID": str, "ROW_ID": str})
    rows = rows.dropna(subset=["STARTDATE"])
    rows["starts"] = pd.to_datetime(rows["STARTDATE"]).dt.tz_localize("UTC")
    rows["until"] = pd.to_datetime(rows["ENDDATE"]).dt.tz_localize("UTC") + DAY
    rows["until"] = rows["until"].fillna(pd.Timestamp("2250-01-01", tz="UTC"))
    return rows


def test_medicines_in_force_at_noon_of_each_day_are_those_of_pandas(
    events: dict[str, list[AnyEvent]], knowledge: Knowledge
) -> None:
    days = medicines = 0
    for patient, rows in prescriptions().groupby("SUBJECT_ID"):
        ends = rows["until"].where(rows["until"].dt.year < 2250, rows["starts"])
        noons = [
            each.to_pydatetime() + NOON for each in pd.date_range(rows["starts"].min(), ends.max() + DAY, freq="D")
        ]
        expected = {
            noon: {f"prescription-{row}" for row in rows["ROW_ID"][(rows["starts"] <= noon) & (noon < rows["until"])]}
            for noon in noons
        }
        last = None
        for noon, state in states(events[str(patient)], noons, knowledge):
            found = [medicine.order.record_id for medicine in state.in_force(noon) if medicine.order is not None]
            assert len(found) == len(set(found))
            assert set(found) == expected[noon], (patient, noon)
            days, medicines, last = days + 1, medicines + len(found), state
        assert last is not None
        # and of days that are over, by what is kept
        again = decode(encode(last))
        for noon in (noon for noon in noons if last.clock - noon < KEEP_ENDED_ORDERS - DAY):
            found = [medicine.order.record_id for medicine in again.in_force(noon) if medicine.order is not None]
            assert set(found) == expected[noon], (patient, noon)
    assert days > 500
    assert medicines > 10_000


def numeric_results() -> pd.DataFrame:
    """Rows of the analytes that rules read, with the number of the value; rows that say the same are one."""
    items = pd.read_csv(MIMIC / "D_LABITEMS.csv.gz")
    analyte_of = {
        item: analyte
        for analyte, labels in LABELS.items()
        for item in items["ITEMID"][items["LABEL"].isin(labels) & (items["FLUID"].str.lower() == "blood")]
    }
    rows = pd.read_csv(MIMIC / "LABEVENTS.csv.gz", dtype=str).dropna(subset=["VALUE"])
    rows["analyte"] = rows["ITEMID"].astype(int).map(analyte_of)
    rows = rows.dropna(subset=["analyte"])
    rows["number"] = pd.to_numeric(
        rows["VALUE"].str.replace(r"^(<|>|LESS THAN|GREATER THAN)\s*", "", regex=True), errors="coerce"
    )
    rows["at"] = pd.to_datetime(rows["CHARTTIME"]).dt.tz_localize("UTC")
    return rows.dropna(subset=["number"])


def test_the_newest_value_of_each_analyte_at_each_result_time_is_that_of_pandas(
    events: dict[str, list[AnyEvent]], knowledge: Knowledge
) -> None:
    assert set(LABELS) == {analyte for analyte, _ in knowledge.limits}
    compared = 0
    for patient, rows in numeric_results().groupby("SUBJECT_ID"):
        at_time = {
            (analyte, time): sorted(set(group["number"])) for (analyte, time), group in rows.groupby(["analyte", "at"])
        }
        newest: dict[str, list[float]] = {}
        times = [time.to_pydatetime() for time in sorted(rows["at"].unique())]
        for time, state in states(events[str(patient)], times, knowledge):
            newest |= {analyte: numbers for (analyte, when), numbers in at_time.items() if when == time}
            for analyte, numbers in newest.items():
                measured = [result for result in state.results[analyte] if result.measured]
                same_time = {result.value for result in measured if result.at == measured[-1].at}
                assert same_time == set(numbers), (patient, analyte, time)
                compared += 1
    assert compared > 20_000


def test_a_median_patient_s_state_is_below_four_kilobytes_and_the_largest_below_sixty_four(
    events: dict[str, list[AnyEvent]], knowledge: Knowledge
) -> None:
    assert need_of("an analyte that no rule reads", knowledge) == SHOWN
    sizes = []
    for told in events.values():
        *_, (_, state) = states(told, [clinical_time(told[-1])], knowledge)
        sizes.append(len(encode(state)))
    assert len(sizes) == 50
    assert pd.Series(sizes).median() < 4 * 1024, sorted(sizes)
    assert max(sizes) < 64 * 1024
