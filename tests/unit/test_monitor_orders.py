"""What an order is after its versions, in whatever order they come: what a version leaves out, and when an order acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.events import AnyEvent, Dosage, Drug, Ingredient, Prescription
from schemas.values import Coding, Quantity
from services.monitor.evaluate import take_event
from services.monitor.patient.bounds import KEEP_ENDED_ORDERS, MAX_ORDERS, MAX_VERSIONS
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from tests.support.clinical import KNOWLEDGE, SmallKnowledge, at, daily, interaction, lab, order, pair

NOW = datetime(2026, 11, 3, tzinfo=UTC)
UNNAMED: dict[str, Any] = {"drug": Drug(), "dosage": Dosage()}


def play(*events: AnyEvent, knowledge: Any = KNOWLEDGE) -> PatientState:
    state: PatientState | None = None
    for event in events:
        state, _ = take_event(state, event, knowledge, NOW)
    assert state is not None
    return state


def told(*versions: Prescription) -> Order:
    """The one order, which is the same in every order of arrival and after it was stored."""
    ends = [play(*arrival).orders["ward\x1fo"] for arrival in permutations(versions)]
    assert all(end == ends[0] for end in ends)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ends[0]), type=Order) == ends[0]
    return ends[0]


def version(number: int, status: str, hours: float | None = None, **more: Any) -> Prescription:
    fields: dict[str, Any] = {"id": "o", "status": status, "version": number} | UNNAMED | more
    return order("x", number if hours is None else hours, **fields)


FIRST = order("simvastatin", 1, id="o", end=at(50), dosage=daily(20))


# --- the end


def test_an_end_stays_until_a_version_says_another() -> None:
    assert told(FIRST, version(2, "changed")).end == at(50)
    assert told(FIRST, version(2, "changed"), version(3, "held"), version(4, "resumed")).end == at(50)
    assert told(FIRST, version(2, "changed", end=at(40)), version(3, "changed")).end == at(40)
    assert told(FIRST, version(2, "changed", end=None)).end is None
    assert told(FIRST, version(2, "changed", end=None), version(3, "changed")).end is None


def test_a_stop_ends_the_order_and_stays_until_it_goes_on() -> None:
    stop = version(2, "discontinued", 9)
    assert told(FIRST, stop).end == at(9)
    assert told(FIRST, stop, version(3, "changed", 10)).end == at(9)
    assert told(FIRST, version(2, "discontinued", 60)).end == at(50)
    assert told(FIRST, stop, version(3, "resumed", 10)).end == at(50)
    assert told(replace(FIRST, end=None), stop, version(3, "resumed", 10)).end is None
    assert told(FIRST, stop, version(3, "resumed", 10), version(4, "discontinued", 11)).end == at(11)
    assert told(FIRST, stop, version(3, "changed", 10, end=None)).end is None
    late_plan = version(1, "changed", 0, end=at(30), recorded_at=at(1.5))
    assert told(FIRST, stop, late_plan).end == at(9)


def test_an_end_that_had_passed_when_the_order_was_resumed_is_not_its_end() -> None:
    assert told(FIRST, version(2, "held", 40), version(3, "resumed", 60)).end is None
    assert told(FIRST, version(2, "held", 40), version(3, "resumed", 49)).end == at(50)
    assert told(FIRST, version(2, "resumed", 60, end=at(55))).end == at(55)


# --- a single dose


def once(start: float, end: float | None = None, **more: Any) -> Prescription:
    return order("clarithromycin", 0, start=at(start), end=at(start if end is None else end), **more)


@pytest.mark.parametrize(
    ("dose", "fires"),
    [
        (once(2), True),
        (once(2, one_time=False), False),
        (once(2, 1.9), False),  # cancelled before it began
        (once(2, 1.9, one_time=True), False),
        (order("clarithromycin", 0, start=at(2), one_time=True), True),
        (once(2, status="entered_in_error"), False),
        (once(2, status="held"), False),
    ],
)
def test_a_single_dose_acts_with_what_is_in_force_when_it_is_due(dose: Prescription, fires: bool) -> None:
    for arrival in permutations([order("simvastatin", 0), dose]):
        assert bool(play(*arrival).open_alerts) is fires


def test_a_single_dose_counts_for_a_day_and_not_before_it() -> None:
    before = order("simvastatin", 0, end=at(2))
    assert not play(before, once(2)).open_alerts
    assert play(order("simvastatin", 0, end=at(2.1)), once(2)).open_alerts
    both = (order("simvastatin", 0), once(2))
    for hours, still in ((25.9, True), (26, False)):
        state = play(*both, lab("sodium", 140, hours))
        assert bool(state.open_alerts) is still


def test_a_single_dose_in_the_last_day_of_the_calendar_is_taken() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    play(order("simvastatin", occurred_at=last, start=last, end=last), order("clarithromycin", 1))


def test_a_stopped_single_dose_is_over() -> None:
    stop = version(2, "discontinued", 2)
    for arrival in permutations([replace(once(2), record_id="o"), stop, order("simvastatin", 0)]):
        assert not play(*arrival).open_alerts


# --- the medicine and how it is given


NOT_UNDERSTOOD = Drug(text="simvasteron forte", resolution="unresolved")


def test_a_dose_or_route_that_changes_counts_though_its_version_names_no_medicine() -> None:
    found = told(FIRST, version(2, "changed", dosage=daily(80)))
    assert (found.ingredients, found.daily_mg_of("simvastatin"), found.daily_mg) == (("simvastatin",), 80, 80)
    assert not told(FIRST, version(2, "changed", dosage=Dosage(route="topical"))).systemic


def test_the_same_medicine_named_again_keeps_dose_and_route() -> None:
    topical = order("simvastatin", 1, id="o", route="topical")
    again = Drug(text="Simvastatin cream", ingredients=(Ingredient("simvastatin"),), resolution="name")
    assert not told(topical, version(2, "changed", drug=again)).systemic
    assert told(FIRST, version(2, "changed", drug=again)).daily_mg == 20
    assert told(FIRST, version(2, "changed", drug=again)).label == "Simvastatin cream"


def test_another_medicine_takes_over_neither_dose_nor_route() -> None:
    topical = order("simvastatin", 1, id="o", route="topical", end=at(50))
    for other in (Drug(text="warfarin", ingredients=(Ingredient("warfarin"),)), NOT_UNDERSTOOD):
        found = told(topical, version(2, "changed", dosage=daily(5)), version(3, "changed", drug=other))
        assert (found.route, found.systemic, found.daily_mg, found.dosage, found.end) == ("", True, None, "", at(50))


def test_a_name_that_is_not_understood_is_another_medicine() -> None:
    found = told(FIRST, version(2, "changed", drug=NOT_UNDERSTOOD))
    assert (found.label, found.ingredients) == ("simvasteron forte", ())
    local = Drug(codings=(Coding("local", "1", "XR-417"),), resolution="unresolved")
    assert told(FIRST, version(2, "changed", drug=local)).label == "XR-417"
    both = [order("clarithromycin", 0), FIRST, version(2, "changed", drug=NOT_UNDERSTOOD)]
    assert all(not play(*arrival).open_alerts for arrival in permutations(both))


def test_strengths_that_change_change_the_dose_in_tablets() -> None:
    def tablets(milligrams: float) -> Drug:
        return Drug(text="s", ingredients=(Ingredient("simvastatin", strength=Quantity(milligrams, "mg")),))

    one = Dosage(route="oral", dose=Quantity(1, "tablet"), frequency_per_day=1)
    found = told(version(1, "ordered", drug=tablets(10), dosage=one), version(2, "changed", drug=tablets(40)))
    assert found.daily_mg == 40


class Routes(SmallKnowledge):
    def is_systemic(self, route: str, form: str) -> bool:
        return form == "patch" or not {route, form} & {"topical", "ophthalmic", "drops", "cream"}


@pytest.mark.parametrize(
    ("first", "then", "systemic"),
    [
        (("drops", "ophthalmic"), ("tablet", None), True),  # the old route is not that of a tablet
        (("drops", "ophthalmic"), (None, "oral"), True),
        ((None, "ophthalmic"), ("tablet", None), True),
        (("solution", "topical"), ("solution", None), False),  # said again
        (("solution", "topical"), (None, "topical"), False),
        (("patch", "transdermal"), (None, "topical"), True),
        (("patch", None), (None, "topical"), True),
        ((None, "topical"), ("cream", None), False),
        (("cream", None), (None, ""), True),  # said to be unknown
        (("tablet", "oral"), ("cream", "topical"), False),
        (("tablet", "oral"), (None, None), True),
    ],
)
def test_topical_is_only_what_no_newer_word_makes_systemic(
    first: tuple[str | None, str | None], then: tuple[str | None, str | None], systemic: bool
) -> None:
    knowledge = Routes([interaction(pair("p"), "a", "b")], [])

    def said(number: int, form: str | None, route: str | None) -> Prescription:
        unsaid = msgspec.UNSET
        drug = Drug(text="a", ingredients=(Ingredient("a"),), form=unsaid if form is None else form)
        dosage = Dosage(route=unsaid if route is None else route)
        return version(number, "changed", drug=drug, dosage=dosage)

    for arrival in permutations([said(1, *first), said(2, *then)]):
        assert play(*arrival, knowledge=knowledge).orders["ward\x1fo"].systemic is systemic


# --- what is kept


def test_many_versions_are_told_as_few_and_say_the_same() -> None:
    changes = [version(number, "changed", dosage=daily(number)) for number in range(2, MAX_VERSIONS * 2)]
    state = play(FIRST, *changes)
    found = state.orders["ward\x1fo"]
    assert len(found.versions) == MAX_VERSIONS
    assert (found.label, found.end, found.first_seen) == ("simvastatin", at(50), at(1))
    assert found.daily_mg == MAX_VERSIONS * 2 - 1
    assert play(FIRST, *changes, changes[-1], FIRST).orders == state.orders


def test_an_order_entered_in_error_is_not_kept_for_ever_nor_any_number_of_orders() -> None:
    wrong = order("heparin", 0, status="entered_in_error")
    later = order("metformin", occurred_at=at(0) + KEEP_ENDED_ORDERS)
    assert list(play(wrong, later).orders) == ["ward\x1fmetformin"]
    many = [order("metformin", number / 100, id=f"m{number}") for number in range(MAX_ORDERS + 2)]
    state = play(order("simvastatin", 0, end=at(0.1)), *many)
    assert len(state.orders) == MAX_ORDERS
    assert "ward\x1fsimvastatin" not in state.orders
    assert "ward\x1fm0" not in state.orders
    assert f"ward\x1fm{MAX_ORDERS + 1}" in state.orders


def test_an_order_that_an_older_release_stored_is_filled_from() -> None:
    stored = play(replace(FIRST, dosage=replace(FIRST.dosage, text="at night")))
    (known,) = stored.orders.values()
    former = replace(known, versions=(), dose=None, strengths={}, stopped=None, unsaid="")
    state, _ = take_event(replace(stored, orders={"ward\x1fo": former}), version(2, "held"), KNOWLEDGE, NOW)
    (found,) = state.orders.values()
    assert (found.label, found.ingredients, found.route, found.dosage) == (
        "simvastatin",
        ("simvastatin",),
        "oral",
        "at night",
    )
    assert (found.end, found.held, found.first_seen) == (at(50), True, at(1))
    assert timedelta(0) < at(50) - found.starts
