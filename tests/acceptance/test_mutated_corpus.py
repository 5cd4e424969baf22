"""Files of real and synthetic patients, changed as a broken feed may change them: what is read is conserved, in bounded time."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from knowledge.loader import Knowledge, load
from schemas.events import AnyEvent
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from tests.conftest import SHARED
from tests.support.conservation import NOW, answered, check_event, check_letter, taken, total, units_of
from tests.support.mutation import NO_JSON, ODD, TEXTS, TIMES, damaged, mutated, written

pytestmark = [pytest.mark.shared, pytest.mark.timeout(120)]

CORPUS = SHARED / "corpus"
MAPPING = Path(__file__).parents[2] / "examples" / "mimic-iii.toml"
SEEDS = range(3)
CHANGED = 40
"""Resources of one bundle that are changed at a time."""
ROWS = 800
"""Rows of one table that are read at a time."""
_ODD_CELLS = [each for each in [*TEXTS, *TIMES, *map(str, ODD)] if isinstance(each, str)]


def found(pattern: str) -> list[Any]:
    return [pytest.param(path, id=path.name[:24]) for path in sorted(CORPUS.glob(pattern))]


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load()


@pytest.fixture(scope="module")
def pipeline(knowledge: Knowledge) -> Pipeline:
    return Pipeline(knowledge, lambda: NOW)


@pytest.mark.parametrize("path", found("synthea-fhir/*.json.gz"))
def test_a_bundle_of_which_resources_are_changed(path: Path, pipeline: Pipeline, knowledge: Knowledge) -> None:
    with gzip.open(path) as stream:
        bundle = json.load(stream)
    for seed in SEEDS:
        random = Random(f"{path.name} {seed}")
        entries = list(bundle["entry"])
        for at in random.sample(range(len(entries)), min(CHANGED, len(entries))):
            entries[at] = entries[at] | {"resource": mutated(entries[at]["resource"], random, most=2)}
        value = written(bundle | {"entry": entries})
        least, most = units_of(json.loads(value))
        events = taken(pipeline, value)
        assert least <= total(events) <= most
        if seed == 0:
            answered(knowledge, events.events)


@pytest.mark.parametrize("path", found("synthea-fhir/*.json.gz")[::6])
def test_a_bundle_whose_bytes_or_envelope_are_changed(path: Path, pipeline: Pipeline) -> None:
    with gzip.open(path) as stream:
        text = stream.read()
    document = json.loads(text)
    part = document | {"entry": document["entry"][:60]}
    for seed in SEEDS:
        random = Random(f"{path.name} {seed}")
        taken(pipeline, damaged(text, random))
        taken(pipeline, text[: random.randrange(len(text))])
        for _ in range(20):
            taken(pipeline, written(mutated(part, random, [*ODD, *NO_JSON])))


@pytest.mark.parametrize("path", found("cds-hooks-opioid/*.json"))
def test_the_resources_of_a_request_for_decision_support(path: Path, pipeline: Pipeline, knowledge: Knowledge) -> None:
    text = path.read_text()
    document, _ = json.JSONDecoder().raw_decode(text)
    resources = list(_resources(document))
    assert total(taken(pipeline, written(document))) == 1, "the request itself is one unit, and none that is known"
    taken(pipeline, text.encode())
    for seed in range(40):
        random = Random(f"{path.name} {seed}")
        value = written({
            "resourceType": "Bundle", "type": "collection",
            "entry": [{"resource": mutated(each, random) if random.random() < 0.5 else each} for each in resources],
        })  # fmt: skip
        least, most = units_of(json.loads(value)) if resources else (1, 1)
        events = taken(pipeline, value)
        assert least <= total(events) <= most
        answered(knowledge, events.events)
        taken(pipeline, damaged(text.encode(), random))


def _resources(node: Any) -> Iterator[dict[str, Any]]:
    """Those that stand in no other but a bundle."""
    if isinstance(node, dict) and node.get("resourceType") not in (None, "Bundle"):
        yield node
    elif isinstance(node, dict | list):
        for below in node.values() if isinstance(node, dict) else node:
            yield from _resources(below)


@pytest.mark.parametrize("path", found("hl7v2/*.hl7"))
def test_a_message_of_another_format_is_one_refusal(path: Path, pipeline: Pipeline) -> None:
    text = path.read_bytes()
    for seed in range(200):
        value = damaged(text, Random(seed)) if seed else text
        came = taken(pipeline, value)
        assert total(came) == 1
        (letter,) = came.refused
        assert letter.reason in ("not_json", "not_utf8")
        assert letter.original == value


# --- rows of an extract


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_of_which_cells_are_changed(seed: int, pipeline: Pipeline, knowledge: Knowledge, tmp_path: Path) -> None:
    random = Random(seed)
    told: dict[str, int] = {}
    for path in sorted((CORPUS / "mimic-iii-demo").glob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as stream:
            header, *cells = csv.reader(stream)
        name = path.name.removesuffix(".gz")
        if name in ("D_LABITEMS.csv", "ADMISSIONS.csv"):
            shutil.copy(path, tmp_path / path.name)  # joined: a key that stands twice is a fault of the whole
        else:
            cells = [_changed(row, cells, random) for row in random.sample(cells, min(ROWS, len(cells)))]
            with (tmp_path / name).open("w", newline="", encoding="utf-8", errors="surrogatepass") as out:
                csv.writer(out, quoting=csv.QUOTE_ALL).writerows([header, *cells])
        told[name] = len(cells)
    ends, events = _read(tmp_path, pipeline)
    assert ends == told
    assert len(events) > sum(told.values()) / 4, "too few came through for this to say much"
    answered(knowledge, random.sample(events, min(1_000, len(events))))


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_whose_bytes_are_changed(seed: int, pipeline: Pipeline, tmp_path: Path) -> None:
    random = Random(seed)
    for path in sorted((CORPUS / "mimic-iii-demo").glob("*.csv.gz")):
        header, *lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        if path.name not in ("D_LABITEMS.csv.gz", "ADMISSIONS.csv.gz"):
            lines = [
                damaged(line, random) if random.random() < 0.3 else line
                for line in random.sample(lines, min(ROWS, len(lines)))
            ]
        (tmp_path / path.name.removesuffix(".gz")).write_bytes(header + b"".join(lines))
    _, events = _read(tmp_path, pipeline)
    assert events


def _changed(row: list[str], table: list[list[str]], random: Random) -> list[str]:
    made = list(row)
    for _ in range(random.choice((0, 0, 1, 2))):
        at, kind = random.randrange(len(made)), random.randrange(8)
        if kind < 3:
            made[at] = random.choice(_ODD_CELLS)
        elif kind < 6:
            made[at] = random.choice(random.choice(table))
        elif kind == 6 and len(made) > 1:
            del made[at]
        else:
            made.insert(at, made[at])
    return made


def _read(folder: Path, pipeline: Pipeline) -> tuple[Counter[str], list[AnyEvent]]:
    """How many rows of each file came to an end, and the events. No byte of a file but its header is in no row."""
    mapping = load_mapping(MAPPING)
    ends: Counter[str] = Counter()
    events: list[AnyEvent] = []
    for file in files([folder], mapping):
        raw = gzip.decompress(file.path.read_bytes()) if file.path.suffix == ".gz" else file.path.read_bytes()
        read = io.BytesIO()
        for unit in units(file, mapping):
            came = pipeline.take_unit(unit.end, unit.original, unit.origin)
            assert total(came) == 1
            for event in came.events:
                check_event(event)
                events.append(event)  # type: ignore[arg-type]
            for letter in came.refused:
                check_letter(letter, raw)
            ends[file.name] += 1
            read.write(unit.original)
        assert b"".join(read.getvalue().split()) == b"".join(raw.partition(b"\n")[2].split())
    return ends, events
