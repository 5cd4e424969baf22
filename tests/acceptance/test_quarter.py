"""A small simulated quarter through ingest and monitor: what is found of what the data can reveal, and how much of what
interrupts is about a problem. The whole one is `make quarter`."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.quarter.generate import generate, write
from examples.quarter.score.__main__ import scored
from examples.quarter.score.matching import Score
from examples.quarter.score.report import lists

RECALL, PRECISION = 0.98, 0.90


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Score:
    folder: Path = tmp_path_factory.mktemp("quarter")
    write(generate(3, cases=6, background=40), folder)
    return scored(folder)


def test_nearly_all_that_the_data_can_reveal_is_found(small: Score) -> None:
    found, of = small.recall()
    assert of >= 23 * 6
    assert found / of >= RECALL, "\n".join(lists(small))


def test_what_interrupts_is_about_a_problem(small: Score) -> None:
    right, of = small.precision()
    assert of >= 60
    assert right / of >= PRECISION, "\n".join(lists(small))


def test_nobody_is_called_about_the_unremarkable(small: Score) -> None:
    assert not [alert.summary for alert in small.about_none if alert.patient_id.startswith("B")]
