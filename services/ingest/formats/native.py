"""Native JSON: events by the published schemas; one, a list of them, or one a line.

Strict with writers: unknown fields and wrong types are refused with their JSON path. What no reader downstream could hold
is refused too: NUL and U+001F in a text, a time outside the years 1 to 9999 in UTC, a version above 2^53-1. Where an
object names a field twice the last one counts, as in most JSON readers. Not judged here: codes that nobody knows, dates
that cannot be, negative numbers; they are facts about what was sent, and the monitor says what they are worth.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import msgspec

from schemas.codec import decode_event
from schemas.events import EVENT_TYPES, Event
from services.ingest.formats import Item, Refusal
from services.ingest.formats.faults import not_json, not_text, refusal
from services.ingest.formats.framing import MAX_UNITS, Part, items
from services.ingest.formats.strict import closed, unsayable

_check = msgspec.json.Decoder(reduce(or_, map(closed, EVENT_TYPES))).decode


def decode(value: bytes | None, most: int = MAX_UNITS) -> list[Item]:
    """The units of one record. At least one for any input; a record of more than ``most`` is refused whole. Never raises."""
    return items(value, most, read)


def read(text: bytes) -> list[Part]:
    """One event. Never raises."""
    return [(text, decode_unit(text))]


def decode_unit(text: bytes) -> Event | Refusal:
    """One event. Never raises."""
    try:
        _check(text)
        event: Event = decode_event(text)
        return unsayable(event) or event
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return not_text(text) or not_json(text) or refusal(error)
