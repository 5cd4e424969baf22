"""Rules that are written as data (``rules/*.toml``, and a site's own files), as they are after reading.

What a rule asks is in the forms of ``conditions``; what it says of a patient is in ``services/monitor/rules/written``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.statement import Status
from schemas.values import Citation, Severity

Begins = Literal["medicine", "result", "condition", "order_end", "admission", "discharge"]
ActsBy = Literal["order", "supply", "dose"]
OnePer = Literal["medicine", "patient"]


class Trigger(Struct, frozen=True, kw_only=True):
    """What has to be there for a rule to be asked at all.

    ``members`` are ingredients, and whether each counts by any route or only where it acts in the whole body. ``by`` is what
    makes it act: an order, a supply handed out, a dose given. Orders and supplies that lie no farther apart than ``gap`` are
    one course. ``name`` is an analyte or a condition group. ``within`` is how long an end, an admission or a discharge counts,
    and how long a dose does.
    """

    begins: Begins
    members: Mapping[str, bool] = {}
    by: frozenset[ActsBy] = frozenset()
    gap: timedelta = timedelta(0)
    name: str = ""
    within: timedelta = timedelta(days=1)


class WrittenStep(Struct, frozen=True, kw_only=True):
    """How grave it is when more holds. ``detail`` and ``actions`` are told beside those of the rule, the actions first."""

    severity: Severity
    when: Conditions
    unless: Conditions
    detail: str
    actions: tuple[str, ...]


class Missing(Struct, frozen=True, kw_only=True):
    """Results that are wanted while a medicine acts: each a tuple of analytes of which any will do.

    One is due ``before_start`` where none lies at most so long before the start or after it; ``first_within`` so long after the
    start; ``at_first_every`` so long after the last one while that is less than ``at_first_for`` after the start, and
    ``then_every`` so long after the last one, or the start where there is none since. What is None is not asked for.
    """

    results: tuple[tuple[str, ...], ...]
    before_start: timedelta | None = None
    first_within: timedelta | None = None
    at_first_every: timedelta | None = None
    at_first_for: timedelta | None = None
    then_every: timedelta | None = None


class CaseEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happens in a case, ``at`` before or after its present. One of ``order`` to ``discharge`` says what."""

    at: str
    order: str = ""
    supply: str = ""
    dose: str = ""
    stop: str = ""
    result: str = ""
    condition: str = ""
    measure: str = ""
    admission: str = ""
    discharge: str = ""
    dosage: str = ""
    route: str = ""
    days: float | None = None
    until: str = ""
    amount: str = ""
    value: float | None = None
    text: str = ""
    unit: str = ""
    source: str = ""
    id: str = ""


class CasePatient(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the patient of a case is; what is left out is not known."""

    age: float | None = None
    sex: str = ""
    weight: float | None = None
    height: float | None = None
    pregnant: bool | None = None
    lactating: bool | None = None
    end_of_life: bool | None = None
    dialysis: bool | None = None
    conditions: tuple[str, ...] = ()


class Case(Struct, frozen=True, kw_only=True):
    """A canary's case in short form. ``severity`` and ``subject`` are of the alert that is open at its end; both are empty in
    a case that must stay silent."""

    what: str
    events: tuple[CaseEvent, ...]
    patient: CasePatient = CasePatient()
    severity: Severity | None = None
    subject: str = ""


class WrittenRule(Struct, frozen=True, kw_only=True):
    """A rule. ``file`` and ``id`` name its row (``rules/monitoring.toml#amiodarone-thyroid``).

    ``severity`` is how grave it is when no step holds; None: then there is nothing to say. ``grace`` is how long the right
    action is waited for; of a missing result, how much later than due it may be. ``held``: why it is told to nobody.
    """

    file: str
    id: str
    version: str
    family: str
    title: str
    trigger: Trigger
    one_per: OnePer
    when: Conditions
    unless: Conditions
    severity: Severity | None
    steps: tuple[WrittenStep, ...]
    missing: Missing | None
    grace: timedelta
    held: str
    problem: str
    summary: str
    detail: str
    actions: tuple[str, ...]
    patient: str
    evidence_grade: str
    status: Status
    author: str
    citations: tuple[Citation, ...]
    fires: Case
    silent: Case

    @property
    def row(self) -> str:
        return f"{self.file}#{self.id}"
