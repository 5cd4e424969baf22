"""Whatever comes in: read = events + refused + ignored, what comes out is fit to go on, and the monitor answers all of it."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from knowledge.loader import Knowledge, load
from schemas.values import Origin
from services.ingest.formats.extract import loading
from services.ingest.formats.extract.joins import read_join
from services.ingest.formats.extract.rows import header_of, rows
from services.ingest.formats.extract.table import Extract
from services.ingest.formats.halves import put_aside, put_back
from services.ingest.pipeline import Pipeline
from tests.fuzz import __main__ as fuzzing
from tests.fuzz import seeds
from tests.support import fhir
from tests.support.conservation import NOW, answered, check_event, check_letter, taken, total
from tests.support.inputs import BUNDLE, NATIVE, PANEL_UNITS, PANELS, RESOURCES
from tests.support.mutation import NO_JSON, ODD, TEXTS, TIMES, Token, damaged, mutated, written

ROOT = Path(__file__).parents[2]
KNOWLEDGE: Knowledge = load()
PIPELINE = Pipeline(KNOWLEDGE, lambda: NOW)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
RANDOMS = st.randoms(use_true_random=False)
WHOLE = [*((each, 1) for each in NATIVE), *((each, 1) for each in RESOURCES), *zip(PANELS, PANEL_UNITS, strict=True)]
"""Documents with the number of their units."""


@pytest.mark.parametrize(("document", "units"), WHOLE)
def test_the_seeds_are_the_units_that_they_are_said_to_be(document: Any, units: int) -> None:
    found = taken(PIPELINE, written(document))
    assert total(found) == units
    known = document.get("type") or document["resourceType"] not in ("Medication", "Practitioner", "Horoscope")
    assert len(found.events) == (units if known else 0), found.refused


# --- any bytes, any JSON


@unhurried
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@example(b"")
@example(b"[]")
@example(b"\xef\xbb\xbf[,]")
@example(b'{"resourceType":"Bundle","type":"batch","entry":[{},[],1]}')
def test_any_bytes_are_conserved(value: bytes) -> None:
    taken(PIPELINE, value)
    taken(PIPELINE, b'{"resourceType":' + value)
    taken(PIPELINE, b"{}\n" + value + b"\n{}")


_LONE = st.characters(exclude_categories=())
_SHAPELESS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_LONE, max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(_LONE, max_size=6), inner, max_size=4),
)


@unhurried
@given(_SHAPELESS)
def test_json_of_any_shape_is_one_unit_or_one_an_element(value: Any) -> None:
    found = taken(PIPELINE, json.dumps(value).encode())
    assert total(found) == (max(1, len(value)) if isinstance(value, list) else 1)
    assert not found.events


# --- events and resources with changed fields


def part(random: Random) -> tuple[bytes, int]:
    """A document with the number of its units: changed, or whole, or no event at all."""
    kind = random.randrange(8)
    if kind == 0:
        return written(random.choice(ODD)), 1
    if kind == 1:
        document, units = random.choice(WHOLE)
        return written(document), units
    return written(mutated(random.choice(NATIVE if kind < 5 else RESOURCES), random)), 1


@settings(unhurried, max_examples=400)
@given(RANDOMS)
def test_a_changed_document_is_one_unit(random: Random) -> None:
    value, units = part(random)
    assert total(taken(PIPELINE, value)) == units


@unhurried
@given(RANDOMS, st.integers(1, 8), st.sampled_from([b",", b" ,\r\n\t", b",\n"]))
def test_a_list_is_as_many_units_as_its_elements(random: Random, length: int, comma: bytes) -> None:
    parts = [part(random) for _ in range(length)]
    found = taken(PIPELINE, b"[" + comma.join(value for value, _ in parts) + b"]")
    assert total(found) == sum(units for _, units in parts)


@unhurried
@given(RANDOMS, st.lists(st.sampled_from([None, *NO_JSON]), max_size=8), st.sampled_from([b"\n", b"\r\n", b"\n\n \n"]))
def test_lines_are_as_many_units_as_the_documents_on_them(
    random: Random, holes: list[Token | None], end: bytes
) -> None:
    parts = [(written(hole), 1 if hole.text else 0) if hole else part(random) for hole in holes]
    found = taken(PIPELINE, end.join([written(NATIVE[0]), *(value for value, _ in parts), b"{}"]))
    assert total(found) == 2 + sum(units for _, units in parts)


@unhurried
@given(RANDOMS, st.integers(1, 6))
def test_a_bundle_is_as_many_units_as_its_resources(random: Random, length: int) -> None:
    chosen = [random.choice([(each, 1) for each in RESOURCES] + WHOLE[-len(PANELS) :]) for _ in range(length)]
    inside = [each if units > 1 or "component" in each else mutated(each, random) for each, units in chosen]
    value = written(fhir.bundle(*inside))
    units = sum(units for _, units in chosen)
    assert total(taken(PIPELINE, value)) == units
    assert total(taken(PIPELINE, written(fhir.bundle(fhir.bundle(*inside), RESOURCES[0])))) == units + 1
    assert total(taken(PIPELINE, b"[" + value + b"," + value + b"]")) == 2 * units


@unhurried
@given(RANDOMS, st.booleans())
def test_a_document_that_its_bytes_no_longer_hold_together_is_conserved(random: Random, lines: bool) -> None:
    whole = [*NATIVE, *RESOURCES, BUNDLE]
    text = b"\n".join(map(written, random.sample(whole, 3))) if lines else written(random.choice(whole))
    taken(PIPELINE, damaged(text, random))
    taken(PIPELINE, written(mutated(random.choice(whole), random, [*ODD, *NO_JSON])))


# --- rows of an extract

MIMIC = loading.load((ROOT / "examples" / "mimic-iii.toml").read_bytes(), "mimic-iii.toml")
COLUMNS = {
    "PATIENTS.csv": ["SUBJECT_ID", "GENDER", "DOB"],
    "ADMISSIONS.csv": ["SUBJECT_ID", "HADM_ID", "ADMITTIME", "DISCHTIME", "EDREGTIME"],
    "DIAGNOSES_ICD.csv": ["ROW_ID", "SUBJECT_ID", "HADM_ID", "ICD9_CODE"],
    "PRESCRIPTIONS.csv": [
        "ROW_ID", "SUBJECT_ID", "HADM_ID", "STARTDATE", "ENDDATE", "DRUG", "NDC", "DOSE_VAL_RX", "DOSE_UNIT_RX", "ROUTE",
    ],
    "LABEVENTS.csv": ["SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUE", "VALUEUOM", "FLAG"],
}  # fmt: skip
JOINED = {
    "item": b"ITEMID,LABEL,FLUID,LOINC_CODE\n1,Potassium,Blood,2823-3\n2,,,\n",
    "admission": b"SUBJECT_ID,HADM_ID,ADMITTIME\n1,1,2130-01-01 00:00:00\n1,2,9999-12-31 00:00:00\n",
}
_CELL = st.sampled_from(
    ["1", "2", "M", "0", "V5861", "2130-02-03 04:05:06", "2130-02-03", "9999-12-31", "0001-01-01 00:00:00", "02/29/00 10:00",
     "02/29/01 10:00", "1-2", "2-1", "<0.2", "1e400", "9" * 400, "-0", "1,000", "99999 mg", "mg", "mmol/L", "a\x1fb", "\x00",
     *(text for text in [*TEXTS, *TIMES] if isinstance(text, str))]
) | st.text(_LONE, max_size=8)  # fmt: skip


def extract(file: str) -> Extract:
    table = MIMIC.table_of(file)
    assert table is not None
    joined = {
        name: read_join(rows(io.BytesIO(JOINED[name]), ","), MIMIC.joins[name], columns, MIMIC.joins[name].file)
        for name, columns in MIMIC.joined(table).items()
    }
    return Extract(MIMIC, table, header_of(COLUMNS[file], file), joined, file)


EXTRACTS = {file: extract(file) for file in COLUMNS}


def ends(file: str, text: bytes) -> Iterator[int]:
    for row in rows(io.BytesIO(text), ","):
        found = PIPELINE.take_unit(EXTRACTS[file].read(row), row.original, Origin(file, 0, row.line, received_at=NOW))
        yield total(found)
        for event in found.events:
            check_event(event)
        for letter in found.refused:
            check_letter(letter, text)


@unhurried
@given(st.sampled_from(list(COLUMNS)).flatmap(lambda file: st.tuples(st.just(file), _rows(len(COLUMNS[file])))))
def test_a_row_of_any_cells_has_one_end(chosen: tuple[str, list[list[str]]]) -> None:
    file, cells = chosen
    text = io.StringIO(newline="")
    # a carriage return is one that the writer leaves without its quotes
    bare = any("\r" in cell for row in cells for cell in row)
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL).writerows(cells)
    assert list(ends(file, text.getvalue().encode("utf-8", "surrogatepass"))) == [1] * len(cells)


def _rows(width: int) -> st.SearchStrategy[list[list[str]]]:
    sound = st.lists(_CELL, min_size=width, max_size=width)
    return st.lists(sound | st.lists(_CELL, min_size=2, max_size=width + 1), max_size=6)


@unhurried
@given(st.sampled_from(list(COLUMNS)), st.binary(max_size=200))
def test_any_bytes_as_rows_have_one_end_each(file: str, text: bytes) -> None:
    assert set(ends(file, text)) <= {1}


# --- what comes of it in the monitor


@unhurried
@given(RANDOMS, st.integers(1, 12))
def test_the_monitor_answers_every_event_that_comes_of_anything(random: Random, length: int) -> None:
    value = b"[" + b",".join(part(random)[0] for _ in range(length)) + b"]"
    answered(KNOWLEDGE, taken(PIPELINE, value).events)


def test_the_monitor_answers_every_event_of_the_seeds_in_any_order() -> None:
    events = taken(PIPELINE, written([*NATIVE, *RESOURCES, *PANELS])).events
    for seed in range(20):
        answered(KNOWLEDGE, Random(seed).sample(events, len(events)))


# --- found by these tests and by fuzzing


def prescription(**drug: Any) -> bytes:
    return written(NATIVE[0] | {"drug": drug})


@pytest.mark.parametrize("character", ["\x00", "\x1f"])
def test_an_id_that_no_store_holds_does_not_come_in_by_a_reference(character: str) -> None:
    whole = [fhir.patient(id=f"a{character}"), fhir.order(subject={"reference": "urn:uuid:0"})]
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [fhir.entry(f"urn:uuid:{n}", r) for n, r in enumerate(whole)],
    }
    found = taken(PIPELINE, written(bundle))
    assert [(letter.reason, letter.place) for letter in found.refused] == [
        ("schema", "Bundle.entry[0].resource.patient_id"), ("schema", "Bundle.entry[1].resource.patient_id"),
    ]  # fmt: skip


def test_an_ingredient_that_lower_case_makes_too_long_stays_as_received() -> None:
    name = "İ" * 256
    (event,) = taken(PIPELINE, prescription(text="x", ingredients=[{"name": name}, {"name": "Warfarin"}])).events
    assert [each.name for each in event.drug.ingredients] == [name, "warfarin"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", ["warfarin {} MG Oral Tablet", "warfarin {} mg", "warfarin {}mg tab", "warfarin 1 mg/{}ml"]
)
def test_a_strength_of_hundreds_of_digits_is_none(name: str) -> None:
    found = taken(PIPELINE, prescription(text=name.format("9" * 320)))
    assert "9999" not in str([each.strength for each in found.events[0].drug.ingredients])  # type: ignore[union-attr]
    (sound,) = taken(PIPELINE, prescription(text=name.format("5"))).events
    assert [each.name for each in sound.drug.ingredients] == ["warfarin"]  # type: ignore[union-attr]


def test_an_amount_of_hundreds_of_digits_is_none() -> None:
    taken(PIPELINE, prescription(text="9" * 320 + " ML warfarin 5 MG/ML Injection"))


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDC8a", "x\\ud83d\\u0041"])
def test_half_a_character_refuses_its_own_event_or_resource_and_no_other(half: str) -> None:
    broken = Token(f'"{half}"')
    for index, whole in enumerate((NATIVE[:3], RESOURCES[:3])):
        inside = [
            whole[0],
            whole[1] | {"note": broken},
            whole[2] | {"id" if index else "record_id": "\U0001f48a \\ud83d"},
        ]
        value = written(fhir.bundle(*inside) if index else inside)
        found = taken(PIPELINE, value)
        assert [event.origin.index for event in found.events if event.origin] == [0, 2]
        assert found.events[1].record_id == "\U0001f48a \\ud83d"
        (letter,) = found.refused
        assert (letter.reason, letter.index) == ("not_json", 1)
        assert half.encode() in letter.original


@unhurried
@given(st.lists(st.text(_LONE, max_size=6) | st.sampled_from(["\\ud800", "\ud800\\", "\udc00\ud800"])))
def test_halves_put_aside_leave_a_document_that_can_be_read_and_come_back_as_they_were(texts: list[str]) -> None:
    value = json.dumps(texts).encode()
    aside = put_aside(value)
    # Python joins two halves that meet
    halves = any("\ud800" <= character <= "\udfff" for text in json.loads(value) for character in text)
    assert (aside is not None) == halves
    if aside is not None:
        json.dumps(json.loads(aside), ensure_ascii=False).encode()
        assert put_back(aside) == value


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "value",
    [
        prescription(codings=[{"system": "RxNorm", "code": "855332", "display": f"warfarin {n} mg"} for n in range(20_000)]),
        prescription(ingredients=[{"name": "warfarin"}, *({"name": f"no drug {n}"} for n in range(60_000))]),
        written({
            "resourceType": "Bundle", "type": "batch",
            "entry": [{"fullUrl": f"u{n}", "resource": {"resourceType": "Patient", "id": str(n)}} for n in range(45_000)]
            + [{"resource": {"resourceType": "Bundle", "type": "batch", "entry": [{}]}}] * 45_000,
        }),
        written(fhir.observation(component=[{"code": {"text": "x"}}] * 300_000)),
    ],
    ids=["codings", "ingredients", "bundles in a bundle", "components"],
)  # fmt: skip
def test_a_record_that_is_long_takes_no_longer_than_its_length_asks(value: bytes) -> None:
    assert total(PIPELINE.take(value, Origin("x", 0, 0, received_at=NOW))) >= 1


# --- the harness


def test_where_atheris_is_not_installed_fuzzing_says_so(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("RXVIGIL_REQUIRE_ALL", raising=False)
    assert fuzzing.main([]) == 0
    assert "skipped: atheris is not installed" in capsys.readouterr().out
    monkeypatch.setenv("RXVIGIL_REQUIRE_ALL", "1")
    assert fuzzing.main([]) == 1


@pytest.mark.parametrize(
    ("code", "artifact", "expected"), [(0, "", 0), (77, "crash-1", 1), (70, "timeout-1", 1), (-9, "", 1)]
)
def test_fuzzing_fails_when_a_target_does_and_names_the_input(
    code: int, artifact: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def run(command: list[str], stdout: Any, **_: Any) -> Any:
        stdout.write(b"stat::number_of_executed_units: 1234\n")
        if artifact:
            (tmp_path / "record" / artifact).write_bytes(b"x")
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", run)
    assert fuzzing.run("record", 5, tmp_path / "record") == expected
    said = capsys.readouterr().out
    assert ("1,234 inputs in 5 s, nothing found" in said) == (expected == 0)
    assert artifact in said


def test_fuzzing_starts_from_whole_inputs_and_knows_their_words(tmp_path: Any) -> None:
    for name in ("record", "extract"):
        seeds.write(name, tmp_path / name, tmp_path / f"{name}.txt")
        assert len(list((tmp_path / name).iterdir())) > 20
    assert all(
        taken(PIPELINE, path.read_bytes()).events
        for path in (tmp_path / "record").iterdir()
        if path.stat().st_size > 2000
    )
    assert b'"\\x22resourceType\\x22"' not in (tmp_path / "record.txt").read_bytes()
    assert (
        b'"' + b"".join(b"\\x%02x" % byte for byte in b'"resourceType"') + b'"'
        in (tmp_path / "record.txt").read_bytes()
    )
