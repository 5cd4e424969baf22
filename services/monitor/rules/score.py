"""A score from what is known (``drug_labs/scores.csv``): the least and the most that it can be, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from knowledge.conditions import Condition, Conditions
from knowledge.model import Knowledge
from knowledge.threshold import ScoreBand
from schemas.values import Citation
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers


class Part(NamedTuple):
    """A part with its least and most points; they differ where something is not known. ``found`` says from what."""

    name: str
    low: int
    high: int
    found: str
    answers: tuple[Answer, ...] = ()

    @property
    def known(self) -> bool:
        return self.low == self.high


class Score(NamedTuple):
    """``low`` counts only what is known to be so, ``high`` also all that may be."""

    parts: tuple[Part, ...]

    @property
    def low(self) -> int:
        return sum(part.low for part in self.parts)

    @property
    def high(self) -> int:
        return sum(part.high for part in self.parts)

    @property
    def said(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"

    @property
    def told(self) -> str:
        """Each part with its points."""
        points = (
            f"{p.name} {p.low if p.known else f'{p.low} to {p.high}'}" + (f" ({p.found})" if p.found else "")
            for p in self.parts
        )
        return ", ".join(points)

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts if not part.known)


def weighed(score: str, state: PatientState, knowledge: Knowledge, computed: Mapping[str, Part]) -> Score:
    """The parts of a score in the order of the file; those that rest on more than conditions are ``computed``."""
    of = Situation(state=state, knowledge=knowledge)
    parts = _parts_of(knowledge).get(score, {}).items()
    return Score(tuple(computed[name] if name in computed else _part(name, rows, of) for name, rows in parts))


_Rows = dict[str, dict[str, list[tuple[int, Conditions]]]]
_last: list[tuple[Knowledge, _Rows]] = []


def _parts_of(knowledge: Knowledge) -> _Rows:
    """By score and part its points and when it has them. What is asked stays the same object, so that it is asked once of a
    state."""
    if not _last or _last[0][0] is not knowledge:
        found: _Rows = {}
        for row in knowledge.thresholds.scores:
            when = tuple(_lasting(each, knowledge) for each in row.when)
            found.setdefault(row.score, {}).setdefault(row.part, []).append((row.points, when))
        _last[:] = [(knowledge, found)]
    return _last[0][1]


def band(score: str, points: int, knowledge: Knowledge) -> ScoreBand:
    """What a sum means."""
    reached = [each for each in knowledge.thresholds.bands if each.score == score and each.points_from <= points]
    return max(reached, key=lambda each: each.points_from)


def points(score: str, part: str, knowledge: Knowledge) -> list[int]:
    """The points that a part can have beside nothing, the least first."""
    return sorted(each.points for each in knowledge.thresholds.scores if (each.score, each.part) == (score, part))


def cited(score: str, knowledge: Knowledge) -> Iterable[Citation]:
    """The sources of a score."""
    of = knowledge.thresholds
    parts = (each.citations for each in of.scores if each.score == score)
    bands = (each.citations for each in of.bands if each.score == score)
    yield from chain(*parts, *bands)


def _lasting(condition: Condition, knowledge: Knowledge) -> Condition:
    """A result that is too old to say how the patient is now is not known."""
    lasting = knowledge.thresholds.lasting.get(condition.name)
    aged = condition.kind == "result" and condition.within is None and lasting is not None
    return replace(condition, within=lasting) if aged else condition


def _part(name: str, rows: Sequence[tuple[int, Conditions]], of: Situation) -> Part:
    low = high = 0
    found: list[Answer] = []
    for points, when in rows:
        said = answers(when, of)
        found += said
        if all(each.holds for each in said):
            low = max(low, points)
        if all(each.holds is not False for each in said):
            high = max(high, points)
    told = dict.fromkeys(each.found for each in found)
    return Part(name, low, high, "; ".join(told), tuple({each.condition.text: each for each in found}.values()))
