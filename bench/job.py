"""The common job: per patient the last drugs and laboratory values; alerts on a drug pair and on a value out of its limits.

Made-up drugs and limits: what matters is that every contender does the same work. The peers implement it again, each in its
own way (``peers/``), and ``linear.py`` once more to hold all of them against.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from services.streaming.handler import Outcome, Record, Send

DRUGS = tuple(f"d{number}" for number in range(300))
KEPT_DRUGS = 12
KEPT_VALUES = 8


class Knowledge(msgspec.Struct, frozen=True):
    """``partners``: drugs that must not meet a drug. ``limits``: lowest and highest value of a laboratory code."""

    partners: dict[str, tuple[str, ...]]
    limits: dict[str, tuple[float, float]]


class Lab(msgspec.Struct, tag_field="type", tag="lab"):
    id: str
    patient: str
    code: str
    value: float


class Prescribed(msgspec.Struct, tag_field="type", tag="prescribed"):
    id: str
    patient: str
    drug: str


class Dispensed(msgspec.Struct, tag_field="type", tag="dispensed"):
    id: str
    patient: str
    drug: str


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """``by`` is the id of the event that raised it."""

    rule: str
    patient: str
    by: str
    code: str = ""
    value: float = 0.0
    pair: tuple[str, str] | None = None


class State(msgspec.Struct, array_like=True, gc=False):
    """``applied`` is the offset of the last event in it, -1 for none. Tuples and ``gc=False`` leave the garbage collector
    little to look at: with lists it took half of the time."""

    drugs: tuple[str, ...] = ()
    labs: dict[str, tuple[float, ...]] = msgspec.field(default_factory=dict)
    n: int = 0
    applied: int = -1


decode_event = msgspec.json.Decoder(Lab | Prescribed | Dispensed).decode
decode_alert = msgspec.json.Decoder(Alert).decode
_decode_state = msgspec.json.Decoder(State).decode
_encode = msgspec.json.Encoder().encode


def knowledge() -> Knowledge:
    """Always the same."""
    rnd = random.Random(7)
    partners: dict[str, list[str]] = {}
    for first, second in sorted({tuple(sorted(rnd.sample(DRUGS, 2))) for _ in range(400)}):
        partners.setdefault(first, []).append(second)
        partners.setdefault(second, []).append(first)
    limits = {f"{1000 + number}-{number % 10}": (10.0 + number, 90.0 + number) for number in range(20)}
    return Knowledge({drug: tuple(others) for drug, others in partners.items()}, limits)


def patient_name(number: int) -> str:
    return f"p{number:07d}"


def events(count: int, patients: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of ``count`` events of about 150 bytes: 25 % prescribed, 20 % dispensed, 55 % laboratory values."""
    rnd = random.Random(seed)
    codes = list(knowledge().limits)
    for number in range(count):
        patient, kind = patient_name(rnd.randrange(patients)), rnd.random()
        at = f"2026-11-23T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
        event: dict[str, object] = {
            "id": f"e{number:09d}",
            "patient": patient,
            "occurred_at": at,
            "source": "hospital-a",
        }
        if kind < 0.25:
            event |= {"type": "prescribed", "drug": rnd.choice(DRUGS), "dose": 10.0, "unit": "mg"}
        elif kind < 0.45:
            event |= {"type": "dispensed", "drug": rnd.choice(DRUGS), "days": 30}
        else:
            value = round(rnd.gauss(55, 18), 1)
            event |= {"type": "lab", "code": rnd.choice(codes), "value": value, "unit": "mg/dL"}
        yield patient.encode(), _encode(event)


def states(patients: int, seed: int = 3) -> Iterator[tuple[str, State]]:
    """A state for each of ``patients``, as after some twenty events: what a restore has to bring back. Patients share a
    thousand states, which must not be changed."""
    rnd = random.Random(seed)
    codes = list(knowledge().limits)
    pool = [
        State(
            tuple(rnd.sample(DRUGS, 6)),
            {code: tuple(round(rnd.gauss(55, 18), 1) for _ in range(3)) for code in rnd.sample(codes, 4)},
            18,
        )
        for _ in range(997)
    ]
    for number in range(patients):
        yield patient_name(number), pool[number % len(pool)]


class JobHandler:
    """The job as a ``services.streaming`` handler; alerts go to the topic ``output``."""

    def __init__(self, known: Knowledge, output: str) -> None:
        self._known = known
        self._output = output

    def state_key(self, record: Record) -> bytes | None:
        return record.key

    def handle(self, records: Sequence[Record], states: Mapping[bytes, object | None]) -> Outcome:
        changed: dict[bytes, State] = {}
        sends: list[Send] = []
        for record in records:
            key = record.key
            assert key is not None
            state = changed.get(key)
            if state is None:
                before = states.get(key)
                # the states given must stay as they are
                state = State() if before is None else _copy(before)
            if record.offset <= state.applied:
                continue
            changed[key] = state
            state.applied = record.offset
            sends += [Send(self._output, key, _encode(alert)) for alert in self._step(state, record.value or b"")]
        return Outcome(dict(changed), sends)

    def _step(self, state: State, value: bytes) -> list[Alert]:
        event = decode_event(value)
        state.n += 1
        if isinstance(event, Lab):
            state.labs[event.code] = (*state.labs.get(event.code, ()), event.value)[-KEPT_VALUES:]
            low, high = self._known.limits[event.code]
            if low <= event.value <= high:
                return []
            return [Alert("lab", event.patient, event.id, code=event.code, value=event.value)]
        drug, drugs = event.drug, state.drugs
        if drug in drugs:
            return []
        met = [other for other in self._known.partners.get(drug, ()) if other in drugs]
        state.drugs = (*drugs, drug)[-KEPT_DRUGS:]
        return [Alert("ddi", event.patient, event.id, pair=(drug, other)) for other in met]

    def refuse(self, record: Record, error: Exception) -> list[Send]:
        """An event of the generator is never refused: the run must fail instead of leaving one out."""
        raise error

    def encode_state(self, state: object) -> bytes:
        return _encode(state)

    def decode_state(self, stored: bytes) -> object:
        return _decode_state(stored)


def _copy(state: object) -> State:
    assert isinstance(state, State)
    return State(state.drugs, {**state.labs}, state.n, state.applied)
