"""Classes and properties of medicines: that nothing that is seen or ruled on is without a class, and that members are those of
the sources. ``corpus_ingredients.txt`` holds the names of ingredients in the corpus and no word about a patient."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from knowledge.loader import load
from schemas.events import AllergyRecord, Dispensing, Drug, Event, Patient, Prescription
from services.ingest.pipeline import Pipeline
from services.local.feed import files, load_mapping, units
from services.local.play import fixed
from services.runtime.clock import system_clock

KNOWLEDGE = load()
REPOSITORY = Path(__file__).parents[2]
CORPUS = REPOSITORY.parent / "shared" / "corpus"
LISTED = frozenset((Path(__file__).parent / "corpus_ingredients.txt").read_text("utf-8").split("\n")) - {""}
CLASSES = frozenset(each for each, kind in KNOWLEDGE.property_kinds.items() if kind.subject == "classes")

# Groups of the ATC index and labels as a person reads them: who is in, and who looks alike and is not
IN_AND_OUT = {
    "ace-inhibitor": ("captopril lisinopril moexipril fosinopril", "valsartan sacubitril aliskiren"),
    "loop-diuretic": ("furosemide bumetanide torsemide", "hydrochlorothiazide metolazone acetazolamide spironolactone"),
    "thiazide-diuretic": ("hydrochlorothiazide metolazone indapamide", "furosemide diazoxide"),
    "beta-blocker-nonselective": ("propranolol nadolol carvedilol labetalol timolol", "metoprolol atenolol bisoprolol"),
    "calcium-channel-blocker-nondhp": ("verapamil diltiazem", "amlodipine nicardipine"),
    "nsaid": ("ibuprofen ketorolac naproxen indomethacin celecoxib", "aspirin acetaminophen colchicine"),
    "salicylate": ("aspirin salsalate bismuth_subsalicylate", "sulfasalazine mesalamine"),
    "antiplatelet": ("aspirin clopidogrel ticagrelor cilostazol", "epoprostenol heparin warfarin"),
    "doac": ("apixaban rivaroxaban dabigatran edoxaban", "warfarin argatroban enoxaparin fondaparinux"),
    "low-molecular-weight-heparin": ("enoxaparin dalteparin", "heparin fondaparinux"),
    "direct-thrombin-inhibitor": ("argatroban bivalirudin", "dabigatran heparin"),
    "opioid": (
        "morphine fentanyl methadone tramadol buprenorphine codeine meperidine",
        "naloxone dextromethorphan loperamide methylnaltrexone",
    ),
    "benzodiazepine": ("lorazepam midazolam clonazepam flurazepam", "zolpidem buspirone flumazenil"),
    "first-generation-antihistamine": ("diphenhydramine hydroxyzine promethazine", "cetirizine loratadine famotidine"),
    "ssri": ("citalopram fluoxetine sertraline", "venlafaxine trazodone mirtazapine bupropion"),
    "snri": ("venlafaxine duloxetine", "sertraline atomoxetine"),
    "tricyclic": ("amitriptyline nortriptyline", "mirtazapine cyclobenzaprine trazodone"),
    "maoi": ("phenelzine tranylcypromine isocarboxazid", "selegiline linezolid procarbazine"),
    "triptan": ("sumatriptan eletriptan", "ergotamine lasmiditan"),
    "penicillin": ("amoxicillin piperacillin nafcillin penicillin_g", "cefazolin aztreonam clavulanate penicillamine"),
    "cephalosporin": ("cefazolin ceftriaxone cefepime cephalexin", "meropenem aztreonam piperacillin"),
    "macrolide": ("erythromycin clarithromycin azithromycin", "clindamycin tacrolimus"),
    "aminoglycoside": ("gentamicin tobramycin amikacin", "vancomycin clindamycin erythromycin"),
    "sulfonamide-antibiotic": ("sulfamethoxazole sulfadiazine sulfasalazine", "furosemide dapsone celecoxib trimethoprim"),
    "sulfonamide-other": ("furosemide celecoxib acetazolamide", "sulfamethoxazole sulfasalazine spironolactone"),
    "azole-antifungal": ("fluconazole voriconazole ketoconazole", "metronidazole omeprazole caspofungin"),
    "antiretroviral-pi": ("ritonavir darunavir atazanavir", "cobicistat nirmatrelvir boceprevir"),
    "calcineurin-inhibitor": ("tacrolimus cyclosporine", "sirolimus everolimus"),
    "chemotherapy": ("methotrexate cytarabine cisplatin docetaxel vincristine", "rituximab imatinib leucovorin mesna"),
    "contrast": ("iohexol iodixanol", "gadobutrol povidone-iodine amiodarone"),
    "digitalis": ("digoxin", "milrinone"),
    "insulin": ("insulin insulin_human insulin_glargine", "glucagon metformin"),
    "sulfonylurea": ("glipizide glyburide", "repaglinide metformin sulfadiazine"),
    "potassium-salt": ("potassium_chloride potassium_phosphate", "sodium_phosphate losartan"),
    "iron": ("ferrous_sulfate iron_sucrose", "zinc_sulfate deferoxamine"),
    "bleeding-risk": ("warfarin aspirin heparin ibuprofen sertraline", "acetaminophen phytonadione tranexamic_acid"),
    "potassium-raising": (
        "lisinopril valsartan spironolactone trimethoprim heparin potassium_chloride tacrolimus ibuprofen",
        "furosemide amlodipine metoprolol sulfamethoxazole sodium_polystyrene_sulfonate",
    ),
    "potassium-lowering": ("furosemide metolazone albuterol insulin prednisone amphotericin_b", "spironolactone amiloride"),
    "nephrotoxic": ("gentamicin vancomycin cisplatin tacrolimus iohexol ibuprofen", "ceftriaxone acetaminophen"),
    "renally-cleared": ("digoxin gabapentin metformin lithium enoxaparin acyclovir", "warfarin phenytoin ceftriaxone heparin"),
    "narrow-therapeutic-index": ("digoxin lithium warfarin phenytoin tacrolimus theophylline", "metoprolol simvastatin"),
    "cns-depressant": ("morphine lorazepam zolpidem gabapentin quetiapine baclofen propofol", "naloxone caffeine"),
    "bradycardia": ("metoprolol diltiazem digoxin amiodarone clonidine", "amlodipine atropine nicardipine"),
    "myelosuppressive": ("cytarabine linezolid ganciclovir clozapine methotrexate", "filgrastim leucovorin vincristine"),
    "hypoglycemic": ("insulin glipizide pentamidine", "metformin glucagon sitagliptin"),
    "hepatotoxic": ("acetaminophen isoniazid valproate methotrexate amiodarone", "gabapentin lisinopril"),
}  # fmt: skip

# a narrower property and the wider one that holds all of it
WITHIN = [
    ("aminopenicillin", "penicillin"),
    ("cox-2-inhibitor", "nsaid"),
    ("beta-blocker-nonselective", "beta-blocker"),
    ("beta-blocker", "bradycardia"),
    ("vitamin-k-antagonist", "anticoagulant"),
    ("doac", "anticoagulant"),
    ("heparin", "anticoagulant"),
    ("low-molecular-weight-heparin", "anticoagulant"),
    ("fondaparinux", "anticoagulant"),
    ("direct-thrombin-inhibitor", "anticoagulant"),
    ("anticoagulant", "bleeding-risk"),
    ("antiplatelet", "bleeding-risk"),
    ("thrombolytic", "bleeding-risk"),
    ("nsaid", "bleeding-risk"),
    ("nsaid", "nephrotoxic"),
    ("ace-inhibitor", "potassium-raising"),
    ("arb", "potassium-raising"),
    ("aldosterone-antagonist", "potassium-raising"),
    ("potassium-sparing-diuretic", "potassium-raising"),
    ("potassium-salt", "potassium-raising"),
    ("loop-diuretic", "potassium-lowering"),
    ("thiazide-diuretic", "potassium-lowering"),
    ("calcineurin-inhibitor", "immunosuppressant"),
    ("insulin", "hypoglycemic"),
    ("sulfonylurea", "hypoglycemic"),
    ("opioid", "cns-depressant"),
    ("benzodiazepine", "cns-depressant"),
    ("barbiturate", "cns-depressant"),
]
APART = [
    ("potassium-raising", "potassium-lowering"),
    ("sulfonamide-antibiotic", "sulfonamide-other"),
    ("opioid", "opioid-antagonist"),
    ("penicillin", "cephalosporin"),
    ("heparin", "low-molecular-weight-heparin"),
    ("doac", "direct-thrombin-inhibitor"),
    ("ssri", "snri"),
    ("first-generation-antihistamine", "second-generation-antihistamine"),
]


def rows(file: str = "properties/classes.csv") -> list[dict[str, str]]:
    with (REPOSITORY / "knowledge" / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def classes_of(ingredient: str) -> frozenset[str]:
    return KNOWLEDGE.properties_of.get(ingredient, frozenset()) & CLASSES


def without_class(ingredients: frozenset[str]) -> list[str]:
    return sorted(each for each in ingredients if not classes_of(each))


def drugs_of(event: Event) -> tuple[Drug, ...]:
    match event:
        case Prescription() | Dispensing():
            return (event.drug,)
        case Patient(allergies=tuple() as allergies):
            return tuple(each.substance for each in allergies)
        case AllergyRecord():
            return (event.allergy.substance,)
    return ()


def test_every_ingredient_of_the_corpus_has_a_class() -> None:
    assert len(LISTED) > 300
    assert without_class(LISTED) == []


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["mimic-iii-demo", "synthea-fhir"])
def test_the_list_has_every_ingredient_of_the_corpus(folder: str) -> None:
    mapping = load_mapping(REPOSITORY / "examples" / "mimic-iii.toml")
    pipeline = Pipeline(KNOWLEDGE, fixed(system_clock()))
    found: set[str] = set()
    for file in files([CORPUS / folder], mapping):
        # results name no medicine, and are most of the corpus
        for unit in () if file.base == "LABEVENTS.csv" else units(file, mapping, Counter()):
            for event in pipeline.take_unit(unit.end, unit.original, unit.origin).events:
                found.update(part.name for drug in drugs_of(event) for part in drug.ingredients)
    assert len(found) > 20
    assert sorted(found - LISTED) == []


def test_every_member_of_a_rule_has_a_class() -> None:
    ingredients = {each for names in KNOWLEDGE.drug_names.values() for each in names}
    groups = {
        "interactions": frozenset(KNOWLEDGE.partners),
        "mechanisms": frozenset(KNOWLEDGE.mechanisms.ingredients),
        "allergies": frozenset(row["member"] for row in rows("allergies/members.csv")) & ingredients,
    }
    assert {name: len(members) > 50 for name, members in groups.items()} == dict.fromkeys(groups, True)
    assert {name: without_class(members) for name, members in groups.items()} == {name: [] for name in groups}


def test_every_ingredient_that_has_a_property_has_a_class() -> None:
    assert without_class(frozenset(KNOWLEDGE.properties_of)) == []


@pytest.mark.parametrize("name", IN_AND_OUT)
def test_members_are_in_and_those_that_look_alike_are_not(name: str) -> None:
    members = KNOWLEDGE.properties[name]
    inside, outside = (frozenset(each.replace("_", " ") for each in names.split()) for names in IN_AND_OUT[name])
    assert sorted(inside - members.keys()) == []
    assert sorted(outside & members.keys()) == []


@pytest.mark.parametrize(("narrow", "wide"), WITHIN)
def test_a_narrower_property_is_within_the_wider(narrow: str, wide: str) -> None:
    assert sorted(KNOWLEDGE.properties[narrow].keys() - KNOWLEDGE.properties[wide].keys()) == []


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_excludes_one_another_shares_no_member(one: str, other: str) -> None:
    assert sorted(KNOWLEDGE.properties[one].keys() & KNOWLEDGE.properties[other].keys()) == []


def test_a_code_of_a_class_stands_in_a_group_that_the_class_names() -> None:
    by_atc = [row for row in rows() if row["note"].startswith("ATC ")]
    assert len(by_atc) > 1000
    for row in by_atc:
        code = row["note"].split()[1].strip(",;")
        groups = re.findall(r"\b[A-Z]\d\d[A-Z]{1,2}\b", KNOWLEDGE.property_kinds[row["property"]].meaning)
        assert any(code.startswith(group) for group in groups), (row["ingredient"], row["property"], code, groups)


def test_the_codes_agree_with_those_that_orders_carry() -> None:
    """``drugs/codes.csv`` came from elsewhere than the classes did."""
    said: dict[str, set[str]] = {}
    for row in rows():
        if row["note"].startswith("ATC "):
            said.setdefault(row["note"].split()[1].strip(",;"), set()).add(row["ingredient"])
    both = {code: name for (system, code), name in KNOWLEDGE.drug_codes.items() if system == "ATC" and code in said}
    assert len(both) > 60
    assert {code: name for code, name in both.items() if not said[code] & {*name.split("/")}} == {}


def test_what_lowers_glucose_by_purpose_is_told_from_a_side_effect() -> None:
    grades = {name: member.grade for name, member in KNOWLEDGE.properties["hypoglycemic"].items()}
    assert (grades["insulin"], grades["glipizide"], grades["levofloxacin"]) == ("major", "major", "minor")


def test_harm_to_the_kidney_is_told_from_a_change_of_its_pressure() -> None:
    grades = {name: member.grade for name, member in KNOWLEDGE.properties["nephrotoxic"].items()}
    assert (grades["gentamicin"], grades["lisinopril"], grades["ibuprofen"]) == ("direct", "hemodynamic", "hemodynamic")
