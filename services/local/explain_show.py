"""An explanation, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from schemas.alerts import Alert, HistoryEntry, Implicated
from schemas.events import Event
from schemas.values import Origin
from services.local import in_words
from services.local.explain import Explanation, Moment
from services.local.feed import part_of
from services.local.report import STYLES
from services.local.rows import KnownRow
from services.local.what_if import Limit, Outcome, WhatIf
from services.monitor.patient.order import thing_key
from services.monitor.patient.standing import Standing
from services.monitor.patient.state import PatientState
from services.monitor.upkeep import named

_RESULTS = 3
"""Newest results of an analyte that are shown of a state."""
_ANSWERS = {"yes": "green", "no": "red", "unknown": "yellow"}
_CHANGES = {
    "opened": "opened", "updated": "changed", "acknowledged": "answered by", "attention": "asked for attention again",
    "resolved": "resolved", "withdrawn": "withdrawn",
}  # fmt: skip
_EFFECTS = {"ends": "the alert ends", "held": "the alert ends and is held back", "stays": "the alert stays"}

Line = tuple[str, str, str]
"""What it is, and how it is before and after."""


def write(console: Console, shown: Explanation) -> None:
    """For people: what it is, how it came to be, on what it stands, and what would change it."""
    _write_head(console, shown)
    _heading(console, "EVENTS BEHIND IT", "times in UTC")
    console.print(Padding(_events(shown.events), (0, 0, 0, 2)))
    for moment in shown.moments:
        _write_moment(console, moment)
    _write_ground(console, shown)
    _write_held(console, shown)
    _heading(console, "WHAT WOULD HAVE TO CHANGE")
    for said, helps in _what_would_change(shown):
        console.print(Padding(Text(said, "green" if helps else ""), (0, 0, 0, 2)))
    _write_history(console, shown)


def _write_head(console: Console, shown: Explanation) -> None:
    alert = shown.alert
    console.print(Text(f"{alert.severity}, {alert.status}: {alert.summary}", STYLES[alert.severity]))
    _line(console, "rule", f"{alert.rule} version {alert.rule_version}, about {alert.subject}")
    _line(console, "patient", f"{alert.patient_id}; alert {alert.alert_id}, revision {alert.revision}")
    for remark in _remarks(shown):
        _line(console, "note", remark)
    _line(console, "why", alert.detail)


def _write_ground(console: Console, shown: Explanation) -> None:
    """The conditions and the knowledge that it stood on when it was last open."""
    was = _asked(shown)
    _heading(console, "CONDITIONS")
    for condition in was.conditions:
        answer = Text(f"{condition.answer:8}", _ANSWERS[condition.answer])
        console.print(Padding(answer.append(condition.text, "bold").append(f"   {condition.found}"), (0, 0, 0, 2)))
    if not was.conditions:
        console.print(Padding("none beside what the row says", (0, 0, 0, 2)))
    _heading(console, "KNOWLEDGE", f"version {was.knowledge_version}")
    for row in shown.rows:
        _write_row(console, row)


def _write_held(console: Console, shown: Explanation) -> None:
    _heading(console, "HELD BACK BESIDE IT")
    for reason, same in groupby(shown.held, key=lambda each: _reason(each, shown.asked)):
        console.print(Padding(Text(reason, "dim"), (0, 0, 0, 2)))
        for standing in same:
            console.print(Padding(_finding(standing), (0, 0, 0, 4)))
    if not shown.held:
        console.print(Padding("nothing", (0, 0, 0, 2)))


def _write_history(console: Console, shown: Explanation) -> None:
    """The alert as given has a person's answers, which files have not."""
    given, alert = shown.given, shown.alert
    _heading(console, "HISTORY")
    why = ""
    for entry in (given if shown.same_id and given.revision > alert.revision else alert).history:
        console.print(Padding(_entry(entry, why), (0, 0, 0, 2)))
        why = entry.why


def _asked(shown: Explanation) -> Alert:
    """The alert as it was when it was last open."""
    found = shown.asked.open_alerts.values() if shown.asked is not None else ()
    return next((each for each in found if each.alert_id == shown.alert.alert_id), shown.alert)


def _remarks(shown: Explanation) -> Iterator[str]:
    given, alert = shown.given, shown.alert
    if not shown.same_id:
        yield (
            f"these files make the same problem under another id ({given.alert_id} was asked for): they are not the records that "
            "the monitor had. What follows is of this one"
        )
    if given.knowledge_version != alert.knowledge_version:
        yield f"it was made with version {given.knowledge_version} of the knowledge; what follows is by {alert.knowledge_version}"
    if given.rule_version != alert.rule_version:
        yield f"it was made by version {given.rule_version} of the rule; what follows is by {alert.rule_version}"
    if shown.same_id and (given.status, given.severity) != (alert.status, alert.severity):
        yield f"as given it was {given.severity}, {given.status}, at revision {given.revision}"


