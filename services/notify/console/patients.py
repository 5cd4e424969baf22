"""The pages of patients: search, and one patient's picture.

A search by a patient's id is posted, and a picture has a key in its address, so that no id ends in a browser's history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Request, get, post
from litestar.response import Redirect

from schemas.patients import PatientPicture
from services.notify.console.pages import Page, page
from services.notify.desk import Desk
from services.notify.store import pictures
from services.notify.store.pictures import patient_key

_NONE = "There is no picture of this patient: none has come yet, or it was erased."


class PatientPages(Controller):
    @get("/patients")
    async def listed(self, desk: Desk, unit: str = "", drug: str = "") -> Page:
        return await _search(desk, await pictures.listed(desk.pool, unit, drug), unit=unit, drug=drug)

    @post("/patients", status_code=200)
    async def by_id(self, desk: Desk, request: Request[Any, Any, Any]) -> Page | Redirect:
        """The one patient of this id, or those whose id begins so."""
        begins = str((await request.form()).get("patient", "")).strip()
        found = await pictures.by_id(desk.pool, begins)
        exact = [picture for picture in found if picture.patient_id.lower() == begins.lower()]
        for only in (exact, found):
            if len(only) == 1:
                return Redirect(f"/patients/{patient_key(only[0].patient_id)}", status_code=303)
        return await _search(desk, found, begins=begins, status=200 if found else 404)

    @get("/patients/{key:str}")
    async def one(self, desk: Desk, key: str) -> Page:
        picture = await pictures.find(desk.pool, key)
        if picture is None:
            return page("sorry.html", 404, list="patients", status=404, words=_NONE)
        return page("patient.html", list="patients", key=key, picture=picture, words=_NONE, now=desk.clock())

    @get("/fragments/patients/{key:str}")
    async def fragment(self, desk: Desk, key: str) -> Page:
        picture = await pictures.find(desk.pool, key)
        return page("patient_fragment.html", picture=picture, words=_NONE, now=desk.clock())


async def _search(
    desk: Desk, found: Sequence[PatientPicture], unit: str = "", drug: str = "", begins: str = "", status: int = 200
) -> Page:
    return page(
        "patients.html",
        status,
        list="patients",
        patients=[(patient_key(picture.patient_id), picture) for picture in found],
        units=await pictures.units(desk.pool),
        unit=unit,
        drug=drug,
        begins=begins,
        most=pictures.SHOWN,
        now=desk.clock(),
    )
