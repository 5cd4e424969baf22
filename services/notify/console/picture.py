"""A patient's picture as words for people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from msgspec import UnsetType

from schemas.patients import Lab, Medicine, PatientPicture, Reading

_REMARKS = {
    "implausible": "can hardly be: check the sample",
    "no_value": "",  # what stands there instead says it
    "no_unit": "sent without a unit",
    "unknown_unit": "unit not understood",
}
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
    named = re.search(rf"(?<!\w){re.escape(medicine.route)}(?!\w)", medicine.dosage, re.IGNORECASE)
    return ", ".join(filter(None, (medicine.dosage, "" if named else medicine.route)))


def reading(found: Lab | Reading) -> str:
    """A result in the canonical unit; as it was received where it could not be converted."""
    if found.value is None:
        return found.received or found.text or "no value"
    unit = "" if found.unit == "1" else found.unit
    return f"{found.comparator}{_number(found.value)} {unit}".strip()


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
    if not medicine.ingredients:
        said.append("no known ingredient: no rule sees it")
    return said
