"""Events and the facts of a patient's state in words, for people who look at how an alert came to be."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import UnsetType

from schemas.events import (
    Administration,
    AllergyRecord,
    ConditionRecord,
    Dispensing,
    Drug,
    EncounterRecord,
    Event,
    LabResult,
    Observation,
    Patient,
    Prescription,
)
from schemas.values import Coding, Quantity
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.rules.evidence import value_of


def time(at: datetime | None) -> str:
    """In UTC, to the minute; the second where it is not a full minute."""
    if at is None:
        return "open"
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}" if at.second else f"{at:%Y-%m-%d %H:%M}"


def event(said: Event) -> str:
    """What an event says, in a line."""
    match said:
        case Prescription() | Dispensing():
            how = said.dosage.text or _joined(_known(said.dosage.dose), said.dosage.route)
            until = (
                f"until {time(said.end)}" if isinstance(said, Prescription) and isinstance(said.end, datetime) else ""
            )
            return f"{_plain(said.status)}: {_joined(_drug(said.drug), how, until)}"
        case Administration():
            return f"{_plain(said.status)}: {_joined(_drug(said.drug), said.dose, said.route)}"
        case LabResult():
            value = f"{said.comparator or ''}{said.value:g}" if isinstance(said.value, float | int) else said.text
            return f"{_plain(said.status)}: {_joined(_coded(said.codings), value, said.unit, _bracketed(said.remark))}"
        case Observation():
            value = f"{said.value:g}" if isinstance(said.value, float | int) else said.text
            return f"{_plain(said.status)}: {_joined(_plain(said.kind), value, said.unit)}"
        case Patient():
            return "the person: " + ", ".join(
                f"{_plain(name)}{_short(value)}"
                for name in _PERSON
                if not isinstance(value := getattr(said, name), UnsetType)
            )
        case ConditionRecord():
            return f"{_plain(said.status)}: {_coded(said.condition.codings)}"
        case AllergyRecord():
            return f"{_plain(said.status)}: allergy or intolerance, {_drug(said.allergy.substance)}"
        case EncounterRecord():
            return f"stay {_plain(said.status)}"
    return str(said.__struct_config__.tag)


_PERSON = (
    "birth_date", "sex", "allergies", "conditions", "procedures", "pregnancy", "lactating", "goals", "traits", "stay",
)  # fmt: skip


def order(kept: Order | None) -> str:
    """An order or a supply as a state has it."""
    if kept is None:
        return "not there"
    status = "entered in error" if kept.void else "held" if kept.held else _plain(kept.status)
    period = f"{time(kept.starts)} to {time(kept.acts_until)}"
    route = "" if kept.route.lower() in kept.dosage.lower().split() else kept.route
    return ", ".join(filter(None, (status, period, _joined(kept.dosage, route))))


def result(kept: Result) -> str:
    """A result as a state has it."""
    converted = "" if kept.value is None else f"{kept.comparator}{kept.value:.10g} {kept.unit}".strip()
    beside = f" ({converted})" if converted and kept.received not in ("", converted) else ""
    said = ", ".join(filter(None, (_plain(kept.status) if kept.status != "final" else "", kept.remark)))
    return f"{value_of(kept) or 'no value'}{beside} at {time(kept.at)}{f', {said}' if said else ''}"


def _drug(drug: Drug) -> str:
    named = " / ".join(each.name for each in drug.ingredients)
    text = drug.text or _coded(drug.codings)
    return f"{text} ({named})" if text and named and named.lower() != text.lower() else text or named


def _coded(codings: tuple[Coding, ...]) -> str:
    return next((each.display or f"{each.system} {each.code}" for each in codings), "")


def _joined(*parts: object) -> str:
    return " ".join(text for each in parts if (text := _known(each)))


def _known(value: object) -> str:
    if value is None or isinstance(value, UnsetType):
        return ""
    return f"{value.value:g} {value.unit}".strip() if isinstance(value, Quantity) else str(value)


def _short(value: object) -> str:
    if value is None:
        return " not known"
    if isinstance(value, tuple):
        return f" ({len(value)})"
    return f" {value}" if isinstance(value, str | bool | int | float) or hasattr(value, "isoformat") else ""


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _bracketed(word: str) -> str:
    return f"({_plain(word)})" if word else ""
