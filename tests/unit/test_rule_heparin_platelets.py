"""Falling platelets with heparin. Points of the 4Ts score are typed from Lo 2006 as repeated in Crit Care 2011;15:202."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.loader import load
from schemas.events import AnyEvent, Dosage, LabResult, Prescription, Procedure
from services.monitor.rules.heparin_exposure import Run, timing
from services.monitor.rules.heparin_platelets import HeparinPlatelets
from services.monitor.rules.score import band
from tests.support.alone import alone, diagnosis, now, play, result, severity
from tests.support.clinical import at, order, patient

DAY = 24.0
KNOWN = load()


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(HeparinPlatelets()):
        yield


def heparin(days: float = 0, until: float | None = None, name: str = "heparin", **more: Any) -> Prescription:
    fields = {"end": at(until * DAY)} if until is not None else {}
    return order(name, days * DAY, id=f"{name}-{days}", route="intravenous", **fields, **more)


def platelets(value: float, days: float, **more: Any) -> LabResult:
    return result("platelets", value, days * DAY, "K/uL", **more)


def course(*values: tuple[float, float]) -> list[AnyEvent]:
    return [platelets(value, days) for value, days in values]


def part(name: str, *events: AnyEvent) -> str:
    alert = now(*events)
    assert alert is not None
    return alert.detail.split(f"{name} ")[1].split(" (")[0].split(",")[0].split(".")[0]


def points(*events: AnyEvent) -> str:
    alert = now(*events)
    assert alert is not None
    return alert.summary.rsplit("4Ts ", 1)[1]


# --- the score


@pytest.mark.parametrize(
    ("lowest", "got"),
    [
        (141, None), (140, 1), (139, 1), (101, 1), (100, 1), (99, 2), (20, 2), (19.9, 1), (19, 1), (10, 1), (9.9, 0),
    ],
)  # fmt: skip
def test_the_size_of_the_fall_from_200(lowest: float, got: int | None) -> None:
    """More than 50 % and 20 or more: 2. 30 to 50 %, or 10 to 19: 1. Less than 30 %, or below 10: 0."""
    events = [heparin(), *course((200, 0.1), (lowest, 6))]
    assert now(*events) is None if got is None else part("thrombocytopenia", *events) == str(got)


@pytest.mark.parametrize(
    ("day", "before", "got"),
    [
        (0, None, 0), (1, None, 0), (3, None, 0), (3.9, None, 0), (4, None, 1), (5, None, 2), (10, None, 2), (10.9, None, 2),
        (11, None, 1), (40, None, 1), (0.5, 30, 2), (1, 30, 2), (1.5, 30, 1), (1, 31, 1), (1, 100, 1), (1, 101, 0), (2, 20, 1),
        (6, 200, 2),
    ],
)  # fmt: skip
def test_the_timing(day: float, before: float | None, got: int) -> None:
    """Day 5 to 10, or within a day after heparin in the last 30 days: 2. After day 10, within a day after heparin 30 to 100 days
    ago, or unclear: 1. Before day 4 without recent heparin: 0."""
    gap = None if before is None else at(before * DAY) - at(0)
    run = Run(at(0), None, frozenset({"heparin"}), (), gap)
    assert timing(at(day * DAY), run, KNOWN.lab_findings)[0] == got


@pytest.mark.parametrize(
    ("sum_", "title"), [(0, "low"), (3, "low"), (4, "intermediate"), (5, "intermediate"), (6, "high"), (8, "high")]
)
def test_what_a_sum_means(sum_: int, title: str) -> None:
    assert band("4ts", sum_, KNOWN).title.startswith(title)


def test_a_published_case_with_a_score_of_four() -> None:
    """Thrombosis J 2020;18:16, table 1: more than 50 % and more than 20 (2), after day 10 (1), no thrombosis (0), other cause
    possible (1): 4. The last two are not among the data, so that it lies within the range."""
    sepsis = diagnosis("A41.9")
    events = [heparin(), sepsis, *course((210, 0.1), (205, 10), (90, 12))]
    assert points(*events) == "3 to 6"
    assert part("timing", *events) == "1"
    assert part("other causes", *events) == "0 to 1"


def test_a_published_course() -> None:
    """The Blood Project, 68-year-old man: heparin from the sixth day with 183, 86 on the eleventh and 71 on the twelfth: more
    than half, and at day 5."""
    events = [heparin(6), *course((161, 1), (183, 6), (86, 11), (71, 12))]
    alert = now(*events)
    assert alert is not None
    assert (part("thrombocytopenia", *events), part("timing", *events)) == ("2", "2")
    assert alert.severity == "high"
    assert alert.summary.startswith("Platelets 183 to 71 (-61 %) with heparin")
    assert len(alert.summary) <= 139
    assert "thrombosis 0 to 2" in alert.detail
    assert alert.true_since == at(11 * DAY)


# --- the level


def test_a_fall_at_an_untypical_time_is_for_the_list_and_too_early_for_the_picture() -> None:
    assert severity(heparin(), *course((200, 0.1), (195, 11), (80, 12))) == "moderate"
    assert severity(heparin(), *course((200, 0.1), (80, 2))) == "info"


@pytest.mark.parametrize(("lowest", "level"), [(99, "moderate"), (100, "info")])
def test_a_score_that_is_not_sure_is_for_the_list_only_below_100(lowest: float, level: str) -> None:
    """Below 100 the label wants heparin stopped."""
    assert severity(heparin(), *course((250, 0.1), (245, 11), (lowest, 12))) == level


def test_a_thrombosis_that_began_after_heparin_makes_it_critical() -> None:
    events = [heparin(), *course((200, 0.1), (80, 6))]
    assert severity(*events) == "high"
    assert severity(*events, diagnosis("I82.40", 7 * DAY, onset=date(2026, 11, 8))) == "critical"
    # the reason why heparin was begun is none
    assert severity(*events, diagnosis("I82.40", 7 * DAY, onset=date(2026, 11, 1))) == "high"
    assert severity(*events, diagnosis("I82.40", 7 * DAY)) == "high"


def test_something_else_that_is_given_instead_makes_it_milder() -> None:
    events = [heparin(0, 6.5), *course((200, 0.1), (80, 6))]
    argatroban = order("argatroban", 6.6 * DAY, route="intravenous")
    assert severity(*events) == "high"
    assert severity(*events, argatroban) == "moderate"
    # not while heparin goes on
    assert severity(heparin(), *course((200, 0.1), (80, 6)), argatroban) == "high"


# --- which heparin


@pytest.mark.parametrize("name", ["heparin", "enoxaparin", "dalteparin"])
def test_every_heparin_counts_and_a_flush_as_well(name: str) -> None:
    assert severity(heparin(name=name), *course((200, 0.1), (80, 6))) == "high"
    flush = order("heparin", id="flush", route="intravenous")
    flush = replace(flush, drug=replace(flush.drug, text="heparin flush"), dosage=Dosage(route="intracatheter"))
    assert severity(flush, *course((200, 0.1), (80, 6))) == "high"


@pytest.mark.parametrize("name", ["fondaparinux", "apixaban", "argatroban"])
def test_others_do_not(name: str) -> None:
    assert now(heparin(name=name), *course((200, 0.1), (80, 6))) is None


def test_heparin_that_has_stopped_counts_for_a_month() -> None:
    """HIT can begin after heparin has ended: 30 days, the score's own word for recent."""
    assert severity(heparin(0, 3), *course((200, 5), (80, 8))) == "high"
    assert severity(heparin(0, 3), *course((200, 32), (80, 33))) == "moderate"
    assert now(heparin(0, 3), *course((200, 32), (80, 33.1))) is None


