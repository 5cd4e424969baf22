"""Synthetic patients: how they are told from real ones, everywhere.

Ingest takes ids with the prefix on ``topics.CANARIES`` only, and no others there. So nobody whose id begins with it is a person.
"""

from __future__ import annotations

PREFIX = "rxvigil-canary:"
_KEY = PREFIX.encode()


def is_canary(patient_id: str) -> bool:
    """Whether an id is that of a synthetic patient."""
    return patient_id.startswith(PREFIX)


def is_canary_key(key: bytes | None) -> bool:
    """The same of the key of a record."""
    return key is not None and key.startswith(_KEY)
