"""The FHIR R4 resources that are read, as far as they are read: structs with the fields of the specification.

A field that is not here is passed by. Where FHIR fixes the values of a code, the type names them, so that a wrong one is
refused with its path. Limits of length are those of the canonical events. In a list of primitives FHIR writes null for one
that has only an extension.
"""

# ruff: noqa: N815 - the names are those of the specification

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec import Meta as Limit

from schemas.values import Key, Text

MAX_KEY = 256
MAX_UNIT = 64
Unit = Annotated[str, Limit(max_length=MAX_UNIT)]
Integer = Annotated[int, Limit(ge=-(2**31), le=2**31 - 1)]
Whole = Annotated[int, Limit(ge=1, le=2**31 - 1)]
Comparator = Literal["<", "<=", ">=", ">"]
PeriodUnit = Literal["s", "min", "h", "d", "wk", "mo", "a"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Element(Struct, kw_only=True, gc=False):
    """A part of a resource. JSON has no cycles, so the collector need not look at it."""


class Meta(Element):
    versionId: str | None = None
    lastUpdated: str | None = None
    source: Key | None = None


class Coding(Element):
    system: Key | None = None
    code: Key | None = None
    display: Text | None = None


class CodeableConcept(Element):
    coding: tuple[Coding, ...] = ()
    text: Text | None = None


class Identifier(Element):
    system: Key | None = None
    value: Key | None = None


class Reference(Element):
    reference: Annotated[str, Limit(min_length=1, max_length=2048)] | None = None
    identifier: Identifier | None = None
    display: Text | None = None


class Period(Element):
    start: str | None = None
    end: str | None = None


class Quantity(Element):
    value: float | None = None
    comparator: Comparator | None = None
    unit: Unit | None = None
    system: str | None = None
    code: Unit | None = None


class Range(Element):
    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Element):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Repeat(Element):
    boundsPeriod: Period | None = None
    boundsDuration: Quantity | None = None
    boundsRange: Range | None = None
    count: Whole | None = None
    frequency: Whole | None = None
    frequencyMax: Whole | None = None
    period: float | None = None
    periodMax: float | None = None
    periodUnit: PeriodUnit | None = None
    dayOfWeek: tuple[Day | None, ...] = ()
    timeOfDay: tuple[str | None, ...] = ()
    when: tuple[str | None, ...] = ()


class Timing(Element):
    event: tuple[str | None, ...] = ()
    repeat: Repeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Element):
    type: CodeableConcept | None = None
    doseQuantity: Quantity | None = None
    doseRange: Range | None = None
    rateQuantity: Quantity | None = None
    rateRange: Range | None = None
    rateRatio: Ratio | None = None


class Dosage(Element):
    sequence: Integer | None = None
    text: Text | None = None
    patientInstruction: Text | None = None
    timing: Timing | None = None
    asNeededBoolean: bool | None = None
    asNeededCodeableConcept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    doseAndRate: tuple[DoseAndRate, ...] = ()
    maxDosePerPeriod: Ratio | None = None


class Resource(Struct, kw_only=True, gc=False, tag_field="resourceType"):
    """What every resource has."""

    id: Key | None = None
    meta: Meta | None = None
    identifier: tuple[Identifier, ...] = ()
    contained: tuple[Raw, ...] = ()


class Link(Element):
    other: Reference
    type: Literal["replaced-by", "replaces", "refer", "seealso"]


class Patient(Resource, kw_only=True, tag="Patient"):
    birthDate: str | None = None
    gender: Literal["male", "female", "other", "unknown"] | None = None
    link: tuple[Link, ...] = ()


class EncounterLocation(Element):
    location: Reference
    status: Literal["planned", "active", "reserved", "completed"] | None = None


class Encounter(Resource, kw_only=True, tag="Encounter", rename={"class_": "class"}):
    status: Literal[
        "planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error", "unknown"
    ]  # fmt: skip
    class_: Coding
    subject: Reference | None = None
    period: Period | None = None
    location: tuple[EncounterLocation, ...] = ()
    serviceProvider: Reference | None = None


class Reaction(Element):
    substance: CodeableConcept | None = None
    manifestation: tuple[CodeableConcept, ...] = ()
    description: Text | None = None
    severity: Literal["mild", "moderate", "severe"] | None = None


class AllergyIntolerance(Resource, kw_only=True, tag="AllergyIntolerance"):
    clinicalStatus: CodeableConcept | None = None
    verificationStatus: CodeableConcept | None = None
    type: Literal["allergy", "intolerance"] | None = None
    code: CodeableConcept | None = None
    patient: Reference
    encounter: Reference | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    recordedDate: str | None = None
    reaction: tuple[Reaction, ...] = ()


class Condition(Resource, kw_only=True, tag="Condition"):
    clinicalStatus: CodeableConcept | None = None
    verificationStatus: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference
    encounter: Reference | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None
    recordedDate: str | None = None


class MedicationIngredient(Element):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None
    isActive: bool | None = None
    strength: Ratio | None = None


