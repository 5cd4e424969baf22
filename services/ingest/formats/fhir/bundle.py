"""From a FHIR text to its ends: one resource, or the resources of a bundle."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, MutableMapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from schemas.events import Event
from services.ingest.formats import End, Ignored, Refusal
from services.ingest.formats.faults import refusal
from services.ingest.formats.fhir import medicines, observations, people
from services.ingest.formats.fhir import resources as fhir
from services.ingest.formats.fhir.elements import FaultError, instant
from services.ingest.formats.fhir.kinds import RESOURCE_TYPES
from services.ingest.formats.fhir.references import Identified, NotUsedError, Stub, Surroundings
from services.ingest.formats.framing import COMMAS_PER_UNIT, MAX_UNITS, Part, too_many
from services.ingest.formats.halves import put_aside, put_back
from services.ingest.formats.strict import unsayable

MARK = b'"resourceType"'
"""A text without it is no FHIR; the name of a field is never escaped by any writer that we know of."""
_ESCAPE = b"\\u00"
"""How JSON writes NUL and U+001F, among others."""
_MAX_DEPTH = 4
"""Bundles in bundles: a batch of searches comes back as two."""

_resource = msgspec.json.Decoder(fhir.Used | fhir.Bundle).decode
_entry = msgspec.json.Decoder(fhir.Entry).decode
_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError)


class _Head(Struct, rename={"kind": "resourceType"}):
    kind: Raw | UnsetType = UNSET
    id: Any = None


_head = msgspec.json.Decoder(_Head).decode
_text = msgspec.json.Decoder(str).decode

_Found = Identified | fhir.Bundle | Ignored | Refusal
_READ: dict[type, Callable[[Any, Surroundings], Event]] = {
    fhir.Patient: people.person,
    fhir.Encounter: people.encounter,
    fhir.Condition: people.condition,
    fhir.AllergyIntolerance: people.allergy,
    fhir.MedicationRequest: medicines.request,
    fhir.MedicationStatement: medicines.statement,
    fhir.MedicationDispense: medicines.dispense,
    fhir.MedicationAdministration: medicines.administration,
}


class _Unit(NamedTuple):
    """An entry of a bundle: its bytes, where it stands, and what it is so far."""

    original: bytes
    place: str
    found: _Found


def read(text: bytes, most: int = MAX_UNITS, received_at: datetime | None = None) -> list[Part] | None:
    """The ends of a FHIR resource; None when ``text`` is no JSON object with a ``resourceType``. Never raises.

    ``received_at`` is the time of what has no time of its own. A bundle of more than ``most`` entries is refused whole.
    """
    found = _decoded(text) or _despite_halves(text)
    if found is None:
        return None
    around = Surroundings({}, received_at, _ESCAPE in text)
    if isinstance(found, fhir.Bundle):
        return _bundle(text, found, "Bundle", most, around, 1)
    return [(text, end) for end in _ends(text, found, None, around)]


def _despite_halves(text: bytes) -> fhir.Bundle | None:
    """A bundle that only cannot be read because one of its entries has half a character."""
    aside = put_aside(text)
    found = _decoded(aside) if aside is not None else None
    if not isinstance(found, fhir.Bundle):
        return None
    return replace(found, entry=tuple(Raw(put_back(bytes(raw))) for raw in found.entry))


def _decoded(text: bytes) -> _Found | None:
    """None when it is no FHIR at all."""
    try:
        found: Identified | fhir.Bundle = _resource(text)
        return found
    except _ERRORS as error:
        return _other(text, error)


def _other(text: bytes, error: Exception) -> _Found | None:
    try:
        head = _head(text)
        if isinstance(head.kind, UnsetType):
            return None
    except _ERRORS:
        return None
    try:
        name = _text(head.kind)
    except _ERRORS:
        return Refusal("unknown_type", "resourceType is no text", "$.resourceType")
    if name not in RESOURCE_TYPES:
        return Refusal("unknown_type", "no resource type of FHIR R4", "$.resourceType")
    if name in _USED:
        return refusal(error)
    return Ignored(name)


_USED = {"Bundle", "Medication", "Observation", *(kind.__name__ for kind in _READ)}


def _bundle(text: bytes, bundle: fhir.Bundle, place: str, most: int, outer: Surroundings, depth: int) -> list[Part]:
    if len(bundle.entry) > most or text.count(b",") > most * COMMAS_PER_UNIT:
        return [(text, too_many(most))]
    if not bundle.entry:
        return [(text, Ignored("Bundle/empty"))]
    try:
        known_at = instant(bundle.timestamp, "timestamp") or outer.known_at
    except FaultError:
        known_at = outer.known_at  # a fault in what no resource may need
    # a copy for each of many bundles in a bundle would take minutes
    targets: MutableMapping[str, Identified] = ChainMap({}, outer.targets) if outer.targets else {}
    units = [_unit(bytes(raw), f"{place}.entry[{number}]", targets) for number, raw in enumerate(bundle.entry)]
    around = Surroundings(targets, known_at, outer.escapes)
    parts: list[Part] = []
    for unit in units:
        if isinstance(unit.found, fhir.Bundle):
            parts += _inner(unit, unit.found, most, around, depth)
        else:
            parts += [(unit.original, end) for end in _ends(unit.original, unit.found, unit.place, around)]
        if len(parts) > most:
            return [(text, too_many(most))]  # before the components of thousands of panels fill the memory
    return parts


def _inner(unit: _Unit, bundle: fhir.Bundle, most: int, around: Surroundings, depth: int) -> list[Part]:
    if depth >= _MAX_DEPTH:
        return [(unit.original, Refusal("schema", "bundles nested too deeply", unit.place))]
    return _bundle(unit.original, bundle, unit.place, most, around, depth + 1)


def _unit(raw: bytes, place: str, targets: MutableMapping[str, Identified]) -> _Unit:
    try:
        entry = _entry(raw)
    except _ERRORS as error:
        return _unit_despite_halves(raw, place) or _Unit(raw, place, refusal(error))
    if entry.resource is UNSET:
        # a request to read or delete, or the answer to a request
        return _Unit(raw, place, Ignored(f"Bundle.entry/{entry.request.method if entry.request else 'no resource'}"))
    text, place = bytes(entry.resource), f"{place}.resource"
    found = _decoded(text)
    if found is None:
        return _Unit(text, place, Refusal("schema", "no resource: an object with a resourceType is wanted", "$"))
    _index(entry, text, found, targets)
    return _Unit(text, place, found)


def _unit_despite_halves(raw: bytes, place: str) -> _Unit | None:
    """An entry that is a bundle of this kind itself."""
    aside = put_aside(raw)
    try:
        resource = _entry(aside).resource if aside is not None else UNSET
    except _ERRORS:
        return None
    text = put_back(bytes(resource)) if isinstance(resource, Raw) else b""
    found = _despite_halves(text)
    return _Unit(text, f"{place}.resource", found) if found is not None else None


def _index(entry: fhir.Entry, text: bytes, found: _Found, targets: MutableMapping[str, Identified]) -> None:
    """Resources that are not used have an identity too: an order's prescriber may be one."""
    if isinstance(found, fhir.Bundle | Refusal):
        return
    name = found.kind if isinstance(found, Ignored) else type(found).__name__
    meant = _stub(text) if isinstance(found, Ignored) else found
    if entry.fullUrl:
        targets.setdefault(entry.fullUrl, meant)
    if meant.id:
        targets.setdefault(f"{name}/{meant.id}", meant)


