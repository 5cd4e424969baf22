"""Reads the files of ``queries/``: each query has a ``-- name:`` line, a sentence on what it is for, and its SQL."""

from __future__ import annotations

import re
from importlib import resources

_HEADER = re.compile(r"^-- name: *(\S*) *$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z_]*")


class SqlFileError(ValueError):
    """A file of queries is not written as it must be; the message says where."""


def load(name: str) -> dict[str, str]:
    """The queries of ``queries/<name>.sql`` by name. Raises ``SqlFileError``."""
    file = resources.files("services.notify.store").joinpath("queries", f"{name}.sql")
    return parse(file.read_text(encoding="utf-8"), f"{name}.sql")


def parse(text: str, file: str) -> dict[str, str]:
    """The queries of one file by name, each with its sentence. Raises ``SqlFileError``."""
    before, *parts = _HEADER.split(text)
    if before.strip():
        raise SqlFileError(f"{file}: text before the first '-- name:' line")
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if not _NAME.fullmatch(name) or name in queries:
            raise SqlFileError(f"{file}: the name {name!r} is not a new name in small letters")
        queries[name] = _checked(body.strip(), f"{file}: {name}")
    return queries


def _checked(body: str, place: str) -> str:
    lines = body.splitlines()
    if not lines or not lines[0].startswith("-- "):
        raise SqlFileError(f"{place} does not begin with a sentence on what it is for")
    if all(line.startswith("--") or not line.strip() for line in lines):
        raise SqlFileError(f"{place} has no SQL")
    return body
