"""Files and folders as a feed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.events import Event
from schemas.values import Origin
from services.ingest.formats import Ignored, Refusal, native
from services.ingest.formats.extract.loading import load
from services.ingest.formats.extract.mapping import Mapping, MappingError
from services.local.feed import FeedError, Unit, files, load_mapping, place_of, units

MAPPING = b"""
source = "lab"
ignored = ["NOTES*.csv"]
[joins.items]
file = "ITEMS.csv"
key = "{ITEM}"
missing = "keep"
[[tables]]
file = "LABS.csv"
event = "lab_result"
ignore = [{ column = "CLASS", kind = "quality_control", equals = ["QC"] }]
[tables.fields]
patient_id = "{ID}"
record_id = "{ID}-{ITEM}"
occurred_at = "{AT}"
status = "final"
value = "{VALUE}"
codings = [{ system = "LOINC", code = "{items.LOINC}" },
           { system = "local", code = "{ITEM}" }]
"""
LABS = b"ID,ITEM,AT,VALUE,CLASS\n1,50971,2026-11-02,7.4,\n2,50971,never,7.4,\n,,,,QC\n"
ITEMS = b"ITEM,LOINC\n50971,2823-3\n"


def event(patient: str = "p", **more: Any) -> bytes:
    fields = {
        "type": "patient",
        "patient_id": patient,
        "source": "adt",
        "record_id": "r",
        "occurred_at": "2026-11-02T08:00:00Z",
    }
    return json.dumps(fields | more).encode()


def mapping() -> Mapping:
    return load(MAPPING, "map.toml")


def write(folder: Path, **contents: bytes) -> Path:
    """Files by their names with ``__`` for ``/`` and ``_`` before the kind for the dot."""
    for name, content in contents.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def read(*paths: Path, by: Mapping | None = None) -> list[Unit]:
    return [unit for file in files(paths, by) for unit in units(file, by)]


def kinds(found: list[Unit]) -> list[str]:
    ends = [unit.end for unit in found]
    return ["event" if isinstance(e, Event) else e.reason if isinstance(e, Refusal) else e.kind for e in ends]


# --- which files


def test_a_folder_is_read_by_name_with_what_lies_below_and_other_kinds_are_passed_over(tmp_path: Path) -> None:
    write(
        tmp_path,
        b_json=event(),
        a_jsonl=event(),
        sub__c_JSON=event(),
        README_md=b"x",
        a_json_gz=gzip.compress(event()),
        x_gz=b"x",
    )
    assert [file.name for file in files([tmp_path], None)] == ["a.json", "a.jsonl", "b.json", "sub/c.JSON"]


def test_files_are_read_in_the_order_in_which_they_are_named_and_once(tmp_path: Path) -> None:
    write(tmp_path, a_json=event(), b_json=event())
    named = [tmp_path / "b.json", tmp_path, tmp_path / "a.json", tmp_path / ".." / tmp_path.name / "b.json"]
    assert [file.name for file in files(named, None)] == ["b.json", "a.json"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.json", "there is no such file or folder"),
        ("README.md", r"known are \.json, \.jsonl, \.ndjson, \.csv"),
        ("empty", r"no file ends in \.json, \.jsonl, \.ndjson, \.csv"),
        ("LABS.csv", "--map"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_name(tmp_path: Path, name: str, said: str) -> None:
    write(tmp_path, README_md=b"x", empty__x_txt=b"", LABS_csv=LABS)
    with pytest.raises(FeedError, match=rf"{name}.*{said}"):
        files([tmp_path / name], None)


def test_an_extract_that_the_mapping_does_not_name_is_said_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path, a_json=event(), OTHER_csv=b"A\n")
    with pytest.raises(FeedError, match=r"OTHER\.csv.*\[\[tables\]\].*`ignored`"):
        files([tmp_path], mapping())


def test_a_mapping_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"nothing\.toml: the mapping file cannot be read"):
        load_mapping(tmp_path / "nothing.toml")


# --- what is in them


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress])
def test_every_kind_also_packed(tmp_path: Path, pack: Any) -> None:
    end = "_gz" if pack is gzip.compress else ""
    contents = {
        "one_json": event("one"),
        "list_json": b"[" + event("first") + b"," + event("second") + b"]",
        "lines_jsonl": b"\xef\xbb\xbf" + event("line") + b"\n\n" + event("last"),
        "LABS_csv": LABS,
        "ITEMS_csv": ITEMS,
    }
    write(tmp_path, **{name + end: pack(content) for name, content in contents.items()})
    found = {(u.origin.topic, u.origin.offset): u for u in read(tmp_path, by=mapping())}
    assert {key: kinds([unit])[0] for key, unit in found.items()} == {
        ("one.json", 0): "event",
        ("list.json", 0): "event",
        ("list.json", 1): "event",
        ("lines.jsonl", 1): "event",
        ("lines.jsonl", 3): "event",
        ("LABS.csv", 2): "event",
        ("LABS.csv", 3): "mapping",
        ("LABS.csv", 4): "quality_control",
        ("ITEMS.csv", 2): "ITEMS.csv",
    }
    assert found["list.json", 1].original == event("second")
    assert found["LABS.csv", 3].original == b"2,50971,never,7.4,\n"
    result = found["LABS.csv", 2].end
    assert isinstance(result, Event)
    assert result.codings[0].code == "2823-3"  # type: ignore[attr-defined]


def test_a_bad_line_is_refused_at_its_line(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl=event() + b"\r\n{bad\r\n\xff\r\n" + event(version=-1) + b"\r\n")
    found = read(tmp_path)
    assert kinds(found) == ["event", "not_json", "not_utf8", "schema"]
    assert [(unit.origin.offset, unit.original) for unit in found[1:3]] == [(2, b"{bad"), (3, b"\xff")]


def test_a_line_is_read_as_the_record_that_send_makes_of_it(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl=event("a") + b"\n[" + event("b") + b"," + event("c") + b",{}]\n[]\n")
    found = read(tmp_path)
    assert kinds(found) == ["event", "event", "event", "schema", "empty_list"]
    assert [unit.origin for unit in found[1:4]] == [Origin("a.jsonl", 0, 2, index) for index in range(3)]


def test_more_events_than_a_record_may_hold_are_read_from_a_file(tmp_path: Path) -> None:
    many = b"[" + b",".join([b"{}"] * 100_001) + b"]"
    write(tmp_path, a_json=many)
    assert len(read(tmp_path)) == 100_001


def test_empty_files(tmp_path: Path) -> None:
    write(tmp_path, a_json=b"", b_jsonl=b"\n\n", LABS_csv=b"", NOTES1_csv=b"")
    found = read(tmp_path, by=mapping())
    assert [(unit.origin.topic, kind) for unit, kind in zip(found, kinds(found), strict=True)] == [("a.json", "empty")]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(event() * 100)[:-20], gzip.compress(b"x")[:12] + b"\x00" * 30],
    ids=["none", "cut", "garbled"],
)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_a_broken_gz_is_said_with_its_name(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / f"LABS.{kind}.gz"
    path.write_bytes(content)
    write(tmp_path, ITEMS_csv=ITEMS)
    with pytest.raises(FeedError, match=rf"LABS\.{kind}\.gz: cannot be read to its end"):
        read(path, by=mapping())


def test_a_broken_joined_file_is_said_with_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, LABS_csv=LABS, ITEMS_csv_gz=b"no gzip")
    with pytest.raises(FeedError, match=r"ITEMS\.csv\.gz: cannot be read"):
        read(tmp_path / "LABS.csv", by=mapping())


def test_a_joined_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, LABS_csv=LABS)
    with pytest.raises(MappingError, match=r"the joined file ITEMS\.csv is not there"):
        read(tmp_path, by=mapping())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"ID,ITEM,AT,VALUE\n", r"LABS\.csv, line 1: there is no column 'CLASS'"),
        (b"\nID,ITEM,AT,VALUE,VALUE\n", r"LABS\.csv, line 2: two columns are named 'VALUE'"),
        (b"\xff\xfeI\x00D\x00\n", r"LABS\.csv, line 1: the header cannot be read: byte 0"),
    ],
)
def test_a_header_that_does_not_fit(tmp_path: Path, header: bytes, said: str) -> None:
    write(tmp_path, LABS_csv=header, ITEMS_csv=ITEMS)
    with pytest.raises(MappingError, match=said):
        read(tmp_path, by=mapping())


def test_an_ignored_file_counts_its_rows_and_needs_no_columns(tmp_path: Path) -> None:
    write(tmp_path, NOTES1_csv=b'A\n"over\nlines"\nx,y,z\n')
    assert [unit.end for unit in read(tmp_path, by=mapping())] == [Ignored("NOTES1.csv")] * 2


# --- the place of an event


def test_events_of_one_time_stand_by_what_they_say_and_not_by_their_file() -> None:
    texts = [
        event(occurred_at="2026-11-01T00:00:00Z"),
        event(record_id="a", version=7),
        event(record_id="b"),
        event(record_id="b", recorded_at="2026-11-05T00:00:00Z"),
        event(record_id="b", version=2),
        event(occurred_at="2026-11-03T00:00:00+05:00"),
    ]
    events = [found for text in texts if isinstance(found := native.decode_unit(text), Event)]
    for names in ("abcdef", "fedcba"):
        places = [place_of(each, Origin(name, 0, 1)) for each, name in zip(events, names, strict=True)]
        assert places == sorted(places)
    # one version told in two ways has one order too, whichever file is named first
    one, other = (found for sex in ("female", "male") if isinstance(found := native.decode_unit(event(sex=sex)), Event))
    first, last = Origin("a", 0, 1), Origin("b", 0, 1)
    assert (place_of(one, first) < place_of(other, last)) is (place_of(one, last) < place_of(other, first))
    assert place_of(events[0], Origin("a", 0, 2)) < place_of(events[0], Origin("b", 0, 1))
