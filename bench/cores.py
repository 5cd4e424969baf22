"""A worker on a part of a core: how two of them scale can then be seen on a machine whose cores are all taken by one.

Linux control groups, version 1 or 2, where this user may make one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

PERIOD_MICROSECONDS = 100_000
_ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def limited(name: str, share: float) -> Iterator[Callable[[int], None]]:
    """Gives a function that puts a process into a new group which gets ``share`` of one core. The group ends when its
    processes have. Raises ``OSError`` where no group may be made."""
    quota = int(share * PERIOD_MICROSECONDS)
    unified = (_ROOT / "cgroup.controllers").exists()
    folder = _ROOT / name if unified else _ROOT / "cpu" / name
    folder.mkdir()
    try:
        if unified:
            (folder / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))

        def put(pid: int) -> None:
            (folder / "cgroup.procs").write_text(str(pid))

        yield put
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
