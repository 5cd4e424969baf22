"""`python -m bench.ingest`: how many inputs a second ingest reads on one core, from the bytes to the bytes that it sends.

Each contender takes the same load in every round, one after the other; a figure is the median of the rounds. Decoding,
terminology and encoding are in it, Kafka is not. Beside the FHIR decoder fhir.resources only parses the same resources, which
is where a program on it would begin. The data is made up.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import cyclopts
import msgspec
from fhir.resources.R4B.medicationrequest import MedicationRequest
from msgspec.structs import replace
from rich.console import Console

from bench.events import INTERACTING, PATIENTS, QUIET, START, events
from bench.figures import Figure, Report, say
from knowledge.loader import load
from schemas.codec import encode
from schemas.events import Drug, LabResult, Prescription
from schemas.values import Origin
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from services.runtime.clock import system_clock

NATIVE, FHIR, ROWS, PARSED = (
    "native JSON events",
    "FHIR MedicationRequests",
    "mapped rows",
    "fhir.resources, parsing alone",
)
LEAST = {NATIVE: 40_000, FHIR: 15_000, ROWS: 40_000}
"""A second, on one core."""
_SLOWER = 10
"""Parsing with fhir.resources takes so much longer that a tenth of the load says as much."""
_MAPPING = """
source = "bench"
[[tables]]
file = "LABS.csv"
event = "lab_result"
[tables.fields]
patient_id = "{PATIENT}"
record_id = "{ROW}"
occurred_at = "{AT}"
status = "final"
value = "{VALUE}"
unit = "{UNIT}"
codings = [{ system = "LOINC", code = "{LOINC}" }]
"""


class Contender(NamedTuple):
    """``run`` takes the whole load once and gives how many inputs became events."""

    name: str
    size: int
    run: Callable[[], int]


def native(count: int) -> list[bytes]:
    """Events as a sender writes them, without what ingest fills."""
    return [encode(_as_sent(event)) for event in events(count)]


def _as_sent(event: object) -> object:
    if isinstance(event, LabResult):
        return replace(event, event_id="", ingested_at=None, analyte="", canonical_value=None, canonical_unit="")
    assert isinstance(event, Prescription)
    return replace(event, event_id="", ingested_at=None, drug=Drug(text=event.drug.text))


def orders(count: int, seed: int = 7) -> list[bytes]:
    """MedicationRequests with a timing, a dose and a period, about 1 KB each."""
    rnd = random.Random(seed)
    return [_order(number, rnd) for number in range(count)]


def _order(number: int, rnd: random.Random) -> bytes:
    at, name = START + timedelta(seconds=number), rnd.choice(QUIET + INTERACTING)
    strength, times = rnd.choice((5, 10, 20, 500)), rnd.choice((1, 2, 3))
    text = f"{name} {strength} MG Oral Tablet"
    instruction = {
        "sequence": 1,
        "text": f"1 tablet {times} times a day",
        "timing": {
            "repeat": {
                "boundsPeriod": {"start": at.isoformat(), "end": (at + timedelta(days=7)).isoformat()},
                "frequency": times,
                "period": 1,
                "periodUnit": "d",
            }
        },
        "asNeededBoolean": False,
        "route": {"coding": [{"system": "http://snomed.info/sct", "code": "26643006", "display": "Oral route"}]},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
    }
    return msgspec.json.encode(
        {
            "resourceType": "MedicationRequest",
            "id": f"order-{number}",
            "meta": {"versionId": "1", "lastUpdated": at.isoformat()},
            "identifier": [{"system": "urn:bench:cpoe", "value": str(number)}],
            "status": "active",
            "intent": "order",
            "category": [{"coding": [{"code": "inpatient"}]}],
            "medicationCodeableConcept": {"coding": [{"system": "urn:bench:formulary", "code": name}], "text": text},
            "subject": {"reference": f"Patient/bench-{rnd.randrange(PATIENTS):05d}"},
            "encounter": {"reference": f"Encounter/stay-{number // 10}"},
            "authoredOn": at.isoformat(),
            "requester": {"reference": "Practitioner/dr-12"},
            "dosageInstruction": [instruction],
        }
    )


def rows(count: int, folder: Path) -> Path:
    """A delimited extract of results."""
    path = folder / "LABS.csv"
    with path.open("w") as file:
        file.write("ROW,PATIENT,AT,VALUE,UNIT,LOINC\n")
        results = (event for event in events(count * 2) if isinstance(event, LabResult))
        for _, each in zip(range(count), results, strict=False):
            loinc = each.codings[0].code
            file.write(
                f"{each.record_id},{each.patient_id},{each.occurred_at:%F %T},{each.value},{each.unit},{loinc}\n"
            )
    return path


def contenders(count: int, folder: Path) -> Iterator[Contender]:
    """Every reader with its own load of ``count`` inputs."""
    pipeline = Pipeline(load(), system_clock)
    for name, records in ((NATIVE, native(count)), (FHIR, orders(count))):
        yield Contender(name, count, lambda records=records: _records(pipeline, records))  # type: ignore[misc]
    mapping_file, extract = folder / "map.toml", rows(count, folder)
    mapping_file.write_text(_MAPPING)
    yield Contender(ROWS, count, lambda: _rows(pipeline, mapping_file, extract))
    few = orders(max(1, count // _SLOWER))
    yield Contender(PARSED, len(few), lambda: sum(bool(MedicationRequest.model_validate_json(each)) for each in few))


def _records(pipeline: Pipeline, records: list[bytes]) -> int:
    found = 0
    for number, record in enumerate(records):
        for event in pipeline.take(record, Origin("hospital.messages", 0, number)).events:
            found += bool(encode(event))
    return found


def _rows(pipeline: Pipeline, mapping_file: Path, extract: Path) -> int:
    mapping, found = load_mapping(mapping_file), 0
    for file in files([extract], mapping):
        for unit in units(file, mapping):
            for event in pipeline.take_unit(unit.end, unit.original, unit.origin).events:
                found += bool(encode(event))
    return found


def measure(count: int, rounds: int, console: Console) -> list[Figure]:
    """One figure a contender. Raises ``RuntimeError`` when one loses an input: it would be fast for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        entrants = list(contenders(count, Path(folder)))
        rates: dict[str, list[float]] = {each.name: [] for each in entrants}
        for number in range(rounds + 1):
            for each in entrants:
                began = time.process_time()
                if (found := each.run()) != each.size:
                    raise RuntimeError(f"{each.name}: {found} of {each.size} inputs became events")
                if number:  # the first round warms the caches
                    rates[each.name].append(each.size / (time.process_time() - began))
            say(console, f"round {number} of {rounds}" if number else "warm")
    return [_figure(name, values, rates[PARSED]) for name, values in rates.items()]


def _figure(name: str, values: list[float], parsed: list[float]) -> Figure:
    wanted = f"at least {LEAST[name]:,}" if name in LEAST else ""
    beside = [one / other for one, other in zip(values, parsed, strict=True)] if name == FHIR else []
    return Figure(
        about="ingest, one core",
        contender=name,
        unit="/s",
        values=values,
        against="fhir.resources",
        ratios=beside,
        note=wanted,
    )


def main(
    *,
    inputs: Annotated[int, cyclopts.Parameter(help="inputs of each contender in a round")] = 20_000,
    rounds: Annotated[int, cyclopts.Parameter(help="rounds of which the median counts")] = 5,
) -> None:
    """Print what ingest reads a second; fail when a figure is below what is wanted."""
    console = Console()
    report = Report(command="python -m bench.ingest", figures=measure(inputs, rounds, console))
    console.print(report.table())
    slow = [each.contender for each in report.figures if statistics.median(each.values) < LEAST.get(each.contender, 0)]
    if slow:
        sys.exit(f"below what is wanted: {', '.join(slow)}")


if __name__ == "__main__":
    cyclopts.run(main)
