"""How a table from elsewhere is read: a mapping file (TOML) that names its columns and what its words of severity mean here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from schemas.values import Severity

Shipped = Literal["ddinter", "drugbank", "crediblemeds"]


class BringInError(ValueError):
    """What is to be brought in cannot be used; says which file and line, and what is expected."""


class Columns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of columns: ``a`` and ``b`` with ``severity`` of interactions; ``ingredient`` with ``grade`` of properties, with
    ``names`` of names."""

    a: str = ""
    b: str = ""
    severity: str = ""
    effect: str = ""
    ingredient: str = ""
    grade: str = ""
    names: str = ""


class TableMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``severity`` from the source's words to ours; ``grades`` likewise, an empty grade leaves the row out. ``several`` parts the
    names of one cell. ``licence`` may be given with the command."""

    kind: Literal["interactions", "properties", "names"]
    source: str
    columns: Columns
    licence: str = ""
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    severity: dict[str, Severity] = {}
    property_id: str = msgspec.field(default="", name="property")
    grades: dict[str, str] = {}
    several: str = "|"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that the table must have."""
        of = self.columns
        named = {
            "interactions": (of.a, of.b, of.severity),
            "properties": (of.ingredient, of.grade),
            "names": (of.ingredient, of.names),
        }[self.kind]
        return (*named, *([of.effect] if of.effect else []))


def shipped(name: Shipped) -> TableMapping:
    """That of a source whose form is known."""
    return _read(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml")


def of_file(path: Path) -> TableMapping:
    """Raises ``BringInError``."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BringInError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BringInError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    return _read(text, str(path))


def _read(text: str, name: str) -> TableMapping:
    try:
        mapping = msgspec.toml.decode(text, type=TableMapping)
    except msgspec.DecodeError as error:
        raise BringInError(f"{name}: {error}") from error
    if not all(mapping.wanted):
        raise BringInError(f"{name}: [columns] must name those of {mapping.kind} (docs/knowledge-from-elsewhere.md)")
    if mapping.kind == "interactions" and not mapping.severity:
        raise BringInError(
            f"{name}: [severity] must say what the source's words mean: critical, high, moderate or info"
        )
    if mapping.kind == "properties" and not (mapping.property_id and mapping.grades):
        raise BringInError(f"{name}: a property and [grades] must be named")
    if not mapping.source.replace("-", "").isalnum() or not mapping.source.islower():
        raise BringInError(f"{name}: source must be a short name of small letters, digits and hyphens")
    return mapping
