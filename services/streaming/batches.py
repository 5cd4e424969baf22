"""Running a handler over a batch so that one bad record refuses itself and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.streaming.handler import Handler, Outcome, Record, Send, TimedHandler

Errors = dict[int, Exception]
"""What was raised, by the place of the record in the batch."""


def run(handler: Handler, records: Sequence[Record], states: Mapping[bytes, object | None]) -> tuple[Outcome, Errors]:
    """``handle``, and when it raises, the records one by one: each sees the states that those before it left."""
    try:
        return handler.handle(records, states), {}
    except Exception:
        return _one_by_one(handler, records, states)


def _one_by_one(
    handler: Handler, records: Sequence[Record], states: Mapping[bytes, object | None]
) -> tuple[Outcome, Errors]:
    now = dict(states)
    changed: dict[bytes, object | None] = {}
    sends: list[Send] = []
    errors: Errors = {}
    for index, record in enumerate(records):
        try:
            outcome = handler.handle([record], now)
        except Exception as error:
            errors[index] = error
            sends += handler.refuse(record, error)
        else:
            now.update(outcome.states)
            changed.update(outcome.states)
            sends += outcome.sends
    return Outcome(changed, sends), errors


def run_due(handler: TimedHandler, states: Mapping[bytes, object], now: int) -> tuple[Outcome, list[Exception]]:
    """``handle_due``, and when it raises, the states one by one; one that it raises for alone does not change."""
    if not states:
        return Outcome({}, []), []
    try:
        return handler.handle_due(states, now), []
    except Exception as error:
        if len(states) == 1:
            return Outcome({}, []), [error]
    together, errors = Outcome({}, []), list[Exception]()
    for key, state in states.items():
        outcome, raised = run_due(handler, {key: state}, now)
        together.states.update(outcome.states)
        together.sends += outcome.sends
        errors += raised
    return together, errors
