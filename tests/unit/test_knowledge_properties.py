"""What medicines are and do: what the loader refuses, and the members against what was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.loader import load, load_from
from knowledge.model import Knowledge
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import copy_knowledge

KNOWLEDGE = load()
MEMBER = "ingredient,property,grade,applies,note,evidence_grade,status,author,sources"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_knowledge(tmp_path)


def append(root: Path, file: str, row: str) -> int:
    """The line on which the row stands now."""
    path = root / "properties" / file
    text = path.read_text("utf-8") if path.exists() else MEMBER + "\n"
    path.write_text(f"{text}{row}\n", "utf-8")
    return len(text.splitlines()) + 1


@pytest.mark.parametrize(
    ("file", "row", "column", "said"),
    [
        ("cyp.csv", "simvastatin,cyp3a4-inhibitors,strong,,,x,verified,rxvigil,fda-cyp", "property", "not in properties"),
        ("cyp.csv", "simvastatin,serotonergic,strong,,,x,verified,rxvigil,fda-cyp", "property", "serotonergic.csv"),
        ("cyp.csv", "simvastatine,cyp3a4-inhibitor,strong,,,x,verified,rxvigil,fda-cyp", "ingredient", "no ingredient"),
        ("cyp.csv", "Simvastatin,cyp3a4-inhibitor,strong,,,x,verified,rxvigil,fda-cyp", "ingredient", "'simvastatin'"),
        ("cyp.csv", "simvastatin,cyp3a4-substrate,sensitive,,,x,verified,rxvigil,fda-cyp", "ingredient", "twice"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,,,,x,verified,rxvigil,fda-cyp", "grade", "strong, moderate, weak"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,mild,,,x,verified,rxvigil,fda-cyp", "grade", "strong, moderate, weak"),
        ("cyp.csv", "simvastatin,cyp2d6-activated,strong,,,x,verified,rxvigil,fda-cyp", "grade", "has no grades"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,weak,topical,,x,verified,rxvigil,fda-cyp", "applies", "topical"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,weak,,,x,read,rxvigil,fda-cyp", "status", "read"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,weak,,,x,verified,,fda-cyp", "author", "author"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,weak,,,x,verified,rxvigil,", "sources", "sources"),
        ("cyp.csv", "simvastatin,cyp3a4-inhibitor,weak,,,x,verified,rxvigil,hearsay", "sources", "hearsay"),
        ("qtt.csv", "simvastatin,qt-prolonging,warning,,,x,verified,rxvigil,fda-cyp", "property", "qt.csv"),
        ("left_out.csv", "cyp3a4-substrate,simvastatin,no reason,rxvigil", "ingredient", "is a member"),
        ("properties.csv", "serotonergic,serotonergic,twice,twice,rxvigil,rxvigil", "id", "twice"),
        ("properties.csv", "Sero Tonic,serotonergic,two,two,rxvigil,rxvigil", "id", "lower case"),
        ("properties.csv", "new,serotonergic,new,grades: strong and weak,rxvigil,rxvigil", "meaning", "grades"),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_its_place(root: Path, file: str, row: str, column: str, said: str) -> None:
    line = append(root, file, row)
    with pytest.raises(KnowledgeError) as caught:
        load_from(root)
    assert (caught.value.file, caught.value.line, caught.value.column) == (f"properties/{file}", line, column)
    assert said in str(caught.value)


def test_a_subject_without_its_file_is_refused(root: Path) -> None:
    append(root, "properties.csv", "sleepy,sleep,sleepy,makes sleepy,rxvigil,rxvigil")
    with pytest.raises(KnowledgeError, match=r"properties/sleep\.csv"):
        load_from(root)


def test_what_a_row_says_is_read(root: Path) -> None:
    append(root, "cyp.csv", "simvastatin,cyp3a4-inhibitor,weak,any,only here,study,verified,rxvigil,fda-cyp|onc-2012")
    member = load_from(root).properties["cyp3a4-inhibitor"]["simvastatin"]
    assert (member.grade, member.applies, member.note, member.evidence_grade) == ("weak", "any", "only here", "study")
    assert member.status == "verified"
    assert [each.id for each in member.citations] == ["fda-cyp", "onc-2012"]


def test_the_two_ways_to_ask_agree() -> None:
    pairs = {(each, ingredient) for each, members in KNOWLEDGE.properties.items() for ingredient in members}
    assert pairs == {(each, ingredient) for ingredient, own in KNOWLEDGE.properties_of.items() for each in own}
    assert KNOWLEDGE.properties.keys() == KNOWLEDGE.property_kinds.keys()


def test_every_property_has_members() -> None:
    """A rule about a property that nothing has would be silent for ever."""
    assert [each for each, members in KNOWLEDGE.properties.items() if not members] == []


def grades(each: str) -> dict[str, str]:
    return {ingredient: member.grade for ingredient, member in KNOWLEDGE.properties[each].items()}


def verified(each: str, knowledge: Knowledge = KNOWLEDGE) -> set[str]:
    return {ingredient for ingredient, member in knowledge.properties[each].items() if member.status == "verified"}


# Clin Transl Sci 2022;15:2075, table 1, column "strong": CYP3A
STRONG_INDUCERS = {
    "apalutamide", "carbamazepine", "enzalutamide", "ivosidenib", "lumacaftor", "mitotane", "phenytoin", "rifampin",
    "rifapentine", "st john's wort",
}  # fmt: skip
# Clin Pharmacol Ther 2020;108:116, table 4, class in FDA's table; abiraterone, weak there, raises its substrate 2.9 times
INHIBITORS_OF_2D6 = {
    "celecoxib": "weak", "cimetidine": "weak", "cinacalcet": "moderate", "clobazam": "weak", "desvenlafaxine": "weak",
    "duloxetine": "moderate", "escitalopram": "weak", "fluvoxamine": "moderate", "mirabegron": "moderate",
    "ritonavir": "weak", "sertraline": "weak",
}  # fmt: skip
# the table of the American Society of Hematology's journal (telithromycin is withdrawn)
STRONG_INHIBITORS = {
    "clarithromycin", "itraconazole", "ketoconazole", "nefazodone", "atazanavir", "darunavir", "indinavir", "lopinavir",
    "nelfinavir", "ritonavir", "saquinavir", "tipranavir",
}  # fmt: skip
# FDA, 20 October 2011
IMPLICATED_WITH_LINEZOLID = {
    "paroxetine", "fluvoxamine", "fluoxetine", "sertraline", "citalopram", "escitalopram", "vilazodone", "venlafaxine",
    "desvenlafaxine", "duloxetine",
}  # fmt: skip


def test_members_are_graded_as_published() -> None:
    inducers, inhibitors = grades("cyp3a4-inducer"), grades("cyp3a4-inhibitor")
    assert {each for each in STRONG_INDUCERS if inducers.get(each) != "strong"} == set()
    assert {each for each in STRONG_INHIBITORS if inhibitors.get(each) != "strong"} == set()
    assert {each: grades("cyp2d6-inhibitor").get(each) for each in INHIBITORS_OF_2D6} == INHIBITORS_OF_2D6
    assert {each for each in IMPLICATED_WITH_LINEZOLID if grades("serotonergic").get(each) != "strong"} == set()


def test_what_was_read_is_verified() -> None:
    assert verified("cyp3a4-inducer") >= STRONG_INDUCERS
    assert verified("cyp3a4-inhibitor") >= STRONG_INHIBITORS
    assert verified("cyp2d6-inhibitor") >= INHIBITORS_OF_2D6.keys()
    assert verified("serotonergic") >= IMPLICATED_WITH_LINEZOLID


def test_a_member_is_verified_only_by_a_source_that_is() -> None:
    claimed = [
        (member.property, ingredient)
        for members in KNOWLEDGE.properties.values()
        for ingredient, member in members.items()
        if member.status == "verified" and all(each.status != "verified" for each in member.citations)
    ]
    assert claimed == []


def members_of(pair: str, side: str) -> set[str]:
    found = [each for several in KNOWLEDGE.interactions.values() for each in several if each.pair.id == pair]
    return {each.object if side == "object" else each.precipitant for each in found}


def test_properties_and_pairs_say_the_same() -> None:
    """Two tables that were made apart from one another."""
    strong = {each for each, grade in grades("cyp3a4-inhibitor").items() if grade == "strong"}
    # gemfibrozil is there as an inhibitor of UGT1A1's partner, not of CYP3A4
    assert members_of("irinotecan-cyp3a4", "precipitant") - {"gemfibrozil"} <= strong
    induces = {each for each, grade in grades("cyp3a4-inducer").items() if grade == "strong"}
    assert members_of("hiv-pi-inducer", "precipitant") <= induces
    assert members_of("ramelteon-cyp1a2", "precipitant") <= grades("cyp1a2-inhibitor").keys()
    assert members_of("ssri-maoi", "object") <= grades("serotonergic").keys()
    qt = members_of("qt-qt", "object") | members_of("qt-qt", "precipitant")
    assert qt <= grades("qt-prolonging").keys()
    contraindicates = {each for each, grade in grades("qt-prolonging").items() if grade == "contraindicates_others"}
    assert contraindicates == {"thioridazine", "pimozide", "ziprasidone", "dronedarone", "levoketoconazole"}


def test_what_turns_into_a_medicine_has_its_properties() -> None:
    of = KNOWLEDGE.properties_of
    theirs = {"cyp3a4-inducer", "cyp1a2-inducer", "cyp2c9-substrate", "p-gp-inducer"}
    assert theirs <= of["phenytoin"] & of["fosphenytoin"]
    assert {each for each in of["phenobarbital"] if each.endswith("inducer")} <= of["primidone"]
    assert {"cyp2c8-inhibitor", "oatp1b1-inhibitor", "bcrp-inhibitor"} <= of["teriflunomide"] & of["leflunomide"]
