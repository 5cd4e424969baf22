"""Reads the groups of diagnoses: ``condition_groups/``."""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable

from knowledge.diagnoses import CodeSystem, Diagnoses, plain_code
from knowledge.reading.sources import Sources
from knowledge.reading.tables import StatementRow, Table, read

_CODES = {
    "ICD-9-CM": re.compile(r"(\d{2,3}|V\d{2}|E\d{2,3})(\.\d{1,2})?"),
    "ICD-10": re.compile(r"[A-Z]\d([0-9A-Z](\.[0-9A-Z]{1,4})?)?"),
    "SNOMED CT": re.compile(r"\d{6,18}"),
}
_MULTIPLIED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


class GroupRow(StatementRow, frozen=True, kw_only=True):
    """``codes`` of a classification mean everything that begins with them; those of SNOMED CT mean themselves."""

    group: str
    title: str
    system: CodeSystem
    codes: tuple[str, ...]
    note: str = ""


def read_diagnoses(root: Traversable, sources: Sources) -> Diagnoses:
    table = sources.checked(read(root, "condition_groups/groups.csv", GroupRow))
    titles: dict[str, str] = {}
    prefixes: dict[tuple[str, str], frozenset[str]] = {}
    exact: dict[str, frozenset[str]] = {}
    for row in table.rows:
        if titles.setdefault(row.group, row.title) != row.title:
            raise table.error(row, "title", f"{row.group!r} has another title further up")
        for code in row.codes:
            _check(row, code, table)
            if row.system == "SNOMED CT":
                exact[code] = exact.get(code, frozenset()) | {row.group}
            else:
                key = (row.system, plain_code(code))
                if row.group in prefixes.get(key, ()):
                    raise table.error(row, "codes", f"{code} is there twice for {row.group}")
                prefixes[key] = prefixes.get(key, frozenset()) | {row.group}
    return Diagnoses(titles=titles, prefixes=prefixes, exact=exact)


def _check(row: GroupRow, code: str, table: Table[GroupRow]) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.group):
        raise table.error(row, "group", f"{row.group!r} is not in lower case with hyphens between words")
    if not _CODES[row.system].fullmatch(code):
        raise table.error(row, "codes", f"{code!r} is no beginning of a code of {row.system}")
    if row.system == "SNOMED CT" and not _check_digit_fits(code):
        raise table.error(row, "codes", f"{code} is no SNOMED CT identifier: its check digit is wrong")


def _check_digit_fits(code: str) -> bool:
    """Verhoeff's check digit of SNOMED CT identifiers: every slip of one digit and most swaps are caught."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTED[value]
        check = _MULTIPLIED[check][value]
    return check == 0
