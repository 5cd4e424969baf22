"""What a medicine is and does: a property, and one ingredient's membership of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from knowledge.statement import Statement
from schemas.values import Citation

Applies = Literal["systemic", "any"]
"""``systemic``: only of a medicine that acts in the whole body; ``any``: by every route."""


class Property(Struct, frozen=True, kw_only=True):
    """Something that rules ask of a medicine. ``grades`` are the strengths that a member may have, gravest first; a property
    without any has members or not."""

    id: str
    subject: str
    title: str
    meaning: str
    grades: tuple[str, ...]
    citations: tuple[Citation, ...]


class Member(Statement, frozen=True, kw_only=True):
    """One ingredient that has a property. ``grade`` is empty where the property has none."""

    property: str
    ingredient: str
    grade: str
    applies: Applies
    note: str
