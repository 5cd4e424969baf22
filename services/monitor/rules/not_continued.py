"""A medicine of home about which nobody decides (``transfer/not_continued.csv``): on the ward neither ordered nor stopped since
the admission, or held there and at the discharge neither resumed nor stopped.

A decision about it is an order of the same medicine or of another of its class, a dose charted, given or not, a stop, or a word
on the order of home itself since the day before. Judged on a ward only where orders or doses of this stay are known. What is for
home is told by the times, because the setting of an order is not kept: it began a day or more before the admission, and not
within another stay.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from knowledge.joined import ByMedicine
from knowledge.model import Knowledge
from knowledge.transfer import NotContinued as Row
from schemas.alerts import Condition as ConditionSaid
from schemas.values import Citation
from services.monitor.patient.change import Change
from services.monitor.patient.clock import earlier, later, said_at, said_span
from services.monitor.patient.known import known_or
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, earliest, read_by, reads_of
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.handed_out import SUMMARY, handed_out, name_of, same_class, shares
from services.monitor.rules.in_hospital import for_home_since, in_hospital, leaves_at
from services.monitor.rules.rule import Finding, Reads
from services.monitor.rules.stayed import stays_of
from services.monitor.rules.view import view_of

_DAY = timedelta(days=1)
_LONGEST = timedelta(days=30)
"""How long before a discharge an order may have been held that was held in that stay, where the admission is not known. No
pharmacology."""
_NOTHING = ByMedicine[Row]()


class _Stay(NamedTuple):
    """``ends`` None: the patient is there now."""

    begins: datetime
    ends: datetime | None


class NotContinued:
    """One finding for each medicine."""

    id = "not-continued"
    version = "1"
    family = "transfer"
    title = "A medicine of home neither continued nor stopped"
    data = ("transfer/not_continued.csv",)

    def reads(self, knowledge: Knowledge) -> Reads:
        unless = [condition for row in _all_rows(knowledge) for condition in row.unless]
        return reads_of(Reads(ingredients=None, person=("stay",)), read_by(unless, knowledge))

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return dict.fromkeys(citation for row in _all_rows(knowledge) for citation in row.citations)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """Whether anything of the ward is known is asked of all medicines of home together."""
        view = view_of(state, knowledge)
        parts = {*view.parts_of(self.id), *(each.part for each in state.obligations.values() if each.source == self.id)}
        if not state.stays:
            return parts
        known = view.kept.get(self.id)
        made_of = (state.orders, state.supplies, state.stays, view.acting)
        if known is None or any(one is not other for one, other in zip(known[0], made_of, strict=True)):
            known = view.kept[self.id] = (made_of, _candidates(state, knowledge))
        found: frozenset[str] = known[1]
        return parts | found

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """``part`` is a medicine by its ingredients."""
        stay = _stay(state)
        if stay is None:
            return
        if stay.ends is None:
            yield from _not_on_ward(self.id, part, stay.begins, state, knowledge)
        else:
            yield from _not_resumed(self.id, part, stay.begins, stay.ends, state, knowledge)


def _all_rows(knowledge: Knowledge) -> list[Row]:
    return [row for of in knowledge.transfers.not_continued.values() for row in of.rows]


def _candidates(state: PatientState, knowledge: Knowledge) -> frozenset[str]:
    """The medicines of home that act now on a ward, or were held when the patient left it."""
    stay = _stay(state)
    if stay is None:
        return frozenset()
    orders = _of_home(stay.begins, state, knowledge) if stay.ends is None else _held(stay.begins, stay.ends, state)
    return frozenset(name_of(order) for order in orders)


def _stay(state: PatientState) -> _Stay | None:
    """The stay that goes on, or the last one that ended."""
    stays = stays_of(state)
    if in_hospital(state):
        now = [each.begins for each in stays if each.ends is None or each.ends > state.clock]
        return _Stay(min(now), None) if now else None
    ended = {each.ends: each for each in stays if each.ends is not None and each.ends <= state.clock}
    told = [known_or(fact.what.discharged_at, None) for fact in state.stays.values() if not fact.void]
    last = max((end for end in told if end is not None and end <= state.clock), default=None)
    if last is None:
        return None
    known = ended.get(last)
    # a stay whose begin is inferred from orders began before the first of them was written
    begins = earlier(last, _LONGEST) if known is None else known.begins
    return _Stay(begins if known is None or known.surely else earlier(begins, _DAY), last)


def _of_home(admitted: datetime, state: PatientState, knowledge: Knowledge) -> list[Order]:
    """What acts now and was taken before the admission, by an order or a supply."""
    before = earlier(admitted, _DAY)
    return [
        order
        for order in view_of(state, knowledge).acting
        if order.systemic and order.ingredients and not order.one_time and not _as_needed(order)
        and order.starts <= before and order.first_seen <= before and order.in_force(admitted)
        and for_home_since(order, state) is not None
    ]  # fmt: skip


def _not_on_ward(
    rule: str, part: str, admitted: datetime, state: PatientState, knowledge: Knowledge
) -> Iterator[Finding | Obligation]:
    home = [order for order in _of_home(admitted, state, knowledge) if name_of(order) == part]
    row = knowledge.transfers.not_continued.get("admission", _NOTHING).of(home[0].ingredients) if home else None
    if row is None or not _ward_known(admitted, state) or _decided(home, earlier(admitted, _DAY), state, knowledge):
        return
    due, over = later(admitted, row.wait), later(admitted, row.lasts)
    leaves = leaves_at(state)
    if state.clock >= over:
        return
    if state.clock < due:
        if leaves is None or due < leaves:
            yield Obligation("review", part, due, rule, admitted, part)
        return
    found = answers(row.unless, Situation(state=state, knowledge=knowledge, orders=home, objects=home))
    if any(each.holds for each in found):
        return
    what = f"of home {row.title} ({said_at(admitted)})"
    yield _finding(part, what, home, row, due, (over, leaves), found, (
        f"Admitted at {said_at(admitted)}; orders or doses of the ward are known, and none of it or of its class.",
        "Not known: whether it was left out on purpose, or is taken from the patient's own supply.",
    ))  # fmt: skip


def _ward_known(admitted: datetime, state: PatientState) -> bool:
    return any(not order.void and order.starts >= admitted for order in state.orders.values()) or any(
        not dose.void and dose.at >= admitted for dose in state.doses.values()
    )


def _decided(home: Sequence[Order], since: datetime, state: PatientState, knowledge: Knowledge) -> bool:
    first = home[0]
    if any(each.kind == "prescription" and each.said_at > since for each in home):
        return True
    if any(
        not order.void and order.starts > since and _is_like(order, first, knowledge) for order in state.orders.values()
    ):
        return True
    return any(
        not dose.void and dose.at > since and not set(dose.what.ingredients).isdisjoint(first.ingredients)
        for dose in state.doses.values()
    )


def _held(begins: datetime, discharged: datetime, state: PatientState) -> list[Order]:
    """Orders of home that were held in the stay and are so still."""
    since = earlier(begins, _DAY)
    return [
        order
        for order in state.orders.values()
        if order.held and not order.void and order.stopped is None and order.replaced_at is None
        and order.systemic and order.ingredients and not _as_needed(order)
        and order.starts <= since <= order.said_at <= later(discharged, _DAY)
        and not _ended(order, discharged)
    ]  # fmt: skip


def _ended(order: Order, time: datetime) -> bool:
    return order.acts_until is not None and order.acts_until <= time


def _not_resumed(
    rule: str, part: str, begins: datetime, discharged: datetime, state: PatientState, knowledge: Knowledge
) -> Iterator[Finding | Obligation]:
    held = [order for order in _held(begins, discharged, state) if name_of(order) == part]
    row = knowledge.transfers.not_continued.get("discharge", _NOTHING).of(held[0].ingredients) if held else None
    if row is None or _instead(held, begins, discharged, state, knowledge):
        return
    due, over = later(discharged, row.wait), later(discharged, row.lasts)
    if state.clock >= over:
        return
    if state.clock < due:
        yield Obligation("review", part, due, rule, discharged, part)
        return
    yield _finding(part, row.title, held, row, due, (over,), (), (
        f"Held at {said_at(held[0].said_at)}, discharged at {said_at(discharged)}; nothing was said of it since.",
        "Not known: what the patient was told, and what is taken from a supply that is left.",
    ))  # fmt: skip


def _instead(
    held: Sequence[Order], begins: datetime, discharged: datetime, state: PatientState, knowledge: Knowledge
) -> bool:
    """Whether there is another order of it or its class for home, or a supply since the discharge."""
    first, after = held[0], later(discharged, _DAY / 2)
    orders = (order for order in state.orders.values() if not order.void and not order.held)
    if any(
        order.starts >= begins and not _ended(order, after) and _is_like(order, first, knowledge) for order in orders
    ):
        return True
    return any(
        supply.first_seen >= earlier(discharged, _DAY) and _is_like(supply, first, knowledge)
        for supply in handed_out(state)
    )


def _is_like(one: Order, other: Order, knowledge: Knowledge) -> bool:
    return shares(one, other) or same_class(one.ingredients, other.ingredients, knowledge)


def _as_needed(order: Order) -> bool:
    return order.dose is not None and order.dose.as_needed is True


def _finding(
    part: str,
    what: str,
    orders: Sequence[Order],
    row: Row,
    due: datetime,
    ends: Iterable[datetime | None],
    found: Sequence[Answer],
    detail: tuple[str, ...],
) -> Finding:
    return Finding(
        subject=part,
        severity=row.severity,
        summary=f"{part} {what}"[:SUMMARY],
        detail=" ".join((row.effect, *detail)),
        actions=row.actions,
        patient_explanation=row.patient_explanation,
        evidence_grade=row.evidence_grade,
        implicated=tuple(dict.fromkeys(map(implicate_order, orders))),
        citations=row.citations,
        since=due,
        origins=tuple(each.origin for each in orders if each.origin is not None),
        until=earliest(
            (*ends, *(each.acts_until for each in orders if not each.held), *(each.until for each in found))
        ),
        conditions=(
            ConditionSaid(
                text=f"a decision within {said_span(row.wait)} of the {row.at}",
                answer="no",
                found=f"waited for until {said_at(due)}",
            ),
        ),
        rows=(f"transfer/not_continued.csv#{row.at},{row.medicine}",),
        medicines=tuple(sorted(orders[0].ingredients)),
    )
