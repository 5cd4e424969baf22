"""JSON documents changed at random places into what a broken feed may send: types swapped, values huge or at the edge, fields
twice, missing or nested deeply, tokens that only JSON's grammar allows and some that it does not."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any, NamedTuple

Step = str | int


class Token(NamedTuple):
    """A piece of JSON text that ``json.dumps`` would not write."""

    text: str


class Twice(NamedTuple):
    """A field that is named twice with these values."""

    first: Any
    second: Any


NUMBERS = [
    0, -1, 7.4, 1e308, -1e308, 5e-324, 2**31, 2**53, 2**63, 2**64, 10**30,
    *map(Token, ("-0.0", "-0", "1e400", "-1e400", "1E+2", "1e-400", "0.1e1", "9" * 400)),
]  # fmt: skip
TIMES = [
    "2026", "2026-11", "2026-11-02", "2026-02-30", "2024-02-29T23:59:60Z", "0001-01-01", "9999", "9999-12", "9999-12-31",
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00-14:00", "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.999999Z", "2026-11-02T08:00:00", "2026-11-02T24:00:00Z",
    "2026-11-02T08:00:00+14:00", "2026-11-02t08:00:00z", "0000-01-01T00:00:00Z",
]  # fmt: skip
TEXTS = [
    "", " ", "x", "_", "#", "#m", "?", "urn:uuid:x", "Patient/p1", "Patient/", "http://a/Patient/p/_history/2", "İ" * 200,
    "x" * 64, "x" * 65, "x" * 256, "x" * 257, "ﷺ" * 256, "x" * 4000, "x" * 4001, "\U0001f48a", "\u202e\u0344½²",
    "warfarin " + "9" * 320 + " mg", "warfarin 1 mg/" + "9" * 90 + "ml", "{1 (warfarin 5 MG Oral Tablet) / 2 () } Pack [x]",
    "((((", "1-2 tab q4-6h", "0 mg q0h", "9" * 320 + " mg every " + "9" * 320 + " days",
    "<0.2", "GREATER THAN 30", ">" + "9" * 400, "haemolysed", "1e5",
    "٣", "mg/dl", "10*9/L", "µ" * 64,
    "\x00", "a\x1fb", "\x7f", *map(Token, ('"\\ud800"', '"\\udc00x"', '"\\u0000"', '"a\\u001fb"', '"\\/"')),
]  # fmt: skip
SHAPES = [None, True, False, [], {}, [[]], [None], [{}], {"": None}, {"x": {"x": []}}, Token("[" * 40 + "]" * 40)]
NO_JSON = [
    *map(
        Token,
        ("NaN", "-Infinity", "01", "'x'", "", "[", "}", '"', '"\x01"', "nul", "[" * 3000 + "]" * 3000, '{"a":' * 3000),
    )
]
"""What breaks the document that it stands in."""
ODD = [*NUMBERS, *TIMES, *TEXTS, *SHAPES]


def written(node: Any) -> bytes:
    """A document with its tokens and its fields named twice as JSON text."""
    return _text(node).encode("utf-8", "surrogatepass")


def _text(node: Any) -> str:
    if isinstance(node, Token):
        return node.text
    if isinstance(node, dict):
        return "{" + ",".join(_field(json.dumps(name), value) for name, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(_text, node)) + "]"
    return json.dumps(node)


def _field(name: str, value: Any) -> str:
    if isinstance(value, Twice):
        return f"{_field(name, value.first)},{_field(name, value.second)}"
    return f"{name}:{_text(value)}"


def places(node: Any, at: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
    """Where every value in a document stands, the whole left out."""
    steps: list[tuple[Step, Any]] = []
    if isinstance(node, dict):
        steps = list(node.items())
    elif isinstance(node, list):
        steps = list(enumerate(node))
    return [(*at, step) for step, _ in steps] + [place for step, value in steps for place in places(value, (*at, step))]


def mutated(document: Any, random: Random, odd: list[Any] = ODD, most: int = 3) -> Any:
    """A copy with up to ``most`` changes; the same document and state of ``random`` give the same copy."""
    made = copy.deepcopy(document)
    for _ in range(random.randint(1, most)):
        if not (found := places(made)):
            return random.choice(odd)
        *above, last = random.choice(found)
        node = made
        for step in above:
            node = node[step]
        _change(made, node, last, random, odd)
    return made


def _change(whole: Any, node: Any, at: Any, random: Random, odd: list[Any]) -> None:
    kind, old = random.randrange(12), node[at]
    if kind < 6:
        node[at] = random.choice(_like(old) or odd)
    elif kind == 6:
        node[at] = random.choice(odd)
    elif kind in (7, 8):
        del node[at]
    elif kind == 9:
        node[at] = copy.deepcopy(_at(whole, random.choice(places(whole))))
    elif kind == 10:
        node[at] = [old] if not isinstance(old, list) else old * random.randint(1, 4)
    elif isinstance(node, dict):
        node[at] = Twice(old, random.choice(odd)) if random.random() < 0.5 else Twice(random.choice(odd), old)


def _like(old: Any) -> list[Any]:
    """Odd values of the type that was there, which more often come through."""
    if isinstance(old, str):
        return TIMES if old[:4].isdigit() and "-" in old else TEXTS
    return NUMBERS if isinstance(old, int | float) and not isinstance(old, bool) else []


def _at(node: Any, place: tuple[Step, ...]) -> Any:
    for step in place:
        node = node[step]
    return node


def damaged(text: bytes, random: Random) -> bytes:
    """Bytes changed, put in, taken out or repeated, without regard to what they say."""
    made = bytearray(text)
    for _ in range(random.randint(1, 6)):
        at, length = random.randint(0, len(made)), random.randint(1, 12)
        part = bytes(made[at : at + length])
        noise = bytes(
            random.choices([0, 9, 10, 13, 31, 34, 44, 48, 57, 58, 91, 92, 93, 123, 125, 127, 128, 237, 255], k=length)
        )
        made[at : at + length] = random.choice([b"", noise, noise + part, part * 3, part[::-1]])
    return bytes(made)
