"""RxNorm's grammar of names: every ingredient with its own strength, the form, the brand, the amount, the parts of a pack.

Examples are names of RxNorm as its technical documentation and release notes print them, or made after them.
"""

from __future__ import annotations

import time
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.loader import load
from schemas.events import Drug, Ingredient
from schemas.values import Quantity
from services.ingest.terminology.drugs import DrugResolver
from services.ingest.terminology.names import NameReader, Reading
from services.ingest.terminology.rxnorm_names import PackPart, read_clinical_drug, read_pack

KNOWLEDGE = load()
READ = NameReader(KNOWLEDGE).read
RESOLVE = DrugResolver(KNOWLEDGE).resolve


def said(reading: Reading | None) -> list[tuple[str, float, str] | tuple[str]]:
    """Names with their strengths."""
    assert reading is not None
    return [
        (each.name, each.strength.value, each.strength.unit) if isinstance(each.strength, Quantity) else (each.name,)
        for each in reading.ingredients
    ]


@pytest.mark.parametrize(
    ("name", "ingredients", "form", "brand", "amount"),
    [
        (
            "24 HR metoprolol succinate 50 MG Extended Release Oral Tablet [Toprol]",
            [("metoprolol", 50, "mg")], "tablet", "Toprol", (24, "hr"),
        ),
        (
            "acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet",
            [("acetaminophen", 325, "mg"), ("oxycodone", 5, "mg")], "tablet", "", None,
        ),
        ("0.4 ML enoxaparin sodium 100 MG/ML Prefilled Syringe", [("enoxaparin", 100, "mg/ml")], "injection", "", (0.4, "ml")),
        (
            "Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet",
            [("amoxicillin", 250, "mg"), ("clavulanate", 125, "mg")], "tablet", "", None,
        ),
        (
            "1 ML medroxyPROGESTERone acetate 150 MG/ML Injection",
            [("medroxyprogesterone", 150, "mg/ml")], "injection", "", (1, "ml"),
        ),
        ("NDA020800 0.3 ML Epinephrine 1 MG/ML Auto-Injector", [("epinephrine", 1, "mg/ml")], "injection", "", (0.3, "ml")),
        (
            "Abuse-Deterrent 12 HR oxycodone hydrochloride 10 MG Extended Release Oral Tablet [Oxycontin]",
            [("oxycodone", 10, "mg")], "tablet", "Oxycontin", (12, "hr"),
        ),
        ("amphetamine aspartate 5 MG / amphetamine sulfate 5 MG Oral Tablet", [("amphetamine", 10, "mg")], "tablet", "", None),
        (
            "heparin sodium, porcine 1,000 UNT/ML Injectable Solution",
            [("heparin", 1000, "unt/ml")], "injection solution", "", None,
        ),
        ("naproxen sodium 220 MG", [("naproxen", 220, "mg")], "", "", None),
        ("72 HR fentanyl 0.025 MG/HR Transdermal System", [("fentanyl", 0.025, "mg/hr")], "patch", "", (72, "hr")),
        ("120 ACTUAT fluticasone propionate 0.05 MG/ACTUAT Nasal Spray", [("fluticasone", 0.05, "mg/actuat")], "nasal spray", "",
         (120, "actuat")),
    ],
)  # fmt: skip
def test_a_clinical_drug(
    name: str, ingredients: list[object], form: str, brand: str, amount: tuple[float, str] | None
) -> None:
    reading = READ(name)
    assert said(reading) == ingredients
    assert reading is not None
    assert (reading.form, reading.brand) == (form, brand)
    assert reading.amount == (Quantity(*amount) if amount else None)


def test_a_pack_has_all_ingredients_its_parts_and_only_strengths_that_no_part_contradicts() -> None:
    reading = READ(
        "{12 (ethinyl estradiol 0.035 MG / norethindrone 0.5 MG Oral Tablet) / 9 (ethinyl estradiol 0.035 MG / "
        "norethindrone 1 MG Oral Tablet) / 7 (inert ingredients 1 MG Oral Tablet) } Pack [Tri-Norinyl 28 Day]"
    )
    assert said(reading) == [("ethinyl estradiol", 0.035, "mg"), ("norethindrone",)]
    assert reading is not None
    assert (reading.brand, reading.form) == ("Tri-Norinyl 28 Day", "tablet")
    assert [number for number, _ in reading.parts] == [12, 9, 7]
    assert [said(part) for _, part in reading.parts] == [
        [("ethinyl estradiol", 0.035, "mg"), ("norethindrone", 0.5, "mg")],
        [("ethinyl estradiol", 0.035, "mg"), ("norethindrone", 1, "mg")],
        [],
    ]


