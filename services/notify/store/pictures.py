"""The picture of each patient as last published, and the ways to find it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas import codec
from schemas.identity import fixed_id
from schemas.patients import PatientPicture
from schemas.values import SEVERITIES, Severity
from services.notify.store.sql import load

_SQL = load("pictures")

SHOWN = 100
"""The patients that a search gives when it names no number, and the most that a page shows."""
MOST = 500
"""The most patients that a search gives."""
_UNITS = 500
_WORD = re.compile(r"\w+")
_WORD_LENGTH, _WORDS = 40, 4000
"""Postgres holds a megabyte of words a row; a label is free text, so what is kept of it has a bound."""


class Received(Struct, frozen=True):
    """A record of ``medication.patients``: who, the order of its writing, and the picture, None when it erases the patient."""

    patient_id: str
    epoch: int
    offset: int
    picture: PatientPicture | None


def patient_key(patient_id: str) -> str:
    """What stands for a patient in an address, so that no number of a person ends in histories, bookmarks and logs.

    It is the same on every machine and needs no table. It is no secret: who has the number can work it out.
    """
    return fixed_id("patient", patient_id)


async def put(connection: Any, found: Sequence[Received], now: datetime) -> int:
    """Store the newest picture of each patient; how many rows changed. What is there stays when it is of a later owner of the
    partition (``epoch``), or of the same and no older."""
    newest: dict[str, Received] = {}
    for one in found:
        known = newest.get(one.patient_id)
        if known is None or (known.epoch, known.offset) < (one.epoch, one.offset):
            newest[one.patient_id] = one
    # in one order everywhere, so that two processes never wait for each other
    rows = sorted(map(_row, newest.values()))
    columns = [list(column) for column in zip(*rows, strict=True)]
    return len(await connection.fetch(_SQL["put"], *columns, now)) if rows else 0


def _row(one: Received) -> tuple[Any, ...]:
    picture, key = one.picture, patient_key(one.patient_id)
    if picture is None:
        return (key, one.epoch, one.offset, None, "", "", None, None, "", None)
    return (
        key,
        one.epoch,
        one.offset,
        picture.patient_id,
        picture.facility.strip(),
        picture.unit.strip(),
        picture.clock,
        gravest(picture),
        " ".join(_words_of(picture)),
        codec.encode(picture).decode(),
    )


def gravest(picture: PatientPicture) -> Severity | None:
    """The severity of the gravest open problem."""
    return min((problem.severity for problem in picture.open), key=SEVERITIES.index, default=None)


def _words_of(picture: PatientPicture) -> list[str]:
    named = (text for medicine in picture.medicines for text in (medicine.label, *medicine.ingredients))
    return sorted({word for text in named for word in _words(text)})[:_WORDS]


def _words(text: str) -> list[str]:
    return [word[:_WORD_LENGTH] for word in _WORD.findall(text.casefold())]


async def find(connection: Any, key: str) -> PatientPicture | None:
    """The picture behind a ``patient_key``."""
    document = None if "\0" in key else await connection.fetchval(_SQL["find"], key)
    return None if document is None else codec.decode_picture(document)


async def listed(connection: Any, unit: str = "", drug: str = "", limit: int = SHOWN) -> list[PatientPicture]:
    """Patients of a unit who are on a medicine, the gravest open problem first; an empty text is any.

    ``drug`` are beginnings of words of labels and ingredients, all of which must be there: ``warf asp`` finds who has both.
    """
    unit, words = _plain(unit), _words(drug)
    if drug.strip() and not words:
        return []
    query = " & ".join(f"'{word}':*" for word in words)
    return _pictures(await connection.fetch(_SQL["listed"], unit or None, query or None, min(limit, MOST)))


async def by_id(connection: Any, begins: str, limit: int = SHOWN) -> list[PatientPicture]:
    """Patients whose id begins so, whether in capitals or not; none for an empty text."""
    begins = _plain(begins)
    if not begins:
        return []
    pattern = re.sub(r"([\\%_])", r"\\\1", begins) + "%"
    return _pictures(await connection.fetch(_SQL["by_id"], pattern, min(limit, MOST)))


async def units(connection: Any) -> list[str]:
    """Every unit that has patients, by name."""
    return [row["unit"] for row in await connection.fetch(_SQL["units"], _UNITS)]


def _plain(text: str) -> str:
    # Postgres has no NUL, so nothing that is stored holds one
    return text.strip().replace("\0", "")


def _pictures(rows: Sequence[Any]) -> list[PatientPicture]:
    return [codec.decode_picture(row["document"]) for row in rows]
