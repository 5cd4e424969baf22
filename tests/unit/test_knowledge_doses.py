"""Doses: the numbers against the labels, what the loader refuses, and what no table of doses may contradict."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from knowledge.dose import HepaticStep, Interval, Limit, RenalStep, amount, band
from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from schemas.values import SEVERITIES
from tests.support.knowledge import copy_knowledge

KNOWLEDGE = load()
DOSES = KNOWLEDGE.doses
LIMITS = [each for of_one in DOSES.limits.values() for each in of_one]
RENAL = [each for of_one in DOSES.renal.values() for each in of_one]
HEPATIC = [each for of_one in DOSES.hepatic.values() for each in of_one]

# CDC guideline of 2022 (MMWR Recomm Rep 2022;71(RR-3)), table of conversion factors
MME = {
    ("codeine", "oral"): 0.15,
    ("fentanyl", "transdermal"): 2.4,
    ("hydrocodone", "oral"): 1,
    ("hydromorphone", "oral"): 5,
    ("methadone", "oral"): 4.7,
    ("morphine", "oral"): 1,
    ("oxycodone", "oral"): 1.5,
    ("oxymorphone", "oral"): 3,
    ("tapentadol", "oral"): 0.4,
    ("tramadol", "oral"): 0.2,
}

# labels, section 2: (ingredient, kind, conditions) to the maximum as its text says it
LABELS = {
    ("acetaminophen", "any_24h", ()): "4 g",
    ("acetaminophen", "any_24h", ("age >= 2 years", "weight < 50 kg")): "75 mg/kg",
    ("acetaminophen", "any_24h", ("age >= 29 days", "age < 2 years")): "60 mg/kg",
    ("acetaminophen", "any_24h", ("age < 29 days",)): "50 mg/kg",
    ("ketorolac", "any_24h", ("age >= 65 years",)): "60 mg",
    ("tramadol", "any_24h", ()): "400 mg",
    ("tramadol", "any_24h", ("age > 75 years",)): "300 mg",
    ("colchicine", "single", ()): "1.2 mg",
    ("citalopram", "daily", ()): "40 mg",
    ("citalopram", "daily", ("age > 60 years",)): "20 mg",
    ("simvastatin", "daily", ()): "40 mg",
    ("metformin", "daily", ()): "2550 mg",
    ("dofetilide", "daily", ()): "1 mg",
    ("digoxin", "daily", ()): "0.5 mg",
    ("phenytoin", "rate", ()): "50 mg/min",
    ("potassium chloride", "rate", ("potassium > 2.5",)): "10 mEq/h",
    ("potassium chloride", "rate", ()): "40 mEq/h",
    ("magnesium sulfate", "any_24h", ()): "40 g",
    ("amphotericin b", "any_24h", ()): "1.5 mg/kg",
    ("valproate", "daily", ()): "60 mg/kg",
}


def renal(ingredient: str, clearance: float, indication: str | None = None) -> set[tuple[str, str, float | None]]:
    """Step, formula and daily maximum of what holds at a clearance, without rows that ask for more than the clearance."""
    return {
        (each.step, each.formula, each.max_daily.value if each.max_daily else None)
        for each in DOSES.renal[ingredient]
        if each.range is not None and each.range.holds(clearance) and not each.when
        if each.indication == indication
    }


@pytest.mark.parametrize(("of", "text"), LABELS.items(), ids=str)
def test_a_maximum_is_that_of_the_label(of: tuple[str, str, tuple[str, ...]], text: str) -> None:
    ingredient, kind, when = of
    found = {
        each.max.text
        for each in DOSES.limits[ingredient]
        if each.kind == kind and each.indication is None and tuple(c.text for c in each.when) == when and each.max
    }
    assert text in found


def test_apixaban_is_halved_in_atrial_fibrillation_when_two_of_three_are_met_and_never_by_clearance() -> None:
    halved = [each for each in DOSES.limits["apixaban"] if each.max is not None and each.max.value == 5]
    three = {"age >= 80 years", "weight <= 60 kg", "creatinine >= 1.5"}
    assert {frozenset(c.text for c in each.when) for each in halved} == {
        frozenset(two) for two in combinations(three, 2)
    }
    assert {each.indication for each in halved} == {"atrial_fibrillation"}
    assert "apixaban" not in DOSES.renal


@pytest.mark.parametrize(
    ("ingredient", "clearance", "indication", "said"),
    [
        ("rivaroxaban", 51, "atrial_fibrillation", set()),
        ("rivaroxaban", 50, "atrial_fibrillation", {("limit", "crcl_actual", 15)}),
        ("rivaroxaban", 14.9, "venous_thromboembolism", {("avoid", "crcl_actual", None)}),
        ("rivaroxaban", 20, "venous_thromboembolism", set()),
        ("dabigatran", 31, "atrial_fibrillation", set()),
        ("dabigatran", 30, "atrial_fibrillation", {("limit", "crcl_actual", 150)}),
        ("dabigatran", 30, "venous_thromboembolism", {("avoid", "crcl_actual", None)}),
        ("edoxaban", 95, "atrial_fibrillation", set()),
        ("edoxaban", 95.1, "atrial_fibrillation", {("avoid", "crcl_actual", None)}),
        ("edoxaban", 95.1, "venous_thromboembolism", set()),
        ("edoxaban", 50, "venous_thromboembolism", {("limit", "crcl_actual", 30)}),
        ("enoxaparin", 30, "prophylaxis", set()),
        ("enoxaparin", 29.9, "prophylaxis", {("limit", "crcl", 30)}),
        ("fondaparinux", 29.9, None, {("contraindicated", "crcl", None)}),
        ("metformin", 45, None, set()),
        ("metformin", 44.9, None, {("reduce", "egfr", None)}),
        ("metformin", 30, None, {("reduce", "egfr", None)}),
        ("metformin", 29.9, None, {("contraindicated", "egfr", None)}),
        ("dofetilide", 61, None, set()),
        ("dofetilide", 40, None, {("limit", "crcl_actual", 0.5)}),
        ("dofetilide", 39.9, None, {("limit", "crcl_actual", 0.25)}),
        ("dofetilide", 19.9, None, {("contraindicated", "crcl_actual", None)}),
        ("pregabalin", 60, None, set()),
        ("pregabalin", 30, None, {("limit", "crcl", 300)}),
        ("pregabalin", 29.9, None, {("limit", "crcl", 150)}),
        ("pregabalin", 14.9, None, {("limit", "crcl", 75)}),
        ("lithium", 29.9, None, {("avoid", "crcl", None)}),
        ("trimethoprim", 15, None, {("reduce", "crcl", None)}),
        ("trimethoprim", 14.9, None, {("avoid", "crcl", None)}),
    ],
)
def test_the_steps_of_the_kidney_on_both_sides(
    ingredient: str, clearance: float, indication: str | None, said: set[tuple[str, str, float | None]]
) -> None:
    assert renal(ingredient, clearance, indication) == said


def test_light_weight_halves_edoxaban_in_venous_thrombosis_only() -> None:
    (light,) = [each for each in DOSES.limits["edoxaban"] if each.when]
    assert ([c.text for c in light.when], light.indication) == (["weight <= 60 kg"], "venous_thromboembolism")
    assert light.max is not None
    assert light.max.value == 30


def test_the_morphine_equivalents_are_those_of_2022() -> None:
    counted = [each for of_one in DOSES.opioids.values() for each in of_one if each.factor is not None]
    assert {(each.ingredient, *each.ways): each.factor for each in counted} == MME
    assert [each.unit for each in counted if each.ingredient == "fentanyl"] == ["mcg/h"]
    # the guideline's own examples: 20 mg of oxycodone a day are 30, 20 mg of hydrocodone 20
    assert (20 * MME["oxycodone", "oral"], 20 * MME["hydrocodone", "oral"]) == (30, 20)
    assert {each.ingredient for each in counted} <= KNOWLEDGE.properties["opioid"].keys()


def test_an_opioid_that_is_not_counted_is_not_nothing() -> None:
    for each in DOSES.opioids["buprenorphine"]:
        assert each.factor is None
        assert each.note.startswith("not counted")
    assert all(each.note.startswith("unknown") for each in DOSES.opioids["morphine"] if "intravenous" in each.ways)


def test_what_is_weekly_is_named_with_the_dose_from_which() -> None:
    (methotrexate,) = DOSES.intervals["methotrexate"]
    assert (methotrexate.min_interval_d, methotrexate.severity, methotrexate.unless_protocol) == (7, "critical", True)
    assert "intravenous" not in methotrexate.ways
    # 40 mg of alendronate a day is right in Paget's disease
    doses = [
        (each.dose_from.value, each.dose_to.value if each.dose_to else None)
        for each in DOSES.intervals["alendronate"]
        if each.dose_from
    ]
    assert sorted(doses, key=lambda pair: pair[0]) == [(35, 35), (70, None)]


def test_no_two_steps_of_one_kind_hold_at_once() -> None:
    def about(step: RenalStep) -> tuple[object, ...]:
        return step.ingredient, step.ways, step.form, step.indication, tuple(c.text for c in step.when)

    points = [n / 2 for n in range(260)]
    for one, other in combinations([each for each in RENAL if each.range is not None], 2):
        if about(one) == about(other) and one.range and other.range:
            assert not [p for p in points if one.range.holds(p) and other.range.holds(p)], about(one)


def test_less_clearance_never_permits_more() -> None:
    for one, other in combinations([each for each in RENAL if each.range and each.max_daily], 2):
        same = (one.ingredient, one.ways, one.indication) == (other.ingredient, other.ways, other.indication)
        if same and one.range and other.range and one.max_daily and other.max_daily:
            worse, better = sorted((one, other), key=lambda each: each.range.low if each.range else 0)
            assert worse.max_daily and better.max_daily
            assert worse.max_daily.value <= better.max_daily.value, one.ingredient
            assert SEVERITIES.index(worse.severity) <= SEVERITIES.index(better.severity), one.ingredient


def test_a_step_allows_no_more_than_the_limit_of_everybody() -> None:
    for step in [*RENAL, *HEPATIC]:
        for limit in DOSES.limits.get(step.ingredient, ()):
            if limit.when or limit.kind not in ("daily", "any_24h") or limit.max is None or step.max_daily is None:
                continue
            if limit.ways and not limit.ways & step.ways:
                continue
            if limit.max.per_kg == step.max_daily.per_kg:
                assert step.max_daily.value <= limit.max.value, step.ingredient


def test_a_condition_only_narrows_what_everybody_may_have() -> None:
    for limit in LIMITS:
        for general in DOSES.limits[limit.ingredient]:
            same = (general.kind, general.precise, general.ways, general.form) == (
                limit.kind, limit.precise, limit.ways, limit.form
            )  # fmt: skip
            if (
                general.when
                or general.indication
                or not limit.when
                or not same
                or limit.max is None
                or general.max is None
            ):
                continue
            if limit.max.per_kg == general.max.per_kg:
                assert limit.max.value <= general.max.value, limit.ingredient


def test_ten_times_too_much_is_always_graver_than_a_little() -> None:
    for limit in LIMITS:
        if limit.kind != "contraindicated" and limit.severity != "critical":
            assert limit.graver_from is not None, limit.ingredient
            assert limit.graver_from <= 10, limit.ingredient


def test_what_is_called_verified_rests_on_a_source_that_was_read() -> None:
    intervals = [each for of_one in DOSES.intervals.values() for each in of_one]
    stated: list[Limit | RenalStep | HepaticStep | Interval] = [*LIMITS, *RENAL, *HEPATIC, *intervals]
    for each in stated:
        read = {citation.status for citation in each.citations}
        assert each.status == "unverified" or "verified" in read, each.ingredient


def test_the_salt_of_naproxen_has_the_dose_of_its_base() -> None:
    base, salt = (each.max.value for each in DOSES.limits["naproxen"] if each.max is not None)
    assert salt * 500 / 550 == pytest.approx(base)


@pytest.mark.parametrize(
    ("text", "value", "unit", "per_kg", "per_hour"),
    [
        ("4 g", 4000, "mg", False, False),
        ("300 mcg", 0.3, "mg", False, False),
        ("12.5 mg/kg", 12.5, "mg", True, False),
        ("10 mEq/h", 10, "mEq", False, True),
        ("50 mg/min", 3000, "mg", False, True),
        ("3 mg/kg/min", 180, "mg", True, True),
        ("5000 units", 5000, "units", False, False),
    ],
)
def test_an_amount_is_read_in_milligrams_an_hour(
    text: str, value: float, unit: str, per_kg: bool, per_hour: bool
) -> None:
    read = amount(text)
    assert (read.value, read.unit, read.per_kg, read.per_hour) == (value, unit, per_kg, per_hour)


def test_an_amount_for_each_kilogram_needs_a_weight() -> None:
    assert amount("75 mg/kg").of(40) == 3000
    assert amount("75 mg/kg").of(None) is None
    assert amount("4 g").of(None) == 4000


@pytest.mark.parametrize("text", ["", "4", "4g", "-1 mg", "0 mg", "1,000 mg", "4 grams", "10 mg/day", "1 mg/m2"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        amount(text)


@pytest.mark.parametrize(
    ("text", "holds", "not_"),
    [
        ("< 30", (0, 29.9), (30,)),
        ("<= 30", (0, 30), (30.1,)),
        ("> 95", (95.1, 200), (95,)),
        ("15 to 50", (15, 50), (14.9, 50.1)),
        ("30 to < 60", (30, 59.9), (29.9, 60)),
    ],
)
def test_a_range_holds_what_it_says(text: str, holds: tuple[float, ...], not_: tuple[float, ...]) -> None:
    read = band(text)
    assert [each for each in holds if not read.holds(each)] == []
    assert [each for each in not_ if read.holds(each)] == []


@pytest.mark.parametrize("text", ["30", "30-60", "60 to 30", "30 to 30", ">= 30", "< x"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|ends before"):
        band(text)


@pytest.mark.parametrize(
    ("route", "form", "way"),
    [
        ("PO", "", "oral"),
        ("po/ng", "tablet", "oral"),
        ("", "Extended Release Oral Tablet", "oral"),
        (" IVPB ", "injectable solution", "intravenous"),
        ("SC", "prefilled syringe", "subcutaneous"),
        ("SL", "tablet", "sublingual"),
        ("", "sublingual film", "sublingual"),
        ("TP", "patch", "transdermal"),
        ("", "transdermal system", "transdermal"),
        ("PO", "patch", None),
        ("", "injectable solution", None),
        ("injected", "", None),
        ("", "", None),
    ],
)
def test_how_a_dose_gets_in(route: str, form: str, way: str | None) -> None:
    assert DOSES.way_of(route, form) == way


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_knowledge(tmp_path)


LIMIT = "ask,label,verified,rxvigil,dosing-apixaban"
STEP = "moderate,ask,label,verified,rxvigil,dosing-apixaban"


@pytest.mark.parametrize(
    ("file", "row", "column", "said"),
    [
        ("limits.csv", f"apixabane,,,,daily,20 mg,,,high,2,,{LIMIT}", "ingredient", "no ingredient"),
        ("limits.csv", f"Apixaban,,,,daily,20 mg,,,high,2,,{LIMIT}", "ingredient", "'apixaban'"),
        ("limits.csv", f"apixaban,,,,daily,21 mg,,,high,2,,{LIMIT}", "ingredient", "further up"),
        ("limits.csv", f"apixaban,apixaban acetate,,,daily,20 mg,,,high,2,,{LIMIT}", "precise", "no salt"),
        ("limits.csv", f"apixaban,,by mouth,,daily,20 mg,,,high,2,,{LIMIT}", "ways", "intravenous"),
        ("limits.csv", f"apixaban,,oral,,daily,20 pills,,,high,2,,{LIMIT}", "max", "no amount"),
        ("limits.csv", f"apixaban,,oral,,daily,,,,high,2,,{LIMIT}", "max", "has a maximum"),
        ("limits.csv", f"apixaban,,oral,,rate,20 mg,,,high,2,,{LIMIT}", "max", "for an hour"),
        ("limits.csv", f"apixaban,,oral,,daily,20 mg/h,,,high,2,,{LIMIT}", "max", "for an hour"),
        ("limits.csv", f"apixaban,,oral,,contraindicated,,,,high,,,{LIMIT}", "when", "for whom"),
        ("limits.csv", f"apixaban,,oral,,daily,20 mg,full moon,,high,2,,{LIMIT}", "when", "full moon"),
        ("limits.csv", f"apixaban,,oral,,daily,20 mg,kryptonite > 5,,high,2,,{LIMIT}", "when", "kryptonite"),
        ("limits.csv", f"apixaban,,oral,,daily,20 mg,,,high,1,,{LIMIT}", "graver_from", "above 1"),
        ("limits.csv", f"apixaban,,oral,,daily,20 mg,,,critical,2,,{LIMIT}", "graver_from", "graver"),
        ("limits.csv", f"apixaban,,oral,,daily,20 mg,,,high,2,0.1,{LIMIT}", "rounding", "for each kg"),
        ("limits.csv", f"apixaban,,oral,,daily,2 mg/kg,,,high,2,1.1,{LIMIT}", "rounding", "a tenth"),
        ("limits.csv", f"apixaban,,oral,,rate,2 mg/kg/h,,,high,2,0.1,{LIMIT}", "rounding", "a rate has none"),
        ("renal.csv", f"apixaban,,,crcl,30 - 50,,,limit,,10 mg,,,{STEP}", "range", "no range"),
        ("renal.csv", f"apixaban,,,crcl,,,,limit,,10 mg,,,{STEP}", "range", "dialysis"),
        ("renal.csv", f"apixaban,,,crcl,< 30,,,limit,,,,,{STEP}", "step", "a limit"),
        ("renal.csv", f"apixaban,,,crcl,< 30,,,avoid,,10 mg,,,{STEP}", "step", "a limit"),
        ("renal.csv", f"apixaban,,,crcl,< 30,,,limit,,,0,,{STEP}", "min_interval_h", "more than nothing"),
        ("hepatic.csv", f"apixaban,,,D,,avoid,,,,{STEP}", "child_pugh", "none of A, B, C"),
        ("hepatic.csv", f"apixaban,,,,,avoid,,,,{STEP}", "child_pugh", ""),
        ("intervals.csv", f"apixaban,,,,,1,false,{STEP}", "min_interval_d", "every day"),
        ("intervals.csv", f"apixaban,,,,5 mg,7,false,{STEP}", "dose_to", "beside a dose_from"),
        ("opioids.csv", "apixaban,,mg,,,label,verified,rxvigil,dosing-apixaban", "note", "no factor"),
        ("opioids.csv", "apixaban,,mg,-1,,label,verified,rxvigil,dosing-apixaban", "factor", "more than nothing"),
        (
            "opioid_levels.csv",
            "high,0,high,ask,label,verified,rxvigil,dosing-apixaban",
            "mme_a_day",
            "more than nothing",
        ),
        ("ways.csv", "down the hatch,oral,rxvigil", "word", "routes.csv"),
        ("left_out.csv", "apixaban,dose,because,nobody-2020", "sources", "nobody-2020"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused_with_its_place(
    root: Path, file: str, row: str, column: str, said: str
) -> None:
    path = root / "dosing" / file
    text = path.read_text("utf-8")
    path.write_text(f"{text}{row}\n", "utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load_from(root)
    error = caught.value
    assert (error.file, error.line, error.column) == (f"dosing/{file}", len(text.splitlines()) + 1, column)
    assert said in str(error)
