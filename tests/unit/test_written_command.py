"""`rxvigil rules check` and `rxvigil rules try`: rules of a site before they are in force."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from knowledge.loader import load
from services.local import canaries, rules
from services.local.feed import FeedError
from services.local.knowledge_rows import SHIPPED
from services.local.rows import RowFinder
from services.monitor.rules.written import written_rules

PAGE = (Path(__file__).parents[2] / "docs" / "site-rules.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
MONITORING = SHIPPED / "rules" / "monitoring.toml"


class Said:
    """The command in this process: exit code, output and errors."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._capture.readouterr()
        app: App = rules.app
        code = app([str(each) for each in arguments], result_action="return_value")
        out, err = self._capture.readouterr()
        return int(code), out.decode(), err.decode()


@pytest.fixture
def said(capfdbinary: pytest.CaptureFixture[bytes]) -> Said:
    return Said(capfdbinary)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The INR rule of the page."""
    file = tmp_path / "own.toml"
    file.write_text(next(block for block in BLOCKS if "warfarin-inr-jump" in block), "utf-8")
    return file


def test_a_good_file_ends_with_0_and_each_canary_is_told(own: Path, said: Said) -> None:
    code, out, err = said("check", own)
    assert (code, err) == (0, "")
    assert out.split()[:2] == ["holds", "warfarin-inr-jump"]


def test_faults_end_with_1_each_with_its_place(own: Path, said: Said) -> None:
    text = own.read_text("utf-8").replace('["warfarin"]', '["warfarine"]').replace('severity = "moderate"', "", 1)
    own.write_text(text, "utf-8")
    code, out, err = said("check", own)
    assert (code, out) == (1, "")
    line = text[: text.index('"warfarine"')].count("\n") + 1
    assert f"{own}:{line}:17: 'warfarine' is no ingredient that is known; did you mean 'warfarin'" in err
    assert f"{own}:2:1: say how grave it is" in err
    assert "2 to mend" in err


def test_a_canary_that_does_not_hold_ends_with_1(own: Path, said: Said) -> None:
    own.write_text(own.read_text("utf-8").replace("value = 3.4", "value = 3.1"), "utf-8")
    code, out, _ = said("check", own)
    assert code == 1
    assert out.split()[0] == "FAILS"
    assert "fires: not found: warfarin (moderate)" in out


def test_what_cannot_be_read_ends_with_1(tmp_path: Path, said: Said) -> None:
    code, _, err = said("check", tmp_path / "none.toml")
    assert code == 1
    assert "none.toml: cannot be read as UTF-8 text" in err


def test_shipped_files_can_be_checked_too(said: Said) -> None:
    code, out, _ = said("check", MONITORING)
    assert code == 0
    assert out.count("holds") == MONITORING.read_text("utf-8").count("[[rule]]")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Three patients: two on metformin without a creatinine for long, one with; and one with warfarin."""
    known = load()
    (rule,) = (each for each in written_rules(known) if each.id == "metformin-kidney")
    canary = canaries.of(rule, known)
    file = tmp_path / "events.jsonl"
    cases = (("a", canary.fires), ("b", canary.fires), ("c", canary.silent))
    events: list[dict[str, Any]] = [
        json.loads(bytes(each)) | {"patient_id": who} for who, of in cases for each in of.events
    ]
    file.write_text("\n".join(json.dumps(each) for each in events), "utf-8")
    return file


def test_recorded_data_say_how_often_and_show_what_to_read(recorded: Path, said: Said) -> None:
    code, out, err = said("try", MONITORING, recorded, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["patients"] == 3
    by_rule = {each["rule"]: each for each in found["rules"]}
    assert by_rule["metformin-kidney"]["reached"] == {"critical": 0, "high": 0, "moderate": 2, "info": 0}
    assert by_rule["metformin-kidney"]["patients"] == 2
    # two alerts of three patients
    assert by_rule["metformin-kidney"]["per_100_patients"] == 66.67
    assert [each["patient_id"] for each in by_rule["metformin-kidney"]["examples"]] == ["a", "b"]
    assert by_rule["lithium-level-due"]["reached"]["moderate"] == 0
    text = " ".join(said("try", MONITORING, recorded)[1].split())
    assert "3 patients" in text
    assert "66.67" in text
    assert "Metformin without a creatinine in a year: last 0.9 mg/dL" in text


def test_only_these_rules_are_asked_and_the_others_are_afterwards(recorded: Path, own: Path, said: Said) -> None:
    code, out, _ = said("try", own, recorded, "--json")
    assert code == 0
    assert [each["rule"] for each in json.loads(out)["rules"]] == ["warfarin-inr-jump"]
    assert canaries.faults_of(written_rules(load())[0], load()) == []


def test_no_more_than_five_examples_of_a_rule(tmp_path: Path, recorded: Path, said: Said) -> None:
    lines = [json.loads(line) for line in recorded.read_text("utf-8").splitlines()]
    many = [each | {"patient_id": f"{n}"} for n in range(8) for each in lines if each["patient_id"] == "a"]
    recorded.write_text("\n".join(json.dumps(each) for each in many), "utf-8")
    found = json.loads(said("try", MONITORING, recorded, "--json")[1])
    (rule,) = (each for each in found["rules"] if each["rule"] == "metformin-kidney")
    assert (rule["reached"]["moderate"], len(rule["examples"])) == (8, 5)


def test_without_data_it_says_what_is_wanted(own: Path, said: Said) -> None:
    with pytest.raises(FeedError, match="name the files or folders"):
        said("try", own)


def test_list_show_and_rows_have_a_sites_rules(own: Path, said: Said) -> None:
    code, out, _ = said("show", "warfarin-inr-jump", "--site-rules", own)
    assert code == 0
    assert "INR of 3.4 after 2.2 three days ago." in " ".join(out.split())
    assert "Clinic handbook, chapter 4" in out
    (row,) = RowFinder("", str(own)).find(f"{own}#warfarin-inr-jump")
    assert row.cells["severity"] == "moderate"
    (row,) = RowFinder().find("rules/monitoring.toml#metformin-kidney")
    assert [each["id"] for each in row.sources] == ["fda-2016-metformin-egfr"]
