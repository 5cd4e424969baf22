"""Reads what patients are told: ``explanations/``, one file a language, English first.

Every fault of a file is found at once, with line and column. A language says what the first one says, or it is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

from msgspec import Struct

from knowledge.conditions import nearest
from knowledge.explanation import OTHER, Entry, Explanations, Language, Meaning, Words
from knowledge.reading.tables import KnowledgeError
from knowledge.reading.toml import Fault, Path, RulesError, Toml
from knowledge.reading.toml_table import made

FOLDER = "explanations"
FIRST = "en"
T = TypeVar("T", bound=Struct)
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
FILLED = frozenset({"medicines", "result", "before", "taken", "since"})
"""What may stand in braces in ``found``."""
_DATE = frozenset({"day", "month", "year"})


class _Head(Struct, frozen=True, kw_only=True):
    language: str
    name: str


@lru_cache(1)
def load_explanations() -> Explanations:
    """The explanations that rxvigil ships, read once. Raises ``KnowledgeError`` where they cannot be used."""
    return read_explanations(files("knowledge"))


def read_explanations(root: Traversable) -> Explanations:
    """Those under ``root``. Raises ``RulesError`` with all faults of a file."""
    folder = root.joinpath(FOLDER)
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".toml")) if folder.is_dir() else []
    if f"{FIRST}.toml" not in names:
        raise KnowledgeError(f"{FOLDER}/{FIRST}.toml", 0, "", "is missing; the other languages are held against it")
    names.sort(key=lambda name: name != f"{FIRST}.toml")
    first: Language | None = None
    languages: dict[str, Language] = {}
    for name in names:
        toml = Toml(f"{FOLDER}/{name}", folder.joinpath(name).read_text("utf-8"))
        language = _language(toml, name.removesuffix(".toml"), first)
        languages[language.code] = language
        first = first or language
    return Explanations(languages=languages)


def _language(toml: Toml, code: str, first: Language | None) -> Language:
    faults: list[Fault] = []
    tables = {"words", "families", "rules", "problems"}
    head = made(_Head, {key: said for key, said in toml.said.items() if key not in tables}, ("language",), toml, faults)
    words = made(Words, toml.said.get("words"), ("words",), toml, faults)
    families = _each(Entry, "families", toml, faults)
    rules = _each(Entry, "rules", toml, faults)
    problems = _each(Meaning, "problems", toml, faults)
    if head is None or words is None or faults:
        raise RulesError(faults)
    if head.language != code:
        faults.append(toml.fault(("language",), f"{head.language!r} is not the language of the file's name"))
    language = Language(code=code, name=head.name, words=words, families=families, rules=rules, problems=problems)
    faults += (toml.fault(path, problem, cell) for path, problem, cell in _faults(language, first))
    if faults:
        raise RulesError(faults)
    return language


def _each(kind: type[T], table: str, toml: Toml, faults: list[Fault]) -> dict[str, T]:
    said = toml.said.get(table, {})
    if not isinstance(said, dict):
        faults.append(toml.fault((table,), f"{table!r} is to be a table"))
        return {}
    found = {name: made(kind, each, (table, name), toml, faults) for name, each in said.items()}
    return {name: each for name, each in found.items() if each is not None}


def _faults(language: Language, first: Language | None) -> Iterator[tuple[Path, str, str]]:
    """Where something is wrong, what, and the text that is meant."""
    if OTHER not in language.families:
        yield ("families",), f"there is no entry {OTHER!r}, which every alert without one of its own is told by", ""
    if len(language.words.months) != 12:
        yield ("words", "months"), f"has {len(language.words.months)} months; twelve are wanted", ""
    if set(PLACEHOLDER.findall(language.words.date)) != _DATE:
        yield ("words", "date"), "is to have {day}, {month} and {year}", ""
    for table, entries in (("families", language.families), ("rules", language.rules)):
        for name, entry in entries.items():
            for path, problem, cell in _of_entry(entry):
                yield (table, name, path), problem, cell
    for name, meaning in language.problems.items():
        for key, text in (("why", meaning.why), ("help", meaning.help)):
            if key == "why" and not text.strip():
                yield ("problems", name, key), "says nothing", ""
            if "{" in text or "}" in text:
                yield ("problems", name, key), "takes no placeholder: the values stand in 'found'", text
    if first is not None:
        yield from _against(language, first)


def _of_entry(entry: Entry) -> Iterator[tuple[str, str, str]]:
    if not entry.found:
        yield "found", "says nothing", ""
    for text in entry.found:
        for name in PLACEHOLDER.findall(text):
            if name not in FILLED:
                yield "found", f"{{{name}}} is no placeholder; {nearest(name, FILLED)}", f"{{{name}}}"
        if not text.strip() or "{" in PLACEHOLDER.sub("", text) or "}" in PLACEHOLDER.sub("", text):
            yield "found", "is empty, or a brace stands alone; a placeholder is a name in { }", text
    if entry.found and PLACEHOLDER.search(entry.found[-1]):
        problem = "the last way to say it is to have no placeholder: an alert may have none of the values"
        yield "found", problem, entry.found[-1]
    for key, text in (("why", entry.why), ("ask", entry.ask), ("help", entry.help)):
        if key != "help" and not text.strip():
            yield key, "says nothing", ""
        if "{" in text or "}" in text:
            yield key, "takes no placeholder: the values stand in 'found'", text


def _against(language: Language, first: Language) -> Iterator[tuple[Path, str, str]]:
    for table in ("families", "rules", "problems"):
        here, there = getattr(language, table), getattr(first, table)
        for name in there.keys() - here.keys():
            yield (table,), f"has no entry {name!r}, which {first.code}.toml has: write it in this language too", ""
        for name in here.keys() - there.keys():
            yield (table, name), f"is not in {first.code}.toml; {nearest(name, there)}", ""
        for name in here.keys() & there.keys():
            if bool(here[name].help) != bool(there[name].help):
                yield (table, name), f"'help' is said here or in {first.code}.toml only: say it in both", ""
