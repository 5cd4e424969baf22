"""Which medicines are in force at an instant, and what that rests on: an order, a supply, a dose.

An order decides where there is one. A supply stands for itself when its order is not known or merely ran out; a dose that was
given, when its order is not known, was entered in error, ran out, was stopped or is held, and it was given all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from services.monitor.patient.administrations import medicine_of
from services.monitor.patient.bounds import INFUSION_COUNTS, LAST, ONCE_COUNTS
from services.monitor.patient.fact import Fact, Given
from services.monitor.patient.order import Order, thing_key


class Medicine(Struct, frozen=True, kw_only=True):
    """A medicine in force. ``by`` says what makes it so; ``until`` is exclusive, None when it is open.

    ``order`` is what was ordered, ``supplies`` what was handed out for it and still lasts, ``last_given`` the newest dose
    given, and ``running`` whether that is an infusion that still runs. ``basis`` says where the end of a supply comes from.
    """

    by: Literal["order", "supply", "dose"]
    label: str
    ingredients: tuple[str, ...]
    systemic: bool
    route: str
    starts: datetime
    until: datetime | None
    order: Order | None = None
    supplies: tuple[Order, ...] = ()
    last_given: Fact[Given] | None = None
    running: bool = False
    basis: str = ""


def in_force(
    orders: Mapping[str, Order], supplies: Mapping[str, Order], doses: Mapping[str, Fact[Given]], at: datetime
) -> list[Medicine]:
    """The medicines in force at ``at``, by what is known now; of one order once, and without an order of one medicine once."""
    names = OrderNames(orders)
    of_order, alone = _supplies_by_order(names, supplies.values())
    given_of, given_alone = _given_by_order(orders, names, doses.values(), at)
    found = [
        medicine
        for key, order in orders.items()
        if (medicine := _of_order(order, of_order.get(key, []), given_of.get(key, []), at)) is not None
    ]
    found += _of_supplies(alone, at)
    found += _of_doses(given_alone, at)
    return found


class OrderNames:
    """The orders that supplies and doses name: of their own source, or the only one of that name."""

    def __init__(self, orders: Mapping[str, Order]) -> None:
        self._orders = orders
        self._of_record: dict[str, list[str]] = {}
        for key, order in orders.items():
            self._of_record.setdefault(order.record_id, []).append(key)

    def key(self, source: str, record_id: str) -> str | None:
        """The key of the order in the state; None when it is not known."""
        if not record_id:
            return None
        own = thing_key(source, record_id)
        if own in self._orders:
            return own
        others = self._of_record.get(record_id, ())
        return others[0] if len(others) == 1 else None


def outlasting(orders: Mapping[str, Order], supplies: Mapping[str, Order], at: datetime) -> Iterator[Order]:
    """The supplies that act at ``at`` or later without an order: that of an order which merely runs out begins at its end."""
    if not supplies:
        return
    names = OrderNames(orders)
    for supply in supplies.values():
        if supply.over(at):
            continue
        key = names.key(supply.source, supply.order_id)
        if key is None:
            yield supply
            continue
        order = orders[key]
        if not order.withheld and order.acts_until is not None:
            begins = max(supply.starts, order.starts, order.acts_until)
            if supply.acts_at(begins):
                yield replace(supply, start=begins)


def _supplies_by_order(names: OrderNames, supplies: Iterable[Order]) -> tuple[dict[str, list[Order]], list[Order]]:
    of_order: dict[str, list[Order]] = {}
    alone: list[Order] = []
    for supply in supplies:
        key = names.key(supply.source, supply.order_id)
        (alone if key is None else of_order.setdefault(key, [])).append(supply)
    return of_order, alone


def _given_by_order(
    orders: Mapping[str, Order], names: OrderNames, doses: Iterable[Fact[Given]], at: datetime
) -> tuple[dict[str, list[Fact[Given]]], list[Fact[Given]]]:
    """Doses really given up to ``at``, oldest first. That an order was entered in error takes back no dose."""
    of_order: dict[str, list[Fact[Given]]] = {}
    alone: list[Fact[Given]] = []
    for fact in sorted(doses, key=lambda each: (each.at, each.key)):
        if not fact.void and fact.what.status == "given" and fact.at <= at:
            key = names.key(fact.source, fact.what.order_id)
            (alone if key is None or orders[key].void else of_order.setdefault(key, [])).append(fact)
    return of_order, alone


def _of_order(order: Order, supplies: list[Order], given: list[Fact[Given]], at: datetime) -> Medicine | None:
    last = given[-1] if given else None
    acts = last is not None and at < _acts_until(last)
    lasting = tuple(supply for supply in supplies if supply.in_force(at)) if supplies else ()
    if order.in_force(at):
        by: Literal["order", "supply", "dose"] = "order"
        starts, until, basis = order.starts, order.acts_until, ""
    elif lasting and not order.withheld and at >= order.starts:
        by, basis = "supply", lasting[-1].basis
        starts, until = min(each.starts for each in lasting), max(each.acts_until or LAST for each in lasting)
    elif (
        last is not None
        and acts
        and (_running(last, at) or not order.acts_at(last.at) or _given_while_held(order, last))
    ):
        by, basis = "dose", ""
        starts, until = last.at, _acts_until(last)
    else:
        return None
    return Medicine(
        by=by,
        label=order.label,
        ingredients=order.ingredients,
        systemic=order.systemic,
        route=order.route,
        starts=starts,
        until=until,
        order=order,
        supplies=lasting,
        last_given=last,
        running=last is not None and _running(last, at),
        basis=basis,
    )


def _given_while_held(order: Order, last: Fact[Given]) -> bool:
    return order.held and last.at >= order.said_at


def _of_supplies(supplies: list[Order], at: datetime) -> Iterator[Medicine]:
    """Supplies whose order is not known: refills of one medicine are one."""
    lasting = sorted((each for each in supplies if each.in_force(at)), key=lambda each: (*_named(each), each.starts))
    for _, group in groupby(lasting, key=_named):
        refills = tuple(group)
        last = max(refills, key=lambda each: (each.acts_until or LAST, each.record_id))
        yield Medicine(
            by="supply",
            label=last.label,
            ingredients=last.ingredients,
            systemic=last.systemic,
            route=last.route,
            starts=refills[0].starts,
            until=last.acts_until,
            supplies=refills,
            basis=last.basis,
        )


def _named(supply: Order) -> tuple[tuple[str, ...], str]:
    return (supply.ingredients or (supply.label.casefold(),), supply.route)


def _of_doses(doses: list[Fact[Given]], at: datetime) -> Iterator[Medicine]:
    """Doses whose order is not known: of one medicine the last counts."""
    last_of = {medicine_of(fact): fact for fact in doses}
    for fact in last_of.values():
        if at < _acts_until(fact):
            yield Medicine(
                by="dose",
                label=fact.what.label,
                ingredients=fact.what.ingredients,
                systemic=fact.what.systemic,
                route=fact.what.route,
                starts=fact.at,
                until=_acts_until(fact),
                last_given=fact,
                running=_running(fact, at),
            )


def _running(fact: Fact[Given], at: datetime) -> bool:
    infusion = fact.what.rate is not None or fact.what.stopped_at is not None
    return infusion and fact.at <= at < _infused_until(fact)


def _infused_until(fact: Fact[Given]) -> datetime:
    return fact.what.stopped_at or fact.at + min(INFUSION_COUNTS, LAST - fact.at)


def _acts_until(fact: Fact[Given]) -> datetime:
    """A dose counts for a day, and an infusion for as long as it runs, when that is longer."""
    counts = fact.at + min(ONCE_COUNTS, LAST - fact.at)
    infusion = fact.what.rate is not None or fact.what.stopped_at is not None
    return max(counts, _infused_until(fact)) if infusion else counts
