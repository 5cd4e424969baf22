"""FHIR in files: bundles, resources a line, and what `send` makes of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import decode_event
from schemas.events import Event, Patient, Prescription
from schemas.topics import DEAD_LETTERS, MESSAGES
from services.ingest.formats import Refusal
from services.local.feed import Unit, files, units
from services.local.report import Tally
from services.local.send import _send
from tests.support.fhir import bundle, entry, order, patient

URN = "urn:uuid:11111111-1111-4111-8111-111111111111"
NATIVE = {
    "type": "patient",
    "patient_id": "p",
    "source": "adt",
    "record_id": "r",
    "occurred_at": "2026-11-02T08:00:00Z",
}


def transaction() -> dict[str, Any]:
    document = bundle(kind="transaction")
    document["entry"] = [entry(URN, patient()), entry("urn:uuid:o", order(subject={"reference": URN}))]
    return document


def read(path: Path) -> list[Unit]:
    return [unit for file in files([path], None) for unit in units(file, None)]


@pytest.mark.parametrize("pack", [lambda text: text, gzip.compress])
def test_a_bundle_is_a_unit_for_each_of_its_resources(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / ("b.json" if pack is not gzip.compress else "b.json.gz")
    path.write_bytes(pack(json.dumps(transaction(), indent=2).encode()))
    assert [(type(u.end), u.origin.topic, u.origin.offset) for u in read(path)] == [
        (Patient, "b.json", 0), (Prescription, "b.json", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["x.ndjson", "x.jsonl"])
def test_a_line_is_a_resource_a_bundle_or_an_event(tmp_path: Path, name: str) -> None:
    lines = [patient(), transaction(), NATIVE, {"resourceType": "Observation"}]
    (tmp_path / name).write_text("\n".join(json.dumps(each) for each in lines) + "\n")
    found = read(tmp_path)
    assert [type(unit.end) for unit in found] == [Patient, Patient, Prescription, Patient, Refusal]
    assert [(unit.origin.offset, unit.origin.index) for unit in found] == [(1, 0), (2, 0), (2, 1), (3, 0), (4, 0)]
    assert [unit.alone for unit in found] == [False, False, False, True, False]


def test_a_resource_is_sent_as_the_event_that_it_says_since_its_bundle_does_not_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(transaction()))
    for unit in read(tmp_path):
        sent = _send(unit, Tally())
        assert isinstance(unit.end, Event)
        assert sent is not None
        assert (sent.topic, sent.key) == (MESSAGES, b"p1")
        assert decode_event(sent.value or b"") == unit.end


def test_a_refused_resource_becomes_a_dead_letter_here(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(bundle(order(subject={"reference": URN}))))
    (unit,) = read(tmp_path)
    tally = Tally()
    sent = _send(unit, tally)
    assert sent is not None
    assert (sent.topic, sent.value) == (DEAD_LETTERS, unit.original)
    assert tally.refused == tally.refused_here == {"schema": 1}
