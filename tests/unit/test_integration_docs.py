"""What docs/integration.md says of FHIR and of `POST /fhir` is what the code does. Its commands: tests/acceptance."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from knowledge.loader import load
from schemas.topics import MAX_RECORD_BYTES
from schemas.values import Origin
from services.ingest.formats.fhir import resources
from services.ingest.http import intake, outcome, routes
from services.ingest.http.capability import READ
from services.ingest.pipeline import Pipeline
from tests.unit.test_docs import table

PAGE = (Path(__file__).parents[2] / "docs" / "integration.md").read_text()
SECTION = PAGE.partition("## What is read of FHIR")[2]
OF_ALL = {"id", "identifier", "meta", "contained"}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEAST: dict[str, Any] = {
    "id": "x", "subject": {"reference": "Patient/p"}, "code": {"text": "x"}, "medicationCodeableConcept": {"text": "x"},
    "class": {"code": "IMP"}, "intent": "order", "status": "active",
}  # fmt: skip


def names(cell: str) -> set[str]:
    return set(re.findall(r"[A-Za-z][\w.-]*(?:\[x\])?", cell.replace("`", " ")))


def test_the_tables_name_every_resource_that_is_read() -> None:
    for part in (SECTION, SECTION.partition("Elements that are read")[2]):
        assert {row[0] for row in table(part, "resource")} == set(READ)


@pytest.mark.parametrize("kind", get_args(resources.Used), ids=lambda kind: kind.__name__)
def test_the_elements_of_a_resource_are_those_that_its_type_names(kind: type[msgspec.Struct]) -> None:
    rows = dict(table(SECTION.partition("Elements that are read")[2], "resource"))
    read = {field.encode_name for field in msgspec.structs.fields(kind)}
    assert read >= OF_ALL
    assert names(rows[kind.__name__]) == read - OF_ALL


def ignored() -> list[tuple[str, dict[str, Any]]]:
    """Each state that the last column of the table names, as the elements that say it."""
    found: list[tuple[str, dict[str, Any]]] = []
    for row in table(SECTION, "resource"):
        for part in row[3].split(";"):
            words = names(part)
            if "doNotPerform" in words:
                found.append((row[0], {"doNotPerform": True}))
            elif element := next(iter(words & {"status", "intent"}), None):
                codes = words - {element, "without", "whenHandedOver"}
                found += [(row[0], {element: code}) for code in sorted(codes)]
            elif "category" in words:
                found += [
                    (row[0], {"status": "final", "category": [{"coding": [{"code": code}]}]})
                    for code in sorted(words - {"category"})
                ]
    return found


@pytest.mark.parametrize(("kind", "state"), ignored(), ids=str)
def test_what_the_table_says_is_ignored_is_ignored(kind: str, state: dict[str, Any]) -> None:
    body = json.dumps(LEAST | {"resourceType": kind} | state).encode()
    taken = Pipeline(load(), lambda: NOW).take(body, Origin("file", 0, 0, received_at=NOW))
    assert (taken.events, taken.refused, taken.ignored.total()) == ([], [], 1)


def test_states_are_found_in_the_table() -> None:
    kinds = Counter(kind for kind, _ in ignored())
    assert kinds == {
        "Encounter": 1, "MedicationRequest": 5, "MedicationStatement": 1, "MedicationDispense": 4,
        "MedicationAdministration": 1, "Observation": 8,
    }  # fmt: skip


def test_every_status_of_an_answer_is_explained_and_no_other() -> None:
    told = {int(status) for row in table(PAGE, "status") for status in row[0].split(", ")}
    assert told == set(routes.OUTCOMES)


def test_numbers_are_those_of_the_code() -> None:
    assert (intake.ANSWER_SECONDS, "in ten seconds" in PAGE) == (10, True)
    assert (outcome.MOST_ISSUES, "first 100 refused parts" in " ".join(PAGE.split())) == (100, True)
    assert (MAX_RECORD_BYTES, "more than 16 MiB" in PAGE) == (16 * 1024 * 1024, True)
    assert all(kind in PAGE for kind in routes.TYPES)
