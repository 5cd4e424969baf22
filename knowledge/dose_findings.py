"""What rules of doses say beside the numbers of labels: texts, our own numbers, and what tells a liver's class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from knowledge.dose import ChildPugh
from schemas.values import Citation

FINDINGS, NUMBERS, LIVER = "dosing/dose_findings.csv", "dosing/dose_numbers.csv", "dosing/liver_classes.csv"

FindingKind = Literal[
    "kidney", "kidney-unknown", "liver", "too-much", "contraindicated", "too-often", "given", "unlike-order",
]  # fmt: skip
NumberName = Literal["tenfold", "heaviest", "grace", "divided", "far-below", "early", "early-daily"]


class DoseText(Struct, frozen=True, kw_only=True):
    actions: tuple[str, ...]
    patient_explanation: str
    citations: tuple[Citation, ...]


class LiverClass(Struct, frozen=True, kw_only=True):
    """The classes that a liver may be of, by a score (both ends included) or by a diagnosis. ``row`` names the row."""

    classes: frozenset[ChildPugh]
    score_from: int | None
    score_to: int | None
    history: str
    row: str
    citations: tuple[Citation, ...]


class DoseFindings(Struct, frozen=True, kw_only=True):
    """``livers`` by score and by diagnosis, that which says most first. ``numbers`` in the units that their rows name."""

    texts: Mapping[str, DoseText] = {}
    numbers: Mapping[str, float] = {}
    livers: tuple[LiverClass, ...] = ()
