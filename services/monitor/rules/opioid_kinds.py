"""The kinds of findings about opioids, each made of what is known of the patient's therapy; ``opioid`` grades and tells them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from knowledge.dose import OpioidLevel
from knowledge.model import Knowledge
from knowledge.opioids import ROLES, SCREENS, Advice, Fact, Screen
from schemas.alerts import Implicated
from schemas.values import SEVERITIES, Citation, Origin, Severity
from services.monitor.patient.bounds import LAST
from services.monitor.patient.clock import later, said_at
from services.monitor.patient.morphine_equivalents import Counted, Total
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers
from services.monitor.rules.evidence import implicate_result
from services.monitor.rules.opioid_therapy import Therapy, Use, earlier, implicate_measure

BENZODIAZEPINE, SEDATIVE = "benzodiazepine", "cns-depressant"
CAUTION = "caution"

_POSITIVE = frozenset({"pos", "positive", "detected", "present", "presumptive positive"})
_NEGATIVE = frozenset({"neg", "negative", "not detected", "none detected", "absent"})


class Case(NamedTuple):
    """What a kind of finding is made of. ``facts`` are those that were asked, with what was found; ``holds`` what must be true
    of it besides, for the summary and the detail."""

    advice: Advice
    uses: Sequence[Use]
    summary: str
    detail: Sequence[str]
    since: datetime
    facts: Mapping[Fact, tuple[bool, str]]
    severity: Severity
    waits: Sequence[datetime | None] = ()
    more: Sequence[Implicated] = ()
    origins: Sequence[Origin | None] = ()
    rank: float = 0.0
    asked: tuple[Answer, ...] = ()
    citations: tuple[Citation, ...] = ()
    rows: tuple[str, ...] = ()
    opens: datetime | None = None


def situation(uses: Sequence[Use], therapy: Therapy) -> Situation:
    orders = [each.order for each in uses if each.order is not None]
    return Situation(state=therapy.state, knowledge=therapy.knowledge, orders=orders, objects=orders)


def _sedation(therapy: Therapy) -> Case | None:
    """With a benzodiazepine; or, when breathing is slow, whatever else there is."""
    advice, properties = therapy.knowledge.opioids.advice["sedation"], therapy.knowledge.properties
    slow = therapy.slow_breathing
    opioids = [each for each in therapy.uses if slow is None or each.acts_at(therapy.clock)]
    sedatives = therapy.of(BENZODIAZEPINE)
    pairs = [(one, other) for one in opioids for other in sedatives if one.overlaps(other) and one.fact != other.fact]
    if not opioids or (slow is None and not pairs):
        return None
    others = {name for _, other in pairs for name in other.ingredients} & properties.get(BENZODIAZEPINE, {}).keys()
    now = [each for each in therapy.of(SEDATIVE) if each.acts_at(therapy.clock)]
    uses = [each for pair in pairs for each in pair] if slow is None else [*opioids, *now]
    highest, level = therapy.total(therapy.clock), _caution(therapy)
    began = therapy.since(advice.gap) if therapy.home else None
    new = began is not None and therapy.clock < _after(began, advice)
    breathing = "not known or not slow" if slow is None else f"{slow.what.value:g} a minute at {said_at(slow.at)}"
    facts: dict[Fact, tuple[bool, str]] = {
        "slow-breathing": (slow is not None, breathing),
        "high-dose": (level is not None and highest.least >= level.mme_a_day, _mme(highest.least)),
        "new-opioid": (new, "injected only" if began is None else f"since {_day(began)}"),
    }
    if slow is None:
        facts["infused"] = (therapy.infused(other for _, other in pairs), "by the routes ordered")
        facts["not-both-given"] = (therapy.not_both_given(others), "by the doses charted")
    names = _names(opioids if not pairs else [one for one, _ in pairs], therapy.opioids)
    what = f"{names} with {_and(sorted(others))}: {advice.title.partition(': ')[2]}" if others else names
    summary = what if slow is None else f"Slow breathing ({slow.what.value:g} a minute) under {names}" + (
        f" with {_and(sorted(others))}" if others else ""
    )  # fmt: skip
    breathing_until = None if slow is None else later(slow.at, therapy.knowledge.opioids.breathing.within)  # type: ignore[union-attr]
    return Case(
        advice=advice,
        uses=uses,
        summary=summary,
        detail=[
            f"Breathing: {breathing}." if slow is not None else "Breathing rate: not known or not slow.",
            "" if therapy.rescue else "No naloxone is ordered or handed out.",
        ],
        since=slow.at if slow is not None else min(max(one.starts, other.starts) for one, other in pairs),
        facts=facts,
        severity=advice.severity,
        waits=(None if began is None else _after(began, advice), breathing_until, therapy.doses_until()),
        more=() if slow is None else (implicate_measure(slow),),
        origins=() if slow is None else (slow.origin,),
        rank=highest.least,
    )


def _tolerance(therapy: Therapy) -> Case | None:
    """What is only for the tolerant, in its first days."""
    advice = therapy.knowledge.opioids.advice["tolerance"]
    uses = therapy.with_role("for-tolerant")
    if not uses:
        return None
    since = therapy.patches_since(uses)
    if therapy.clock >= _after(since, advice):
        return None
    tolerated = therapy.tolerated(since, advice.span)
    if tolerated and therapy.tolerant is not False:
        return None
    week = earlier(since, advice.span)
    facts: dict[Fact, tuple[bool, str]] = {
        "not-tolerant": (therapy.tolerant is False, "as said of the patient"),
        "said-tolerant": (therapy.tolerant is True, "as said of the patient"),
        "opioid-before": (tolerated is None, f"from {_day(week)} to {_day(since)}"),
        "taken-before": (therapy.taken_before(uses, since, advice.span), f"before {_day(since)}"),
        "new-patient": (not therapy.known_before(week), f"before {_day(week)}"),
        "naloxone": (bool(therapy.rescue), _rescue(therapy)),
    }
    names = _names(uses, therapy.opioids)
    rate = next(
        (each for each in therapy.total(max(since, therapy.clock)).parts if each.unit == "mcg/h" and each.amount), None
    )
    much = "" if rate is None or rate.amount is None else f" {rate.amount[1]:g} mcg/h"
    form = " patch" if any(_is_patch(each, therapy) for each in uses) else ""
    return Case(
        advice=advice,
        uses=uses,
        summary=f"{names[:1].upper()}{names[1:]}{form}{much}: {advice.title} in the week before",
        detail=[f"It is there since {said_at(since)}. {_before(tolerated, week, since)}"],
        since=since,
        facts=facts,
        severity=advice.severity,
        waits=(_after(since, advice),),
        rows=(f"{ROLES}#fentanyl",),
    )


def _daily_dose(therapy: Therapy) -> Case | None:
    advice, level = therapy.knowledge.opioids.advice["daily-dose"], _caution(therapy)
    if level is None:
        return None
    time, highest = therapy.highest
    if highest.most < level.mme_a_day:
        return None
    counted = [each for each in highest.parts if each.state == "counted"]
    uses = [each for each in therapy.uses if any(part.order is each.order for part in highest.parts)]
    return Case(
        advice=advice,
        uses=uses,
        summary=f"{_and(sorted({part.ingredient for part in counted}))}: {_mme(highest.most)}, {advice.title}",
        detail=[f"{_mme(highest.most)} is ordered, caution is from {level.mme_a_day:g} on. {_told(highest)}"],
        since=time if time > therapy.clock else max(each.order.starts for each in counted),
        facts={"naloxone": (bool(therapy.rescue), _rescue(therapy))},
        severity=advice.severity,
        waits=[*therapy.rescue_until],
        rank=highest.most / level.mme_a_day,
        citations=(*level.citations, *_factors(counted, therapy.knowledge)),
        rows=(
            f"dosing/opioid_levels.csv#{level.level}",
            *(f"dosing/opioids.csv#{each.ingredient}" for each in counted),
        ),
    )


def _naloxone(therapy: Therapy) -> Case | None:
    """A risk of its own, whatever the dose."""
    advice = therapy.knowledge.opioids.advice["naloxone"]
    if therapy.rescue or not therapy.home:
        return None
    asked = answers(advice.factors, situation(therapy.home, therapy))
    found = [each for each in asked if each.holds is True]
    if not found:
        return None
    factors = ", ".join(each.found for each in found)
    return Case(
        advice=advice,
        uses=therapy.home,
        summary=f"{_names(therapy.home, therapy.opioids)}: {advice.title} ({factors})",
        detail=[f"What raises the risk: {factors}."],
        since=therapy.home[0].starts,
        facts={},
        severity=advice.severity,
        asked=asked,
    )


def _start(therapy: Therapy) -> Case | None:
    advice = therapy.knowledge.opioids.advice["start"]
    if not therapy.home:
        return None
    since = therapy.since(advice.gap)
    if therapy.clock >= _after(since, advice):
        return None
    slow = [each for each in therapy.long_acting if each.starts == since]
    facts: dict[Fact, tuple[bool, str]] = {
        "long-acting": (bool(slow), _names(slow, therapy.opioids) or "none known to be"),
        "naloxone": (bool(therapy.rescue), _rescue(therapy)),
        "treats-use-disorder": (therapy.treats_use_disorder, _names(therapy.home, therapy.opioids)),
    }
    names = _names(therapy.home, therapy.opioids)
    return Case(
        advice=advice,
        uses=therapy.home,
        summary=f"{names}: {'a long-acting opioid is begun' if slow else advice.title}",
        detail=[f"No opioid is known in the {advice.gap.days} days before {_day(since)}. Not known: what it is for."],
        since=since,
        facts=facts,
        severity=advice.severity,
        waits=(_after(since, advice),),
    )


def _continued(therapy: Therapy) -> Case | None:
    """It is there from the start and opens when the time has come, so that the day is not missed."""
    advice = therapy.knowledge.opioids.advice["continued"]
    if not therapy.home:
        return None
    began = therapy.since(advice.gap)
    return Case(
        advice=advice,
        uses=therapy.home,
        summary=f"{_names(therapy.home, therapy.opioids)}: {advice.title}",
        detail=[f"Opioids are in force since {_day(began)}. Not known: when the plan was last reviewed."],
        since=began,
        facts={"treats-use-disorder": (therapy.treats_use_disorder, _names(therapy.home, therapy.opioids))},
        severity=advice.severity,
        opens=_after(began, advice),
    )


def _toxicology(therapy: Therapy) -> Case | None:
    """A positive test for another drug, not too long ago."""
    advice = therapy.knowledge.opioids.advice["toxicology"]
    oldest = earlier(therapy.clock, advice.span)
    found = [each for screen in therapy.knowledge.opioids.screens if (each := _positive(screen, therapy.state, oldest))]
    if not found:
        return None
    standing = [each for each in found if not each.since]
    shown = standing or found
    severity = min((each.screen.severity for each in shown), key=SEVERITIES.index)
    substances = ", ".join(each.screen.substance for each in found)
    told = ", negative since" if not standing else ""
    return Case(
        advice=advice,
        uses=therapy.uses,
        summary=f"{_names(therapy.uses, therapy.opioids)}: toxicology test positive for {substances}{told}",
        detail=[each.told for each in found],
        since=max(max(each.result.at for each in found), therapy.uses[0].starts),
        facts={"negative-since": (not standing, "; ".join(each.told for each in found))},
        severity=severity,
        waits=[each.result.at + min(advice.span, LAST - each.result.at) for each in found],
        more=[implicate_result(each.result) for each in found],
        origins=[each.result.origin for each in found],
        citations=tuple(citation for each in found for citation in each.screen.citations),
        rows=tuple(f"{SCREENS}#{each.screen.analyte}" for each in found),
    )


class _Screened(NamedTuple):
    """The newest positive result of a test, and how many negative ones came after it."""

    screen: Screen
    result: Result
    since: int

    @property
    def told(self) -> str:
        later = f", {self.since} negative since" if self.since else ""
        return f"{self.screen.substance.capitalize()}: positive on {_day(self.result.at)}{later}."


def _positive(screen: Screen, state: PatientState, oldest: datetime) -> _Screened | None:
    negative = 0
    for result in reversed(state.results.get(screen.analyte, ())):
        word = (result.text or result.flag).strip().lower()
        if result.void or result.at <= oldest:
            continue
        if word in _POSITIVE:
            return _Screened(screen, result, negative)
        negative += word in _NEGATIVE
    return None


KINDS = (_sedation, _tolerance, _daily_dose, _naloxone, _start, _continued, _toxicology)


def _caution(therapy: Therapy) -> OpioidLevel | None:
    return next((each for each in therapy.knowledge.doses.opioid_levels if each.level == CAUTION), None)


def _after(time: datetime, advice: Advice) -> datetime:
    return time + min(advice.span, LAST - time)


def _names(uses: Iterable[Use], among: Collection[str]) -> str:
    return _and(sorted({name for each in uses for name in each.ingredients if name in among}))


def _and(names: Sequence[str]) -> str:
    """``codeine, fentanyl and morphine``"""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _is_patch(use: Use, therapy: Therapy) -> bool:
    return use.order is not None and therapy.knowledge.doses.way_of(use.order.route, use.order.form) == "transdermal"


def _rescue(therapy: Therapy) -> str:
    return ", ".join(dict.fromkeys(each.fact.label for each in therapy.rescue)) or "none ordered or handed out"


def _before(tolerated: bool | None, week: datetime, since: datetime) -> str:
    if tolerated is None:
        return f"What was taken between {_day(week)} and then is known in part only."
    return f"No opioid that makes tolerant is known between {_day(week)} and {_day(since)}; what was taken at home may not be."


def _told(total: Total) -> str:
    counted = [each for each in total.parts if each.state == "counted"]
    told = [
        f"{each.ingredient} {each.amount[1]:g} {each.unit} ({_mme(each.mme[1])})" for each in counted if each.amount
    ]
    parts = [f"Counted: {', '.join(told)}."]
    if total.least < total.most:
        parts.append(f"Of this {total.most - total.least:g} is taken as needed or within a range: a maximum.")
    parts += [f"Not counted: {each.ingredient}, {each.why}." for each in total.parts if each.state != "counted"]
    return " ".join(parts)


def _factors(counted: Iterable[Counted], knowledge: Knowledge) -> Iterator[Citation]:
    for part in counted:
        for row in knowledge.doses.opioids.get(part.ingredient, ()):
            yield from row.citations


def _mme(value: float) -> str:
    return f"{value:g} MME a day"


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%d}"
