"""What patients are told: every rule has it in every language, it is plain, and it never tells anyone to change a medicine."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.explanation import OTHER, Entry, Language
from knowledge.loader import load
from knowledge.reading.explanation import load_explanations, read_explanations
from knowledge.reading.toml import RulesError
from services.monitor.rules import RULES
from tests.support.patient_words import orders
from tests.support.reading_grade import english_syllables, flesch_kincaid, german_syllables, wiener_sachtextformel

ROOT = Path(__file__).parents[2]
KNOWN = load_explanations()
GRADE = 8
GRADES = {"en": flesch_kincaid, "de": wiener_sachtextformel}
LONG = {
    "medicines": "amiodarone, simvastatin and ciprofloxacin", "result": "Creatinine, serum or plasma 2.1 mg/dL",
    "before": "0.9 mg/dL", "taken": "November 2, 2026", "since": "November 2, 2026",
}  # fmt: skip
WHOM = {"en": r"\b(doctor|nurse|pharmacist)\b", "de": r"\b(Arzt|Pflege|Apotheke|Praxis)\b"}
AT_ONCE = {"en": "get help at once", "de": "sofort Hilfe"}


def entries(language: Language) -> Iterator[tuple[str, Entry]]:
    for table in (language.families, language.rules):
        yield from table.items()


def whole(language: Language, entry: Entry, found: str) -> str:
    words = language.words
    parts = (found, entry.why, words.told, entry.ask, words.keep, entry.help, words.call if entry.help else "")
    return " ".join(filter(None, parts))


EACH = [
    pytest.param(language, entry, id=f"{language.code}-{name}")
    for language in KNOWN.languages.values()
    for name, entry in entries(language)
]


def test_every_rule_and_every_family_of_written_rules_has_an_entry_of_its_own() -> None:
    written = {rule.family for rule in load().written}
    for language in KNOWN.languages.values():
        told = {rule.id for rule in RULES if rule.id in language.rules or rule.family in language.families}
        assert {rule.id for rule in RULES} - told == set()
        assert written - language.families.keys() == set()


def test_every_entry_is_of_a_rule_or_a_family_that_there_is() -> None:
    rules = {rule.id for rule in RULES} | {rule.id for rule in load().written}
    families = {rule.family for rule in RULES} | {rule.family for rule in load().written}
    assert KNOWN.default.rules.keys() - rules == set()
    assert KNOWN.default.families.keys() - families == {OTHER}


def test_english_and_german_are_there_and_english_is_the_first() -> None:
    assert list(KNOWN.languages) == ["en", "de"]
    assert KNOWN.default.code == "en"


# Formulas against texts whose grades others have published: Flesch-Kincaid of these two sentences is on many pages about it; the
# German ones are in textstat's tests, by syllables of a hyphenation dictionary.
@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("The Australian platypus is seemingly a hybrid of a mammal and reptilian creature.", 11.3),
        ("The cat sat on the mat.", -1.4),
    ],
)
def test_the_grade_of_english(text: str, grade: float) -> None:
    assert flesch_kincaid(text) == pytest.approx(grade, abs=0.06)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("Alle meine Entchen schwimmen auf dem See, Köpfchen unters Wasser, Schwänzchen in die Höh.", 3.770),
        (
            (
                "Alle Parteien widmen dem Thema rein quantitativ betrachtet nennenswerte Aufmerksamkeit, die Grünen "
                "wenig überraschend am meisten."
            ),
            13.913,
        ),
    ],
)
def test_the_grade_of_german(text: str, grade: float) -> None:
    assert wiener_sachtextformel(text) == pytest.approx(grade, abs=0.001)


@pytest.mark.parametrize(
    ("syllables", "words"),
    [
        (1, "nurse takes breathe moved swells blood cells faint once"),
        (2, "doctor table changes needed kidneys result before quiet liver people"),
        (3, "medicine pharmacist sodium warfarin heparin allergic calcium"),
        (4, "creatinine hemoglobin simvastatin ibuprofen emergency"),
        (5, "amiodarone"),
    ],
)
def test_syllables_of_english_words(syllables: int, words: str) -> None:
    assert {word: english_syllables(word) for word in words.split()} == dict.fromkeys(words.split(), syllables)


@pytest.mark.parametrize(
    ("syllables", "words"),
    [
        (1, "Arzt Blut Herz nicht sehr"),
        (2, "Pflege Nieren Leber Körper Zeichen"),
        (3, "Verordnung Schmerzmittel schwindelig"),
        (4, "Apotheke Medikament Amlodipin"),
    ],
)
def test_syllables_of_german_words(syllables: int, words: str) -> None:
    found = {word: german_syllables(word) for word in words.split()}
    assert found == dict.fromkeys(found, syllables)


@pytest.mark.parametrize(("language", "entry"), EACH)
def test_a_child_of_grade_eight_can_read_it(language: Language, entry: Entry) -> None:
    for way in entry.found:
        text = whole(language, entry, way.format(**LONG))
        assert GRADES[language.code](text) <= GRADE, text


@pytest.mark.parametrize("language", KNOWN.languages.values(), ids=lambda each: each.code)
def test_a_child_of_grade_eight_can_read_what_a_problem_means(language: Language) -> None:
    for meaning in language.problems.values():
        assert GRADES[language.code](f"{meaning.why} {meaning.help}") <= GRADE


def test_the_grades_refuse_what_is_hard_to_read() -> None:
    assert flesch_kincaid("Discontinuation of anticoagulation necessitates interdisciplinary consultation.") > GRADE
    hard = "Die Unterbrechung der Antikoagulation erfordert die interdisziplinäre Abstimmung aller Beteiligten."
    assert wiener_sachtextformel(hard) > GRADE


def own_sentences() -> list[str]:
    """The sentences that alerts bring with them, which stand among those of their entry in English."""
    found = [rule.patient for rule in load().written]
    for file in sorted((ROOT / "knowledge").rglob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            found += [row["patient_explanation"] for row in csv.DictReader(lines) if row.get("patient_explanation")]
    return sorted(set(found))


def test_a_child_of_grade_eight_can_read_it_with_the_sentences_of_the_knowledge() -> None:
    english = KNOWN.default
    said = own_sentences()
    assert len(said) > 100
    for own in said:
        filled = re.sub(r"\{\w+\}", "amiodarone", own)
        for entry in (english.families[OTHER], english.families["opportunity"]):
            text = " ".join((entry.found[0].format(**LONG), filled, english.words.told, entry.ask, entry.help))
            assert flesch_kincaid(text) <= GRADE, own


@pytest.mark.parametrize(("language", "entry"), EACH)
def test_nobody_is_told_to_stop_skip_or_change_a_medicine(language: Language, entry: Entry) -> None:
    for text in (*entry.found, entry.why, entry.ask, entry.help, language.words.told, language.words.call):
        assert orders(text, language.code) == [], text
    for meaning in language.problems.values():
        assert orders(f"{meaning.why} {meaning.help}", language.code) == []


def test_nobody_is_told_so_by_a_written_rule() -> None:
    assert {rule.id: rule.patient for rule in load().written if orders(rule.patient, "en")} == {}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Stop your medicine and call us."),
        ("en", "Please skip the next dose."),
        ("en", "If you feel sick, halve the dose."),
        ("en", "Take only one pill today."),
        ("en", "You should lower the dose."),
        ("en", "Do not take the pill tomorrow."),
        ("en", "Leave out the evening dose. Ask your doctor."),
        ("en", "Switch to another pain medicine."),
        ("en", "Please give no more of it."),
        ("de", "Setzen Sie das Medikament ab."),
        ("de", "Sie sollten das Medikament absetzen."),
        ("de", "Lassen Sie die nächste Dosis aus."),
        ("de", "Nehmen Sie heute nur eine Tablette."),
        ("de", "Bitte nehmen Sie das Medikament nicht mehr."),
        ("de", "Sie können die Dosis halbieren."),
        ("de", "Hören Sie mit dem Medikament auf."),
    ],
)
def test_the_list_of_such_words_finds_them(language: str, text: str) -> None:
    assert orders(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", KNOWN.default.words.keep),
        ("en", "Your care team may change the antibiotic."),
        ("en", "Please ask before you change anything."),
        ("de", "Bitte fragen Sie, bevor Sie die nächste Dosis nehmen."),
        ("de", "Nehmen Sie das Medikament bis dahin wie besprochen."),
    ],
)
def test_and_lets_pass_what_tells_the_contrary(language: str, text: str) -> None:
    assert orders(text, language) == []


@pytest.mark.parametrize(("language", "entry"), EACH)
def test_it_says_whom_to_ask(language: Language, entry: Entry) -> None:
    assert re.search(WHOM[language.code], entry.ask)


def gravest_by_rule() -> dict[str, set[str]]:
    """The severities that the canary of each rule reaches, and those that a written rule states."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "services/monitor/rules/canaries").glob("*.json"):
        alerts = json.loads(file.read_text())["fires"]["alerts"]
        found[file.stem] = {each["severity"] for each in alerts}
    for rule in load().written:
        found[rule.id] = {each for each in (rule.severity, *(step.severity for step in rule.steps)) if each}
    return found


