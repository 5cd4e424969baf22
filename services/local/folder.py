"""The data directory: made, checked for room, and held by one supervisor at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.local.errors import DataDirError

ROOM = 300 * 1024 * 1024
"""Bytes that must be free at the start."""


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Hold the directory against a second start, as long as this process lives.

    Raises ``DataDirError``: not writable, not enough room, or held by another process, whose id the message names.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DataDirError(
            f"the data directory {data_dir} cannot be written ({error.strerror}): make it writable, or set another "
            "with --data-dir"
        ) from error
    try:
        _lock(lock, data_dir)
        _check_room(data_dir)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 32, 0).decode().strip() or "unknown"
        raise DataDirError(
            f"the data directory {data_dir} is in use by another rxvigil, process {holder}: stop that one, or set another "
            "directory with --data-dir"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _check_room(data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < ROOM:
        raise DataDirError(
            f"the disk of the data directory {data_dir} has {free // 2**20} MB left and the stack needs "
            f"{ROOM // 2**20} MB to start: free some space, or set another directory with --data-dir"
        )
