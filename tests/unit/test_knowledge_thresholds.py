"""Values at which a medicine matters: the numbers against their sources, and what the loader refuses."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from knowledge.threshold import Step, gravest
from schemas.values import SEVERITIES
from tests.support.knowledge import SHIPPED, copy_knowledge

KNOWLEDGE = load()
THRESHOLDS = KNOWLEDGE.thresholds
UNITS = {analyte.name: analyte for analyte in KNOWLEDGE.analytes.values()}


def by_result(rule: str, ingredient: str, analyte: str, value: float) -> str:
    """The severity of a rule for one result, when nothing else is known of the patient."""
    holding = [
        step
        for step in THRESHOLDS.steps_of.get(ingredient, ())
        if step.rule == rule
        and all(each.kind == "result" and each.name == analyte and each.compares(value) for each in step.when)
    ]
    found = gravest(holding)
    return found.severity if found is not None else ""


# UK Kidney Association 2023 (5.5, 6.0, 6.5); FDA labels of eplerenone, lithium, metformin, clozapine, phenytoin, tacrolimus;
# CHEST 2012 (INR 4.5, 5, 10); ISTH 2018 (platelets 50, 25); ADA (glucose 70, 54); SPS (digoxin 1.5, 2.0, 3.0)
@pytest.mark.parametrize(
    ("rule", "ingredient", "analyte", "value", "severity"),
    [
        ("potassium-raised", "lisinopril", "potassium", 5.4, ""),
        ("potassium-raised", "lisinopril", "potassium", 5.5, "moderate"),
        ("potassium-raised", "lisinopril", "potassium", 6.0, "high"),
        ("potassium-raised", "lisinopril", "potassium", 6.4, "high"),
        ("potassium-raised", "lisinopril", "potassium", 6.5, "critical"),
        ("potassium-replaced-while-high", "potassium chloride", "potassium", 5.0, ""),
        ("potassium-replaced-while-high", "potassium chloride", "potassium", 5.1, "moderate"),
        ("potassium-replaced-while-high", "potassium chloride", "potassium", 5.5, "high"),
        ("potassium-replaced-while-high", "potassium chloride", "potassium", 6.0, "critical"),
        ("potassium-contraindicates", "eplerenone", "potassium", 5.5, ""),
        ("potassium-contraindicates", "eplerenone", "potassium", 5.6, "high"),
        ("digoxin-electrolytes", "digoxin", "potassium", 3.5, ""),
        ("digoxin-electrolytes", "digoxin", "potassium", 3.4, "moderate"),
        ("digoxin-electrolytes", "digoxin", "potassium", 2.9, "high"),
        ("digoxin-level", "digoxin", "digoxin", 1.4, ""),
        ("digoxin-level", "digoxin", "digoxin", 1.5, "info"),
        ("digoxin-level", "digoxin", "digoxin", 2.0, "info"),
        ("digoxin-level", "digoxin", "digoxin", 2.1, "high"),
        ("digoxin-level", "digoxin", "digoxin", 3.0, "high"),
        ("digoxin-level", "digoxin", "digoxin", 3.1, "critical"),
        ("anticoagulant-platelets", "warfarin", "platelets", 50, ""),
        ("anticoagulant-platelets", "warfarin", "platelets", 49, "critical"),
        ("anticoagulant-platelets", "apixaban", "platelets", 49, "critical"),
        ("anticoagulant-platelets", "heparin", "platelets", 49, "high"),
        ("anticoagulant-platelets", "heparin", "platelets", 25, "high"),
        ("anticoagulant-platelets", "enoxaparin", "platelets", 24, "critical"),
        ("warfarin-inr", "warfarin", "INR", 4.4, ""),
        ("warfarin-inr", "warfarin", "INR", 4.5, "moderate"),
        ("warfarin-inr", "warfarin", "INR", 5, "high"),
        ("warfarin-inr", "warfarin", "INR", 10, "high"),
        ("warfarin-inr", "warfarin", "INR", 10.1, "critical"),
        ("lithium-level", "lithium", "lithium", 1.2, ""),
        ("lithium-level", "lithium", "lithium", 1.3, "moderate"),
        ("lithium-level", "lithium", "lithium", 1.5, "critical"),
        ("clozapine-neutrophils", "clozapine", "neutrophils", 1.5, ""),
        ("clozapine-neutrophils", "clozapine", "neutrophils", 1.4, "high"),
        ("clozapine-neutrophils", "clozapine", "neutrophils", 0.9, "critical"),
        ("glucose-lowered", "glipizide", "glucose", 70, ""),
        ("glucose-lowered", "glipizide", "glucose", 69, "moderate"),
        ("glucose-lowered", "glipizide", "glucose", 53, "high"),
        ("glucose-lowered", "glipizide", "glucose", 39, "critical"),
        ("phenytoin-level", "phenytoin", "phenytoin", 20, ""),
        ("phenytoin-level", "phenytoin", "phenytoin", 21, "moderate"),
        ("phenytoin-level", "fosphenytoin", "phenytoin", 31, "high"),
        ("phenytoin-level", "phenytoin", "phenytoin", 41, "critical"),
        ("vancomycin-level", "vancomycin", "vancomycin", 20, ""),
        ("vancomycin-level", "vancomycin", "vancomycin", 20.1, "moderate"),
        ("aminoglycoside-level", "gentamicin", "gentamicin", 2.1, "moderate"),
        ("aminoglycoside-level", "gentamicin", "gentamicin", 2.6, "high"),
        ("tacrolimus-level", "tacrolimus", "tacrolimus", 20, ""),
        ("tacrolimus-level", "tacrolimus", "tacrolimus", 20.1, "high"),
        ("theophylline-level", "aminophylline", "theophylline", 20.1, "high"),
        ("theophylline-level", "theophylline", "theophylline", 25.1, "critical"),
    ],
)
def test_the_level_of_a_value_on_both_sides_of_its_limit(
    rule: str, ingredient: str, analyte: str, value: float, severity: str
) -> None:
    assert by_result(rule, ingredient, analyte, value) == severity


@pytest.mark.parametrize(
    ("rule", "medicine", "when", "severity"),
    [
        ("metformin-kidney", "metformin", "egfr < 30", "high"),
        ("metformin-kidney", "metformin", "egfr < 45", "moderate"),
        ("metformin-lactate", "metformin", "lactate > 5 within 24 h|pH < 7.35 within 24 h", "critical"),
        ("lithium-kidney", "lithium", "egfr < 30", "high"),
        ("heparin-platelets", "heparin", "platelets drop > 50 % within 14 d", "high"),
        ("anticoagulant-hemoglobin", "doac", "hemoglobin fall >= 2 within 24 h", "high"),
        ("warfarin-inr", "vitamin-k-antagonist", "INR >= 5|with nsaid", "critical"),
        ("lithium-level", "lithium", "lithium > 1.2|with thiazide-diuretic", "high"),
        ("potassium-raised", "potassium-raising", "potassium >= 5.5|with potassium-raising", "high"),
        ("sodium-corrected-too-fast", "tolvaptan", "sodium rise > 12 within 24 h", "critical"),
        ("valproate-level", "valproate", "valproate > 135", "high"),
    ],
)
def test_a_level_that_rests_on_more_than_one_result(rule: str, medicine: str, when: str, severity: str) -> None:
    found = [
        step.severity
        for step in THRESHOLDS.steps
        if (step.rule, step.medicine) == (rule, medicine) and "|".join(each.text for each in step.when) == when
    ]
    assert found == [severity]


def alone(step: Step) -> tuple[str, str, str, str] | None:
    """What a step with one result alone is about; None for every other."""
    (first, *more) = step.when
    same = (step.rule, step.medicine, first.name, first.op[0])
    return same if not more and first.kind == "result" and not step.unless else None


def test_a_graver_step_lies_farther_out() -> None:
    courses: dict[tuple[str, str, str, str], list[Step]] = {}
    for step in THRESHOLDS.steps:
        if (key := alone(step)) is not None:
            courses.setdefault(key, []).append(step)
    assert sum(len(steps) > 1 for steps in courses.values()) > 20
    for (_, _, _, side), steps in courses.items():
        steps.sort(key=lambda step: step.when[0].value, reverse=side == ">")
        ranks = [SEVERITIES.index(step.severity) for step in steps]
        assert ranks == sorted(ranks), [step.title for step in steps]


def test_every_step_has_a_medicine_and_a_value_that_can_be() -> None:
    assert {step.family for step in THRESHOLDS.steps} == {4, 10, 12}
    for step in THRESHOLDS.steps:
        assert step.ingredients, step.medicine
        for each in (*step.when, *step.unless):
            if each.kind == "result":
                low, high = UNITS[each.name].plausible
                assert low < each.value < high, each.text


def test_problems_are_those_that_other_rules_name_and_only_the_work_list_waits() -> None:
    assert {step.problem for step in THRESHOLDS.steps} == {
        "", "potassium:high", "potassium:low", "glucose:low", "sodium:high", "sodium:low", "bleeding", "digoxin-toxicity",
        "lithium-toxicity", "heparin-thrombocytopenia", "metformin:kidney",
    }  # fmt: skip
    assert {step.severity for step in THRESHOLDS.steps if step.grace} == {"moderate"}


def test_what_pages_was_read_in_a_source() -> None:
    """Where it was not, the row only adds to one that was: a higher level by another result, or a step of ours above it."""
    unread = {step.title for step in THRESHOLDS.steps if step.severity == "critical" and step.status == "unverified"}
    assert unread == {
        *(
            step.title
            for step in THRESHOLDS.steps
            if step.rule == "anticoagulant-hemoglobin" and step.severity == "critical"
        ),
        "INR of 5 or more with a vitamin K antagonist and an antiplatelet",
        "INR of 5 or more with a vitamin K antagonist and an NSAID",
        "INR of 5 or more with a vitamin K antagonist after gastrointestinal bleeding",
        "digoxin above 2.0 with kidney injury",
        "neutrophils below 0.5 with methotrexate",
        "glucose below 40 mg/dL with insulin",
        "glucose below 40 mg/dL with a sulfonylurea",
    }


def test_a_trough_is_asked_for_where_only_a_trough_says_anything() -> None:
    drawn = {step.rule for step in THRESHOLDS.steps if step.drawn}
    assert drawn == {"vancomycin-level", "aminoglycoside-level"}
    codes = {analyte.name for analyte in KNOWLEDGE.analytes.values() if analyte.drawn == "trough"}
    assert {"vancomycin", "gentamicin", "tobramycin"} <= codes


def test_a_title_fits_the_first_140_characters_with_a_name_and_a_value() -> None:
    assert max(len(step.title) for step in (*THRESHOLDS.steps, *THRESHOLDS.liver)) <= 100


def test_no_patient_is_told_to_stop_a_medicine_alone() -> None:
    for step in (*THRESHOLDS.steps, *THRESHOLDS.liver):
        text = step.patient_explanation
        assert re.search(r"[Dd]o not (stop|change|take)", text), text
        without = re.sub(r"[Dd]o not (stop|change|skip|take)[^.;]*[.;]", "", text)
        assert not re.search(r"\b(stop|skip|quit)\b", without, re.IGNORECASE), text


def test_the_parts_of_the_four_ts() -> None:
    # Lo 2006: two points for a fall of more than half with a lowest count of 20 or more, one for 30 to 50 % or 10 to 19
    parts = [part for part in THRESHOLDS.scores if part.score == "4ts"]
    assert {part.part for part in parts} == {"thrombocytopenia", "timing", "thrombosis", "other causes"}
    assert {part.points for part in parts} == {1, 2}
    falls = [(part.points, [each.text for each in part.when]) for part in parts if part.part == "thrombocytopenia"]
    assert (2, ["platelets drop > 50 % within 14 d", "platelets >= 20"]) in falls
    assert (1, ["platelets drop >= 30 % within 14 d", "platelets >= 10"]) in falls
    assert {band.points_from: band.title for band in THRESHOLDS.bands if band.score == "4ts"} == {
        0: "low probability",
        4: "intermediate probability",
        6: "high probability",
    }


def test_the_tisdale_score() -> None:
    # Tisdale 2013: 1 each for age, sex, loop diuretic; 2 each for potassium, QTc, infarction; 3 each for sepsis, heart failure,
    # one QT medicine and a second: 21 at most; low to 6, moderate to 10, high from 11
    most: dict[str, int] = {}
    for part in THRESHOLDS.scores:
        if part.score == "tisdale":
            most[part.part] = max(part.points, most.get(part.part, 0))
    assert sum(most.values()) == 21
    assert most["QT medicines"] == 6
    assert sorted(most.values()) == [1, 1, 1, 2, 2, 2, 3, 3, 6]
    bands = [band.points_from for band in THRESHOLDS.bands if band.score == "tisdale"]
    assert bands == [0, 7, 11]
    (potassium,) = [part for part in THRESHOLDS.scores if part.part == "potassium"]
    assert [each.compares(3.5) and not each.compares(3.6) for each in potassium.when] == [True]


def test_hys_law_and_the_stopping_rules() -> None:
    (hy,) = [step for step in THRESHOLDS.liver if step.rule == "hys-law"]
    assert (hy.enzyme_over, hy.bilirubin_over, hy.alkaline_phosphatase_under, hy.severity) == (3, 2, 2, "high")
    stops = {
        (step.enzyme_over, step.inr_over, step.for_over_days) for step in THRESHOLDS.liver if step.rule == "liver-stop"
    }
    assert stops == {(8, None, None), (5, None, 14), (3, 1.5, None)}
    assert THRESHOLDS.upper_limits == {"ALT": 40, "AST": 40, "alkaline phosphatase": 120, "bilirubin": 1.2}


def test_phenytoin_as_if_albumin_were_normal() -> None:
    normal, kidney, dialysis = THRESHOLDS.corrections
    # worked by hand: 8 / (0.2 x 2.0 + 0.1) = 16; in kidney failure 8 / (0.1 x 2.0 + 0.1) = 26.7
    assert 8 / (normal.slope * 2.0 + normal.intercept) == pytest.approx(16)
    assert 8 / (kidney.slope * 2.0 + kidney.intercept) == pytest.approx(26.7, abs=0.05)
    assert (dialysis.slope, dialysis.intercept) == (kidney.slope, kidney.intercept)


def test_a_statement_has_an_author_a_grade_and_a_source() -> None:
    files = [file for file in (SHIPPED / "drug_labs").glob("*.csv") if file.name != "left_out.csv"]
    assert len(files) >= 8
    for file in files:
        for row in csv.DictReader(file.read_text("utf-8").splitlines()):
            assert row["author"], file.name
            assert row["evidence_grade"], file.name
            assert row["status"] == "unverified" or set(row["sources"].split("|")) - {"rxvigil"}, row


@pytest.mark.parametrize(
    ("file", "row", "column"),
    [
        ("steps", "r,4,,kryptonite,potassium > 9,,,high,,t,e,a,p,g,unverified,a,rxvigil", "medicine"),
        ("steps", "r,4,,digoxin,kryptonite > 9,,,high,,t,e,a,p,g,unverified,a,rxvigil", "when"),
        ("steps", "r,4,,digoxin,potassium > lots,,,high,,t,e,a,p,g,unverified,a,rxvigil", "when"),
        ("steps", "r,4,,digoxin,potassium > 9,history boredom,,high,,t,e,a,p,g,unverified,a,rxvigil", "unless"),
        ("steps", "r,4,,digoxin,potassium > 9,,noon,high,,t,e,a,p,g,unverified,a,rxvigil", "drawn"),
        ("steps", "r,5,,digoxin,potassium > 9,,,high,,t,e,a,p,g,unverified,a,rxvigil", "family"),
        ("steps", "lithium-level,4,,lithium,lithium > 9,,,high,,t,e,a,p,g,unverified,a,rxvigil", "family"),
        ("steps", "lithium-level,12,,lithium,lithium >= 1.5,,,high,,t,e,a,p,g,unverified,a,rxvigil", "when"),
        ("liver_injury", "r,0.5,,,,,high,t,e,a,p,g,unverified,a,rxvigil", "enzyme_over"),
        ("steps", "r,4,,digoxin,potassium > 9,,,high,soon,t,e,a,p,g,unverified,a,rxvigil", "grace"),
        ("scores", "apgar,colour,2,,t,g,unverified,a,rxvigil", "score"),
        ("corrections", "phenytoin,kryptonite,1,1,crcl < 9,t,g,unverified,a,rxvigil", "by"),
        ("upper_limits", "ALT,furlongs,40,g,unverified,a,rxvigil", "unit"),
        ("upper_limits", "ALT,U/L,41,g,unverified,a,rxvigil", "analyte"),
    ],
)
def test_a_row_that_contradicts_is_refused_with_its_place(tmp_path: Path, file: str, row: str, column: str) -> None:
    path = copy_knowledge(tmp_path) / f"drug_labs/{file}.csv"
    path.write_text(path.read_text("utf-8") + row + "\n", "utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load_from(tmp_path)
    assert (caught.value.file, caught.value.column) == (f"drug_labs/{file}.csv", column)
    assert caught.value.line == len(path.read_text("utf-8").splitlines())