def test_the_amount_of_a_part_may_stand_in_brackets_of_its_own() -> None:
    # as RxNorm's release notes of December 2012 have it
    pack = read_pack(
        "{2 (118 ML) (Chlorpheniramine Maleate 0.4 MG/ML / methscopolamine nitrate 0.25 MG/ML / Phenylephrine "
        "Hydrochloride 2 MG/ML Oral Solution [Zinx PCM]) / 15 (Zinc Acetate 14 MG Lozenge [Zinx]) } Pack [Zinx Kids Sneeze Kit]"
    )
    assert pack is not None
    assert pack.brand == "Zinx Kids Sneeze Kit"
    assert pack.parts[1] == PackPart(15, "Zinc Acetate 14 MG Lozenge [Zinx]")
    first = read_clinical_drug(pack.parts[0].drug)
    assert first is not None
    assert (first.amount, first.brand, first.form) == (Quantity(118, "ml"), "Zinx PCM", "Oral Solution")
    assert [each.strength.value for each in first.components] == [0.4, 0.25, 2]


@pytest.mark.parametrize(
    "name",
    [
        "{7 (lansoprazole 15 MG Oral Capsule) / 14 (novelium 500 MG Oral Tablet) } Pack",  # one part unknown
        "{7 (lansoprazole 15 MG Oral Capsule / 14 (naproxen 500 MG Oral Tablet) } Pack",  # brackets that do not pair
        "{ } Pack",
        "{7 ({7 (lansoprazole 15 MG Oral Capsule)} Pack)} Pack",
        "acetaminophen 325 MG / novelium 5 MG Oral Tablet",
        "acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Rocket",
        "simvastatin 20 MG Oral Tablet [Lasix]",  # the brand is of another medicine
        "acetaminophen 325 MG Oral Tablet / oxycodone 5 MG Oral Tablet of something",
    ],
)
def test_a_name_of_which_one_part_is_not_understood_is_not_read(name: str) -> None:
    assert READ(name) is None


@pytest.mark.parametrize(
    ("name", "precise"),
    [
        ("metoprolol succinate 50 MG Oral Tablet", "metoprolol succinate"),
        ("Metoprolol Succinate XL", "metoprolol succinate"),
        ("Metoprolol Tartrate", "metoprolol tartrate"),
        ("Metoprolol", ""),
        ("Phenytoin Sodium", "phenytoin sodium"),
        ("penicillin G benzathine 600000 UNT/ML Injectable Suspension", "penicillin g benzathine"),
        ("Bicillin L-A", "penicillin g benzathine"),
        ("Penicillin G Potassium", ""),
        ("AmBisome", "amphotericin b liposomal"),
        ("amphotericin b", ""),
        ("Haloperidol Decanoate", "haloperidol decanoate"),
        ("Haloperidol", ""),
        ("Warfarin Sodium 5 MG Oral Tablet", ""),
    ],
)
def test_a_salt_with_doses_of_its_own_is_told_and_the_ingredient_is_the_base(name: str, precise: str) -> None:
    (ingredient,) = RESOLVE(Drug(text=name)).ingredients
    assert ingredient.precise == precise
    assert precise.startswith(ingredient.name) or not precise


def test_what_the_name_says_of_brand_and_amount_is_in_the_event() -> None:
    found = RESOLVE(Drug(text="0.4 ML enoxaparin sodium 100 MG/ML Prefilled Syringe [Lovenox]"))
    assert (found.brand, found.amount, found.form) == ("Lovenox", Quantity(0.4, "ml"), "injection")
    assert found.ingredients == (Ingredient("enoxaparin", strength=Quantity(100, "mg/ml")),)


grammar = st.lists(
    st.sampled_from(
        [
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            " / ",
            " 5 MG",
            "0.4 ML ",
            " Pack",
            "simvastatin",
            " Oral Tablet",
            "12 ",
            "é",
            ",",
        ]
    )
).map("".join)


@given(st.one_of(st.text(max_size=200), grammar))
def test_the_grammar_never_raises_and_reads_only_what_has_strengths(text: str) -> None:
    drug = read_clinical_drug(text)
    assert drug is None or all(each.name and each.strength.unit for each in drug.components)
    pack = read_pack(text)
    assert pack is None or pack.parts
    reading = READ(text)
    assert reading is None or all(each.name in known_ingredients() for each in reading.ingredients)


@lru_cache(1)
def known_ingredients() -> set[str]:
    bases = {salt.precise: name for name, salts in KNOWLEDGE.salts.items() for salt in salts}
    return {bases.get(each, each) for names in KNOWLEDGE.drug_names.values() for each in names}


@pytest.mark.parametrize(
    "text",
    ["tab " * 100, "a " * 200, "1 " * 200, "1 mg / " * 57, "( a )" * 80, "{ 1 (" * 600, "{" + "1 (a) / " * 370 + "} Pack",
     "a 1 mg " * 400,
     "simvastatin unknownium and " * 14],
)  # fmt: skip
def test_a_long_text_takes_milliseconds_at_most(text: str) -> None:
    begun = time.perf_counter()
    assert READ(text) is None
    # a hundredth of a second allows for a busy machine; quadratic readers took a tenth and more
    assert min(time.perf_counter() - begun, timed(text)) < 0.01


def timed(text: str) -> float:
    begun = time.perf_counter()
    READ(text)
    return time.perf_counter() - begun