def _events(events: Iterable[Event]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for each in events:
        table.add_row(
            in_words.time(each.occurred_at),
            Text(each.source),
            Text(in_words.event(each)),
            Text(_place(each.origin), "dim"),
        )
    return table


def _place(origin: Origin | None) -> str:
    return "" if origin is None else f"{origin.topic}, {part_of(origin.topic)} {origin.offset}"


def _write_moment(console: Console, moment: Moment) -> None:
    entry = moment.alert.history[-1]
    _heading(
        console,
        _CHANGES[entry.change].upper(),
        f"revision {entry.revision}, {entry.severity}, at {in_words.time(entry.at)}",
    )
    came = "time had passed; the next event was" if moment.by_time else "with"
    _line(console, came, f"{in_words.event(moment.event)} ({moment.event.source}, {_place(moment.event.origin)})")
    lines = list(differences(moment))
    table = Table("what", "before", "after", box=None, pad_edge=False)
    for what, before, after in lines:
        if before != after:
            table.add_row(Text(what), Text(before, "dim"), Text(after, "bold"))
    if table.row_count:
        console.print(Padding(table, (0, 0, 0, 2)))
    if same := [(what, after) for what, before, after in lines if before == after]:
        _line(console, "the same on both sides", "; ".join(f"{what} ({after})" for what, after in same))


def differences(moment: Moment) -> Iterator[Line]:
    """The facts that the alert stands on, and what else of the person the event changed, before and after it."""
    before, after = moment.before, moment.after
    for fact in moment.facts:
        if fact.kind in ("prescription", "dispensing"):
            old = before.order_of(fact) if before is not None else None
            new = after.order_of(fact)
            label = new.label if new is not None else fact.label
            yield label, in_words.order(old), in_words.order(new)
        elif fact.kind in ("administration", "observation"):
            yield fact.label, _other(fact, before), _other(fact, after)
    for analyte in _analytes(moment):
        yield analyte, _results(before, analyte), _results(after, analyte)
    was, now = _person(before) if before is not None else {}, _person(after)
    for name in dict.fromkeys((*was, *now)) if before is not None else ():
        if was.get(name) != now.get(name):
            yield name, was.get(name, "not known"), now.get(name, "not known")


def _analytes(moment: Moment) -> list[str]:
    records = {(fact.source, fact.record_id) for fact in moment.facts if fact.kind == "lab_result"}
    states = [state for state in (moment.before, moment.after) if state is not None]
    return list(
        dict.fromkeys(
            analyte
            for state in states
            for analyte, results in state.results.items()
            if any((each.source, each.record_id) in records for each in results)
        )
    )


def _results(state: PatientState | None, analyte: str) -> str:
    known = state.results.get(analyte, ()) if state is not None else ()
    return "\n".join(in_words.result(each) for each in reversed(known[-_RESULTS:])) or "none"


def _other(fact: Implicated, state: PatientState | None) -> str:
    """A dose or a measurement."""
    if state is None:
        return "not there"
    key = thing_key(fact.source, fact.record_id)
    if (dose := state.doses.get(key)) is not None:
        return f"{'entered in error' if dose.void else dose.what.status} at {in_words.time(dose.at)}"
    measure = state.measures.get(key)
    if measure is None:
        return "not there"
    return f"{measure.what.value} {measure.what.unit} at {in_words.time(measure.at)}{', void' if measure.void else ''}"


def _person(state: PatientState) -> dict[str, str]:
    plain = {
        "birth date": state.birth_date,
        "sex": state.sex,
        "pregnancy": state.pregnancy,
        "lactating": state.lactating,
    }
    said = {name: str(value) for name, value in plain.items() if value is not None and value != ""}
    said |= {
        m.what.kind: f"{m.what.value:g} {m.what.unit}"
        for m in sorted(state.measures.values(), key=lambda each: each.at)
        if not m.void and m.what.value is not None
    }
    if state.conditions:
        said["conditions"] = ", ".join(sorted(c.codings[0].display or c.codings[0].code for c in state.conditions))
    if state.allergies is not None:
        said["allergies"] = ", ".join(sorted(a.substance.text for a in state.allergies)) or "none"
    return said


def _write_row(console: Console, row: KnownRow) -> None:
    console.print(Padding(Text(row.reference, "bold"), (0, 0, 0, 2)))
    if not row.cells:
        console.print(Padding("no such row is there now: the knowledge has changed since", (0, 0, 0, 4)))
    for name, cell in row.cells.items():
        _line(console, name.replace("_", " "), cell.replace("|", "; "), 4)
    for source in row.sources:
        said = Text.assemble(
            (f"{source['id']} ", "bold"), f"{source['status']}: {source['text']}", (f" {source['url']}", "dim")
        )
        console.print(Padding(said, (0, 0, 0, 4)))


def _reason(standing: Standing, state: PatientState | None) -> str:
    graver = state.open_alerts.get(standing.by) if state is not None else None
    return f"{standing.held} ({graver.summary})" if graver is not None else standing.held


def _finding(standing: Standing) -> Text:
    text = Text(f"{standing.severity} ", STYLES[standing.severity])
    return text.append(standing.summary or f"{standing.rule} {standing.subject}", "")


def _what_would_change(shown: Explanation) -> Iterator[tuple[str, bool]]:
    if shown.asked is None:
        yield "The alert was over at once: there is no state in which it could be asked.", False
        return
    if shown.alert.status != "open":
        yield (
            f"It is {shown.alert.status}: {shown.alert.history[-1].why} Before that:",
            False,
        )
    yield from _single_changes(shown.what_if)
    for analyte, limits in shown.limits.items():
        yield from ((_limit(analyte, each, shown.asked), True) for each in limits)
        if not limits:
            yield f"No newer {analyte} ends it by its value alone.", False
    standing = [each for each in shown.asked.standing.values() if _is(each, shown.alert) and each.until is not None]
    yield from ((f"By itself: time is looked at again at {in_words.time(each.until)}.", False) for each in standing)
    if _asked(shown).needs_closure:
        yield "It has reached the patient: it stays open until a person has answered, whatever else happens.", False


def _single_changes(tried: Sequence[WhatIf]) -> Iterator[tuple[str, bool]]:
    """Those that change something, the others in one sentence, and all of them together."""
    idle = [
        each for each in tried if each.fact and each.outcome == Outcome(effect="stays", severity=each.outcome.severity)
    ]
    said = [
        (f"{each.what}: {outcome(each.outcome)}.", each.outcome.helps, each.fact) for each in tried if each not in idle
    ]
    yield from ((text, helps) for text, helps, fact in said if fact)
    if idle:
        yield f"Taken away alone, none of these changes it: {'; '.join(each.fact for each in idle)}.", False
    yield from ((text, helps) for text, helps, fact in said if not fact)


def _is(standing: Standing, alert: Alert) -> bool:
    return (standing.rule, standing.subject) == (alert.rule, alert.subject)


def outcome(found: Outcome) -> str:
    """What becomes of the alert, in words."""
    said = _EFFECTS.get(found.effect, f"the alert becomes {found.severity}")
    why = f" ({found.why.rstrip('.')})" if found.why else ""
    opens = f"; then there is: {'; '.join(found.opens)}" if found.opens else ""
    return f"{said}{why}{opens}"


def _limit(analyte: str, limit: Limit, state: PatientState) -> str:
    unit = next((each.unit for each in reversed(state.results.get(analyte, ())) if each.measured), "")
    value = f"{limit.value:g} {unit}".strip().removesuffix(" 1")
    where = (
        f"of {value} or {'less' if limit.side == 'below' else 'more'}" if limit.included else f"{limit.side} {value}"
    )
    changed = msgspec.structs.replace(limit.outcome, why="")
    return f"A newer {analyte} {where}: {outcome(changed)}."


def _entry(entry: HistoryEntry, former: str) -> Text:
    by = f" {entry.by} ({entry.reason})" if entry.by else ""
    text = Text(f"{in_words.time(entry.at)}  ").append(f"{entry.revision} {_CHANGES[entry.change]}{by}", "bold")
    more = f"by {', '.join(fact.label for fact in entry.facts)}" if entry.facts else "as before"
    return text.append(f", {entry.severity}: {more if entry.why == former else entry.why}")


def as_json(shown: Explanation) -> bytes:
    """For machines: everything, with the states in full."""
    whole: Mapping[str, Any] = {
        "alert": shown.alert,
        "same_id": shown.same_id,
        "events": shown.events,
        "moments": [
            {
                "change": each.alert.history[-1],
                "event": each.event,
                "by_time": each.by_time,
                "before": named(each.before),
                "after": named(each.after),
            }
            for each in shown.moments
        ],
        "rows": shown.rows,
        "held": [named(each) for each in shown.held],
        "what_if": shown.what_if,
        "limits": {name: [each._asdict() for each in limits] for name, limits in shown.limits.items()},
    }
    return msgspec.json.format(msgspec.json.encode(whole)) + b"\n"


def _heading(console: Console, text: str, beside: str = "") -> None:
    console.print(Text(f"\n{text}", "bold").append(f"  {beside}" if beside else "", "dim"))


def _line(console: Console, name: str, text: str, indent: int = 2) -> None:
    console.print(Padding(Text.assemble((f"{name}: ", "bold"), text), (0, 0, 0, indent)))
