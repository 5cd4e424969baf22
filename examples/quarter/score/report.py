"""The figures for the page of the docs, and the lists to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from examples.quarter.cases import FAMILIES
from examples.quarter.score.matching import INTERRUPTS, SEVERITIES, Score, gravest
from schemas.alerts import Alert

BEGIN, END = "<!-- figures: written by `make quarter` -->", "<!-- end of figures -->"


def figures(score: Score) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| family | found | of | recall | at critical or high | hidden | look-alikes | interrupted | told below that |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for family in (each for each in FAMILIES if any(case.family == each for case in score.problems)):
        hidden = len([case for case in score.problems if case.family == family and case.hidden])
        alike = [case for case in score.lookalikes if case.family == family]
        loud = Counter(_interrupts(score.fooled[case]) for case in alike if case in score.fooled)
        grave = len([case for case in score.interrupting if case.family == family])
        cells = (family, *_share(*score.recall(family)), grave, hidden, len(alike), loud[True], loud[False])
        yield f"| {' | '.join(map(str, cells))} |"
    yield f"| **all** | {' | '.join(map(str, _share(*score.recall())))} | {len(score.interrupting)} | | | | |"
    yield ""
    yield "| severity reached | about a problem | of | precision |"
    yield "|---|---:|---:|---:|"
    for severities in (*((each,) for each in SEVERITIES), INTERRUPTS):
        right, of, part = _share(*score.precision(severities))
        yield f"| {' and '.join(severities)} | {right} | {of} | {part} |"


def lists(score: Score) -> Iterator[str]:
    """Every miss, and every alert that no problem explains."""
    yield f"MISSED ({len(score.missed)})"
    for case in score.missed:
        yield f"  {case.patient_id} {case.family}: {case.kind} ({', '.join(case.about)}), from {case.at[:16]}"
    for severity in SEVERITIES:
        rest = [alert for alert in score.about_none if gravest(alert) == severity]
        yield f"ABOUT NO PROBLEM, {severity} ({len(rest)})"
        for alert in rest:
            at = f"{alert.history[0].at:%Y-%m-%d %H:%M}"
            yield f"  {alert.patient_id} {alert.rule}, {alert.status}, from {at}: {alert.summary}"


def put_into(page: Path, lines: Iterable[str]) -> None:
    """The lines between the two marks of the page. Raises ``ValueError`` where it has none."""
    text = page.read_text(encoding="utf-8")
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{page}: the lines {BEGIN} and {END} are not both there; the figures go between them")
    page.write_text("\n".join((before + BEGIN, *lines, END + after)), encoding="utf-8")


def _interrupts(alerts: Iterable[Alert]) -> bool:
    return any(gravest(alert) in INTERRUPTS for alert in alerts)


def _share(part: int, of: int) -> tuple[int, int, str]:
    return part, of, f"{100 * part / of:.1f} %" if of else "-"
