"""Instructions in words: what is read, what is not, and what becomes of words that contradict the data."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from knowledge.loader import load
from schemas.codec import encode
from schemas.events import Dosage, Drug, Prescription
from schemas.values import Origin, Quantity
from services.ingest.pipeline import Pipeline
from services.ingest.terminology.instructions import Instructions
from services.ingest.terminology.instructions.reading import LONGEST
from tests.support.extracts import read as read_rows
from tests.support.fhir import order
from tests.support.instructions import Expected, Refused, readable, unreadable

WEEK = 1 / 7
AT = "2026-11-24T08:00:00Z"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
READER = Instructions(load().wording)


def near(found: Any, expected: Quantity | None) -> bool:
    if expected is None or not isinstance(found, Quantity):
        return expected is None and found is UNSET
    ends = [(each.value, each.value if each.high is None else each.high) for each in (found, expected)]
    return ends[0] == pytest.approx(ends[1]) and found.unit == expected.unit


def taken(dosage: Dosage) -> tuple[float, float] | None:
    """From the least to the most times a day."""
    low, high = dosage.frequency_per_day, dosage.frequency_high
    if not isinstance(low, float | int):
        return None
    return low, high if isinstance(high, float | int) else low


def test_the_table_is_large_enough_to_mean_something() -> None:
    texts = [each.text for each in readable()] + [each.text for each in unreadable()]
    assert len(readable()) >= 150
    assert len(unreadable()) >= 40
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("case", readable(), ids=lambda case: case.text)
def test_what_an_instruction_says(case: Expected) -> None:
    found = READER.understood(Dosage(text=case.text))
    assert near(found.dose, case.dose), found
    assert taken(found) == (pytest.approx(case.often) if case.often else None)
    assert near(found.daily_dose, case.daily), found.daily_dose
    assert (found.as_needed is True, found.remark) == (case.as_needed, "")


@pytest.mark.parametrize("case", unreadable(), ids=lambda case: case.text[:60])
def test_what_is_not_certain_is_not_taken_and_said_so(case: Refused) -> None:
    found = READER.understood(Dosage(text=case.text))
    assert near(found.dose, case.dose), found
    assert taken(found) == ((case.often, case.often) if case.often else None)
    assert (found.daily_dose, found.as_needed) == (UNSET, UNSET)
    assert found.remark == ("partly_read" if case.dose or case.often else "unread")


@pytest.mark.parametrize("case", readable(), ids=lambda case: case.text)
def test_how_it_is_written_makes_no_difference(case: Expected) -> None:
    plain = READER.understood(Dosage(text=case.text))
    for text in (
        case.text.upper().replace("½", " 1/2"),
        case.text.replace(" ", "\N{NO-BREAK SPACE}"),
        f"  {case.text.replace(' ', '   ')}\t",
    ):
        found = READER.understood(Dosage(text=text))
        assert (found.dose, taken(found), found.daily_dose) == (plain.dose, taken(plain), plain.daily_dose), text


@pytest.mark.parametrize("case", readable(), ids=lambda case: case.text)
def test_a_word_that_nobody_knows_leaves_nothing_certain(case: Expected) -> None:
    words = case.text.split(" ")
    for place in range(len(words) + 1):
        text = " ".join([*words[:place], "except", *words[place:]])
        found = READER.understood(Dosage(text=text))
        assert (found.dose, taken(found), found.daily_dose, found.remark) == (UNSET, None, UNSET, "unread"), text


def test_the_rate_of_an_infusion() -> None:
    for text, unit in (
        ("continuous infusion 5 mg/h", "mg/h"),
        ("infuse at a rate of 5 mg per hour", "mg/h"),
        ("5 mcg/kg/min IV", "mcg/kg/min"),
    ):
        assert READER.understood(Dosage(text=text)) == Dosage(text=text, rate=Quantity(5, unit))


# --- many ways to write one instruction


_AMOUNTS = [
    ("1", 1, None),
    ("2", 2, None),
    ("1-2", 1, 2),
    ("½", 0.5, None),
    ("one and a half", 1.5, None),
    ("two (2)", 2, None),
]
_UNITS = {
    "tablet": ["tab", "tabs", "tablet(s)", "TABLET"],
    "mg": ["mg", "mg.", "milligrams"],
    "mL": ["ml", "mL", "millilitres"],
}
_OFTEN = {
    (1, 1): ["daily", "once daily", "qd", "every 24 hours", "q24h", "in the morning"],
    (2, 2): [
        "BID",
        "b.i.d.",
        "twice a day",
        "two times daily",
        "every 12 hours",
        "in the morning and at night",
        "2x/day",
    ],
    (4, 6): ["q4-6h", "every 4 to 6 hours", "every 4–6 hrs", "4 to 6 times a day"],
    (0.5, 0.5): ["every other day", "qod", "every 2 days", "every 48 hours"],
    (WEEK, WEEK): ["weekly", "once a week", "every 7 days", "on Mondays"],
}
_MANNER = ["", " by mouth", " PO", " orally with food"]


@given(st.data())
def test_many_ways_to_write_one_instruction_say_the_same(data: st.DataObject) -> None:
    number, low, high = data.draw(st.sampled_from(_AMOUNTS))
    unit = data.draw(st.sampled_from(sorted(_UNITS)))
    often = data.draw(st.sampled_from(sorted(_OFTEN)))
    need = data.draw(st.booleans())
    words = [
        f"{data.draw(st.sampled_from(['', 'take ', 'Give ']))}{number} {data.draw(st.sampled_from(_UNITS[unit]))}",
        data.draw(st.sampled_from(_OFTEN[often])),
    ]
    if data.draw(st.booleans()):
        words.reverse()
    text = f"{words[0]}{data.draw(st.sampled_from(_MANNER))} {words[1]}{' prn' if need else ''}"
    found = READER.understood(Dosage(text=text))
    assert near(found.dose, Quantity(low, unit, high)), text
    assert taken(found) == pytest.approx(often), text
    most = (high or low) * often[1]
    least = 0 if need else low * often[0]
    assert near(found.daily_dose, Quantity(least, unit, None if least == most else most)), (text, found.daily_dose)


@pytest.mark.parametrize(
    "text",
    [
        "Take 1-2 tablets by mouth every 4 to 6 hours as needed for pain",
        "10-20 mg q4-6h prn",
        "1.25 mg PO once weekly",
        "12.5 mg twice daily for 14 days",
        "Inject 1,500 units subcutaneously every 12 hours",
        "one and a half tablets every other month",
        "2 capsules every month",
        "2 capsules monthly",
        "2 tablets on Monday",
        "70 mg every Monday",
        "1 tablet every 36 hours",
        "5 mL (250 mg) every 8 hours",
        "2 million units IV every 4 hours",
    ],
)
def test_an_instruction_cut_anywhere_says_the_same_or_nothing(text: str) -> None:
    """Of one dose and one frequency. Where a second statement changes the first, a cut hides it ("1 tablet in the morning | and
    2 at night", "10 mg | /kg"), and no reader can know: so a text as long as the longest is not read at all."""
    whole = READER.reading(text)
    for end in range(len(text)):
        part = READER.reading(text[:end])
        assert part.dose in (None, whole.dose), text[:end]
        assert part.frequency in (None, whole.frequency), text[:end]


def test_what_may_have_been_cut_is_not_read() -> None:
    text = "1 tablet daily" + " " * (LONGEST - len("1 tablet daily"))
    assert READER.reading(text).remark == "unread"
    assert READER.reading(text[:-1]).remark == ""


_PIECES = st.sampled_from([
    "1", "2.5", "1/2", "-", "to", "(", ")", "/", "mg", "tablet", "every", "q", "h", "6", "hours", "daily", "max",
    "x", "for", "days", "up to", "once", "twice", "a", "day", "and", "or", "in the morning", "at night", "Monday",
    "prn", "kg", ":", ",", ".", "½", "\x00",
])  # fmt: skip


@given(
    st.one_of(
        st.text(max_size=4000),
        st.lists(_PIECES, max_size=60).map(" ".join),
        st.lists(_PIECES, max_size=60).map("".join),
    )
)
@settings(max_examples=400)
def test_any_text_is_read_or_not_and_never_an_error(text: str) -> None:
    found = READER.understood(Dosage(text=text))
    for amount in (found.dose, found.daily_dose, found.max_daily_dose):
        assert amount is UNSET or (isinstance(amount, Quantity) and 0 <= amount.value < float("inf") and amount.unit)
    often = taken(found)
    assert often is None or 0 < often[0] <= often[1] <= 24.001
    if found.remark == "unread":
        assert (found.dose, often, found.daily_dose) == (UNSET, None, UNSET)


@given(st.lists(_PIECES, max_size=20).map(" ".join))
def test_what_was_understood_once_stays_so(text: str) -> None:
    """A canonical event that comes in again as one of a source."""
    once = READER.understood(Dosage(text=text))
    again = READER.understood(once)
    assert again == once


# --- text beside data


@pytest.mark.parametrize(
    ("text", "often", "kept"),
    [
        ("Take 4 tablets once weekly", 1, False),
        ("15 mg every week", 1.0, False),
        ("Take 6 tablets on Mondays", 1, False),
        ("10 mg every 7 days", 2, False),
        ("1 injection per month", 1, False),
        ("1 tablet daily", WEEK, False),
        ("1 tab PO BID PRN", WEEK, False),
        ("10 mg q4-6h", WEEK, False),
        ("1 tablet twice daily", 1, False),
        ("1 tablet every 6 hours", 6, False),
        # not understood as a whole, and still the words of a week
        ("Take 4 tablets once weekly unless told otherwise", 1, False),
        ("Rheuma clinic: 1 tablet daily", WEEK, False),
        ("Take 4 tablets once weekly", WEEK, True),
        ("1 tablet daily", 1, True),
        ("once daily for a week", 1, True),
        ("once a week in the morning", WEEK, True),
        ("1 tablet daily on Monday to Friday", 5 / 7, True),
        ("every other day", 0.5, True),
        ("every 7 days, not daily", 1, True),
        ("3 times a week", 3 / 7, True),
        ("1 tablet for 2 weeks", 1, True),
        ("every 4-6 hours", 6, True),
        ("every 4-6 hours", 5, True),
        ("as directed", 1, True),
        ("", 1, True),
    ],
)
def test_how_often_is_not_known_where_words_and_numbers_disagree(text: str, often: float, kept: bool) -> None:
    found = READER.understood(Dosage(text=text, frequency_per_day=often))
    assert found.frequency_per_day == (often if kept else UNSET)
    assert (found.remark == "contradictory") is not kept


@pytest.mark.parametrize(
    ("text", "given", "left"),
    [
        ("2 tablets daily", Dosage(dose=Quantity(1, "TAB")), ["dose"]),
        ("500 mg daily", Dosage(dose=Quantity(0.25, "g")), ["dose"]),
        ("5 mL (250 mg) daily", Dosage(dose=Quantity(500, "mg")), ["dose"]),
        ("1-2 tablets daily", Dosage(dose=Quantity(3, "tablets")), ["dose"]),
        ("1 tablet prn", Dosage(as_needed=False), ["as_needed"]),
        ("1 tablet, max 8 tablets a day", Dosage(max_daily_dose=Quantity(6, "tablet")), ["max_daily_dose"]),
        ("5 mg/h", Dosage(rate=Quantity(5, "mg/h")), []),
        # the same in other words, and what cannot be compared
        ("500 mg daily", Dosage(dose=Quantity(0.5, "g")), []),
        ("5 mL (250 mg) daily", Dosage(dose=Quantity(250, "mg")), []),
        ("1-2 tablets daily", Dosage(dose=Quantity(2, "tab")), []),
        ("1 tablet at 18:00", Dosage(dose=Quantity(5, "mg")), []),
        ("1 tablet", Dosage(dose=Quantity(1, "capsule")), []),
        ("1 tablet", Dosage(dose=Quantity(2)), []),
        ("1 tablet", Dosage(as_needed=True), []),
    ],
)
def test_a_field_that_the_text_contradicts_is_absent(text: str, given: Dosage, left: list[str]) -> None:
    found = READER.understood(replace(given, text=text))
    for name in ("dose", "as_needed", "max_daily_dose", "rate"):
        if getattr(given, name) is not UNSET:
            assert getattr(found, name) == (UNSET if name in left else getattr(given, name))
    assert (found.remark == "contradictory") is bool(left)


def test_the_data_stand_and_the_text_fills_what_they_leave_out() -> None:
    found = READER.understood(Dosage(text="1-2 tablets q4-6h prn", dose=Quantity(2, "TAB"), frequency_per_day=4))
    assert (found.dose, found.frequency_per_day, found.frequency_high) == (Quantity(2, "TAB"), 4, UNSET)
    assert (found.as_needed, found.daily_dose) == (True, Quantity(0, "TAB", 8))


def test_what_is_null_stays_null() -> None:
    asked = Dosage(text="1 tablet bid prn", dose=None, frequency_per_day=None, as_needed=None)
    found = READER.understood(asked)
    assert (found.dose, found.frequency_per_day, found.frequency_high, found.as_needed) == (None, None, UNSET, None)
    assert (found.daily_dose, found.remark) == (UNSET, "")


@pytest.mark.parametrize(
    ("dosage", "daily"),
    [
        (Dosage(dose=Quantity(5, "mg"), frequency_per_day=2), Quantity(10, "mg")),
        (Dosage(dose=Quantity(5, "mg", 10), frequency_per_day=2, frequency_high=3), Quantity(10, "mg", 30)),
        (Dosage(dose=Quantity(5, "mg"), frequency_per_day=2, as_needed=True), Quantity(0, "mg", 10)),
        (Dosage(dose=Quantity(5, "mg"), frequency_per_day=2, max_daily_dose=Quantity(8, "MG")), Quantity(8, "mg")),
        (
            Dosage(dose=Quantity(5, "mg", 10), frequency_per_day=1, max_daily_dose=Quantity(8, "mg")),
            Quantity(5, "mg", 8),
        ),
        (Dosage(dose=Quantity(1, "TAB"), frequency_per_day=2, max_daily_dose=Quantity(8, "mg")), Quantity(2, "TAB")),
        (Dosage(dose=Quantity(5, "mg")), UNSET),
        (Dosage(frequency_per_day=2), UNSET),
        (Dosage(dose=None, frequency_per_day=2), UNSET),
        (Dosage(dose=Quantity(-5, "mg"), frequency_per_day=2), UNSET),
        (Dosage(dose=Quantity(1e308, "mg"), frequency_per_day=1e9), UNSET),
        (Dosage(daily_dose=Quantity(9, "mg"), remark="unread"), UNSET),
    ],
)
def test_the_daily_dose(dosage: Dosage, daily: Any) -> None:
    found = READER.understood(dosage)
    assert found.daily_dose == daily
    assert found.remark == ""


def test_every_order_is_looked_at() -> None:
    weekly = Prescription(
        patient_id="p", source="s", record_id="o", occurred_at=NOW, status="ordered", drug=Drug(text="methotrexate 2.5 mg"),
        dosage=Dosage(text="6 tablets once a week", frequency_per_day=1),
    )  # fmt: skip
    [found] = Pipeline(load(), lambda: NOW).take(encode(weekly), Origin("t", 0, 0)).events
    assert isinstance(found, Prescription)
    expected = Dosage(text="6 tablets once a week", dose=Quantity(6, "tablet"), remark="contradictory")
    assert found.dosage == expected


_ORDERS = """
source = "ward"
[[tables]]
file = "ORDERS.csv"
event = "prescription"
[tables.fields]
patient_id = "{ID}"
record_id = "{ORDER}"
occurred_at = "{AT}"
status = "ordered"
"drug.text" = "{DRUG}"
"dosage.text" = "{SIG}"
"dosage.dose" = { from = "{DOSE}", unit = "{UNIT}", unreadable = "unknown" }
"""


def _natively(text: str) -> bytes:
    return encode({"type": "prescription", "patient_id": "p", "source": "s", "record_id": "o", "occurred_at": AT,
                   "status": "ordered", "drug": {"text": "x"}, "dosage": {"text": text}})  # fmt: skip


@pytest.mark.parametrize("way", ["native", "fhir", "extract"])
def test_every_way_in_reads_instructions(way: str) -> None:
    text, pipeline = "1-2 tablets q4-6h prn, max 8 tablets in 24 hours", Pipeline(load(), lambda: NOW)
    if way == "native":
        [found] = pipeline.take(_natively(text), Origin("t", 0, 0)).events
    elif way == "fhir":
        [found] = pipeline.take(encode(order(dosageInstruction=[{"text": text}])), Origin("t", 0, 0)).events
    else:
        [end] = read_rows(_ORDERS, f'ID,ORDER,AT,DRUG,SIG,DOSE,UNIT\np,o,2026-11-24,x,"{text}",,\n'.encode())
        [found] = pipeline.take_unit(end, b"", Origin("t", 0, 0)).events
    assert isinstance(found, Prescription)
    said = found.dosage
    assert (said.dose, said.frequency_per_day, said.frequency_high) == (Quantity(1, "tablet", 2), 4, 6)
    assert (said.as_needed, said.daily_dose, said.remark) == (True, Quantity(0, "tablet", 8), "")


def test_no_word_of_an_instruction_is_in_two_files_or_unclear_and_read() -> None:
    wording = load().wording
    assert not set(wording.frequencies) & set(wording.words)
    error_prone = ["od", "qn", "q 1 d", "tiw", "biw", "ss", "u", "m", "l", "ou", "au"]
    for written in error_prone:
        word = wording.words[tuple(written.split())]
        assert word.kind.startswith("unclear"), written
        assert word.meaning, f"{written} says why"
    assert not any(re.search(r"\d", word.kind) for word in wording.words.values())
