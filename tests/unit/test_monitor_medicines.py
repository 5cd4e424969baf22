"""Medicines in force at an instant: orders, what replaces them, supplies and doses, whichever comes first."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import Administration, AnyEvent, Dispensing, Dosage, Drug, Ingredient
from schemas.values import Quantity
from services.monitor.evaluate import advance, due, take_event
from services.monitor.patient.bounds import ASSUMED_SUPPLY, INFUSION_COUNTS, MAX_DOSES_OF_A_DAY
from services.monitor.patient.medicines import Medicine
from services.monitor.patient.state import PatientState
from tests.support.clinical import KNOWLEDGE, at, daily, order

DAY = 24


def drug(name: str) -> Drug:
    return Drug(text=name, ingredients=(Ingredient(name),))


def supply(name: str, hours: float = 0, *, id: str = "s", **more: Any) -> Dispensing:  # noqa: A002
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "pharmacy", "record_id": id, "occurred_at": at(hours),
        "status": "dispensed", "drug": drug(name),
    }  # fmt: skip
    return Dispensing(**(fields | more))


def dose(name: str, hours: float = 0, *, id: str = "d", **more: Any) -> Administration:  # noqa: A002
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "ward", "record_id": id, "occurred_at": at(hours), "status": "given", "drug": drug(name),
    }  # fmt: skip
    return Administration(**(fields | more))


def play(*events: AnyEvent) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, KNOWLEDGE, at(0))
    assert state is not None
    return state


def in_force(hours: float, *events: AnyEvent) -> list[Medicine]:
    """The same in every order of arrival."""
    found = [sorted(play(*each).in_force(at(hours)), key=lambda m: m.label) for each in permutations(events)]
    assert all(each == found[0] for each in found)
    return found[0]


def labels(hours: float, *events: AnyEvent) -> list[str]:
    return [medicine.label for medicine in in_force(hours, *events)]


# --- orders


def test_an_order_is_in_force_from_its_start_up_to_but_not_including_its_end() -> None:
    told = order("simvastatin", 1, start=at(2), end=at(5))
    assert [bool(labels(hours, told)) for hours in (1, 2, 4.9, 5)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("versions", "is_in_force"),
    [
        (["ordered"], True),
        (["ordered", "held"], False),
        (["ordered", "held", "resumed"], True),
        (["ordered", "discontinued"], False),
        (["ordered", "entered_in_error"], False),
        (["ordered", "discontinued", "resumed"], True),
    ],
)
def test_an_order_held_stopped_and_resumed(versions: list[str], is_in_force: bool) -> None:
    told = [order("simvastatin", hours, version=hours + 1, status=status) for hours, status in enumerate(versions)]
    assert bool(labels(9, *told)) is is_in_force


def test_an_order_ends_when_the_one_that_replaces_it_starts() -> None:
    old, new = order("simvastatin", 0, id="a"), order("fluoxetine", 3, id="b", replaces="a")
    assert labels(2, old, new) == ["simvastatin"]
    assert labels(4, old, new) == ["fluoxetine"]
    wrong = order("fluoxetine", 5, id="b", version=2, status="entered_in_error", start=at(3))
    assert labels(6, old, new, wrong) == ["simvastatin"], "what was ordered by mistake replaces nothing"
    other_source = order("fluoxetine", 3, id="b", replaces="a", source="clinic")
    assert labels(4, old, other_source) == ["fluoxetine", "simvastatin"]
    assert labels(4, order("simvastatin", 0, id="a", replaces="a")) == ["simvastatin"]


def test_a_replaced_order_no_longer_interacts() -> None:
    old, new = order("simvastatin", 0, id="a"), order("metformin", 1, id="b", replaces="a")
    for told in permutations([old, new, order("clarithromycin", 2)]):
        assert not play(*told).open_alerts


# --- supplies


@pytest.mark.parametrize(
    ("more", "days", "basis"),
    [
        ({"days_supply": 14.0}, 14, "days_supply"),
        ({"days_supply": 14.0, "quantity": Quantity(300, "mg"), "dosage": daily(10)}, 14, "days_supply"),
        ({"quantity": Quantity(200, "mg"), "dosage": daily(10)}, 20, "quantity"),
        (
            {
                "quantity": Quantity(60, "tablets"),
                "dosage": Dosage(dose=Quantity(1, "TAB", high=2), frequency_per_day=3),
            },
            10,
            "quantity",
        ),
        ({"quantity": Quantity(60, "tablets"), "dosage": daily(10)}, ASSUMED_SUPPLY.days, "assumed"),
        ({}, ASSUMED_SUPPLY.days, "assumed"),
        ({"days_supply": -1.0}, ASSUMED_SUPPLY.days, "assumed"),
        ({"days_supply": 1e7}, ASSUMED_SUPPLY.days, "assumed"),
    ],
)
def test_a_supply_without_an_order_is_in_force_for_its_days_and_says_how_we_know(
    more: dict[str, Any], days: float, basis: str
) -> None:
    told = supply("simvastatin", 0, **more)
    (medicine,) = in_force(1, told)
    assert (medicine.by, medicine.basis, medicine.until) == ("supply", basis, at(days * DAY))
    assert labels(days * DAY - 0.1, told) == ["simvastatin"]
    assert labels(days * DAY, told) == []


def test_a_supply_returned_or_cancelled_ends_and_one_in_error_never_was() -> None:
    told = supply("simvastatin", 0, days_supply=30.0)
    returned = supply("x", 5, version=2, status="returned", drug=Drug())
    assert labels(4, told, returned) == ["simvastatin"]
    assert labels(5, told, returned) == []
    for status in ("cancelled", "entered_in_error"):
        assert labels(4, told, supply("x", 5, version=2, status=status, drug=Drug())) == []


def test_an_order_decides_where_a_supply_names_one_whichever_comes_first() -> None:
    ordered, handed = (
        order("simvastatin", 0, id="o", end=at(10 * DAY)),
        supply("simvastatin", 1, order_id="o", days_supply=30.0),
    )
    (medicine,) = in_force(2, ordered, handed)
    assert (medicine.by, [each.record_id for each in medicine.supplies]) == ("order", ["s"])
    (after,) = in_force(20 * DAY, ordered, handed)
    assert (after.by, after.until) == ("supply", at(1 + 30 * DAY)), "the order ran out, and the patient has the tablets"
    stopped = order("simvastatin", 5, id="o", version=2, status="discontinued", drug=Drug(), dosage=Dosage())
    assert labels(6, ordered, handed, stopped) == []
    assert labels(2, handed) == ["simvastatin"], "before its order is known it stands for itself"


def test_refills_are_one_medicine() -> None:
    first, second = (
        supply("simvastatin", 0, id="1", days_supply=30.0),
        supply("simvastatin", 28 * DAY, id="2", days_supply=30.0),
    )
    (medicine,) = in_force(29 * DAY, first, second)
    assert (len(medicine.supplies), medicine.starts, medicine.until) == (2, at(0), at(58 * DAY))


def test_a_supply_without_an_order_interacts_for_its_days() -> None:
    handed = supply("clarithromycin", 1, days_supply=7.0)
    for told in permutations([order("simvastatin", 0), handed]):
        (alert,) = play(*told).open_alerts.values()
        assert {fact.kind for fact in alert.implicated} == {"prescription", "dispensing"}
    state, alerts = take_event(play(order("simvastatin", 0), handed), order("metformin", 8 * DAY), KNOWLEDGE, at(0))
    assert [alert.status for alert in alerts] == ["resolved"]
    assert not state.open_alerts


# --- doses


def test_the_last_dose_of_an_order_is_known_whichever_comes_first() -> None:
    given = [dose("simvastatin", hours, id=f"d{hours}", order_id="o") for hours in (1, 2)]
    refused = dose("simvastatin", 3, id="d3", order_id="o", status="refused")
    (medicine,) = in_force(4, order("simvastatin", 0, id="o"), *given, refused)
    assert medicine.last_given is not None
    assert (medicine.by, medicine.last_given.at, medicine.running) == ("order", at(2), False)
    wrong = dose("simvastatin", 5, id="d2", order_id="o", version=2, status="entered_in_error")
    (medicine,) = in_force(4, order("simvastatin", 0, id="o"), *given, wrong)
    assert medicine.last_given is not None
    assert medicine.last_given.at == at(1)


def test_an_infusion_runs_until_it_is_stopped_though_its_order_has_ended() -> None:
    ordered = order("heparin", 0, id="o", end=at(5))
    runs = dose("heparin", 1, order_id="o", rate=Quantity(10, "mL/h"))
    (medicine,) = in_force(6, ordered, runs)
    assert (medicine.by, medicine.running) == ("dose", True)
    stopped = dose("heparin", 1, order_id="o", rate=Quantity(10, "mL/h"), version=2, stopped_at=at(7))
    assert in_force(6, ordered, runs, stopped)[0].until is not None
    assert labels(30, ordered, runs, stopped) == []
    silent = INFUSION_COUNTS / timedelta(hours=1)
    assert labels(1 + silent - 1, ordered, runs) == ["heparin"]
    assert labels(1 + silent, ordered, runs) == []


def test_a_dose_that_nobody_ordered_counts_for_a_day() -> None:
    told = [dose("phenelzine", hours, id=f"d{hours}") for hours in (1, 2)]
    (medicine,) = in_force(3, *told)
    assert (medicine.by, medicine.starts, medicine.until) == ("dose", at(2), at(26))
    assert labels(26, *told) == []
    assert labels(0.5, *told) == []


def test_a_dose_given_before_a_stop_does_not_outlast_it_and_one_given_after_it_does() -> None:
    ordered = order("simvastatin", 0, id="o")
    stopped = order("simvastatin", 5, id="o", version=2, status="discontinued", drug=Drug(), dosage=Dosage())
    assert labels(6, ordered, stopped, dose("simvastatin", 4, order_id="o")) == []
    assert labels(7, ordered, stopped, dose("simvastatin", 6, order_id="o")) == ["simvastatin"]


def test_doses_of_one_medicine_are_bounded_and_the_newest_stay() -> None:
    state = play(*(dose("heparin", hours, id=f"d{hours:03}", order_id="o") for hours in range(50)))
    assert sorted(fact.at for fact in state.doses.values()) == [
        at(hours) for hours in range(50 - MAX_DOSES_OF_A_DAY, 50)
    ]


def test_a_replaced_order_that_is_told_more_of_stays_replaced() -> None:
    old, new = order("simvastatin", 0, id="a"), order("fluoxetine", 3, id="b", replaces="a")
    changed = order("simvastatin", 1, id="a", version=2, status="changed", dosage=daily(20))
    assert labels(4, old, new, changed) == ["fluoxetine"]


# --- supplies and doses beside their order


def test_a_supply_goes_on_interacting_when_its_order_merely_ran_out() -> None:
    ordered, handed = (
        order("simvastatin", 0, id="o", end=at(5 * DAY)),
        supply("simvastatin", 1, order_id="o", days_supply=30.0),
    )
    later = order("clarithromycin", 6 * DAY)
    for told in permutations([ordered, handed, later]):
        (alert,) = play(*told).open_alerts.values()
        assert [(fact.kind, fact.record_id) for fact in alert.implicated] == [
            ("dispensing", "s"),
            ("prescription", "clarithromycin"),
        ]
    stopped = order("simvastatin", 2 * DAY, id="o", version=2, status="discontinued", drug=Drug(), dosage=Dosage())
    assert not play(ordered, handed, stopped, later).open_alerts
    over = order("metformin", 32 * DAY)
    assert not play(ordered, handed, later, over).open_alerts


def test_a_dose_is_not_ordered_twice_because_it_was_handed_out() -> None:
    ordered = order("simvastatin", 0, id="o", dosage=daily(10), end=at(5 * DAY))
    handed = supply("simvastatin", 1, order_id="o", days_supply=30.0, dosage=daily(10))
    assert not play(ordered, handed, order("diltiazem", 2)).open_alerts, "10 mg a day are permitted with diltiazem"


def test_an_order_and_a_supply_of_one_source_may_have_the_same_id() -> None:
    """FHIR: an id is distinct within its type only."""
    statin, handed = (
        order("simvastatin", 0, id="1", source="ehr"),
        supply("clarithromycin", 0, id="1", source="ehr", days_supply=1.0),
    )
    state, (alert,) = take_event(play(statin), handed, KNOWLEDGE, at(0))
    assert {(fact.kind, fact.record_id) for fact in alert.implicated} == {("prescription", "1"), ("dispensing", "1")}
    assert due(state) == at(DAY)
    after, (ended,) = advance(state, at(2 * DAY), KNOWLEDGE, at(0))
    assert (ended.status, due(after)) == ("resolved", None)
    assert ended.history[-1].why == "The supply clarithromycin is ended."


def test_a_dose_given_counts_though_its_order_is_held_or_was_entered_in_error() -> None:
    ordered, given = order("simvastatin", 0, id="o"), dose("simvastatin", 6, order_id="o")
    held = order("simvastatin", 5, id="o", version=2, status="held", drug=Drug(), dosage=Dosage())
    (medicine,) = in_force(7, ordered, held, given)
    assert (medicine.by, medicine.until) == ("dose", at(30))
    assert labels(7, ordered, held, dose("simvastatin", 4, order_id="o")) == [], "given before it was held"
    wrong = order("simvastatin", 8, id="o", version=2, status="entered_in_error", drug=Drug(), dosage=Dosage())
    assert labels(9, ordered, given, wrong) == ["simvastatin"]


def test_what_replaced_an_order_long_ago_ends_it_though_it_comes_when_it_is_over() -> None:
    old = order("simvastatin", 0, id="a")
    new = order("fluoxetine", 10 * DAY, id="b", replaces="a", end=at(20 * DAY))
    now = order("metformin", 500 * DAY)
    assert [m.label for m in play(old, now, new).in_force(at(501 * DAY))] == ["metformin"]


def test_a_thousand_supplies_of_another_source_do_not_go_through_all_orders_each() -> None:
    orders = {f"ward\x1fo{n}": order_of(f"o{n}", "ward") for n in range(1000)}
    supplies = {f"pharmacy\x1fs{n}": order_of(f"s{n}", "pharmacy", f"o{n}") for n in range(1000)}
    state = replace(play(order("metformin", 0)), orders=orders, supplies=supplies)
    looked = Looked(state.orders)
    list(replace(state, orders=looked).acting())
    assert looked.times < 10, "once for all, and not for each supply"


class Looked(dict[str, Any]):
    """Counts how often all of it is gone through."""

    times = 0

    def items(self) -> Any:
        self.times += 1
        return super().items()

    def values(self) -> Any:
        self.times += 1
        return super().values()


def order_of(record_id: str, source: str, order_id: str = "") -> Any:
    told = play(order("simvastatin", 0)).orders["ward\x1fsimvastatin"]
    return replace(
        told, source=source, record_id=record_id, order_id=order_id, kind="dispensing" if order_id else "prescription"
    )
