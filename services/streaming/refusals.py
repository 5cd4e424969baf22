"""When refusing has to stop: one bad record is refused, a bad deployment is not an answer about thousands of records."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from services.streaming.errors import EngineError

RATIO_RECORDS = 500
"""The ratio is judged over this many records and more."""


class RefusalLimits(NamedTuple):
    """``run``: refusals one after another; ``ratio``: share of the records. 0 for no limit."""

    run: int = 50
    ratio: float = 0.2


NO_LIMITS = RefusalLimits(0, 0)


class Refusals:
    """Counts what was refused, for one lane."""

    def __init__(self, limits: RefusalLimits) -> None:
        self._limits = limits
        self._run = 0
        self._records = 0
        self._refused = 0

    def count(self, records: int, refused: Collection[int]) -> None:
        """One batch: the number of its records and which of them were refused. Call it before anything of it is sent.

        Raises ``EngineError`` when a limit is passed.
        """
        at = -1
        for index in sorted(refused):
            self._run = self._run + 1 if index == at + 1 else 1
            at = index
            if self._limits.run and self._run >= self._limits.run:
                raise EngineError(_message(f"the last {self._run} records"))
        if at != records - 1:
            self._run = 0
        self._records += records
        self._refused += len(refused)
        if self._limits.ratio and self._records >= RATIO_RECORDS:
            if self._refused > self._limits.ratio * self._records:
                raise EngineError(_message(f"{self._refused} of {self._records} records"))
            # the past counts half, so that it does not hide what begins now
            self._records //= 2
            self._refused //= 2


def _message(what: str) -> str:
    return (
        f"{what} of a partition were refused because the handler raised for each; nothing of this batch was sent and it "
        "stays unread. The log names the errors. Undo the last deployment, or, if the records are really bad, raise "
        "refusal_run and refusal_ratio (0: no limit) until they have passed"
    )
