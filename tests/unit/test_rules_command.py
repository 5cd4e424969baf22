"""`rxvigil rules`: what it lists of each rule, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from cyclopts import App

from knowledge.conditions import Course, Kind, Names, Own, parsed
from knowledge.dose import Way
from knowledge.loader import MEASURED, load
from knowledge.model import Place
from services.local import rule_sheet, rules
from services.local.knowledge_rows import SHIPPED, is_verified, read_all
from services.monitor.canaries import cases
from services.monitor.patient.bounds import Need
from services.monitor.rules import RULES
from services.monitor.rules.canary import FOLDER, read
from services.monitor.rules.rule import Reads

ROOT = Path(__file__).parents[2]
WARD = ROOT / "examples" / "ward-day"
BY_ID = {rule.id: rule for rule in RULES}


class Said:
    """The command in this process: exit code, output and errors."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._capture.readouterr()
        app: App = rules.app
        code = app(list(arguments), result_action="return_value")
        out, err = self._capture.readouterr()
        return int(code), " ".join(out.decode().split()), " ".join(err.decode().split())


@pytest.fixture
def said(capfdbinary: pytest.CaptureFixture[bytes]) -> Said:
    return Said(capfdbinary)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the two rules that were there first."""
    chosen = (BY_ID["drug-drug-interaction"], BY_ID["critical-lab"])
    for module in (rule_sheet, rules):
        monkeypatch.setattr(module, "RULES", chosen)
        monkeypatch.setattr(module, "written_rules", lambda knowledge: ())


def test_the_list_has_every_rule_with_its_version_sources_and_canary(two: None, said: Said) -> None:
    code, out, _ = said("list")
    assert code == 0
    for rule in ("drug-drug-interaction", "critical-lab"):
        what = f"{rule} version {BY_ID[rule].version}, {BY_ID[rule].family}: {BY_ID[rule].title}"
        cited = f"{len(BY_ID[rule].citations(load())):,} sources"
        assert f"holds {what} {cited}, " in out
        assert " ".join(read(rule).fires.what.split()) in out


def test_the_rows_that_count_are_those_of_the_rules_files(two: None, said: Said) -> None:
    listed = {each["rule"]: each for each in json.loads(said("list", "--json")[1])}
    files = read_all(SHIPPED)
    status = {row["id"]: row["status"] for row in files["sources.csv"]}
    for rule in listed.values():
        for file in rule["data"]:
            rows = files[file["file"]]
            assert file["rows"] == len(rows) > 0
            assert file["unverified"] == sum(not is_verified(row, status) for row in rows)
    assert listed["critical-lab"]["holds"] is True
    assert listed["critical-lab"]["canary"]["silent"] == read("critical-lab").silent.what


def test_of_a_file_that_several_rules_share_only_its_own_rows_count() -> None:
    rows: Any = {
        "sources.csv": [{"id": "a", "status": "verified"}, {"id": "b", "status": "unverified"}],
        "x.csv": [{"rule": "one", "sources": "a"}, {"rule": "one", "sources": "b"}, {"rule": "two", "sources": "b"}],
    }
    assert rule_sheet._data_file("x.csv", "one", rows) == ("x.csv", 2, 1)
    assert rule_sheet._data_file("absent.csv", "one", rows) == ("absent.csv", 0, 0)


def test_a_canary_that_does_not_hold_ends_the_list_with_1(
    two: None, said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = json.loads((FOLDER / "critical-lab.json").read_bytes())
    case["fires"]["alerts"][0]["severity"] = "info"
    (tmp_path / "critical-lab.json").write_text(json.dumps(case))
    monkeypatch.setattr(cases, "read", lambda rule: read(rule, tmp_path))
    code, out, _ = said("list")
    assert code == 1
    assert "FAILS critical-lab" in out
    assert "fires: not found: potassium:high (info)" in out
    # and a rule without a canary is no better
    assert "FAILS drug-drug-interaction" in out
    assert "drug-drug-interaction.json: the rule has no canary" in out


def test_a_rule_is_shown_whole(two: None, said: Said) -> None:
    code, out, _ = said("show", "critical-lab")
    assert code == 0
    reads = BY_ID["critical-lab"].reads(load())
    assert min(reads.analytes) in out
    for text in (
        "the person: age, sex",
        "knowledge/labs/critical_limits.csv: 56 rows",
        "critical potassium:high",
        "kost-1990 verified: Kost GJ",
    ):
        assert text in out
    interaction = said("show", "drug-drug-interaction")[1]
    assert (
        f"medicines: {len(BY_ID['drug-drug-interaction'].reads(load()).ingredients or ()):,} ingredients" in interaction
    )


def test_what_a_rule_needs_of_a_result_is_told_in_words() -> None:
    known: Any = None
    needs = {"creatinine": Need(newest=2, within=timedelta(days=7)), "potassium": Need(newest=1)}
    made: Any = SimpleNamespace(
        id="x", version="1", family="f", title="t", data=(), reads=lambda _: Reads(ingredients=None, analytes=needs)
    )
    sheet = rule_sheet.Sheet(made, (), (), None, ())
    assert rule_sheet.as_object(sheet, known)["reads"] == {
        "ingredients": None,
        "analytes": {"creatinine": "the newest 2, and those of 7 days", "potassium": "the newest 1"},
        "person": False,
    }


def test_an_unknown_rule_names_the_near_ones(two: None, said: Said) -> None:
    assert said("show", "critcal-lab") == (1, "", "there is no rule 'critcal-lab'; did you mean critical-lab?")
    assert "did you mean drug-drug-interaction?" in said("show", "interaction")[2]
    assert "`rxvigil rules list` has them all" in said("show", "zzz")[2]


# --- explain, on the ward day


def rxvigil(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        input=stdin, capture_output=True, check=False, cwd=ROOT, env=os.environ | {"COLUMNS": "200"}, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def day() -> list[bytes]:
    done = rxvigil("check", str(WARD / "events"), "--map", str(WARD / "lab.toml"))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def of(day: list[bytes], patient: str, rule: str) -> bytes:
    return next(line for line in day if (a := json.loads(line))["patient_id"] == patient and a["rule"] == rule)


def explain(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    paths = [str(WARD / "events"), "--map", str(WARD / "lab.toml")]
    return rxvigil("rules", "explain", *arguments, *paths, stdin=stdin)


def test_an_alert_of_the_ward_day_is_explained_from_standard_input(day: list[bytes]) -> None:
    """W2116: hemoglobin 59 g/L, no medicine. The limit of adults is 6.6 g/dL."""
    done = explain("-", stdin=of(day, "W2116", "critical-lab"))
    assert done.returncode == 0, done.stderr
    out = " ".join(done.stdout.decode().split())
    for text in (
        "EVENTS BEHIND IT",
        "59 g/L (5.9 g/dL)",
        "A newer hemoglobin of 6.6 g/dL or more: the alert ends",
        "kost-1990",
    ):
        assert text in out
    assert "refused of these files: 4" in done.stderr.decode()


def test_an_alert_that_was_withdrawn_is_explained_with_its_states_as_json(day: list[bytes], tmp_path: Path) -> None:
    """W2106: itraconazole was entered for the wrong patient and taken back."""
    (tmp_path / "day.jsonl").write_bytes(b"\n".join(day))
    done = explain(
        str(tmp_path / "day.jsonl"),
        "--alert-id",
        json.loads(of(day, "W2106", "drug-drug-interaction"))["alert_id"],
        "--json",
    )
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert [moment["change"]["change"] for moment in whole["moments"]] == ["opened", "withdrawn"]
    last = whole["moments"][-1]
    assert (last["event"]["status"], last["event"]["type"]) == ("entered_in_error", "prescription")
    taken_back = next(o for o in last["after"]["orders"].values() if o["ingredients"] == ["itraconazole"])
    before = next(o for o in last["before"]["orders"].values() if o["ingredients"] == ["itraconazole"])
    assert (before["void"], taken_back["void"]) == (False, True)
    assert {each["outcome"]["effect"] for each in whole["what_if"]} == {"ends"}


def test_what_cannot_be_explained_ends_with_2_and_says_why(day: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "day.jsonl").write_bytes(b"\n".join(day))
    several = explain(str(tmp_path / "day.jsonl"))
    assert (several.returncode, several.stdout) == (2, b"")
    assert f"{len(day)} alerts are in it; choose one with --alert-id" in several.stderr.decode()
    none = rxvigil(
        "rules", "explain", "-", str(WARD / "events" / "patients.json"), stdin=of(day, "W2116", "critical-lab")
    )
    assert (none.returncode, none.stdout) == (2, b"")
    assert b"make no alert of critical-lab about hemoglobin:low; they make none at all" in none.stderr
    unnamed = rxvigil("rules", "explain", "-", stdin=of(day, "W2116", "critical-lab"))
    assert unnamed.returncode == 2
    assert b"name the files or folders" in unnamed.stderr


# --- docs/rules.md


def test_every_form_of_a_condition_on_the_page_is_read_and_none_is_missing() -> None:
    page = (ROOT / "docs" / "rules.md").read_text()
    section = page[page.index("## Conditions in data") :]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    examples = [example for row in rows for example in re.findall(r"`([^`]+)`", row.split("|")[2])]
    known = load()
    names = Names(
        analytes={analyte.name for analyte in known.analytes.values()},
        properties=known.property_kinds.keys(),
        groups={"dialysis-dependent"},
        places=get_args(Place),
        ways=get_args(Way),
        ingredients={"lithium", "folic acid"},
        measures=MEASURED,
    )
    kinds = {condition.kind for condition in parsed(examples, names)}
    assert kinds == set(get_args(Kind))
    courses = {condition.course for condition in parsed(examples, names) if condition.kind == "course"}
    assert courses | {"fall", "change"} == set(get_args(Course))
    own = {condition.own for condition in parsed(examples, names) if condition.kind == "own"}
    assert own == set(get_args(Own))
