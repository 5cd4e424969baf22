"""How much of a medicine is too much, and for whom.

Amounts are in mg where they are masses, else in the unit that the label uses; rates are for an hour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.statement import Statement
from schemas.values import Citation, Severity

Way = Literal[
    "oral", "intravenous", "intramuscular", "subcutaneous", "intrathecal", "epidural", "transdermal", "sublingual", "buccal",
    "rectal", "nasal", "inhaled",
]  # fmt: skip
"""How a dose gets in, where that decides how much is right; ``Place`` only says where a medicine is put."""

Kind = Literal["single", "daily", "any_24h", "weekly", "rate", "contraindicated"]
"""``daily`` is what one order means a day; ``any_24h`` is the sum of all products and routes in any 24 hours, and what one
order means a day; ``weekly`` the same for a week; ``rate`` how fast an infusion runs."""

Form = Literal["extended", "immediate"]
Formula = Literal["crcl", "crcl_actual", "egfr"]
"""What the label's steps are steps of: Cockcroft-Gault by the general weight rule, by the actual weight, or eGFR."""

StepKind = Literal["contraindicated", "avoid", "limit", "reduce"]
"""``limit`` has a maximum or an interval; ``reduce`` says so without a number that holds for everyone."""

Indication = Literal["atrial_fibrillation", "venous_thromboembolism", "prophylaxis"]
ChildPugh = Literal["A", "B", "C"]

NO_SALT = "none"
"""The ``precise`` of a row that holds only where a name says no salt or formulation with doses of its own."""

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) (mcg|mg|g|mEq|units)(?:/(kg))?(?:/(h|min))?")
_TO_MG = {"mcg": 0.001, "mg": 1.0, "g": 1000.0}
_MINUTES = 60.0

_RANGE = re.compile(
    r"(?:(?P<below><=?) (?P<high>\d+))|(?:> (?P<low>\d+))|(?:(?P<from>\d+) to (?P<open>< )?(?P<to>\d+))"
)


class Amount(Struct, frozen=True, kw_only=True):
    """``value`` in ``unit`` (mg, mEq, units), for each kg of body weight where ``per_kg``, in an hour where ``per_hour``."""

    text: str
    value: float
    unit: Literal["mg", "mEq", "units"]
    per_kg: bool = False
    per_hour: bool = False

    def of(self, weight: float | None) -> float | None:
        """The value for a body of ``weight`` kg; None where it depends on a weight that is not known."""
        if not self.per_kg:
            return self.value
        return None if weight is None else self.value * weight


def amount(text: str) -> Amount:
    """``75 mg/kg``, ``10 mEq/h``. Raises ``ValueError`` for anything else."""
    found = _AMOUNT.fullmatch(text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"{text!r} is no amount; write one as '4 g', '75 mg/kg', '10 mEq/h' or '3 mg/kg/min'")
    factor = _TO_MG.get(found[2], 1.0) * (_MINUTES if found[4] == "min" else 1.0)
    unit: Literal["mg", "mEq", "units"] = "mEq" if found[2] == "mEq" else "units" if found[2] == "units" else "mg"
    # 50 mcg are 0.05 mg, not 0.05000000000000001
    value = round(float(found[1]) * factor, 9)
    return Amount(text=text, value=value, unit=unit, per_kg=found[3] is not None, per_hour=found[4] is not None)


class Range(Struct, frozen=True, kw_only=True):
    """A band of a clearance in mL/min (eGFR for 1.73 m²), with what is still in it as the label says."""

    text: str
    low: float = 0.0
    high: float = float("inf")
    with_low: bool = True
    with_high: bool = True

    def holds(self, value: float) -> bool:
        above = value >= self.low if self.with_low else value > self.low
        return above and (value <= self.high if self.with_high else value < self.high)


