"""`rxvigil replay`: what other knowledge or rules would change, by a feed whose alerts are worked out by hand."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.loader import KnowledgeError
from schemas.alerts import Alert, HistoryEntry
from schemas.values import Severity
from services import cli
from services.local.replay import compared
from tests.support.clinical import at

CODE = {"system": "LOINC", "code": "2823-3", "display": "Potassium"}


def event(patient: str, record: str, when: str, **more: Any) -> dict[str, Any]:
    return {
        "patient_id": patient, "source": "s", "record_id": record, "occurred_at": when, "timing": "replayed", **more,
    }  # fmt: skip


def potassium(patient: str, record: str, hour: int, value: float) -> dict[str, Any]:
    when = f"2026-03-01T{hour:02}:00:00Z"
    return event(patient, record, when, type="lab_result", status="final", value=value, unit="mmol/L", codings=[CODE])


def born(patient: str) -> dict[str, Any]:
    return event(patient, "adt", "2026-01-01T00:00:00Z", type="patient", birth_date="1950-01-01", sex="female")


# the shipped limit is 6.2 mmol/L (Kost 1990); it is moved to 7.0
FEED = [
    *map(born, ("above-both", "between", "below-both", "rising")),
    potassium("above-both", "k1", 1, 7.4),
    potassium("between", "k2", 1, 6.5),
    potassium("below-both", "k3", 1, 5.4),
    # opened by another result, so under another id: the same problem all the same
    potassium("rising", "k4", 1, 6.5),
    potassium("rising", "k5", 2, 7.4),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The shipped knowledge with the limit of potassium at 7.0."""
    with as_file(files("knowledge")) as shipped:
        shutil.copytree(shipped, tmp_path / "tried", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    limits = tmp_path / "tried" / "labs" / "critical_limits.csv"
    before = limits.read_text()
    assert before.count("\npotassium,adult,high,6.2,") == 1
    limits.write_text(before.replace("\npotassium,adult,high,6.2,", "\npotassium,adult,high,7.0,"))
    return tmp_path / "tried"


def run(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> str:
    file = tmp_path / "feed.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in FEED))
    assert cli.app(["replay", str(file), *arguments], result_action="return_value") == 0
    return capfdbinary.readouterr().out.decode()


def test_a_higher_limit_loses_the_alert_between_and_keeps_the_others(
    tmp_path: Path, tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    found = json.loads(run(tmp_path, capfdbinary, "--knowledge", str(tree), "--json", "--patients"))
    assert (found["patients"], found["alerts_in_force"], found["alerts_tried"], found["same"]) == (4, 3, 2, 2)
    (lost,) = found["differences"]
    assert (lost["kind"], lost["rule"], lost["patient_id"]) == ("lost", "critical-lab", "between")
    assert (lost["before"], lost["after"]) == ("critical", None)
    assert found["in_force"] != found["tried"]


def test_what_people_read_counts_by_family_and_names_no_patient_unless_asked(
    tmp_path: Path, tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = run(tmp_path, capfdbinary, "--knowledge", str(tree))
    assert "laboratory  lost  critical" in text and "Potassium critically high: 6.5" in text
    assert "between" not in text
    assert "between, 2026-03-01 01:00" in run(tmp_path, capfdbinary, "--knowledge", str(tree), "--patients")
    assert '"between"' not in run(tmp_path, capfdbinary, "--knowledge", str(tree), "--json")


def test_the_same_knowledge_changes_nothing(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    site = tmp_path / "site"
    site.mkdir()
    assert "no alert is gained, lost or moved" in run(tmp_path, capfdbinary, "--knowledge", str(site))


def test_what_is_to_be_tried_must_be_named_and_be_there(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    file.write_text(json.dumps(FEED[0]))
    with pytest.raises(ValueError, match="name what to try"):
        cli.app(["replay", str(file)], result_action="return_value")
    with pytest.raises(KnowledgeError, match="no such folder"):
        cli.app(["replay", str(file), "--knowledge", str(tmp_path / "nowhere")], result_action="return_value")


def alert(id_: str, begins: float, ends: float | None, severity: Severity = "high") -> Alert:
    """Open from one hour to another."""
    history = [HistoryEntry(revision=1, change="opened", at=at(begins), why="", severity=severity)]
    if ends is not None:
        history.append(HistoryEntry(revision=2, change="resolved", at=at(ends), why="", severity=severity))
    return Alert(
        alert_id=id_, revision=len(history), patient_id="p", rule="r", rule_version="1", knowledge_version="k",
        family="f", subject="s", severity=severity, evidence_grade="", status="open" if ends is None else "resolved",
        summary="", detail="", actions=(), patient_explanation="", implicated=(), citations=(), origins=(),
        history=tuple(history), true_since=at(begins), detected_at=at(begins),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "kinds", "same"),
    [
        ([alert("a", 0, 5)], [alert("b", 2, 5)], [], 1),
        ([alert("a", 0, 5)], [alert("b", 6, 8)], ["gained", "lost"], 0),
        ([alert("a", 0, 2), alert("b", 4, None)], [alert("c", 1, None)], ["lost"], 1),
        ([alert("a", 0, 5)], [alert("a", 0, 5, "critical")], ["moved"], 0),
        ([], [alert("a", 0, None)], ["gained"], 0),
    ],
)
def test_episodes_of_one_problem_belong_together_where_they_overlap(
    before: list[Alert], after: list[Alert], kinds: list[str], same: int
) -> None:
    found, equal = compared(before, after)
    assert (sorted(each.kind for each in found), equal) == (kinds, same)
    assert not compared(before, before)[0] and not compared(after, after)[0]


def test_an_alert_is_compared_at_the_gravest_that_it_reached() -> None:
    calmer = replace(alert("a", 0, None, "critical"), severity="moderate")
    (moved,), same = compared([alert("a", 0, None)], [calmer])
    assert (moved.kind, moved.before, moved.after, same) == ("moved", "high", "critical", 0)
    assert moved.true_since == at(0)
