"""The state of one patient: what rules read. A state is never changed in place; ``apply`` gives a new one.

Stored as msgpack arrays: fields may be added at the end with a default, never moved or removed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
from msgspec import Struct

from schemas.alerts import Alert
from schemas.values import Origin, Quantity
from services.monitor.patient.dose import daily_mg

FORMAT = 1
MAX_RESULTS = 60
"""Results kept of one analyte, the newest by clinical time; enough for hourly values over two days and a half. Beside
them the newest time of each kind is kept, so that no number of void results pushes out the one that counts."""
KEEP_ENDED_ORDERS = timedelta(days=400)
"""How long an order is kept after it ended or was entered in error, by the patient's clock: a year's look-back and room for
late facts."""
MAX_ORDERS = 1000
"""Orders kept of one patient; those go first that are over, then those that nothing was heard of for longest."""
MAX_VERSIONS = 30
"""Versions kept of one order; the oldest are then told as one."""
ONCE_COUNTS = timedelta(days=1)
"""How long a single dose counts after it was due. No pharmacology: the time in which a late feed and a person who is to see
its alert still meet it."""
LAST = datetime.max.replace(tzinfo=UTC)
OLDEST_AGE = 130
"""Years. No person on record has lived longer (122 years, Jeanne Calment), so a birth date further back is not one."""

Precedence = tuple[int, float, int, str]
"""Which of two versions of a thing stands: version, then time recorded, then status, then content as a last word."""


class Dose(Struct, frozen=True, array_like=True):
    """How much and how often, as a version says it."""

    text: str
    amount: Quantity | None
    frequency: float | None


class Version(Struct, frozen=True, array_like=True):
    """What one version of an order says, and nothing that it leaves out.

    An empty ``label`` names no medicine; None is "not said" for ``form``, ``route`` (an empty text: said to be unknown),
    ``dose``, ``start`` and ``one_time``; ``end`` counts where ``says_end``. ``stopped`` is the time of a stop. ``systemic`` is
    what form and route mean together.
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


class Order(Struct, frozen=True, array_like=True):
    """A prescription as its versions tell it: all but ``versions`` follows from them. ``first_seen`` is the earliest clinical
    time of any version.

    ``end`` is exclusive, the planned one or that of a stop (``stopped``), whichever is first; None when it is open. ``held``
    and ``void`` (entered in error) are not in force. ``daily_mg`` is the daily dose of the only ingredient. ``said`` is no
    longer written.
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

    @property
    def starts(self) -> datetime:
        return self.start if self.start is not None else self.first_seen

    @property
    def acts_until(self) -> datetime | None:
        """Exclusive; None when it is open. A single dose, which may end as it starts, counts for a while after it."""
        if self.stopped is not None or (self.end is not None and self.end < self.starts):
            return self.end
        once = self.end == self.starts if self.one_time is None else self.one_time
        if not once:
            return self.end
        counts = self.starts + min(ONCE_COUNTS, LAST - self.starts)
        return counts if self.end is None else max(counts, self.end)

    @property
    def last_heard(self) -> datetime:
        return max((version.at for version in self.versions), default=self.first_seen)

    def over(self, now: datetime) -> bool:
        """Whether it can no longer act: ended, held or entered in error."""
        return self.void or self.held or (self.acts_until is not None and self.acts_until <= now)

    def acts_at(self, time: datetime) -> bool:
        """Whether ``time`` is in its period, whatever the clock says."""
        return self.starts <= time and (self.acts_until is None or time < self.acts_until)

    def overlaps(self, other: Order) -> bool:
        """Whether the two are in force at some common time."""
        later = max(self.starts, other.starts)
        return self.acts_at(later) and other.acts_at(later)

    def daily_mg_of(self, ingredient: str) -> float | None:
        """The daily dose of one of its ingredients; None when it is not known."""
        if self.dose is None:
            return self.daily_mg if not self.versions else None
        alone = self.ingredients == (ingredient,)
        return daily_mg(self.dose.amount, self.dose.frequency, self.strengths.get(ingredient), alone=alone)


class Result(Struct, frozen=True, array_like=True):
    """A laboratory result; ``value`` is canonical, None where it could not be converted. ``received`` is it as its laboratory
    wrote it, with comparator and unit; ``remark`` is what ingest said of it.

    ``void``: cancelled or entered in error, kept so that an older version arriving late does not revive it.
    """

    source: str
    record_id: str
    version: int
    precedence: Precedence
    at: datetime
    value: float | None
    unit: str
    comparator: str
    text: str
    label: str
    status: str
    void: bool
    origin: Origin | None
    received: str = ""
    remark: str = ""

    @property
    def measured(self) -> bool:
        """Whether it is valid and has a number. "Haemolysed" has none and does not make an older one untrue."""
        return not self.void and self.value is not None

    @property
    def sure(self) -> bool:
        """Whether it is one number that can be true."""
        return self.measured and not self.comparator and self.remark != "implausible"


class PatientState(Struct, frozen=True, array_like=True):
    """Everything that is kept of a patient.

    ``clock`` is the patient's clinical time. ``orders`` by source and record id; ``results`` by analyte, oldest first, and
    under the empty name those that took another back and name no analyte; ``open_alerts`` by rule and subject. ``applied`` is
    the last offset applied of each source topic; a record at or below it has been applied.
    """

    patient_id: str
    clock: datetime
    format: int = FORMAT
    applied: dict[str, int] = {}
    birth_date: date | None = None
    sex: str = ""
    facility: str = ""
    unit: str = ""
    patient_versions: dict[str, Precedence] = {}
    orders: dict[str, Order] = {}
    results: dict[str, tuple[Result, ...]] = {}
    open_alerts: dict[str, Alert] = {}

    def in_force(self) -> list[Order]:
        """The orders that act now or will, by the patient's clock."""
        return [order for order in self.orders.values() if not order.over(self.clock)]

    def newest(self, analyte: str) -> Result | None:
        """The newest valid result of an analyte, whatever it says."""
        return next((result for result in reversed(self.results.get(analyte, ())) if not result.void), None)

    def age(self, at: datetime) -> timedelta | None:
        """Age at a time; None when it is unknown or the birth date cannot be."""
        if self.birth_date is None:
            return None
        age = timedelta(days=(at.date() - self.birth_date).days)
        return age if timedelta(0) <= age < timedelta(days=OLDEST_AGE * 365.25) else None

    def years(self, at: datetime) -> int | None:
        """Completed years of age at a time; None when unknown."""
        if self.birth_date is None or self.age(at) is None:
            return None
        born, today = self.birth_date, at.date()
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def thing_key(source: str, record_id: str) -> str:
    """The key of an order in a state."""
    return f"{source}\x1f{record_id}"


encode = msgspec.msgpack.Encoder(order="sorted").encode
decode = msgspec.msgpack.Decoder(PatientState).decode
