"""Scores at their edges: what a part that is not known adds, what is said, and where a band begins. Points and bands are those of
Tisdale 2013 and Lo 2006."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from knowledge.loader import load
from services.monitor.rules.qt import Qt
from services.monitor.rules.score import Part, Score, band, cited, points, weighed
from tests.support.alone import alone, diagnosis, play
from tests.support.clinical import order, patient
from tests.unit.test_rule_qt import MAN, NORMAL, potassium

KNOWN = load()


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(Qt()):
        yield


def test_a_sum_is_one_number_where_all_is_known_and_two_where_not() -> None:
    known, open_ = Part("b", 2, 2, ""), Part("a", 1, 3, "a level")
    whole = Score((open_, known))
    assert (whole.low, whole.high, whole.said, whole.unknown) == (3, 5, "3 to 5", ("a",))
    assert whole.told == "a 1 to 3 (a level), b 2"
    assert (Score((known,)).said, Score((known,)).unknown, Score(()).said) == ("2", (), "0")


@pytest.mark.parametrize(
    ("score", "sum_", "from_"),
    [
        ("tisdale", 6, 0), ("tisdale", 7, 7), ("tisdale", 10, 7), ("tisdale", 11, 11), ("tisdale", 21, 11), ("tisdale", 0, 0),
        ("4ts", 3, 0), ("4ts", 4, 4), ("4ts", 5, 4), ("4ts", 6, 6), ("4ts", 8, 6),
    ],
)  # fmt: skip
def test_a_band_begins_with_its_number(score: str, sum_: int, from_: int) -> None:
    assert band(score, sum_, KNOWN).points_from == from_


def test_the_points_of_a_part() -> None:
    assert points("tisdale", "QT medicines", KNOWN) == [3, 6]
    assert points("tisdale", "sepsis", KNOWN) == [3]
    assert points("4ts", "thrombosis", KNOWN) == [1, 2]
    assert points("4ts", "sepsis", KNOWN) == []


def test_each_score_has_its_own_sources() -> None:
    tisdale, four_ts = ({each.id for each in cited(score, KNOWN)} for score in ("tisdale", "4ts"))
    assert "tisdale-2013" in tisdale - four_ts
    assert "lo-2006" in four_ts - tisdale


def part(name: str, *events: object) -> tuple[int, int]:
    computed = {each: Part(each, 0, 0, "") for each in ("admission QTc", "QT medicines")}
    found = weighed("tisdale", play(*events)[0], KNOWN, computed)  # type: ignore[arg-type]
    (only,) = (each for each in found.parts if each.name == name)
    return only.low, only.high


def test_what_is_so_counts_what_is_not_known_may_and_what_is_not_does_not() -> None:
    assert part("sepsis", *NORMAL, diagnosis("A41.9")) == (3, 3)
    assert part("sepsis", *NORMAL) == (0, 0)
    assert part("sepsis", potassium(4.0)) == (0, 3)
    assert part("sex", patient(0, **(MAN | {"sex": "female"}))) == (1, 1)
    assert part("loop diuretic", *NORMAL, order("furosemide")) == (1, 1)
    assert part("loop diuretic", *NORMAL) == (0, 0)
    assert [part("potassium", *NORMAL, potassium(value)) for value in (3.5, 3.6)] == [(2, 2), (0, 0)]


def test_parts_that_are_computed_stand_in_their_place_and_conditions_are_asked_once() -> None:
    state = play(*NORMAL)[0]
    computed = {
        "admission QTc": Part("admission QTc", 2, 2, "a tracing"),
        "QT medicines": Part("QT medicines", 3, 3, "one"),
    }
    first, again = (weighed("tisdale", state, KNOWN, computed) for _ in range(2))
    assert [each.name for each in first.parts] == [
        "age", "sex", "loop diuretic", "potassium", "admission QTc", "acute myocardial infarction", "sepsis", "heart failure",
        "QT medicines",
    ]  # fmt: skip
    assert first.parts[4].found == "a tracing"
    assert first.said == "5"
    assert first.parts[3].answers[0] is again.parts[3].answers[0]
    assert weighed("none", state, KNOWN, {}).parts == ()
