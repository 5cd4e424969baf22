"""Renders the pages."""

from __future__ import annotations

from typing import Any

import jinja2

from schemas.feedback import REASONS
from schemas.values import SEVERITIES
from services.notify.console import words
from services.notify.store.alerts import SHOWN

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
)
_environment.globals.update(reasons=REASONS, severities=SEVERITIES, shown=SHOWN)


def render(template: str, **values: Any) -> str:
    """The page of ``templates/<template>``. Every value is escaped."""
    return _environment.get_template(template).render(values)
