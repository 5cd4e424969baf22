"""A laboratory result as it is kept."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from schemas.values import Origin
from services.monitor.patient.order import Precedence

RESULT_STATUS = ("preliminary", "final", "corrected", "cancelled", "entered_in_error")
"""Of two versions recorded at one time the later status stands. New ones are added at the end: their places are stored."""


class Result(Struct, frozen=True, array_like=True, gc=False):
    """A laboratory result; ``value`` is canonical, None where it could not be converted. ``received`` is it as its laboratory
    wrote it, with comparator and unit; ``remark`` is what ingest said of it.

    ``void``: cancelled or entered in error, kept so that an older version arriving late does not revive it. ``measured_in`` and
    ``drawn`` are what its code says of the specimen (whole blood, a trough), ``haemolysed`` that it is said to be so. ``flag``
    is kept of what has no number: some laboratories say "positive" nowhere else.
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
    measured_in: str = ""
    drawn: str = ""
    haemolysed: bool = False
    flag: str = ""

    @property
    def measured(self) -> bool:
        """Whether it is valid and has a number. "Haemolysed" has none and does not make an older one untrue."""
        return not self.void and self.value is not None

    @property
    def sure(self) -> bool:
        """Whether it is one number that can be true."""
        return self.measured and not self.comparator and self.remark != "implausible"
