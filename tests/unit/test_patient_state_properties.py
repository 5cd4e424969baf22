"""What holds of a patient's state whatever comes, and in whatever order: the same facts end in the same state and the same
open problems, nothing raises, and nothing grows without bound."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from schemas.events import (
    Administration,
    Allergy,
    AllergyRecord,
    AnyEvent,
    Condition,
    ConditionRecord,
    Dispensing,
    Dosage,
    Drug,
    EncounterRecord,
    Ingredient,
    Observation,
    Patient,
    Pregnancy,
    Prescription,
    Stay,
)
from schemas.values import UNSET, Coding, Quantity
from services.monitor.patient.state import LastPicture, PatientState
from services.monitor.patient.stored import decode, encode
from tests.support.clinical import KNOWLEDGE as SMALL
from tests.support.clinical import SmallKnowledge, at, daily, lab, limit
from tests.support.ward import Ward

KNOWLEDGE: Any = SmallKnowledge(
    [each for known in SMALL.interactions.values() for each in known],
    [*SMALL.limits.values(), limit("sodium", 120, 158)],
)
"""A rule reads each analyte of the facts below, so that none of the three records falls to a bound."""

# --- facts


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


NAMES = some("simvastatin", "clarithromycin", "diltiazem", "fluoxetine", "phenelzine", "unheard-of")
HOURS = st.integers(0, 60)
ROUTES = some(UNSET, None, "oral", "topical")
TIMES = st.builds(at, HOURS)
VERSIONED: dict[str, Any] = {"patient_id": st.just("a"), "version": st.integers(1, 3), "occurred_at": TIMES}


@st.composite
def drugs(draw: st.DrawFn) -> Drug:
    if draw(some(False, False, True)):
        return Drug()
    name = draw(NAMES)
    known = () if name == "unheard-of" else (Ingredient(name),)
    return Drug(text=name, ingredients=known, form=draw(some(UNSET, "tablet")))


DOSAGES = st.one_of(
    st.builds(Dosage, route=ROUTES), st.builds(daily, some(5.0, 20.0, 80.0)), st.just(Dosage(text="as told"))
)
ORDER_IDS = some("o1", "o2", "o3", "o4")
ENDS = st.one_of(st.just(UNSET), st.none(), TIMES)

PRESCRIPTIONS = st.builds(
    Prescription,
    source=some("ward"),
    record_id=ORDER_IDS,
    status=some("ordered", "changed", "held", "resumed", "discontinued", "entered_in_error"),
    drug=drugs(),
    dosage=DOSAGES,
    start=st.one_of(st.none(), TIMES),
    end=ENDS,
    one_time=some(UNSET, True, False),
    replaces=some(UNSET, UNSET, "o1", "o2", "o3"),
    **VERSIONED,
)
DISPENSINGS = st.builds(
    Dispensing,
    source=some("ward", "pharmacy"),
    record_id=some("s1", "s2"),
    status=some("dispensed", "dispensed", "returned", "cancelled", "entered_in_error"),
    drug=drugs(),
    dosage=DOSAGES,
    order_id=some(UNSET, "o1", "o9"),
    quantity=some(UNSET, Quantity(30, "mg"), Quantity(-1, "mg"), Quantity(1e308, "mg")),
    days_supply=some(UNSET, None, 1.0, 14.0, 1e9, -3.0),
    **VERSIONED,
)
ADMINISTRATIONS = st.builds(
    Administration,
    source=some("ward"),
    record_id=some("d1", "d2", "d3"),
    status=some("given", "given", "refused", "held", "entered_in_error"),
    drug=drugs(),
    order_id=some(UNSET, "o1", "o2"),
    rate=some(UNSET, Quantity(5, "mL/h")),
    stopped_at=st.one_of(st.just(UNSET), TIMES),
    **VERSIONED,
)


@st.composite
def results(draw: st.DrawFn) -> AnyEvent:
    """A record may come back under another analyte, or with none."""
    analyte, status = (
        draw(some("potassium", "sodium", "")),
        draw(some("preliminary", "final", "corrected", "cancelled")),
    )
    value = draw(some(None, 1.9, 4.0, 6.9, 7.5))
    more = {"comparator": draw(some(None, "<", ">")), "remark": draw(some("", "", "implausible"))}
    return lab(
        analyte, value, draw(HOURS), id=draw(some("k1", "k2", "k3")), patient_id="a", status=status,
        version=draw(st.integers(1, 3)), **more,
    )  # fmt: skip


CODINGS = st.tuples(st.builds(Coding, some("ICD-10"), some("I10", "N18.4", "E11.9")))
CONDITIONS = st.builds(Condition, codings=CODINGS, status=some(UNSET, "active", "resolved", "refuted"))
ALLERGIES = st.builds(Allergy, substance=drugs(), verification=some(UNSET, "confirmed", "refuted", "entered_in_error"))
STAYS = st.builds(
    Stay, unit=some(UNSET, "ICU", "W2"), facility=some(UNSET, "north"), discharged_at=st.just(UNSET) | TIMES
)
PERSON = st.one_of(
    st.builds(
        Patient,
        source=some("adt", "clinic"),
        record_id=st.just("p"),
        birth_date=some(UNSET, None, date(1950, 5, 5), date(2024, 1, 1)),
        sex=some(UNSET, "female", "male"),
        pregnancy=some(UNSET, Pregnancy(pregnant=True), Pregnancy(pregnant=False)),
        lactating=some(UNSET, True, None),
        conditions=st.just(UNSET) | st.lists(CONDITIONS, max_size=2).map(tuple),
        allergies=st.just(UNSET) | st.none() | st.lists(ALLERGIES, max_size=2).map(tuple),
        stay=st.just(UNSET) | STAYS,
        **VERSIONED,
    ),
    st.builds(
        ConditionRecord, source=some("clinic"), record_id=some("c1", "c2"), condition=CONDITIONS,
        status=some("recorded", "entered_in_error"), **VERSIONED,
    ),
    st.builds(
        AllergyRecord, source=some("clinic"), record_id=some("a1", "a2"), allergy=ALLERGIES,
        status=some("recorded", "entered_in_error"), **VERSIONED,
    ),
    st.builds(
        EncounterRecord, source=some("adt"), record_id=some("e1", "e2"), stay=STAYS,
        status=some("planned", "in_progress", "finished", "cancelled", "entered_in_error"), **VERSIONED,
    ),
    st.builds(
        Observation, source=some("ward"), record_id=some("w1", "w2"), kind=some("weight", "height"),
        value=some(UNSET, 70.0, 80.0), unit=st.just("kg"),
        status=some("final", "corrected", "cancelled", "entered_in_error"), **VERSIONED,
    ),
)  # fmt: skip
EVENTS: st.SearchStrategy[AnyEvent] = st.one_of(
    PRESCRIPTIONS, PRESCRIPTIONS, DISPENSINGS, ADMINISTRATIONS, results(), PERSON
)
IDS = ("a", "b", "c")


def told_apart(one: PatientState, other: PatientState) -> list[str]:
    """The parts in which two states differ."""
    names = PatientState.__struct_fields__
    return [
        f"{name}: {getattr(one, name)} != {getattr(other, name)}"
        for name in names
        if getattr(one, name) != getattr(other, name)
    ]


def problems(state: PatientState) -> set[tuple[Any, ...]]:
    return {(a.rule, a.subject, a.status, a.severity, a.implicated) for a in state.open_alerts.values()}


def facts(state: PatientState) -> PatientState:
    """All but how the records came and how the alerts went."""
    return replace(
        state, applied={}, open_alerts={}, merged=None, former_ids=(), last_picture=LastPicture(), episodes=()
    )


def played(events: list[AnyEvent], seed: int = 0, cut: int = 1, upon: str = "a") -> PatientState:
    state = Ward(KNOWLEDGE, seed, cut).put(*events).run().state(upon)
    assert state is not None
    return state


# --- any order


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, min_size=1, max_size=14), st.data())
def test_any_order_repetition_and_cut_of_the_same_facts_ends_in_the_same_state(
    events: list[AnyEvent], data: st.DataObject
) -> None:
    expected = played(events)
    arrival = data.draw(st.permutations([*events, *data.draw(st.lists(st.sampled_from(events), max_size=4))]))
    found = played(arrival, data.draw(st.integers(0, 99)), data.draw(st.integers(1, 8)))
    assert told_apart(facts(found), facts(expected)) == []
    assert problems(found) == problems(expected)
    for hours in (0, 7, 30, 61, 24 * 40):
        assert sorted(map(repr, found.in_force(at(hours)))) == sorted(map(repr, expected.in_force(at(hours))))
    assert decode(encode(found)) == found


class Records(RuleBasedStateMachine):
    """Facts of one person come under three ids, which are merged at some time into one, in a chain or a circle."""

    @initialize(seed=st.integers(0, 2**16), cut=st.integers(1, 5))
    def start(self, seed: int, cut: int) -> None:
        self.ward = Ward(KNOWLEDGE, seed, cut)
        self.told: list[AnyEvent] = []
        self.merges = 0

    @rule(event=EVENTS, upon=some(*IDS))
    def tell(self, event: AnyEvent, upon: str) -> None:
        self._put(replace(event, patient_id=upon))

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.told:
            self.ward.put(data.draw(st.sampled_from(self.told)))

    @rule(of=some(*IDS), into=some(*IDS))
    def merge(self, of: str, into: str) -> None:
        self.merges += 1
        self._put(_merge(of, into, 70 + self.merges))

    @rule()
    def handle(self) -> None:
        self.ward.run()

    @invariant()
    def each_open_problem_is_open_once(self) -> None:
        if hasattr(self, "ward"):
            held = [a.alert_id for id_ in IDS if (s := self.ward.state(id_)) for a in s.open_alerts.values()]
            assert sorted(held) == sorted(alert.alert_id for alert in self.ward.open())

    def teardown(self) -> None:
        if not hasattr(self, "ward"):
            return
        # in the end all is one record: b, whatever was merged before
        for number, (of, into) in enumerate((("a", "b"), ("c", "b"), ("b", "b"))):
            self._put(_merge(of, into, 1000 + number))
        self.ward.run()
        survivors = [state for id_ in IDS if (state := self.ward.state(id_)) and not _ended(state)]
        assert len(survivors) <= 1, [state.patient_id for state in survivors]

    def _put(self, event: AnyEvent) -> None:
        self.told.append(event)
        self.ward.put(event)


def _merge(of: str, into: str, hours: float) -> Patient:
    return Patient(patient_id=of, source="adt", record_id="p", occurred_at=at(hours), merged_into=into)


def _upon(patient_id: str, event: AnyEvent) -> AnyEvent:
    """The event as if it had been told of that patient from the start."""
    event = replace(event, patient_id=patient_id)
    return replace(event, merged_into=None) if isinstance(event, Patient) else event


def _ended(state: PatientState) -> bool:
    return state.merged is not None and state.merged.follows


MERGES = some(
    ((("a", "b"), ("c", "b")), "b"),
    ((("a", "b"), ("b", "c")), "c"),
    ((("a", "b"), ("b", "c"), ("c", "a")), "a"),
    ((("a", "b"), ("b", "a"), ("c", "a")), "a"),
)
"""Merges in the order of their time, and the id that goes on."""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(EVENTS, some(*IDS)), min_size=1, max_size=12), MERGES, st.data())
def test_records_merged_at_any_time_are_one_record(
    facts_of: list[tuple[AnyEvent, str]], of_merges: tuple[tuple[tuple[str, str], ...], str], data: st.DataObject
) -> None:
    merges, goes_on = of_merges
    ordered = [_merge(of, into, 61 + number) for number, (of, into) in enumerate(merges)]
    events = [replace(event, patient_id=upon) for event, upon in facts_of]
    expected = played([_upon(goes_on, event) for event in (*events, *ordered)], upon=goes_on)
    ward = Ward(KNOWLEDGE, data.draw(st.integers(0, 99)), data.draw(st.integers(1, 5)))
    for event in data.draw(st.permutations([*events, *ordered])):
        ward.put(event)
        if data.draw(st.booleans()):
            ward.run()
    found = ward.run().state(goes_on)
    assert found is not None
    assert told_apart(facts(found), facts(expected)) == []
    assert problems(found) == problems(expected)
    assert [alert.patient_id for alert in ward.open()] == [goes_on] * len(found.open_alerts)
    others = [state for id_ in IDS if id_ != goes_on and (state := ward.state(id_)) is not None]
    assert all(_ended(state) and not state.open_alerts and not state.orders for state in others)


# --- nothing without bound


def many(kind: str, count: int) -> list[AnyEvent]:
    """Events that differ in record, version and time as far as the kind lets them."""
    chance = random.Random(kind)
    hours = [chance.uniform(0, 24 * 200) for _ in range(count)]
    texts = {"text": "x" * 4000}
    makers: dict[str, Any] = {
        "orders": lambda n, h: _order(n, h, f"o{n}"),
        "versions": lambda n, h: _order(n, h, "o1", version=n),
        "supplies": lambda n, h: Dispensing(patient_id="a", source="s", record_id=f"s{n}", occurred_at=at(h), status="dispensed",
            drug=Drug(text=f"m{n}", ingredients=(Ingredient(f"m{n}"),)), order_id=f"o{n}"),
        "doses": lambda n, h: Administration(patient_id="a", source="s", record_id=f"d{n}", occurred_at=at(h), status="given",
            drug=Drug(text=f"m{n}"), order_id=f"o{n}"),
        "results": lambda n, h: lab("potassium", 4.0 + n % 5, h, id=f"k{n}", patient_id="a", **texts),
        "cancelled": lambda n, h: lab("", None, h, id=f"k{n}", patient_id="a", status="cancelled", version=2, **texts),
        "measures": lambda n, h: Observation(patient_id="a", source="s", record_id=f"w{n}", occurred_at=at(h), kind="weight",
            value=70.0, **texts),
        "conditions": lambda n, h: ConditionRecord(patient_id="a", source="s", record_id=f"c{n}", occurred_at=at(h),
            condition=Condition(codings=(Coding("ICD-10", f"I{n}", "x" * 4000),))),
        "allergies": lambda n, h: AllergyRecord(patient_id="a", source="s", record_id=f"c{n}", occurred_at=at(h),
            allergy=Allergy(substance=Drug(**texts))),
        "stays": lambda n, h: EncounterRecord(patient_id="a", source="s", record_id=f"e{n}", occurred_at=at(h),
            status="in_progress", stay=Stay(unit=f"W{n}")),
        "persons": lambda n, h: Patient(patient_id="a", source=f"s{n}", record_id="p", occurred_at=at(h), sex="female",
            conditions=(Condition(codings=(Coding("ICD-10", f"I{n}"),)),)),
    }  # fmt: skip
    return [makers[kind](number, hour) for number, hour in enumerate(hours)]


def _order(number: int, hours: float, record_id: str, **more: Any) -> Prescription:
    fields: dict[str, Any] = {
        "status": "ordered",
        "drug": Drug(text=f"medicine {number % 50}"),
        "dosage": Dosage(text="x" * 4000),
    }
    return Prescription(patient_id="a", source="w", record_id=record_id, occurred_at=at(hours), **(fields | more))


KINDS = (
    "orders", "versions", "supplies", "doses", "results", "cancelled", "measures", "conditions", "allergies", "stays", "persons",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_events_of_any_kind_leave_a_state_that_is_bounded(kind: str) -> None:
    ward, events, sizes = Ward(KNOWLEDGE, cut=500), many(kind, 5000), []
    for half in (events[:2500], events[2500:]):
        state = ward.put(*half).run().state("a")
        assert state is not None
        sizes.append(len(encode(state)))
    assert sizes[1] < 256 * 1024
    assert sizes[1] < sizes[0] * 1.3


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.datetimes(timezones=st.just(UTC))), max_size=6))
def test_no_date_of_the_calendar_raises(dated: list[tuple[AnyEvent, datetime]]) -> None:
    events = [replace(event, occurred_at=when, timing="replayed") for event, when in dated]
    if events:
        state = played(events)
        state.in_force(state.clock)
        assert state.clock == max(when for _, when in dated)


TestRecords = Records.TestCase
TestRecords.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
