"""From an input to canonical events: the one path that the service, `rxvigil check` and the tests go.

decode (formats) → drugs to ingredients, instructions to doses, results to analytes and canonical
units (terminology) → event id and origin.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.loader import Knowledge
from schemas import identity
from schemas.canaries import PREFIX, is_canary
from schemas.dead_letters import DeadLetter
from schemas.events import (
    Administration,
    AllergyRecord,
    Dispensing,
    Drug,
    Event,
    LabResult,
    Patient,
    Prescription,
    Specimen,
)
from schemas.topics import CANARIES, MAX_RECORD_BYTES
from schemas.values import Origin
from services.ingest.formats import End, Ignored, Item, Refusal, record
from services.ingest.terminology import labs
from services.ingest.terminology.drugs import DrugResolver
from services.ingest.terminology.instructions import Instructions
from services.runtime.clock import Clock

_DRUGS_REMEMBERED = 8192
_CODES_REMEMBERED = 8
"""Of one drug; what nobody bounds is what a broken feed makes up, and a drug may fill a record."""


class Taken(NamedTuple):
    """What an input came to; every unit of it is in exactly one of the three. ``ignored`` counts by kind."""

    events: list[Event]
    refused: list[DeadLetter]
    ignored: Counter[str]


class Pipeline:
    """Pure but for the clock that it is given: the same input and origin give the same events, apart from
    ``ingested_at`` and ``refused_at``. Never raises on any input."""

    def __init__(self, knowledge: Knowledge, clock: Clock) -> None:
        self._knowledge = knowledge
        self._clock = clock
        self._resolve = DrugResolver(knowledge).resolve
        self._understood = Instructions(knowledge.wording).understood
        self._remembered = lru_cache(_DRUGS_REMEMBERED)(self._resolve)

    def take(self, value: bytes | None, origin: Origin) -> Taken:
        """One record; ``origin.index`` of what comes of it is the unit's position in the record."""
        if value is not None and len(value) > MAX_RECORD_BYTES:
            items = [Item(0, value, Refusal("too_large", f"{len(value)} bytes; at most {MAX_RECORD_BYTES} are taken"))]
        else:
            items = record.decode(value, received_at=origin.received_at)
        taken = Taken([], [], Counter())
        now = self._clock()
        for item in items:
            at = origin if item.position == 0 else replace(origin, index=item.position)
            self._put(taken, item.end, item.original, at, now)
        return taken

    def take_unit(self, end: End, original: bytes, origin: Origin) -> Taken:
        """One unit that a format has already told apart, as a row of an extract."""
        taken = Taken([], [], Counter())
        self._put(taken, end, original, origin, self._clock())
        return taken

    def take_event(self, event: Event, origin: Origin) -> Event:
        """One event of a source, as a canonical event. What ingest fills is overwritten, whatever was sent there."""
        return self._canonical(event, origin, self._clock())

    def _put(self, taken: Taken, end: End, original: bytes, origin: Origin, now: datetime) -> None:
        if isinstance(end, Event):
            end = _of_its_topic(end, origin.topic)
        if isinstance(end, Event):
            taken.events.append(self._canonical(end, origin, now))
        elif isinstance(end, Ignored):
            taken.ignored[end.kind] += 1
        else:
            taken.refused.append(dead_letter(end, original, origin, now))

    def _canonical(self, event: Event, origin: Origin, now: datetime) -> Event:
        return replace(
            event,
            event_id=identity.event_id(origin),
            ingested_at=now,
            origin=origin,
            **self._resolved(event),
        )

    def _resolved(self, event: Event) -> dict[str, Any]:
        match event:
            case Prescription() | Dispensing():
                return {"drug": self._drug(event.drug), "dosage": self._understood(event.dosage)}
            case Administration():
                return {"drug": self._drug(event.drug)}
            case LabResult():
                return self._measured(event)
            case Patient(allergies=tuple() as allergies):
                return {"allergies": tuple(replace(a, substance=self._drug(a.substance)) for a in allergies)}
            case AllergyRecord(allergy=allergy):
                return {"allergy": replace(allergy, substance=self._drug(allergy.substance))}
            case _:
                return {}

    def _measured(self, result: LabResult) -> dict[str, Any]:
        """What ``result`` measured. A text that is exactly a number is one; a text that says so makes the specimen haemolysed."""
        said: dict[str, Any] = {}
        value = result.value if isinstance(result.value, float | int) else None
        specimen = result.specimen if isinstance(result.specimen, Specimen) else None
        if result.text:
            if value is None and (number := labs.number_in(result.text)) is not None:
                value, comparator = number
                said = {"value": value, "comparator": comparator or result.comparator}
            if (specimen is None or specimen.haemolysed is UNSET) and labs.says_haemolysed(result.text):
                said["specimen"] = replace(specimen or Specimen(), haemolysed=True)
        kind = specimen.kind if specimen is not None and isinstance(specimen.kind, str) else ""
        measured = labs.canonical(result.codings, value, result.unit, self._knowledge, kind)
        return said | {
            "analyte": measured.analyte,
            "canonical_value": measured.value,
            "canonical_unit": measured.unit,
            "remark": measured.remark,
            "measured_in": measured.measured_in,
            "drawn": measured.drawn,
        }

    def _drug(self, drug: Drug) -> Drug:
        asked = drug if drug.resolution is None else replace(drug, resolution=None)
        short = len(asked.codings) + len(asked.ingredients) <= _CODES_REMEMBERED
        return self._remembered(asked) if short else self._resolve(asked)


def _of_its_topic(event: Event, topic: str) -> Event | Refusal:
    """A person's event among those of synthetic patients would alert nobody."""
    patients = {"$.patient_id": event.patient_id}
    if isinstance(event, Patient) and event.merged_into is not None:
        patients["$.merged_into"] = event.merged_into
    for place, patient_id in patients.items():
        if is_canary(patient_id) != (topic == CANARIES):
            only = f"ids that begin with {PREFIX} are taken on {CANARIES}, and no other ids are taken there"
            return Refusal("reserved_patient", only, place)
    return event


def dead_letter(refusal: Refusal, original: bytes, origin: Origin, now: datetime) -> DeadLetter:
    """The dead letter of a refused unit."""
    return DeadLetter(
        reason=refusal.reason,
        detail=refusal.detail,
        place=refusal.place,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        index=origin.index,
        original=original,
        received_at=origin.received_at,
        refused_at=now,
        refused_by="ingest",
    )
