"""The canary of a written rule: its cases in short form as events that a hospital sends (native JSON)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from re import fullmatch
from typing import Any

import msgspec
from msgspec import Raw

from knowledge.model import Knowledge
from knowledge.reading.written import subject_of
from knowledge.written import Case, CaseEvent, CasePatient, WrittenRule
from services.monitor.rules.canary import Canary, CanaryError, Expected, Fires, Silent

PRESENT = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
"""What the times of a case are counted from."""
_WHO = "canary"
_FIRST = timedelta(days=2000)
"""Before the present: when what is said of the patient was said."""


def canary_of(rule: WrittenRule, knowledge: Knowledge) -> Canary:
    """Raises ``CanaryError`` where an event of a case is not written as it has to be."""
    fires, silent = rule.fires, rule.silent
    assert fires.severity is not None, "the reader asks for it"
    expected = Expected(subject=fires.subject or subject_of(rule), severity=fires.severity)
    return Canary(
        fires=Fires(what=fires.what, events=events_of(fires, knowledge), alerts=(expected,)),
        silent=Silent(what=silent.what, events=events_of(silent, knowledge)),
    )


def events_of(case: Case, knowledge: Knowledge) -> tuple[Raw, ...]:
    """The events of a case, the oldest first, with one of the present at the end, to which the clock comes."""
    sent = list(_patient(case.patient))
    for number, each in enumerate(case.events, start=1):
        sent += _events(each, str(number), knowledge)
    sent.append((PRESENT, _sent("patient", PRESENT, "clock", {})))
    sent.sort(key=lambda each: each[0])
    return tuple(Raw(msgspec.json.encode(event)) for _, event in sent)


Sent = tuple[datetime, dict[str, Any]]


def _patient(who: CasePatient) -> Iterator[Sent]:
    first = PRESENT - _FIRST
    said: dict[str, Any] = {}
    if who.age is not None:
        # half a year past the birthday, but an infant is as old as is said
        past = 182 if who.age >= 1 else 0
        said["birth_date"] = f"{PRESENT - timedelta(days=who.age * 365.25 + past):%Y-%m-%d}"
    if who.sex:
        said["sex"] = who.sex
    if who.pregnant is not None:
        said["pregnancy"] = {"pregnant": who.pregnant}
    if who.lactating is not None:
        said["lactating"] = who.lactating
    if who.end_of_life is not None:
        said["goals"] = {"end_of_life": who.end_of_life}
    if who.dialysis is not None:
        said["procedures"] = [{"kind": "dialysis", "start": _time(first)}] if who.dialysis else []
    if said:
        yield first, _sent("patient", first, "patient", said)
    for name, unit in (("weight", "kg"), ("height", "cm")):
        value = getattr(who, name)
        if value is not None:
            yield first, _sent("observation", first, name, {"kind": name, "value": value, "unit": unit})
    for each in who.conditions:
        yield first, _condition(each, first, f"condition {each}")


def _events(each: CaseEvent, number: str, knowledge: Knowledge) -> Iterator[Sent]:
    time = _at(each.at)
    name = each.id or number
    if each.order or each.supply or each.dose or each.stop:
        yield time, _of_medicine(each, time, name)
    elif each.result:
        yield time, _of_result(each, time, name, knowledge)
    elif each.condition:
        yield time, _condition(each.condition, time, name)
    elif each.measure:
        said = {"kind": each.measure, "value": each.value, "unit": each.unit}
        yield time, _sent("observation", time, name, said)
    elif each.admission or each.discharge:
        yield time, _of_stay(each, time)
    else:
        raise CanaryError(f"event {number} of a case says nothing; it has one of {', '.join(_KINDS)}")


_KINDS = ("order", "supply", "dose", "stop", "result", "condition", "measure", "admission", "discharge")


def _of_medicine(each: CaseEvent, time: datetime, name: str) -> dict[str, Any]:
    dosage: dict[str, Any] = {"text": each.dosage} if each.dosage else {}
    if each.route:
        dosage["route"] = each.route
    said: dict[str, Any] = {"dosage": dosage} if dosage else {}
    if each.until:
        said["end"] = _time(_at(each.until))
    if each.order:
        return _sent(
            "prescription", time, name, {"status": "ordered", "drug": {"text": each.order}} | said, each.source
        )
    if each.stop:
        # the order is named by its id; it says the same medicine again
        said |= {"status": "discontinued", "drug": {"text": each.stop}, "version": 2}
        return _sent("prescription", time, name, said, each.source)
    if each.supply:
        said |= {"status": "dispensed", "drug": {"text": each.supply}}
        if each.days is not None:
            said["days_supply"] = each.days
        return _sent("dispensing", time, name, said, each.source)
    given: dict[str, Any] = {"status": "given", "drug": {"text": each.dose}}
    if each.route:
        given["route"] = each.route
    if each.amount:
        found = fullmatch(r"(\d+(?:\.\d+)?) (\S.*)", each.amount)
        if found is None:
            raise CanaryError(f"{each.amount!r} is no amount of a dose; it is like '5 mg'")
        given["dose"] = {"value": float(found[1]), "unit": found[2]}
    return _sent("administration", time, name, given, each.source)


def _of_result(each: CaseEvent, time: datetime, name: str, knowledge: Knowledge) -> dict[str, Any]:
    codes = sorted(
        (bool(known.measured_in or known.drawn), code) for code, known in knowledge.analytes.items() if known.name == each.result
    )  # fmt: skip
    if not codes:
        raise CanaryError(f"{each.result!r} is no analyte; knowledge/labs/analytes.csv has them")
    code = codes[0][1]
    said = {
        "status": "final",
        "codings": [{"system": "LOINC", "code": code, "display": each.result}],
        "unit": each.unit or knowledge.analytes[code].unit,
    } | ({"text": each.text} if each.text else {"value": each.value})
    return _sent("lab_result", time, name, said, each.source)


def _condition(said: str, time: datetime, name: str) -> dict[str, Any]:
    """``ICD-10 I50.9``: the system and the code, parted at the last blank."""
    system, _, code = said.rpartition(" ")
    condition = {"codings": [{"system": system, "code": code, "display": code}], "status": "active"}
    return _sent("condition", time, name, {"condition": condition})


def _of_stay(each: CaseEvent, time: datetime) -> dict[str, Any]:
    stay = {"encounter_class": each.admission or each.discharge, "unit": each.unit or None, "admitted_at": _time(time)}
    if each.discharge:
        stay["discharged_at"] = _time(time)
        if each.until:
            stay["admitted_at"] = _time(_at(each.until))
    said = {"status": "finished" if each.discharge else "in_progress", "stay": {k: v for k, v in stay.items() if v}}
    return _sent("encounter", time, "stay", said | {"version": 2 if each.discharge else 1})


def _sent(kind: str, time: datetime, name: str, said: dict[str, Any], source: str = "") -> dict[str, Any]:
    whole = {"type": kind, "patient_id": _WHO, "source": source or _WHO, "record_id": name, "occurred_at": _time(time)}
    return whole | {"timing": "replayed"} | said


def _at(text: str) -> datetime:
    found = fullmatch(r"([+-]?\d+(?:\.\d+)?) (h|d)", text)
    if found is None:
        raise CanaryError(f"{text!r} is no time of a case; it is like '-90 d' or '0 h', counted from its present")
    return PRESENT + timedelta(hours=float(found[1]) * (1 if found[2] == "h" else 24))


def _time(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
