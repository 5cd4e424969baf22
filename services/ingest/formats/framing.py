"""A record's units: one JSON document, the elements of a list, or one document a line.

A list's element and a line are units of their own. A text is read as lines when it is no single JSON document and its
first or its last line alone is an object, so a broken pretty-printed document stays one unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Raw

from services.ingest.formats import End, Ignored, Item, Refusal
from services.ingest.formats.faults import not_json, not_text
from services.ingest.formats.halves import put_aside, put_back

Part = tuple[bytes, End]
"""What one unit came to, with its bytes; a unit that holds others (a FHIR bundle) comes to several."""
Read = Callable[[bytes], list[Part]]

MAX_UNITS = 100_000
"""The most units that one record may hold: more than 16 MiB of our smallest events."""
COMMAS_PER_UNIT = 40
"""Elements that are no events can be two bytes long, and 16 MiB of them would fill the memory before they are counted."""
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_elements = msgspec.json.Decoder(list[Raw]).decode


def items(value: bytes | None, most: int, read: Read) -> list[Item]:
    """The units of one record, each as ``read`` sees it. At least one for any input; a record of more than ``most`` is refused
    whole. Never raises if ``read`` never does."""
    text = value.removeprefix(_BOM).strip(_SPACE) if value is not None else b""
    whole = value or b""
    if not text:
        return [Item(0, whole, Refusal("empty", "the record has no value"))]
    if text.startswith(b"["):
        return _list(whole, text, most, read)
    parts = read(text)
    if len(parts) == 1:
        end = parts[0][1]
        if isinstance(end, Refusal) and end.reason in ("not_json", "not_utf8") and _looks_like_lines(text):
            if text.count(b"\n") >= most:
                return [Item(0, whole, too_many(most))]
            return _bounded(whole, _lines(text, read), most)
        return [Item(0, whole, end)]
    return _bounded(whole, [(0, parts)], most)


def too_many(most: int) -> Refusal:
    return Refusal("too_many", f"more than {most} events in one record; send them in several")


def _list(whole: bytes, text: bytes, most: int, read: Read) -> list[Item]:
    shape = text
    restored: Callable[[bytes], bytes] = bytes
    if (fault := not_json(text)) is not None:
        aside = put_aside(text)
        if aside is None or not_json(aside) is not None:
            return [Item(0, whole, not_text(text) or fault)]
        shape, restored = aside, put_back
    if text.count(b",") > most * COMMAS_PER_UNIT or len(elements := _elements(shape)) > most:
        return [Item(0, whole, too_many(most))]
    if not elements:
        return [Item(0, whole, Ignored("empty_list"))]
    return _bounded(whole, ((index, read(restored(bytes(each)))) for index, each in enumerate(elements)), most)


def _lines(text: bytes, read: Read) -> Iterator[tuple[int, list[Part]]]:
    for index, line in enumerate(text.split(b"\n")):
        if stripped := line.strip(_SPACE):
            yield index, read(stripped)


def _bounded(whole: bytes, units: Iterable[tuple[int, list[Part]]], most: int) -> list[Item]:
    """A unit that comes to several moves those behind it up by as many, so that no two have one position."""
    found: list[Item] = []
    ahead = 0
    for index, parts in units:
        found += [Item(index + ahead + number, original, end) for number, (original, end) in enumerate(parts)]
        ahead += len(parts) - 1
        if len(found) > most:
            return [Item(0, whole, too_many(most))]
    return found


def _looks_like_lines(text: bytes) -> bool:
    first, _, rest = text.partition(b"\n")
    last = rest.rpartition(b"\n")[2]
    return any(line.startswith(b"{") and not_json(line.strip(_SPACE)) is None for line in (first, last) if rest)
