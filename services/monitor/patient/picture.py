"""The picture of a patient that a pharmacist reads, from the state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import UNSET

from schemas import events
from schemas.patients import (
    Allergy,
    Basis,
    Condition,
    HeldBack,
    KidneyFunction,
    Lab,
    Measurement,
    Medicine,
    Observed,
    Owed,
    PatientPicture,
    Problem,
    Reading,
)
from schemas.values import SEVERITIES, Known, Quantity
from services.monitor.patient import medicines
from services.monitor.patient.bounds import LAST
from services.monitor.patient.estimates import clearance, filtration
from services.monitor.patient.fact import Fact, Measure
from services.monitor.patient.known import known_or
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState

_RESTS_ON: dict[Literal["order", "supply", "dose"], Basis] = {
    "order": "order",
    "supply": "dispensing",
    "dose": "administration",
}
_OVER = ("inactive", "resolved")
_ELSEWHERE = ("weight", "height", "other")
"""Weight and height stand in fields of their own; what is of no kind has no newest."""


def picture(state: PatientState) -> PatientPicture:
    """What is in force and open at the patient's clock, in a fixed order: gravest problem first, then by name."""
    alerts = sorted(state.open_alerts.values(), key=lambda a: (SEVERITIES.index(a.severity), -a.rank, a.subject))
    return PatientPicture(
        patient_id=state.patient_id,
        clock=state.clock,
        medicines=tuple(sorted(_medicines(state), key=lambda m: (m.label.lower(), m.source, m.record_id))),
        labs=tuple(
            _lab(analyte, newest, _before(state, analyte, newest))
            for analyte in sorted(state.results)
            if analyte and (newest := state.newest(analyte))
        ),
        open=tuple(
            Problem(
                alert_id=alert.alert_id,
                rule=alert.rule,
                subject=alert.subject,
                severity=alert.severity,
                summary=alert.summary,
                acknowledged=alert.acknowledgement is not None,
            )
            for alert in alerts
        ),
        held=tuple(_held(state)),
        birth_date=state.birth_date,
        sex=state.sex,
        facility=state.facility,
        unit=state.unit,
        weight=_measurement(state, "weight"),
        height=_measurement(state, "height"),
        measured=tuple(_measured(state)),
        kidney=tuple(_kidney(state)),
        allergies=_allergies(state.allergies),
        conditions=_conditions(state),
        merged_into=state.merged.into if state.merged is not None and state.merged.follows else "",
        owed=tuple(_owed(state)),
        **_pregnancy(state),
        **_stay(state.stay),
    )


def _held(state: PatientState) -> Iterator[HeldBack]:
    held = (each for each in state.standing.values() if each.held)
    for each in sorted(held, key=lambda s: (SEVERITIES.index(s.severity), -s.rank, s.rule, s.subject)):
        graver = state.open_alerts.get(each.by)
        yield HeldBack(
            rule=each.rule,
            severity=each.severity,
            summary=each.summary or each.subject,
            reason=each.held,
            since=each.since,
            by=graver.alert_id if graver is not None else "",
        )


def _owed(state: PatientState) -> Iterator[Owed]:
    for each in sorted(state.obligations.values(), key=lambda o: (o.due, o.kind, o.subject, o.source, o.part)):
        order = state.orders.get(each.subject) or state.supplies.get(each.subject)
        subject = order.label if order is not None else each.subject
        yield Owed(kind=each.kind, subject=subject, due=each.due, since=each.since, by=each.source)


def _medicines(state: PatientState) -> Iterator[Medicine]:
    """What is in force, and what is ordered and does not act now: held, or not begun."""
    shown = set()
    for medicine in state.in_force(state.clock):
        if medicine.order is not None:
            shown.add((medicine.order.source, medicine.order.record_id))
        yield _in_force(medicine)
    for order in state.orders.values():
        if order.void or (order.source, order.record_id) in shown:
            continue
        until = order.acts_until
        if until is None or until > state.clock:
            yield _ordered(order)


def _in_force(medicine: medicines.Medicine) -> Medicine:
    given, supplies, order = medicine.last_given, medicine.supplies, medicine.order
    rests_on = _RESTS_ON[medicine.by]
    record = order or (max(supplies, key=lambda each: each.first_seen) if supplies else None) or given
    assert record is not None  # each medicine rests on one of them
    until = order.end if order is not None and rests_on == "order" else medicine.until
    return Medicine(
        source=record.source,
        record_id=record.record_id,
        label=medicine.label,
        ingredients=medicine.ingredients,
        route=medicine.route,
        dosage=record.dosage if isinstance(record, Order) else "",
        form=record.form if isinstance(record, Order) else "",
        start=medicine.starts,
        # how long a dose counts is a rule of ours and no end
        end=None if rests_on == "administration" or until == LAST else until,
        rests_on=rests_on,
        one_time=(order is not None and order.one_time) or False,
        running=medicine.running,
        last_given=given.at if given is not None else None,
        last_dose=_quantity(given.what.dose or given.what.rate) if given is not None else "",
        last_dispensed=max((each.first_seen for each in supplies), default=None),
        **(_how_taken(record) if isinstance(record, Order) else {}),
    )


def _ordered(order: Order) -> Medicine:
    return Medicine(
        source=order.source,
        record_id=order.record_id,
        label=order.label,
        ingredients=order.ingredients,
        route=order.route,
        dosage=order.dosage,
        form=order.form,
        start=order.starts,
        end=order.end,
        held=order.held,
        one_time=order.one_time or False,
        **_how_taken(order),
    )


