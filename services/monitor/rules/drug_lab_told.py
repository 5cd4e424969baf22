"""A medicine against a laboratory value as a finding: what is wrong with which medicine, how it moves, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from knowledge.conditions import Condition
from knowledge.critical import Context
from knowledge.model import Knowledge
from knowledge.threshold import Step
from schemas.alerts import Implicated
from services.monitor.patient.bounds import LAST
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.estimates import clearance, filtration, unsteady
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.answers_of_results import moved
from services.monitor.rules.conditions import Answer, Situation, all_hold, answers, earliest, said
from services.monitor.rules.critical_context import specimen_doubts
from services.monitor.rules.drug_lab_asked import Drawn, Held
from services.monitor.rules.evidence import value_of
from services.monitor.rules.rule import Finding
from services.monitor.rules.taken import last_dose

_SUMMARY = 139
_FALLS = frozenset({"<", "<="})
_TITLES = {"egfr": "eGFR", "crcl": "creatinine clearance"}


def told(
    part: str,
    found: Sequence[Held],
    steps: Sequence[Step],
    asked: Iterable[Answer],
    state: PatientState,
    knowledge: Knowledge,
) -> Finding:
    """``found``: what holds, the gravest first; ``steps`` are all of its problem, ``asked`` everything that was asked."""
    gravest, asked = found[0], list(asked)
    step, drawn = gravest.step, gravest.drawn
    equal = [each for each in found if each.severity == gravest.severity]
    since = min(each.began for each in equal)
    opens = min(each.began + min(each.waits, LAST - each.began) for each in equal)
    doubts = list(_doubted(part, state, knowledge))
    early = (drawn.level.what_to_do,) if drawn is not None and drawn.early else ()
    first = (*early, *(action for each, _ in doubts for action in each.actions))
    cited = (
        *(c for each in equal for c in each.step.citations),
        *(drawn.level.citations if drawn is not None else ()),
        *(c for each, _ in doubts for c in each.citations),
    )
    return Finding(
        subject=part,
        severity=gravest.severity,
        summary=_summary(gravest, [each.taken.ingredient for each in found if each.step.rule == step.rule]),
        detail=" ".join((*_detail(found, state, knowledge), *dict.fromkeys(each.reason for each, _ in doubts))),
        actions=tuple(dict.fromkeys((*first, *(action for each in equal for action in each.step.actions)))),
        patient_explanation=step.patient_explanation,
        evidence_grade=step.evidence_grade,
        implicated=tuple(dict.fromkeys((*_facts(found), *(fact for _, facts in doubts for fact in facts)))),
        citations=tuple(dict.fromkeys(cited)),
        since=since,
        rank=_rank(steps, found, state),
        origins=tuple(dict.fromkeys(origin for each in found for origin in each.taken.origins)),
        until=earliest((*(each.taken.changes for each in found), *(each.until for each in asked))),
        conditions=said(asked),
        rows=(
            *dict.fromkeys(_row(each.step) for each in found),
            *(f"labs/critical_context.csv#{each.id}" for each, _ in doubts),
        ),
        medicines=tuple(sorted({each.taken.ingredient for each in found})),
        problem=step.problem,
        opens=opens if opens > since else None,
    )


def _doubted(part: str, state: PatientState, knowledge: Knowledge) -> Iterator[tuple[Context, tuple[Implicated, ...]]]:
    """What results of the same time say against the specimen, as the rule of critical values would have said it."""
    analyte, _, direction = part.partition(":")
    newest = next((each for each in reversed(state.results.get(analyte, ())) if each.measured), None)
    if newest is None:
        return
    doubts = specimen_doubts(analyte, direction, knowledge)
    names = {condition.name for each in doubts for condition in each.when}
    by_then = {name: tuple(each for each in state.results.get(name, ()) if each.at <= newest.at) for name in names}
    then = Situation(state=replace(state, clock=newest.at, results=by_then), knowledge=knowledge)
    for each in doubts:
        of_others = answers(each.when, then)
        if all_hold(of_others):
            yield each, tuple(fact for answer in of_others for fact in answer.facts)


def _row(step: Step) -> str:
    when = "|".join(each.text for each in step.when)
    return f"drug_labs/steps.csv#{step.rule},{step.family},{step.problem},{step.medicine},{when}"


def _facts(found: Sequence[Held]) -> Iterator[Implicated]:
    for each in found:
        yield from each.taken.facts
    for each in found:
        for answer in each.answers:
            yield from answer.facts
        if each.drawn is not None and each.drawn.dose is not None:
            yield each.drawn.dose


def _summary(held: Held, names: Sequence[str]) -> str:
    """The values, as many names as fit, and what it is."""
    moved = {answer.condition.name for answer in held.answers if answer.condition.kind == "course"}
    shown = [a for a in held.answers if a.condition.kind != "result" or a.condition.name not in moved]
    values = ", ".join(dict.fromkeys(filter(None, map(_value, shown))))
    values = _titled(values)
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        whole = _whole(values, f"{', '.join(names[:count])}{more}", held.step.title)
        if len(whole) <= _SUMMARY:
            return whole
    return _whole(values, names[0], held.step.title)[:_SUMMARY]


def _whole(values: str, names: str, title: str) -> str:
    return f"{values} with {names}: {title}" if values else f"{names}: {title}"


def _titled(text: str) -> str:
    """Potassium, but pH and INR as they are written."""
    return text[:1].upper() + text[1:] if text.split(" ")[0].islower() else text


def _value(answer: Answer) -> str:
    name = answer.condition.name
    match answer.condition.kind:
        case "result" if answer.facts:
            return f"{name} {_amount(answer.facts[-1])}"
        case "course" if answer.facts:
            return f"{name} {_amount(answer.facts[0])}, now {_amount(answer.facts[-1])}"
        case "kidney":
            return f"{_TITLES[name]} {answer.found.split(' (')[0]}"
    return ""


def _amount(fact: Implicated) -> str:
    return (fact.received or f"{fact.value:g} {fact.unit}").removesuffix(" 1").strip()


def _detail(found: Sequence[Held], state: PatientState, knowledge: Knowledge) -> Iterator[str]:
    held, drawn = found[0], found[0].drawn
    yield held.step.effect
    of_values = [each for each in held.answers if each.condition.kind in ("result", "course", "kidney", "no_result")]
    yield from dict.fromkeys(
        f"{_titled(_TITLES.get(each.condition.name, each.condition.name))}: {each.found}." for each in of_values
    )
    yield from _spoiled(held, state)
    yield from _before(held, state)
    also = dict.fromkeys(each.step.title for each in found if each.step.rule != held.step.rule)
    if also:
        yield f"Also: {'; '.join(also)}."
    yield "; ".join(dict.fromkeys(_since(each, state) for each in found)) + "."
    if drawn is not None:
        yield _timing(drawn)
    if any(each.condition.kind == "kidney" for each in held.answers) and unsteady(state, knowledge.kidney_injury):
        yield "Creatinine moves, so that the estimate of kidney function is not reliable."
    unknown = sorted({each.condition.text for one in found for each in one.open_})
    if unknown:
        yield f"Not known: {', '.join(unknown)}."


def _spoiled(held: Held, state: PatientState) -> Iterator[str]:
    """What is wrong with a specimen that counts all the same."""
    ids = {(fact.source, fact.record_id) for answer in held.answers for fact in answer.facts}
    names = {answer.condition.name for answer in held.answers}
    for result in (each for name in names for each in state.results.get(name, ())):
        if result.haemolysed and (result.source, result.record_id) in ids:
            yield "The specimen was haemolysed: take another one at once, and do not wait for it where the patient is at risk."


def _since(held: Held, state: PatientState) -> str:
    name, starts = held.taken.ingredient, held.taken.starts
    if not held.taken.orders:
        return f"{name} was given at {said_at(starts)} without an order in force"
    given = last_dose(name, state.clock, state)
    last = "" if given is None else f", last given at {said_at(given.at)}"
    begins = "begins" if starts > state.clock else "since"
    return f"{name} {begins} {said_at(starts)}{last}"


def _timing(drawn: Drawn) -> str:
    if drawn.after is None:
        return "When the last dose before the sample was given is not known."
    early = " That is too soon to say how high it stays." if drawn.early else ""
    return f"The sample was drawn {said_span(drawn.after)} after the last dose that is known.{early}"


def _before(held: Held, state: PatientState) -> Iterator[str]:
    """How the first value moves."""
    for answer in held.answers:
        if answer.condition.kind == "result":
            sure = [each for each in state.results.get(answer.condition.name, ()) if _comparable(each, held.step)]
            if len(sure) > 1 and sure[-1].value is not None and sure[-2].value is not None:
                outward = sure[-1].value - sure[-2].value
                outward = -outward if answer.condition.op in _FALLS else outward
                course = (
                    "it is getting worse" if outward > 0 else "it is getting better" if outward < 0 else "no change"
                )
                yield f"Before that: {value_of(sure[-2])} at {said_at(sure[-2].at)}; {course}."
            return


def _comparable(result: Result, step: Step) -> bool:
    return result.sure and (not step.drawn or result.drawn == step.drawn)


def _rank(steps: Sequence[Step], found: Sequence[Held], state: PatientState) -> float:
    """How many rules show the problem, and then how far the values lie beyond the mildest limit that it has for each: it falls
    while they get better, whichever step they are in."""
    rules = {each.step.rule for each in found if each.severity != "info"}
    beyond = max((_beyond(answer, steps, state) for each in found for answer in each.answers), default=0.0)
    return round(len(rules) + max(beyond, 0.0) / (1 + max(beyond, 0.0)), 6)


def _beyond(answer: Answer, steps: Sequence[Step], state: PatientState) -> float:
    asked = answer.condition
    value = _measured(answer, state)
    if value is None:
        return 0.0
    falls = asked.op in _FALLS
    limits = [each.value for step in steps for each in step.when if _same(each, asked)]
    mildest = max(limits) if falls else min(limits)
    distance = mildest - value if falls else value - mildest
    return distance / mildest if mildest else distance


def _same(one: Condition, other: Condition) -> bool:
    of = (other.kind, other.name, other.course, other.op in _FALLS)
    return (one.kind, one.name, one.course, one.op in _FALLS) == of


def _measured(answer: Answer, state: PatientState) -> float | None:
    values = [fact.value for fact in answer.facts if fact.value is not None]
    match answer.condition.kind:
        case "result":
            return values[-1] if values else None
        case "kidney":
            estimate = filtration(state) if answer.condition.name == "egfr" else clearance(state)
            return None if estimate is None else estimate.value
        case "course" if len(values) > 1:
            return moved(answer.condition, values[-1], values[0])
    return None
