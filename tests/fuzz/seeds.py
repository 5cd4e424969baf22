"""What fuzzing starts from: the ward day, and an event and a resource of every kind; and the words of both formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

from tests.support.inputs import BUNDLE, NATIVE, PANELS, RESOURCES
from tests.support.mutation import written

EVENTS = Path(__file__).parents[2] / "examples" / "ward-day" / "events"
_QUOTED = re.compile(rb'"[^"\\]{1,40}"')


def of(name: str) -> Iterator[bytes]:
    """The seeds of a target."""
    if name == "extract":
        lines = (EVENTS / "lab-results.csv").read_bytes().splitlines(keepends=True)[1:]
        yield from lines
        yield b"".join(lines)
        return
    for path in sorted(EVENTS.glob("*.json*")):
        text = path.read_bytes()
        yield text
        if path.suffix == ".jsonl":
            yield from text.splitlines()
    yield from map(written, [*NATIVE, *RESOURCES, *PANELS, BUNDLE, NATIVE, RESOURCES])
    yield b"\n".join(map(written, NATIVE))


def words(name: str) -> list[bytes]:
    """Every short text in quotes of the seeds, as libFuzzer's dictionary wants them."""
    found = {word for seed in of(name) for word in _QUOTED.findall(seed)}
    return sorted(b'"' + b"".join(b"\\x%02x" % byte for byte in word) + b'"' for word in found)


def write(name: str, corpus: Path, dictionary: Path) -> None:
    """The seeds by their content into the corpus, beside what earlier runs left there, and the dictionary."""
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in of(name):
        (corpus / sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    dictionary.write_bytes(b"\n".join(words(name)) + b"\n")
