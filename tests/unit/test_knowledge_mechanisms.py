"""Mechanisms and low-priority pairs: what the loader refuses, how contexts decide, and the data against what was published."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from knowledge.conditions import Condition
from knowledge.loader import load, load_from
from knowledge.mechanism import Combination, Context, Mechanism, Mechanisms
from knowledge.reading.tables import KnowledgeError
from knowledge.statement import Step
from tests.support.knowledge import copy_knowledge

KNOWLEDGE = load()
ALL = KNOWLEDGE.mechanisms
FOLDER = Path(__file__).parents[2] / "knowledge"
OWN = ("mechanisms", "mechanism_context", "passive", "passive_context")


def rows(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def among(*ingredients: str) -> dict[str, Combination]:
    return {each.mechanism.id: each for each in ALL.among(set(ingredients))}


def conditions(mechanism: str, *, severity: Step | None = None) -> set[str]:
    """The contexts of a mechanism, each as its conditions joined; only those of one severity, where it is given."""
    contexts = ALL.by_id[mechanism].contexts
    return {" & ".join(c.text for c in each.when) for each in contexts if severity in (None, each.severity)}


def graded(mechanism: str, *holding: str) -> Step:
    """The severity when exactly these conditions hold."""
    of = ALL.by_id[mechanism]
    return of.graded(each for each in of.contexts if {c.text for c in each.when} <= set(holding))[0]


# --- what the loader refuses


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_knowledge(tmp_path)


def change(root: Path, file: str, line: int, column: str, cell: str) -> None:
    path = root / "interactions" / file
    with path.open(encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        names, content = list(reader.fieldnames or ()), list(reader)
    content[line - 2][column] = cell
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(content)


@pytest.mark.parametrize(
    ("file", "column", "cell", "said"),
    [
        ("mechanisms.csv", "object", "statins", "'statins'"),
        ("mechanisms.csv", "object", "statin|not atorvastatine", "'atorvastatine'"),
        ("mechanisms.csv", "precipitant", "cyp3a4-inhibitor mild", "'cyp3a4-inhibitor mild'"),
        ("mechanisms.csv", "precipitant", "statin & cheap", "'cheap'"),
        ("mechanisms.csv", "third", "water pill", "'water pill'"),
        ("mechanisms.csv", "severity", "none", "none"),
        ("mechanisms.csv", "id", "warfarin-nsaid", "twice"),
        ("mechanisms.csv", "sources", "hearsay", "hearsay"),
        ("mechanisms.csv", "author", "", "author"),
        ("passive.csv", "id", "warfarin-nsaid", "twice"),
        ("passive.csv", "severity", "moderate", "moderate"),
        ("passive.csv", "onc_number", "", "onc_number"),
        ("mechanism_context.csv", "id", "ace-inhibitor-nsaid", "mechanisms.csv"),
        ("passive_context.csv", "id", "warfarin-nsaid", "passive.csv"),
        ("mechanism_context.csv", "when", "kryptonite > 5", "kryptonite"),
        ("mechanism_context.csv", "when", "history of bleeding", "no condition"),
        ("mechanism_context.csv", "when", "history hiccups", "hiccups"),
        ("mechanism_context.csv", "when", "", "when"),
        ("mechanism_context.csv", "when", "|", "names no condition"),
        ("mechanism_context.csv", "severity", "low", "low"),
        ("passive_left_out.csv", "id", "warfarin-nsaid", "passive.csv"),
        ("passive_left_out.csv", "ingredient", "aspirin", "is a member"),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_its_place(root: Path, file: str, column: str, cell: str, said: str) -> None:
    change(root, file, 2, column, cell)
    with pytest.raises(KnowledgeError) as caught:
        load_from(root)
    # the second of two rows with one id is the one that is refused
    assert (caught.value.file, caught.value.column) == (f"interactions/{file}", column)
    assert caught.value.line == (7 if (file, column) == ("mechanisms.csv", "id") else 2)
    assert said in str(caught.value)


# --- how a mechanism decides


def mechanism(name: str, *sides: str, contexts: tuple[Context, ...] = ()) -> Mechanism:
    roles = ("object", "precipitant", "third")
    return Mechanism(
        id=name, title="", problem="", onc_number=None,
        members={role: frozenset(side.split()) for role, side in zip(roles, sides, strict=False)},
        severity="moderate", contexts=contexts, mechanism="", effect="", onset="", actions=(), monitor=(),
        patient_explanation="", evidence_grade="", status="unverified", citations=(),
    )  # fmt: skip


def context(text: str, severity: Step) -> Context:
    when = (Condition(text=text, kind="trait"),)
    return Context(
        when=when, severity=severity, problem="", reason="", evidence_grade="", status="unverified", citations=()
    )


def test_of_contexts_one_that_silences_decides_else_the_gravest_else_the_row() -> None:
    info, high, critical, silent = (context(s, s) for s in ("info", "high", "critical", "none"))
    of = mechanism("x", "a", "b", contexts=(info, high, critical, silent))
    assert of.graded(()) == ("moderate", None)
    assert of.graded((info,)) == ("info", info)
    assert of.graded((info, high)) == ("high", high)
    assert of.graded((high, critical, info)) == ("critical", critical)
    assert of.graded((critical, silent, high)) == ("none", silent)


def test_a_laboratory_value_names_the_problem_that_other_rules_show_too() -> None:
    of = ALL.by_id["warfarin-nsaid"]
    fall = next(each for each in of.contexts if each.when[0].kind == "course")
    before = next(each for each in of.contexts if each.when[0].text == "history gi-bleed")
    assert of.problem_under(fall) == "bleeding"
    # two causes of bleeding that nobody has seen yet are two things to do
    assert of.problem_under(before) == of.problem_under(None) == ""
    assert ALL.by_id["potassium-raising"].problem_under(None) == "potassium:high"


def test_a_combination_is_found_once_whichever_side_its_medicines_stand_on() -> None:
    both = Mechanisms([mechanism("qt", "a b c", "a b c")])
    found = [each.ingredients for each in both.among({"a", "b", "c", "d"})]
    assert sorted(map(sorted, found)) == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert list(both.among({"a"})) == []


def test_three_medicines_need_all_three_and_one_medicine_fills_one_place() -> None:
    triple = Mechanisms([mechanism("triple", "nsaid", "ace both", "diuretic both")])
    assert list(triple.among({"nsaid", "ace"})) == []
    assert list(triple.among({"nsaid", "both"})) == []
    assert {e.ingredients for e in triple.among({"nsaid", "both", "diuretic"})} == {("nsaid", "both", "diuretic")}


def test_a_pair_with_a_statement_of_its_own_is_left_to_it_but_not_in_a_combination_of_three() -> None:
    two, three = mechanism("two", "a", "b c"), mechanism("three", "a", "b", "c")
    found = [each.mechanism.id for each in Mechanisms([two, three], {("a", "b")}).among({"a", "b", "c"})]
    assert sorted(found) == ["three", "two"]
    assert [each.ingredients for each in Mechanisms([two], {("a", "b")}).among({"a", "b", "c"})] == [("a", "c")]


def test_only_what_changed_is_looked_at_where_that_is_said() -> None:
    some = Mechanisms([mechanism("ab", "a", "b"), mechanism("cd", "c", "d"), mechanism("ad", "a", "d")])
    assert {each.mechanism.id for each in some.among({"a", "b", "c", "d"}, changed={"b"})} == {"ab"}
    assert {each.mechanism.id for each in some.among({"a", "b", "c", "d"}, changed={"d"})} == {"cd", "ad"}
    assert {each.id for each in some.of("a")} == {"ab", "ad"}
    assert some.of("z") == ()


# --- the low-priority pairs

# one combination of each published pair (Phansalkar 2013), by its number
PUBLISHED = {
    1: ("lisinopril", "aspirin"), 2: ("niacin", "simvastatin"), 3: ("metoprolol", "paroxetine"),
    4: ("ferrous sulfate", "omeprazole"), 5: ("hydrochlorothiazide", "enalapril"), 6: ("levothyroxine", "calcium carbonate"),
    7: ("levothyroxine", "atorvastatin"), 8: ("chlorthalidone", "naproxen"), 9: ("propranolol", "liothyronine"),
    10: ("tacrolimus", "prednisone"), 11: ("aluminum hydroxide", "prednisolone"), 12: ("alendronate", "calcium citrate"),
    13: ("hydroxocobalamin", "omeprazole"), 14: ("folic acid", "methotrexate"), 15: ("glipizide", "ramipril"),
    16: ("ferrous fumarate", "levothyroxine"), 17: ("warfarin", "dexamethasone"), 18: ("warfarin", "acetaminophen"),
    19: ("magnesium hydroxide", "ferrous gluconate"), 20: ("warfarin", "esomeprazole"), 21: ("pantoprazole", "ketoconazole"),
    22: ("atenolol", "calcium carbonate"), 23: ("benazepril", "valsartan"), 24: ("warfarin", "rosuvastatin"),
    25: ("omeprazole", "diazepam"), 26: ("warfarin", "vitamin e"), 27: ("zinc sulfate", "ciprofloxacin"),
    28: ("ibuprofen", "bisoprolol"), 29: ("clopidogrel", "aspirin"), 30: ("levonorgestrel", "hydrocortisone"),
    31: ("carvedilol", "nifedipine"), 32: ("prednisone", "pyridostigmine"), 33: ("captopril", "indomethacin"),
}  # fmt: skip

# what the published machine copies list and pharmacology does not bear out
NOT_MEMBERS = {
    1: [("lisinopril", "methacholine"), ("lisinopril", "niclosamide")],
    4: [("iron sucrose", "omeprazole"), ("iron dextran", "pantoprazole")],
    16: [("ferric carboxymaltose", "levothyroxine")],
    17: [("anagrelide", "prednisone"), ("dipyridamole", "prednisone")],
    # the list says anticoagulants; what the pair does is a change of the INR, and only vitamin K antagonists act by it
    18: [("enoxaparin", "acetaminophen"), ("heparin", "acetaminophen"), ("apixaban", "acetaminophen")],
    20: [("enoxaparin", "omeprazole"), ("heparin", "pantoprazole")],
    24: [("apixaban", "rosuvastatin"), ("heparin", "simvastatin")],
    21: [("clotrimazole", "omeprazole"), ("econazole", "omeprazole")],
    25: [("omeprazole", "lorazepam"), ("omeprazole", "oxazepam"), ("omeprazole", "temazepam")],
    29: [("clopidogrel", "methacholine")],
}


def passive() -> list[Mechanism]:
    return [each for each in ALL.by_id.values() if each.onc_number is not None]


def test_all_thirty_three_are_there_each_with_members_of_its_classes() -> None:
    assert sorted(each.onc_number or 0 for each in passive()) == list(range(1, 34))
    for each in passive():
        found = [c for c in ALL.among(set(PUBLISHED[each.onc_number or 0])) if c.mechanism is each]
        assert found, each.id


def test_members_that_were_slips_of_the_published_copies_are_none() -> None:
    for number, pairs in NOT_MEMBERS.items():
        for pair in pairs:
            assert number not in {each.mechanism.onc_number for each in ALL.among(set(pair))}


# a laboratory value, a dose, an age, a history, a state, a time or a third medicine
REASONS = {"result", "course", "no_result", "age", "weight", "kidney", "dose", "no_dose", "history", "trait", "sex"}


def test_none_of_them_is_above_info_without_a_reason_in_any_combination() -> None:
    seen = 0
    for of in passive():
        assert of.severity == "info"
        assert of.graded(()) == ("info", None)
        for raised in (each for each in of.contexts if each.severity != "info"):
            assert REASONS & {condition.kind for condition in raised.when}, (of.id, raised.reason)
        seen += len(of.members["object"]) * len(of.members["precipitant"])
    assert seen > 2000


def test_a_laboratory_value_makes_them_come_by_themselves() -> None:
    assert graded("ace-inhibitor-nsaid", "creatinine rise >= 0.3 within 48 h") == "moderate"
    assert graded("ace-inhibitor-nsaid", "creatinine ratio >= 2 within 7 d") == "high"
    assert graded("ace-inhibitor-arb", "potassium >= 5.0 within 72 h", "potassium >= 5.5 within 72 h") == "high"
    assert graded("thiazide-ace-inhibitor", "sodium < 130 within 72 h") == "moderate"
    assert graded("anticoagulant-statin", "INR >= 4.0 within 72 h") == "moderate"
    assert graded("sulfonylurea-ace-inhibitor", "glucose < 70 within 24 h") == "moderate"


def test_acetaminophen_beside_warfarin_counts_above_two_grams_a_day_and_beside_other_anticoagulants_never() -> None:
    # Parra 2007: INR rose with 2 and with 4 g a day, in patients on warfarin
    mechanism = ALL.by_id["anticoagulant-acetaminophen"]
    raised = [each for each in mechanism.contexts if each.severity != "info"]
    assert mechanism.members["precipitant"] == KNOWLEDGE.properties["vitamin-k-antagonist"].keys()
    dose = next(c for each in raised for c in each.when if c.kind == "dose")
    assert (dose.op, dose.value) == (">", 2000)
    assert among("acetaminophen", "warfarin")["anticoagulant-acetaminophen"].object == "acetaminophen"


# --- mechanisms

EXPECTED: list[tuple[tuple[str, ...], str, Step]] = [
    # boxed warnings and contraindications of labels
    (("nitroglycerin", "sildenafil"), "nitrate-pde5", "high"),
    (("sacubitril", "lisinopril"), "arni-ace", "high"),
    (("colchicine", "clarithromycin"), "colchicine-strong", "high"),
    (("clozapine", "fluvoxamine"), "clozapine-strong-1a2", "high"),
    (("clozapine", "ciprofloxacin"), "clozapine-strong-1a2", "high"),
    (("eplerenone", "itraconazole"), "cyp3a4-contraindicated", "high"),
    (("lurasidone", "ketoconazole"), "cyp3a4-contraindicated", "high"),
    (("triazolam", "ritonavir"), "benzodiazepine-cyp3a4", "high"),
    (("voriconazole", "rifampin"), "voriconazole-inducer", "high"),
    (("pimozide", "paroxetine"), "pimozide-thioridazine-2d6", "high"),
    (("thioridazine", "propranolol"), "thioridazine-betablocker", "high"),
    (("sodium oxybate", "zolpidem"), "oxybate-sedative", "high"),
    (("naltrexone", "oxycodone"), "naltrexone-opioid", "high"),
    # on the market since the lists of 2012 and 2013
    (("tacrolimus", "ritonavir"), "transplant-booster", "high"),
    (("cyclosporine", "cobicistat"), "transplant-booster", "high"),
    (("apixaban", "rifampin"), "doac-inducer", "high"),
    (("edoxaban", "carbamazepine"), "doac-inducer", "high"),
    (("rivaroxaban", "ketoconazole"), "rivaroxaban-apixaban-inhibitor", "moderate"),
    (("amiodarone", "sofosbuvir"), "amiodarone-sofosbuvir", "high"),
    (("mirtazapine", "linezolid"), "reversible-maoi-other-antidepressant", "moderate"),
    (("eletriptan", "sertraline"), "serotonin-triptan", "info"),
    (("eletriptan", "clarithromycin"), "cyp3a4-strong-inhibitor", "moderate"),
    (("ubrogepant", "ritonavir"), "cyp3a4-strong-inhibitor", "moderate"),
    (("dabigatran", "verapamil"), "dabigatran-edoxaban-inhibitor", "info"),
    # classes
    (("methotrexate", "trimethoprim"), "methotrexate-trimethoprim", "high"),
    (("methotrexate", "naproxen"), "methotrexate-nsaid", "info"),
    (("methotrexate", "pantoprazole"), "methotrexate-ppi", "info"),
    (("spironolactone", "trimethoprim"), "trimethoprim-aldosterone-antagonist", "high"),
    (("lithium", "hydrochlorothiazide"), "lithium-thiazide", "moderate"),
    (("lithium", "ibuprofen"), "lithium-nsaid", "moderate"),
    (("lithium", "losartan"), "lithium-raas", "moderate"),
    (("digoxin", "amiodarone"), "digoxin-pgp", "moderate"),
    (("digoxin", "furosemide"), "digoxin-potassium-lowering", "info"),
    (("warfarin", "fluconazole"), "warfarin-inhibitor", "moderate"),
    (("warfarin", "carbamazepine"), "warfarin-inducer", "moderate"),
    (("metoprolol", "verapamil"), "betablocker-nondhp", "moderate"),
    (("ondansetron", "haloperidol"), "qt-additive", "info"),
    (("azathioprine", "allopurinol"), "thiopurine-allopurinol", "high"),
    (("valproate", "meropenem"), "valproate-carbapenem", "high"),
    (("clopidogrel", "omeprazole"), "clopidogrel-2c19", "moderate"),
    (("tamoxifen", "paroxetine"), "tamoxifen-2d6", "moderate"),
    (("theophylline", "ciprofloxacin"), "theophylline-1a2", "moderate"),
    (("glyburide", "fluconazole"), "sulfonylurea-inhibitor", "moderate"),
    (("phenytoin", "fluconazole"), "phenytoin-inhibitor", "moderate"),
    (("ibuprofen", "lisinopril", "hydrochlorothiazide"), "triple-whammy", "moderate"),
]  # fmt: skip


@pytest.mark.parametrize(("ingredients", "name", "severity"), EXPECTED, ids=lambda each: str(each))
def test_a_known_combination_has_its_mechanism_and_its_severity(
    ingredients: tuple[str, ...], name: str, severity: Step
) -> None:
    assert among(*ingredients)[name].mechanism.severity == severity


@pytest.mark.parametrize(
    ("ingredients", "name"),
    [
        (("lithium", "aspirin"), "lithium-nsaid"),
        (("lithium", "sulindac"), "lithium-nsaid"),
        (("warfarin", "aspirin"), "warfarin-nsaid"),
        (("ibuprofen", "lisinopril"), "triple-whammy"),
        (("aspirin", "lisinopril", "furosemide"), "triple-whammy"),
        (("darunavir", "ritonavir"), "cyp3a4-strong-inhibitor"),
        (("elvitegravir", "cobicistat"), "cyp3a4-strong-inhibitor"),
        (("clopidogrel", "pantoprazole"), "clopidogrel-2c19"),
        (("metoprolol", "amlodipine"), "betablocker-nondhp"),
        (("oxycodone", "naloxone"), "naltrexone-opioid"),
        (("warfarin", "apixaban"), "doac-inducer"),
        (("simvastatin", "clarithromycin"), "cyp3a4-strong-inhibitor"),
        (("sertraline", "linezolid"), "serotonin-additive"),
    ],
)
def test_a_look_alike_is_left_alone(ingredients: tuple[str, ...], name: str) -> None:
    assert name not in among(*ingredients)


# the most that its label permits of a statin beside another medicine, mg a day
STATIN_LIMITS = {
    ("atorvastatin", "clarithromycin"): 20, ("atorvastatin", "itraconazole"): 20, ("atorvastatin", "darunavir"): 20,
    ("atorvastatin", "saquinavir"): 20, ("atorvastatin", "fosamprenavir"): 20, ("atorvastatin", "nelfinavir"): 40,
    ("atorvastatin", "elbasvir"): 20, ("rosuvastatin", "cyclosporine"): 5, ("rosuvastatin", "gemfibrozil"): 10,
    ("rosuvastatin", "lopinavir"): 10, ("pravastatin", "cyclosporine"): 20, ("pravastatin", "clarithromycin"): 40,
    ("fluvastatin", "cyclosporine"): 40, ("fluvastatin", "fluconazole"): 40, ("pitavastatin", "erythromycin"): 1,
    ("pitavastatin", "rifampin"): 2,
}  # fmt: skip
STATINS_TO_AVOID = [
    ("atorvastatin", "tipranavir"), ("atorvastatin", "glecaprevir"), ("atorvastatin", "cyclosporine"),
    ("pitavastatin", "cyclosporine"), ("pravastatin", "gemfibrozil"), ("fluvastatin", "gemfibrozil"),
    ("pitavastatin", "gemfibrozil"),
]  # fmt: skip


@pytest.mark.parametrize(("pair", "limit"), STATIN_LIMITS.items(), ids=lambda each: str(each))
def test_a_statin_has_the_limit_of_its_label_for_each_partner(pair: tuple[str, str], limit: float) -> None:
    found = [each.mechanism for each in ALL.among(set(pair)) if each.object == pair[0]]
    doses = {c.value for each in found for context in each.contexts for c in context.when if c.kind == "dose"}
    assert doses == {limit}
    assert {each.severity for each in found} == {"info"}
    assert any(f"{limit:g} mg a day" in action for each in found for action in each.actions)


@pytest.mark.parametrize("pair", STATINS_TO_AVOID, ids=str)
def test_a_statin_that_the_label_says_to_avoid_is_no_matter_of_its_dose(pair: tuple[str, str]) -> None:
    found = [each.mechanism for each in ALL.among(set(pair)) if each.object == pair[0]]
    assert {each.severity for each in found} <= {"moderate", "high"}
    assert not [c for each in found for context in each.contexts for c in context.when if c.kind == "dose"]


def test_warfarin_with_an_nsaid_goes_by_the_stomach_and_by_what_happened_before() -> None:
    nsaid = "warfarin-nsaid"
    assert graded(nsaid) == "high"
    assert graded(nsaid, "with proton-pump-inhibitor") == "moderate"
    assert graded(nsaid, "with proton-pump-inhibitor", "with corticosteroid") == "high"
    assert graded(nsaid, "with proton-pump-inhibitor", "history gi-bleed") == "critical"
    assert graded(nsaid, "age >= 65 years", "without proton-pump-inhibitor") == "high"
    assert among("apixaban", "naproxen")["anticoagulant-nsaid"].mechanism.severity == "high"
    # 5,000 units under the skin or a flush cannot be told from treatment by the order
    assert among("heparin", "ketorolac")["heparin-nsaid"].mechanism.severity == "moderate"
    # into a vein it treats
    assert graded("heparin-nsaid", "way intravenous", "without proton-pump-inhibitor") == "high"
    assert graded("heparin-nsaid", "way intravenous") == "moderate"
    falls = "hemoglobin fall >= 2 within 48 h"
    assert graded("heparin-nsaid", falls) == "high"
    assert graded("heparin-nsaid", falls, "hemoglobin < 7") == "critical"
    assert graded("heparin-nsaid", falls, "dose > 80 mg/day") == "critical"
    assert conditions("anticoagulant-nsaid", severity="critical") >= {"history gi-bleed", "history peptic-ulcer"}


def test_warfarin_with_an_antiplatelet_after_a_bleeding_goes_by_the_inr() -> None:
    both, bled = "warfarin-antiplatelet", "history gi-bleed"
    assert (graded(both), graded(both, "without proton-pump-inhibitor"), graded(both, bled)) == (
        "info",
        "moderate",
        "moderate",
    )
    assert graded(both, bled, "INR >= 2.0 within 7 d") == "high"
    assert graded(both, bled, "INR unknown within 7 d") == "high"
    assert graded("doac-antiplatelet", bled) == "high", "an INR says nothing of the direct anticoagulants"


def test_an_inr_that_is_high_is_graver_while_it_rises() -> None:
    high = "INR >= 4.0 within 72 h"
    assert graded("warfarin-inhibitor", high) == "moderate"
    assert graded("warfarin-inhibitor", high, "INR rise >= 1 within 36 h") == "high"


def test_methotrexate_with_trimethoprim_goes_by_dose_and_way() -> None:
    """Watts 2016 and Skoloda 2024: with what prevents pneumocystis, high doses were cleared as without it."""
    both = "methotrexate-trimethoprim"
    assert graded(both) == "high"
    assert graded(both, "single dose > 500 mg") == "high", "trimethoprim that is injected treats"
    assert graded(both, "single dose > 500 mg", "other way oral") == "moderate"
    assert graded(both, "way intrathecal") == "moderate"
    fails = ("platelets < 50 within 7 d", "without chemotherapy")
    assert graded(both, *fails) == "high"
    assert graded(both, *fails, "single dose <= 50 mg") == "critical"
    assert graded(both, *fails, "single dose unknown") == "critical"
    assert graded(both, *fails, "single dose > 500 mg", "other way oral") == "moderate", "it is chemotherapy itself"


def test_potassium_that_is_low_is_replaced_in_silence_and_high_potassium_is_found() -> None:
    assert graded("potassium-salt-sparing", "potassium < 4.0 within 24 h") == "none"
    assert graded("potassium-salt-sparing", "potassium >= 5.0 within 72 h") == "high"
    assert graded("potassium-raising") == "info"
    assert graded("potassium-raising", "potassium >= 5.5 within 72 h") == "moderate"


def test_breathing_that_is_taken_care_of_silences_and_the_end_of_life_softens() -> None:
    for name in ("opioid-gabapentinoid", "opioid-sedative", "opioid-cyp3a4"):
        assert graded(name, "ventilated", "with gabapentinoid", "age >= 65 years", "egfr < 60") == "none"
        assert graded(name, "end_of_life") == "info"


def test_no_kidney_can_be_injured_on_dialysis_and_a_rise_of_creatinine_is_graver_than_time() -> None:
    assert graded("triple-whammy", "dialysis", "creatinine ratio >= 1.5 within 7 d") == "none"
    assert graded("triple-whammy", "together >= 30 d", "egfr >= 60") == "info"
    assert graded("triple-whammy", "together >= 30 d", "egfr >= 60", "creatinine rise >= 0.3 within 48 h") == "high"


# --- the whole of it


def test_nothing_is_critical_by_itself_and_few_are_high() -> None:
    severities = [each.severity for each in ALL.by_id.values()]
    assert "critical" not in severities
    assert severities.count("high") <= len(severities) / 4


def test_what_is_critical_can_kill_within_days() -> None:
    critical = {each.id for each in ALL.by_id.values() for context in each.contexts if context.severity == "critical"}
    assert critical == {
        "warfarin-nsaid", "anticoagulant-nsaid", "heparin-nsaid", "thrombolytic-anticoagulant", "rivaroxaban-apixaban-inhibitor",
        "trimethoprim-aldosterone-antagonist", "methotrexate-trimethoprim", "thiopurine-allopurinol", "colchicine-strong",
        "nitrate-pde5",
    }  # fmt: skip


@pytest.mark.parametrize("each", ALL.by_id.values(), ids=lambda each: each.id)
def test_every_one_can_happen_and_says_what_to_do(each: Mechanism) -> None:
    assert all(each.members.values())
    alone = Mechanisms([each], KNOWLEDGE.interactions)
    assert next(alone.among(frozenset().union(*each.members.values())), None) is not None
    assert each.actions
    assert each.monitor
    assert each.effect
    assert each.onset
    assert len(each.title) < 70


@pytest.mark.parametrize("file", OWN)
def test_a_row_that_is_verified_rests_on_a_source_that_was_read(file: str) -> None:
    read = {row["id"] for row in rows("sources.csv") if row["status"] == "verified"}
    for row in rows(f"interactions/{file}.csv"):
        assert row["author"]
        assert row["evidence_grade"]
        if row["status"] == "verified":
            assert read & set(row["sources"].split("|")), row["id"]


def test_an_own_choice_says_so() -> None:
    for file in ("mechanism_context", "passive_context"):
        for row in rows(f"interactions/{file}.csv"):
            if row["sources"] == "rxvigil":
                assert row["status"] == "unverified"


def test_no_patient_is_told_to_stop_a_medicine_alone() -> None:
    for each in ALL.by_id.values():
        text = each.patient_explanation
        assert re.search(r"[Dd]o not (stop|change|take)|[Kk]eep taking", text), each.id
        without = re.sub(r"[Dd]o not (stop|change|skip|take)[^.]*\.", "", text)
        assert not re.search(r"\b(stop|skip|quit)\b", without, re.IGNORECASE), each.id
