"""The state of one patient: what rules read. A state is never changed in place; ``apply`` gives a new one.

Stored as msgpack arrays: fields may be added at the end with a default, never moved or removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby

import msgspec
from msgspec import Struct

from schemas.alerts import Alert
from schemas.values import Origin, Quantity

FORMAT = 1
MAX_RESULTS = 60
"""Results kept of one analyte, the newest by clinical time; enough for hourly values over two days and a half."""
KEEP_ENDED_ORDERS = timedelta(days=400)
"""How long an order is kept after it ended, by the patient's clock: a year's look-back and room for late facts."""
ONCE_ACTS = timedelta(days=1)
"""How long a single dose counts after it was due: a day's round. No pharmacology: it is as long as its alert may take to be
seen while nothing else happens to the patient."""
OLDEST_AGE = 130
"""Years. No person on record has lived longer (122 years, Jeanne Calment), so a birth date further back is not one."""

Precedence = tuple[int, float, int, str]
"""Which of two versions of a thing stands: version, then time recorded, then status, then content as a last word."""


class Order(Struct, frozen=True, array_like=True):
    """A prescription as its newest version tells it. ``first_seen`` is the earliest clinical time of any version.

    ``end`` is exclusive; None when it is open. ``held`` and ``void`` (entered in error) are not in force.

    An order is made of parts (``apply.PARTS``), each as the newest version that says it left it; ``said`` names that version.
    ``systemic``, ``daily_mg`` and ``end`` follow from the parts: ``end`` is the earlier of ``planned_end`` and ``stopped``,
    which belongs to the version that stopped the order and is gone with a later one.
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
    planned_end: datetime | None = None
    dose: Quantity | None = None
    frequency: float | None = None
    strength: Quantity | None = None
    one_time: bool | None = None
    stopped: datetime | None = None

    @property
    def starts(self) -> datetime:
        return self.start if self.start is not None else self.first_seen

    @property
    def once(self) -> bool:
        """A single dose: it acts from its start."""
        return self.one_time is True or (self.one_time is None and self.end is not None and self.end == self.starts)

    @property
    def acts_until(self) -> datetime | None:
        """Exclusive; None when it is open. A stop ends a single dose too."""
        if not self.once or self.status == "discontinued":
            return self.end
        return self.starts + ONCE_ACTS

    def over(self, now: datetime) -> bool:
        """Whether it can no longer act: ended, held or entered in error. A single dose acts for a day."""
        return self.void or self.held or (self.acts_until is not None and self.acts_until <= now)

    def overlaps(self, other: Order) -> bool:
        """Whether the two are in force at some common time."""
        ends = [order.acts_until for order in (self, other) if order.acts_until is not None]
        return not ends or max(self.starts, other.starts) < min(ends)


class Result(Struct, frozen=True, array_like=True):
    """A laboratory result of a known analyte; ``value`` is canonical, None where it could not be converted.

    ``void``: cancelled or entered in error, kept so that an older version arriving late does not revive it. ``received`` is
    value and unit as the laboratory wrote them; not ``plausible`` is more likely a slip than a finding.
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
    plausible: bool = True

    @property
    def measured(self) -> bool:
        """Whether it is a number that can be true. "Haemolysed" is no measurement, and a slip of the keyboard neither."""
        return not self.void and self.value is not None


class PatientState(Struct, frozen=True, array_like=True):
    """Everything that is kept of a patient.

    ``clock`` is the patient's clinical time. ``orders`` by source and record id; ``results`` by analyte, oldest first;
    ``open_alerts`` by rule and subject. ``applied`` is the last offset applied of each source topic; a record at or below
    it has been applied.
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

    def measured(self, analyte: str) -> Iterator[list[Result]]:
        """The valid results with a number, those of one time together (two machines may report one time), the newest time
        first. "Haemolysed" is no measurement and does not make an older one untrue."""
        found = (result for result in reversed(self.results.get(analyte, ())) if result.measured)
        return (list(same) for _, same in groupby(found, key=lambda result: result.at))

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
