"""Which steps are asked at all: one step's missing value leaves every other step as it is. With two rows of the file each, for
in the whole of it another row always asks beside them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from knowledge.model import Knowledge
from knowledge.threshold import Step
from services.monitor.rules.drug_lab import DrugLab
from tests.support.clinical import at, order
from tests.unit.test_rule_drug_lab import KNOWN, play, result


def row(medicine: str, *when: str) -> Step:
    """The row of bleeding about a medicine with these conditions."""
    (only,) = (
        step for step in KNOWN.thresholds.steps
        if step.problem == "bleeding" and medicine in step.ingredients and [c.text for c in step.when] == [*when]
    )  # fmt: skip
    return only


def with_rows(*steps: Step) -> Knowledge:
    return replace(KNOWN, thresholds=replace(KNOWN.thresholds, steps=steps))


@pytest.mark.parametrize(
    "other",
    [("warfarin", "platelets < 25"), ("heparin", "platelets < 25"), ("warfarin", "hemoglobin fall >= 2 within 48 h")],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_value_that_nobody_measured_closes_its_own_step_alone(other: tuple[str, str], first: bool) -> None:
    """An INR of 10.5 with warfarin (CHEST 2012: above 10) where no blood count is known."""
    rows = (row("warfarin", "INR > 10"), row(*other))
    known = with_rows(*(rows if first else rows[::-1]))
    state, _ = play(order("warfarin"), result("INR", 10.5, 1))
    assert state.clock == at(1)
    (found,) = DrugLab().findings(state, known, "bleeding")
    assert (found.severity, "INR above 10" in found.summary) == ("critical", True)


def test_a_course_that_is_not_so_closes_its_step() -> None:
    """Haemoglobin 10.0 to 8.1 is no fall of 2; to 8.0 it is."""
    known = with_rows(row("warfarin", "hemoglobin fall >= 2 within 48 h"), row("warfarin", "INR > 10"))

    def found(now: float) -> int:
        story = (order("warfarin"), result("hemoglobin", 10.0, 1), result("hemoglobin", now, 2))
        return len(list(DrugLab().findings(play(*story)[0], known, "bleeding")))

    assert (found(8.0), found(8.1)) == (1, 0)
