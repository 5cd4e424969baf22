"""Reads a TOML file and finds the place of each of its keys, so that a fault of what it says has line and column.

``tomllib`` tells the place of a fault of syntax only. Keys are found line by line: tables as headers, a key at the beginning of a
line; what stands within an array or an inline table is looked for in the text from its key on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from knowledge.reading.tables import KnowledgeError

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=""")
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*')
_SYNTAX = re.compile(r"^(?P<problem>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


class Fault(NamedTuple):
    """One thing that is wrong, with its place, what is expected and what may have been meant."""

    file: str
    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.problem}"


class RulesError(KnowledgeError):
    """Files of rules cannot be used: ``faults`` are all that was found, in the order of the files; ``file``, ``line`` and
    ``column`` are those of the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(first.file, first.line, str(first.column), first.problem)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class Toml:
    """A file that was read: what it says and where. Raises ``RulesError`` where it is no TOML."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        try:
            self.said: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RulesError([_of_syntax(file, str(error), text)]) from error
        self._places = dict(_places(text))

    def fault(self, path: Path, problem: str, cell: str = "") -> Fault:
        """The fault of what stands at ``path``; ``cell`` is a text in it that is meant."""
        offset = self._offset(path, cell)
        line = self.text.count("\n", 0, offset) + 1
        return Fault(self.file, line, offset - (self.text.rfind("\n", 0, offset) + 1) + 1, problem)

    def _offset(self, path: Path, cell: str) -> int:
        known = path
        while known and known not in self._places:
            known = known[:-1]
        offset = self._places.get(known, 0)
        for part in path[len(known) :]:
            # within an array or an inline table: entries one after another, each begun by a brace
            found = _nth(self.text, "{", offset, part) if isinstance(part, int) else _word(self.text, part, offset)
            offset = offset if found < 0 else found
        place = self.text.find(cell, offset) if cell else -1
        return offset if place < 0 else place


def _of_syntax(file: str, said: str, text: str) -> Fault:
    found = _SYNTAX.match(said)
    if found is None or found["line"] is None:
        problem = found["problem"] if found else said
        return Fault(file, text.count("\n") + 1, 1, f"no TOML: {problem} at the end of the file")
    return Fault(file, int(found["line"]), int(found["column"]), f"no TOML: {found['problem']}")


def _nth(text: str, mark: str, offset: int, number: int) -> int:
    for _ in range(number + 1):
        offset = text.find(mark, offset + 1)
        if offset < 0:
            break
    return offset


def _word(text: str, name: str, offset: int) -> int:
    found = re.compile(rf"(?<![\w-]){re.escape(name)}\s*=").search(text, offset)
    return found.start() if found else -1


def _places(text: str) -> Iterator[tuple[Path, int]]:
    """The offset of every header and every key at the beginning of a line."""
    table: Path = ()
    counts: dict[Path, int] = {}
    depth, quotes, offset = 0, "", 0
    for line in text.splitlines(keepends=True):
        start, offset = offset, offset + len(line)
        if quotes:
            quotes = "" if quotes in line else quotes
            continue
        bare = _STRINGS.sub("", line.replace('"""', "\0").replace("'''", "\1"))
        if not depth and (header := _HEADER.match(line)):
            table = _table(header[2], counts, array=header[1] == "[[")
            yield table, start + line.index("[")
            continue
        if not depth and (key := _KEY.match(line)):
            yield (*table, *(_plain(part) for part in key[1].split("."))), start + key.start(1)
        for mark, quote in (("\0", '"""'), ("\1", "'''")):
            if bare.count(mark) % 2:
                quotes = quote
        depth = max(0, depth + bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}"))


def _table(name: str, counts: dict[Path, int], *, array: bool) -> Path:
    path: Path = ()
    parts = [_plain(part) for part in name.split(".")]
    for place, part in enumerate(parts):
        path = (*path, part)
        if array and place == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _plain(part: str) -> str:
    return part.strip().strip("\"'")
