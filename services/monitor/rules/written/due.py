"""Results that a written rule wants while a medicine acts: which are missing, and which are due when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from knowledge.written import Missing
from services.monitor.patient.clock import earlier, later
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState


class Due(NamedTuple):
    """One result that is wanted: any of ``names``. ``at`` is when it is due, ``since`` from when it is counted; ``last`` is the
    newest, None where there never was one."""

    names: tuple[str, ...]
    since: datetime
    at: datetime
    last: Result | None


def dues(missing: Missing, began: datetime, state: PatientState) -> Iterator[Due]:
    """What is due next of each result, in the past or in the future; nothing of one that is not wanted any more."""
    for names in missing.results:
        last = _newest(names, state)
        found = _next(missing, began, last)
        if found is not None:
            yield Due(names, *found, last)


def _next(missing: Missing, began: datetime, last: Result | None) -> tuple[datetime, datetime] | None:
    """From when it counts and when it is due."""
    if missing.before_start is not None and (last is None or last.at < earlier(began, missing.before_start)):
        return began, began
    if last is None or last.at < began:
        since, span = began, missing.first_within or missing.at_first_every or missing.then_every
    else:
        since, span = last.at, _often(missing, last.at - began)
    return None if span is None else (since, later(since, span))


def _often(missing: Missing, after: timedelta) -> timedelta | None:
    if missing.at_first_every is not None and missing.at_first_for is not None and after < missing.at_first_for:
        return missing.at_first_every
    return missing.then_every


def _newest(names: tuple[str, ...], state: PatientState) -> Result | None:
    found = (next((each for each in reversed(state.results.get(name, ())) if each.measured), None) for name in names)
    return max((each for each in found if each is not None), key=lambda each: (each.at, each.record_id), default=None)
