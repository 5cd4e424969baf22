"""Delimited text as rows: each keeps its line and its bytes, and a bad one refuses itself alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.formats import Refusal
from services.ingest.formats.extract.rows import header_of, rows
from tests.support.extracts import lines_of


def found(text: bytes, delimiter: str = ",") -> list[tuple[int, bytes, list[str] | str]]:
    """Line, bytes, and the cells or the reason of the refusal."""
    return [
        (row.line, row.original, row.cells.reason if isinstance(row.cells, Refusal) else row.cells)
        for row in rows(lines_of(text), delimiter)
    ]


def test_rows_keep_their_line_and_their_bytes() -> None:
    assert found(b'A,B\r\n1,"a ""b"", c"\r\n\r\n2,"over\nthree\nlines"\n3,\n') == [
        (1, b"A,B\r\n", ["A", "B"]),
        (2, b'1,"a ""b"", c"\r\n', ["1", 'a "b", c']),
        (4, b'2,"over\nthree\nlines"\n', ["2", "over\nthree\nlines"]),
        (7, b"3,\n", ["3", ""]),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    for header in (b"A,B\n", b'"A","B"\n'):
        assert found(b"\xef\xbb\xbf" + header)[0][2] == ["A", "B"]


def test_another_delimiter() -> None:
    assert found(b"1;a,b\n", ";") == [(1, b"1;a,b\n", ["1", "a,b"])]
    assert found(b"1\ta,b\n", "\t")[0][2] == ["1", "a,b"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [(b'2,"a"b\n', "mapping"), (b"2,\xff\n", "not_utf8"), (b"2," + b"x" * 200_000 + b"\n", "mapping")],
)
def test_a_row_that_cannot_be_read_refuses_itself_alone(bad: bytes, reason: str) -> None:
    assert found(b"A,B\n1,a\n" + bad + b"3,c\n") == [
        (1, b"A,B\n", ["A", "B"]), (2, b"1,a\n", ["1", "a"]), (3, bad, reason), (4, b"3,c\n", ["3", "c"]),
    ]  # fmt: skip


def test_a_quote_that_never_closes_is_one_refusal_at_its_line() -> None:
    assert found(b'A,B\n1,a\n2,"b\n3,c\n')[2:] == [(3, b'2,"b\n3,c\n', "mapping")]


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_and_every_byte_that_is_no_blank_is_in_one(text: bytes) -> None:
    joined = b"".join(row.original for row in rows(lines_of(text), ","))
    assert b"".join(joined.split()) == b"".join(text.removeprefix(b"\xef\xbb\xbf").split())


def test_columns_without_a_name_do_not_clash() -> None:
    assert header_of(["ID", "", "VALUE", ""], "f.csv") == {"ID": 0, "column 2": 1, "VALUE": 2, "column 4": 3}
