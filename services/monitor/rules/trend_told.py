"""A course of results as a finding: the values, how fast, and when a limit is reached at this rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from knowledge.trend import Repeated, Slope
from schemas.alerts import Condition as ConditionSaid
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.result import Result
from services.monitor.rules.conditions import Answer, earliest, said
from services.monitor.rules.evidence import implicate_result, value_of
from services.monitor.rules.rule import Finding
from services.monitor.rules.taken import Taken

_SUMMARY = 139
_SHOWN = 4
"""Low results named in the summary, the newest; the detail has all."""


class Moved(NamedTuple):
    """Three results, the newest last, and when the limit is ``reached`` if it goes on so."""

    row: Slope
    course: tuple[Result, Result, Result]
    reached: datetime | None
    acting: tuple[Taken, ...]
    answers: tuple[Answer, ...]


class Again(NamedTuple):
    """Results that are low, oldest first."""

    row: Repeated
    low: tuple[Result, ...]
    acting: tuple[Taken, ...]
    answers: tuple[Answer, ...]


def told_moved(found: Sequence[Moved]) -> Finding:
    """``found``: the rows of one analyte that hold, the gravest first, which speaks."""
    gravest = found[0]
    row, (first, second, newest) = gravest.row, gravest.course
    span, rises = newest.at - first.at, "rises" if row.moves == "rise" else "falls"
    reached = gravest.reached
    ahead = (
        row.title if reached is None or row.limit is None else f"{row.limit:g} about {said_at(reached)} at this rate"
    )
    values = f"{_values(row.analyte, gravest.course)} in {said_span(span)}"
    moved = abs((newest.value or 0) - (first.value or 0))
    return _finding(
        found,
        subject=f"{row.analyte}:{row.moves}",
        summary=_summary(values, found, ahead),
        detail=" ".join(
            (
                f"It {rises} by {moved:.3g}{_unit(newest)} in {said_span(span)}: {_listed(gravest.course)}.",
                *(
                    ()
                    if reached is None
                    else (f"At this rate it reaches {row.limit:g} about {said_at(reached)}, if nothing is done.",)
                ),
                *_more(gravest),
            )
        ),
        results=(newest, second, first),
        rank=round(moved / row.by, 6),
        asked=ConditionSaid(
            text=f"{row.analyte} {row.moves} >= {row.by:g} over three results",
            answer="yes",
            found=_listed(gravest.course),
        ),
    )


def told_again(found: Sequence[Again]) -> Finding:
    """As ``told_moved``."""
    gravest = found[0]
    row = gravest.row
    values = _values(row.analyte, gravest.low[-_SHOWN:])
    within = said_span(row.within)
    return _finding(
        found,
        subject=f"{row.analyte}:repeated",
        summary=_summary(values, found, row.title),
        detail=" ".join(
            (f"Below {row.below:g} {len(gravest.low)} times within {within}: {_listed(gravest.low)}.", *_more(gravest))
        ),
        results=gravest.low[::-1],
        rank=float(len(gravest.low)),
        asked=ConditionSaid(
            text=f"{row.analyte} < {row.below:g} at least {row.count} times within {within}",
            answer="yes",
            found=_listed(gravest.low),
        ),
    )


def _finding(
    found: Sequence[Moved] | Sequence[Again],
    *,
    subject: str,
    summary: str,
    detail: str,
    results: Sequence[Result],
    rank: float,
    asked: ConditionSaid,
) -> Finding:
    row = found[0].row
    acting = list({acts.ingredient: acts for each in found for acts in each.acting}.values())
    answers = {answer.condition.text: answer for each in found for answer in each.answers}.values()
    origins = [each.origin for each in results if each.origin is not None]
    return Finding(
        subject=subject,
        severity=row.severity,
        summary=summary,
        detail=detail,
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(
            dict.fromkeys((*(fact for acts in acting for fact in acts.facts), *map(implicate_result, results)))
        ),
        citations=tuple(dict.fromkeys(citation for each in found for citation in each.row.citations)),
        since=results[0].at,
        rank=rank,
        rows=tuple(each.row.row for each in found),
        conditions=(asked, *said(answers)),
        medicines=tuple(sorted({acts.ingredient for acts in acting})),
        problem=row.problem,
        origins=tuple(dict.fromkeys((*origins, *(origin for acts in acting for origin in acts.origins)))),
        until=earliest((*(acts.changes for acts in acting), *(answer.until for answer in answers))),
    )


def _summary(values: str, found: Sequence[Moved] | Sequence[Again], tail: str) -> str:
    """The values, as many names as fit, and what is ahead."""
    names = list(dict.fromkeys(acts.ingredient for each in found for acts in each.acting))
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        whole = f"{values} with {', '.join(names[:count])}{more}: {tail}"
        if len(whole) <= _SUMMARY:
            return whole
    return f"{values}: {tail}"[:_SUMMARY]


def _more(found: Moved | Again) -> Iterator[str]:
    yield found.row.effect
    yield "; ".join(f"{acts.ingredient} since {said_at(acts.starts)}" for acts in found.acting) + "."
    unknown = sorted({each.condition.text for each in found.answers if each.holds is None})
    if unknown:
        yield f"Not known: {', '.join(unknown)}."


def _listed(results: Sequence[Result]) -> str:
    return ", ".join(f"{value_of(each).removesuffix(' 1')} at {said_at(each.at)}" for each in results)


def _values(analyte: str, results: Sequence[Result]) -> str:
    return f"{_title(analyte)} {', '.join(f'{each.value:.4g}' for each in results)}{_unit(results[-1])}"


def _unit(result: Result) -> str:
    return "" if result.unit == "1" else f" {result.unit}"


def _title(analyte: str) -> str:
    """Potassium, but INR as it is written."""
    return analyte[:1].upper() + analyte[1:] if analyte.islower() else analyte
