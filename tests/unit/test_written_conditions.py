"""Conditions that written rules brought: own earlier values, age of a result, ingredients, counts, units, measurements."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from knowledge.conditions import Names, parsed
from knowledge.loader import MEASURED, load
from schemas.events import AnyEvent, Observation, Stay
from schemas.events import EncounterRecord as Encounter
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer, Situation, answers, read_by
from tests.support.alone import play
from tests.support.clinical import at, lab, order

NAMES = Names(
    {"potassium", "creatinine", "TSH"}, {"nsaid", "anticholinergic"}, {"peptic-ulcer"}, {"body"}, {"oral", "intravenous"},
    {"lithium", "folic acid"}, MEASURED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("creatinine >= 1.5 x median within 90 d", {"kind": "own", "factor": 1.5, "own": "median", "value": 0}),
        ("potassium > previous", {"kind": "own", "factor": 1, "own": "previous", "op": ">", "within": None}),
        ("potassium >= previous + 0.5", {"kind": "own", "value": 0.5}),
        ("potassium <= minimum - 1 within 48 h", {"own": "minimum", "value": -1, "within": timedelta(hours=48)}),
        ("TSH older than 180 d", {"kind": "old_result", "name": "TSH", "within": timedelta(days=180)}),
        ("with ingredient folic acid", {"kind": "beside", "name": "folic acid"}),
        ("without ingredient lithium", {"kind": "not_beside", "name": "lithium"}),
        ("count anticholinergic >= 3", {"kind": "count", "name": "anticholinergic", "value": 3}),
        ("score anticholinergic >= 3", {"kind": "score"}),
        ("acting >= 48 h", {"kind": "acting", "value": 2, "unit": "d"}),
        ("acting < 14 d", {"kind": "acting", "value": 14, "op": "<"}),
        ("also way oral", {"kind": "also_way", "name": "oral"}),
        ("unit 4 West", {"kind": "unit", "name": "4 West"}),
        (
            "measured temperature < 38 Cel within 24 h",
            {"kind": "measure", "name": "temperature", "unit": "Cel", "within": timedelta(days=1)},
        ),
    ],
)
def test_every_form_says_what_it_says(text: str, said: dict[str, object]) -> None:
    (condition,) = parsed([text], NAMES)
    assert {name: getattr(condition, name) for name in said} == said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("potassium >= 1.5 x median", "how far back the median"),
        ("with ingredient lithum", "did you mean 'lithium'"),
        ("measured temprature < 38 Cel", "did you mean 'temperature'"),
        ("measured temperature < 38", "say the unit"),
        ("acting >= 3", "h or d"),
        ("also way orally", "did you mean 'oral'"),
        ("count anticholinergics >= 3", "did you mean 'anticholinergic'"),
        ("TSHH older than 3 d", "did you mean 'TSH'"),
    ],
)
def test_what_is_no_condition_says_what_may_have_been_meant(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parsed([text], NAMES)


def asked(text: str, *events: AnyEvent, **more: Any) -> Answer:
    """Of the state after a story, with the knowledge as shipped."""
    state: PatientState = play(*events)[0]
    (condition,) = parsed([text], NAMES)
    orders = tuple(each for each in state.orders.values() if each.record_id == "own")
    situation = Situation(state=state, knowledge=load(), orders=orders, objects=orders, **more)
    return answers((condition,), situation)[0]


def creatinine(*values: float) -> list[AnyEvent]:
    """The last of them now, the others a day apart before it."""
    last = len(values) - 1
    return [lab("creatinine", v, -24 * (last - n), id=f"c{n}", unit="mg/dL") for n, v in enumerate(values)]


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        # the median of 0.8, 1.0 and 1.4 is 1.0; of 0.8 and 1.2 it is 1.0
        ("creatinine >= 1.5 x median within 90 d", (0.8, 1.0, 1.4, 1.5), True),
        ("creatinine >= 1.5 x median within 90 d", (0.8, 1.0, 1.4, 1.49), False),
        ("creatinine >= 1.5 x median within 90 d", (0.8, 1.2, 1.5), True),
        ("creatinine >= 1.5 x median within 90 d", (0.8, 1.2, 1.49), False),
        ("creatinine > previous", (1.0, 1.0), False),
        ("creatinine > previous", (1.0, 1.01), True),
        ("creatinine >= previous + 0.3", (9.0, 1.0, 1.3), True),
        ("creatinine >= previous + 0.3", (9.0, 1.0, 1.29), False),
        ("creatinine > maximum within 90 d", (1.2, 1.0, 1.2), False),
        ("creatinine > maximum within 90 d", (1.2, 1.0, 1.21), True),
        ("creatinine <= minimum - 0.2 within 90 d", (1.2, 1.0, 0.8), True),
        ("creatinine <= minimum - 0.2 within 90 d", (1.2, 1.0, 0.81), False),
        # three days before the newest is out of the window
        ("creatinine > maximum within 48 h", (9.0, 1.0, 1.0, 1.1), True),
        ("creatinine > previous", (1.0,), None),
    ],
)
def test_against_the_patients_own_values(text: str, values: tuple[float, ...], holds: bool | None) -> None:
    assert asked(text, *creatinine(*values)).holds is holds


def test_a_value_with_a_comparator_is_no_own_value() -> None:
    events = [*creatinine(1.0, 1.2), lab("creatinine", 0.5, -12, id="x", unit="mg/dL", comparator="<")]
    assert asked("creatinine > minimum within 90 d", *events).holds is True


@pytest.mark.parametrize(("hours", "holds"), [(-48, False), (-48.01, True)])
def test_an_old_result_is_older_than_the_span_and_never_is_another_question(hours: float, holds: bool) -> None:
    found = asked("TSH older than 48 h", lab("TSH", 2, hours), order("ibuprofen", 0))
    assert found.holds is holds
    # it becomes so by itself
    assert (found.until is None) is holds
    assert asked("TSH older than 48 h", order("ibuprofen", 0)).holds is False


def test_an_ingredient_beside_counts_while_both_act() -> None:
    own, other = order("ibuprofen", 0, id="own"), order("lithium", -5, end=at(10))
    assert asked("with ingredient lithium", other, own).holds is True
    assert asked("without ingredient lithium", other, own).holds is False
    assert asked("without ingredient lithium", other, own).until == at(10)
    before = order("lithium", -5, end=at(0))
    assert asked("with ingredient lithium", before, own).holds is False


def test_members_of_a_property_are_counted_by_ingredient_while_they_act() -> None:
    two = [order("amitriptyline", 0), order("oxybutynin", 0), order("oxybutynin", 0, id="again")]
    assert asked("count anticholinergic >= 3", *two).holds is False
    three = [*two, order("diphenhydramine", 0)]
    found = asked("count anticholinergic >= 3", *three)
    assert (found.holds, found.found[:3]) == (True, "3: ")
    later = [*two, order("diphenhydramine", 0, start=at(5))]
    assert asked("count anticholinergic >= 3", *later).holds is False


def test_how_long_a_medicine_has_acted_is_the_courses_and_not_known_without_one() -> None:
    event = order("ibuprofen", 0, id="own")
    assert asked("acting >= 48 h", event, began=at(-48)).holds is True
    found = asked("acting >= 48 h", event, began=at(-47.9))
    assert found.holds is False
    assert found.until is not None
    assert abs(found.until - at(0.1)) < timedelta(seconds=1)
    assert asked("acting >= 48 h", event).holds is None


def test_a_measurement_counts_in_its_unit_and_for_its_time() -> None:
    def fever(value: float, hours: float, unit: str = "Cel") -> Observation:
        return Observation(
            patient_id="p", source="ward", record_id=f"t{hours}", occurred_at=at(hours), kind="temperature", value=value,
            unit=unit,
        )  # fmt: skip

    text = "measured temperature < 38 Cel within 24 h"
    now = order("ibuprofen", 0)
    assert asked(text, fever(37.9, -24), now).holds is True
    assert asked(text, fever(38.0, -24), now).holds is False
    assert asked(text, fever(37.9, -24.1), now).holds is None
    assert asked(text, fever(37.9, -1, "[degF]"), now).holds is None
    assert asked(text, now).holds is None


def test_the_unit_is_that_of_the_stay_that_goes_on() -> None:
    def stay(hours: float, **more: Any) -> Encounter:
        status = "finished" if "discharged_at" in more else "in_progress"
        return Encounter(
            patient_id="p", source="adt", record_id="s", occurred_at=at(hours), version=1 + int(hours), status=status,
            stay=Stay(encounter_class="inpatient", admitted_at=at(0), **more),
        )  # fmt: skip

    assert asked("unit icu", stay(0, unit="ICU")).holds is True
    assert asked("unit icu", stay(0, unit="4 West")).holds is False
    assert asked("unit icu", stay(0, unit="ICU"), stay(5, unit="ICU", discharged_at=at(5))).holds is False
    assert asked("unit icu", order("ibuprofen", 0)).holds is None


def test_what_they_read_touches_the_rule() -> None:
    texts = ["with ingredient lithium", "count anticholinergic >= 3", "TSH older than 3 d", "unit ICU"]
    reads = read_by(parsed([*texts, "creatinine > maximum within 90 d", "measured qtc > 500 ms"], NAMES), load())
    assert {"lithium", "amitriptyline"} <= set(reads.ingredients or ())
    assert {"TSH", "creatinine"} == reads.analytes.keys()
    assert reads.analytes["creatinine"].within == timedelta(days=91)
    assert reads.person == {"said", "stay", "qtc"}
    assert read_by(parsed(["also way oral"], NAMES), load()).ingredients is None
