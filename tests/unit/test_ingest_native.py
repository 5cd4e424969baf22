"""Native JSON: every input has an end, a fault keeps to its own unit, and no refusal repeats what was sent."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import generate
from schemas.codec import encode
from schemas.dead_letters import REASONS
from schemas.events import (
    EVENT_TYPES,
    Administration,
    Allergy,
    AllergyRecord,
    Condition,
    ConditionRecord,
    Dispensing,
    Dosage,
    Drug,
    EncounterRecord,
    Event,
    Ingredient,
    LabResult,
    Observation,
    Patient,
    Pregnancy,
    Prescription,
    Procedure,
    ReferenceRange,
    Specimen,
    Stay,
)
from schemas.values import UNSET, Coding, Origin, Quantity
from services.ingest.formats import Ignored, Item, Refusal, native

AT = "2026-11-02T08:00:00Z"
PHI = "Jane-Roe-1950"


def patient(**more: Any) -> dict[str, Any]:
    return {"type": "patient", "patient_id": "p", "source": "adt", "record_id": "r", "occurred_at": AT} | more


def result(**more: Any) -> dict[str, Any]:
    fields = {"type": "lab_result", "status": "final", "codings": [{"system": "LOINC", "code": "2823-3"}]}
    return patient(**fields) | more


def dumped(**more: Any) -> bytes:
    return json.dumps(patient(**more)).encode()


def spliced(raw: bytes, **more: Any) -> bytes:
    """An event whose field with the value ``"@"`` holds ``raw``, JSON or not."""
    return json.dumps(result(**more)).encode().replace(b'"@"', raw)


def only(value: bytes | None) -> Item:
    (item,) = native.decode(value)
    assert item.position == 0
    return item


def refusal(value: bytes | None) -> Refusal:
    item = only(value)
    assert isinstance(item.end, Refusal), item.end
    assert item.original == (value or b""), "the original is what was received"
    return item.end


def ids(items: list[Item]) -> list[str | None]:
    return [item.end.patient_id if isinstance(item.end, Event) else None for item in items]


# --- one, a list, lines


@pytest.mark.parametrize("wrap", [b"%s", b"\xef\xbb\xbf%s", b" \r\n%s\t\n", b"\xef\xbb\xbf\n%s"])
def test_one_event(wrap: bytes) -> None:
    item = only(wrap % dumped())
    assert isinstance(item.end, Patient)
    assert item.end.occurred_at == datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_each_element_of_a_list_is_a_unit_with_its_own_bytes(bom: bytes) -> None:
    elements = [dumped(patient_id="a"), dumped(patient_id="b"), dumped(patient_id="c")]
    items = native.decode(bom + b"[" + b" ,\n ".join(elements) + b"]")
    assert ids(items) == ["a", "b", "c"]
    assert [item.position for item in items] == [0, 1, 2]
    assert [item.original for item in items] == elements


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_each_line_is_a_unit_at_its_line_and_blank_lines_are_none(end: bytes) -> None:
    lines = [dumped(patient_id="a"), b"", dumped(patient_id="b")]
    items = native.decode(b"\xef\xbb\xbf" + end.join(lines) + end)
    assert ids(items) == ["a", "b"]
    assert [item.position for item in items] == [0, 2]
    assert [item.original for item in items] == [lines[0], lines[2]]


BAD_LINES = [b"{bad", b"\xff\xfe", b'{"type": "patient"', b"7", b"[" * 100_000]


# a record that begins with [ is a list
@pytest.mark.parametrize(("bad", "at"), [(b, at) for b in BAD_LINES for at in range(3) if at or b[:1] != b"["])
def test_a_bad_line_refuses_itself_and_not_its_neighbours(bad: bytes, at: int) -> None:
    lines = [dumped(patient_id=name) for name in "ab"]
    lines.insert(at, bad)
    items = native.decode(b"\n".join(lines))
    assert [found for found in ids(items) if found] == ["a", "b"]
    assert isinstance(items[at].end, Refusal)
    assert items[at].original == bad


@pytest.mark.parametrize("bad", [b"{}", b"5", b"null", b'{"type": "horoscope"}', b'"\xff"', b'[{"type":"patient"}]'])
def test_a_bad_element_refuses_itself_and_not_its_neighbours(bad: bytes) -> None:
    items = native.decode(b"[" + dumped(patient_id="a") + b"," + bad + b"," + dumped(patient_id="b") + b"]")
    assert ids(items) == ["a", None, "b"]
    assert isinstance(items[1].end, Refusal)
    assert items[1].original == bad


@pytest.mark.parametrize("broken", [b"[%s,", b"[%s", b"[%s,]", b"[%s]]", b"[%s %s]"])
def test_a_list_that_does_not_close_is_refused_whole(broken: bytes) -> None:
    text = broken.replace(b"%s", dumped())
    assert refusal(text).reason == "not_json"


def test_an_empty_list_is_ignored_and_counted() -> None:
    assert only(b" [ ] ").end == Ignored("empty_list")


@pytest.mark.parametrize("indent", [1, 4])
@pytest.mark.parametrize("break_it", [lambda t: t[:-2], lambda t: t.replace('"adt",', '"adt"'), lambda t: t + "}"])
def test_a_broken_pretty_printed_document_stays_one_unit(indent: int, break_it: Any) -> None:
    text = break_it(json.dumps(patient(stay={"unit": "3W"}), indent=indent))
    assert refusal(text.encode()).reason == "not_json"


def test_too_many_units_are_refused_whole_and_as_many_as_allowed_are_not() -> None:
    for joined in (b"\n".join([dumped()] * 4), b"[" + b",".join([dumped()] * 4) + b"]"):
        assert len(native.decode(joined, most=4)) == 4
        (item,) = native.decode(joined, most=3)
        assert isinstance(item.end, Refusal)
        assert (item.end.reason, item.original) == ("too_many", joined)


# --- what is refused, why and where


@pytest.mark.parametrize("value", [None, b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_nothing_is_refused_as_empty(value: bytes | None) -> None:
    assert refusal(value).reason == "empty"


@pytest.mark.parametrize(
    "value",
    [
        b'{"type": "patient", ', b"nonsense", dumped() + b" x", dumped() + dumped(), b"{'type': 'patient'}",
        spliced(b"NaN", value="@"), spliced(b"Infinity", value="@"), spliced(b"-Infinity", value="@"),
        spliced(b'"\\ud800"', text="@"), spliced(b'"\\udc00"', text="@"), spliced(b'"a\x1fb"', text="@"),
        spliced(b'"a\x00b"', text="@"), spliced(b"01", value="@"), b"\x00" * 1000,
    ],
)  # fmt: skip
def test_what_is_no_json(value: bytes) -> None:
    assert refusal(value).reason == "not_json"


@pytest.mark.parametrize(
    "value", [b'{"type": "\xff"}', dumped().replace(b"adt", b"\xe9"), dumped(record_id="x").decode().encode("utf-16")]
)
def test_what_is_no_utf8(value: bytes) -> None:
    assert refusal(value).reason == "not_utf8"


def test_the_byte_that_is_no_utf8_is_named() -> None:
    assert "byte 10 " in refusal(b'{"type": "\xff"}').detail


@pytest.mark.parametrize("depth", [1_000, 200_000])
@pytest.mark.parametrize("around", ["%s", '{"type": "patient", "goals": %s}', '{"x": %s'])
@pytest.mark.parametrize(
    "nest", [lambda n: "[" * n + "]" * n, lambda n: '{"a":' * n + "1" + "}" * n, lambda n: "[" * n]
)
def test_nesting_however_deep_has_an_end(depth: int, around: str, nest: Any) -> None:
    items = native.decode((around % nest(depth)).encode())
    assert len(items) == 1
    assert isinstance(items[0].end, Refusal)
    if depth > 100_000 and nest(1) == "[]":
        assert items[0].end.reason == "not_json"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"version": "three"}, "$.version"),
        ({"version": True}, "$.version"),
        ({"version": 1.5}, "$.version"),
        ({"version": -1}, "$.version"),
        ({"version": None}, "$.version"),
        ({"patient_id": ""}, "$.patient_id"),
        ({"patient_id": 7}, "$.patient_id"),
        ({"patient_id": "x" * 257}, "$.patient_id"),
        ({"occurred_at": "yesterday"}, "$.occurred_at"),
        ({"occurred_at": "2026-02-30T00:00:00Z"}, "$.occurred_at"),
        ({"occurred_at": "2026-11-02T08:00:00"}, "$.occurred_at"),
        ({"occurred_at": "10000-01-01T00:00:00Z"}, "$.occurred_at"),
        ({"timing": "later"}, "$.timing"),
        ({"birth_date": "1950-13-01"}, "$.birth_date"),
        ({"sex": "unsure"}, "$.sex"),
        ({"goals": {"inr_low": "2"}}, "$.goals.inr_low"),
        ({"conditions": [{"codings": []}]}, "$.conditions[0].codings"),
        ({"conditions": [{"codings": [{"system": "ICD-10", "code": 5}]}]}, "$.conditions[0].codings[0].code"),
        ({"doze": 1}, "$.doze"),
        ({"goals": {"inr_lo": 2}}, "$.goals.inr_lo"),
        ({"allergies": [{"substance": {"txt": "x"}}]}, "$.allergies[0].substance.txt"),
    ],
)
def test_a_field_that_does_not_fit_is_refused_with_its_path(fields: dict[str, Any], place: str) -> None:
    found = refusal(dumped(**fields))
    assert (found.reason, found.place) == ("schema", place)


@pytest.mark.parametrize("name", ["patient_id", "source", "record_id", "occurred_at", "type"])
def test_a_missing_field_is_named(name: str) -> None:
    found = refusal(json.dumps({k: v for k, v in patient().items() if k != name}).encode())
    assert found.reason == "schema"
    assert f"`{name}`" in found.detail


@pytest.mark.parametrize("value", [b"5", b'"text"', b"null", b"true", b"1e400"])
def test_a_document_that_is_no_object_is_refused(value: bytes) -> None:
    assert refusal(value).reason == "schema"


def test_an_unknown_type_has_a_reason_of_its_own() -> None:
    found = refusal(dumped(type="horoscope"))
    assert (found.reason, found.place) == ("unknown_type", "$.type")
    assert refusal(dumped(type=5)).reason == "schema"
    assert refusal(dumped(type="Patient")).reason == "unknown_type"


@pytest.mark.parametrize("character", ["\x00", "\x1f"])
@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"patient_id": "a@b"}, "$.patient_id"),
        ({"encounter_id": "@"}, "$.encounter_id"),
        ({"text": "a@"}, "$.text"),
        ({"codings": [{"system": "s", "code": "1"}, {"system": "s", "code": "1@"}]}, "$.codings[1].code"),
        ({"specimen": {"kind": "@x"}}, "$.specimen.kind"),
    ],
)
def test_characters_that_no_store_holds_are_refused_wherever_they_stand(
    character: str, fields: dict[str, Any], place: str
) -> None:
    found = refusal(json.dumps(result(**fields)).replace("@", f"\\u{ord(character):04x}").encode())
    assert (found.reason, found.place) == ("schema", place)


def test_a_text_that_only_speaks_of_such_a_character_is_taken() -> None:
    for text in ("\\u0000", "9999-12-31T", "tab\tand\u2028line", "\U0001f48a"):
        end = only(json.dumps(result(text=text)).encode()).end
        assert isinstance(end, LabResult)
        assert end.text == text


@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59-05:00", "9999-12-31t23:59:59-00:01", "0001-01-01T00:00:00+00:01"]
)
@pytest.mark.parametrize("field", ["occurred_at", "recorded_at"])
def test_a_time_that_is_none_in_utc_is_refused(time: str, field: str) -> None:
    found = refusal(dumped(**{field: time}))
    assert (found.reason, found.place) == ("schema", f"$.{field}")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59+05:00", "0001-01-01T00:00:00-05:00"])
def test_the_first_and_the_last_year_are_times(time: str) -> None:
    end = only(dumped(occurred_at=time)).end
    assert isinstance(end, Patient)
    assert end.occurred_at == datetime.fromisoformat(time)


@pytest.mark.parametrize(
    ("number", "taken"),
    [("9007199254740991", True), ("9007199254740992", False), ("1" + "0" * 30, False), ("9" * 5_000, False)],
)
def test_versions_that_readers_agree_on(number: str, taken: bool) -> None:
    end = only(spliced(number.encode(), version="@")).end
    assert isinstance(end, LabResult) is taken
    if not taken:
        assert isinstance(end, Refusal)
        assert (end.reason, end.place) == ("schema", "$.version")


def test_a_number_too_large_for_a_double_is_refused() -> None:
    for number in (b"1e400", b"-1e400", b"9" * 5_000):
        assert refusal(spliced(number, value="@")).place == "$.value"


def test_of_a_field_named_twice_the_last_counts() -> None:
    end = only(dumped()[:-1] + b', "patient_id": "second"}').end
    assert isinstance(end, Patient)
    assert end.patient_id == "second"


def test_numbers_below_zero_and_impossible_dates_are_facts_and_not_faults() -> None:
    assert isinstance(only(dumped(birth_date="9999-12-31")).end, Patient)
    assert isinstance(only(json.dumps(result(value=-4.2)).encode()).end, LabResult)


# --- a refusal says nothing of the patient


@pytest.mark.parametrize(
    "fields",
    [
        {"type": PHI}, {"sex": PHI}, {"timing": PHI}, {"version": PHI}, {"occurred_at": PHI}, {"birth_date": PHI},
        {"goals": PHI}, {"goals": {PHI: 1}}, {PHI: 1}, {"patient_id": PHI + "\x00"}, {"patient_id": PHI * 30},
        {"stay": {"encounter_class": PHI}}, {"allergies": [{"substance": {"resolution": PHI}}]},
        {f"{PHI} with `ticks` and\nlines": 1},
    ],
)  # fmt: skip
def test_a_refusal_repeats_no_value(fields: dict[str, Any]) -> None:
    found = refusal(dumped(**fields))
    assert PHI not in found.detail
    # a key is repeated only where it looks like the name of a field, which is what a misspelling needs
    if PHI not in fields and PHI not in fields.get("goals", {}):
        assert PHI not in found.place


@pytest.mark.parametrize("key", ["Jane Roe", "Jane`Roe", "Jane\nRoe", "Röe", "J" * 65, "", "1950"])
def test_a_key_that_is_no_field_name_is_not_repeated(key: str) -> None:
    found = refusal(dumped(**{key: 1}))
    assert found.place == "$.?"
    assert "Jane" not in found.detail


@given(st.text(min_size=4), st.sampled_from(["type", "sex", "timing", "occurred_at", "birth_date", "version", "goals"]))
@example("female", "birth_date")
def test_no_value_at_fault_stands_in_the_detail(value: str, field: str) -> None:
    end = only(dumped(**{field: value})).end
    if isinstance(end, Refusal):
        words = (
            "the event's type is none that the schemas name not one of values allows Expected object, got `str` or int"
        )
        assert value in words or value not in end.detail


# --- any bytes


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
@example(gzip.compress(b"{}"))
@example(b"\xef\xbb\xbf" * 3)
@example(b"{}\n{}")
@example(b'{\n"a":1\n{}')
def test_any_bytes_have_an_end(value: bytes) -> None:
    items = native.decode(value)
    assert items
    for item in items:
        assert isinstance(item.end, Event | Refusal | Ignored)
        assert item.original in value
        if isinstance(item.end, Refusal):
            assert item.end.reason in REASONS
    assert [item.position for item in items] == sorted({item.position for item in items})


@given(st.data())
def test_an_event_damaged_anywhere_has_an_end(data: st.DataObject) -> None:
    whole = bytearray(encode(data.draw(st.sampled_from(EXAMPLES))))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    items = native.decode(bytes(whole))
    assert items
    assert all(isinstance(item.end, Event | Refusal | Ignored) for item in items)


# --- what we write we read

_TIME = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)).flatmap(
    lambda naive: st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: naive.replace(tzinfo=timezone(timedelta(minutes=minutes)) if minutes else UTC)
    )
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1f"), min_size=1, max_size=12)
_NUMBER = st.floats(allow_nan=False, allow_infinity=False)


def known(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(UNSET) | st.none() | values


_CODING = st.builds(Coding, _TEXT, _TEXT, st.just("") | _TEXT)
_CODINGS = st.lists(_CODING, min_size=1, max_size=3).map(tuple)
_QUANTITY = st.builds(Quantity, _NUMBER, st.just("") | _TEXT, st.none() | _NUMBER)
_DRUG = st.builds(
    Drug,
    text=st.just("") | _TEXT,
    codings=st.just(()) | _CODINGS,
    ingredients=st.lists(st.builds(Ingredient, _TEXT, st.just(""), known(_QUANTITY)), max_size=2).map(tuple),
    form=known(_TEXT),
    resolution=st.sampled_from([None, "given", "code", "name", "vehicle", "unresolved"]),
)
_DOSAGE = st.builds(
    Dosage, route=known(_TEXT), dose=known(_QUANTITY), frequency_per_day=known(_NUMBER), as_needed=known(st.booleans())
)
_CARRIED: dict[str, Any] = {
    "patient_id": _TEXT,
    "source": _TEXT,
    "record_id": _TEXT,
    "version": st.integers(0, 2**53 - 1),
    "occurred_at": _TIME,
    "recorded_at": st.none() | _TIME,
    "timing": st.sampled_from(["live", "replayed"]),
    "encounter_id": known(_TEXT),
    "event_id": st.just("") | _TEXT,
    "ingested_at": st.none() | _TIME,
    "origin": st.none() | st.builds(Origin, _TEXT, st.integers(0, 9), st.integers(0, 2**40), st.integers(0, 9)),
}
_OWN: dict[type[Event], dict[str, Any]] = {
    Prescription: {
        "status": st.sampled_from(["ordered", "changed", "held", "resumed", "discontinued", "entered_in_error"]),
        "drug": _DRUG, "dosage": _DOSAGE, "start": st.none() | _TIME, "end": known(_TIME),
        "indication": known(_CODINGS), "setting": known(st.sampled_from(["inpatient", "discharge"])),
    },
    Dispensing: {"status": st.just("returned"), "drug": _DRUG, "quantity": known(_QUANTITY), "days_supply": known(_NUMBER)},
    Administration: {"status": st.just("given"), "drug": _DRUG, "rate": known(_QUANTITY), "stopped_at": known(_TIME)},
    LabResult: {
        "status": st.just("corrected"), "codings": _CODINGS, "value": known(_NUMBER),
        "comparator": st.sampled_from([None, "<", "<=", ">=", ">"]), "unit": st.just("") | _TEXT,
        "reference_range": known(st.builds(ReferenceRange, low=st.none() | _NUMBER, high=st.none() | _NUMBER)),
        "specimen": known(st.builds(Specimen, kind=known(_TEXT), haemolysed=known(st.booleans()))),
        "canonical_value": st.none() | _NUMBER,
    },
    Observation: {"kind": st.just("qtc"), "codings": st.just(()) | _CODINGS, "value": known(_NUMBER), "method": known(_TEXT)},
    Patient: {
        "birth_date": known(st.dates()), "sex": known(st.sampled_from(["female", "male", "other"])),
        "allergies": known(st.lists(st.builds(Allergy, substance=_DRUG, onset=known(st.dates())), max_size=2).map(tuple)),
        "conditions": known(st.lists(st.builds(Condition, codings=_CODINGS, ended=known(st.dates())), max_size=2).map(tuple)),
        "procedures": known(st.lists(st.builds(Procedure, kind=st.just("dialysis"), start=known(_TIME)), max_size=2).map(tuple)),
        "pregnancy": known(st.builds(Pregnancy, pregnant=st.booleans(), due_date=known(st.dates()))),
        "stay": known(st.builds(Stay, unit=known(_TEXT), admitted_at=known(_TIME))),
        "merged_into": st.none() | _TEXT,
    },
    ConditionRecord: {"condition": st.builds(Condition, codings=_CODINGS, onset=known(st.dates()))},
    AllergyRecord: {
        "status": st.just("entered_in_error"),
        "allergy": st.builds(Allergy, substance=_DRUG, status=known(st.just("inactive"))),
    },
    EncounterRecord: {"status": st.just("finished"), "stay": st.builds(Stay, discharged_at=known(_TIME))},
}  # fmt: skip
_EVENTS = st.one_of([st.builds(kind, **_CARRIED, **own) for kind, own in _OWN.items()])
EXAMPLES: list[Event] = [
    LabResult(
        patient_id="p", source="lab", record_id="r", occurred_at=datetime(2026, 11, 2, tzinfo=UTC), status="final",
        codings=(Coding("LOINC", "2823-3"),), value=4.0, specimen=Specimen(kind="serum"),
    ),
    Patient(
        patient_id="p", source="adt", record_id="r", occurred_at=datetime(2026, 11, 2, tzinfo=UTC),
        birth_date=date(1950, 1, 1), allergies=(Allergy(substance=Drug(text="penicillin")),),
    ),
]  # fmt: skip


def test_every_type_of_event_is_generated() -> None:
    assert set(_OWN) == set(EVENT_TYPES)


@given(_EVENTS)
def test_what_is_encoded_is_decoded_to_itself(event: Event) -> None:
    assert only(encode(event)).end == event


_VALIDATORS = {
    kind: jsonschema_rs.validator_for(generate.json_schema(str(kind.__struct_config__.tag))) for kind in EVENT_TYPES
}


@given(_EVENTS, st.data())
def test_what_the_published_schema_refuses_is_refused(event: Event, data: st.DataObject) -> None:
    """The schema is what an integrator reads: it and the decoder draw the same line."""
    fields = json.loads(encode(event))
    name = data.draw(st.sampled_from(sorted(fields.keys() - {"type"})))
    fields[name] = data.draw(st.sampled_from([None, "x", 5, -1, 1.5, True, [], {}, [{}], [{"x": 1}], {"x": 1}]))
    valid = _VALIDATORS[type(event)].is_valid(fields)
    end = only(json.dumps(fields).encode()).end
    if isinstance(end, Event):
        assert valid
    elif valid:
        # formats of dates and times are annotations to a validator
        assert isinstance(end, Refusal)
        assert end.reason == "schema"
        assert fields[name] == "x", (name, fields[name], end)
