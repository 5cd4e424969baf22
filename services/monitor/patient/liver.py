"""The pattern of a liver injury: plain numbers in, a ratio out. Its limits are data (``knowledge/drug_labs/numbers.csv``)."""

from __future__ import annotations

from typing import Literal

Pattern = Literal["hepatocellular", "mixed", "cholestatic"]


def r_value(alt: float, alkaline_phosphatase: float) -> float | None:
    """ALT against alkaline phosphatase, both as multiples of their upper limits of normal. None where there is nothing to divide
    by. Benichou C. Criteria of drug-induced liver disorders. J Hepatol 1990;11:272-276 (read as repeated by laboratories)."""
    return alt / alkaline_phosphatase if alt >= 0 and alkaline_phosphatase > 0 else None


def pattern(r: float, hepatocellular_from: float, cholestatic_to: float) -> Pattern:
    """What an R value says."""
    if r >= hepatocellular_from:
        return "hepatocellular"
    return "cholestatic" if r <= cholestatic_to else "mixed"
