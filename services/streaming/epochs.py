"""Epochs: which of two writers of one partition is the newer one.

A lane's epoch is the highest that its partition's changelog has shown, plus the generation of the consumer group. Owners
follow one another with growing generations and see at least what their predecessors saw, so a later owner's epoch is always
the higher one; also after a group was forgotten and counts from 1 again. It stands in a header of every record written.
"""

from __future__ import annotations

from services.streaming.handler import Headers

HEADER = "epoch"


def next_epoch(highest: int, generation: int) -> int:
    """The epoch of a lane born in ``generation`` over a changelog that has shown ``highest``."""
    return highest + max(1, generation)


def headers_of(epoch: int) -> Headers:
    return ((HEADER, str(epoch).encode()),)


def epoch_of(headers: Headers) -> int:
    """0 where there is none: written before there were epochs."""
    for name, value in headers:
        if name == HEADER:
            return int(value)
    return 0
