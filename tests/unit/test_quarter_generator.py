"""The simulated quarter: the same from the same seed, its truth in order, its feeds as feeds are, and nothing of ours in it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from examples.quarter.cases import FAMILIES
from examples.quarter.formulary import drugs
from examples.quarter.generate import Case, Quarter, generate, read_cases, write
from examples.quarter.person import BEGIN, DAYS, PHARMACIES, Message, when

END = when(DAYS)


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    return generate(1, background=60)


@pytest.fixture(scope="module")
def messages(quarter: Quarter) -> list[Message]:
    return [message for sent in quarter.messages.values() for message in sent]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        write(generate(seed, cases=2, background=5), tmp_path / name)
    one, again, other = (
        {file.name: file.read_bytes() for file in sorted((tmp_path / name).rglob("*")) if file.is_file()}
        for name in ("one", "again", "other")
    )
    assert one == again
    assert one["lab.jsonl"] != other["lab.jsonl"]


def test_no_part_of_rxvigil_is_needed_to_make_it() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, examples.quarter.__main__; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    ).stdout.split()  # fmt: skip
    assert "examples.quarter.generate" in found
    assert not {name.split(".")[0] for name in found} & {"services", "schemas", "knowledge", "msgspec"}


def test_twelve_problems_and_look_alikes_of_every_family(quarter: Quarter) -> None:
    seen = Counter(case.family for case in quarter.problems if not case.hidden)
    alike = Counter(case.family for case in quarter.lookalikes)
    assert set(seen) == set(alike) == set(FAMILIES)
    assert min(seen.values()) >= 12
    assert min(alike.values()) >= 12


def test_the_data_cannot_reveal_everything_and_the_truth_says_why(quarter: Quarter) -> None:
    hidden = [case for case in quarter.problems if case.hidden]
    assert len({case.family for case in hidden}) >= 5
    assert all(len(case.hidden) > 10 for case in hidden)
    assert not [case for case in quarter.lookalikes if case.hidden]


def test_a_problem_is_of_a_patient_whom_the_feeds_know_and_has_words_and_times(
    quarter: Quarter, messages: list[Message]
) -> None:
    known = {message["patient_id"] for message in messages}
    for case in quarter.problems:
        assert case.patient_id in known
        assert all(case.about)
        assert case.about
        begin = datetime.fromisoformat(case.at)
        assert begin < END
        assert case.until is None or begin < datetime.fromisoformat(case.until) <= END


def test_each_patient_has_one_story(quarter: Quarter) -> None:
    ids = [*(case.patient_id for case in (*quarter.problems, *quarter.lookalikes)), *quarter.background]
    assert len(ids) == len(set(ids))


def test_the_truth_is_read_as_it_was_written(quarter: Quarter, tmp_path: Path) -> None:
    write(quarter, tmp_path)
    assert read_cases(tmp_path / "truth.jsonl") == quarter.problems
    assert read_cases(tmp_path / "lookalikes.jsonl") == quarter.lookalikes
    assert isinstance(quarter.problems[0], Case)


def test_three_pharmacies_and_a_ward_send(quarter: Quarter) -> None:
    assert {*PHARMACIES, "cpoe", "clinic", "lab", "emar", "adt", "ward"} == set(quarter.messages)


def test_feeds_are_late_double_and_out_of_order_and_take_back(quarter: Quarter, messages: list[Message]) -> None:
    delays = [_time(message["recorded_at"]) - _time(message["occurred_at"]) for message in messages]
    assert 0.02 < sum(delay.total_seconds() > 7200 for delay in delays) / len(delays) < 0.1
    assert min(delays).total_seconds() >= 0
    same = Counter((message["source"], message["record_id"], message["version"]) for message in messages)
    assert 0.02 < sum(number > 1 for number in same.values()) / len(same) < 0.05
    statuses = Counter(message.get("status") for message in messages)
    assert statuses["preliminary"] > 20
    assert statuses["entered_in_error"] > 5
    results = quarter.messages["lab"]
    assert [m["recorded_at"] for m in results] == sorted(m["recorded_at"] for m in results)
    assert [m["occurred_at"] for m in results] != sorted(m["occurred_at"] for m in results)


def test_nothing_happens_after_the_quarter_and_each_person_is_heard_of_at_its_end(messages: list[Message]) -> None:
    last: dict[str, datetime] = {}
    for message in messages:
        at = _time(message["occurred_at"])
        assert at < END
        last[message["patient_id"]] = max(at, last.get(message["patient_id"], BEGIN))
    assert min(last.values()) > when(DAYS - 1)


def test_no_dose_is_charted_for_an_order_that_was_stopped_but_where_that_is_the_problem(
    quarter: Quarter, messages: list[Message]
) -> None:
    told = {case.patient_id for case in (*quarter.problems, *quarter.lookalikes) if case.family == "levels and stops"}
    stopped = {
        message["record_id"]: message["occurred_at"] for message in messages if message.get("status") == "discontinued"
    }
    late = [
        message["patient_id"]
        for message in messages
        if message["type"] == "administration" and message["occurred_at"] > stopped.get(message["order_id"], "9")
    ]
    assert set(late) <= told
    assert late


def test_the_tables_are_whole() -> None:
    assert all(drug.text and drug.dose > 0 and drug.route for drug in drugs().values())
    assert drugs()["methotrexate"].per_day == pytest.approx(1 / 7)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
