"""Written rules are read with every fault at its place, all at once, and with what may have been meant."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from knowledge.conditions import Names
from knowledge.dose import Way
from knowledge.loader import MEASURED, load, load_from, version_of
from knowledge.model import Place
from knowledge.reading.sources import read_sources
from knowledge.reading.tables import KnowledgeError
from knowledge.reading.toml import Fault, RulesError, Toml
from knowledge.reading.written import Lexicon, read_rules
from knowledge.written import WrittenRule

GOOD = """[[rule]]
id = "warfarin-check"
version = "1"
family = "monitoring"
title = "Warfarin without INR"
severity = "moderate"
when = [
  "age >= 18 years",
  "INR unknown within 30 d",  # any
]
summary = "{medicine} without INR"
detail = "Newest: {INR}."
actions = ["Measure INR"]
patient = "Please have your blood tested."
evidence_grade = "policy"
status = "verified"
author = "pharmacy"
sources = ["pincer"]

[rule.trigger]
ingredients = ["warfarin"]
gap = "14 d"

[[rule.steps]]
severity = "high"
when = ["with nsaid"]

[rule.canary.fires]
what = "It fires."
severity = "moderate"
patient = { age = 50 }
events = [
  { at = "-9 d", order = "warfarin 5 mg tablet" },
]

