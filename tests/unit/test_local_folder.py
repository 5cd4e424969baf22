"""A data directory belongs to one supervisor, which is told why when it cannot have it."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from services.local.errors import DataDirError
from services.local.folder import held


def test_a_second_start_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    refusal = pytest.raises(DataDirError, match=rf"{tmp_path} is in use .* process {os.getpid()}:")
    with held(tmp_path), refusal, held(tmp_path):
        pytest.fail("two supervisors on one directory")
    with held(tmp_path):
        pass


def test_a_refused_start_does_not_loosen_the_hold_of_the_first(tmp_path: Path) -> None:
    with held(tmp_path):
        for _ in range(2):
            with pytest.raises(DataDirError), held(tmp_path):
                pytest.fail("two supervisors on one directory")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataDirError, match=r"file/data cannot be written .* --data-dir"),
        held(tmp_path / "file" / "data"),
    ):
        pytest.fail("held")


def test_a_nearly_full_disk_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 299 * 2**20))
    with pytest.raises(DataDirError, match=r"has 299 MB left and the stack needs 300 MB"), held(tmp_path):
        pytest.fail("held")
    monkeypatch.undo()
    with held(tmp_path):  # the hold was given back
        pass
