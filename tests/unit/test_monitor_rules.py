"""What rules read of the knowledge and of an order, where a patient's story alone does not show it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.model import Advice
from schemas import topics
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.events import AnyEvent, Dosage, Drug, Ingredient, Prescription
from schemas.values import Quantity
from services.monitor.evaluate import take_event
from services.monitor.handler import MonitorHandler
from services.monitor.patient.bounds import KEEP_ENDED_ORDERS, SHOWN, Need
from services.monitor.patient.clock import end_of_day
from services.monitor.patient.daily_dose import daily_mg
from services.monitor.patient.picture import picture
from services.monitor.patient.results import with_result
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import decode, encode
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine
from tests.support.clinical import KNOWLEDGE, STATIN, SmallKnowledge, at, interaction, lab, limit, order, pair, patient

NOW = datetime(2026, 11, 3, tzinfo=UTC)


def play(*events: AnyEvent, knowledge: Any = KNOWLEDGE) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, knowledge, NOW)
        alerts += changed
    assert state is not None
    return state, alerts


# --- critical values


def one_limit(low: float | None, high: float | None, **more: Any) -> Any:
    return SmallKnowledge([], [replace(limit("platelets", low, high), **more)])


def test_each_direction_has_its_own_severity_and_advice() -> None:
    """Many platelets are less urgent than few, and what to do about one is wrong for the other."""
    low = Advice(severity="critical", actions=("look for bleeding",), patient_explanation="few")
    high = Advice(severity="moderate", actions=("repeat",), patient_explanation="many")
    knowledge = one_limit(37, 910, when_low=low, when_high=high)
    for value, advice in ((36, low), (911, high)):
        (alert,) = play(lab("platelets", value), knowledge=knowledge)[1]
        assert (alert.severity, alert.actions, alert.patient_explanation) == (
            advice.severity, advice.actions, advice.patient_explanation,
        )  # fmt: skip


def test_a_limit_with_one_side_has_no_other() -> None:
    assert play(lab("platelets", 10**9), knowledge=one_limit(37, None))[1] == []
    assert play(lab("platelets", 0), knowledge=one_limit(None, 910))[1] == []


@pytest.mark.parametrize(
    ("comparator", "value", "subject"),
    [
        ("<", 37, "low"), ("<", 36, "low"), ("<", 38, None), ("<=", 37, None), ("<=", 36.9, "low"),
        (">", 910, "high"), (">", 909, None), (">=", 910, None), (">=", 910.1, "high"),
        (">", 1, None), (">=", 36, None), ("<", 10_000, None), ("<=", 911, None),
    ],
)  # fmt: skip
def test_a_bound_is_critical_where_every_value_that_it_allows_is(
    comparator: str, value: float, subject: str | None
) -> None:
    _, alerts = play(lab("platelets", value, comparator=comparator), knowledge=one_limit(37, 910))
    assert [alert.subject for alert in alerts] == ([f"platelets:{subject}"] if subject else [])


def test_the_comparator_is_shown() -> None:
    (alert,) = play(lab("platelets", 5, comparator="<"), knowledge=one_limit(37, 910))[1]
    assert "<5 mmol/L" in alert.summary
    assert "limit 37" in alert.summary


def test_an_analyte_without_a_limit_for_the_age_is_silent() -> None:
    knowledge = one_limit(37, 910)  # for adults alone
    child = patient(-1, birth_date=at(0).date() - timedelta(days=3000))
    assert play(child, lab("platelets", 1), knowledge=knowledge)[1] == []
    assert len(play(lab("platelets", 1), knowledge=knowledge)[1]) == 1


def test_of_two_results_of_one_time_the_worse_is_shown_and_both_are_evidence() -> None:
    _, alerts = play(
        lab("platelets", 30, 1, id="a"), lab("platelets", 20, 1, id="b"), lab("platelets", 500, 1, id="c"),
        knowledge=one_limit(37, 910),
    )  # fmt: skip
    last = alerts[-1]
    assert "20" in last.summary
    assert {fact.record_id for fact in last.implicated} == {"a", "b"}


def test_a_rank_grows_with_the_distance_from_the_limit() -> None:
    ranks = [play(lab("platelets", v), knowledge=one_limit(37, 910))[1][0].rank for v in (36, 20, 1)]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 3


def test_the_evidence_kept_of_one_analyte_is_bounded_and_the_newest() -> None:
    state, _ = play(*(lab("sodium", 140, hours) for hours in range(100)))
    assert [r.at for r in state.results["sodium"]] == [at(hours) for hours in range(100 - SHOWN.newest, 100)]


def test_what_is_kept_of_an_analyte_follows_from_what_rules_declare() -> None:
    day, hourly = end_of_day(at(100)), [lab("sodium", 140, hours) for hours in range(100)]

    def kept(need: Need) -> int:
        results: Any = {}
        for event in hourly:
            results = with_result(results, event, day, need)
        return len(results["sodium"])

    assert kept(Need(newest=10)) == 10
    assert kept(Need(newest=1, within=day - at(80))) == 20
    assert kept(Need(newest=1, within=timedelta(days=30), most=50)) == 50
    both = Need(newest=3, within=timedelta(days=2)).joined(Need(newest=5, most=70))
    assert both == Need(newest=5, within=timedelta(days=2), most=70)


# --- the daily dose


MG_5 = Quantity(5, "mg")


@pytest.mark.parametrize(
    ("dose", "frequency", "strength", "expected"),
    [
        (Quantity(5, "mg"), 2, None, 10),
        (Quantity(5, " MG "), 1, None, 5),
        (Quantity(0.5, "g"), 3, None, 1500),
        (Quantity(500, "mcg"), 1, None, 0.5),
        (Quantity(500, "µg"), 2, None, 1),
        (Quantity(1, "mg", 2), 3, None, 6),  # the upper end of a range
        (Quantity(2, "tablets"), 2, MG_5, 20),
        (Quantity(1, "CAP", 2), 1, MG_5, 10),
        (Quantity(2, "tablets"), 2, None, None),
        (Quantity(2, "tablets"), 2, Quantity(5, "mg/mL"), None),
        (Quantity(5, "mL"), 2, MG_5, None),
        (Quantity(5, ""), 2, MG_5, None),
        (Quantity(5, "mg"), None, None, None),
        (None, 2, MG_5, None),
        (Quantity(0, "mg"), 2, None, None),
        (Quantity(-5, "mg"), 2, None, None),
        (Quantity(5, "mg"), 0, None, None),
        (Quantity(2, "tablets"), 2, Quantity(0, "mg"), None),
    ],
)
def test_the_daily_dose_is_known_where_it_is_certain(
    dose: Quantity | None, frequency: float | None, strength: Quantity | None, expected: float | None
) -> None:
    found = daily_mg(dose, frequency, strength, alone=True)
    assert found == (pytest.approx(expected) if expected is not None else None)


def test_the_dose_of_a_combination_is_that_of_its_ingredient_only_when_its_strength_says_it() -> None:
    assert daily_mg(Quantity(40, "mg"), 1, MG_5, alone=False) is None
    assert daily_mg(Quantity(2, "tablets"), 2, MG_5, alone=False) == 20
    tablet = Drug(
        text="ezetimibe/simvastatin 10/20",
        ingredients=(
            Ingredient("ezetimibe", strength=Quantity(10, "mg")), Ingredient("simvastatin", strength=Quantity(20, "mg")),
        ),
    )  # fmt: skip
    for dose, severities in ((Quantity(1, "tablet"), ["high"]), (Quantity(10, "mg"), ["moderate"])):
        taken = Dosage(route="oral", dose=dose, frequency_per_day=1)
        _, alerts = play(order("vytorin", 0, drug=tablet, dosage=taken), order("diltiazem", 1))
        assert [alert.severity for alert in alerts] == severities


def simvastatin(**dosage: Any) -> Prescription:
    return order("simvastatin", 0, dosage=Dosage(route="oral", **dosage))


def test_the_dose_limit_is_for_the_object_of_the_pair_and_not_for_its_partner() -> None:
    ten = {"dose": Quantity(10, "mg"), "frequency_per_day": 1}
    diltiazem = order("diltiazem", 1, dosage=Dosage(route="oral", dose=Quantity(120, "mg"), frequency_per_day=3))
    assert play(simvastatin(**ten), diltiazem)[1] == []
    (alert,) = play(simvastatin(**ten | {"frequency_per_day": 2}), diltiazem)[1]
    assert (alert.severity, "20 mg a day is ordered" in alert.detail) == ("high", True)


def test_of_two_orders_the_graver_dose_decides() -> None:
    unknown = order("simvastatin", 0, id="unknown")
    known = order(
        "simvastatin", 0, id="known", dosage=Dosage(route="oral", dose=Quantity(40, "mg"), frequency_per_day=1)
    )
    _, alerts = play(unknown, order("diltiazem", 1), known)
    assert [alert.severity for alert in alerts] == ["moderate", "high"]


def dose_of(milligrams: float, route: str = "oral") -> Dosage:
    return Dosage(route=route, dose=Quantity(milligrams, "mg"), frequency_per_day=1)


@pytest.mark.parametrize(
    ("second", "severities"),
    [
        ({}, ["high"]),  # 8 and 8 together are above 10
        ({"start": at(5)}, ["high"]),  # from then on
        ({"dosage": dose_of(8, "topical")}, []),
        ({"status": "held"}, []),
    ],
)
def test_orders_of_one_ingredient_at_one_time_are_summed(second: dict[str, Any], severities: list[str]) -> None:
    first = order("simvastatin", 0, id="a", dosage=dose_of(8))
    other = order("simvastatin", 0, **dict[str, Any]({"id": "b", "dosage": dose_of(8)} | second))
    for arrival in permutations([first, other, order("diltiazem", 1)]):
        state, _ = play(*arrival)
        assert [alert.severity for alert in state.open_alerts.values()] == severities
        assert all("16 mg a day" in alert.detail for alert in state.open_alerts.values())


def test_orders_that_follow_each_other_are_not_summed() -> None:
    first = order("simvastatin", 0, id="a", dosage=dose_of(8), end=at(5))
    assert play(first, order("simvastatin", 0, id="b", dosage=dose_of(8), start=at(5)), order("diltiazem", 1))[1] == []


def test_a_sum_with_one_dose_that_is_not_known_is_not_known_unless_the_rest_is_too_much() -> None:
    unknown = order("simvastatin", 0, id="a")
    for milligrams, severity in ((8, "moderate"), (11, "high")):
        state, _ = play(unknown, order("simvastatin", 0, id="b", dosage=dose_of(milligrams)), order("diltiazem", 1))
        assert [alert.severity for alert in state.open_alerts.values()] == [severity]


# --- one problem, told once


CLASS = SmallKnowledge(
    [interaction(STATIN, "simvastatin", name) for name in ("lopinavir", "ritonavir")]
    + [interaction(pair("other"), "simvastatin", "ritonavir")],
    [],
)


def test_two_members_of_a_class_in_one_product_are_one_finding() -> None:
    _, alerts = play(order("lopinavir/ritonavir", 0), order("simvastatin", 1), knowledge=CLASS)
    assert [alert.subject for alert in alerts] == ["other:ritonavir+simvastatin", "statin:lopinavir+simvastatin"]


def test_two_members_of_a_class_in_two_orders_are_two_findings() -> None:
    orders = [order("lopinavir/ritonavir", 0), order("simvastatin", 1), order("ritonavir", 2)]
    for arrival in permutations(orders):
        state, _ = play(*arrival, knowledge=CLASS)
        assert {alert.subject for alert in state.open_alerts.values() if "statin:" in alert.subject} == {
            "statin:lopinavir+simvastatin", "statin:ritonavir+simvastatin",
        }  # fmt: skip


# --- versions of one order


VERSIONS = [
    order("simvastatin", 0, id="o", dosage=Dosage(text="at night", route="oral"), start=at(1)),
    order(
        "clarithromycin",
        1,
        id="o",
        status="changed",
        version=2,
        dosage=Dosage(text="twice", route="topical"),
        start=at(2),
    ),
    order("x", 2, id="o", status="held", version=3, drug=Drug(), dosage=Dosage()),
    order("x", 3, id="o", status="resumed", version=4, drug=Drug(), dosage=Dosage()),
]


@pytest.mark.parametrize("arrival", list(permutations(range(4))))
def test_what_the_newest_version_leaves_out_is_what_the_one_before_says_in_any_order_of_arrival(
    arrival: tuple[int, ...],
) -> None:
    state, _ = play(*(VERSIONS[number] for number in arrival))
    (found,) = state.orders.values()
    assert (found.status, found.version, found.first_seen) == ("resumed", 4, at(0))
    assert (found.ingredients, found.route, found.systemic) == (("clarithromycin",), "topical", False)
    assert (found.dosage, found.start) == ("twice", at(2))
    assert decode(encode(state)) == state


def test_another_medicine_does_not_take_over_the_dosage_of_the_first() -> None:
    other = order("warfarin", 1, id="o", status="changed", version=2)
    for arrival in ((VERSIONS[0], other), (other, VERSIONS[0])):
        (found,) = play(*arrival)[0].orders.values()
        assert (found.ingredients, found.dosage, found.start) == (("warfarin",), "", at(1))


# --- a record that is none


@pytest.mark.parametrize("stamp", [-1, -(2**63), 2**63 - 1, 253402300800000])
def test_a_bad_event_with_a_time_stamp_that_is_no_time_is_refused_and_ends_no_worker(stamp: int) -> None:
    engine = MemoryEngine(MonitorHandler(KNOWLEDGE, lambda _: NOW))
    (send,) = engine.feed([Record(topics.EVENTS, 0, 0, stamp, b"p", b"{")])
    letter = DeadLetter.from_record(list(send.headers), send.value or b"")
    assert (letter.reason, letter.received_at, letter.original) == ("undecodable_event", None, b"{")


# --- the clock and what is kept


def test_orders_in_the_year_one_are_taken() -> None:
    first = datetime(1, 1, 2, tzinfo=UTC)
    state, alerts = play(order("simvastatin", occurred_at=first), order("clarithromycin", occurred_at=first))
    assert (len(state.orders), len(alerts)) == (2, 1)


def test_an_order_is_kept_for_a_time_after_its_end() -> None:
    ended = order("simvastatin", 0, end=at(1))
    kept = at(1) + KEEP_ENDED_ORDERS
    # the age counts in whole days of the patient's clock
    for when, known in ((kept - timedelta(days=1), True), (kept, False)):
        state, _ = play(ended, order("clarithromycin", occurred_at=when))
        assert ("ward\x1fsimvastatin" in state.orders) is known


def test_a_picture_shows_what_is_in_force_and_the_gravest_problem_first() -> None:
    state, _ = play(
        order("simvastatin", 0), order("clarithromycin", 1), order("metformin", 0, end=at(2)),
        order("heparin", 0, status="entered_in_error"), order("digoxin", 0, status="held"), lab("potassium", 7.0, 3),
    )  # fmt: skip
    shown = picture(state)
    assert [(m.label, m.held) for m in shown.medicines] == [
        ("clarithromycin", False),
        ("digoxin", True),
        ("simvastatin", False),
    ]
    assert [problem.severity for problem in shown.open] == ["critical", "high"]
    assert [(result.analyte, result.value) for result in shown.labs] == [("potassium", 7.0)]