def _stub(text: bytes) -> Stub:
    id_ = _head(text).id
    return Stub(id=id_ if isinstance(id_, str) and 0 < len(id_) <= fhir.MAX_KEY else None)


def _ends(text: bytes, found: Identified | Ignored | Refusal, place: str | None, around: Surroundings) -> Sequence[End]:
    """``place`` is where the resource stands, None for one that stands alone."""
    if isinstance(found, Ignored):
        return [found]
    if isinstance(found, Refusal):
        return [_placed(found, place or _name(text))]
    try:
        if isinstance(found, fhir.Observation):
            if len(found.component) > MAX_UNITS:
                return [too_many(MAX_UNITS)]
            ends = observations.observation(found, around)
        elif isinstance(found, fhir.Medication):
            ends = [Ignored("Medication")]  # read where a reference means it
        else:
            ends = [_READ[type(found)](found, around)]
    except NotUsedError as unused:
        return [unused.ignored]
    except FaultError as fault:
        ends = [Refusal("schema", fault.detail, f"$.{fault.place}")]
    if around.escapes:
        ends = [(unsayable(end) or end) if isinstance(end, Event) else end for end in ends]
    root = place or type(found).__name__
    return [_placed(end, root) if isinstance(end, Refusal) else end for end in ends]


def _name(text: bytes) -> str:
    """The name of a resource that was refused whole; that of one that FHIR does not have is not repeated."""
    try:
        kind = _head(text).kind
        name = _text(kind) if isinstance(kind, Raw) else ""
    except _ERRORS:
        return "$"
    return name if name in RESOURCE_TYPES else "$"


def _placed(found: Refusal, root: str) -> Refusal:
    return found._replace(place=root + found.place.removeprefix("$"))
