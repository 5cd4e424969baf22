"""From which level of a medicine in the blood down it means that the treatment fails."""

from __future__ import annotations

from datetime import timedelta

from knowledge.conditions import Conditions
from knowledge.statement import Advised
from schemas.events import Drawn
from schemas.values import Severity


class LevelTarget(Advised, frozen=True, kw_only=True):
    """A level ``below`` this, in the canonical unit of ``analyte``, is too low where all of ``when`` hold and none of ``unless``.

    ``ingredients``: any of them is the medicine. ``steady``: a sample counts only when the medicine has acted for so long at the
    dose that is ordered now. ``missed``: from so long after the last dose given on, a low level tells of the dose that did not
    come. ``drawn``: only a sample drawn so says it. ``row`` is its place in the data.
    """

    id: str
    medicine: str
    ingredients: frozenset[str]
    analyte: str
    below: float
    when: Conditions
    unless: Conditions
    drawn: Drawn
    steady: timedelta
    missed: timedelta
    severity: Severity
    row: str
