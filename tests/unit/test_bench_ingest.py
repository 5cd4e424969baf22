"""`python -m bench.ingest`: every contender's load is one that it takes whole, and one that loses inputs does not count."""

from __future__ import annotations

from pathlib import Path

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from rich.console import Console

from bench import ingest
from knowledge.loader import load
from schemas.events import Prescription
from schemas.values import Origin
from services.ingest.pipeline import Pipeline
from services.runtime.clock import system_clock


def test_the_load_is_valid_fhir_with_medicines_that_are_known() -> None:
    pipeline = Pipeline(load(), system_clock)
    for record in ingest.orders(200):
        MedicationRequest.model_validate_json(record)
        (event,) = pipeline.take(record, Origin("hospital.messages", 0, 0)).events
        assert isinstance(event, Prescription)
        assert event.drug.ingredients
        assert event.dosage.frequency_per_day
        assert event.end


def test_every_contender_gives_a_figure_a_round() -> None:
    figures = ingest.measure(50, 2, Console(quiet=True))
    assert [figure.contender for figure in figures] == [ingest.NATIVE, ingest.FHIR, ingest.ROWS, ingest.PARSED]
    assert all(len(figure.values) == 2 and figure.median > 0 for figure in figures)
    assert [figure.contender for figure in figures if figure.ratio] == [ingest.FHIR]


def test_a_contender_that_loses_inputs_has_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ingest, "orders", lambda count: [b"{}"] * count)
    with pytest.raises(RuntimeError, match="FHIR MedicationRequests: 0 of 5"):
        ingest.measure(5, 1, Console(quiet=True))
