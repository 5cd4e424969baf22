"""A patient's picture for people: words, what cannot become markup, and what is refused before it reaches the store."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET

from schemas import codec
from schemas.patients import Allergy, Lab, PatientPicture, Reading
from services.notify.console import picture as words
from services.notify.console.pages import render
from services.notify.intake.pictures import read
from services.notify.intake.reading import RefusedError
from services.notify.store.pictures import gravest, patient_key
from tests.support.alerts import T0
from tests.support.pictures import lab, medicine, picture, problem


@pytest.mark.parametrize(
    ("born", "shown"),
    [
        (date(2026, 11, 2), "0 d"),
        (date(2026, 10, 3), "30 d"),
        (date(2026, 10, 2), "1 mo"),
        (date(2024, 11, 3), "23 mo"),
        (date(2024, 11, 2), "2 y"),
        (date(1958, 11, 3), "67 y"),
        (date(1958, 11, 2), "68 y"),
        (date(2026, 11, 3), ""),
        (date(1896, 11, 2), ""),
        (None, ""),
    ],
)
def test_age_is_told_in_the_unit_that_matters_and_an_impossible_one_not_at_all(born: date | None, shown: str) -> None:
    assert T0.date() == date(2026, 11, 2)
    assert words.age(picture(birth_date=born)) == shown


def test_an_analyte_is_named_as_a_heading() -> None:
    names = ("potassium", "ionized calcium", "hemoglobin A1c", "pH", "aPTT", "INR", "")
    assert [words.analyte(lab(name, 1.0)) for name in names] == [
        "Potassium", "Ionized calcium", "Hemoglobin A1c", "pH", "aPTT", "INR", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (lab("potassium", 6.4), "6.4 mmol/L"),
        (lab("potassium", 6.4, comparator=">"), ">6.4 mmol/L"),
        (lab("glucose", 540.5432, "mg/dL", received="30 mmol/L"), "540.5 mg/dL"),
        (lab("platelets", 250000, "/uL"), "250000 /uL"),
        (lab("platelets", 1234567.8, "/uL"), "1234568 /uL"),
        (lab("inr", 3.9, "1"), "3.9"),
        (lab("glucose", None, "", received="7 of something"), "7 of something"),
        (lab("glucose", None, "", text="haemolysed"), "haemolysed"),
        (lab("glucose", None, ""), "no value"),
    ],
)
def test_a_result_is_shown_in_the_canonical_unit_or_as_it_came(found: Lab, shown: str) -> None:
    assert words.reading(found) == shown


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (lab("glucose", 540.5432, "mg/dL", received="30 mmol/L"), "30 mmol/L"),
        (lab("alt", 21.58633843, "U/L", received="21.58633843 U/L"), ""),
        (lab("platelets", 343.34, "K/uL", received="343.34 10*3/uL"), ""),
        (lab("platelets", 343.34, "K/uL", received="343340 /uL"), "343340 /uL"),
        (lab("troponin", 14, "ng/L", comparator="<", received="<14 ng/L"), ""),
        (lab("troponin", 14, "ng/L", comparator="<", received="<0.014 ug/L"), "<0.014 ug/L"),
        (lab("troponin", 14, "ng/L", received="1e- ug/L"), "1e- ug/L"),
        (lab("troponin", 14, "ng/L"), ""),
        (lab("glucose", None, "", received="7 of something"), ""),
    ],
)
def test_what_was_received_is_shown_beside_a_number_that_is_another(found: Lab, shown: str) -> None:
    assert words.converted(found) == shown


@pytest.mark.parametrize(
    ("now", "before", "trend"),
    [
        ({"value": 6.4}, {"value": 5.1}, "up from"),
        ({"value": 4.4}, {"value": 5.1}, "down from"),
        ({"value": 5.1}, {"value": 5.1}, "same as"),
        ({"value": 5.1, "comparator": "<"}, {"value": 6.1}, "before"),
        ({"value": 5.1}, {"value": 6.1, "comparator": ">"}, "before"),
        ({"value": 5.1}, {"value": 90.0, "unit": "mg/dL"}, "before"),
        ({"value": None}, {"value": 6.1}, "before"),
        ({"value": 5.1}, {"value": None, "text": "haemolysed"}, "before"),
    ],
)
def test_a_course_is_told_only_between_exact_numbers_of_one_unit(
    now: dict[str, Any], before: dict[str, Any], trend: str
) -> None:
    was = Reading(**({"at": T0 - timedelta(hours=6), "unit": "mmol/L"} | before))
    found = Lab(**({"analyte": "x", "unit": "mmol/L", "at": T0, "before": was} | now))
    assert words.trend(found) == trend


def test_what_was_not_asked_is_not_what_is_not_known_and_neither_is_none() -> None:
    answers = [words.asked(value) for value in (UNSET, None, (), (Allergy(label="Latex"),), False)]
    assert answers == ["not asked", "not known", "none", "known", "known"]


def test_a_medicine_says_what_it_rests_on() -> None:
    later = medicine("X", start=T0 + timedelta(hours=1))
    assert words.basis(later, T0) == ["not started", "no known ingredient: no rule sees it"]
    assert words.basis(medicine("Y", "y", rests_on="dispensing"), T0) == ["dispensed, no order in force"]
    assert words.basis(medicine("Y", "y", held=True), T0) == ["held"]
    assert words.basis(medicine("Y", "y"), T0) == []


def test_a_route_that_the_dose_names_is_not_said_twice() -> None:
    told = [
        ("20 mg iv", "IV"),
        ("5 mg daily", "oral"),
        ("drip", "IV"),
        ("1 x", ""),
        ("", "IV"),
        ("ivory", "iv"),
        ("", ""),
    ]
    shown = [words.how(medicine("X", "x", dosage=dosage, route=route)) for dosage, route in told]
    assert shown == ["20 mg iv", "5 mg daily, oral", "drip, IV", "1 x", "IV", "ivory, iv", ""]


def test_the_gravest_problem_gives_the_severity() -> None:
    assert gravest(picture(open=(problem("moderate"), problem("critical"), problem("high")))) == "critical"
    assert gravest(picture()) is None


def page(one: PatientPicture) -> str:
    return render("patient.html", list="patients", key="k", picture=one, words="", now=T0)


def test_what_a_picture_says_cannot_become_markup() -> None:
    hostile = '"><img src=x><script>alert(1)</script>'
    shown = page(
        picture(
            hostile,
            unit=hostile,
            medicines=(medicine(hostile, dosage=hostile, route=hostile),),
            labs=(lab(hostile, None, hostile, text=hostile, remark=hostile),),
            allergies=(Allergy(label=hostile, reaction=hostile),),
            open=(problem("high", hostile, alert_id=hostile),),
        )
    )
    assert "<img" not in shown
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_a_time_at_the_end_of_time_is_shown_and_breaks_no_page() -> None:
    for end in ("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"):
        text = codec.encode(picture(medicines=(medicine("X", "x", end=T0),))).decode()
        one = codec.decode_picture(text.replace('"end":"2026-11-02T03:00:00Z"', f'"end":"{end}"'))
        assert one.medicines[0].end != T0
        assert end[:4] in page(one)


def record(value: bytes | None, key: bytes | None = b"p-1") -> Any:
    return SimpleNamespace(value=value, key=key, offset=7, headers=(("epoch", b"3"),))


def test_a_record_is_read_with_its_place_in_the_order() -> None:
    one = picture()
    found = read(record(codec.encode(one)))
    assert (found.patient_id, found.epoch, found.offset, found.picture) == ("p-1", 3, 7, one)
    for nothing in (None, b""):
        assert read(record(nothing, "Ä".encode())).patient_id == "Ä"
        assert read(record(nothing)).picture is None


@pytest.mark.parametrize(
    ("value", "key", "reason", "place"),
    [
        (None, None, "empty", ""),
        (None, b"", "empty", ""),
        (None, b"\xff", "not_utf8", ""),
        (b"{", b"p", "not_json", ""),
        (b'{"patient_id": 7}', b"p", "schema", "$.patient_id"),
        (b'{"patient_id": "\xff"}', b"p", "not_utf8", ""),
    ],
)
def test_a_record_that_holds_no_picture_is_refused_with_the_place(
    value: bytes | None, key: bytes | None, reason: str, place: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        read(record(value, key))
    assert (raised.value.reason, raised.value.place) == (reason, place)


def test_a_key_tells_patients_apart_and_says_nothing() -> None:
    keys = {patient_key(name) for name in ("MRN 1", "MRN 2", "MRN 1 ", "mrn 1")}
    assert len(keys) == 4
    assert patient_key("MRN 1") == patient_key("MRN 1")
    assert not any("MRN" in key for key in keys)
