"""Facts of a patient as the evidence of an alert, and why an alert is no longer true."""

from __future__ import annotations

from schemas.alerts import Alert, Implicated
from schemas.route_named import route_named
from services.monitor.patient.clock import said_at
from services.monitor.patient.order import Order
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState

_GOES_ON = ("ordered", "changed", "resumed", "dispensed")


_MOST = 20_000
_implicated: dict[int, tuple[Order, Implicated]] = {}
"""By the identity of an order, which is kept with it so that no other order can have it: an order is told at many events."""


def implicate_order(order: Order) -> Implicated:
    """An order as evidence."""
    known = _implicated.get(id(order))
    if known is None:
        if len(_implicated) >= _MOST:
            _implicated.clear()
        known = _implicated[id(order)] = (order, _implicate_order(order))
    return known[1]


def _implicate_order(order: Order) -> Implicated:
    return Implicated(
        kind="dispensing" if order.kind == "dispensing" else "prescription",
        source=order.source,
        record_id=order.record_id,
        version=order.version,
        label=_ordered(order),
        at=order.first_seen if order.kind == "dispensing" else order.starts,
        until=order.end,
    )


def implicate_result(result: Result) -> Implicated:
    """A laboratory result as evidence."""
    return Implicated(
        kind="lab_result",
        source=result.source,
        record_id=result.record_id,
        version=result.version,
        label=result.label,
        at=result.at,
        value=result.value,
        unit=result.unit,
        received=result.received,
    )


def _ordered(order: Order) -> str:
    route = "" if route_named(order.dosage, order.route) else order.route
    return " ".join(filter(None, (order.label, order.dosage, route)))


def why_ended(alert: Alert, state: PatientState) -> str:
    """A sentence for the history: which of the facts behind it ended, or which newer one answers it. What it is about stands
    first among its facts: a laboratory alert ends by a newer result, whatever became of the medicines that it names."""
    newer = [said for fact in alert.implicated if fact.kind == "lab_result" and (said := _newer(fact, state))]
    of_results = " ".join(dict.fromkeys(newer))
    if of_results and alert.implicated[0].kind == "lab_result":
        return of_results
    for fact in alert.implicated:
        if fact.kind in ("prescription", "dispensing"):
            order = state.order_of(fact)
            if order is None or order.over(state.clock):
                status = "ended" if order is None or order.status in _GOES_ON else order.status.replace("_", " ")
                what = "supply" if fact.kind == "dispensing" else "order"
                return f"The {what} {fact.label} is {status}."
    return of_results or "It is no longer true by what is known now."


def value_of(result: Result) -> str:
    """As its laboratory wrote it, else the canonical value."""
    return result.received or (
        result.text if result.value is None else f"{result.comparator}{result.value:g} {result.unit}".strip()
    )


def _newer(fact: Implicated, state: PatientState) -> str:
    for analyte, results in state.results.items():
        if any((each.source, each.record_id) == (fact.source, fact.record_id) for each in results):
            newest = next((each for each in reversed(results) if each.measured), None)
            if newest is None:
                return f"There is no valid {analyte} result left."
            return f"Newest {analyte}: {value_of(newest)} at {said_at(newest.at)}."
    return ""
