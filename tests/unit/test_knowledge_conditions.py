"""Conditions as the data write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from knowledge.conditions import Names, parsed

NAMES = Names(
    analytes={"potassium", "white blood cells"}, properties={"nsaid", "cyp3a4-inhibitor"}, groups={"peptic-ulcer"},
    places={"oral"}, ways={"oral", "intrathecal"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("potassium >= 5.5", {"kind": "result", "name": "potassium", "op": ">=", "value": 5.5, "within": None}),
        ("white blood cells < 2", {"kind": "result", "name": "white blood cells", "op": "<", "value": 2}),
        ("potassium > 5 within 72 h", {"kind": "result", "within": timedelta(hours=72)}),
        ("potassium unknown", {"kind": "no_result", "name": "potassium", "within": None}),
        ("potassium unknown within 3 d", {"kind": "no_result", "within": timedelta(days=3)}),
        (
            "potassium rise >= 0.3 within 48 h",
            {"kind": "course", "course": "rise", "value": 0.3, "within": timedelta(hours=48)},
        ),
        ("white blood cells drop >= 50 % within 14 d", {"kind": "course", "course": "drop", "unit": "%", "value": 50}),
        ("age >= 65 years", {"kind": "age", "value": 65, "unit": "years"}),
        ("age < 28 days", {"kind": "age", "op": "<", "unit": "days"}),
        ("weight < 50 kg", {"kind": "weight", "value": 50}),
        ("crcl <= 30", {"kind": "kidney", "name": "crcl", "op": "<="}),
        ("dose > 4 g/day", {"kind": "dose", "value": 4000, "unit": "mg/day"}),
        ("dose > 500 mcg/day", {"kind": "dose", "value": 0.5}),
        ("dose unknown", {"kind": "no_dose"}),
        ("single dose > 0.5 g", {"kind": "single", "op": ">", "value": 500, "unit": "mg"}),
        ("single dose unknown", {"kind": "no_single"}),
        ("way intrathecal", {"kind": "way", "name": "intrathecal"}),
        ("other way oral", {"kind": "other_way", "name": "oral"}),
        ("with nsaid", {"kind": "with", "name": "nsaid", "grade": ""}),
        ("with cyp3a4-inhibitor strong", {"kind": "with", "name": "cyp3a4-inhibitor", "grade": "strong"}),
        ("without nsaid", {"kind": "without", "name": "nsaid"}),
        ("route oral", {"kind": "route", "name": "oral"}),
        ("history peptic-ulcer", {"kind": "history", "name": "peptic-ulcer"}),
        ("sex female", {"kind": "sex", "name": "female"}),
        ("end_of_life", {"kind": "trait", "name": "end_of_life"}),
        ("together >= 30 d", {"kind": "together", "value": 30}),
        ("  potassium   >=  5.5 ", {"kind": "result", "text": "potassium >= 5.5"}),
    ],
)
def test_every_form_says_what_it_says(text: str, said: dict[str, object]) -> None:
    (condition,) = parsed([text], NAMES)
    assert {name: getattr(condition, name) for name in said} == said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("potasium >= 5.5", "potasium"),
        ("with nsaids", "nsaids"),
        ("history ulcer", "ulcer"),
        ("route nasal", "nasal"),
        ("potassium => 5.5", "is no condition"),
        ("potassium >= high", "is no condition"),
        ("potassium >= 5.5 within 72 minutes", "is no condition"),
        ("age > 65", "years or days"),
        ("expecting", "is no condition"),
        ("", "is no condition"),
    ],
)
def test_what_is_no_condition_says_what_is_wrong(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parsed([text], NAMES)


@pytest.mark.parametrize(
    ("op", "beyond"),
    [
        (">=", (False, True, True)),
        (">", (False, False, True)),
        ("<=", (True, True, False)),
        ("<", (True, False, False)),
    ],
)
def test_both_sides_of_a_limit_and_the_limit_itself(op: str, beyond: tuple[bool, ...]) -> None:
    (condition,) = parsed([f"potassium {op} 5.5"], NAMES)
    assert tuple(condition.compares(value) for value in (5.4, 5.5, 5.6)) == beyond
