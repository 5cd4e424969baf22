"""From a table of a TOML file to a struct: every key is checked on its own, so that all faults of a file are found at once."""

from __future__ import annotations

from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from knowledge.conditions import nearest
from knowledge.reading.toml import Fault, Path, Toml

T = TypeVar("T", bound=Struct)
_WORDS = {
    "str": "text in quotes", "int": "a whole number", "float": "a number", "array": "an array in [ ]",
    "object": "a table", "bool": "true or false",
}  # fmt: skip


def made(kind: type[T], table: object, at: Path, toml: Toml, faults: list[Fault]) -> T | None:
    """The table as a ``kind``; None where it has a fault, which is then among ``faults``."""
    if not isinstance(table, dict):
        faults.append(toml.fault(at, f"{at[-1]!r} is to be a table"))
        return None
    before = len(faults)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    types = get_type_hints(kind)
    for key in table.keys() - fields.keys():
        problem = f"there is no key {key!r} here; {nearest(key, fields)}"
        faults.append(toml.fault((*at, key), problem))
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in table:
            values[key] = _value(types[field.name], table[key], (*at, key), toml, faults)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            faults.append(toml.fault(at, f"the key {key!r} is missing"))
    return kind(**values) if len(faults) == before else None


def _value(kind: Any, value: object, at: Path, toml: Toml, faults: list[Fault]) -> Any:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return made(kind, value, at, toml, faults)
    inner = _struct_of(kind)
    if inner is not None and isinstance(value, dict):
        return made(inner, value, at, toml, faults)
    if inner is not None and isinstance(value, list):
        return tuple(made(inner, each, (*at, place), toml, faults) for place, each in enumerate(value))
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        words = [each for each in _words_of(kind) if isinstance(each, str)]
        problem = f"{value!r} is not known; {nearest(str(value), words)}" if words else _said(str(error))
        faults.append(toml.fault(at, f"{at[-1]!r}: {problem}"))
        return None


def _struct_of(kind: Any) -> type[Struct] | None:
    """The struct in ``Struct | None`` and ``tuple[Struct, ...]``."""
    for each in getattr(kind, "__args__", ()):
        if isinstance(each, type) and issubclass(each, Struct):
            return each
    return None


def _words_of(kind: Any) -> list[object]:
    """The words that a literal type has, in whatever it stands."""
    found: list[object] = []
    for each in get_args(kind):
        found += [each] if isinstance(each, str) else _words_of(each)
    return found


def _said(problem: str) -> str:
    problem = problem.partition(" - at ")[0]
    for word, said in _WORDS.items():
        problem = problem.replace(f"`{word}`", said)
    return problem[:1].lower() + problem[1:]
