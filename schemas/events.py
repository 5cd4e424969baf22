"""Canonical events: what happened to a patient, whatever format told of it.

The same structs are the published input format (native JSON): an integrator leaves out the fields that ingest fills
(``event_id``, ``ingested_at``, ``origin``, and ``ingredients`` of a drug, ``daily_dose`` and ``remark`` of a dosage, ``value`` in
canonical units of a result and the ``remark`` on it).

Identity: ``source`` and ``record_id`` name a thing (an order, a dispensing, a result) in its own system, and ``version``
one state of it; applying the same version twice changes nothing, whichever feed brought it.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct

from schemas.values import Coding, Key, Known, Origin, Quantity, Text, Time

Timing = Literal["live", "replayed"]
Unit = Annotated[str, Meta(max_length=64)]
Remark = Literal["", "no_analyte", "other_specimen", "no_value", "no_unit", "unknown_unit", "implausible"]
DosageRemark = Literal["", "unread", "partly_read", "contradictory"]
MeasuredIn = Literal[
    "", "serum_or_plasma", "blood", "arterial_blood", "venous_blood", "mixed_venous_blood", "capillary_blood", "urine"
]  # fmt: skip
Drawn = Literal["", "trough", "peak", "over_12_h_after_dose", "fasting", "before_dialysis", "after_dialysis"]


class Ingredient(Struct, frozen=True, omit_defaults=True):
    """One active ingredient by its RxNorm ingredient name in lower case (``acetaminophen``), with its strength.

    ``precise`` is the salt or formulation (``metoprolol succinate``) where its doses are not those of the ingredient's others.
    """

    name: Key
    rxcui: str = ""
    strength: Known[Quantity] = UNSET
    precise: str = ""


class Drug(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A medicine: what was received (``text``, ``codings``) beside what it was resolved to.

    ``resolution`` says how: ``code`` or ``name`` (``ingredients`` is filled), ``vehicle`` (a diluent, no ingredient acts),
    ``unresolved`` (kept as received, counted, and no rule about ingredients can see it) or ``given`` (the source itself
    named the ingredients). ``amount`` is what one unit of the form holds (0.4 ml) or how long it acts (24 hr), as the name says.
    """

    text: Text = ""
    codings: tuple[Coding, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    form: Known[Text] = UNSET
    brand: Text = ""
    amount: Known[Quantity] = UNSET
    resolution: Literal["given", "code", "name", "vehicle", "unresolved"] | None = None


class Dosage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a medicine is to be taken: ``dose`` at one time, ``frequency_per_day`` times a day, up to ``frequency_high`` times
    where it is a range. Ingest reads the ``text`` for what is absent; what cannot be read stays absent.

    ``daily_dose`` is filled by ingest: from the least to the most in a day, in the unit of the dose. It begins at nothing for
    what is taken as needed and is never above a ``max_daily_dose`` of the same unit; absent when it is not known.

    ``remark`` is filled by ingest. ``unread``: the text says something that was not understood, and nothing of its dose and
    frequency was taken; ``partly_read``: one of the two was, and the rest does not change it; ``contradictory``: text and data
    say two things, and the field of which they do is absent. Empty: nothing to say.
    """

    text: Text = ""
    route: Known[Text] = UNSET
    dose: Known[Quantity] = UNSET
    frequency_per_day: Known[float] = UNSET
    as_needed: Known[bool] = UNSET
    rate: Known[Quantity] = UNSET
    max_daily_dose: Known[Quantity] = UNSET
    frequency_high: Known[float] = UNSET
    daily_dose: Known[Quantity] = UNSET
    remark: DosageRemark = ""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What every event carries.

    ``occurred_at`` is clinical time: when it was so for the patient (a specimen was collected, a dose given, an order
    written). ``timing`` is ``live`` for a running feed and ``replayed`` for one of old or shifted dates, on which the wall
    clock has no bearing.
    """

    patient_id: Key
    source: Key
    record_id: Key
    version: Annotated[int, Meta(ge=0)] = 1
    occurred_at: Time
    recorded_at: Time | None = None
    timing: Timing = "live"
    encounter_id: Known[Key] = UNSET
    event_id: str = ""
    ingested_at: Time | None = None
    origin: Origin | None = None


class Prescription(Event, frozen=True, kw_only=True, tag="prescription"):
    """An order and what became of it; ``record_id`` is the order's id and each change is a new ``version``.

    The order is in force from ``start`` (``occurred_at`` of its first version if not given) up to but not including
    ``end``, unless it is held, discontinued or entered in error. ``one_time``: a single dose, due at ``start``. An order that
    ends when it starts counts as one unless ``one_time`` is false; one that ends before it starts was never in force.
    """

    status: Literal["ordered", "changed", "held", "resumed", "discontinued", "entered_in_error"]
    drug: Drug
    start: Time | None = None
    end: Known[Time] = UNSET
    dosage: Dosage = Dosage()
    indication: Known[tuple[Coding, ...]] = UNSET
    protocol: Known[Text] = UNSET
    setting: Known[Literal["inpatient", "outpatient", "home", "discharge", "over_the_counter"]] = UNSET
    prescriber: Known[Key] = UNSET
    replaces: Known[Key] = UNSET
    reason: Known[Text] = UNSET
    one_time: Known[bool] = UNSET


class Dispensing(Event, frozen=True, kw_only=True, tag="dispensing"):
    """A supply handed out, returned or cancelled. ``order_id`` is the ``record_id`` of the prescription."""

    status: Literal["dispensed", "returned", "cancelled", "entered_in_error"]
    drug: Drug
    order_id: Known[Key] = UNSET
    quantity: Known[Quantity] = UNSET
    days_supply: Known[float] = UNSET
    dosage: Dosage = Dosage()
    pharmacy: Known[Key] = UNSET


class Administration(Event, frozen=True, kw_only=True, tag="administration"):
    """A dose given, refused or held back; for an infusion with its rate and the time it was stopped."""

    status: Literal["given", "refused", "held", "entered_in_error"]
    drug: Drug
    order_id: Known[Key] = UNSET
    dose: Known[Quantity] = UNSET
    route: Known[Text] = UNSET
    rate: Known[Quantity] = UNSET
    stopped_at: Known[Time] = UNSET
    reason: Known[Text] = UNSET


class Specimen(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured in: ``kind`` as received (serum, whole blood, urine), and what can spoil it."""

    kind: Known[Text] = UNSET
    collected_at: Known[Time] = UNSET
    haemolysed: Known[bool] = UNSET
    tube: Known[Text] = UNSET
    drawn_from_line: Known[bool] = UNSET


class ReferenceRange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The laboratory's own range, in the unit as received."""

    low: float | None = None
    high: float | None = None
    text: Text = ""


class LabResult(Event, frozen=True, kw_only=True, tag="lab_result"):
    """A laboratory result. ``occurred_at`` is the time of collection; ``codings`` holds a LOINC code where one is known.

    ``value`` with ``comparator`` and ``unit`` are as received; ``canonical_value`` in ``canonical_unit`` is filled by
    ingest where the analyte and the unit are known. A ``text`` that is exactly a number, with or without a comparator
    (``<0.2``), is also taken as ``value`` and ``comparator``; every other text stays one. ``analyte`` is our name for what was
    measured (``potassium``).

    ``remark`` is filled by ingest: why no rule can use the result (``no_analyte``: no known LOINC code, or two that contradict
    each other; no number; no unit; a unit that is not known for this analyte), or ``implausible``: a number that is more
    likely a slip than a finding, converted all the same unless it is a concentration below nothing. Empty: nothing to say.
    ``other_specimen``: the code is that of blood and the specimen is urine, or the other way round.

    ``measured_in`` and ``drawn`` are filled by ingest from the code: a potassium in whole blood is that of a blood-gas analyser
    and shows no haemolysis; a trough is no peak.
    """

    status: Literal["preliminary", "final", "corrected", "cancelled", "entered_in_error"]
    codings: Annotated[tuple[Coding, ...], Meta(min_length=1)]
    value: Known[float] = UNSET
    comparator: Literal["<", "<=", ">=", ">"] | None = None
    unit: Unit = ""
    text: Text = ""
    reference_range: Known[ReferenceRange] = UNSET
    flag: Known[Unit] = UNSET
    specimen: Known[Specimen] = UNSET
    order_id: Known[Key] = UNSET
    order_status: Known[Literal["ordered", "collected", "resulted"]] = UNSET
    resulted_at: Known[Time] = UNSET
    analyte: str = ""
    canonical_value: float | None = None
    canonical_unit: str = ""
    remark: Remark = ""
    measured_in: MeasuredIn = ""
    drawn: Drawn = ""


class Observation(Event, frozen=True, kw_only=True, tag="observation"):
    """A bedside measurement: weight, height, blood pressure, QTc, heart and respiratory rate, sedation score and the like.

    ``kind`` is our name for it; ``method`` says how it was got (weighed or stated, Fridericia or Bazett).
    """

    status: Literal["final", "corrected", "cancelled", "entered_in_error"] = "final"
    kind: Literal[
        "weight", "height", "qtc", "qrs", "blood_pressure", "gestational_age", "gestational_age_at_birth", "heart_rate",
        "respiratory_rate", "oxygen_saturation", "sedation_score", "temperature", "urine_output", "child_pugh", "other",
    ]  # fmt: skip
    codings: tuple[Coding, ...] = ()
    value: Known[float] = UNSET
    second_value: Known[float] = UNSET
    unit: Unit = ""
    text: Text = ""
    method: Known[Text] = UNSET


class Allergy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An allergy or intolerance. "No known allergies" is an empty tuple, "not asked" an absent one, in ``Patient``."""

    substance: Drug
    reaction: Known[Text] = UNSET
    severity: Known[Literal["mild", "moderate", "severe"]] = UNSET
    kind: Known[Literal["allergy", "intolerance"]] = UNSET
    verification: Known[Literal["unconfirmed", "confirmed", "refuted", "entered_in_error"]] = UNSET
    status: Known[Literal["active", "inactive", "resolved"]] = UNSET
    onset: Known[date] = UNSET
    tolerated_since: Known[date] = UNSET


class Condition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A diagnosis or problem."""

    codings: Annotated[tuple[Coding, ...], Meta(min_length=1)]
    status: Known[Literal["active", "inactive", "resolved", "refuted"]] = UNSET
    onset: Known[date] = UNSET
    ended: Known[date] = UNSET


class Procedure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A treatment with a time that changes what a finding means."""

    kind: Literal[
        "dialysis", "ventilation", "surgery", "neuraxial", "contrast", "transfusion", "bleeding", "protocol", "other"
    ]
    start: Known[Time] = UNSET
    end: Known[Time] = UNSET
    text: Text = ""


class Pregnancy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pregnancy at a time; ``due_date`` gives the gestational age."""

    pregnant: bool
    due_date: Known[date] = UNSET


class Goals(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What treatment aims at, where it moves a limit."""

    inr_low: Known[float] = UNSET
    inr_high: Known[float] = UNSET
    mechanical_valve: Known[bool] = UNSET
    opioid_tolerant: Known[bool] = UNSET
    end_of_life: Known[bool] = UNSET


class Traits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the patient is by nature, where it moves a limit."""

    benign_ethnic_neutropenia: Known[bool] = UNSET
    cyp2c19: Known[Text] = UNSET


class Stay(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the patient is."""

    encounter_class: Known[Literal["inpatient", "emergency", "outpatient", "home"]] = UNSET
    facility: Known[Key] = UNSET
    unit: Known[Key] = UNSET
    admitted_at: Known[Time] = UNSET
    discharged_at: Known[Time] = UNSET


class Patient(Event, frozen=True, kw_only=True, tag="patient"):
    """What is known of the patient at a time. An absent field leaves what was known before.

    ``birth_date`` is kept as received: a date that cannot be (after ``occurred_at``, or over 130 years before) means that
    the age is unknown. ``merged_into`` says that this patient's record is continued under another id.
    """

    birth_date: Known[date] = UNSET
    sex: Known[Literal["female", "male", "other"]] = UNSET
    allergies: Known[tuple[Allergy, ...]] = UNSET
    conditions: Known[tuple[Condition, ...]] = UNSET
    procedures: Known[tuple[Procedure, ...]] = UNSET
    pregnancy: Known[Pregnancy] = UNSET
    lactating: Known[bool] = UNSET
    goals: Known[Goals] = UNSET
    traits: Known[Traits] = UNSET
    stay: Known[Stay] = UNSET
    merged_into: Key | None = None


class ConditionRecord(Event, frozen=True, kw_only=True, tag="condition"):
    """One entry of the problem list, by its own ``record_id``: adds to what is known, where ``Patient`` replaces the list."""

    status: Literal["recorded", "entered_in_error"] = "recorded"
    condition: Condition


class AllergyRecord(Event, frozen=True, kw_only=True, tag="allergy"):
    """One entry of the allergy list, by its own ``record_id``: adds to what is known, where ``Patient`` replaces the list."""

    status: Literal["recorded", "entered_in_error"] = "recorded"
    allergy: Allergy


class EncounterRecord(Event, frozen=True, kw_only=True, tag="encounter"):
    """One stay, by its own ``record_id``, which events name as ``encounter_id``."""

    status: Literal["planned", "in_progress", "finished", "cancelled", "entered_in_error"]
    stay: Stay = Stay()


AnyEvent = (
    Prescription
    | Dispensing
    | Administration
    | LabResult
    | Observation
    | Patient
    | ConditionRecord
    | AllergyRecord
    | EncounterRecord
)
EVENT_TYPES: tuple[type[Event], ...] = (
    Prescription,
    Dispensing,
    Administration,
    LabResult,
    Observation,
    Patient,
    ConditionRecord,
    AllergyRecord,
    EncounterRecord,
)
