"""Postgres: what it may reach, and what of its address is shown."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from services.local.postgres import PROGRAMS, passable, without_password


def test_the_programs_of_the_wheel_are_found() -> None:
    assert {"initdb", "postgres"} <= {path.name for path in PROGRAMS.iterdir()}


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o711, True), (0o755, True), (0o700, False), (0o750, False)])
def test_a_closed_folder_on_the_way_is_seen(mode: int, open_to_all: bool) -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's own folders may be closed already
        Path(outer).chmod(mode)
        assert passable(Path(outer) / "inner") == open_to_all


def test_a_password_is_taken_out_of_an_address() -> None:
    shown = without_password("postgresql://rxvigil:s3-cr_et@127.0.0.1:5432/rxvigil?sslmode=disable")
    assert shown == "postgresql://rxvigil@127.0.0.1:5432/rxvigil?sslmode=disable"
