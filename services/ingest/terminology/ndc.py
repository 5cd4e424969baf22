"""National Drug Codes in every way of writing them, as the 11 digits (labeler 5, product 4, package 2) that tables are kept in.

On a package an NDC has 10 digits in three segments (4-4-2, 5-3-2 or 5-4-1), and each becomes 5-4-2 by a zero before its short
segment. Ten digits without hyphens may be any of the three.
"""

from __future__ import annotations

import re
from itertools import accumulate

_SEGMENTS = {(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)}
_PRODUCT_SEGMENTS = {(4, 4), (5, 3), (5, 4)}
_WRITTEN = re.compile(r"\d+(?:-\d+){0,2}", re.ASCII)
_BARE = {
    11: ((5, 4, 2),),
    10: ((4, 4, 2), (5, 3, 2), (5, 4, 1)),
    9: ((5, 4),),
    8: ((4, 4), (5, 3)),
}
"""What digits without hyphens may be, by their number. Nine and eight are a product: an NDC without its package."""
_WIDTHS = (5, 4, 2)


def candidates(code: str) -> tuple[str, ...]:
    """What ``code`` may mean: NDCs of 11 digits, or products of 9; none when it is not written as an NDC."""
    code = code.strip()
    if not _WRITTEN.fullmatch(code) or not code.strip("0-"):
        return ()
    segments = code.split("-")
    if len(segments) > 1:
        shape = tuple(map(len, segments))
        return (_padded(segments),) if shape in _SEGMENTS | _PRODUCT_SEGMENTS else ()
    return tuple(dict.fromkeys(_padded(_cut(code, shape)) for shape in _BARE.get(len(code), ())))


def _cut(digits: str, shape: tuple[int, ...]) -> list[str]:
    ends = list(accumulate(shape))
    return [digits[end - length : end] for end, length in zip(ends, shape, strict=True)]


def _padded(segments: list[str]) -> str:
    return "".join(segment.zfill(width) for segment, width in zip(segments, _WIDTHS, strict=False))
