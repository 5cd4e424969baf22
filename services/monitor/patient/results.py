"""Laboratory results: the newest version of each stands, whatever analyte it and an older one name."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from schemas.events import LabResult, Specimen
from services.monitor.patient.bounds import MAX_OF_EACH_KIND, MAX_TEXT, MAX_VOID, Need
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.known import known_or
from services.monitor.patient.precedence import precedence, stands
from services.monitor.patient.result import RESULT_STATUS, Result

Results = Mapping[str, tuple[Result, ...]]
"""By analyte, oldest first."""

_TAKES_BACK = frozenset({"corrected", "cancelled", "entered_in_error"})


def with_result(results: Results, event: LabResult, day: datetime, need: Need) -> Results:
    """The results with one as ``event`` leaves it; ``results`` itself when it changes nothing. ``need`` is that of its analyte.

    A result without an analyte counts when it may replace one: a cancellation often has a local code only, and may come
    before the result that it cancels.
    """
    if not event.analyte and event.status not in _TAKES_BACK and event.version <= 1:
        return results
    return with_version(results, event.analyte, _result(event), day, need)


def with_version(results: Results, analyte: str, result: Result, day: datetime, need: Need) -> Results:
    """The results with this version of one, when it stands over the one that is kept."""
    known = _known(results, result.source, result.record_id, analyte)
    if known is not None:
        former, old = known
        if stands(old.precedence, (former, _said(old)), result.precedence, (analyte, _said(result))):
            return results
        results = _without(results, former, old)
    return _with(results, analyte, result, day, need)


def _known(results: Results, source: str, record_id: str, likely: str) -> tuple[str, Result] | None:
    # almost always under the analyte that it names
    for analyte in (likely, *results):
        for result in results.get(analyte, ()):
            if result.record_id == record_id and result.source == source:
                return analyte, result
    return None


def _said(result: Result) -> Result:
    return replace(result, origin=None, precedence=(*result.precedence[:3], ""))


def _without(results: Results, analyte: str, result: Result) -> Results:
    left = tuple(each for each in results[analyte] if each is not result)
    others = {name: kept for name, kept in results.items() if name != analyte}
    return {**others, analyte: left} if left else others


def _with(results: Results, analyte: str, result: Result, day: datetime, need: Need) -> Results:
    before = results.get(analyte, ())
    place = bisect_right(before, _place(result), key=_place)
    kept = _kept((*before[:place], result, *before[place:]), day, need)
    return {**results, analyte: kept} if kept != before else results


def _place(result: Result) -> tuple[datetime, str, str]:
    return (result.at, result.source, result.record_id)


def _kept(results: tuple[Result, ...], day: datetime, need: Need) -> tuple[Result, ...]:
    """What rules need of results that are one sure number, and some of each other kind, so that no number of results that say
    nothing pushes out the one that counts. What is kept does not depend on the order of arrival."""
    if len(results) <= need.newest:
        return results
    of_kind: Counter[tuple[bool, bool, bool]] = Counter()
    kept = []
    for each in reversed(results):
        kind = (each.void, each.measured, each.sure)
        of_kind[kind] += 1
        place = of_kind[kind]
        if not each.sure:
            needed = place <= (MAX_VOID if each.void else MAX_OF_EACH_KIND)
        else:
            needed = place <= need.newest or (place <= need.most and day - each.at <= need.within)
        if needed:
            kept.append(each)
    return tuple(kept[::-1])


def _result(event: LabResult) -> Result:
    comparator, value = event.comparator or "", known_or(event.value, None)
    return Result(
        source=event.source,
        record_id=event.record_id,
        version=event.version,
        precedence=precedence(event, RESULT_STATUS.index(event.status)),
        at=clinical_time(event),
        value=event.canonical_value,
        unit=event.canonical_unit,
        comparator=comparator,
        text=event.text[:MAX_TEXT],
        label=next((coding.display for coding in event.codings if coding.display), event.analyte),
        status=event.status,
        void=event.status in ("cancelled", "entered_in_error"),
        origin=event.origin,
        received="" if value is None else f"{comparator}{value:.10g} {event.unit}".strip(),
        remark=event.remark,
        measured_in=event.measured_in,
        drawn=event.drawn,
        haemolysed=isinstance(event.specimen, Specimen) and event.specimen.haemolysed is True,
        flag="" if event.canonical_value is not None else known_or(event.flag, ""),
    )
