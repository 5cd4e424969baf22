"""The picture of a patient that a pharmacist reads: compacted, one record a patient, the newest counts."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from schemas.values import Key, Severity, Time


class Medicine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order in force. ``ingredients`` is empty for what could not be resolved."""

    source: Key
    record_id: Key
    label: str
    ingredients: tuple[str, ...]
    route: str = ""
    dosage: str = ""
    start: Time | None = None
    end: Time | None = None
    held: bool = False


class Lab(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest result of an analyte, in canonical units where they are known."""

    analyte: str
    value: float | None
    unit: str
    at: Time
    comparator: str = ""
    text: str = ""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An open finding, or one suppressed with the reason."""

    alert_id: str
    rule: str
    subject: str
    severity: Severity
    summary: str
    acknowledged: bool = False
    suppressed_because: str = ""


class PatientPicture(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in force and open for one patient at ``clock``, the patient's clinical time."""

    patient_id: Key
    clock: Time
    medicines: tuple[Medicine, ...]
    labs: tuple[Lab, ...]
    open: tuple[Problem, ...]
    suppressed: tuple[Problem, ...] = ()
    birth_date: date | None = None
    sex: str = ""
    facility: str = ""
    unit: str = ""
