"""FHIR's dosage instructions: how often, how much, from when to when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.loader import load
from schemas.events import Dosage, Prescription
from schemas.values import UNSET, Quantity
from services.ingest.terminology.instructions import Instructions
from tests.support.fhir import AT, HL7, UCUM, concept, event, order, quantity

EIGHT = datetime(2026, 11, 2, 7, tzinfo=UTC)


def taken(*instructions: dict[str, Any], **more: Any) -> Prescription:
    found = event(order(dosageInstruction=list(instructions), **more))
    assert isinstance(found, Prescription)
    return found


def understood(order: Prescription) -> Dosage:
    return Instructions(load().wording).understood(order.dosage)


def repeated(**repeat: Any) -> Any:
    found = taken({"timing": {"repeat": repeat}}).dosage
    return found.frequency_per_day if found.frequency_high is UNSET else (found.frequency_per_day, found.frequency_high)


@pytest.mark.parametrize(
    ("repeat", "times"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, 3),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, 3),
        ({"period": 4, "periodMax": 6, "periodUnit": "h"}, (4, 6)),
        ({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}, (1, 2)),
        ({"frequency": 1, "frequencyMax": 3, "period": 1, "periodMax": 2, "periodUnit": "wk"}, (1 / 14, 3 / 7)),
        ({"frequencyMax": 3, "period": 1, "periodUnit": "d"}, (1, 3)),
        ({"frequency": 1, "period": 1, "periodUnit": "wk"}, 1 / 7),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon"]}, 1 / 7),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon"]}, 1 / 7),
        ({"dayOfWeek": ["mon", "thu"]}, 2 / 7),
        ({"timeOfDay": ["08:00:00", "20:00:00"]}, 2),
        ({"when": ["ACM", "ACD", "ACV"]}, 3),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, 0.5),
        ({"frequency": 1, "period": 30, "periodUnit": "min"}, 48),
        ({"frequency": 12, "period": 1, "periodUnit": "a"}, 12 / 365.25),
        ({"frequency": 2}, UNSET),
        ({"frequency": 1, "period": 0, "periodUnit": "d"}, UNSET),
        ({"count": 3}, UNSET),
        # once a week is once a week in whatever unit, also where its day is named: methotrexate read as daily kills
        ({"frequency": 1, "period": 7, "periodUnit": "d", "dayOfWeek": ["mon"]}, 1 / 7),
        ({"frequency": 1, "period": 168, "periodUnit": "h", "dayOfWeek": ["mon"]}, 1 / 7),
        ({"frequency": 1, "period": 7, "periodUnit": "d", "when": ["MORN"]}, 1 / 7),
        ({"frequency": 1, "period": 1, "periodUnit": "wk", "timeOfDay": ["08:00:00"]}, 1 / 7),
        ({"frequency": 1, "period": 2, "periodUnit": "wk", "dayOfWeek": ["mon"]}, 1 / 14),
        ({"frequency": 3, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "wed", "fri"]}, 3 / 7),
        ({"dayOfWeek": ["fri"]}, 1 / 7),
        ({"frequency": 2, "period": 24, "periodUnit": "h", "dayOfWeek": ["sat", "sun"]}, 4 / 7),
        ({"frequency": 1, "period": 2, "periodUnit": "d", "dayOfWeek": ["mon"]}, UNSET),
        ({"frequency": 1, "period": 1, "periodUnit": "mo"}, 12 / 365.25),
        # a frequency of one that a system fills in does not hide the times that are named
        ({"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN", "NIGHT"]}, 2),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00", "14:00:00", "20:00:00"]}, 3),
        ({"when": ["AC"]}, UNSET),
        ({"frequency": 3, "period": 1, "periodUnit": "d", "when": ["C"]}, 3),
    ],
)
def test_how_often_a_day(repeat: dict[str, Any], times: Any) -> None:
    found = repeated(**repeat)
    assert found is UNSET if times is UNSET else found == pytest.approx(times)


@pytest.mark.parametrize(("code", "times"), [("BID", 2), ("QOD", 0.5), ("Q6H", 4), ("WK", 1 / 7), ("WHENEVER", UNSET)])
def test_how_often_by_an_abbreviation(code: str, times: Any) -> None:
    found = taken({"timing": {"code": concept(code, f"{HL7}/v3-GTSAbbreviation")}}).dosage.frequency_per_day
    assert found is UNSET if times is UNSET else found == pytest.approx(times)


@pytest.mark.parametrize(
    ("code", "repeat", "times"),
    [
        # null and not absent: no text may fill what two statements of the source leave open
        ("WK", {"frequency": 1, "period": 1, "periodUnit": "d"}, None),
        ("QD", {"frequency": 1, "period": 1, "periodUnit": "wk"}, None),
        ("Q6H", {"period": 4, "periodMax": 6, "periodUnit": "h"}, 4),
        ("Q6H", {"frequency": 4, "period": 1, "periodUnit": "d"}, 4),
        ("BID", {"boundsPeriod": {"start": "2026-11-02"}}, 2),
        ("QAM", {"frequency": 1, "period": 1, "periodUnit": "d"}, 1),
    ],
)
def test_a_code_and_data_that_say_two_frequencies_say_none(code: str, repeat: dict[str, Any], times: Any) -> None:
    timing = {"code": concept(code, f"{HL7}/v3-GTSAbbreviation"), "repeat": repeat}
    assert taken({"timing": timing}).dosage.frequency_per_day == times


def test_one_instruction_whole() -> None:
    found = taken(
        {
            "text": "1-2 tablets every 6 h for pain", "route": concept("26643006", display="Oral route"),
            "timing": {"repeat": {"period": 6, "periodUnit": "h"}}, "asNeededCodeableConcept": {"text": "pain"},
            "doseAndRate": [
                {"type": {"coding": [{"code": "calculated"}]}, "doseQuantity": quantity(9, "mg")},
                {
                    "type": {"coding": [{"code": "ordered"}]},
                    "doseRange": {"low": {"value": 1, "unit": "tablet"}, "high": {"value": 2, "unit": "tablet"}},
                    "rateRatio": {"numerator": quantity(500, "mL"), "denominator": quantity(4, "h")},
                },
            ],
            "maxDosePerPeriod": {"numerator": {"value": 8, "unit": "tablet"}, "denominator": quantity(24, "h")},
        }
    )  # fmt: skip
    assert found.dosage == Dosage(
        text="1-2 tablets every 6 h for pain", route="Oral route", dose=Quantity(1, "tablet", 2), frequency_per_day=4,
        as_needed=True, rate=Quantity(125, "mL/h"), max_daily_dose=Quantity(8, "tablet"),
    )  # fmt: skip
    # nothing is taken when there is no pain, and twice four tablets when there is
    assert understood(found).daily_dose == Quantity(0, "tablet", 8)


def test_what_is_not_said_is_left_out() -> None:
    assert taken({"asNeededBoolean": False}).dosage == Dosage(as_needed=False)
    half = {"doseRange": {"high": quantity(2, "mg")}}
    mixed = {"doseRange": {"low": quantity(1, "mg"), "high": quantity(2, "g")}}
    for amount in (
        {},
        half,
        mixed,
        {"doseQuantity": {"unit": "mg"}},
        {"doseQuantity": quantity(1, "mg", comparator="<")},
    ):
        assert taken({"doseAndRate": [amount]}).dosage == Dosage()
    weekly = {"numerator": quantity(8, "mg"), "denominator": quantity(1, "wk")}
    assert taken({"maxDosePerPeriod": weekly}).dosage == Dosage()


@pytest.mark.parametrize(
    ("amount", "unit"),
    [
        (quantity(5, "mg"), "mg"),
        (quantity(5, "milligram", code="mg"), "mg"),
        ({"value": 5, "unit": "tablet", "system": "http://unitsofmeasure.org", "code": "{tbl}"}, "tablet"),
        ({"value": 5, "unit": "TAB", "system": f"{HL7}/v3-orderableDrugForm", "code": "TAB"}, "TAB"),
        ({"value": 5, "code": "mg"}, "mg"),
        ({"value": 5}, ""),
        ({"value": 5, "unit": "tablet", "system": UCUM, "code": "1"}, "tablet"),
        (quantity(5, "mcg", code="ug"), "ug"),
        (quantity(5, "mg/mL", code="g/L"), "g/L"),
        # a thousand apart: 50 mcg of levothyroxine is not 50 mg
        (quantity(5, "MCG", code="mg"), "MCG or mg"),
        (quantity(5, "mL", code="mg"), "mL or mg"),
    ],
)
def test_the_unit_is_that_of_ucum_where_it_says_more(amount: dict[str, Any], unit: str) -> None:
    assert taken({"doseAndRate": [{"doseQuantity": amount}]}).dosage.dose == Quantity(5, unit)


def test_several_instructions_say_what_they_have_in_common() -> None:
    morning, night = ({"text": text, "route": {"text": "oral"}, "doseAndRate": [{"doseQuantity": quantity(amount, "mg")}]}
                      for text, amount in (("5 mg in the morning", 5), ("10 mg at night", 10)))  # fmt: skip
    assert taken(morning, night).dosage == Dosage(
        text="5 mg in the morning; 10 mg at night", route="oral", dose=None, frequency_per_day=None, rate=None
    )


def test_several_instructions_in_words_only_are_read_as_one_text() -> None:
    texts = [{"text": "5 mg in the morning"}, {"text": "10 mg at night"}]
    found = understood(taken(*texts))
    assert (found.dose, found.frequency_per_day, found.daily_dose) == (Quantity(5, "mg", 10), 2, Quantity(15, "mg"))


@pytest.mark.parametrize(
    "given",
    [
        # two steps, the same twice, and data that the words of the other know nothing of
        [{"text": "5 mg in the morning", "sequence": 1}, {"text": "10 mg at night", "sequence": 2}],
        [{"text": "5 mg in the morning"}, {"text": "5 mg in the morning"}],
        [{"text": "5 mg in the morning"}, {"doseAndRate": [{"doseQuantity": quantity(10, "mg")}]}],
        [{"text": "1 tablet daily"}, {"text": "2 tablets daily"}],
    ],
)
def test_several_instructions_that_are_not_one_text_have_no_dose(given: list[dict[str, Any]]) -> None:
    found = understood(taken(*given))
    assert not isinstance(found.dose, Quantity)
    assert not isinstance(found.frequency_per_day, float | int)
    assert found.daily_dose is UNSET


def test_the_text_of_one_instruction_fills_what_its_data_leave_out() -> None:
    found = understood(taken({"text": "1-2 tablets q4-6h prn, max 8 tablets in 24 hours", "doseAndRate": []}))
    assert (found.dose, found.frequency_per_day, found.frequency_high) == (Quantity(1, "tablet", 2), 4, 6)
    assert (found.as_needed, found.daily_dose, found.remark) == (True, Quantity(0, "tablet", 8), "")


def bounds(**repeat: Any) -> dict[str, Any]:
    return {"timing": {"repeat": repeat}}


def test_when_it_begins_and_ends() -> None:
    found = taken(bounds(boundsPeriod={"start": "2026-11-03", "end": "2026-11-10"}))
    # the end of a period is a part of it, and that of an order is not
    assert (found.start, found.end) == (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
    assert found.occurred_at == EIGHT
    month = taken(bounds(boundsPeriod={"start": "2026-11", "end": "2026-12"}))
    assert (month.start, month.end) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert taken(bounds(boundsDuration=quantity(10, "d"))).end == datetime(2026, 11, 12, 7, tzinfo=UTC)
    assert taken(bounds(boundsDuration=quantity(2, "wk"))).end == datetime(2026, 11, 16, 7, tzinfo=UTC)
    assert taken(bounds(boundsDuration=quantity(1e9, "d"))).end is UNSET
    first, second = (
        bounds(boundsPeriod={"start": AT, "end": "2026-11-05"}),
        bounds(boundsPeriod={"start": "2026-11-05"}),
    )
    assert (taken(first, second).start, taken(first, second).end) == (EIGHT, UNSET)


def test_steps_of_a_tapering_dose_follow_each_other() -> None:
    steps = [bounds(boundsDuration=quantity(5, "d")) | {"sequence": number} for number in (1, 2, 3)]
    assert taken(*steps).end == datetime(2026, 11, 17, 7, tzinfo=UTC)
    together = [bounds(boundsDuration=quantity(length, "d")) | {"sequence": 1} for length in (3, 5)]
    assert taken(*together).end == datetime(2026, 11, 7, 7, tzinfo=UTC)
    assert taken(*steps, {"sequence": 4}).end is UNSET
    between = {"low": quantity(5, "d"), "high": quantity(7, "d")}
    assert taken(bounds(boundsRange=between)).end == datetime(2026, 11, 9, 7, tzinfo=UTC)


def test_a_single_dose() -> None:
    assert taken(bounds(count=1)).one_time is True
    found = taken({"timing": {"event": ["2026-11-02T22:00:00Z"]}})
    assert (found.one_time, found.start) == (True, datetime(2026, 11, 2, 22, tzinfo=UTC))
    assert taken({"timing": {"event": ["2026-11-02T22:00:00Z", "2026-11-03T22:00:00Z"]}}).one_time is UNSET
