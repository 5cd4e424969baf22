"""The text of the French thesaurus of interactions (ANSM), as it is taken out of its PDF (`pdftotext`, Apache Tika).

A heading in capitals is a substance or a class; a line that begins with ``+`` is what it meets; one of four levels follows, and
then what happens and what to do. Which substances a class has is in an index of its own, given as a table of class and substance.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from schemas.values import Severity
from services.local.imports.mapping import BringInError
from services.local.imports.tables import Done, Edition, Names, Said, write_interactions

SOURCE, LICENCE = "ansm", "Licence Ouverte / Open Licence; check the terms of the edition"
_LEVELS: tuple[tuple[re.Pattern[str], str, Severity], ...] = (
    (re.compile(r"contre[ -]indication|^CI\b", re.IGNORECASE), "Contre-indication", "critical"),
    (re.compile(r"association d[ée]conseill[ée]e|^ASDEC\b", re.IGNORECASE), "Association déconseillée", "high"),
    (re.compile(r"pr[ée]caution d['’]emploi|^PE\b", re.IGNORECASE), "Précaution d'emploi", "moderate"),
    (re.compile(r"[àa] prendre en compte|^APEC\b", re.IGNORECASE), "À prendre en compte", "info"),
)
_SUBSTANCES = re.compile(r"\(.*\)")


class Entry(NamedTuple):
    """One interaction of the text; ``line`` is that of its ``+``."""

    line: int
    heading: str
    partner: str
    level: str
    severity: Severity
    effect: str


def bring_in(text: Path, classes: Path | None, edition: str, names: Names, site: Path) -> Done:
    """Raises ``BringInError``."""
    members = {} if classes is None else read_classes(classes)
    left_out: Counter[str] = Counter()
    found = list(entries(_text(text)))
    if not found:
        raise BringInError(
            f"{text}: no line beginning with + is followed by one of the four levels; is it the text of the PDF?"
        )
    said = _said(found, members, names, left_out)
    return write_interactions(said, Edition(SOURCE, LICENCE, edition), names, left_out, site)


def entries(text: str) -> Iterator[Entry]:
    """Every interaction of the text, in its order. A ``+`` without a level is none."""
    heading, partner, line, level = "", "", 0, None
    effect: list[str] = []
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        said = " ".join(raw.split())
        if said.startswith("+") or (
            said and said == said.upper() and any(c.isalpha() for c in said) and _level(said) is None
        ):
            if partner and level is not None:
                yield Entry(line, heading, partner, *level, " ".join(effect))
            effect, level = [], None
            if said.startswith("+"):
                partner, line = said.lstrip("+ "), number
            else:
                heading, partner = said, ""
        elif partner and level is None:
            level = _level(said)
        elif said:
            effect.append(said)
    if partner and level is not None:
        yield Entry(line, heading, partner, *level, " ".join(effect))


def read_classes(path: Path) -> Mapping[str, Sequence[str]]:
    """A table without a header, class and substance, parted by ``;``. Raises ``BringInError``."""
    found: dict[str, list[str]] = {}
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=";")
    for cells in reader:
        if cells and len(cells) != 2:
            raise BringInError(f"{path}, line {reader.line_num}: a class and a substance, parted by ';', are expected")
        if cells:
            found.setdefault(_key(cells[0]), []).append(cells[1])
    return found


def _said(
    found: Sequence[Entry], members: Mapping[str, Sequence[str]], names: Names, left_out: Counter[str]
) -> Iterator[Said]:
    for entry in found:
        a, b = (_ingredients(side, members, names) for side in (entry.heading, entry.partner))
        if a and b:
            yield Said(a, b, entry.severity, entry.level, entry.effect)
        else:
            left_out["a name that nobody knows here"] += 1


def _ingredients(name: str, members: Mapping[str, Sequence[str]], names: Names) -> Sequence[str]:
    of_class = members.get(_key(name))
    if of_class is None:
        return names.of(name)
    return sorted({ingredient for each in of_class for ingredient in names.of(each)})


def _key(name: str) -> str:
    return " ".join(_SUBSTANCES.sub("", name).upper().split())


def _level(said: str) -> tuple[str, Severity] | None:
    return next(((name, severity) for pattern, name, severity in _LEVELS if pattern.search(said)), None)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise BringInError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BringInError(f"{path}: cannot be read as UTF-8 text ({error})") from error
