"""Escapes of half a character, as ``\\ud83d`` alone. JSON's grammar has them (RFC 8259, section 8.2) and no text can hold one; a
writer that cuts a text by units of UTF-16 makes them. A document that has one cannot be read at all, so they are put aside for as
long as its parts are told apart: the fault is then that of the part which it stands in.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_ASIDE = b"\\uFfFf"
"""A character that no text has, in a spelling that no writer uses."""


def put_aside(text: bytes) -> bytes | None:
    """``text`` with its halves put aside; None when it has none, or may not be told from a text that had."""
    if b"\\u" not in text or _ASIDE in text:
        return None
    found = _ESCAPE.sub(lambda each: _ASIDE + each["half"] if each["half"] else each[0], text)
    return found if found != text else None


def put_back(part: bytes) -> bytes:
    """A part of what ``put_aside`` gave as it was received."""
    return part.replace(_ASIDE, b"\\u")
