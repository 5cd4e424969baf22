"""Running a handler over a batch so that one bad record refuses itself and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.streaming.handler import Handler, Outcome, Record, Send

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
