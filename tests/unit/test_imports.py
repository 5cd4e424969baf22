"""`rxvigil import` and the site's choices: small tables in each published form, made up; what counts of them, by hand."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from knowledge.loader import KnowledgeError, load_from
from knowledge.model import Knowledge
from schemas.alerts import Alert
from services.local import canaries, rule_sheet
from services.local.imports import beside, command
from services.local.imports.mapping import BringInError
from services.local.imports.thesaurus import entries
from services.monitor.evaluate import index_of, take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.outside_interaction import outside_rules
from tests.support.clinical import at, order

DDINTER = """DDInterID_A,Drug_A,DDInterID_B,Drug_B,Level
DDInter1,Amoxicillin,DDInter2,Cetirizine,Major
DDInter2,Cetirizine,DDInter1,Amoxicillin,Minor
DDInter3,"Warfarin",DDInter4,Ibuprofen,Minor
DDInter5,Nobodyknowsthis,DDInter1,Amoxicillin,Moderate
"""


def bring(tmp_path: Path, *arguments: str) -> int:
    answer = command.app([*arguments, "--knowledge-dir", str(tmp_path / "site")], result_action="return_value")
    assert isinstance(answer, int)
    return answer


@pytest.fixture
def ddinter(tmp_path: Path) -> Path:
    """A site that has the made-up DDInter table."""
    (tmp_path / "ddi.csv").write_text(DDINTER)
    assert bring(tmp_path, "ddinter", str(tmp_path / "ddi.csv"), "--edition", "2024-05") == 0
    return tmp_path / "site"


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def chosen(site: Path, *lines: str) -> Knowledge:
    (site / "choices.csv").write_text("\n".join(["scope,which,use,reason,author", *lines]) + "\n")
    return load_from(files("knowledge"), site)


def told(knowledge: Knowledge, *names: str) -> dict[str, tuple[str, str]]:
    """By rule: subject and severity of the alerts that are open when these are ordered together."""
    state: PatientState | None = None
    alerts: dict[str, Alert] = {}
    for hour, name in enumerate(names):
        state, _ = take_event(state, order(name, hour), knowledge, at(hour))
    assert state is not None
    alerts = dict(state.open_alerts)
    return {each.rule: (each.subject, each.severity) for each in alerts.values()}


def test_a_pair_is_there_once_as_gravely_as_the_source_says_it(ddinter: Path) -> None:
    found = rows(ddinter / "imported" / "ddinter.csv")
    assert [(row["a"], row["b"], row["severity"], row["said"]) for row in found] == [
        ("amoxicillin", "cetirizine", "high", "Major"),
        ("ibuprofen", "warfarin", "info", "Minor"),
    ]
    assert {(row["source"], row["edition"], row["licence"]) for row in found} == {
        ("ddinter", "2024-05", "CC BY-NC-SA 4.0")
    }


def test_what_nobody_knows_is_counted_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ddi.csv").write_text(DDINTER)
    bring(tmp_path, "ddinter", str(tmp_path / "ddi.csv"), "--edition", "1")
    said = capsys.readouterr().err
    assert "2 rows are in" in said and "left out: 1 rows" in said and "Nobodyknowsthis (1)" in said


def test_importing_again_writes_the_same_file(tmp_path: Path, ddinter: Path) -> None:
    before = (ddinter / "imported" / "ddinter.csv").read_bytes()
    bring(tmp_path, "ddinter", str(tmp_path / "ddi.csv"), "--edition", "2024-05")
    assert (ddinter / "imported" / "ddinter.csv").read_bytes() == before
    assert not list(ddinter.rglob("*.part"))


def test_nothing_counts_until_the_site_chooses_so(ddinter: Path) -> None:
    knowledge = load_from(files("knowledge"), ddinter)
    assert not knowledge.outside.counting
    assert "outside-interaction" not in index_of(knowledge).rules
    assert told(knowledge, "amoxicillin", "cetirizine") == {}


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        (["source,ddinter,theirs,r,a"], True),
        (["row,cetirizine+amoxicillin,theirs,r,a"], True),
        (["source,ddinter,theirs,r,a", "row,amoxicillin+cetirizine,ours,r,a"], False),
        (["source,ddinter,theirs,r,a", "class,penicillin,ours,r,a"], False),
        (["class,penicillin,ours,r,a", "row,amoxicillin+cetirizine,theirs,r,a"], True),
        (["source,ddinter,off,r,a"], False),
    ],
)
def test_the_choice_nearest_to_the_pair_decides(ddinter: Path, lines: list[str], counts: bool) -> None:
    found = told(chosen(ddinter, *lines), "amoxicillin", "cetirizine")
    expected = {"outside-interaction": ("amoxicillin+cetirizine", "high")} if counts else {}
    assert found == expected


def test_what_is_brought_in_says_where_it_is_from(ddinter: Path) -> None:
    knowledge = chosen(ddinter, "source,ddinter,theirs,r,a")
    state, _ = take_event(None, order("amoxicillin", 0), knowledge, at(0))
    _, (alert,) = take_event(state, order("cetirizine", 1), knowledge, at(1))
    assert alert.summary == "amoxicillin with cetirizine: Major (ddinter)"
    assert alert.rows == ("imported/ddinter.csv#amoxicillin,cetirizine",)
    assert "edition 2024-05; licence: CC BY-NC-SA 4.0" in alert.citations[0].text
    assert alert.true_since == at(1)


def test_a_choice_that_takes_ours_away_keeps_it_with_the_reason(ddinter: Path) -> None:
    plain = load_from(files("knowledge"), ddinter)
    before = told(plain, "warfarin", "ibuprofen")
    assert before and all(severity in ("critical", "high") for _, severity in before.values())
    knowledge = chosen(ddinter, "row,ibuprofen+warfarin,off,reviewed on 3 May,A. Author")
    assert told(knowledge, "warfarin", "ibuprofen") == {}
    state: PatientState | None = None
    for hour, name in enumerate(("warfarin", "ibuprofen")):
        state, _ = take_event(state, order(name, hour), knowledge, at(hour))
    assert state is not None
    held = [each.held for each in state.standing.values()]
    assert held == ["The site chose so: reviewed on 3 May (choices.csv#row,ibuprofen+warfarin)"]


def test_theirs_in_place_of_ours(ddinter: Path) -> None:
    knowledge = chosen(ddinter, "row,ibuprofen+warfarin,theirs,r,a")
    assert told(knowledge, "warfarin", "ibuprofen") == {"outside-interaction": ("ibuprofen+warfarin", "info")}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("row,amoxicillin,ours,r,a", "line 2, column which: 'amoxicillin': 2 joined by + are expected"),
        ("row,amoxicillin+cetirizin,ours,r,a", "did you mean 'cetirizine'"),
        ("class,penicilin,ours,r,a", "did you mean 'penicillin'"),
        ("source,drugs.com,theirs,r,a", "no source that was brought in"),
        ("source,rxvigil,theirs,r,a", "column use: rxvigil is ours"),
        ("source,ddinter,maybe,r,a", "line 2, column use"),
    ],
)
def test_a_wrong_choice_is_told_with_its_place(ddinter: Path, line: str, problem: str) -> None:
    with pytest.raises(KnowledgeError) as error:
        chosen(ddinter, line)
    assert problem in str(error.value)


def test_a_list_of_medicines_joins_a_property_when_it_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "qt.csv").write_text(
        "Generic Name,Category\nCetirizine,Known Risk of TdP\nAmoxicillin,Conditional Risk of TdP\n"
    )
    bring(tmp_path, "crediblemeds", str(tmp_path / "qt.csv"), "--edition", "2026-11", "--licence", "ours 12")
    site = tmp_path / "site"
    assert "cetirizine" not in load_from(files("knowledge"), site).properties["qt-prolonging"]
    members = chosen(site, "source,crediblemeds,theirs,r,a").properties["qt-prolonging"]
    assert (members["cetirizine"].grade, members["cetirizine"].status) == ("warning", "unverified")
    assert "amoxicillin" not in members


def test_other_names_become_known_and_known_names_stay(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.csv").write_text(
        "DrugBank ID,Accession Numbers,Common name,CAS,UNII,Synonyms,Standard InChI Key\n"
        "DB1,,Amoxicillin,1,X,Amoxyvigilin | Cetirizine,K\nDB2,,Nobodyknowsthis,2,Y,Whatever,K\n"
    )
    bring(tmp_path, "drugbank", str(tmp_path / "vocabulary.csv"), "--edition", "5.1")
    names = load_from(files("knowledge"), tmp_path / "site").drug_names
    assert tuple(names["amoxyvigilin"]) == ("amoxicillin",)
    assert tuple(names["cetirizine"]) == ("cetirizine",)
    assert "whatever" not in names


def test_any_vendor_s_table_by_a_mapping_file(tmp_path: Path) -> None:
    (tmp_path / "vendor.csv").write_bytes(
        "Substance 1;Substance 2;Class;Text\nAmoxicillin;Cetirizine;D;gefährlich\n".encode("cp1252")
    )
    (tmp_path / "map.toml").write_text(
        'kind="interactions"\nsource="our-vendor"\nlicence="contract"\ndelimiter=";"\nencoding="cp1252"\n'
        '[columns]\na="Substance 1"\nb="Substance 2"\nseverity="Class"\neffect="Text"\n[severity]\nD="critical"\n'
    )
    bring(tmp_path, "table", str(tmp_path / "vendor.csv"), "--map", str(tmp_path / "map.toml"), "--edition", "7")
    knowledge = chosen(tmp_path / "site", "source,our-vendor,theirs,r,a")
    assert told(knowledge, "amoxicillin", "cetirizine") == {
        "outside-interaction": ("amoxicillin+cetirizine", "critical")
    }


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("Drug_A,Drug_B\nx,y\n", "line 1: there is no column Level"),
        ("Drug_A,Drug_B,Level\nAmoxicillin,Cetirizine,Huge\n", "line 2, column Level: 'Huge' is not in [severity]"),
        ("Drug_A,Drug_B,Level\nAmoxicillin,Cetirizine\n", "line 2: not as many cells"),
    ],
)
def test_a_table_of_another_form_is_refused_with_its_place(tmp_path: Path, table: str, problem: str) -> None:
    (tmp_path / "ddi.csv").write_text(table)
    with pytest.raises(BringInError) as error:
        bring(tmp_path, "ddinter", str(tmp_path / "ddi.csv"), "--edition", "1")
    assert problem in str(error.value)
    assert not (tmp_path / "site" / "imported" / "ddinter.csv").exists()


THESAURUS = """
AMOXICILLINE
+ ANTIHISTAMINIQUES INVENTÉS
  Association DECONSEILLEE
  Texte inventé.
