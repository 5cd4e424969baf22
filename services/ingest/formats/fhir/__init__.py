"""FHIR R4 as JSON: single resources and bundles of any type. Pure: bytes in, ends out; no input makes it raise.

A resource is a unit; so is each component of a panel. In a bundle references are resolved first, then each resource is read by
itself, and a bad one refuses itself and not its bundle. What is read is in ``resources``; the rest of a resource is passed by.
A resource type that is known and not used is ignored by its name, and a state of one that says nothing that happened (a plan,
a draft) by its name and the state. Refusals name the path (``Bundle.entry[3].resource.dosageInstruction[0].timing``) and
repeat no value.
"""

from __future__ import annotations

from services.ingest.formats.fhir.bundle import MARK, read

__all__ = ["MARK", "read"]
