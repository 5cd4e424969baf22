"""Renders the pages."""

from __future__ import annotations

from typing import Any, TypeAlias

import jinja2
from litestar import MediaType, Response

from schemas.feedback import REASONS
from schemas.values import SEVERITIES
from services.notify.console import picture, words
from services.notify.store.alerts import FOR_THE_PATIENT, SHOWN
from services.notify.store.pictures import gravest, patient_key

Page: TypeAlias = Response[str]

_environment = jinja2.Environment(
    loader=jinja2.PackageLoader("services.notify.console"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    utc=words.utc,
    machine=words.machine,
    ago=words.ago,
    change=words.change,
    kind=words.kind,
    reason=words.reason,
    value=words.value,
    age=picture.age,
    analyte=picture.analyte,
    reading=picture.reading,
    converted=picture.converted,
    remark=picture.remark,
    trend=picture.trend,
    asked=picture.asked,
    basis=picture.basis,
    gravest=gravest,
    how=picture.how,
    measure=picture.measure,
    measured=picture.measured,
    taken=picture.taken,
    patient_key=patient_key,
)
_environment.globals.update(reasons=REASONS, severities=SEVERITIES, shown=SHOWN, for_the_patient=FOR_THE_PATIENT)


def render(template: str, **values: Any) -> str:
    """The page of ``templates/<template>``. Every value is escaped."""
    return _environment.get_template(template).render(values)


def page(template: str, status_code: int = 200, /, **values: Any) -> Page:
    """The page as an answer."""
    return Response(render(template, **values), status_code=status_code, media_type=MediaType.HTML)
