"""An alert in plain words for the patient. Pure: the alert and the texts say it all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from knowledge.explanation import OTHER, Explanations, Language, Words
from schemas.alerts import Alert, Implicated

_NUMBER = re.compile(r"(?P<sign>[<>]?)=? ?(?P<whole>\d+)(?:\.(?P<part>\d+))?(?P<unit>(?: .*)?)")
"""A result as a laboratory writes it, where it can be written again in another language."""
_URGENT = ("critical", "high")
_SAYS_TOLD = "care team"
_SAYS_WHAT_TO_TAKE = re.compile(r"on your own|by yourself|do not take|no more of it|keep taking|keep on", re.IGNORECASE)
"""What an alert's own sentence has where it says itself what to do with the medicine: a second word on it could contradict."""


class Explained(Struct, frozen=True, kw_only=True):
    """Four paragraphs in ``language``: what was found, what it can do, whom to ask, when to seek help at once (empty where
    nothing of the kind is to be feared)."""

    language: str
    found: str
    why: str
    ask: str
    help: str


def explained(alert: Alert, language: Language, explanations: Explanations) -> Explained:
    """Never empty, whatever the alert: what has no entry of its own is told by that of everything.

    The sentence that the alert brings with it is in the first language and more specific than the entry's: there it stands in
    its place.
    """
    entry, words = language.entry(alert.rule, alert.family), language.words
    meaning = language.problems.get(alert.subject)
    own = _begun(alert.patient_explanation) if language is explanations.default else ""
    urgent = alert.severity in _URGENT
    help_ = (meaning.help if meaning else "") or entry.help or (language.families[OTHER].help if urgent else "")
    ended = {"resolved": words.resolved, "withdrawn": words.withdrawn}.get(alert.status, "")
    return Explained(
        language=language.code,
        found=_joined(ended, _filled(entry.found, _values(alert, words))),
        why=own or (meaning.why if meaning else entry.why),
        ask=_joined(
            words.told if urgent and not ended and _SAYS_TOLD not in own else "",
            entry.ask,
            "" if _SAYS_WHAT_TO_TAKE.search(own) else words.keep,
        ),
        help=_joined(help_, words.call if help_ else ""),
    )


def language_for(explanations: Explanations, asked: str, accepted: str) -> Language:
    """The language ``asked`` for by its tag, else the first that an ``Accept-Language`` header names, else the first there is."""
    tags = (asked, *_by_preference(accepted))
    return next(filter(None, (language_of(explanations, tag) for tag in tags)), explanations.default)


def language_of(explanations: Explanations, tag: str) -> Language | None:
    """That of a tag, whatever its region: ``de-AT`` is told as ``de``."""
    return explanations.languages.get(tag.strip().lower().partition("-")[0])


def _by_preference(accepted: str) -> list[str]:
    weighed: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        quality = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight)
        weighed.append((float(quality[1]) if quality else 1.0, tag))
    return [tag for quality, tag in sorted(weighed, key=lambda each: -each[0]) if quality]


def _filled(ways: Sequence[str], values: Mapping[str, str]) -> str:
    """The first way to say it that needs nothing more than there is."""
    for way in ways:
        needed = re.findall(r"\{(\w+)\}", way)
        if all(values.get(name) for name in needed):
            return way.format_map(values)
    return ways[-1]


def _values(alert: Alert, words: Words) -> dict[str, str]:
    newest, before = _measured(alert.implicated)
    return {
        "medicines": _listed([_name(each, words) for each in alert.medicines], words),
        "since": _date(alert.true_since, words),
        "result": f"{newest.label} {_said(newest, words)}" if newest else "",
        "taken": _date(newest.at, words) if newest else "",
        "before": _said(before, words) if before else "",
    }


class _Course(NamedTuple):
    newest: Implicated | None
    before: Implicated | None


def _measured(facts: Sequence[Implicated]) -> _Course:
    """The newest value of what stands first among the facts, and the oldest of the same where it was another."""
    values = [
        fact
        for fact in facts
        if fact.kind in ("lab_result", "observation") and (fact.received or fact.value is not None)
    ]
    same = sorted((fact for fact in values if fact.label == values[0].label), key=lambda fact: fact.at)
    if not same:
        return _Course(None, None)
    first, last = same[0], same[-1]
    other = (first.received, first.value) != (last.received, last.value)
    return _Course(last, first if other and first.at < last.at else None)


def _said(fact: Implicated, words: Words) -> str:
    unit = "" if fact.unit == "1" else fact.unit
    plain = fact.received or (f"{fact.value:.4g} {unit}".strip() if fact.value is not None else "")
    found = _NUMBER.fullmatch(plain)
    if found is None:
        return plain
    number = found["whole"] + (f"{words.decimal}{found['part']}" if found["part"] else "")
    sign = {">": f"{words.above} ", "<": f"{words.below} "}.get(found["sign"], "")
    return f"{sign}{number}{found['unit']}"


def _date(at: datetime, words: Words) -> str:
    """The day where it happened: a time keeps the offset of its source."""
    return words.date.format(day=at.day, month=words.months[at.month - 1], year=at.year)


def _name(medicine: str, words: Words) -> str:
    return medicine[:1].upper() + medicine[1:] if words.capitals else medicine


def _listed(names: Sequence[str], words: Words) -> str:
    """``warfarin, ibuprofen and aspirin``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {words.both} {names[-1]}"


def _begun(sentence: str) -> str:
    """A placeholder that was filled may have put a name in lower case at the beginning."""
    return sentence[:1].upper() + sentence[1:]


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
