"""Who and what a resource is, and what its references mean: within its bundle, else by themselves."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from schemas.values import Key
from services.ingest.formats import Ignored
from services.ingest.formats.fhir import resources as fhir
from services.ingest.formats.fhir.elements import FaultError, instant
from services.ingest.formats.fhir.kinds import RESOURCE_TYPES

Identified = fhir.Resource | fhir.Observation
_MAX_KEY = 256
_MAX_VERSION = 2**53 - 1
_ETAG = re.compile(r'(?:W/)?"([^"]*)"')
"""Some servers write the version as in the header that names it: ``W/"3"``."""
_contained = msgspec.json.Decoder(fhir.Used).decode


class Stub(fhir.Resource):
    """A resource that is not read beyond its id."""


class Surroundings(NamedTuple):
    """What a resource cannot say itself: what the references in its bundle lead to (by full URL and by ``Type/id``), and when
    it was known at the latest (the bundle's time stamp, or when the record was received). ``escapes`` is whether a control
    character may stand in a text here: an id that has one comes with a reference into a resource that has none."""

    targets: MutableMapping[str, Identified]
    known_at: datetime | None
    escapes: bool


class NotUsedError(Exception):
    """The resource is known and not used."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.ignored = Ignored(kind)


def identity(resource: Identified) -> str | None:
    """The id, else the first identifier's value."""
    return resource.id or next((each.value for each in resource.identifier if each.value), None)


def record_id(resource: Identified) -> str:
    found = identity(resource)
    if found is None:
        raise FaultError("id", "neither an id nor an identifier")
    return found


def source(resource: Identified) -> str:
    """The system of the first identifier, else ``meta.source`` without its fragment, which names a message, else ``fhir``."""
    named = next((each.system for each in resource.identifier if each.system), None)
    if named is None and resource.meta is not None and resource.meta.source:
        named = resource.meta.source.partition("#")[0]
    return named or "fhir"


def version(resource: Identified) -> int:
    """The number that ``meta.versionId`` is, else 1: such versions are told from each other by ``recorded_at``."""
    text = _version_id(resource)
    if text is not None and text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_VERSION)):
        return int(text) if int(text) <= _MAX_VERSION else 1
    return 1


def _version_id(resource: Identified) -> str | None:
    text = resource.meta.versionId if resource.meta is not None else None
    if text is not None and (tagged := _ETAG.fullmatch(text)):
        return tagged[1]
    return text


def updated(resource: Identified) -> datetime | None:
    return instant(resource.meta.lastUpdated, "meta.lastUpdated") if resource.meta is not None else None


def changed(resource: Identified, first: datetime | None) -> datetime | None:
    """When a resource came to say what it says: of its first version ``first``; of a later one the time of that version, if it
    is known and not before. A system that loads old records gives them one version and the time of loading."""
    if _version_id(resource) in (None, "0", "1"):
        return first
    at = updated(resource)
    return at if at is not None and (first is None or at >= first) else first


def target(reference: fhir.Reference | None, around: Surroundings) -> Identified | None:
    """The resource of the bundle that ``reference`` means."""
    if reference is None or reference.reference is None or not around.targets:
        return None
    return around.targets.get(reference.reference) or around.targets.get("/".join(_parts(reference.reference)))


def key(reference: fhir.Reference | None, around: Surroundings) -> str | None:
    """The record id of what is meant; None when nothing is said that could be one."""
    if reference is None:
        return None
    if (found := target(reference, around)) is not None and (known := identity(found)) is not None:
        return known
    if reference.reference is not None and not reference.reference.startswith("#"):
        return _fitting(_parts(reference.reference)[1])
    return reference.identifier.value if reference.identifier is not None else None


def patient(reference: fhir.Reference | None, around: Surroundings, name: str, place: str) -> str:
    """The id of the patient. Raises ``FaultError`` where it is not said, and ``NotUsedError`` when the subject is no patient.

    A ``urn:uuid:`` means an entry of the same bundle and nothing else: the id under which the patient is known is there.
    """
    if reference is None or (reference.reference is None and reference.identifier is None):
        raise FaultError(place, "no reference to a patient")
    if (found := target(reference, around)) is not None:
        if not isinstance(found, fhir.Patient):
            raise NotUsedError(f"{name}/of no patient")
        return record_id(found)
    text = reference.reference
    if text is None:
        return _known(reference.identifier.value if reference.identifier is not None else None, place)
    if text.startswith("urn:"):
        raise FaultError(f"{place}.reference", "no entry of this bundle is meant: the patient's id is not known")
    if text.startswith("#"):
        raise FaultError(f"{place}.reference", "a contained patient has no id of its own")
    if "?" in text:
        raise FaultError(
            f"{place}.reference", "a conditional reference, which only the server it was meant for can follow"
        )
    kind, id_ = _parts(text)
    if kind != "Patient" and kind in RESOURCE_TYPES:
        raise NotUsedError(f"{name}/of no patient")
    if kind != "Patient":
        raise FaultError(f"{place}.reference", "no reference to a patient")
    return _known(_fitting(id_), place)


def medication(resource: fhir.MedicationUse, around: Surroundings) -> fhir.Medication | None:
    """The Medication that ``medicationReference`` means, contained or in the bundle."""
    reference = resource.medicationReference
    if reference is None or reference.reference is None:
        return None
    if reference.reference.startswith("#"):
        return _inside(resource, reference.reference[1:])
    found = target(reference, around)
    return found if isinstance(found, fhir.Medication) else None


def _inside(resource: fhir.MedicationUse, id_: str) -> fhir.Medication | None:
    for raw in resource.contained:
        try:
            found = _contained(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue  # a fault in what may not be meant; what is meant and not found is unresolved
        if isinstance(found, fhir.Medication) and found.id == id_:
            return found
    return None


def _parts(reference: str) -> tuple[str, str]:
    """Type and id of ``[base/]Type/id[/_history/version]``; of anything else an empty type and its last part."""
    text = reference.partition("/_history/")[0]
    before, _, id_ = text.rpartition("/")
    return before.rpartition("/")[2], id_.removeprefix("urn:uuid:").removeprefix("urn:oid:")


def _fitting(text: str) -> Key | None:
    return text if 0 < len(text) <= _MAX_KEY else None


def _known(id_: str | None, place: str) -> str:
    if id_ is None:
        raise FaultError(place, "the reference to the patient names no id")
    return id_