[rule.canary.silent]
what = "It is silent."
events = [{ at = "-9 d", order = "warfarin 5 mg tablet" }, { at = "-1 d", result = "INR", value = 2.5 }]
"""


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    known = load()
    names = Names(
        {each.name for each in known.analytes.values()}, known.property_kinds, known.diagnoses.titles, get_args(Place),
        get_args(Way), {each for of in known.drug_names.values() for each in of}, MEASURED,
    )  # fmt: skip
    return Lexicon(names, known.properties, read_sources(files("knowledge")))


def read(text: str, lexicon: Lexicon, *, own: bool = True) -> tuple[WrittenRule, ...]:
    return read_rules("own.toml", text, lexicon, own=own)


def faults(text: str, lexicon: Lexicon, *, own: bool = True) -> tuple[Fault, ...]:
    with pytest.raises(RulesError) as raised:
        read(text, lexicon, own=own)
    return raised.value.faults


def test_a_rule_is_read_as_it_is_written(lexicon: Lexicon) -> None:
    (rule,) = read(GOOD, lexicon)
    assert (rule.row, rule.severity, rule.trigger.begins) == ("own.toml#warfarin-check", "moderate", "medicine")
    assert dict(rule.trigger.members) == {"warfarin": False}
    assert rule.trigger.by == {"order", "supply"}
    assert [each.text for each in rule.when] == ["age >= 18 years", "INR unknown within 30 d"]
    assert [each.severity for each in rule.steps] == ["high"]
    assert [each.id for each in rule.citations] == ["pincer"]


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ('ingredients = ["warfarin"]', 'ingredients = ["warfarine"]', "warfarine", "did you mean 'warfarin'"),
        ('ingredients = ["warfarin"]', 'ingredients = ["Warfarin"]', "Warfarin", "it is written 'warfarin'"),
        ('ingredients = ["warfarin"]', 'properties = ["nsaids"]', "nsaids", "did you mean 'nsaid'"),
        ("INR unknown within 30 d", "INNR unknown within 30 d", "INNR", "did you mean 'INR'"),
        ("INR unknown within 30 d", "INR unknwn", "INR unknwn", "is no condition"),
        ('["with nsaid"]', '["with nsaids"]', "with nsaids", "did you mean 'nsaid'"),
        ('gap = "14 d"', 'gap = "two weeks"', "gap", "it is to be like '72 h' or '90 d'"),
        ('severity = "high"', 'severity = "hgih"', "severity", "did you mean 'high'"),
        ('author = "pharmacy"', 'autor = "pharmacy"', "autor", "did you mean 'author'"),
        ('version = "1"', "version = 1", "version", "expected text in quotes, got a whole number"),
        ("{INR}", "{INRR}", "{INRR}", "did you mean 'INR'"),
        ("Newest: {INR}.", "Newest: {INR.", "Newest: {INR.", "a brace stands alone"),
        ('id = "warfarin-check"', 'id = "Warfarin check"', "id", "small letters, digits and single hyphens"),
        ("{medicine} without INR", "x" * 140, "summary", "may have 140 characters"),
        ('what = "It is silent."', 'what = "It is silent."\nseverity = "high"', "[rule.canary.silent]", "no severity"),
        ('severity = "moderate"\npatient', "patient", "[rule.canary.fires]", "say how grave the alert is"),
        ('gap = "14 d"', 'gap = "14 d"\nresult = "INR"', "[rule.trigger]", "a rule begins with one of"),
        ('gap = "14 d"', 'event = "order_endd"', "event", "did you mean 'order_end'"),
        ('value = 2.5', 'valu = 2.5', "valu", "did you mean 'value'"),
        ('actions = ["Measure INR"]', "actions = []", "actions", "say what to do"),
        ("{ age = 50 }", "{ age = 50, sexx = 1 }", "sexx", "did you mean 'sex'"),
    ],
)  # fmt: skip
def test_a_fault_has_its_place_and_the_mend(old: str, new: str, at: str, said: str, lexicon: Lexicon) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    if old == 'severity = "high"':
        assert text != GOOD
    found = faults(text, lexicon)
    (fault,) = [each for each in found if said in each.problem]
    line = text.splitlines()[fault.line - 1]
    assert line[fault.column - 1 :].lstrip('"').startswith(at), (fault, line)


def test_all_faults_of_a_file_are_told_at_once_in_its_order(lexicon: Lexicon) -> None:
    text = GOOD.replace("INR unknown", "INNR unknown").replace('["warfarin"]', '["warfarine"]').replace("{INR}", "{x}")
    second = GOOD.replace('author = "pharmacy"\n', "")
    found = faults(text + "\n" + second, lexicon)
    assert [each.line for each in found] == sorted(each.line for each in found)
    problems = " ".join(each.problem for each in found)
    for said in ("INNR", "warfarine", "{x}", "'author' is missing"):
        assert said in problems
    assert str(found[0]).startswith(f"own.toml:{found[0].line}:{found[0].column}: ")


def test_what_is_no_toml_is_told_with_its_place(lexicon: Lexicon) -> None:
    (fault,) = faults('[[rule]]\nid = "a\n', lexicon)
    assert (fault.line, fault.problem[:8]) == (2, "no TOML:")
    assert faults("", lexicon)[0].problem.startswith("there is no rule in it")
    assert "nothing else" in faults("rules = 1\n" + GOOD, lexicon)[0].problem


def test_an_id_is_used_once(lexicon: Lexicon) -> None:
    (fault,) = faults(GOOD + "\n" + GOOD, lexicon)
    assert fault.line == len(GOOD.splitlines()) + 3
    assert "there is already a rule 'warfarin-check'" in fault.problem
    (fault,) = faults(GOOD, lexicon._replace(ids={"warfarin-check"}))
    assert fault.line == 2


def test_a_sites_policy_is_a_source_and_none_of_a_shipped_rule(lexicon: Lexicon) -> None:
    text = GOOD.replace('["pincer"]', '["Our handbook, page 4"]')
    (rule,) = read(text, lexicon)
    assert [(each.id, each.text, each.status) for each in rule.citations] == [
        ("site", "Our handbook, page 4", "verified")
    ]
    (fault,) = faults(text, lexicon, own=False)
    assert "is not in sources.csv" in fault.problem


def test_a_key_within_a_text_of_several_lines_is_no_key() -> None:
    toml = Toml("x", 'a = """\nb = 1\n[c]\n"""\nb = [\n  "x",\n]\n[[t]]\nk = 1\n[[t]]\nk = 2\n')
    assert toml.fault(("b",), "").line == 5
    assert (toml.fault(("b",), "", "x").line, toml.fault(("t", 1, "k"), "").line) == (6, 11)


def test_a_folder_is_read_whole_and_its_faults_are_those_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD.replace("{INR}", "{INRR}"))
    (tmp_path / "b.toml").write_text(GOOD.replace("warfarin-check", "other").replace('gap = "14 d"', 'gap = "x"'))
    with pytest.raises(RulesError) as raised:
        load_from(files("knowledge"), None, tmp_path)
    assert [Path(each.file).name for each in raised.value.faults] == ["a.toml", "b.toml"]
    assert (raised.value.file, raised.value.line) == (str(tmp_path / "a.toml"), raised.value.faults[0].line)


def test_a_folder_without_rules_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"there is no \*\.toml in it"):
        load_from(files("knowledge"), None, tmp_path)


def test_the_version_follows_from_what_the_files_say(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD)
    before = version_of(tmp_path), version_of(file)
    file.write_text(GOOD.replace("30 d", "31 d"))
    assert version_of(file) != before[1]
    assert version_of(tmp_path) != before[0]
