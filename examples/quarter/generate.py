"""The quarter, from a seed: the same seed gives the same bytes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from examples.quarter.background import lives
from examples.quarter.cases import FAMILIES, KINDS, Kind
from examples.quarter.noise import arrived
from examples.quarter.person import BEGIN, DAYS, Message, Person, when

CASES, BACKGROUND = 18, 400


@dataclass(frozen=True)
class Case:
    """A problem (or what only looks like one) of a patient; times in ISO 8601, ``until`` None for the end of the quarter.
    ``hidden`` says why the data cannot reveal it, empty where they do."""

    patient_id: str
    family: str
    kind: str
    about: tuple[str, ...]
    at: str
    until: str | None
    hidden: str


@dataclass
class Quarter:
    """``messages`` by the file that they are sent in, in order of arrival."""

    messages: dict[str, list[Message]]
    problems: list[Case]
    lookalikes: list[Case]
    background: list[str]


def generate(seed: int, cases: int = CASES, background: int = BACKGROUND) -> Quarter:
    """``cases`` problems and as many look-alikes of each family, and so many people of whom there is nothing to say."""
    quarter = Quarter(defaultdict(list), [], [], [])
    found: list[Message] = []
    for number, (kind, turn) in enumerate(_planned(cases)):
        person = _person(seed, f"Q{number + 1:04}")
        about, at, until = kind.play(person, turn)
        told = Case(person.id, kind.family, kind.name, about, when(at).isoformat(),
                    None if until is None else when(until).isoformat(), kind.hidden)  # fmt: skip
        (quarter.problems if kind.true else quarter.lookalikes).append(told)
        found += _sent(person, seed)
    for number in range(background):
        person = _person(seed, f"B{number + 1:04}")
        lives(person, number)
        quarter.background.append(person.id)
        found += _sent(person, seed)
    for message in sorted(found, key=lambda message: (message["recorded_at"], json.dumps(message, sort_keys=True))):
        quarter.messages[message["source"]].append(message)
    return quarter


def _planned(cases: int) -> Iterator[tuple[Kind, int]]:
    """Kinds of a family in turn, each with the number of its turn; hidden ones twice beyond the others."""
    groups: dict[tuple[str, bool], list[Kind]] = defaultdict(list)
    for kind in sorted(KINDS, key=lambda kind: FAMILIES.index(kind.family)):
        if kind.hidden:
            yield from ((kind, turn) for turn in range(2))
        else:
            groups[kind.family, kind.true].append(kind)
    for kinds in groups.values():
        for number in range(cases):
            yield kinds[number % len(kinds)], number // len(kinds)


def _person(seed: int, name: str) -> Person:
    return Person(name, Random(f"{seed} {name}"))


def _sent(person: Person, seed: int) -> Iterable[Message]:
    """What the feeds bring of a person within the quarter, and a last word at its end, so that time has passed for all."""
    person.know(DAYS - 0.01)
    end = when(DAYS).isoformat()
    kept = [message for message in person.messages if message["occurred_at"] < end]
    person.messages = kept
    return arrived(person, Random(f"{seed} noise {person.id}"))


def write(quarter: Quarter, folder: Path) -> None:
    """``events/<source>.jsonl``, ``truth.jsonl``, ``lookalikes.jsonl`` and ``background.json`` in ``folder``."""
    events = folder / "events"
    events.mkdir(parents=True, exist_ok=True)
    for source, messages in sorted(quarter.messages.items()):
        _lines(events / f"{source}.jsonl", messages)
    _lines(folder / "truth.jsonl", map(asdict, quarter.problems))
    _lines(folder / "lookalikes.jsonl", map(asdict, quarter.lookalikes))
    (folder / "background.json").write_text(json.dumps(quarter.background), encoding="utf-8")


def read_cases(path: Path) -> list[Case]:
    """The cases of a file that ``write`` wrote."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Case(**row | {"about": tuple(row["about"])}) for row in rows]


def _lines(path: Path, rows: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


__all__ = ["BACKGROUND", "BEGIN", "CASES", "Case", "Quarter", "generate", "read_cases", "write"]
