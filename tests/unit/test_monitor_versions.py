"""What sources say in several goes, in whatever order it comes: results taken back, orders changed in parts, single doses."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import AnyEvent, Dosage, Drug, Prescription
from schemas.values import Coding, Quantity
from services.monitor.patient.state import MAX_RESULTS, PatientState
from tests.support.clinical import at, lab, order
from tests.unit.test_monitor_evaluate import changes, play

LOCAL = (Coding("local", "K"),)


def open_subjects(state: PatientState) -> list[str]:
    return sorted(alert.subject for alert in state.open_alerts.values())


def said_nothing(**more: Any) -> dict[str, Any]:
    """A version that names no medicine and no dosage."""
    return {"drug": Drug(), "dosage": Dosage(), **more}


# --- results


def test_a_record_changed_twice_without_versions_opens_a_second_episode_under_an_id_of_its_own() -> None:
    story = [
        lab("potassium", 7.5, id="k", resulted_at=at(1)),
        lab("potassium", 4.0, id="k", status="corrected", resulted_at=at(2)),
        lab("potassium", 7.6, id="k", status="corrected", resulted_at=at(3)),
    ]
    state, alerts = play(*story)
    assert [change for _, change in changes(alerts)] == ["opened", "withdrawn", "opened"]
    first, second = alerts[0].alert_id, alerts[2].alert_id
    assert first != second
    for arrival in permutations(story):
        assert open_subjects(play(*arrival)[0]) == ["potassium:high"]
    assert {alert.alert_id for alert in state.open_alerts.values()} == {second}


def test_an_order_held_and_resumed_without_versions_fires_again_under_another_id() -> None:
    held = order("simvastatin", 0, status="held", recorded_at=at(3), **said_nothing())
    resumed = order("simvastatin", 0, status="resumed", recorded_at=at(4), **said_nothing())
    _, alerts = play(order("simvastatin", 0), order("clarithromycin", 1), held, resumed)
    assert [change for _, change in changes(alerts)] == ["opened", "resolved", "opened"]
    assert alerts[0].alert_id != alerts[2].alert_id


def test_of_two_unversioned_results_the_one_resulted_later_stands() -> None:
    early = [lab("potassium", 4.0, id=f"k{n}", resulted_at=at(1)) for n in range(8)]
    late = [lab("potassium", 7.5 + n / 10, id=f"k{n}", resulted_at=at(2)) for n in range(8)]
    for number in range(8):
        for arrival in permutations((early[number], late[number])):
            assert open_subjects(play(*arrival)[0]) == ["potassium:high"]


@pytest.mark.parametrize("status", ["cancelled", "entered_in_error", "corrected"])
def test_what_takes_a_result_back_counts_with_a_local_code_only_and_before_the_result_too(status: str) -> None:
    high = lab("potassium", 7.5, id="k")
    back = lab("", None, id="k", status=status, version=2, codings=LOCAL)
    state, alerts = play(high, back)
    assert changes(alerts) == [("potassium:high", "opened"), ("potassium:high", "withdrawn")]
    assert open_subjects(state) == []
    assert play(back, high)[1] == []


def test_a_result_corrected_to_another_analyte_leaves_the_first() -> None:
    wrong, right = lab("potassium", 7.5, id="r"), lab("sodium", 140, id="r", status="corrected", version=2)
    state, alerts = play(wrong, right)
    assert changes(alerts)[-1] == ("potassium:high", "withdrawn")
    assert [r.value for r in state.results["sodium"]] == [140]
    assert "potassium" not in state.results


@pytest.mark.parametrize(
    ("first", "comparator", "value", "ends"),
    [
        (7.5, "<", 8, False),  # may be 7.9
        (7.5, "<=", 6.2, True),
        (7.5, ">", 5, False),
        (2.0, ">", 2.5, False),
        (2.0, ">=", 2.8, True),
        (2.0, "<", 9, False),
        (7.5, None, 6.2, True),
        (2.0, None, 2.8, True),
    ],
)
def test_only_a_result_that_says_so_ends_a_critical_value(
    first: float, comparator: Any, value: float, ends: bool
) -> None:
    state, _ = play(lab("potassium", first), lab("potassium", value, 1, comparator=comparator))
    assert (open_subjects(state) == []) is ends


def test_a_slip_ends_nothing_and_is_said_when_it_opens() -> None:
    slip = lab("potassium", 3.0, 1, remark="implausible")
    assert open_subjects(play(lab("potassium", 7.5), slip)[0]) == ["potassium:high"]
    (alert,) = play(lab("potassium", 75.0, remark="implausible"))[1]
    assert "check it with the laboratory first" in alert.detail


@pytest.mark.parametrize("useless", [{"status": "cancelled"}, {"canonical_value": None, "text": "haemolysed"}])
def test_useless_results_do_not_push_out_the_one_that_counts(useless: dict[str, Any]) -> None:
    many = [lab("potassium", 4.0, 1 + n, **useless) for n in range(MAX_RESULTS + 1)]
    state, alerts = play(lab("potassium", 7.5), *many)
    assert open_subjects(state) == ["potassium:high"]
    assert len(alerts) == 1
    assert len(state.results["potassium"]) <= MAX_RESULTS + 1


def test_the_laboratory_s_own_value_is_shown_first_and_what_was_converted_is_rounded() -> None:
    (alert,) = play(replace(lab("potassium", 7.123456), value=25.0, unit="odd"))[1]
    assert alert.summary == "Potassium critically high: 25 odd (7.12 mmol/L), limit 6.2 mmol/L"
    assert alert.implicated[0].received == "25 odd"
    (plain,) = play(replace(lab("potassium", 7.5), value=7.5, unit="mmol/L"))[1]
    assert plain.summary.count("7.5 mmol/L") == 1


# --- orders


def arrivals(*versions: Prescription) -> list[tuple[AnyEvent, ...]]:
    return list(permutations(versions))


def test_an_end_stays_until_a_version_says_another_and_null_takes_it_away() -> None:
    ordered = order("simvastatin", 0, end=at(5))
    held = order("simvastatin", 1, version=2, status="held", **said_nothing())
    resumed = order("simvastatin", 2, version=3, status="resumed", **said_nothing())
    opened = order("simvastatin", 3, version=4, status="changed", end=None, **said_nothing())
    for arrival in arrivals(ordered, held, resumed):
        assert open_subjects(play(*arrival, order("clarithromycin", 6))[0]) == []
    for arrival in arrivals(ordered, held, resumed, opened):
        assert open_subjects(play(*arrival, order("clarithromycin", 6))[0]) == ["statin:clarithromycin+simvastatin"]


def test_a_stop_belongs_to_the_version_that_stopped() -> None:
    ordered, stopped = (
        order("simvastatin", 0),
        order("simvastatin", 1, version=2, status="discontinued", **said_nothing()),
    )
    again = order("simvastatin", 2, version=3, status="resumed", **said_nothing())
    late_plan = order("simvastatin", 0, version=1, end=at(9), recorded_at=at(0.5))
    for arrival in arrivals(ordered, stopped):
        assert open_subjects(play(*arrival, order("clarithromycin", 3))[0]) == []
    for arrival in arrivals(ordered, stopped, again):
        assert open_subjects(play(*arrival, order("clarithromycin", 3))[0]) == ["statin:clarithromycin+simvastatin"]
    for arrival in arrivals(ordered, stopped, late_plan):
        (found,) = play(*arrival)[0].orders.values()
        assert found.end == at(1)


def test_a_dose_changed_without_naming_the_medicine_counts() -> None:
    dose = {"route": "oral", "frequency_per_day": 1}
    ordered = order("simvastatin", 0, dosage=Dosage(dose=Quantity(10, "mg"), **dose))
    raised = order(
        "simvastatin", 1, version=2, status="changed", drug=Drug(), dosage=Dosage(dose=Quantity(40, "mg"), **dose)
    )
    diltiazem = order("diltiazem", 0)
    assert open_subjects(play(ordered, diltiazem)[0]) == []
    for arrival in arrivals(ordered, raised, diltiazem):
        (alert,) = play(*arrival)[0].open_alerts.values()
        assert "40 mg a day is ordered" in alert.detail


def test_a_route_changed_alone_counts_and_one_left_out_stays() -> None:
    topical = order("clarithromycin", 0, route="topical")
    named = order("clarithromycin", 1, version=2, status="changed", dosage=Dosage(text="twice"))
    oral = order("clarithromycin", 2, version=3, status="changed", drug=Drug(), dosage=Dosage(route="oral"))
    statin = order("simvastatin", 0)
    for arrival in arrivals(topical, named, statin):
        assert open_subjects(play(*arrival)[0]) == []
    for arrival in arrivals(topical, named, oral, statin):
        assert open_subjects(play(*arrival)[0]) == ["statin:clarithromycin+simvastatin"]


def test_a_new_text_that_nobody_understands_is_another_medicine() -> None:
    ordered = order("simvastatin", 0)
    changed = order(
        "simvastatin", 1, version=2, status="changed", drug=Drug(text="study medicine", resolution="unresolved")
    )
    for arrival in arrivals(ordered, changed):
        (found,) = play(*arrival)[0].orders.values()
        assert (found.label, found.ingredients) == ("study medicine", ())


ONCE = {"start": at(2), "end": at(2)}


@pytest.mark.parametrize(
    ("times", "fires"),
    [
        (ONCE, True),
        ({**ONCE, "one_time": True}, True),
        ({"start": at(2), "one_time": True}, True),
        ({**ONCE, "one_time": False}, False),  # the source says that it has no single doses: cancelled on its first day
        ({"start": at(2), "end": at(1)}, False),  # ended before it began
    ],
)
def test_a_single_dose_meets_what_is_in_force_on_its_day(times: dict[str, Any], fires: bool) -> None:
    single = order("phenelzine", 1, **times)
    assert (open_subjects(play(order("fluoxetine", 0), single)[0]) != []) is fires


def test_a_single_dose_is_over_after_a_day_and_when_it_is_stopped() -> None:
    fluoxetine, single = order("fluoxetine", 0), order("phenelzine", 2, **ONCE)
    stopped = order("phenelzine", 3, version=2, status="discontinued", **said_nothing())
    assert open_subjects(play(fluoxetine, single, lab("potassium", 4.0, 25))[0]) != []
    assert open_subjects(play(fluoxetine, single, lab("potassium", 4.0, 26))[0]) == []
    assert open_subjects(play(fluoxetine, single, stopped)[0]) == []


def test_doses_of_several_orders_count_together_while_they_overlap() -> None:
    ten = Dosage(route="oral", dose=Quantity(10, "mg"), frequency_per_day=1)
    first, diltiazem = order("simvastatin", 0, id="a", end=at(48), dosage=ten), order("diltiazem", 0)
    beside, after = (
        order("simvastatin", 1, id="b", dosage=ten),
        order("simvastatin", 1, id="b", start=at(48), dosage=ten),
    )
    (alert,) = play(first, diltiazem, beside)[1]
    assert (alert.severity, "20 mg a day is ordered" in alert.detail) == ("high", True)
    assert play(first, diltiazem, after)[1] == []


def test_a_combination_product_with_two_members_of_a_class_is_one_problem() -> None:
    both = order("fluoxetine/citalopram", 0)
    assert len(play(both, order("phenelzine", 1))[1]) == 1
    _, alerts = play(both, order("phenelzine", 1), order("citalopram", 2))
    assert len({alert.alert_id for alert in alerts}) == 2, "an order of its own is a problem of its own"
