"""`rxvigil knowledge`: check finds the first fault, show says all with sources, diff names what changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from knowledge.loader import load
from knowledge.reading.tables import KnowledgeError
from services.local import knowledge as command
from services.local import knowledge_facts, knowledge_rows
from services.local.knowledge_rows import Counted, Difference

ROOT = Path(__file__).parents[2]
KNOWLEDGE = load()


def folder(path: Path, **files: str) -> Path:
    """A folder of knowledge: ``drugs__codes`` is drugs/codes.csv."""
    for name, text in {"sources": "id,status\nread,verified\nheard,unverified\n", **files}.items():
        file = path / f"{name.replace('__', '/')}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return path


def rxvigil(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "knowledge", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "250"},
        timeout=60,
    )


def test_rows_are_counted_by_their_own_status_or_by_that_of_their_sources(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        properties__qt="ingredient,status,sources\na,verified,heard\nb,unverified,read\n",
        drugs__words="word,sources\nx,heard|read\ny,heard\nz,read\n",
    )
    assert knowledge_rows.count(root) == [
        Counted("drugs/words.csv", 3, 2),
        Counted("properties/qt.csv", 2, 1),
        Counted("sources.csv", 2, 1),
    ]


def test_check_says_all_files_and_the_version() -> None:
    done = rxvigil("check")
    assert (done.returncode, done.stderr) == (0, "")
    for file in ("interactions/members.csv", "properties/cyp.csv", "sources.csv", "all"):
        assert f"\n{file} " in done.stdout
    assert done.stdout.endswith(f"version {KNOWLEDGE.version}\n")


@pytest.mark.parametrize("option", ["--site", "--knowledge-dir"])
def test_check_names_the_first_fault_and_fails(tmp_path: Path, option: str) -> None:
    (tmp_path / "drugs").mkdir()
    (tmp_path / "drugs/codes.csv").write_text("system,code,name,sources\nNDC,1111-1,simvastatin,site\n", "utf-8")
    done = rxvigil("check", option, str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path}/drugs/codes.csv, line 2, column code" in done.stderr


def test_check_counts_the_files_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "drugs").mkdir()
    (tmp_path / "drugs/vehicles.csv").write_text("name,sources\nhouse diluent,site\n", "utf-8")
    done = rxvigil("check", "--site", str(tmp_path))
    assert done.returncode == 0
    counted = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert counted[f"{tmp_path}/drugs/vehicles.csv"] == ["1", "0", "1"]


def objects(data: bytes) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(data)
    return shown


@pytest.mark.parametrize("asked", ["clarithromycin", "Biaxin", "clarithromycin 500 MG Oral Tablet", "ATC J01FA09"])
def test_a_medicine_is_found_by_name_brand_and_code(asked: str) -> None:
    assert [each.name for each in knowledge_facts.find(KNOWLEDGE, asked).ingredients] == ["clarithromycin"]


def test_show_says_what_the_data_say(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert command.show("Biaxin", json=True) == 0
    shown = objects(capfdbinary.readouterr().out)
    assert (shown["asked"], shown["version"]) == ("Biaxin", KNOWLEDGE.version)
    (drug,) = shown["ingredients"]
    assert drug["ingredient"] == "clarithromycin"
    inhibitor = next(each for each in drug["properties"] if each["what"] == "CYP3A4 inhibitor: strong")
    assert inhibitor["status"] == "verified"
    assert [(each["id"], each["status"]) for each in inhibitor["sources"]] == [
        ("fda-cyp", "unverified"),
        ("doac-interacting", "verified"),
    ]
    partners = {partner for each in drug["interactions"] for partner in each["with"]}
    assert partners == KNOWLEDGE.partners["clarithromycin"]
    severities = [each["what"].split()[0] for each in drug["interactions"]]
    assert severities == sorted(severities, key=["CRITICAL", "HIGH", "MODERATE", "INFO"].index)


def test_every_ingredient_of_a_product_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.show("Percocet") == 0
    said = capsys.readouterr().out
    assert "oxycodone\n" in said
    assert "acetaminophen\n" in said


def test_show_tells_verified_from_unverified_and_names_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.show("simvastatin") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "HIGH muscle breakdown" in said
    assert "up to 10 mg a day of simvastatin" in said
    assert "SOURCES" in said
    assert "label-simvastatin verified: FDA label of simvastatin" in said


def test_what_is_known_of_laboratory_values_and_allergies_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.show("digoxin") == 0
    said = " ".join(capsys.readouterr().out.split())
    for title in {step.title for step in KNOWLEDGE.thresholds.steps_of["digoxin"]}:
        assert title in said
    assert "when: potassium < 3" in said
    assert command.show("amoxicillin") == 0
    assert "ALLERGIES penicillins" in " ".join(capsys.readouterr().out.split())


def test_mechanisms_and_doses_are_shown(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert command.show("apixaban", json=True) == 0
    (drug,) = objects(capfdbinary.readouterr().out)["ingredients"]
    assert len(drug["mechanisms"]) == len(KNOWLEDGE.mechanisms.of("apixaban"))
    inducers = next(each for each in drug["mechanisms"] if "rifampin" in each["with"])
    assert inducers["what"] == "HIGH clots"
    assert "apixaban" not in inducers["with"]
    assert command.show("methotrexate", json=True) == 0
    (drug,) = objects(capfdbinary.readouterr().out)["ingredients"]
    # the label's boxed warning: weekly, never daily
    assert "CRITICAL at least 7 days between doses" in [each["what"] for each in drug["doses"]]


def test_partners_of_unverified_combinations_do_not_borrow_the_status_of_others() -> None:
    facts = [fact for title, facts in knowledge_facts.of(KNOWLEDGE, "pimozide").sections for fact in facts
             if title == "interactions"]  # fmt: skip
    by_partner = {partner: fact.status for fact in facts for partner in fact.said["with"] if "QT" in fact.head}
    # of the two labels that contraindicate the other, only that of ziprasidone was read
    assert (by_partner["ziprasidone"], by_partner["thioridazine"]) == ("verified", "unverified")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("clarithromycn", "did you mean clarithromycin"),
        ("qwertyuiop", "drugs/names_extra.csv"),
        ("normal saline", "no ingredient of it acts"),
    ],
)
def test_show_fails_for_what_is_no_medicine(asked: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.show(asked) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


def test_differences_are_named_by_the_key_of_the_file(tmp_path: Path) -> None:
    head = "ingredient,property,grade\n"
    old = folder(tmp_path / "old", properties__cyp=head + "a,one,strong\na,two,weak\nb,one,weak\n")
    new = folder(tmp_path / "new", properties__cyp=head + "b,one,weak\na,one,moderate\nc,one,weak\n")
    assert list(knowledge_rows.differences(old, new)) == [
        Difference("properties/cyp.csv", "changed", ("a", "one"), {"grade": ("strong", "moderate")}),
        Difference("properties/cyp.csv", "removed", ("a", "two"),
                   {"ingredient": ("a", ""), "property": ("two", ""), "grade": ("weak", "")}),
        Difference("properties/cyp.csv", "added", ("c", "one"),
                   {"ingredient": ("", "c"), "property": ("", "one"), "grade": ("", "weak")}),
    ]  # fmt: skip


def test_a_file_on_one_side_and_a_new_column_are_told(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", words="word\nx\n", gone="word\ny\n")
    new = folder(tmp_path / "new/knowledge", words="word,kind\nx,salt\n", come="word\nz\n").parent
    assert [(each.file, each.kind, each.key) for each in knowledge_rows.differences(old, new)] == [
        ("come.csv", "added", ("z",)),
        ("gone.csv", "removed", ("y",)),
        ("words.csv", "changed", ("x",)),
    ]


def test_diff_prints_what_changed(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", properties__cyp="ingredient,property,grade\na,one,strong\na,two,weak\n")
    new = folder(tmp_path / "new", properties__cyp="ingredient,property,grade\na,one,weak\na,two,weak\nb,one,weak\n")
    done = rxvigil("diff", str(old), str(new))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "properties/cyp.csv",
        "  ~ a · one",
        "      grade: 'strong' → 'weak'",
        "  + b · one · grade weak",
    ]
    assert done.stderr == "2 rows differ\n"


def test_the_same_folder_does_not_differ() -> None:
    done = rxvigil("diff", "knowledge", ".")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no row differs\n")


def test_a_folder_without_knowledge_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"sources\.csv is not there"):
        list(knowledge_rows.differences(tmp_path, tmp_path))
