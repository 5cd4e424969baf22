"""What is known, as types. The data are in the CSV files beside; ``loader`` reads and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.values import Citation, Severity

Band = Literal["adult", "child", "newborn"]


class InteractionPair(Struct, frozen=True, kw_only=True):
    """A pair of classes that should not be given together."""

    id: str
    title: str
    severity: Severity
    evidence_grade: str
    mechanism: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str
    citations: tuple[Citation, ...]
    systemic_only: bool
    object_class: str
    precipitant_class: str


class Interaction(Struct, frozen=True, kw_only=True):
    """One combination of ingredients of a pair.

    ``max_daily_mg`` is the daily dose of the object up to which the label permits the combination; None: at no dose.
    """

    pair: InteractionPair
    object: str
    precipitant: str
    max_daily_mg: float | None
    citations: tuple[Citation, ...]


class CriticalLimit(Struct, frozen=True, kw_only=True):
    """A value is critical strictly below ``low`` or strictly above ``high``, in ``unit``."""

    analyte: str
    band: Band
    unit: str
    low: float | None
    high: float | None
    severity: Severity
    evidence_grade: str
    actions: tuple[str, ...]
    patient_explanation: str
    citations: tuple[Citation, ...]


class Knowledge(Struct, frozen=True, kw_only=True):
    """Everything, ready to look up. ``version`` follows from the content of the data files."""

    version: str
    interactions: Mapping[tuple[str, str], tuple[Interaction, ...]]
    partners: Mapping[str, frozenset[str]]
    limits: Mapping[tuple[str, str], CriticalLimit]
    topical: frozenset[str] = frozenset()

    def is_systemic(self, route: str, form: str) -> bool:
        """Whether a medicine acts in the whole body; unknown counts as systemic."""
        return not ({route.strip().lower(), form.strip().lower()} & self.topical)
