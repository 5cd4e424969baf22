"""A canary as records for the broker, with ids of its own and times of today, and whether what came back is as it has to be.

Pure. The times are moved by whole days, so that spans, times of day and ages stay what the case says. The ids come from a fixed
number: what a store keeps of an id that is erased would else grow with every round.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Raw

from knowledge.model import Knowledge
from schemas import topics
from schemas.alerts import Alert
from schemas.canaries import PREFIX
from schemas.patients import PatientPicture
from services.monitor.rules.canary import Canary, CanaryError, read
from services.monitor.rules.outside_canary import outside_canary
from services.monitor.rules.outside_interaction import OutsideInteraction
from services.monitor.rules.rule import Rule
from services.monitor.rules.written import Written
from services.monitor.rules.written.canary import canary_of
from services.streaming.handler import Send

SLOTS = 32
"""Rounds until an id comes again: of an earlier round with it nothing is under way then."""
_DATE = re.compile(rb'"(\d{4}-\d{2}-\d{2})(?=["T])')

Side = Literal["fires", "silent"]
Found = Counter[str]


class Case(NamedTuple):
    """One side of a canary. ``wanted`` is what is to be found, as ``subject (severity)``. A rule that is ``written`` need not be
    the one that speaks, because its author cannot know who else does; ``held`` is why it tells nobody, where it says so."""

    rule: str
    side: Side
    events: Sequence[Raw]
    wanted: Found
    written: bool = False
    held: str = ""


class Sent(NamedTuple):
    """A case under way: the ids of its patients, and its records in the order in which they go out."""

    case: Case
    patients: frozenset[str]
    records: list[Send]


class Heard(NamedTuple):
    """What came back of a round: the newest revision of each alert by its id, and the picture of each patient that was forgotten,
    None where nothing was known of it."""

    alerts: dict[str, Alert]
    pictures: dict[str, PatientPicture | None]


def of(rule: Rule, knowledge: Knowledge) -> Canary:
    """The canary of a rule: a written one brings its own, that of what a site brought in is made; of the others it is a file.
    Raises ``CanaryError``."""
    if isinstance(rule, OutsideInteraction):
        return outside_canary(knowledge)
    return canary_of(rule.written, knowledge) if isinstance(rule, Written) else read(rule.id)


def cases_of(rule: Rule, knowledge: Knowledge) -> tuple[Case, Case]:
    """Raises ``CanaryError`` where the knowledge has not what the canary speaks of."""
    canary = of(rule, knowledge)
    written, held = isinstance(rule, Written), rule.written.held if isinstance(rule, Written) else ""
    fires = Counter(f"{each.subject} ({each.severity})" for each in canary.fires.alerts)
    return (
        Case(rule.id, "fires", canary.fires.events, fires, written, held),
        Case(rule.id, "silent", canary.silent.events, Counter(), written, held),
    )


def sent(case: Case, round_: int, now: datetime) -> Sent:
    """Each patient's events in the order of clinical time, and at their end what makes the patient forgotten: it goes with them,
    so that a process that ends in between leaves nobody. Raises ``CanaryError``."""
    events = [msgspec.json.decode(bytes(each)) for each in case.events]
    try:
        last = max(datetime.fromisoformat(each["occurred_at"]) for each in events)
        names = {each["patient_id"] for each in events}
    except (KeyError, TypeError, ValueError) as error:
        raise CanaryError(f"{case.rule}, {case.side}: an event has no patient_id or no occurred_at") from error
    ids = {name: f"{PREFIX}{case.rule}:{case.side}:{name}:{round_ % SLOTS}" for name in names}
    by = timedelta(days=(now - last) // timedelta(days=1))
    events.sort(key=lambda each: datetime.fromisoformat(each["occurred_at"]))
    records = [
        Send(topics.CANARIES, ids[each["patient_id"]].encode(), _moved(each | {"patient_id": ids[each["patient_id"]]}, by))
        for each in events
    ]  # fmt: skip
    records += [Send(topics.CANARIES, each.encode(), None) for each in ids.values()]
    return Sent(case, frozenset(ids.values()), records)


def came_back(sent: Sent, heard: Heard) -> bool:
    """Whether all that there will be of a case has been heard, as far as pictures tell."""
    return sent.patients <= heard.pictures.keys()


def fault(sent: Sent, heard: Heard) -> str:
    """What is not as it has to be, in a sentence; empty when the case holds. Other rules may find what they like in it."""
    found = Counter(_found(sent, heard))
    said = []
    if missing := sent.case.wanted - found:
        said.append(f"not found: {', '.join(sorted(missing))}")
    if more := found - sent.case.wanted:
        said.append(f"found and not expected: {', '.join(sorted(more))}")
    return "; ".join(said)


def _found(sent: Sent, heard: Heard) -> Iterator[str]:
    """Every open alert, and of a written rule also what another alert speaks for. The picture is asked only for what must not be
    there: people are told by alerts."""
    case, told = sent.case, set()
    for alert in heard.alerts.values():
        if alert.patient_id in sent.patients and alert.rule == case.rule and alert.status == "open":
            told.add(alert.alert_id)
            yield f"{alert.subject} ({alert.severity})"
    pictures = [each for name in sent.patients if (each := heard.pictures.get(name)) is not None]
    if case.side == "silent":
        problems = (p for each in pictures for p in each.open if p.rule == case.rule and p.alert_id not in told)
        yield from (f"{p.subject} ({p.severity})" for p in problems)
    if case.written:
        yield from _held(case, pictures)


def _held(case: Case, pictures: Sequence[PatientPicture]) -> Iterator[str]:
    """What another alert speaks for or the rule tells nobody, and not what only waits for grace to pass. A picture names no
    subject of it: the severity says which of the wanted ones it is."""
    subjects: Mapping[str, str] = {each.rpartition(" (")[2]: each for each in case.wanted}
    for picture in pictures:
        for each in picture.held:
            if each.rule == case.rule and (each.by or each.reason == case.held):
                yield subjects.get(f"{each.severity})", f"held back ({each.severity})")


def _moved(event: Any, by: timedelta) -> bytes:
    def moved(found: re.Match[bytes]) -> bytes:
        return b'"' + (datetime.fromisoformat(found[1].decode()) + by).strftime("%Y-%m-%d").encode()

    return _DATE.sub(moved, msgspec.json.encode(event))
