"""The files of SQL."""

from __future__ import annotations

import pytest

from services.notify.store import sql
from services.notify.store.migrate import migrations


def test_queries_are_read_with_their_sentences() -> None:
    found = sql.parse("-- name: one\n-- Gives one.\nSELECT 1;\n\n-- name: two\n-- Gives two.\nSELECT 2;\n", "x.sql")
    assert found == {"one": "-- Gives one.\nSELECT 1;", "two": "-- Gives two.\nSELECT 2;"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("SELECT 1;\n-- name: one\n-- Gives one.\nSELECT 1;", "before the first"),
        ("-- name: one\nSELECT 1;", "one does not begin with a sentence"),
        ("-- name: one\n-- Gives one.\n", "one has no SQL"),
        ("-- name: One\n-- Gives one.\nSELECT 1;", "'One'"),
        ("-- name:\n-- Gives one.\nSELECT 1;", "''"),
        ("-- name: a\n-- A.\nSELECT 1;\n-- name: a\n-- A.\nSELECT 1;", "'a'"),
    ],
)
def test_a_file_that_is_not_written_as_it_must_be_is_named_with_its_fault(text: str, fault: str) -> None:
    with pytest.raises(sql.SqlFileError, match=r"x\.sql") as raised:
        sql.parse(text, "x.sql")
    assert fault in str(raised.value)


def test_migrations_are_numbered_without_gap() -> None:
    assert [migration.name[:5] for migration in migrations()] == [f"{n:04}_" for n in range(1, len(migrations()) + 1)]
