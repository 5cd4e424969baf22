"""The picture of a patient that a pharmacist reads: compacted, one record a patient, the newest counts."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import UNSET, Struct

from schemas.events import DosageRemark
from schemas.values import Key, Known, Quantity, Severity, Time

Basis = Literal["order", "dispensing", "administration"]
"""What says that a medicine is taken. With the other two no order of it is in force: it was handed out or given without one,
or beyond its end."""


class Medicine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A medicine in force, ordered or not. ``ingredients`` is empty for what could not be resolved.

    ``source`` and ``record_id`` name the record it rests on. ``start`` is since when it is in force, ``end`` is exclusive.
    A medicine that is ``held``, or starts only after the picture's ``clock``, is shown and does not act. ``last_given`` is when
    a dose of it was last given, ``last_dose`` how much that was, as received, and ``running`` whether that is an infusion that
    still runs; ``last_dispensed`` is when it was last handed out.

    ``dosage`` is the instruction in the words of its source, ``dose`` and what follows it how it was understood: as on the event
    (``schemas.events.Dosage``), None where it is not known. ``dosage_remark`` is ingest's.
    """

    source: Key
    record_id: Key
    label: str
    ingredients: tuple[str, ...]
    route: str = ""
    dosage: str = ""
    start: Time | None = None
    end: Time | None = None
    held: bool = False
    rests_on: Basis = "order"
    form: str = ""
    one_time: bool = False
    running: bool = False
    last_given: Time | None = None
    last_dose: str = ""
    last_dispensed: Time | None = None
    dose: Quantity | None = None
    frequency_per_day: float | None = None
    frequency_high: float | None = None
    as_needed: bool | None = None
    daily_dose: Quantity | None = None
    dosage_remark: DosageRemark = ""


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One result: ``value`` in the canonical ``unit`` where they are known, ``received`` as its laboratory wrote it, with
    comparator and unit, ``text`` what is no number."""

    at: Time
    value: float | None = None
    unit: str = ""
    comparator: str = ""
    text: str = ""
    received: str = ""


class Lab(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest valid result of an analyte, in canonical units where they are known, and the one ``before`` it.

    ``label`` is the laboratory's own name of it and ``received`` the result as it wrote it; ``remark`` is ingest's, as on the
    result (``implausible``: more likely a slip than a finding). ``status`` is empty for a final result.
    """

    analyte: str
    value: float | None
    unit: str
    at: Time
    comparator: str = ""
    text: str = ""
    label: str = ""
    received: str = ""
    remark: str = ""
    status: Literal["", "preliminary", "corrected"] = ""
    before: Reading | None = None


class Measurement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Weight or height at a time; ``method`` says how it was got (weighed or stated)."""

    value: float
    unit: str
    at: Time
    method: str = ""


class Observed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest bedside measurement of a ``kind`` (``qtc``, ``respiratory_rate``), as received. ``second_value`` is the lower
    one of a blood pressure; ``text`` is what has no number; ``method`` says how it was got."""

    kind: str
    at: Time
    value: float | None = None
    second_value: float | None = None
    unit: str = ""
    text: str = ""
    method: str = ""


class KidneyFunction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An estimate from the newest creatinine, taken at ``at``; ``weight`` says which weight it was made with, where one was.
    It holds for a stable creatinine: see its course."""

    formula: str
    value: float
    unit: str
    at: Time
    weight: str = ""


class Allergy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the patient does not tolerate, with the words of the source. ``ingredients`` is empty for what is no medicine, or
    none that is known. Empty texts are not known."""

    label: str
    ingredients: tuple[str, ...] = ()
    reaction: str = ""
    severity: str = ""
    kind: str = ""
    verification: str = ""


class Condition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A diagnosis or problem; ``code`` with its system (``ICD-10 N18.3``). ``status`` is empty where it is not known."""

    label: str
    code: str = ""
    status: str = ""
    onset: date | None = None


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An open alert."""

    alert_id: str
    rule: str
    subject: str
    severity: Severity
    summary: str
    acknowledged: bool = False


class HeldBack(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding that is true and reaches nobody, for the ``reason`` given. ``since`` is when it became true; ``by`` is the id of
    the alert that speaks for it, empty where none does."""

    rule: str
    severity: Severity
    summary: str
    reason: str
    since: Time
    by: str = ""


class Owed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is waited for and is due at a time: a laboratory ``result`` (``subject``: the analyte), a ``supply`` or ``dose`` of an
    order (its label), a ``review`` of something, or an alert that a person wants to see again (``look_again``: its id). ``by`` is
    the rule that waits, or the person."""

    kind: Literal["result", "supply", "dose", "review", "look_again"]
    subject: str
    due: Time
    since: Time
    by: str


class PatientPicture(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in force and open for one patient at ``clock``, the patient's clinical time.

    Of ``allergies``, ``conditions``, ``pregnant`` and ``lactating`` an absent field was never asked, null is not known, and an
    empty list is "none". ``encounter`` is the class of the stay (``inpatient``), ``unit`` where the patient lies.
    ``measured`` has what alerts rest on beside results, weight and height: the newest of each kind, by kind.
    ``merged_into`` is the patient under whom this record is continued. ``owed`` is what is waited for, what is due first first.
    """

    patient_id: Key
    clock: Time
    medicines: tuple[Medicine, ...]
    labs: tuple[Lab, ...]
    open: tuple[Problem, ...]
    held: tuple[HeldBack, ...] = ()
    birth_date: date | None = None
    sex: str = ""
    facility: str = ""
    unit: str = ""
    weight: Measurement | None = None
    height: Measurement | None = None
    measured: tuple[Observed, ...] = ()
    kidney: tuple[KidneyFunction, ...] = ()
    allergies: Known[tuple[Allergy, ...]] = UNSET
    conditions: Known[tuple[Condition, ...]] = UNSET
    pregnant: Known[bool] = UNSET
    due_date: date | None = None
    lactating: Known[bool] = UNSET
    encounter: str = ""
    admitted_at: Time | None = None
    discharged_at: Time | None = None
    merged_into: str = ""
    owed: tuple[Owed, ...] = ()
