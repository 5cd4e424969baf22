"""What is a valid resource: fhir.resources, and where it and the decoder differ.

Every field of a full resource of each type is mutated in every way below. Where one takes what the other refuses, a difference
below has a name for it, and each of the differences does occur. fhir.resources reads R4B, which differs from R4 in nothing
that is read here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from services.ingest.formats import Refusal
from tests.support.fhir import (
    AT,
    allergy,
    bundle,
    concept,
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

_RATE = {"numerator": quantity(1, "mg"), "denominator": quantity(1, "h")}
_TIMING = {
    "event": [AT], "code": concept("BID"),
    "repeat": {
        "boundsPeriod": {"start": AT, "end": "2026-11-10"}, "count": 3, "frequency": 1, "frequencyMax": 2, "period": 1,
        "periodMax": 2, "periodUnit": "d", "dayOfWeek": ["mon"], "timeOfDay": ["08:00:00"],
    },
}  # fmt: skip
_INSTRUCTION = {
    "text": "1 daily", "timing": _TIMING, "asNeededBoolean": True, "route": {"text": "oral"}, "maxDosePerPeriod": _RATE,
    "doseAndRate": [{"type": {"text": "ordered"}, "doseQuantity": quantity(1, "mg"), "rateRatio": _RATE}],
}  # fmt: skip
FULL = [
    patient(
        identifier=[{"system": "urn:mrn", "value": "7"}], meta={"versionId": "2", "lastUpdated": AT, "source": "urn:x"},
        link=[{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}],
    ),
    encounter(
        location=[{"location": {"reference": "Location/1", "display": "ward-3"}, "status": "active"}],
        serviceProvider={"reference": "Organization/1"}, **{"class": {"system": "urn:c", "code": "IMP"}},
    ),
    condition(
        verificationStatus=concept("confirmed"), onsetDateTime="2019-05", abatementDateTime=AT,
        encounter={"reference": "Encounter/1"},
    ),
    allergy(
        type="allergy", onsetDateTime="2001",
        reaction=[{"substance": {"text": "x"}, "manifestation": [{"text": "hives"}], "severity": "mild", "description": "d"}],
    ),
    order(
        statusReason={"text": "x"}, category=[concept("inpatient")], requester={"reference": "Practitioner/1"},
        reasonCode=[{"text": "x"}], priorPrescription={"reference": "MedicationRequest/0"}, doNotPerform=False,
        dosageInstruction=[_INSTRUCTION],
    ),
    statement(dateAsserted=AT, dosage=[{"text": "x"}], context={"reference": "Encounter/1"}),
    supply(
        quantity={"value": 1, "unit": "tablet"}, daysSupply={"value": 3}, performer=[{"actor": {"reference": "Organization/1"}}],
        authorizingPrescription=[{"reference": "MedicationRequest/1"}],
    ),
    dose(
        dosage={"text": "x", "dose": quantity(1, "mg"), "route": {"text": "iv"}, "rateQuantity": quantity(1, "mL/h")},
        request={"reference": "MedicationRequest/1"},
    ),
    observation(
        valueQuantity=quantity(1, "mg", comparator="<"), issued="2026-11-02T09:00:00Z", interpretation=[concept("H")],
        referenceRange=[{"low": quantity(1, "mg"), "text": "x"}], specimen={"display": "serum"},
        component=[{"code": concept("1"), "valueString": "x"}],
    ),
]  # fmt: skip

_DELETED = object()
MUTATIONS: dict[str, Any] = {
    "deleted": _DELETED, "null": None, "number": 7, "negative": -1.5, "empty text": "", "words": "a b", "text": "x-y",
    "true": True, "empty list": [], "empty object": {}, "list": ["x"],
}  # fmt: skip


class Case(NamedTuple):
    """A mutated resource; ``refused`` is our refusal of it, if we refuse it."""

    path: str
    mutation: str
    refused: Refusal | None

    def says(self, *details: str) -> bool:
        return self.refused is not None and self.refused.detail.startswith(details)


# what FHIR allows, or fhir.resources takes, and we refuse
WE_REFUSE: dict[str, Callable[[Case], bool]] = {
    "no patient whose id is known": lambda c: c.says("no reference to a patient"),
    "neither id nor identifier": lambda c: c.says("neither an id nor an identifier"),
    "no time": lambda c: c.says("no time: "),
    "nothing says what it is about": lambda c: c.says("neither a code nor a text"),
    # FHIR forbids these; fhir.resources does not look at the values of a code, takes null for a list or an object that must be
    # there, an empty system, a number for a time, and true for 1
    "a code outside its required value set": lambda c: c.says("not one of the values"),
    "null for a list or an object": lambda c: c.says("Expected `array`, got `null`", "Expected `object`, got `null`"),
    "an empty system or source": lambda c: c.says("Expected `str` of length >= 1") and c.mutation == "empty text",
    "a number for a time": lambda c: c.says("Expected `str | null`, got") and c.mutation in ("number", "negative"),
    "true for a number": lambda c: c.says("Expected `int | null`, got `bool`"),
}
# what FHIR forbids and we pass by
WE_TAKE: dict[str, Callable[[Case], bool]] = {
    "an empty text": lambda c: c.mutation == "empty text",
    "an id or version with a space": lambda c: c.path in ("id", "meta.versionId") and c.mutation == "words",
    "a reaction without its manifestation": lambda c: (
        c.path.startswith("reaction") and c.mutation in ("deleted", "empty object")
    ),
    "a time of day that is none": lambda c: c.path.endswith("timeOfDay"),
}
# and fields that are not read, whatever they hold


def valid(resource: dict[str, Any]) -> bool:
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate_json(json.dumps(resource))
    except ValidationError:
        return False
    return True


def ours(resource: dict[str, Any]) -> Refusal | None:
    return next((item.end for item in decoded(resource) if isinstance(item.end, Refusal)), None)


def paths(node: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps:
        yield (*at, step)
        yield from paths(value, (*at, step))


def mutated(resource: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(resource)
    node: Any = made
    for step in path[:-1]:
        node = node[step]
    if value is _DELETED:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return made


def differences(resource: dict[str, Any]) -> Iterator[tuple[str, Case]]:
    """The name of each difference, empty where there is none for it."""
    for path in paths(resource):
        for mutation, value in MUTATIONS.items():
            made = mutated(resource, path, value)
            if path == ("resourceType",):
                continue
            refused = ours(made)
            if valid(made) == (refused is None):
                continue
            case = Case(".".join(step for step in path if isinstance(step, str)), mutation, refused)
            named = WE_TAKE if refused is None else WE_REFUSE
            yield next((name for name, holds in named.items() if holds(case)), ""), case


@pytest.fixture(scope="module")
def found() -> list[tuple[str, Case]]:
    return [each for resource in FULL for each in differences(resource)]


@pytest.mark.parametrize("resource", FULL, ids=lambda each: each["resourceType"])
def test_a_full_resource_is_valid_for_both(resource: dict[str, Any]) -> None:
    assert valid(resource)
    assert ours(resource) is None
    assert valid(bundle(resource))


def test_every_difference_has_a_name(found: list[tuple[str, Case]]) -> None:
    assert [case for name, case in found if not name] == []


def test_every_named_difference_is_there(found: list[tuple[str, Case]]) -> None:
    assert {name for name, _ in found} == {*WE_REFUSE, *WE_TAKE}


def test_a_field_that_is_not_read_is_not_judged() -> None:
    for more in ({"unheard_of": 1}, {"note": "not a list"}, {"dispenseRequest": {"validityPeriod": 7}}):
        assert not valid(order(**more))
        assert ours(order(**more)) is None
