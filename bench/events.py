"""The load: canonical events of a made-up hospital, the same for every contender."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schemas.events import AnyEvent, Drug, Ingredient, LabResult, Prescription
from schemas.values import Coding

PATIENTS = 5_000
START = datetime(2026, 11, 2, tzinfo=UTC)
QUIET = (
    "lisinopril",
    "metformin",
    "amlodipine",
    "omeprazole",
    "levothyroxine",
    "furosemide",
    "acetaminophen",
    "aspirin",
)
INTERACTING = ("simvastatin", "clarithromycin", "tizanidine", "ciprofloxacin", "fluoxetine", "linezolid")
LABS = (
    ("potassium", "2823-3", "mmol/L", 4.2, 0.7),
    ("sodium", "2951-2", "mmol/L", 139.0, 5.0),
    ("glucose", "2345-7", "mg/dL", 120.0, 50.0),
    ("hemoglobin", "718-7", "g/dL", 11.5, 1.8),
)


def events(count: int, seed: int = 7) -> Iterator[AnyEvent]:
    """``count`` events in clinical order, a quarter of them orders; the same for the same seed."""
    rnd = random.Random(seed)
    for number in range(count):
        at = START + timedelta(seconds=number)
        patient = f"bench-{rnd.randrange(PATIENTS):05d}"
        if rnd.random() < 0.25:
            name = rnd.choice(INTERACTING if rnd.random() < 0.1 else QUIET)
            yield Prescription(
                patient_id=patient,
                source="bench",
                record_id=f"o{number}",
                occurred_at=at,
                event_id=f"e{number}",
                ingested_at=at,
                # the wall clock has no bearing on it: contenders without one must find the same
                timing="replayed",
                status="ordered",
                drug=Drug(text=name, ingredients=(Ingredient(name),), resolution="name"),
                end=at + timedelta(days=2),
            )
        else:
            analyte, loinc, unit, mean, spread = rnd.choice(LABS)
            value = round(rnd.gauss(mean, spread), 1)
            yield LabResult(
                patient_id=patient,
                source="bench",
                record_id=f"r{number}",
                occurred_at=at,
                event_id=f"e{number}",
                ingested_at=at,
                timing="replayed",
                status="final",
                codings=(Coding("LOINC", loinc),),
                value=value,
                unit=unit,
                analyte=analyte,
                canonical_value=value,
                canonical_unit=unit,
            )
