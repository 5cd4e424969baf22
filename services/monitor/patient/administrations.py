"""Doses given: the newest of each medicine, so that "given last when" and "is it running" have an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from knowledge.model import Knowledge
from schemas.events import Administration
from services.monitor.patient.bounds import KEEP_DOSES, MAX_DOSED, MAX_DOSES, MAX_DOSES_OF_A_DAY
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.fact import Fact, Given, bounded, with_fact
from services.monitor.patient.known import known_or
from services.monitor.patient.orders import ingredients_of, label_of
from services.monitor.patient.precedence import precedence

Doses = Mapping[str, Fact[Given]]

_DAY = timedelta(days=1)
_STATUS = ("given", "refused", "held", "entered_in_error")


def with_administration(doses: Doses, event: Administration, day: datetime, knowledge: Knowledge) -> Doses:
    """The doses with one as ``event`` leaves it; ``doses`` itself when that version is known or long past."""
    route, form = known_or(event.route, ""), known_or(event.drug.form, "")
    fact = Fact(
        source=event.source,
        record_id=event.record_id,
        precedence=precedence(event, _STATUS.index(event.status)),
        at=clinical_time(event),
        void=event.status == "entered_in_error",
        what=Given(
            status=event.status,
            label=label_of(event.drug),
            ingredients=ingredients_of(event.drug),
            systemic=knowledge.is_systemic(route, form),
            order_id=known_or(event.order_id, ""),
            route=route,
            dose=known_or(event.dose, None),
            rate=known_or(event.rate, None),
            stopped_at=known_or(event.stopped_at, None),
        ),
        origin=event.origin,
    )
    return with_dose(doses, fact, day)


def with_dose(doses: Doses, fact: Fact[Given], day: datetime) -> Doses:
    """The doses with this version of one."""
    after = with_fact(doses, fact)
    if after is doses or (fact.key not in doses and _old(fact, day)):
        return doses
    medicine = medicine_of(fact)
    same = _same(after, fact, medicine)
    if len(same) <= MAX_DOSES:
        return bounded(after, MAX_DOSED)
    spare = same.keys() - bounded(same, MAX_DOSES).keys() - _of_a_day(same).keys()
    kept = {key: each for key, each in after.items() if key not in spare} if spare else after
    return bounded(kept, MAX_DOSED)


def _same(doses: Doses, fact: Fact[Given], medicine: tuple[str, ...]) -> Doses:
    """The doses of the medicine of ``fact``."""
    order_id = fact.what.order_id
    return {
        key: each
        for key, each in doses.items()
        if each.what.order_id == order_id and (each is fact or medicine_of(each) == medicine)
    }


def _of_a_day(same: Doses) -> Doses:
    """The doses of one medicine in the day before its newest, which may add up to too much."""
    newest = max(fact.at for fact in same.values())
    day = {key: fact for key, fact in same.items() if newest - fact.at < _DAY and fact.what.rate is None}
    return bounded(day, MAX_DOSES_OF_A_DAY)


def without_old_doses(doses: Doses, day: datetime) -> Doses:
    """Without those of long ago."""
    if any(_old(fact, day) for fact in doses.values()):
        return {key: fact for key, fact in doses.items() if not _old(fact, day)}
    return doses


def medicine_of(fact: Fact[Given]) -> tuple[str, ...]:
    """What doses of one medicine share: their order, or else what they are and how they are given."""
    given = fact.what
    if given.order_id:
        return (fact.source, given.order_id)
    return (*given.ingredients, given.route) if given.ingredients else (given.label.casefold(), given.route)


def _old(fact: Fact[Given], day: datetime) -> bool:
    last = fact.what.stopped_at or fact.at
    return day - max(last, fact.at) >= KEEP_DOSES
