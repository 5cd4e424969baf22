"""A patient's picture as words for people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from msgspec import UnsetType

from schemas.patients import Lab, Medicine, Observed, PatientPicture, Reading
from schemas.route_named import route_named
from schemas.values import Quantity

_REMARKS = {
    "implausible": "can hardly be: check the sample",
    "no_value": "",  # what stands there instead says it
    "no_unit": "sent without a unit",
    "unknown_unit": "unit not understood",
}
_UNDERSTOOD = {
    "unread": "instruction not understood",
    "partly_read": "instruction understood in part",
    "contradictory": "instruction contradicts itself",
}
_MEASURED = {"qtc": "QTc", "qrs": "QRS", "respiratory_rate": "Breathing rate", "child_pugh": "Child-Pugh score"}
_OLDEST = 130
"""Years. A birth date further back is none."""


def age(picture: PatientPicture) -> str:
    """Age at the patient's clock in the unit that matters: days below a month, months below two years; empty when unknown."""
    born, today = picture.birth_date, picture.clock.date()
    if born is None or born > today:
        return ""
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    if months >= _OLDEST * 12:
        return ""
    if months == 0:
        return f"{(today - born).days} d"
    return f"{months} mo" if months < 24 else f"{months // 12} y"


def analyte(lab: Lab) -> str:
    """Our name of what was measured, as a heading: ``Ionized calcium``; ``pH`` and ``aPTT`` stand as they are."""
    first = lab.analyte.split(" ", 1)[0]
    return lab.analyte[:1].upper() + lab.analyte[1:] if first.islower() else lab.analyte


def how(medicine: Medicine) -> str:
    """Dose and route; a route that the dose names already is not said twice."""
    route = "" if route_named(medicine.dosage, medicine.route) else medicine.route
    return ", ".join(filter(None, (medicine.dosage, route)))


def taken(medicine: Medicine) -> str:
    """How the instruction was understood: ``1-2 tablet, 4 to 6 times a day, as needed: 0-8 tablet a day``; empty where nothing
    was."""
    often, daily = _often(medicine.frequency_per_day, medicine.frequency_high), medicine.daily_dose
    said = ", ".join(filter(None, (_amount(medicine.dose), often, "as needed" if medicine.as_needed else "")))
    return ": ".join(filter(None, (said, f"{_amount(daily)} a day" if daily is not None else "")))


def _amount(quantity: Quantity | None) -> str:
    if quantity is None:
        return ""
    high = "" if quantity.high is None else f"-{quantity.high:.4g}"
    return f"{quantity.value:.4g}{high} {quantity.unit}".strip()


def _often(low: float | None, high: float | None) -> str:
    """Times a day; what is less than daily in the words of a week or of days."""
    if low is None or low <= 0:
        return ""
    if high is not None and high > low:
        return f"{low:.3g} to {high:.3g} times a day"
    if low >= 1:
        return _times(low, "day")
    if abs(low * 7 - round(low * 7)) < 0.01:
        return _times(round(low * 7), "week")
    return f"every {1 / low:.3g} days"


def _times(number: float, period: str) -> str:
    times = "once" if number == 1 else "twice" if number == 2 else f"{number:.3g} times"
    return f"{times} a {period}"


def reading(found: Lab | Reading) -> str:
    """A result in the canonical unit; as it was received where it could not be converted."""
    if found.value is None:
        return found.received or found.text or "no value"
    unit = "" if found.unit == "1" else found.unit
    return f"{found.comparator}{_number(found.value)} {unit}".strip()


def measured(found: Observed) -> str:
    """What was measured, as a heading: ``Blood pressure``."""
    return _MEASURED.get(found.kind, found.kind.replace("_", " ").capitalize())


def measure(found: Observed) -> str:
    """A measurement as received: ``120/80 mmHg``, and in words where it has no number."""
    if found.value is None:
        return found.text
    second = "" if found.second_value is None else f"/{_number(found.second_value)}"
    return f"{_number(found.value)}{second} {'' if found.unit == '1' else found.unit}".strip()


def _number(value: float) -> str:
    """A conversion, and many an analyser, leaves more digits than anybody measured."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def converted(lab: Lab) -> str:
    """The result as it was received, where it was another number than the one shown."""
    digits = re.match(r"[<>=]*([-+.\de]+)", lab.received)
    if lab.value is None or digits is None:
        return ""
    try:
        return "" if _number(float(digits[1])) == _number(lab.value) else lab.received
    except ValueError:
        return lab.received


def remark(lab: Lab) -> str:
    """What keeps a result from being taken as it stands."""
    said = _REMARKS.get(lab.remark, lab.remark)
    return "; ".join(filter(None, (lab.status, said)))


def trend(lab: Lab) -> Literal["up from", "down from", "same as", "before"]:
    """How a result compares with the one before it; ``before`` where the two are not both exact numbers of one unit."""
    was = lab.before
    if (
        was is None
        or lab.value is None
        or was.value is None
        or lab.unit != was.unit
        or lab.comparator
        or was.comparator
    ):
        return "before"
    if lab.value == was.value:
        return "same as"
    return "up from" if lab.value > was.value else "down from"


def asked(value: object) -> Literal["not asked", "not known", "none", "known"]:
    """The three answers, and the empty list among the values."""
    if isinstance(value, UnsetType):
        return "not asked"
    if value is None:
        return "not known"
    return "none" if value == () else "known"


def basis(medicine: Medicine, clock: datetime) -> list[str]:
    """What a reader must know of a medicine beside its dose."""
    said = []
    if medicine.held:
        said.append("held")
    if medicine.rests_on == "dispensing":
        said.append("dispensed, no order in force")
    if medicine.rests_on == "administration":
        said.append("given, no order in force")
    if medicine.start is not None and medicine.start > clock:
        said.append("not started")
    if medicine.one_time:
        said.append("single dose")
    if medicine.running:
        said.append("running")
    if medicine.dosage_remark:
        said.append(_UNDERSTOOD[medicine.dosage_remark])
    if not medicine.ingredients:
        said.append("no known ingredient: no rule sees it")
    return said
