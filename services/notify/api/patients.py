"""``/api/patients``: find patients, and one patient's picture.

A patient's own id is never part of an address: addresses end in histories and in the logs of what lies between. So a search by
it is a POST, and a picture has a key in its place.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import Parameter
from msgspec import Meta, Struct

from schemas.patients import PatientPicture
from services.notify.desk import Desk
from services.notify.store import pictures
from services.notify.store.pictures import MOST, SHOWN, patient_key

Limit = Annotated[int, Parameter(ge=1, le=MOST, description="the most patients to give")]


class Found(Struct, frozen=True):
    """A patient's picture under the key that stands for the patient in addresses."""

    key: str
    picture: PatientPicture


class Listing(Struct, frozen=True):
    """Patients in the order in which people look at them: the gravest open problem first; of a search by id, by id."""

    patients: list[Found]


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """``patient_id`` is the id or its beginning, in capitals or not."""

    patient_id: Annotated[str, Meta(min_length=1, max_length=256, pattern=r"\S")]
    limit: Annotated[int, Meta(ge=1, le=MOST)] = SHOWN


class Patients(Controller):
    path = "/patients"

    @get("/", summary="Patients of a unit who are on a medicine")
    async def listed(self, desk: Desk, unit: str = "", drug: str = "", limit: Limit = SHOWN) -> Listing:
        """``drug`` are beginnings of words of a medicine's label or ingredients, all of which must be found; both may be left
        out."""
        return _listing(await pictures.listed(desk.pool, unit, drug, limit))

    @post("/search", summary="Patients by their id", status_code=200)
    async def by_id(self, desk: Desk, request: Request[Any, Any, Any]) -> Listing:
        try:
            search = msgspec.json.decode(await request.body(), type=Search)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HTTPException(status_code=400, detail=f"The search cannot be read: {error}") from error
        return _listing(await pictures.by_id(desk.pool, search.patient_id, search.limit))

    @get("/{key:str}", summary="One patient's picture")
    async def one(self, desk: Desk, key: str) -> Found:
        picture = await pictures.find(desk.pool, key)
        if picture is None:
            raise NotFoundException("There is no picture under this key: none has come, or it was erased.")
        return Found(key, picture)


def _listing(found: list[PatientPicture]) -> Listing:
    return Listing([Found(patient_key(picture.patient_id), picture) for picture in found])
