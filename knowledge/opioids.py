"""What is said of opioids, to whom and how gravely. Morphine equivalents are in ``dose``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.dose import Way
from knowledge.statement import Advised, Statement, Step, decides_before
from schemas.values import Citation, Severity

Kind = Literal["sedation", "tolerance", "daily-dose", "naloxone", "start", "continued", "toxicology"]
Fact = Literal[
    "naloxone", "high-dose", "new-opioid", "slow-breathing", "not-both-given", "not-tolerant", "said-tolerant", "opioid-before",
    "taken-before", "new-patient", "infused", "long-acting", "treats-use-disorder", "negative-since",
]  # fmt: skip
"""What the rule itself finds out of the patient and the orders."""
Role = Literal["tolerance", "for-tolerant", "long-acting", "rescue", "treats-use-disorder"]

FINDINGS, CONTEXT = "dosing/opioid_findings.csv", "dosing/opioid_context.csv"
ROLES, SIGNS, SCREENS = "dosing/opioid_roles.csv", "dosing/opioid_signs.csv", "dosing/opioid_screens.csv"


class OpioidContext(Statement, frozen=True, kw_only=True):
    """What makes a finding more or less grave: all of ``facts`` and ``when``, and none of ``unless``."""

    facts: frozenset[Fact]
    when: Conditions
    unless: Conditions
    severity: Step
    reason: str


class Advice(Advised, frozen=True, kw_only=True):
    """A kind of finding. ``span``: of ``sedation`` how long an opioid counts as new, of ``tolerance`` for how long it must have
    been taken, of ``naloxone`` how long a kit handed out counts, of ``start`` and ``continued`` until and from when they hold,
    of ``toxicology`` how long a result counts. Opioids not more than ``gap`` apart are one treatment. ``factors``: one of them
    is enough. ``contexts`` make it more or less grave."""

    kind: Kind
    problem: str
    severity: Severity
    span: timedelta
    gap: timedelta
    factors: Conditions
    contexts: tuple[OpioidContext, ...]

    def graded(self, holding: Iterable[OpioidContext]) -> tuple[Step, OpioidContext | None]:
        """The severity under the contexts that hold, with the one that decides: one that says ``none``, else the gravest."""
        decides = min(holding, key=lambda each: decides_before(each.severity), default=None)
        return (self.severity, None) if decides is None else (decides.severity, decides)

    @property
    def asked(self) -> Conditions:
        """Every condition that its contexts and factors ask."""
        found = (*self.factors, *(each for context in self.contexts for each in (*context.when, *context.unless)))
        return tuple(dict.fromkeys(found))


class RoleOf(Struct, frozen=True, kw_only=True):
    """What an ingredient is by these ways; empty ``ways`` mean any."""

    role: Role
    ways: frozenset[Way]
    unit: str
    a_day: float | None
    citations: tuple[Citation, ...]


class Breathing(Struct, frozen=True, kw_only=True):
    """A rate of at most ``at_most`` breaths a minute is slow, for as long as it is not older than ``within``."""

    at_most: float
    within: timedelta
    citations: tuple[Citation, ...]


class Screen(Struct, frozen=True, kw_only=True):
    """A test for a substance whose result is a word."""

    analyte: str
    substance: str
    severity: Severity
    citations: tuple[Citation, ...]


class Opioids(Struct, frozen=True, kw_only=True):
    """All of it. ``advice`` has every kind; without any, nothing is said of opioids."""

    advice: Mapping[Kind, Advice] = {}
    roles: Mapping[str, tuple[RoleOf, ...]] = {}
    breathing: Breathing | None = None
    screens: tuple[Screen, ...] = ()

    def role(self, role: Role, ingredient: str, way: Way | None, *, unsure: bool = False) -> RoleOf | None:
        """The role of an ingredient given in a way; ``unsure``: one that is not known counts too."""
        for each in self.roles.get(ingredient, ()):
            if each.role == role and (not each.ways or way in each.ways or (way is None and unsure)):
                return each
        return None
