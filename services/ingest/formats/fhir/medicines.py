"""Orders, statements, dispensings and administrations of medicines.

**MedicationStatement** becomes a ``prescription`` of the setting ``home``: it says what the patient takes over a time, with a
dose, and is in force like an order; no other event says that. One that is ``intended`` is not taken yet and is ignored.

**Status.** FHIR sends what an order is, not what happened to it, and has no time for a stop. A stop of a later version is put at
the time of that version. Of a first version that is already stopped nobody says until when it held: it counts as never in
force, rather than as in force for years. The same is said of one cancelled, which FHIR means by the word. A completed order
ends at the end that its dosage sets, if it sets one. An order of ``unknown`` status is taken as in force, for the patient may
have it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from schemas.events import Administration, Dispensing, Drug, Event, Ingredient, Prescription
from schemas.values import Coding
from services.ingest.formats.fhir import dosage
from services.ingest.formats.fhir import resources as fhir
from services.ingest.formats.fhir.dosage import known
from services.ingest.formats.fhir.elements import (
    FaultError,
    all_codings,
    codes,
    codings,
    instant,
    named_codings,
    quantity,
    quotient,
    words,
)
from services.ingest.formats.fhir.references import (
    NotUsedError,
    Surroundings,
    changed,
    key,
    medication,
    patient,
    record_id,
    source,
    target,
    updated,
    version,
)

Status = Literal["ordered", "changed", "held", "resumed", "discontinued", "entered_in_error"]
Setting = Literal["inpatient", "outpatient", "home", "discharge", "over_the_counter"]

_NO_ORDER = {"proposal", "plan", "option"}
_STATUS: dict[str, Status] = {
    "active": "ordered", "unknown": "ordered", "on-hold": "held", "cancelled": "discontinued", "stopped": "discontinued",
    "completed": "discontinued", "not-taken": "discontinued", "entered-in-error": "entered_in_error",
}  # fmt: skip
_SETTINGS: dict[str, Setting] = {
    "inpatient": "inpatient", "outpatient": "outpatient", "community": "home", "discharge": "discharge",
}  # fmt: skip
_DISPENSED: dict[str, Literal["dispensed", "cancelled", "entered_in_error"]] = {
    "completed": "dispensed", "cancelled": "cancelled", "declined": "cancelled", "stopped": "cancelled",
    "entered-in-error": "entered_in_error",
}  # fmt: skip
_GIVEN: dict[str, Literal["given", "refused", "held", "entered_in_error"]] = {
    "completed": "given", "in-progress": "given", "stopped": "given", "on-hold": "held", "not-done": "held",
    "entered-in-error": "entered_in_error",
}  # fmt: skip
_REFUSED = {"443390004", "105480006", "PATOBJ"}
"""SNOMED CT (refused; refusal of treatment by patient) and HL7 ActReason (patient objection)."""


def request(order: fhir.MedicationRequest, around: Surroundings) -> Event:
    """Raises ``FaultError`` and ``NotUsedError``: a proposal, plan, option or draft is no order, and what is not to be done is
    none either."""
    if order.intent in _NO_ORDER:
        raise NotUsedError(f"MedicationRequest/{order.intent}")
    if order.doNotPerform:
        raise NotUsedError("MedicationRequest/doNotPerform")
    if order.status == "draft":
        raise NotUsedError("MedicationRequest/draft")
    category = next((_SETTINGS[code] for code in codes(*order.category) if code in _SETTINGS), None)
    prior = key(order.priorPrescription, around)
    return _in_force(
        order,
        around,
        written=instant(order.authoredOn, "authoredOn"),
        begins=None,
        ends=None,
        given=order.dosageInstruction,
        place="dosageInstruction",
        encounter=order.encounter,
        indication=_reasons(order.reasonCode, order.reasonReference, around),
        setting=known(category),
        prescriber=known(key(order.requester, around)),
        replaces=known(prior),
        reason=words(order.statusReason) or UNSET,
    )


def statement(said: fhir.MedicationStatement, around: Surroundings) -> Event:
    """Raises ``FaultError`` and ``NotUsedError``."""
    if said.status == "intended":
        raise NotUsedError("MedicationStatement/intended")
    period = said.effectivePeriod or fhir.Period()
    begins = instant(said.effectiveDateTime, "effectiveDateTime") or instant(period.start, "effectivePeriod.start")
    return _in_force(
        said,
        around,
        written=instant(said.dateAsserted, "dateAsserted") or begins,
        begins=begins,
        ends=dosage.until(period.end, "effectivePeriod.end"),
        given=said.dosage,
        place="dosage",
        encounter=said.context,
        indication=_reasons(said.reasonCode, said.reasonReference, around),
        setting="home",
        reason=words(next(iter(said.statusReason), None)) or UNSET,
    )


def _in_force(
    order: fhir.MedicationRequest | fhir.MedicationStatement,
    around: Surroundings,
    *,
    written: datetime | None,
    begins: datetime | None,
    ends: datetime | None,
    given: tuple[fhir.Dosage, ...],
    place: str,
    encounter: fhir.Reference | None,
    **more: Any,
) -> Event:
    told = dosage.read(given, place)
    start = begins or told.start or written
    ends = ends or told.end or dosage.lasting(given, start)
    recorded = updated(order)
    first = written or start or recorded or around.known_at
    at = changed(order, first)
    if at is None:
        raise FaultError("authoredOn", "no time: neither when it was written nor when it begins")
    start = start or first
    status, end, one_time = _standing(order.status, at if at != first else None, start, ends, told.one_time)
    return Prescription(
        **_carried(order, _patient(order, order.subject, around), at, recorded or written, encounter, around),
        status=status,
        drug=_drug(order, around, order.status == "entered-in-error"),
        start=start,
        # a later version that says no end has none any more
        end=end if end is not None else (None if version(order) > 1 and status == "ordered" else UNSET),
        dosage=told.dosage,
        one_time=known(one_time),
        **more,
    )


def _standing(
    status: str, stopped: datetime | None, start: datetime | None, ends: datetime | None, once: bool
) -> tuple[Status, datetime | None, bool | None]:
    """Status, end, and whether it is a single dose. ``stopped`` is the time of a later version."""
    ended = _STATUS[status]
    if ended != "discontinued":
        return ended, ends, True if once else None
    if status == "completed" and ends is not None:
        # it ran its course, unless it was said before the end that it is over
        return ("discontinued" if stopped is not None and stopped < ends else "ordered"), ends, True if once else None
    if status in ("cancelled", "not-taken") or stopped is None:
        return ended, start, False
    return ended, ends, True if once else None


def dispense(supply: fhir.MedicationDispense, around: Surroundings) -> Event:
    """What was handed over; what is only being prepared is ignored. Raises ``FaultError`` and ``NotUsedError``."""
    handed = instant(supply.whenHandedOver, "whenHandedOver")
    status = _DISPENSED.get(supply.status) or ("dispensed" if supply.status == "unknown" and handed else None)
    if status is None:
        raise NotUsedError(f"MedicationDispense/{supply.status}")
    recorded = updated(supply)
    at = handed or instant(supply.whenPrepared, "whenPrepared") or recorded or around.known_at
    if at is None:
        raise FaultError("whenHandedOver", "no time: neither when it was handed over nor when it was prepared")
    pharmacy = supply.location or next((each.actor for each in supply.performer), None)
    return Dispensing(
        **_carried(supply, _patient(supply, supply.subject, around), at, recorded, supply.context, around),
        status=status,
        drug=_drug(supply, around, status == "entered_in_error"),
        order_id=known(key(next(iter(supply.authorizingPrescription), None), around)),
        quantity=known(quantity(supply.quantity)),
        days_supply=known(dosage.days(supply.daysSupply)),
        dosage=dosage.read(supply.dosageInstruction, "dosageInstruction").dosage,
        pharmacy=known(key(pharmacy, around)),
    )


def administration(given: fhir.MedicationAdministration, around: Surroundings) -> Event:
    """A dose given, or not. Of ``unknown`` status nothing is known to have been given: ignored."""
    if given.status == "unknown":
        raise NotUsedError("MedicationAdministration/unknown")
    period = given.effectivePeriod or fhir.Period()
    recorded = updated(given)
    began = instant(given.effectiveDateTime, "effectiveDateTime") or instant(period.start, "effectivePeriod.start")
    at = began or recorded or around.known_at
    if at is None:
        raise FaultError("effective", "no time: neither effectiveDateTime nor a start of effectivePeriod")
    reasons = (*given.statusReason, *given.reasonCode)
    refused = given.status == "not-done" and _is_refusal(given.statusReason)
    how = given.dosage or fhir.AdministeredDosage()
    return Administration(
        **_carried(given, _patient(given, given.subject, around), at, recorded, given.context, around),
        status="refused" if refused else _GIVEN[given.status],
        drug=_drug(given, around, given.status == "entered-in-error"),
        order_id=known(key(given.request, around)),
        dose=known(quantity(how.dose)),
        route=words(how.route) or UNSET,
        rate=known(quantity(how.rateQuantity) or quotient(how.rateRatio)),
        stopped_at=known(dosage.until(period.end, "effectivePeriod.end")),
        reason=words(next(iter(reasons), None)) or UNSET,
    )


def _is_refusal(reasons: tuple[fhir.CodeableConcept, ...]) -> bool:
    return not _REFUSED.isdisjoint(codes(*reasons)) or any("refus" in words(each).lower() for each in reasons)


def _patient(resource: fhir.MedicationUse, reference: fhir.Reference | None, around: Surroundings) -> str:
    return patient(reference, around, type(resource).__name__, "subject")


def _carried(
    resource: fhir.MedicationUse,
    patient_id: str,
    at: datetime,
    recorded: datetime | None,
    encounter: fhir.Reference | None,
    around: Surroundings,
) -> dict[str, Any]:
    return {
        "patient_id": patient_id,
        "source": source(resource),
        "record_id": record_id(resource),
        "version": version(resource),
        "occurred_at": at,
        "recorded_at": recorded,
        "encounter_id": known(key(encounter, around)),
    }


def _reasons(
    said: tuple[fhir.CodeableConcept, ...], meant: tuple[fhir.Reference, ...], around: Surroundings
) -> tuple[Coding, ...] | UnsetType:
    found = list(all_codings(said))
    for reference in meant:
        condition = target(reference, around)
        if isinstance(condition, fhir.Condition):
            found += named_codings(condition.code)
    return tuple(found) or UNSET


def _drug(resource: fhir.MedicationUse, around: Surroundings, void: bool) -> Drug:
    """The medicine: its concept, the Medication that is meant, or what the reference displays, which terminology may know by
    name. A resource that was entered in error need not name one."""
    if (concept := resource.medicationCodeableConcept) is not None:
        if resource.medicationReference is not None:
            raise FaultError("medicationReference", "two medicines: medicationCodeableConcept is there too")
        return Drug(text=words(concept), codings=codings(concept))
    reference = resource.medicationReference
    if reference is None:
        if void:
            return Drug()
        raise FaultError("medication", "no medicine: neither medicationCodeableConcept nor medicationReference")
    found = medication(resource, around)
    if found is None:
        return Drug(text=reference.display or key(reference, around) or "not named")
    return Drug(
        text=words(found.code) or reference.display or "",
        codings=codings(found.code),
        ingredients=tuple(each for each in map(_ingredient, found.ingredient) if each is not None),
        form=words(found.form) or UNSET,
    )


def _ingredient(part: fhir.MedicationIngredient) -> Ingredient | None:
    name = words(part.itemCodeableConcept) or (part.itemReference.display if part.itemReference else "") or ""
    if not name or len(name) > fhir.MAX_KEY or part.isActive is False:
        return None
    rxcui = next((each.code for each in codings(part.itemCodeableConcept) if each.system == "RxNorm"), "")
    return Ingredient(name, rxcui, known(quotient(part.strength)))
