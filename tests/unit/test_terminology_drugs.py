"""Names and codes to ingredients. A name that is not understood as a whole must stay unresolved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from knowledge.loader import load
from schemas.events import Drug, Ingredient
from schemas.values import Coding, Quantity
from services.ingest.terminology.drugs import DrugResolver

KNOWLEDGE = load()
RESOLVE = DrugResolver(KNOWLEDGE).resolve
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def names(drug: Drug) -> tuple[str, ...]:
    return tuple(ingredient.name for ingredient in drug.ingredients)


def strengths(drug: Drug) -> list[tuple[float, str] | None]:
    known = [each.strength for each in drug.ingredients]
    return [(each.value, each.unit) if isinstance(each, Quantity) else None for each in known]


def named(text: str) -> Drug:
    return RESOLVE(Drug(text=text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Simvastatin", "simvastatin"),
        ("  ZOCOR ", "simvastatin"),
        ("simvastatin 40 mg tablet", "simvastatin"),
        ("traMADOL (Ultram)", "tramadol"),
        ("HYDROmorphone (Dilaudid)", "hydromorphone"),
        ("Heparin Sodium", "heparin"),
        ("Heparin Flush CVL  (100 units/ml)", "heparin"),
        ("Methylprednisolone Na Succ.", "methylprednisolone"),
        ("Potassium Chloride", "potassium chloride"),
        ("Potassium Chl 20 mEq / 1000 mL NS", "potassium chloride"),
        ("Magnesium Sulfate", "magnesium sulfate"),
        ("Paracetamol 500mg", "acetaminophen"),
        ("Ciclosporin", "cyclosporine"),
        ("Rifampicin 300 mg capsules", "rifampin"),
        ("Pethidine", "meperidine"),
        ("Methylthioninium chloride", "methylene blue"),
        ("St. John’s Wort", "st john's wort"),
        ("*NF* Rasburicase", "rasburicase"),
        ("Warfarin sodium 2.5 mg Tab", "warfarin"),
        ("24 HR metoprolol succinate 100 MG Extended Release Oral Tablet [Toprol]", "metoprolol"),
        ("10 ML Furosemide 10 MG/ML Injection", "furosemide"),
        ("Clonidine Patch 0.1 mg/24 hr", "clonidine"),
        ("Percocet", "oxycodone + acetaminophen"),
        ("Piperacillin-Tazobactam Na", "piperacillin + tazobactam"),
        ("piperacillin and tazobactam", "piperacillin + tazobactam"),
        ("Acetaminophen w/Codeine", "acetaminophen + codeine"),
        ("Sulfameth/Trimethoprim DS", "sulfamethoxazole + trimethoprim"),
        ("Kaletra", "lopinavir + ritonavir"),
        ("Paxlovid", "nirmatrelvir + ritonavir"),
        ("Vytorin", "ezetimibe + simvastatin"),
        ("6-mercaptopurine 50 mg tab", "mercaptopurine"),
        ("6-MP", "mercaptopurine"),
        ("6 MP", "mercaptopurine"),
        ("Maxalt-MLT 10 mg", "rizatriptan"),
        ("Irinotecan liposomal", "irinotecan"),
        ("irinotecan liposome 43 mg/10 mL", "irinotecan"),
        ("Insulin regular", "insulin human"),
        ("Insulin Regular 100 units/mL", "insulin human"),
        ("Recorlev", "levoketoconazole"),
        ("Krazati 200 mg tablet", "adagrasib"),
        ("Vanflyta", "quizartinib"),
        ("Tobradex", "tobramycin + dexamethasone"),
        ("{7 (lansoprazole 15 MG Oral Capsule) / 14 (Naproxen 500 MG Oral Tablet) } Pack", "lansoprazole + naproxen"),
    ],
)
def test_a_name_as_people_write_it(text: str, expected: str) -> None:
    found = named(text)
    assert " + ".join(names(found)) == expected
    assert found.resolution == "name"
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "expected", "form"),
    [
        ("simvastatin 40 mg tablet", [(40, "mg")], "tablet"),
        (
            "Acetaminophen 325 MG / Hydrocodone Bitartrate 7.5 MG Oral Tablet [Norco]",
            [(325, "mg"), (7.5, "mg")],
            "tablet",
        ),
        ("10 ML Furosemide 10 MG/ML Injection", [(10, "mg/ml")], "injection"),
        ("24 HR tramadol hydrochloride 200 MG Extended Release Oral Capsule", [(200, "mg")], "capsule"),
        ("168 HR buprenorphine 0.02 MG/HR Transdermal System [BuTrans]", [(0.02, "mg/hr")], "patch"),
        ("Fluticasone 1,000 mcg", [(1000, "mcg")], ""),
        ("amphetamine aspartate 5 MG / amphetamine sulfate 5 MG Oral Tablet", [(10, "mg")], "tablet"),
        ("Fentanyl Patch", [None], "patch"),
        ("enoxaparin 40 mg/0.4 mL", [(40, "mg/0.4ml")], ""),
        ("Clonidine Patch 0.1 mg/24 hr", [(0.1, "mg/24hr")], "patch"),
        ("Ciprofloxacin 0.3% Ophth Soln", [(0.3, "%")], "ophthalmic solution"),
        ("Nystatin-Triamcinolone Cream", [None, None], "cream"),
        ("Morphine Sulfate (Oral Soln.)", [None], "solution"),
        ("Albumin 25% (12.5 g)", [None], ""),
        ("Percocet 5 mg", [None, None], ""),
    ],
)
def test_strength_and_form_where_they_are_certain(
    text: str, expected: list[tuple[float, str] | None], form: str
) -> None:
    found = named(text)
    assert strengths(found) == expected
    assert (found.form if isinstance(found.form, str) else "") == form


@pytest.mark.parametrize(
    ("text", "name", "strength"),
    [
        ("Potassium Chloride in D5W", "potassium chloride", None),
        ("potassium chloride 20 mEq in 0.9% NaCl 1000 mL", "potassium chloride", (20, "meq")),
        ("D5 1/2 NS with 20 mEq/L KCl", "potassium chloride", (20, "meq/l")),
        ("Heparin Sodium 25,000 unit in 0.45% sodium chloride 250 mL", "heparin", (25000, "unit")),
        ("Vancomycin in 0.9% sodium chloride", "vancomycin", None),
        ("Dopamine 400 mg in Dextrose 5% 250 mL", "dopamine", (400, "mg")),
        ("Insulin Regular 100 units in NS 100 mL", "insulin human", (100, "units")),
    ],
)
def test_a_diluent_neither_hides_what_is_in_it_nor_gives_its_strength(
    text: str, name: str, strength: tuple[float, str] | None
) -> None:
    found = named(text)
    assert (names(found), strengths(found)) == ((name,), [strength])


def test_a_salt_beside_a_diluent_is_not_nothing() -> None:
    assert named("Lactated Ringers with potassium").resolution == "unresolved"


def test_micro_is_one_letter_however_it_is_encoded() -> None:
    assert strengths(named("Levothyroxine 50 \N{GREEK SMALL LETTER MU}g")) == [(50, "µg")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cabenuva", "cabotegravir + rilpivirine"),
        ("Trijardy", "empagliflozin + linagliptin + metformin"),
        ("Co-codamol 30/500 tablets", "codeine + acetaminophen"),
        ("Co-dydramol", "dihydrocodeine + acetaminophen"),
        ("co-careldopa", "carbidopa + levodopa"),
        ("Co-Vasotec", "enalapril + hydrochlorothiazide"),
        ("Xulane", "norelgestromin + ethinyl estradiol"),
        ("Estrace", "estradiol"),
        ("Ferric gluconate", "sodium ferric gluconate"),
        ("Min-I-Jet morphine sulphate", "morphine"),
        ("Midol", ""),  # a brand of different medicines
    ],
)
def test_a_slip_of_the_dictionary_is_mended(text: str, expected: str) -> None:
    assert " + ".join(names(named(text))) == expected


@pytest.mark.parametrize(
    "text",
    ["NS", "D5W", "SW", "0.9% Sodium Chloride", "Sodium Chloride 0.9%  Flush", "Iso-Osmotic Dextrose", "Bag", "Vial",
     "Syringe (0.9% Sodium Chloride)", "D5W (EXCEL BAG)", "Sterile Diluent for Flolan", "Lactated Ringers", "Soln."],
)  # fmt: skip
def test_a_vehicle_has_no_ingredient(text: str) -> None:
    found = named(text)
    assert (found.resolution, found.ingredients, found.text) == ("vehicle", (), text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Propra",
        "Maalox",
        "Maalox/Diphenhydramine/Lidocaine",  # one part unknown: the others alone would look complete
        "Simvastatine-Unknownium",
        "simvastatin and something else",
        "insulin pen needle",
        "aspirin allergy",
        "no warfarin",
        "Syringe (Heparin)",
        "Tylenol (ibuprofen)",  # contradicts itself
        "Lisinopril (hydrochlorothiazide)",
        "simvastatn",  # never by likeness
        "water pill",
        "statin",
        "vaccine",
        "iron",
        "salt",
        "caps",
        "500 mg",
        "tablet oral",
        "x" * 500,
        "\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}",
    ],
)
def test_what_is_not_understood_as_a_whole_stays_as_received(text: str) -> None:
    drug = Drug(text=text, codings=(Coding("local", "42"),))
    found = RESOLVE(drug)
    assert found.resolution == "unresolved"
    assert (found.text, found.codings, found.ingredients) == (drug.text, drug.codings, ())


def test_a_code_comes_before_the_name_and_both_stay_as_received() -> None:
    drug = Drug(text="Statin of the ward", codings=(Coding("ATC", "C10AA01", "Simva"),))
    found = RESOLVE(drug)
    assert (names(found), found.resolution) == (("simvastatin",), "code")
    assert (found.text, found.codings) == (drug.text, drug.codings)


def test_a_code_of_rxnorm_says_strength_and_form() -> None:
    found = RESOLVE(Drug(codings=(Coding(RXNORM, "864718"),)))
    assert (names(found), strengths(found), found.form, found.resolution) == (
        ("methadone",),
        [(5, "mg")],
        "tablet",
        "code",
    )


def test_a_code_that_is_not_known_leaves_its_display() -> None:
    found = RESOLVE(Drug(codings=(Coding(RXNORM, "999999999", "Simvastatin 20 MG Oral Tablet"),)))
    assert (names(found), strengths(found), found.resolution) == (("simvastatin",), [(20, "mg")], "name")


def test_a_code_and_a_name_of_different_medicines_are_not_decided_between() -> None:
    # as seen in Synthea: the code is that of acetaminophen with hydrocodone
    drug = Drug(text="Captopril 25 MG Oral Tablet", codings=(Coding(RXNORM, "833036", "Captopril 25 MG Oral Tablet"),))
    found = RESOLVE(drug)
    assert (found.resolution, found.ingredients, found.text, found.codings) == (
        "unresolved",
        (),
        drug.text,
        drug.codings,
    )


def test_a_name_that_says_less_than_the_code_is_no_contradiction() -> None:
    assert names(RESOLVE(Drug(text="Hydrocodone", codings=(Coding(RXNORM, "833036"),)))) == (
        "acetaminophen",
        "hydrocodone",
    )


def test_a_code_counts_in_its_own_system_only() -> None:
    assert RESOLVE(Drug(codings=(Coding("local", "C10AA01"),))).resolution == "unresolved"


def test_every_code_that_is_shipped_resolves() -> None:
    unread = [
        (system, code, name)
        for (system, code), name in KNOWLEDGE.drug_codes.items()
        if RESOLVE(Drug(codings=(Coding(system, code),))).resolution != "code"
    ]
    assert unread == []


def test_what_the_source_named_is_given_when_it_named_nothing_else() -> None:
    found = RESOLVE(Drug(ingredients=(Ingredient("Paracetamol", strength=Quantity(500, "mg")), Ingredient("novelium"))))
    assert (names(found), found.resolution) == (("acetaminophen", "novelium"), "given")
    assert strengths(found) == [(500, "mg"), None]


def test_what_the_source_named_helps_when_the_name_is_not_understood() -> None:
    found = RESOLVE(Drug(text="House mixture 7", ingredients=(Ingredient("warfarin"),)))
    assert (names(found), found.resolution) == (("warfarin",), "given")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("Phenelzine sulfate", "meperidine HCl"), ("phenelzine", "meperidine")),
        (("Nardil", "Pethidine"), ("phenelzine", "meperidine")),
        (("Percocet",), ("oxycodone", "acetaminophen")),
        (("warfarin sodium 5 mg", "Coumadin"), ("warfarin",)),
        (("phenelzine sulfate", "Novelium"), ("phenelzine", "novelium")),
    ],
)
def test_ingredients_that_the_source_named_are_read_as_names_are(
    said: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    found = RESOLVE(Drug(ingredients=tuple(map(Ingredient, said))))
    assert (names(found), found.resolution) == (expected, "given")


def test_a_form_in_a_named_ingredient_is_the_form() -> None:
    assert RESOLVE(Drug(ingredients=(Ingredient("Selegiline patch"),))).form == "patch"


def test_ingredients_that_nobody_knows_are_kept_as_received_and_unresolved() -> None:
    drug = Drug(ingredients=(Ingredient("Novelium"), Ingredient("Ignotium")))
    assert RESOLVE(drug) == replace(drug, resolution="unresolved")


@pytest.mark.parametrize(
    "drug",
    [
        Drug(text="Warfarin 5 mg tablet", ingredients=(Ingredient("aspirin"),)),
        Drug(codings=(Coding("ATC", "C10AA01"),), ingredients=(Ingredient("aspirin"),)),
    ],
)
def test_what_was_given_and_a_name_or_code_of_another_medicine_are_not_decided_between(drug: Drug) -> None:
    found = RESOLVE(drug)
    assert (found.resolution, found.ingredients) == ("unresolved", ())


def test_a_diluent_does_not_hide_what_the_source_says_is_in_it() -> None:
    found = RESOLVE(Drug(text="D5W", ingredients=(Ingredient("heparin sodium"),)))
    assert (names(found), found.resolution) == (("heparin",), "given")


def test_what_the_source_said_of_strength_and_form_stands() -> None:
    said = Ingredient("simvastatin", rxcui="36567", strength=Quantity(20, "mg"))
    found = RESOLVE(Drug(text="simvastatin 40 mg tablet", ingredients=(said,), form="film-coated tablet"))
    assert (found.ingredients, found.form, found.resolution) == ((said,), "film-coated tablet", "name")
    assert named("simvastatin").form is UNSET


@given(st.text(max_size=80))
def test_nothing_makes_it_raise_and_nothing_received_is_lost(text: str) -> None:
    found = RESOLVE(Drug(text=text))
    assert found.text == text
    assert bool(found.ingredients) == (found.resolution == "name")
    assert RESOLVE(found).ingredients == found.ingredients


@pytest.mark.parametrize("filler", ["(", "[", "{", "/", " - ", "1 ", "mg "])
def test_a_long_name_of_one_sign_takes_no_time(filler: str) -> None:
    assert named(filler * 100).resolution == "unresolved"


def coded(code: str) -> Coding:
    assert ("RxNorm", code) in KNOWLEDGE.drug_codes
    return Coding(RXNORM, code)


OXYCODONE, WITH_ACETAMINOPHEN = "1049621", "1049640"


@pytest.mark.parametrize(
    ("codes", "text", "expected"),
    [
        ((OXYCODONE,), "Percocet", {"oxycodone", "acetaminophen"}),
        ((OXYCODONE, WITH_ACETAMINOPHEN), "", {"oxycodone", "acetaminophen"}),
        ((WITH_ACETAMINOPHEN,), "oxycodone", {"oxycodone", "acetaminophen"}),
        # two combinations that share one part: one is a slip
        ((WITH_ACETAMINOPHEN,), "Oxycodone-Aspirin", set()),
    ],
)
def test_a_combination_keeps_the_parts_that_only_one_code_or_name_says(
    codes: tuple[str, ...], text: str, expected: set[str]
) -> None:
    found = RESOLVE(Drug(text=text, codings=tuple(map(coded, codes))))
    assert set(names(found)) == expected
    assert (found.resolution == "unresolved") == (not expected)
