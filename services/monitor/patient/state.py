"""The state of one patient: what rules read. A state is never changed in place; ``apply`` gives a new one.

Stored as msgpack arrays: fields may be added at the end with a default, never moved or removed.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec
from msgspec import Struct

from schemas.alerts import Alert
from schemas.values import Origin

FORMAT = 1
MAX_RESULTS = 60
"""Results kept of one analyte, the newest by clinical time; enough for hourly values over two days and a half."""
KEEP_ENDED_ORDERS = timedelta(days=400)
"""How long an order is kept after it ended, by the patient's clock: a year's look-back and room for late facts."""
OLDEST_AGE = 130
"""Years. No person on record has lived longer (122 years, Jeanne Calment), so a birth date further back is not one."""

Precedence = tuple[int, float, int, str]
"""Which of two versions of a thing stands: version, then time recorded, then status, then content as a last word."""


class Order(Struct, frozen=True, array_like=True):
    """A prescription as its newest version tells it. ``first_seen`` is the earliest clinical time of any version.

    ``end`` is exclusive; None when it is open. ``held`` and ``void`` (entered in error) are not in force. ``said`` names the
    version that the medicine, its dosage and its start are from, where the newest does not say them.
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

    @property
    def starts(self) -> datetime:
        return self.start if self.start is not None else self.first_seen

    def over(self, now: datetime) -> bool:
        """Whether it can no longer act: ended, held or entered in error."""
        return self.void or self.held or (self.end is not None and self.end <= now)

    def overlaps(self, other: Order) -> bool:
        """Whether the two are in force at some common time."""
        ends = [order.end for order in (self, other) if order.end is not None]
        return not ends or max(self.starts, other.starts) < min(ends)


class Result(Struct, frozen=True, array_like=True):
    """A laboratory result of a known analyte; ``value`` is canonical, None where it could not be converted.

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

    def newest_measured(self, analyte: str) -> list[Result]:
        """The valid results with a number of the newest time that has one (two machines may report one time), in a fixed
        order. "Haemolysed" is not a measurement and does not make an older one untrue."""
        measured = [r for r in self.results.get(analyte, ()) if not r.void and r.value is not None]
        return [result for result in measured if result.at == measured[-1].at]

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
