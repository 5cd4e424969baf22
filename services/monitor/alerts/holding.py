"""Which findings reach a person. One problem is one alert: of several that show it, one speaks, as gravely as the gravest,
and the others wait.

Pure, and the same whatever the order in which the findings came to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.values import SEVERITIES, Severity
from services.monitor.patient.clock import said_at

_SEVERAL = 2
"""Medicines from which on a set of them is one problem: two rules about one medicine may mean two things."""


class Candidate(NamedTuple):
    """A finding that is true. ``place`` is that of its rule; ``held`` and ``opens`` are what its rule says."""

    key: str
    severity: Severity
    rank: float
    place: int
    medicines: frozenset[str]
    problem: str
    held: str
    opens: datetime | None


class Hold(NamedTuple):
    """Why a finding is no alert now. ``by``: the key of a graver one; ``until``: when that may change by itself."""

    reason: str
    by: str = ""
    until: datetime | None = None


class Raised(NamedTuple):
    """How gravely a finding speaks for one that is graver than itself, and the key of that one."""

    severity: Severity
    by: str


class Holding(NamedTuple):
    """``held``: what is held back, by key. ``raised``: what speaks more gravely than it would for itself, because something
    graver that it speaks for shows the same problem."""

    held: Mapping[str, Hold]
    raised: Mapping[str, Raised]


def held_back(candidates: Iterable[Candidate], clock: datetime) -> Holding:
    """Which of ``candidates`` speak, and how gravely."""
    held: dict[str, Hold] = {}
    waiting: list[Candidate] = []
    for each in candidates:
        hold = _own_hold(each, clock)
        if hold is None:
            waiting.append(each)
        else:
            held[each.key] = hold
    raised: dict[str, Raised] = {}
    speaking = _by_problem(waiting, held, raised)
    graver: list[Candidate] = []
    for each in sorted(speaking, key=_gravest_first):
        over = next((other for other in graver if _covers(other, each)), None)
        if over is None:
            graver.append(each)
        else:
            held[each.key] = Hold("A graver alert is about the same medicines.", by=over.key)
            raised.pop(each.key, None)
    for key, hold in held.items():
        # one whose speaker is itself held back is spoken for by what holds that
        if hold.by in held:
            held[key] = hold._replace(by=held[hold.by].by)
    return Holding(held, raised)


def _own_hold(each: Candidate, clock: datetime) -> Hold | None:
    if each.held:
        return Hold(each.held)
    if each.opens is not None and each.opens > clock:
        return Hold(f"Time is given until {said_at(each.opens)} for this to be put right.", until=each.opens)
    return None


def _by_problem(found: Iterable[Candidate], held: dict[str, Hold], raised: dict[str, Raised]) -> list[Candidate]:
    """One of each problem, as grave as the gravest. It is that of the earliest rule, not the gravest itself: while a value moves,
    now one rule is graver and now another, and the alert that a person knows is to stay the same."""
    speaking: list[Candidate] = []
    problems: dict[str, list[Candidate]] = {}
    for each in found:
        (problems.setdefault(each.problem, []) if each.problem else speaking).append(each)
    for same in problems.values():
        speaker = min(same, key=lambda each: (each.place, *_gravest_first(each)))
        gravest = min(same, key=_gravest_first)
        for each in same:
            if each is not speaker:
                held[each.key] = Hold("Another alert shows the same problem.", by=speaker.key)
        if gravest.severity != speaker.severity:
            raised[speaker.key] = Raised(gravest.severity, gravest.key)
            speaker = speaker._replace(severity=gravest.severity)
        speaking.append(speaker)
    return speaking


def _gravest_first(each: Candidate) -> tuple[int, int, float, str]:
    return (SEVERITIES.index(each.severity), each.place, -each.rank, each.key)


def _covers(graver: Candidate, lesser: Candidate) -> bool:
    """Whether it is graver and about the same medicines. Two equally grave findings about them may be two mechanisms."""
    more = SEVERITIES.index(graver.severity) < SEVERITIES.index(lesser.severity)
    return more and len(lesser.medicines) >= _SEVERAL and lesser.medicines <= graver.medicines
