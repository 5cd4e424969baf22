"""Native JSON: events by the published schemas; one, a list of them, or one a line.

A list's element and a line are units of their own. A text is read as lines when it is no single JSON document and its
first or its last line alone is an object, so a broken pretty-printed document stays one unit.

Strict with writers: unknown fields and wrong types are refused with their JSON path. What no reader downstream could hold
is refused too: NUL and U+001F in a text, a time outside the years 1 to 9999 in UTC, a version above 2^53-1. Where an
object names a field twice the last one counts, as in most JSON readers. Not judged here: codes that nobody knows, dates
that cannot be, negative numbers; they are facts about what was sent, and the monitor says what they are worth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_

import msgspec
from msgspec import Raw

from schemas.codec import decode_event
from schemas.events import EVENT_TYPES, Event
from services.ingest.formats import Ignored, Item, Refusal
from services.ingest.formats.strict import closed, unsayable

_check = msgspec.json.Decoder(reduce(or_, map(closed, EVENT_TYPES))).decode
_well_formed = msgspec.json.Decoder(Raw).decode
_elements = msgspec.json.Decoder(list[Raw]).decode
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
MAX_UNITS = 100_000
"""The most units that one record may hold: more than 16 MiB of our smallest events."""
_COMMAS_PER_UNIT = 40
_FAILURE = re.compile(r"(?P<what>.*?)(?: - at `(?P<place>.+)`)?", re.DOTALL)
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def decode(value: bytes | None, most: int = MAX_UNITS) -> list[Item]:
    """The units of one record. At least one for any input; a record of more than ``most`` is refused whole. Never raises."""
    text = value.removeprefix(_BOM).strip(_SPACE) if value is not None else b""
    whole = value or b""
    if not text:
        return [Item(0, whole, Refusal("empty", "the record has no value"))]
    if text.startswith(b"["):
        return _list(whole, text, most)
    end = decode_unit(text)
    if isinstance(end, Refusal) and end.reason in ("not_json", "not_utf8") and _looks_like_lines(text):
        if text.count(b"\n") >= most:
            return [Item(0, whole, _too_many(most))]
        return list(_lines(text))
    return [Item(0, whole, end)]


def decode_unit(text: bytes) -> Event | Refusal:
    """One event. Never raises."""
    try:
        _check(text)
        event: Event = decode_event(text)
        return unsayable(event) or event
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return _not_text(text) or _not_json(text) or _refusal(error)


def _list(whole: bytes, text: bytes, most: int) -> list[Item]:
    if fault := _not_json(text):
        return [Item(0, whole, _not_text(text) or fault)]
    # elements that are no events can be two bytes long, and 16 MiB of them would fill the memory before they are counted
    if text.count(b",") > most * _COMMAS_PER_UNIT or len(elements := _elements(text)) > most:
        return [Item(0, whole, _too_many(most))]
    if not elements:
        return [Item(0, whole, Ignored("empty_list"))]
    return [Item(index, bytes(element), decode_unit(bytes(element))) for index, element in enumerate(elements)]


def _lines(text: bytes) -> Iterator[Item]:
    for index, line in enumerate(text.split(b"\n")):
        if stripped := line.strip(_SPACE):
            yield Item(index, stripped, decode_unit(stripped))


def _looks_like_lines(text: bytes) -> bool:
    first, _, rest = text.partition(b"\n")
    last = rest.rpartition(b"\n")[2]
    return any(line.startswith(b"{") and _not_json(line.strip(_SPACE)) is None for line in (first, last) if rest)


def _too_many(most: int) -> Refusal:
    return Refusal("too_many", f"more than {most} events in one record; send them in several")


def _not_text(text: bytes) -> Refusal | None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return Refusal("not_utf8", f"byte {error.start} is not UTF-8")
    return None


def _not_json(text: bytes) -> Refusal | None:
    """What keeps ``text`` from being one JSON document, if anything does; texts inside it are not looked at."""
    try:
        _well_formed(text)
    except RecursionError:
        return Refusal("not_json", "nested too deeply")
    except msgspec.DecodeError as error:
        return Refusal("not_json", str(error))
    return None


def _refusal(error: Exception) -> Refusal:
    """The fault without the value at fault: msgspec repeats a value that is none of the allowed ones."""
    if isinstance(error, RecursionError):
        return Refusal("not_json", "nested too deeply")
    match = _FAILURE.fullmatch(str(error))
    assert match
    what, place = match["what"], match["place"] or "$"
    if what.startswith("Invalid value ") and place == "$.type":
        return Refusal("unknown_type", "the event's type is none that the schemas name", place)
    if what.startswith(("Invalid enum value ", "Invalid value ")):
        return Refusal("schema", "not one of the values that the schema allows", place)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL):
        name = unknown[1] if _FIELD_NAME.fullmatch(unknown[1]) else "?"
        return Refusal("schema", "a field that the schema does not name", f"{place}.{name}")
    if not isinstance(error, msgspec.ValidationError):
        return Refusal("not_json", what, place)
    return Refusal("schema", what, place)
