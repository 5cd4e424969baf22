"""The problems of the quarter and what only looks like them, a few families a file."""

from __future__ import annotations

from examples.quarter.cases import course, danger, doses, medicines, passage, patients, results, streams
from examples.quarter.cases.kind import FAMILIES, KINDS, Kind

__all__ = [
    "FAMILIES", "KINDS", "Kind", "course", "danger", "doses", "medicines", "passage", "patients", "results", "streams",
]  # fmt: skip
