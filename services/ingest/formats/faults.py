"""What is wrong with a JSON text, said without repeating any value of it."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from services.ingest.formats import Refusal

_well_formed = msgspec.json.Decoder(Raw).decode
_FAILURE = re.compile(r"(?P<what>.*?)(?: - at `(?P<place>.+)`)?", re.DOTALL)
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def not_text(text: bytes) -> Refusal | None:
    """What keeps ``text`` from being UTF-8, if anything does."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return Refusal("not_utf8", f"byte {error.start} is not UTF-8")
    return None


def not_json(text: bytes) -> Refusal | None:
    """What keeps ``text`` from being one JSON document, if anything does; texts inside it are not looked at."""
    try:
        _well_formed(text)
    except RecursionError:
        return Refusal("not_json", "nested too deeply")
    except msgspec.DecodeError as error:
        return Refusal("not_json", str(error))
    return None


def refusal(error: Exception) -> Refusal:
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
