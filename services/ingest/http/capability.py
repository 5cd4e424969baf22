"""What `GET /fhir/metadata` says: FHIR's CapabilityStatement (R4)."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any, get_args

from services.ingest.formats.fhir import resources

READ = tuple(sorted(str(each.__struct_config__.tag) for each in get_args(resources.Used)))
"""The resource types that are read; others are counted as ignored."""

_HOW = (
    "POST a Bundle of any type, or one resource, to the base. No resource can be read, searched or changed here, and a "
    "transaction is not atomic: each resource is taken or refused by itself. 202 with an OperationOutcome says that the "
    "message is kept and will be handled; an error issue names each part that is refused. 422: nothing in it can be used. "
    "503: send it again. The same message sent again changes nothing."
)


@cache
def capability_statement() -> dict[str, Any]:
    """Kind ``instance``: how this server behaves, and nothing that it does not do."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "software": {"name": "rxvigil", "version": metadata.version("rxvigil")},
        "implementation": {"description": "rxvigil ingest: medication-safety monitor"},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _HOW,
                "resource": [{"type": each} for each in READ],
                "interaction": [{"code": "batch"}],
            }
        ],
    }