+ WARFARINE
  Précaution d'emploi
CÉTIRIZINE
+ IBUPROFÈNE
  A prendre en compte
  Autre texte.
+ SANS NIVEAU
"""


def test_the_text_of_the_thesaurus() -> None:
    found = [(e.heading, e.partner, e.severity, e.effect) for e in entries(THESAURUS)]
    assert found == [
        ("AMOXICILLINE", "ANTIHISTAMINIQUES INVENTÉS", "high", "Texte inventé."),
        ("AMOXICILLINE", "WARFARINE", "moderate", ""),
        ("CÉTIRIZINE", "IBUPROFÈNE", "info", "Autre texte."),
    ]


def test_the_thesaurus_with_its_classes(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(THESAURUS)
    (tmp_path / "c.csv").write_text("ANTIHISTAMINIQUES INVENTÉS;cétirizine\n")
    bring(tmp_path, "ansm", str(tmp_path / "t.txt"), "--classes", str(tmp_path / "c.csv"), "--edition", "10-2023")
    found: list[Any] = [(r["a"], r["b"], r["severity"]) for r in rows(tmp_path / "site" / "imported" / "ansm.csv")]
    assert found == [
        ("amoxicillin", "cetirizine", "high"),
        ("amoxicillin", "warfarin", "moderate"),
        ("cetirizine", "ibuprofen", "info"),
    ]


def test_theirs_beside_ours(ddinter: Path) -> None:
    found = {(each.a, each.b): each for each in beside.compared(load_from(files("knowledge"), ddinter), "ddinter")}
    only = found["amoxicillin", "cetirizine"]
    assert (only.kind, only.ours, only.theirs, only.counts) == ("only theirs", None, "high", "ours")
    other = found["ibuprofen", "warfarin"]
    assert (other.kind, other.theirs) == ("other severity", "info")
    assert other.ours in ("critical", "high")
    assert {each.kind for each in found.values()} >= {"only ours"}  # amoxicillin with warfarin


def test_what_counts_is_listed_among_the_rules_and_its_canary_holds(ddinter: Path) -> None:
    knowledge = chosen(ddinter, "source,ddinter,theirs,r,a")
    (rule,) = outside_rules(knowledge)
    assert rule.id in index_of(knowledge).rules
    assert canaries.faults_of(rule, knowledge) == []
    assert any(sheet.rule.id == rule.id for sheet in rule_sheet.sheets(knowledge))
