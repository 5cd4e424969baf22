"""One target under atheris, in a process of its own: ``python -m tests.fuzz.target record|extract [libFuzzer's options]``.

What is checked is ``tests.support.conservation``; the tests hold the same on inputs of hypothesis. A failure ends the process
and leaves the input that made it under ``-artifact_prefix``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["services.ingest", "schemas"]):
    from knowledge.loader import load
    from schemas.values import Origin
    from services.ingest.formats.extract import loading
    from services.ingest.formats.extract.joins import Joined, read_join
    from services.ingest.formats.extract.mapping import Mapping, Table
    from services.ingest.formats.extract.rows import header_of, rows
    from services.ingest.formats.extract.table import Extract
    from services.ingest.pipeline import Pipeline
    from tests.support import conservation
    from tests.support.mutation import ODD, mutated, written

WARD_DAY = Path(__file__).parents[2] / "examples" / "ward-day"
_BLIND = 0.3
"""The share of changes that are made without regard to JSON."""


def record_target() -> Callable[[bytes], None]:
    """A record as it comes from Kafka or HTTP."""
    pipeline = Pipeline(load(), lambda: conservation.NOW)

    def one(data: bytes) -> None:
        alone = conservation.total(conservation.taken(pipeline, data))
        if data[:1] == b"{" and _is_json(data):
            both = conservation.total(conservation.taken(pipeline, b"[" + data + b"," + data + b"]"))
            assert both == 2 * alone, "an object in a list comes to something else than the object alone"

    return one


def extract_target() -> Callable[[bytes], None]:
    """The rows of a delimited extract, below the header of the ward day's laboratory."""
    pipeline = Pipeline(load(), lambda: conservation.NOW)
    mapping = loading.load((WARD_DAY / "lab.toml").read_bytes(), "lab.toml")
    table = mapping.tables[0]
    with (WARD_DAY / "events" / table.file).open("rb") as stream:
        header = next(rows(stream, mapping.delimiter))
    assert isinstance(header.cells, list)
    joined = {name: _joined(mapping, table, name) for name in mapping.joined(table)}
    extract = Extract(mapping, table, header_of(header.cells, table.file), joined, table.file)

    def one(data: bytes) -> None:
        read = b""
        for row in rows(BytesIO(data), mapping.delimiter):
            origin = Origin(table.file, 0, row.line, received_at=conservation.NOW)
            found = pipeline.take_unit(extract.read(row), row.original, origin)
            assert conservation.total(found) == 1, "a row that does not have one end"
            for event in found.events:
                conservation.check_event(event)
            for letter in found.refused:
                conservation.check_letter(letter, data)
            read += row.original
        assert b"".join(read.split()) == b"".join(data.removeprefix(b"\xef\xbb\xbf").split()), "bytes in no row"

    return one


def _joined(mapping: Mapping, table: Table, name: str) -> Joined:
    join = mapping.joins[name]
    with (WARD_DAY / "events" / join.file).open("rb") as stream:
        return read_join(rows(stream, mapping.delimiter), join, mapping.joined(table)[name], join.file)


def changed(data: bytes, limit: int, seed: int) -> bytes:
    """An input of the record target changed as JSON, for libFuzzer knows bytes and the reader of JSON cannot be instrumented."""
    random = Random(seed)
    if random.random() > _BLIND:
        try:
            made = written(mutated(json.loads(data), random, ODD))
        except (ValueError, RecursionError):
            made = b""
        if 0 < len(made) <= limit:
            return made
    blind: bytes = atheris.Mutate(data, limit)
    return blind


def _is_json(data: bytes) -> bool:
    """Whether ``data`` is one JSON document; Python also takes NaN and Infinity, which are none."""
    try:
        json.loads(data.decode(), parse_constant=int)
    except (ValueError, RecursionError):
        return False
    return True


def main() -> None:
    name = sys.argv.pop(1)
    one = {"record": record_target, "extract": extract_target}[name]()
    atheris.Setup(sys.argv, one, **({"custom_mutator": changed} if name == "record" else {}))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