def _how_taken(order: Order) -> dict[str, Any]:
    if order.dose is None:
        return {}
    return {
        "dose": order.dose.amount,
        "frequency_per_day": order.dose.frequency,
        "frequency_high": order.dose.frequency_high,
        "as_needed": order.dose.as_needed,
        "daily_dose": order.dose.a_day,
        "dosage_remark": order.dose.remark,
    }


def _quantity(quantity: Quantity | None) -> str:
    if quantity is None:
        return ""
    high = "" if quantity.high is None else f"-{quantity.high:.10g}"
    return f"{quantity.value:.10g}{high} {quantity.unit}".strip()


def _measurement(state: PatientState, kind: Literal["weight", "height"]) -> Measurement | None:
    fact = state.measure(kind, state.clock)
    if fact is None or fact.what.value is None:
        return None
    return Measurement(value=fact.what.value, unit=fact.what.unit, at=fact.at, method=fact.what.method)


def _measured(state: PatientState) -> Iterator[Observed]:
    newest: dict[str, Fact[Measure]] = {}
    for fact in state.measures.values():
        what = fact.what
        said = what.value is not None or what.text
        if fact.void or not said or what.kind in _ELSEWHERE or fact.at > state.clock:
            continue
        known = newest.get(what.kind)
        if known is None or (known.at, known.key) < (fact.at, fact.key):
            newest[what.kind] = fact
    for kind, fact in sorted(newest.items()):
        yield Observed(
            kind=kind,
            at=fact.at,
            value=fact.what.value,
            second_value=fact.what.second_value,
            unit=fact.what.unit,
            text=fact.what.text if fact.what.value is None else "",
            method=fact.what.method,
        )


def _kidney(state: PatientState) -> Iterator[KidneyFunction]:
    for each in (filtration(state), clearance(state)):
        if each is not None and each.oldest is not None:
            yield KidneyFunction(
                formula=each.formula, value=round(each.value, 1), unit=each.unit, at=each.oldest, weight=each.weight
            )


def _allergies(allergies: Sequence[events.Allergy] | None) -> Known[tuple[Allergy, ...]]:
    if allergies is None:
        return UNSET
    return tuple(sorted(map(_allergy, allergies), key=lambda each: (each.label.lower(), each.reaction, each.kind)))


def _allergy(allergy: events.Allergy) -> Allergy:
    drug = allergy.substance
    ingredients = tuple(sorted({each.name for each in drug.ingredients}))
    coded = next((coding.display or coding.code for coding in drug.codings), "")
    return Allergy(
        label=drug.text or " / ".join(ingredients) or coded,
        ingredients=ingredients,
        reaction=known_or(allergy.reaction, ""),
        severity=known_or(allergy.severity, ""),
        kind=known_or(allergy.kind, ""),
        verification=known_or(allergy.verification, ""),
    )


def _conditions(state: PatientState) -> Known[tuple[Condition, ...]]:
    """Present ones first; what several stays list alike is one."""
    if all(fact.void for fact in state.condition_facts.values()):
        return UNSET
    return tuple(sorted(set(map(_condition, state.conditions)), key=_present_first))


def _present_first(condition: Condition) -> tuple[bool, str, str, str, str]:
    name = condition.label.lower()
    return (condition.status in _OVER, name, condition.code, str(condition.onset), condition.status)


def _condition(condition: events.Condition) -> Condition:
    coding = condition.codings[0]
    return Condition(
        label=next((each.display for each in condition.codings if each.display), ""),
        code=f"{coding.system} {coding.code}",
        status=known_or(condition.status, ""),
        onset=known_or(condition.onset, None),
    )


def _pregnancy(state: PatientState) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if "pregnancy" in state.patient_versions:
        known = state.pregnancy
        said["pregnant"] = None if known is None else known.pregnant
        said["due_date"] = None if known is None else known_or(known.due_date, None)
    if "lactating" in state.patient_versions:
        said["lactating"] = state.lactating
    return said


def _stay(stay: events.Stay | None) -> dict[str, Any]:
    if stay is None:
        return {}
    return {
        "encounter": known_or(stay.encounter_class, ""),
        "admitted_at": known_or(stay.admitted_at, None),
        "discharged_at": known_or(stay.discharged_at, None),
    }


def _before(state: PatientState, analyte: str, newest: Result) -> Result | None:
    """The newest valid result of an earlier time: two of one time are two looks at one thing, and no course."""
    earlier = (result for result in reversed(state.results[analyte]) if not result.void and result.at < newest.at)
    return next(earlier, None)


def _lab(analyte: str, result: Result, before: Result | None) -> Lab:
    return Lab(
        analyte=analyte,
        value=result.value,
        unit=result.unit,
        at=result.at,
        comparator=result.comparator,
        text=result.text,
        label=result.label,
        received=result.received,
        remark=result.remark,
        status=_not_final(result.status),
        before=None if before is None else _reading(before),
    )


def _reading(result: Result) -> Reading:
    return Reading(
        at=result.at,
        value=result.value,
        unit=result.unit,
        comparator=result.comparator,
        text=result.text,
        received=result.received,
    )


def _not_final(status: str) -> Literal["", "preliminary", "corrected"]:
    match status:
        case "preliminary" | "corrected":
            return status
    return ""
