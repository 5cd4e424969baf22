"""The states of one partition on disk: RocksDB, one folder a partition, each write whole or not at all.

Behind every key stands the epoch of its writer (8 bytes) and then the value; an erased key keeps its epoch alone, so that a
late record of a former owner cannot bring it back. In the same write go the changelog offset that the store stands at, the
highest epoch seen, and which keys the owner owes to the changelog, so after a crash at any point the store says truly how far
it is.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import rocksdict

from services.streaming.dues import Due, due_of
from services.streaming.epochs import epoch_of
from services.streaming.errors import EngineError

_OFFSET, _EPOCH, _TOUCHED = b"\0rxvigil\0offset", b"\0rxvigil\0epoch", b"\0rxvigil\0touched"
_OWED = b"\0rxvigil\0owed\0"
_DUE = b"\0rxvigil\0due\0"
"""Followed by a time, eight bytes, and the key that is due then. One that is no longer wanted stays until its time."""
MAX_AWAY_SECONDS = 20 * 3600
"""A tombstone is kept in the changelog for a day (``delete.retention.ms``). A store that was away for longer would not hear of
what was erased meanwhile, so it is thrown away before that and made anew."""

_WRITE_BUFFER_BYTES = 16 << 20
_CACHE = rocksdict.Cache(32 << 20)


class PartitionStore:
    """Open from the constructor to ``close``. Every error of the disk is raised as ``EngineError``.

    Keys never begin with a zero byte.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._db = _open(path)
        if self._away() > MAX_AWAY_SECONDS:
            self._db.close()
            shutil.rmtree(path)
            self._db = _open(path)
        self.offset = self._number(_OFFSET)
        """The last changelog offset that is in the store; None in an empty one."""
        self.highest_epoch = self._number(_EPOCH) or 0
        self._touched = self._number(_TOUCHED) or 0
        self._owed = frozenset(self._owed_keys())

    @property
    def owed(self) -> frozenset[bytes]:
        """Keys whose last record in the changelog is a former owner's: the next owner has to write its value of them again,
        because compaction keeps the last. Kept until ``write`` has them."""
        return self._owed

    def read(self, key: bytes) -> bytes | None:
        stored = self._db.get(key)
        return None if stored is None or len(stored) == 8 else stored[8:]

    def epoch(self, key: bytes) -> int:
        """The epoch of the last writer of a key, 0 where there was none."""
        stored = self._db.get(key)
        return 0 if stored is None else int.from_bytes(stored[:8], "big")

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        epoch: int,
        offset: int | None,
        dues: Mapping[bytes, int] | None = None,
        met: Iterable[Due] = (),
    ) -> None:
        """The owner's ``changes`` (None erases), which the changelog holds up to ``offset`` (None: where it stood); when they
        are due, and which times have been ``met``."""
        prefix = epoch.to_bytes(8, "big")
        batch = rocksdict.WriteBatch(raw_mode=True)
        for each in met:
            batch.delete(_due_key(each.at, each.key))
        for key, at in (dues or {}).items():
            batch.put(_due_key(at, key), b"")
        for key, value in changes.items():
            batch.put(key, prefix if value is None else prefix + value)
        self._commit(batch, max(epoch, self.highest_epoch), offset, self._owed - changes.keys())

    def apply(self, records: Sequence[Any]) -> int:
        """Records of the changelog in their order, as a restore or a standby reads them; how many were fenced off.

        A record counts unless its key was written by a higher epoch, wherever in the log that stands. What is at or above
        the highest epoch seen needs no look. A key is ``owed`` while the last record of it did not count.
        """
        values: dict[bytes, bytes] = {}
        dues: list[bytes] = []
        owed = set(self._owed)
        highest, fenced = self.highest_epoch, 0
        for record in records:
            epoch = epoch_of(record.headers)
            if epoch >= highest:
                highest = epoch
            elif epoch < self._epoch_among(values, record.key):
                fenced += 1
                owed.add(record.key)
                continue
            owed.discard(record.key)
            values[record.key] = epoch.to_bytes(8, "big") + (record.value or b"")
            if len(record.headers) > 1 and (at := due_of(record.headers)) is not None:
                dues.append(_due_key(at, record.key))
        batch = rocksdict.WriteBatch(raw_mode=True)
        for due in dues:
            batch.put(due, b"")
        for key, value in values.items():
            batch.put(key, value)
        self._commit(batch, highest, records[-1].offset if records else None, owed)
        return fenced

    def due(self, until: int, most: int) -> list[Due]:
        """Keys that were due at ``until`` or before (milliseconds since the epoch), the longest due first, at most ``most``."""
        found: list[Due] = []
        for key in self._db.keys(from_key=_DUE):
            if not key.startswith(_DUE) or len(found) == most:
                break
            due = Due(int.from_bytes(key[len(_DUE) : len(_DUE) + 8], "big"), key[len(_DUE) + 8 :])
            if due.at > until:
                break
            found.append(due)
        return found

    def touch(self) -> None:
        """The store is known to stand at the end of its changelog; noted once in a while."""
        if self._clock() - self._touched > 60:
            self._commit(rocksdict.WriteBatch(raw_mode=True), self.highest_epoch, None, self._owed)

    def size(self) -> int:
        """Bytes on disk, without the log of the newest writes."""
        return int(self._db.property_int_value("rocksdb.total-sst-files-size") or 0)

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Every key with its value, in the order of the keys."""
        for key, stored in self._db.items():
            if not key.startswith(b"\0") and len(stored) > 8:
                yield key, stored[8:]

    def close(self) -> None:
        """Let go of RocksDB's lock; the next owner here needs it."""
        try:
            self._db.close()
        except Exception as error:
            raise EngineError(
                f"the state store {self._path} cannot be closed: {error}. Free its disk or mend its permissions and start "
                "again; nothing is lost, the state is restored from its changelog"
            ) from error

    def _commit(self, batch: Any, highest: int, offset: int | None, owed: Set[bytes]) -> None:
        now = int(self._clock())
        batch.put(_EPOCH, str(highest).encode())
        batch.put(_TOUCHED, str(now).encode())
        if offset is not None:
            batch.put(_OFFSET, str(offset).encode())
        for key in owed - self._owed:
            batch.put(_OWED + key, b"")
        for key in self._owed - owed:
            batch.delete(_OWED + key)
        try:
            self._db.write(batch)
        except Exception as error:
            raise EngineError(
                f"the state store {self._path} cannot be written: {error}. Free its disk or mend its permissions and start "
                "again; nothing is lost, the state is restored from its changelog"
            ) from error
        self.highest_epoch, self._touched, self._owed = highest, now, frozenset(owed)
        self.offset = self.offset if offset is None else offset

    def _epoch_among(self, values: Mapping[bytes, bytes], key: bytes) -> int:
        value = values.get(key)
        return self.epoch(key) if value is None else int.from_bytes(value[:8], "big")

    def _owed_keys(self) -> Iterable[bytes]:
        for key in self._db.keys(from_key=_OWED):
            if not key.startswith(_OWED):
                return
            yield key[len(_OWED) :]

    def _number(self, key: bytes) -> int | None:
        stored = self._db.get(key)
        return None if stored is None else int(stored)

    def _away(self) -> float:
        touched = self._number(_TOUCHED)
        return 0 if touched is None else self._clock() - touched


def _due_key(at: int, key: bytes) -> bytes:
    return _DUE + max(0, at).to_bytes(8, "big") + key


def _open(path: Path) -> Any:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_keep_log_file_num(2)
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_bloom_filter(10, block_based=False)
    blocks.set_block_cache(_CACHE)
    options.set_block_based_table_factory(blocks)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return rocksdict.Rdict(str(path), options=options)
    except Exception as error:
        raise EngineError(
            f"the state store {path} cannot be opened: {error}. Mend the folder (permissions, disk, another process that has "
            "it open) or delete it: the state is restored from its changelog"
        ) from error