class Medication(Resource, kw_only=True, tag="Medication"):
    code: CodeableConcept | None = None
    form: CodeableConcept | None = None
    ingredient: tuple[MedicationIngredient, ...] = ()


class MedicationUse(Resource, kw_only=True):
    """What the four resources about a medicine share."""

    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None


class MedicationRequest(MedicationUse, kw_only=True, tag="MedicationRequest"):
    status: Literal["active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"]
    intent: Literal[
        "proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", "option"
    ]  # fmt: skip
    statusReason: CodeableConcept | None = None
    doNotPerform: bool | None = None
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference
    encounter: Reference | None = None
    authoredOn: str | None = None
    requester: Reference | None = None
    reasonCode: tuple[CodeableConcept, ...] = ()
    reasonReference: tuple[Reference, ...] = ()
    dosageInstruction: tuple[Dosage, ...] = ()
    priorPrescription: Reference | None = None


class MedicationStatement(MedicationUse, kw_only=True, tag="MedicationStatement"):
    status: Literal[
        "active", "completed", "entered-in-error", "intended", "stopped", "on-hold", "unknown", "not-taken"
    ]  # fmt: skip
    statusReason: tuple[CodeableConcept, ...] = ()
    subject: Reference
    context: Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    dateAsserted: str | None = None
    reasonCode: tuple[CodeableConcept, ...] = ()
    reasonReference: tuple[Reference, ...] = ()
    dosage: tuple[Dosage, ...] = ()


class Performer(Element):
    actor: Reference


class MedicationDispense(MedicationUse, kw_only=True, tag="MedicationDispense"):
    status: Literal[
        "preparation", "in-progress", "cancelled", "on-hold", "completed", "entered-in-error", "stopped", "declined",
        "unknown",
    ]  # fmt: skip
    subject: Reference | None = None
    context: Reference | None = None
    performer: tuple[Performer, ...] = ()
    location: Reference | None = None
    authorizingPrescription: tuple[Reference, ...] = ()
    quantity: Quantity | None = None
    daysSupply: Quantity | None = None
    whenPrepared: str | None = None
    whenHandedOver: str | None = None
    dosageInstruction: tuple[Dosage, ...] = ()


class AdministeredDosage(Element):
    text: Text | None = None
    route: CodeableConcept | None = None
    dose: Quantity | None = None
    rateRatio: Ratio | None = None
    rateQuantity: Quantity | None = None


class MedicationAdministration(MedicationUse, kw_only=True, tag="MedicationAdministration"):
    status: Literal["in-progress", "not-done", "on-hold", "completed", "entered-in-error", "stopped", "unknown"]
    statusReason: tuple[CodeableConcept, ...] = ()
    subject: Reference
    context: Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    reasonCode: tuple[CodeableConcept, ...] = ()
    request: Reference | None = None
    dosage: AdministeredDosage | None = None


class ObservationRange(Element):
    low: Quantity | None = None
    high: Quantity | None = None
    text: Text | None = None


class Measured(Struct, kw_only=True, gc=False):
    """What an Observation and each of its components say alike."""

    code: CodeableConcept
    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueString: Text | None = None
    valueBoolean: bool | None = None
    valueInteger: Integer | None = None
    valueRange: Range | None = None
    valueRatio: Ratio | None = None
    valueSampledData: Raw | UnsetType = UNSET
    valueTime: str | None = None
    valueDateTime: str | None = None
    valuePeriod: Period | None = None
    dataAbsentReason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    referenceRange: tuple[ObservationRange, ...] = ()


class Component(Measured, kw_only=True, gc=False):
    """One of several things measured at once."""


class Observation(Measured, kw_only=True, gc=False, tag_field="resourceType", tag="Observation"):
    """A resource in all but its Python type, which can have one base."""

    id: Key | None = None
    meta: Meta | None = None
    identifier: tuple[Identifier, ...] = ()
    contained: tuple[Raw, ...] = ()
    status: Literal[
        "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"
    ]  # fmt: skip
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    basedOn: tuple[Reference, ...] = ()
    hasMember: tuple[Reference, ...] = ()
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    effectiveInstant: str | None = None
    issued: str | None = None
    method: CodeableConcept | None = None
    specimen: Reference | None = None
    component: tuple[Component, ...] = ()


class Request(Element):
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


class Entry(Element):
    """A bundle's entry; ``resource`` is read by itself, so that its faults stay its own."""

    fullUrl: str | None = None
    resource: Raw | UnsetType = UNSET
    request: Request | None = None


class Bundle(Resource, kw_only=True, tag="Bundle"):
    """``identifier`` of a bundle is one and not a list, and nothing here reads it."""

    identifier: Raw | UnsetType = UNSET  # type: ignore[assignment]
    type: Literal[
        "document", "message", "transaction", "transaction-response", "batch", "batch-response", "history", "searchset",
        "collection",
    ]  # fmt: skip
    timestamp: str | None = None
    entry: tuple[Raw, ...] = ()


Used = (
    Patient
    | Encounter
    | AllergyIntolerance
    | Condition
    | Medication
    | MedicationRequest
    | MedicationStatement
    | MedicationDispense
    | MedicationAdministration
    | Observation
)
