"""Mappings and tables for the tests of delimited extracts."""

from __future__ import annotations

from collections.abc import Iterator

from services.ingest.formats import End
from services.ingest.formats.extract.joins import Joined, read_join
from services.ingest.formats.extract.loading import load
from services.ingest.formats.extract.rows import header_of, rows
from services.ingest.formats.extract.table import Extract

PATIENTS = """
source = "adt"
zone = "Europe/Berlin"
[[tables]]
file = "PATIENTS*.csv"
event = "patient"
[tables.fields]
patient_id = "{ID}"
record_id = "patient-{ID}"
occurred_at = "{SEEN}"
"""
LABS = """
source = "lab"
[joins.item]
file = "ITEMS.csv"
key = "{ITEM}"
missing = "keep"
[[tables]]
file = "LABS.csv"
event = "lab_result"
ignore = [{ column = "CLASS", kind = "quality_control", equals = ["QC", "CAL"] }, { column = "VALUE", kind = "no_value" }]
[tables.fields]
patient_id = "{ID}"
record_id = "{ID}-{ITEM}"
occurred_at = "{AT}"
status = { from = "{STATUS}", values = { F = "final", P = "preliminary" } }
value = "{VALUE}"
codings = [{ system = "LOINC", code = "{item.LOINC}", display = "{ITEM}" }, { system = "local", code = "{ITEM}" }]
"""
ITEMS = b"ITEM,LOINC\n50971,2823-3\n1,\n"
LAB_HEADER = "ID,ITEM,AT,STATUS,VALUE,CLASS\n"


def lines_of(text: bytes) -> Iterator[bytes]:
    return iter(text.splitlines(keepends=True))


def extract(text: str, header: str, **files: bytes) -> Extract:
    """The first table of a mapping made ready; ``files`` are the joined ones, by the name of the join."""
    mapping = load(text.encode(), "map.toml")
    table = mapping.tables[0]
    joined: dict[str, Joined] = {
        name: read_join(rows(lines_of(files[name]), ","), mapping.joins[name], taken, mapping.joins[name].file)
        for name, taken in mapping.joined(table).items()
    }
    return Extract(mapping, table, header_of(header.strip().split(","), "f.csv"), joined, "f.csv, line 1")


def read(text: str, table: bytes, **files: bytes) -> list[End]:
    first, *others = rows(lines_of(table), ",")
    assert isinstance(first.cells, list)
    ready = extract(text, ",".join(first.cells), **files)
    return [ready.read(row) for row in others]
