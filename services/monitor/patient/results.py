"""Laboratory results: the newest version of each stands, whatever analyte it and an older one name."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from schemas.events import LabResult
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.known import known_or
from services.monitor.patient.precedence import precedence
from services.monitor.patient.state import MAX_RESULTS, PatientState, Result

_STATUS = ("preliminary", "final", "corrected", "cancelled", "entered_in_error")
OF_EACH_KIND = 8
"""More than two machines at a bedside report for one time."""
_TAKES_BACK = frozenset({"corrected", "cancelled", "entered_in_error"})


def with_result(state: PatientState, event: LabResult) -> PatientState:
    """The state with the result as ``event`` leaves it; ``state`` itself when it changes nothing.

    A result without an analyte is kept when it replaces one, or may: a cancellation often has a local code only, and may come
    before the result that it cancels.
    """
    result, known = _result(event), _known(state, event)
    if known is None:
        replaces = event.status in _TAKES_BACK or event.version > 1
        return _with(state, event.analyte, result) if event.analyte or replaces else state
    analyte, old = known
    if old.precedence >= result.precedence:
        return state
    return _with(_without(state, analyte, old), event.analyte, result)


def _known(state: PatientState, event: LabResult) -> tuple[str, Result] | None:
    thing = (event.source, event.record_id)
    # almost always under the analyte that it names
    for analyte in dict.fromkeys((event.analyte, *state.results)):
        for result in state.results.get(analyte, ()):
            if (result.source, result.record_id) == thing:
                return analyte, result
    return None


def _without(state: PatientState, analyte: str, result: Result) -> PatientState:
    left = tuple(each for each in state.results[analyte] if each is not result)
    others = {name: results for name, results in state.results.items() if name != analyte}
    return replace(state, results={**others, analyte: left} if left else others)


def _with(state: PatientState, analyte: str, result: Result) -> PatientState:
    """The newest results are kept, and some of each kind, so that no number of results that say nothing pushes out the one
    that counts. What is kept does not depend on the order of arrival."""
    results = sorted((*state.results.get(analyte, ()), result), key=lambda r: (r.at, r.source, r.record_id))
    if len(results) > MAX_RESULTS:
        of_kind: Counter[tuple[bool, bool]] = Counter()
        kept = []
        for place, each in enumerate(reversed(results)):
            of_kind[_kind(each)] += 1
            if place < MAX_RESULTS or of_kind[_kind(each)] <= OF_EACH_KIND:
                kept.append(each)
        results = kept[::-1]
    return replace(state, results={**state.results, analyte: tuple(results)})


def _kind(result: Result) -> tuple[bool, bool]:
    return result.measured, result.sure


def _result(event: LabResult) -> Result:
    comparator, value = event.comparator or "", known_or(event.value, None)
    return Result(
        source=event.source,
        record_id=event.record_id,
        version=event.version,
        precedence=precedence(event, _STATUS.index(event.status)),
        at=clinical_time(event),
        value=event.canonical_value,
        unit=event.canonical_unit,
        comparator=comparator,
        text=event.text,
        label=next((coding.display for coding in event.codings if coding.display), event.analyte),
        status=event.status,
        void=event.status in ("cancelled", "entered_in_error"),
        origin=event.origin,
        received="" if value is None else f"{comparator}{value:.10g} {event.unit}".strip(),
        remark=event.remark,
    )
