"""A mapping file read and checked, as far as it can be without the files that it is for."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.ingest.formats.extract.mapping import (
    Field,
    FieldSpec,
    Join,
    Mapping,
    MappingError,
    Table,
    columns_in,
    is_choice,
    no_century,
    parts_of,
    texts_of,
)


def load(text: bytes, file: str) -> Mapping:
    """Raises ``MappingError``; ``file`` is the name that it says."""
    try:
        data = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise MappingError(f"{file}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{file}: not TOML: {error}") from error
    try:
        mapping = msgspec.convert(data, Mapping)
    except msgspec.ValidationError as error:
        raise MappingError(f"{file}: {_located(data, str(error))}") from error
    _check_whole(mapping, file)
    for number, table in enumerate(mapping.tables):
        for path, spec in table.fields.items():
            for text_ in texts_of(spec):
                _check_text(text_, f"{file}: tables[{number}].fields.{path!r}")
    for name, join in mapping.joins.items():
        _check_join(mapping, name, join, f"{file}: joins.{name}")
    return mapping


def _check_whole(mapping: Mapping, file: str) -> None:
    try:
        ZoneInfo(mapping.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(f"{file}: zone: no time zone {mapping.zone!r}; use an IANA name as Europe/Berlin") from error
    if any(sign in msgspec.json.encode(replace(mapping, delimiter=",")) for sign in (b"\\u0000", b"\\u001f")):
        raise MappingError(f"{file}: a text with the character NUL or U+001F, which no store holds; write it without")
    if mapping.delimiter == ";" and mapping.decimal is None:
        raise MappingError(
            f"{file}: delimiter: files with a semicolon often write numbers with a decimal comma, and 1,234 would be read as "
            'more than a thousand; say which it is: decimal = "," or decimal = "."'
        )
    for format_ in mapping.time_formats:
        _check_time_format(format_, file)
    if all(map(no_century, mapping.time_formats)):
        raise MappingError(
            f"{file}: time_formats: every year has two digits and none says the century; add a format with %Y, at least for "
            "the times that `near` names"
        )


def _located(data: dict[str, Any], failure: str) -> str:
    """A failure with what is allowed there, and with the key of the field or join where msgspec says ``[...]``."""
    for number, table in enumerate(data["tables"] if "fields[...]" in failure else ()):
        for path, spec in table["fields"].items():
            try:
                msgspec.convert(spec, FieldSpec)
            except msgspec.ValidationError as error:
                return f"tables[{number}].fields.{path!r}: {_with_allowed(str(error), Field)}"
    for name, join in data["joins"].items() if "joins[...]" in failure else ():
        try:
            msgspec.convert(join, Join)
        except msgspec.ValidationError as error:
            return f"joins.{name}: {_with_allowed(str(error), Join)}"
    return _with_allowed(_with_allowed(failure, Table), Mapping)


def _with_allowed(failure: str, kind: type[Struct]) -> str:
    """The failure, with the values that are allowed where it names a field of ``kind`` with a list of them."""
    choices = {field.name: get_args(field.type) for field in msgspec.structs.fields(kind) if is_choice(field.type)}
    for name, allowed in choices.items():
        invalid = failure.startswith("Invalid enum value") and failure.endswith(f".{name}`")
        if invalid or failure == f"Object missing required field `{name}`":
            return f"{failure}; allowed: {', '.join(allowed)}"
    return failure


def _check_time_format(format_: str, file: str) -> None:
    sample = datetime(2001, 2, 3, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(format_), format_)  # noqa: DTZ007 - the format alone is looked at
    except ValueError as error:
        raise MappingError(f"{file}: time_formats: {format_!r} is none of Python's strptime formats") from error
    if read.year != sample.year:
        raise MappingError(f"{file}: time_formats: {format_!r} names no year; every time would be of the year 1900")


def _check_text(text: str, where: str) -> None:
    try:
        parts_of(text)
    except ValueError as error:
        raise MappingError(f"{where}: {text!r}: {error}") from error


def _check_join(mapping: Mapping, name: str, join: Join, where: str) -> None:
    if not name or not set(name).isdisjoint(".{}!:"):
        raise MappingError(f"{where}: a join's name has no dot, brace, colon or exclamation mark; call it as item")
    for key, text in (("key", join.key), ("on", join.on or join.key)):
        _check_text(text, f"{where}.{key}")
        if not columns_in(text):
            raise MappingError(f"{where}.{key}: {text!r} names no column; write a column as {{NAME}}")
        for column in columns_in(text):
            if column.partition(".")[0] in mapping.joins and "." in column:
                raise MappingError(f"{where}.{key}: {column!r} is of a join; a key is made of a file's own columns")
