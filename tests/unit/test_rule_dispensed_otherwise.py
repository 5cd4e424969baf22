"""What was handed out is not what was ordered. That two tablets of 25 mg are one of 50 mg is arithmetic, done here by hand; the
quarter by which a dose of a day may differ is our own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.events import AnyEvent, Dispensing
from schemas.values import Quantity
from services.monitor.rules.dispensed_otherwise import DispensedOtherwise
from tests.support.alone import alone, play
from tests.support.clinical import at
from tests.support.supplies import DAY, drug, handed, ordered, tablets, tick

RX = "rx"


@pytest.fixture(autouse=True)
def only_this_rule() -> Iterator[None]:
    with alone(DispensedOtherwise()):
        yield


def alert(*events: AnyEvent) -> Alert | None:
    open_ = list(play(*events)[0].open_alerts.values())
    assert len(open_) < 2
    return open_[0] if open_ else None


def severity(*events: AnyEvent) -> str:
    found = alert(*events)
    return "" if found is None else found.severity


def filled(name: str, hours: float = 1, **more: Any) -> Dispensing:
    return handed(name, hours, **({"order_id": RX} | more))


def count(number: float) -> Quantity:
    return Quantity(number, "tablet")


@pytest.mark.parametrize(
    ("asked", "got", "expected"),
    [
        ("hydralazine", "hydroxyzine", "high"), ("simvastatin", "atorvastatin", "moderate"),
        ("lisinopril/hydrochlorothiazide", "lisinopril", "moderate"), ("lisinopril", "lisinopril", ""),
    ],
)  # fmt: skip
def test_another_medicine(asked: str, got: str, expected: str) -> None:
    assert severity(ordered(asked, record_id=RX), filled(got)) == expected


def test_what_is_not_understood_is_no_other_medicine() -> None:
    unknown = filled("lisinopril", drug=drug("lisinopril", ingredients=()))
    assert severity(ordered("hydralazine", record_id=RX), unknown) == ""


def test_a_brand_is_what_is_in_it() -> None:
    assert (
        severity(ordered("lisinopril", record_id=RX), filled("lisinopril", drug=drug("lisinopril", text="Zestril")))
        == ""
    )


@pytest.mark.parametrize(
    ("strength", "number", "expected"),
    [
        (25, 120, ""),  # 2 x 25 mg twice a day for 30 days: 100 mg a day, as 50 mg twice
        (50, 60, ""), (50, 74, ""), (50, 75, "moderate"), (100, 60, "moderate"), (25, 60, "moderate"), (50, 49, ""),
        (50, 48, "moderate"),
    ],
)  # fmt: skip
def test_the_dose_of_a_day_by_amount_and_days(strength: float, number: float, expected: str) -> None:
    rx = ordered("metoprolol", record_id=RX, strength=50, dosage=tablets(1, 2))
    assert severity(rx, filled("metoprolol", strength=strength, quantity=count(number))) == expected


def test_the_dose_of_a_day_by_the_instruction_of_the_supply() -> None:
    rx = ordered("metoprolol", record_id=RX, strength=50, dosage=tablets(1, 2))
    assert severity(rx, filled("metoprolol", strength=100, dosage=tablets(0.5, 2))) == ""
    assert severity(rx, filled("metoprolol", strength=100, dosage=tablets(1, 2))) == "moderate"


def test_a_wrong_dose_of_what_forgives_little_is_high() -> None:
    rx = ordered("warfarin", record_id=RX, strength=1, dosage=tablets(1, 1))
    found = alert(rx, filled("warfarin", strength=10, quantity=count(30)))
    assert found is not None
    assert found.severity == "high"
    assert found.summary == "warfarin: another dose of a day handed out, 10 mg a day for 1 mg a day"
    assert "computed from the amount and the days" in found.detail


def test_what_is_taken_as_needed_has_no_dose_of_a_day_to_keep_to() -> None:
    rx = ordered("oxycodone", record_id=RX, strength=5, dosage=tablets(1, 4, as_needed=True))
    assert severity(rx, filled("oxycodone", strength=5, quantity=count(30))) == ""


def test_another_strength_where_the_dose_of_a_day_cannot_be_told() -> None:
    for name, expected in (("metoprolol", "info"), ("digoxin", "moderate")):
        rx = ordered(name, record_id=RX, strength=50)
        assert severity(rx, filled(name, strength=100)) == expected
        assert severity(rx, filled(name, strength=50)) == ""
        assert severity(rx, filled(name)) == "", "not said"


@pytest.mark.parametrize(("name", "expected"), [("oxycodone", "high"), ("metoprolol", "moderate")])
def test_a_form_that_lasts_for_one_that_does_not(name: str, expected: str) -> None:
    plain, lasts = (drug(name, text=f"{name} {form}", form=form) for form in ("tablet", "extended release tablet"))
    assert severity(ordered(name, record_id=RX, drug=plain), filled(name, drug=lasts)) == expected
    assert severity(ordered(name, record_id=RX, drug=lasts), filled(name, drug=plain)) == expected
    assert severity(ordered(name, record_id=RX, drug=lasts), filled(name, drug=lasts)) == ""
    assert severity(ordered(name, record_id=RX), filled(name, drug=lasts)) == "", "the order names no form"


def test_another_salt_whose_doses_are_its_own() -> None:
    def metoprolol(salt: str) -> Any:
        plain = drug("metoprolol")
        return drug("metoprolol", ingredients=tuple(type(each)(each.name, precise=salt) for each in plain.ingredients))

    rx = ordered("metoprolol", record_id=RX, drug=metoprolol("metoprolol succinate"))
    assert severity(rx, filled("metoprolol", drug=metoprolol("metoprolol tartrate"))) == "moderate"
    assert severity(rx, filled("metoprolol", drug=metoprolol("metoprolol succinate"))) == ""
    assert severity(rx, filled("metoprolol")) == ""


def test_a_form_for_another_place() -> None:
    rx = ordered("timolol", record_id=RX)
    eye = drug("timolol", text="timolol ophthalmic solution", form="ophthalmic solution")
    assert severity(rx, filled("timolol", drug=eye)) == "moderate"
    assert severity(rx, filled("timolol", drug=drug("timolol", form="tablet"))) == ""


def test_it_is_compared_with_the_order_as_it_was_then() -> None:
    rx = ordered("metoprolol", record_id=RX, strength=50, dosage=tablets(1, 2))
    raised = ordered("metoprolol", 10, record_id=RX, strength=100, dosage=tablets(1, 2), version=2, status="changed")
    old, new = (filled("metoprolol", 5, strength=each, quantity=count(60)) for each in (50, 100))
    assert severity(rx, old, raised) == "", "right when it was handed out"
    assert severity(rx, new) == "moderate"
    assert severity(rx, new, raised) == "", "the order was changed to what was handed out"
    late = filled("metoprolol", 20, strength=50, quantity=count(60))
    assert severity(rx, raised, late) == "moderate", "by the old order"


@pytest.mark.parametrize("status", ["returned", "cancelled", "entered_in_error"])
def test_what_was_taken_back_is_put_right(status: str) -> None:
    wrong = filled("hydroxyzine")
    back = filled("hydroxyzine", version=2, status=status, occurred_at=at(2))
    assert severity(ordered("hydralazine", record_id=RX), wrong, back) == ""


def test_it_stays_for_as_long_as_the_supply_lasts_whatever_is_handed_out_later() -> None:
    story = (ordered("hydralazine", record_id=RX), filled("hydroxyzine"), filled("hydralazine", 5))
    assert severity(*story, tick(30 * DAY)) == "high"
    assert severity(*story, tick(30 * DAY + 2)) == ""


def test_a_supply_of_no_order_that_is_known_is_not_compared() -> None:
    assert severity(ordered("hydralazine", record_id=RX), filled("hydroxyzine", order_id="other")) == ""


def test_any_order_of_arrival_ends_alike() -> None:
    rx = ordered("warfarin", record_id=RX, strength=5, dosage=tablets(1, 1))
    lowered = ordered("warfarin", 10, record_id=RX, strength=2, dosage=tablets(1, 1), version=2, status="changed")
    events: list[AnyEvent] = [rx, lowered, filled("warfarin", 20, strength=5, quantity=count(30)), tick(30)]
    for story in permutations(events):
        assert severity(*story) == "high"
