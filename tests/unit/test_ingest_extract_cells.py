"""What a cell of an extract says: numbers, results, amounts, times, codes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.values import Quantity
from services.ingest.formats.extract import cells
from services.ingest.formats.extract.cells import Times, UnreadableError


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7.35", 7.35), ("25,000", 25000), ("1,000,000.5", 1000000.5), ("-3", -3), ("+3", 3), (".5", 0.5), ("5.", 5),
        ("2,50", None), ("1,2345", None), ("1e3", None), ("1E5", None), ("", None), ("NaN", None), ("inf", None),
        ("0x1", None), ("1 000", None), ("9" * 400, None), ("5 mg", None), ("--5", None),
    ],
)  # fmt: skip
def test_numbers(cell: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(UnreadableError):
            cells.number(cell)
    else:
        assert cells.number(cell) == value


@pytest.mark.parametrize("cell", ["0,125", "00,125", "0,5"])
def test_a_decimal_comma_is_not_taken_for_thousands(cell: str) -> None:
    """0.125 mg of digoxin are not 125 mg."""
    with pytest.raises(UnreadableError):
        cells.number(cell)
    with pytest.raises(UnreadableError):
        cells.quantity(f"{cell} mg", "mg")
    assert cells.result(cell) == {"text": cell}


def test_numbers_with_a_decimal_comma() -> None:
    assert [cells.number(cell, ",") for cell in ("0,125", "6,4", "1.250,5", "12.000", "7")] == [
        0.125,
        6.4,
        1250.5,
        12000,
        7,
    ]
    with pytest.raises(UnreadableError):
        cells.number("6.4", ",")
    assert cells.quantity("0,5-1 ml", "", ",") == {"value": 0.5, "high": 1, "unit": "ml"}
    assert cells.quantity("40 mg/0,4 ml", "", ",") == {"value": 40, "unit": "mg/0,4 ml"}
    assert cells.result("<0,2", ",") == {"value": 0.2, "comparator": "<"}
    assert cells.result("1,5 Ery/ul, s. Kommentar", ",") == {"text": "1,5 Ery/ul, s. Kommentar"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("7.4", {"value": 7.4}),
        ("<0.2", {"value": 0.2, "comparator": "<"}),
        ("> 10,000", {"value": 10000, "comparator": ">"}),
        ("<=3", {"value": 3, "comparator": "<="}),
        ("≤3", {"value": 3, "comparator": "<="}),
        ("≥ 3", {"value": 3, "comparator": ">="}),
        ("GREATER THAN 30", {"value": 30, "comparator": ">"}),
        ("less than 5", {"value": 5, "comparator": "<"}),
        *((text, {"text": text}) for text in ("0-2", "1+", "5 mg", "NEG", "<", "<<3", "=<3", "> 5 H", "1e3", "2,50")),
    ],
)
def test_results(cell: str, expected: dict[str, Any]) -> None:
    assert cells.result(cell) == expected


@pytest.mark.parametrize(
    ("cell", "unit", "expected"),
    [
        ("500", "mg", Quantity(500, "mg")),
        ("500", "", Quantity(500, "")),
        ("1-2", "TAB", Quantity(1, "TAB", 2)),
        ("500 - 1,000", "mg", Quantity(500, "mg", 1000)),
        ("1-2mg", "MG", Quantity(1, "MG", 2)),
        ("5 mL", "", Quantity(5, "mL")),
        ("2.5%", "", Quantity(2.5, "%")),
        ("10 µg", "", Quantity(10, "µg")),
        ("100 [iU]", "", Quantity(100, "[iU]")),
        ("5 mL", "mg", None),
        ("2-1", "mg", None),
        ("1/2", "", None),
        ("1/2", "TAB", None),
        ("1:1000", "", None),
        ("1,5", "mg", None),
        ("1-2-3", "mg", None),
        ("half", "mg", None),
    ],
)
def test_amounts(cell: str, unit: str, expected: Quantity | None) -> None:
    if expected is None:
        with pytest.raises(UnreadableError):
            cells.quantity(cell, unit)
    else:
        assert Quantity(**cells.quantity(cell, unit)) == expected


@pytest.mark.parametrize(("cell", "value"), [("5", 5), ("-5", -5), ("5.0", None), ("1,000", None), ("9" * 16, None)])
def test_whole_numbers(cell: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(UnreadableError):
            cells.whole(cell)
    else:
        assert cells.whole(cell) == value


def test_truth() -> None:
    assert [cells.truth(cell) for cell in ("Yes", "y", "TRUE", "1", "No", "0", "false")] == [True] * 4 + [False] * 3
    with pytest.raises(UnreadableError):
        cells.truth("perhaps")


BERLIN = Times(("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"), "Europe/Berlin")


@pytest.mark.parametrize(
    ("cell", "add_days", "utc"),
    [
        ("2026-11-02 08:00:00", 0, "2026-11-02T07:00"),  # winter time is UTC+1
        ("2026-07-02 08:00:00", 0, "2026-07-02T06:00"),  # summer time is UTC+2
        ("2026-07-02", 0, "2026-07-01T22:00"),
        ("2026-07-02T08:00:00Z", 0, "2026-07-02T08:00"),
        ("2026-07-02T08:00:00-0500", 0, "2026-07-02T13:00"),
        ("2026-03-29 01:59:59", 0, "2026-03-29T00:59:59"),
        (
            "2026-03-29 02:30:00",
            0,
            "2026-03-29T01:30",
        ),  # the clocks never show it: read as if they had not been changed
        ("2026-03-29 03:00:00", 0, "2026-03-29T01:00"),
        ("2026-10-25 02:30:00", 0, "2026-10-25T00:30"),  # the clocks show it twice: the first
        ("2026-03-28 12:00:00", 1, "2026-03-29T10:00"),  # by the calendar, and not 24 hours later
        ("2026-03-28", 1, "2026-03-28T23:00"),
        ("2026-12-31", 1, "2026-12-31T23:00"),
        ("2024-02-28", 1, "2024-02-28T23:00"),
        ("2026-03-01", -1, "2026-02-27T23:00"),
    ],
)
def test_times_are_instants_of_the_zone(cell: str, add_days: int, utc: str) -> None:
    assert BERLIN.instant(cell, add_days) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_days_have_no_zone() -> None:
    assert BERLIN.day("2026-07-02", 0) == date(2026, 7, 2)
    assert BERLIN.day("2026-07-02 23:59:59", 1) == date(2026, 7, 3)


@pytest.mark.parametrize(
    ("cell", "add_days"),
    [
        ("02.07.2026", 0), ("2026-02-30", 0), ("2026-13-01", 0), ("", 0), ("tomorrow", 0), ("2026-07-02 24:00:00", 0),
        ("9999-12-31", 1), ("0001-01-01", -1), ("2026-01-01", 10**9), ("0001-01-01 00:00:00", 0),
    ],
)  # fmt: skip
def test_what_is_no_time(cell: str, add_days: int) -> None:
    with pytest.raises(UnreadableError) as raised:
        BERLIN.instant(cell, add_days)
    assert not cell or cell not in str(raised.value)


def test_the_formats_are_tried_in_their_order() -> None:
    day_first, month_first = Times(("%d/%m/%Y", "%m/%d/%Y"), "UTC"), Times(("%m/%d/%Y", "%d/%m/%Y"), "UTC")
    assert (day_first.day("02/03/2026", 0), month_first.day("02/03/2026", 0)) == (date(2026, 3, 2), date(2026, 2, 3))
    assert day_first.day("02/25/2026", 0) == month_first.day("25/02/2026", 0) == date(2026, 2, 25)


@given(st.text(max_size=30))
def test_any_cell_is_read_or_unreadable(cell: str) -> None:
    for read in (cells.number, cells.whole, cells.truth, cells.result, lambda c: cells.quantity(c, "mg")):
        for marked in (cell, f"{cell}\N{SNOWMAN}"):
            try:
                read(marked)
            except UnreadableError as error:
                # no message of ours has one, so it could only come from the cell
                assert "\N{SNOWMAN}" not in str(error)


# times whose years have two digits

SHORT = Times(("%Y-%m-%d %H:%M:%S", "%m/%d/%y %H:%M"), "UTC")


@pytest.mark.parametrize(
    ("cell", "near", "year"),
    [
        ("10/23/64 16:43", "2164-10-23 21:09:00", 2164),
        ("12/31/99 23:00", "2200-01-01 01:00:00", 2199),  # the night before a century
        ("1/1/00 01:00", "2199-12-31 23:00:00", 2200),  # and the night after
        ("1/1/26 00:00", "2026-11-24 00:00:00", 2026),
        ("1/1/50 00:00", "2000-01-01 00:00:00", 1950),  # 18 262 days before, and 18 263 to 2050
        ("7/2/50 00:00", "2000-07-02 00:00:00", 2050),  # 18 263 days after 1950, and 18 262 to 2050
        ("2/29/00 12:00", "2001-01-01 00:00:00", 2000),
        ("2/29/96 12:00", "2200-01-01 00:00:00", 2196),
    ],
)
def test_a_year_of_two_digits_is_of_the_century_that_brings_it_nearest(cell: str, near: str, year: int) -> None:
    assert SHORT.instant(cell, 0, near).year == year
    assert SHORT.day(cell, 0, near).year == year


@given(st.datetimes(datetime(1901, 1, 1), datetime(2299, 1, 1)), st.integers(-49 * 365, 49 * 365))
def test_a_time_within_49_years_of_the_other_is_found_again(near: datetime, days: int) -> None:
    other = (near + timedelta(days=days)).replace(second=0, microsecond=0)
    cell = f"{other.month}/{other.day}/{other.year % 100:02} {other:%H:%M}"
    assert SHORT.instant(cell, 0, f"{near:%Y-%m-%d %H:%M:%S}") == other.replace(tzinfo=UTC)


def test_a_whole_year_is_not_moved() -> None:
    assert SHORT.instant("1964-10-23 16:43:00", 0, "2164-10-23 21:09:00").year == 1964


@pytest.mark.parametrize(
    ("cell", "near"),
    [
        ("10/23/64 16:43", ""),
        ("10/23/64 16:43", "10/23/64 16:43"),
        ("?", "2164-10-23 21:09:00"),
        # 2100 has no 29 February, and the years that have one are a century away
        ("2/29/00 12:00", "2099-12-31 00:00:00"),
    ],
)
def test_without_a_time_that_says_the_century_it_is_not_read(cell: str, near: str) -> None:
    with pytest.raises(UnreadableError):
        SHORT.instant(cell, 0, near)


# codes


@pytest.mark.parametrize(
    ("code", "system", "dotted"),
    [
        # the tabular lists: 428.0 heart failure, 995.91 sepsis, V58.61 anticoagulants, E879.8 procedure, I48.0, Z79.01
        ("4280", "ICD-9-CM", "428.0"), ("99591", "ICD-9-CM", "995.91"), ("V5861", "ICD-9-CM", "V58.61"),
        ("E8798", "ICD-9-CM", "E879.8"), ("0389", "ICD-9-CM", "038.9"), ("042", "ICD-9-CM", "042"),
        ("V08", "ICD-9-CM", "V08"), ("E879", "ICD-9-CM", "E879"), ("428.0", "ICD-9-CM", "428.0"),
        ("I480", "ICD-10", "I48.0"), ("Z7901", "ICD-10-CM", "Z79.01"), ("S72001A", "ICD-10-CM", "S72.001A"),
        ("C7A012", "ICD-10-CM", "C7A.012"), ("I10", "ICD-10", "I10"), ("I48.0", "ICD-10-GM", "I48.0"),
        ("U071", "ICD-10", "U07.1"), ("unknown", "ICD-10", "unknown"), ("123456", "ICD-9-CM", "123456"),
    ],
)  # fmt: skip
def test_an_icd_code_gets_its_dot_back(code: str, system: str, dotted: str) -> None:
    assert cells.dotted(code, system) == dotted


def test_the_quick_way_to_read_a_time_reads_what_the_format_says_and_no_more() -> None:
    quick = Times(("%Y-%m-%d %H:%M:%S",), "UTC")
    assert quick.instant("2026-7-2 8:05:00") == quick.instant("2026-07-02 08:05:00")
    for cell in ("2026-07-02T08:05:00", "2026-07-02 08:05+01", "20260702 08:05:00Z"):
        with pytest.raises(UnreadableError):
            quick.instant(cell)