def band(text: str) -> Range:
    """``< 30``, ``<= 50``, ``> 95``, ``15 to 50``, ``30 to < 60``. Raises ``ValueError`` for anything else."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no range; write one as '< 30', '<= 50', '> 95', '15 to 50' or '30 to < 60'")
    if found["high"] is not None:
        return Range(text=text, high=float(found["high"]), with_high=found["below"] == "<=")
    if found["low"] is not None:
        return Range(text=text, low=float(found["low"]), with_low=False)
    low, high = float(found["from"]), float(found["to"])
    if low >= high:
        raise ValueError(f"{text!r} ends before it begins")
    return Range(text=text, low=low, high=high, with_high=found["open"] is None)


class Limit(Statement, frozen=True, kw_only=True):
    """A maximum of the label, or (``contraindicated``) that there is no right dose for whom ``when`` describes.

    Empty ``ways`` mean every systemic one, ``indication`` None any. ``graver_from`` is the multiple of ``max`` from which
    the excess is one severity graver. ``rounding`` is the part of ``max`` by which a dose may be above it because it is made up
    to what a syringe or a vial holds. ``row`` names the row of the data.
    """

    ingredient: str
    precise: str
    ways: frozenset[Way]
    form: Form | None
    kind: Kind
    max: Amount | None
    when: Conditions
    indication: Indication | None
    severity: Severity
    graver_from: float | None
    actions: tuple[str, ...]
    rounding: float = 0.0
    row: str = ""

    def beyond(self, value: float, most: float) -> bool:
        """Whether a value is more than ``most``, which ``max`` is for this patient, and more than rounding makes of it."""
        return value > round(most * (1 + self.rounding), 6)


class _Step(Statement, frozen=True, kw_only=True):
    ingredient: str
    ways: frozenset[Way]
    form: Form | None
    when: Conditions
    step: StepKind
    max_single: Amount | None
    max_daily: Amount | None
    min_interval_h: float | None
    severity: Severity
    actions: tuple[str, ...]
    row: str = ""


class RenalStep(_Step, frozen=True, kw_only=True):
    """What the label says of a ``formula`` within ``range``; a ``range`` of None holds on dialysis, as ``when`` says. ``problem``
    is what it shares with another rule that shows the same, where that is not the kidney for this medicine."""

    formula: Formula
    range: Range | None
    indication: Indication | None
    problem: str = ""


class HepaticStep(_Step, frozen=True, kw_only=True):
    """What the label says of these Child-Pugh classes; a label's mild, moderate and severe are taken for A, B and C."""

    child_pugh: frozenset[ChildPugh]


class Interval(Statement, frozen=True, kw_only=True):
    """A medicine that is not for every day: at least ``min_interval_d`` days between doses from ``dose_from`` up to
    ``dose_to`` (None: whatever the dose). ``unless_protocol``: an oncology protocol may say otherwise."""

    ingredient: str
    precise: str
    ways: frozenset[Way]
    dose_from: Amount | None
    dose_to: Amount | None
    min_interval_d: float
    unless_protocol: bool
    severity: Severity
    actions: tuple[str, ...]
    row: str = ""


class Equivalent(Struct, frozen=True, kw_only=True):
    """The morphine milligram equivalents of a mg a day, or of a patch's mcg/h. A ``factor`` of None: ``note`` says whether it
    is not counted or unknown, which is never nothing."""

    ingredient: str
    ways: frozenset[Way]
    unit: Literal["mg", "mcg/h"]
    factor: float | None
    note: str
    citations: tuple[Citation, ...]


class OpioidLevel(Struct, frozen=True, kw_only=True):
    """A daily dose in morphine milligram equivalents from which something is to be done."""

    level: str
    mme_a_day: float
    severity: Severity
    actions: tuple[str, ...]
    citations: tuple[Citation, ...]


class Doses(Struct, frozen=True, kw_only=True):
    """All of it, by ingredient."""

    limits: Mapping[str, tuple[Limit, ...]] = {}
    renal: Mapping[str, tuple[RenalStep, ...]] = {}
    hepatic: Mapping[str, tuple[HepaticStep, ...]] = {}
    intervals: Mapping[str, tuple[Interval, ...]] = {}
    opioids: Mapping[str, tuple[Equivalent, ...]] = {}
    opioid_levels: tuple[OpioidLevel, ...] = ()
    ways: Mapping[str, Way] = {}

    def way_of(self, route: str, form: str) -> Way | None:
        """How a dose gets in; None where neither word says so, or a patch is said to be taken another way."""
        by_route, by_form = self.ways.get(route.strip().lower()), self._of_form(form.strip().lower())
        if by_form == "transdermal" and by_route not in (None, "transdermal"):
            return None
        return by_route or by_form

    def _of_form(self, form: str) -> Way | None:
        words = (form, form.rsplit(" ", 1)[-1], form.split(" ", 1)[0])
        return next((self.ways[word] for word in words if word in self.ways), None)
