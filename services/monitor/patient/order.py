"""An order or a supply as it is kept: its versions, and what they come to."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from schemas.daily_dose import daily_dose
from schemas.events import DosageRemark
from schemas.values import Coding, Origin, Quantity
from services.monitor.patient.bounds import LAST, ONCE_COUNTS
from services.monitor.patient.daily_dose import milligrams

Precedence = tuple[int, float, int, str]
"""Which of two versions of a thing stands: version, then time recorded, then status; the last part is no longer written,
what two such versions say decides between them."""

ORDER_STATUS = ("ordered", "changed", "held", "resumed", "discontinued", "entered_in_error")
SUPPLY_STATUS = ("dispensed", "returned", "cancelled", "entered_in_error")
"""Of two versions recorded at one time the later status stands. New ones are added at the end: their places are stored."""


class Dose(Struct, frozen=True, array_like=True, gc=False):
    """How much and how often, as a version says it: ``frequency`` to ``frequency_high`` times a day. ``daily`` is the dose of a
    day only where it does not follow from the rest (one tablet in the morning and two at night)."""

    text: str
    amount: Quantity | None
    frequency: float | None
    frequency_high: float | None = None
    as_needed: bool | None = None
    max_daily: Quantity | None = None
    daily: Quantity | None = None
    remark: DosageRemark = ""
    rate: Quantity | None = None

    @property
    def a_day(self) -> Quantity | None:
        """From the least to the most in a day; None when it is not known."""
        return self.daily or self.follows

    @property
    def follows(self) -> Quantity | None:
        """The daily dose that follows from dose and frequency."""
        return daily_dose(
            self.amount, self.frequency, self.frequency_high, as_needed=self.as_needed, most=self.max_daily
        )


class Version(Struct, frozen=True, array_like=True, gc=False):
    """What one version of an order or a supply says, and nothing that it leaves out.

    An empty ``label`` names no medicine; None is "not said" for ``form``, ``route`` (an empty text: said to be unknown),
    ``dose``, ``start``, ``one_time``, ``replaces``, ``order_id``, ``quantity`` and ``days``; ``end`` counts where
    ``says_end``. ``stopped`` is the time of a stop. ``systemic`` is what form and route mean together. ``precise`` has, by
    ingredient, the salt or formulation whose doses are its own. ``harmed`` is the reason of a stop where it speaks of harm.
    """

    precedence: Precedence
    status: str
    at: datetime
    origin: Origin | None
    label: str
    ingredients: tuple[str, ...]
    strengths: dict[str, Quantity]
    form: str | None
    route: str | None
    systemic: bool
    dose: Dose | None
    start: datetime | None
    end: datetime | None
    says_end: bool
    stopped: datetime | None
    one_time: bool | None
    replaces: str | None = None
    order_id: str | None = None
    quantity: Quantity | None = None
    days: float | None = None
    indication: tuple[Coding, ...] | None = None
    protocol: str | None = None
    precise: dict[str, str] = {}
    harmed: str = ""


class Order(Struct, frozen=True, array_like=True, gc=False):
    """A prescription, or a supply handed out (``kind``), as its versions tell it: all but ``versions`` and ``replaced_at``
    follows from them. ``first_seen`` is the earliest clinical time of any version.

    ``end`` is exclusive, the planned one or that of a stop (``stopped``), whichever is first; None when it is open. ``held``
    and ``void`` (entered in error, a supply cancelled) are not in force. ``replaced_at``: when an order that replaces this
    one starts. ``daily_mg`` is the daily dose of the only ingredient. ``said`` is no longer written.

    Of a supply ``order_id`` is the order that it was handed out for, and ``basis`` says where its end comes from:
    ``days_supply``, ``quantity`` (by the dose of a day) or ``assumed``.

    ``versions`` is empty when the order itself says all that its only version said, but for what ``unsaid`` names.
    """

    source: str
    record_id: str
    version: int
    precedence: Precedence
    status: str
    label: str
    ingredients: tuple[str, ...]
    systemic: bool
    route: str
    form: str
    dosage: str
    daily_mg: float | None
    start: datetime | None
    end: datetime | None
    first_seen: datetime
    held: bool
    void: bool
    origin: Origin | None
    said: dict[str, Precedence] = {}
    stopped: datetime | None = None
    dose: Dose | None = None
    strengths: dict[str, Quantity] = {}
    one_time: bool | None = None
    versions: tuple[Version, ...] = ()
    kind: str = "prescription"
    replaces: str = ""
    replaced_at: datetime | None = None
    order_id: str = ""
    quantity: Quantity | None = None
    days: float | None = None
    basis: str = ""
    unsaid: str = ""
    indication: tuple[Coding, ...] | None = None
    protocol: str | None = None
    precise: dict[str, str] = {}

    @property
    def starts(self) -> datetime:
        return self.start if self.start is not None else self.first_seen

    @property
    def acts_until(self) -> datetime | None:
        """Exclusive; None when it is open. A single dose, which may end as it starts, counts for a while after it."""
        until, replaced = self.end, self.replaced_at
        starts = self.first_seen if self.start is None else self.start
        once = until == starts if self.one_time is None else self.one_time
        if once and self.stopped is None and (until is None or until >= starts):
            counts = starts + min(ONCE_COUNTS, LAST - starts)
            until = counts if until is None or until < counts else until
        return until if replaced is None or (until is not None and until < replaced) else replaced

    @property
    def said_at(self) -> datetime:
        """The clinical time of the version that stands."""
        return self.versions[-1].at if self.versions else self.first_seen

    @property
    def last_heard(self) -> datetime:
        return max((version.at for version in self.versions), default=self.first_seen)

    @property
    def withheld(self) -> bool:
        """Whether somebody said that it is not to act, where an order that ran out just ended."""
        return self.void or self.held or self.stopped is not None or self.replaced_at is not None

    def over(self, now: datetime) -> bool:
        """Whether it can no longer act: ended, held or entered in error."""
        if self.void or self.held:
            return True
        until = self.acts_until
        return until is not None and until <= now

    def acts_at(self, time: datetime) -> bool:
        """Whether ``time`` is in its period, whatever the clock says."""
        if time < self.starts:
            return False
        until = self.acts_until
        return until is None or time < until

    def in_force(self, at: datetime) -> bool:
        """Whether it acts at a time, by what is known now."""
        return not self.void and not self.held and self.acts_at(at)

    def overlaps(self, other: Order) -> bool:
        """Whether the two are in force at some common time."""
        later = max(self.starts, other.starts)
        return self.acts_at(later) and other.acts_at(later)

    def daily_mg_of(self, ingredient: str) -> float | None:
        """The most of one of its ingredients in a day; None when it is not known."""
        if self.dose is None:
            return None if self.versions else self.daily_mg
        found = self._milligrams(self.dose, ingredient)
        return found[1] if found is not None else None

    def least_daily_mg_of(self, ingredient: str) -> float | None:
        """The least of one of its ingredients in a day, 0 of what is taken as needed; None when it is not known."""
        found = self._milligrams(self.dose, ingredient) if self.dose is not None else None
        return found[0] if found is not None else None

    def single_mg_of(self, ingredient: str) -> float | None:
        """The most of one of its ingredients in one dose; None when it is not known."""
        if self.dose is None:
            return None
        found = milligrams(self.dose.amount, self.strengths.get(ingredient), alone=self.ingredients == (ingredient,))
        return found[1] if found is not None else None

    def _milligrams(self, dose: Dose, ingredient: str) -> tuple[float, float] | None:
        return milligrams(dose.a_day, self.strengths.get(ingredient), alone=self.ingredients == (ingredient,))


def thing_key(source: str, record_id: str) -> str:
    """The key of a thing in a state."""
    return f"{source}\x1f{record_id}"