def test_a_fall_before_heparin_is_not_its_fault() -> None:
    assert now(*course((200, 0), (80, 5)), heparin(5.5)) is None


def test_an_order_entered_in_error_counts_for_nothing() -> None:
    given = heparin()
    events = [given, *course((200, 0.1), (80, 6))]
    wrong = replace(given, status="entered_in_error", version=2, occurred_at=at(6.5 * DAY))
    assert now(*events, wrong) is None


def test_heparin_again_after_three_weeks_acts_at_once() -> None:
    events = [heparin(0, 7), heparin(25), *course((250, 24.9), (90, 25.9))]
    assert severity(*events) == "high"
    assert severity(*events[1:]) == "info"


# --- the course


def test_a_second_fall_after_an_operation_is_judged_by_itself() -> None:
    """Platelets fall at once after an operation and come back; the fall of day 7 is another one."""
    early = course((250, 0.1), (110, 2))
    assert severity(heparin(), *early) == "info"
    events = [heparin(), *early, *course((200, 5), (80, 7))]
    assert severity(*events) == "high"
    assert part("timing", *events) == "2"


def test_it_ends_when_platelets_are_back() -> None:
    events = [heparin(), *course((200, 0.1), (80, 6))]
    assert severity(*events, platelets(169, 8)) == "high"
    assert now(*events, platelets(171, 8)) is None


def test_a_corrected_count_withdraws_it() -> None:
    events = [heparin(), *course((200, 0.1), (80, 6))]
    fixed = platelets(180, 6, version=2, status="corrected", occurred_at=at(6 * DAY))
    _, alerts = play(*events, fixed)
    assert [each.status for each in alerts] == ["open", "withdrawn"]


def test_without_a_count_before_there_is_no_fall() -> None:
    assert now(heparin(), platelets(40, 6)) is None
    # nor with one that is no number, or two weeks and more ago
    assert now(heparin(), platelets(200, 0.1, comparator=">"), platelets(40, 6)) is None
    assert now(heparin(), platelets(200, 0.1), platelets(80, 14.2)) is None
    assert severity(heparin(), platelets(200, 0.1), platelets(80, 14)) == "moderate"


def test_the_order_of_arrival_does_not_matter() -> None:
    events = [heparin(), *course((200, 0.1), (190, 4), (80, 6)), diagnosis("A41.9")]
    found = set()
    for each in permutations(events):
        alert = now(*each)
        assert alert is not None
        found.add((alert.subject, alert.severity, alert.summary, alert.detail))
    assert len(found) == 1


def test_other_causes_are_named_and_lower_what_the_score_can_be() -> None:
    events = [heparin(), *course((200, 0.1), (80, 6))]
    assert points(*events) == "4 to 8"
    operated = patient(1, procedures=(Procedure(kind="surgery", start=at(4 * DAY)),))
    assert points(*events, operated) == "4 to 7"
    long_ago = patient(1, procedures=(Procedure(kind="surgery", start=at(2.9 * DAY)),))
    assert points(*events, long_ago) == "4 to 8"
    chemotherapy = order("carboplatin", 5 * DAY, route="intravenous")
    alert = now(*events, chemotherapy)
    assert alert is not None
    assert "chemotherapy" in alert.detail