def test_a_rule_that_can_be_critical_says_when_to_seek_help_at_once() -> None:
    family = {rule.id: rule.family for rule in (*RULES, *load().written)}
    critical = {rule for rule, severities in gravest_by_rule().items() if "critical" in severities}
    assert {"critical-lab", "drug-drug-interaction"} <= critical
    for language in KNOWN.languages.values():
        silent = {rule for rule in critical if not language.entry(rule, family[rule]).help}
        assert silent == set()
        for meaning in language.problems.values():
            assert meaning.help


@pytest.mark.parametrize(("language", "entry"), EACH)
def test_help_is_to_be_sought_at_once(language: Language, entry: Entry) -> None:
    assert not entry.help or AT_ONCE[language.code].lower() in entry.help.lower()


def folder(tmp_path: Path, **files: str) -> Path:
    place = tmp_path / "explanations"
    place.mkdir()
    for name, text in files.items():
        (place / f"{name}.toml").write_text(text, "utf-8")
    return tmp_path


def shipped(code: str) -> str:
    return (ROOT / f"knowledge/explanations/{code}.toml").read_text("utf-8")


def changed(code: str, before: str, after: str) -> tuple[str, int]:
    """The file with one text put in another's place, and the line in which that is."""
    text = shipped(code)
    assert before in text
    return text.replace(before, after, 1), text[: text.index(before)].count("\n") + 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[families.burden]\nfound", "[families.burden]\nfond", "there is no key 'fond' here; did you mean 'found'?"),
        ('go well together: {medicines}.",', 'go well together: {medicine}.",', "did you mean 'medicines'?"),
        ('"Some of your medicines may not go well together."', '"They do not match: {medicines}."', "no placeholder"),
        ('why = "Some medicines are safe', 'why = "{result} is safe', "the values stand in 'found'"),
        ('date = "{month} {day}, {year}"', 'date = "{month} {day}"', "is to have {day}, {month} and {year}"),
        ('"January", "February"', '"January February"', "has 11 months; twelve are wanted"),
        ("[families.other]", "[families.rest]", "there is no entry 'other'"),
        ('capitals = false', 'capitals = "no"', "expected true or false"),
    ],
)  # fmt: skip
def test_a_slip_is_told_by_file_line_and_what_to_do(tmp_path: Path, before: str, after: str, said: str) -> None:
    text, line = changed("en", before, after)
    with pytest.raises(RulesError) as raised:
        read_explanations(folder(tmp_path, en=text))
    told = str(raised.value)
    assert said in told
    first = raised.value.faults[0]
    assert first.file == "explanations/en.toml"
    if "no entry" not in said:
        assert abs(first.line - line) <= 1  # a header, or the key of an array, is the line before what is wrong


def test_a_language_that_lacks_an_entry_is_not_used(tmp_path: Path) -> None:
    start, end = shipped("de").index("[rules.filled-twice]"), shipped("de").index("[rules.worse-since-given]")
    german = shipped("de")[:start] + shipped("de")[end:]
    with pytest.raises(RulesError, match=r"de\.toml:\d+:\d+: has no entry 'filled-twice', which en\.toml has"):
        read_explanations(folder(tmp_path, en=shipped("en"), de=german))


def test_a_language_that_says_more_or_less_of_help_is_not_used(tmp_path: Path) -> None:
    german = shipped("de").replace('\nhelp = "Holen Sie sofort Hilfe, wenn es Ihnen viel schlechter geht."', "", 1)
    assert german != shipped("de")
    with pytest.raises(RulesError, match=r"'help' is said here or in en\.toml only"):
        read_explanations(folder(tmp_path, en=shipped("en"), de=german))
