"""What feeds do to messages: late, twice, out of order, first preliminary, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from examples.quarter.formulary import drugs
from examples.quarter.person import Message, Person

TWICE, LATE, PRELIMINARY = 0.03, 0.05, 0.04
"""Which part of the messages."""
MISTAKEN = 0.1
"""For which part of the people something is ordered by mistake."""
LATEST_HOURS = 20
MISTAKES = ("vitamin d", "folic acid", "tamsulosin")
"""Orders that could stand beside anything: what is entered for the wrong patient must not be a problem of its own."""


def arrived(person: Person, rng: Random) -> Iterator[Message]:
    """The messages of a person, each with ``recorded_at``: when it was sent. Not in order."""
    for message in [*person.messages, *_mistakes(person, rng)]:
        for each in _preliminary(message, rng):
            sent = _occurred(each) + _delay(each, rng)
            yield each | {"recorded_at": sent.isoformat()}
            if rng.random() < TWICE:
                # the same message again, as a sender that saw no acknowledgement does
                yield each | {"recorded_at": (sent + timedelta(minutes=rng.randint(1, 600))).isoformat()}


def _delay(message: Message, rng: Random) -> timedelta:
    if rng.random() < LATE:
        return timedelta(minutes=rng.randint(60, LATEST_HOURS * 60))
    # results take an hour, charted doses and orders minutes
    return timedelta(minutes=rng.randint(30, 90) if message["type"] == "lab_result" else rng.randint(0, 10))


def _preliminary(message: Message, rng: Random) -> Iterator[Message]:
    if message["type"] != "lab_result" or rng.random() >= PRELIMINARY:
        yield message
        return
    yield message | {"status": "preliminary"}
    yield message | {"version": message["version"] + 1}


def _mistakes(person: Person, rng: Random) -> Iterator[Message]:
    """An order for the wrong patient, taken back within the hour."""
    if rng.random() >= MISTAKEN:
        return
    product = drugs()[rng.choice(MISTAKES)]
    at = _occurred(rng.choice(person.messages)) - timedelta(hours=1)
    order: Message = {
        "type": "prescription",
        "patient_id": person.id,
        "source": "cpoe",
        "record_id": f"slip-{person.id}",
    }
    order |= {"timing": "replayed", "drug": {"text": product.text}, "setting": "outpatient"}
    yield order | {"version": 1, "occurred_at": at.isoformat(), "status": "ordered"}
    taken_back = at + timedelta(minutes=rng.randint(5, 50))
    yield order | {"version": 2, "occurred_at": taken_back.isoformat(), "status": "entered_in_error"}


def _occurred(message: Message) -> datetime:
    return datetime.fromisoformat(message["occurred_at"])
