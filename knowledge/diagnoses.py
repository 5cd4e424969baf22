"""Groups of diagnoses that rules ask for (``history gi-bleed``), by their codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

CodeSystem = Literal["ICD-9-CM", "ICD-10", "SNOMED CT"]


class Diagnoses(Struct, frozen=True, kw_only=True):
    """``titles`` by group. ``prefixes`` are by system and code, without dots; ``exact`` those of SNOMED CT."""

    titles: Mapping[str, str] = {}
    prefixes: Mapping[tuple[str, str], frozenset[str]] = {}
    exact: Mapping[str, frozenset[str]] = {}

    def groups_of(self, system: str, code: str) -> frozenset[str]:
        """The groups that a code of a patient's diagnosis is in, written with or without the dot. A system that is not
        known here is in none."""
        if system == "SNOMED CT":
            return self.exact.get(code.strip(), frozenset())
        known = "ICD-10" if system.startswith("ICD-10") else system
        plain = plain_code(code)
        found = (self.prefixes.get((known, plain[:length]), frozenset()) for length in range(1, len(plain) + 1))
        return frozenset[str]().union(*found)


def plain_code(code: str) -> str:
    return code.strip().upper().replace(".", "")
