"""What a written rule asks of a patient, and how grave it is: the gravest step whose conditions all hold."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from knowledge.conditions import Conditions
from knowledge.written import WrittenRule, WrittenStep
from schemas.values import SEVERITIES, Severity
from services.monitor.rules.conditions import Answer, Situation, answers, earliest


class Held(NamedTuple):
    """A rule that holds: how grave, by which step (None: by none of them), and what was answered. ``open_`` are answers that are
    not known and could make it graver; ``until`` is when time alone may change any of it."""

    severity: Severity
    step: WrittenStep | None
    answers: tuple[Answer, ...]
    open_: tuple[Answer, ...]
    until: datetime | None


class Not(NamedTuple):
    """One that does not, and when time alone may change that; None: never."""

    until: datetime | None


def asked(rule: WrittenRule, of: Situation) -> Held | Not:
    """What holds of the whole rule, and then of its steps."""
    found, waits = _all(rule.when, rule.unless, of)
    if waits is not None:
        return waits
    open_, times = list[Answer](), [each.until for each in found]
    for step in _graver(rule):
        of_step, waits = _all(step.when, step.unless, of)
        if waits is None:
            times += [each.until for each in of_step]
            return Held(step.severity, step, (*found, *of_step), tuple(open_), earliest(times))
        times.append(waits.until)
        if not any(each.holds is False for each in of_step):
            open_ += [each for each in of_step if each.holds is None]
    if rule.severity is None:
        return Not(earliest(times))
    return Held(rule.severity, None, found, tuple(open_), earliest(times))


def _graver(rule: WrittenRule) -> list[WrittenStep]:
    """The steps that are graver than the rule itself, gravest first."""
    mildest = len(SEVERITIES) if rule.severity is None else SEVERITIES.index(rule.severity)
    graver = [each for each in rule.steps if SEVERITIES.index(each.severity) < mildest]
    return sorted(graver, key=lambda each: SEVERITIES.index(each.severity))


def _all(when: Conditions, unless: Conditions, of: Situation) -> tuple[tuple[Answer, ...], Not | None]:
    """The answers, and None where all of ``when`` hold and none of ``unless`` does. What is not known excludes nothing and
    fulfils nothing. Asks no further than the first answer that no time can change."""
    found, times = list[Answer](), list[datetime | None]()
    for condition, wanted in (*((each, True) for each in when), *((each, False) for each in unless)):
        (answer,) = answers((condition,), of)
        if wanted:
            found.append(answer)
        if (answer.holds is True) != wanted:
            if answer.until is None:
                return tuple(found), Not(None)
            times.append(answer.until)
    return tuple(found), Not(earliest(times)) if times else None
