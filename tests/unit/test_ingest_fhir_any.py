"""Anything at all in place of FHIR: nothing raises, every unit has an end, and every event fits the contract."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.dead_letters import REASONS
from schemas.events import Event
from services.ingest.formats import Ignored, Item, Refusal, native, record
from tests.support.fhir import (
    PHI,
    allergy,
    bundle,
    condition,
    decoded,
    dose,
    encounter,
    observation,
    order,
    patient,
    quantity,
    statement,
    supply,
)

_DOSAGE = {
    "text": "x", "timing": {"event": ["2026"], "repeat": {"boundsPeriod": {"start": "2026", "end": "9999"}, "period": 1,
    "boundsDuration": {"value": 1, "unit": "d"}, "periodUnit": "h", "frequency": 1, "dayOfWeek": ["mon"]}},
    "doseAndRate": [{"doseRange": {"low": quantity(1, "mg"), "high": quantity(2, "mg")},
    "rateRatio": {"numerator": quantity(1, "mg"), "denominator": quantity(1, "h")}}],
    "maxDosePerPeriod": {"numerator": quantity(1, "mg"), "denominator": quantity(1, "d")},
}  # fmt: skip
WHOLE = [
    patient(meta={"versionId": "1", "lastUpdated": "2026", "source": "x"}, identifier=[{"system": "x", "value": "y"}]),
    encounter(location=[{"location": {"reference": "Location/1"}, "status": "active"}]),
    condition(onsetPeriod={"start": "2020"}, abatementDateTime="2021"),
    allergy(reaction=[{"manifestation": [{"text": "x"}]}]),
    order(dosageInstruction=[_DOSAGE], contained=[{"resourceType": "Medication", "id": "m"}]),
    statement(dosage=[_DOSAGE], effectivePeriod={"start": "2020", "end": "2021"}),
    supply(daysSupply={"value": 1}, quantity=quantity(1, "mg")),
    dose(dosage={"rateRatio": _DOSAGE["maxDosePerPeriod"]}, effectivePeriod={"start": "2020", "end": "2021"}),
    observation(valueQuantity=quantity(1, "mg"), component=[{"code": {"text": "x"}, "valueInteger": 1}]),
    bundle(patient(), order(), timestamp="2026"),
]

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["2026", "9999-12-31", "0001-01-01T00:00:00+01:00", "Patient/p1", "urn:uuid:x", "#m", "x" * 5000,
                       1e308, 5e-324, -1, "\x00", "\x1f", "active", "unknown", "_"])
)  # fmt: skip
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    return [(*at, step) for step, _ in steps] + [place for step, value in steps for place in places(value, (*at, step))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A resource with up to three of its values replaced, or taken away."""
    made = json.loads(json.dumps(draw(st.sampled_from(WHOLE))))
    for _ in range(draw(st.integers(1, 3))):
        *before, last = draw(st.sampled_from(places(made)))
        node = made
        for step in before:
            node = node[step]
        if draw(st.booleans()):
            node[last] = draw(_JSON)
        else:
            del node[last]
        if not places(made):
            break
    return made


def check(items: list[Item]) -> None:
    assert items
    assert len({item.position for item in items}) == len(items)
    for item in items:
        assert isinstance(item.end, Event | Refusal | Ignored)
        if isinstance(item.end, Refusal):
            assert item.end.reason in REASONS
            assert len(item.end.detail) < 200
        if isinstance(item.end, Event):
            # what the monitor reads, and what a strict writer may write
            assert native.decode_unit(encode(item.end)) == item.end


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_a_mutated_resource_has_an_end_and_its_events_fit_the_contract(resource: Any) -> None:
    check(decoded(resource))


@settings(deadline=None)
@given(st.lists(mutated() | _JSON, max_size=5))
def test_a_bundle_of_anything_comes_to_as_many_ends_as_it_has_resources_and_components(resources: list[Any]) -> None:
    items = decoded(bundle(*resources))
    check(items)
    alone = [item for each in resources for item in decoded(bundle(each))]
    assert len(items) == (len(alone) if resources else 1)


@settings(deadline=None)
@given(st.binary(max_size=64))
@example(b'{"resourceType":')
@example(b'{"resourceType":"Bundle","type":"batch","entry":' + b"[" * 100_000)
@example(b'{"resourceType":"Patient","id":"\xff"}')
@example(b'{"resourceType":"Patient","id":"\\ud800"}')
@example(b'{"resourceType":"\\ud800"}')
@example(b'{"resourceType":"Patient","contained":' + b'{"a":' * 100_000)
def test_any_bytes(text: bytes) -> None:
    check(record.decode(text))
    check(record.decode(b'{"resourceType":"Observation",' + text))
    check(record.decode(b'[{"resourceType":"Bundle","type":"batch","entry":[' + text + b"]}]"))


@given(st.sampled_from(WHOLE), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_bytes_put_anywhere_into_a_resource(resource: dict[str, Any], at: int, noise: bytes) -> None:
    text = json.dumps(resource).encode()
    check(record.decode(text[:at] + noise + text[at:]))
    check(record.decode(text[:at] + noise + text[at + len(noise) :]))


@given(st.sampled_from(WHOLE).flatmap(lambda each: st.tuples(st.just(each), st.sampled_from(places(each)))))
def test_no_refusal_repeats_a_value(chosen: tuple[dict[str, Any], tuple[Any, ...]]) -> None:
    resource, (*before, last) = chosen
    made = json.loads(json.dumps(resource))
    node = made
    for step in before:
        node = node[step]
    node[last] = PHI
    for item in decoded(made):
        if isinstance(item.end, Refusal):
            assert PHI not in item.end.detail + item.end.place
        if isinstance(item.end, Ignored):
            assert PHI not in item.end.kind
