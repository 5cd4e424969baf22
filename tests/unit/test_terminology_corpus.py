"""How much of real and synthetic orders is understood, and that what is understood is right.

The expected ingredients were read by a person in the names and never taken from our own output.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from knowledge.loader import load
from schemas.events import Drug
from schemas.values import Coding
from services.ingest.terminology.drugs import DrugResolver

pytestmark = pytest.mark.shared

KNOWLEDGE = load()
RESOLVE = DrugResolver(KNOWLEDGE).resolve
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

SYNTHEA = {
    "Hydrochlorothiazide 25 MG": "hydrochlorothiazide 25 mg",
    "1 ML medroxyprogesterone acetate 150 MG/ML Injection": "medroxyprogesterone 150 mg/ml",
    "Etonogestrel 68 MG Drug Implant": "etonogestrel 68 mg",
    "168 HR Ethinyl Estradiol 0.00146 MG/HR / norelgestromin 0.00625 MG/HR Transdermal System":
        "ethinyl estradiol 0.00146 mg/hr + norelgestromin 0.00625 mg/hr",
    "Mirena 52 MG Intrauterine System": "levonorgestrel 52 mg",
    "Jolivette 28 Day Pack": "norethindrone",
    "Levora 0.15/30 28 Day Pack": "ethinyl estradiol + levonorgestrel",
    "Ortho Tri-Cyclen 28 Day Pack": "ethinyl estradiol + norgestimate",
    "Yaz 28 Day Pack": "drospirenone + ethinyl estradiol",
    "Norinyl 1+50 28 Day Pack": "mestranol + norethindrone",
    "Natazia 28 Day Pack": "dienogest + estradiol",
    "Alendronic acid 10 MG Oral Tablet": "alendronate 10 mg",
    "Abuse-Deterrent 12 HR Oxycodone Hydrochloride 15 MG Extended Release Oral Tablet": "oxycodone 15 mg",
    "Acetaminophen 325 MG / Oxycodone Hydrochloride 5 MG Oral Tablet": "acetaminophen 325 mg + oxycodone 5 mg",
    "Acetaminophen 300 MG / HYDROcodone Bitartrate 5 MG [Vicodin]": "acetaminophen 300 mg + hydrocodone 5 mg",
    "Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet": "amoxicillin 250 mg + clavulanate 125 mg",
    "24 HR metoprolol succinate 100 MG Extended Release Oral Tablet [Toprol]": "metoprolol 100 mg",
    "Acetaminophen 21.7 MG/ML / Dextromethorphan Hydrobromide 1 MG/ML / doxylamine succinate 0.417 MG/ML Oral Solution":
        "acetaminophen 21.7 mg/ml + dextromethorphan 1 mg/ml + doxylamine 0.417 mg/ml",
    "Vitamin B 12 5 MG/ML Injectable Solution": "vitamin b 12 5 mg/ml",
    "NITROFURANTOIN, MACROCRYSTALS 50 MG Oral Capsule": "nitrofurantoin 50 mg",
    "NDA020800 0.3 ML Epinephrine 1 MG/ML Auto-Injector": "epinephrine 1 mg/ml",
    "Mestranol / Norethynodrel [Enovid]": "mestranol + norethynodrel",
    "Colchicine 0.6 MG [Colcrys]": "colchicine 0.6 mg",
    "Penicillin V Potassium 500 MG Oral Tablet": "penicillin v 500 mg",
}  # fmt: skip

MIMIC = {
    "Acetaminophen w/Codeine": "acetaminophen + codeine", "Acular": "ketorolac", "Albumin 25% (12.5g / 50mL)": "albumin human",
    "Albuterol-Ipratropium": "albuterol + ipratropium", "Alteplase (Catheter Clearance)": "alteplase",
    "Aluminum-Magnesium Hydrox.-Simethicone": "aluminum hydroxide + magnesium hydroxide + simethicone",
    "Bacitracin/Polymyxin B Sulfate Opht. Oint": "bacitracin + polymyxin b",
    "Butalbital-Acet-Caffeine": "acetaminophen + butalbital + caffeine", "Carbidopa-Levodopa (10-100)": "carbidopa + levodopa",
    "Cetylpyridinium Chl (Cepacol)": "cetylpyridinium", "Docusate Sodium (Liquid)": "docusate",
    "Fleet Phospho-Soda": "sodium phosphate", "Fluticasone-Salmeterol Diskus (250/50) ": "fluticasone + salmeterol",
    "Guaifenesin-Codeine Phosphate": "codeine + guaifenesin", "HYDROmorphone (Dilaudid)": "hydromorphone",
    "Heparin Flush CVL  (100 units/ml)": "heparin", "Hespan": "hetastarch", "Humulin-R Insulin": "insulin human",
    "Hydrocortisone Na Succ.": "hydrocortisone", "Insulin": "insulin", "MethylPREDNISolone Sodium Succ": "methylprednisolone",
    "Milk of Magnesia": "magnesium hydroxide", "Morphine SR (MS Contin)": "morphine", "NORepinephrine": "norepinephrine",
    "Neutra-Phos": "potassium phosphate + sodium phosphate", "Nystatin-Triamcinolone Cream": "nystatin + triamcinolone",
    "Oxycodone-Acetaminophen": "acetaminophen + oxycodone", "PENTObarbital Sodium": "pentobarbital",
    "Phytonadione": "phytonadione", "Piperacillin-Tazobactam Na": "piperacillin + tazobactam",
    "Potassium Chloride Replacement (Oncology)": "potassium chloride", "Senna": "sennosides",
    "Sulfameth/Trimethoprim DS": "sulfamethoxazole + trimethoprim", "Unasyn": "ampicillin + sulbactam",
    "VinCRIStine (Oncovin)": "vincristine", "Viokase-8": "pancrelipase", "Xopenex Neb": "levalbuterol",
    "sodium bicar": "sodium bicarbonate", "traZODONE HCl": "trazodone", "*NF* Rasburicase": "rasburicase",
    "Dextrose 50%": "glucose", "Warfarin": "warfarin", "Vigamox": "moxifloxacin",
}  # fmt: skip

NOT_ONLY_VEHICLES = {
    "Potassium Chl 20 mEq / 1000 mL NS", "Potassium Chl 40 mEq / 1000 mL NS", "Potassium Chl 20 mEq / 1000 mL D5NS",
    "Potassium Chl 20 mEq / 1000 mL D5 1/2 NS", "Potassium Chl 20 mEq / 1000 mL D5W", "Amino Acids 4.25% W/ Dextrose 5%",
    "Sodium Chloride 3% (Hypertonic)",
}  # fmt: skip
"""Base solutions that hold a medicine: potassium, amino acids, salt stronger than the blood's."""


@lru_cache(1)
def requests() -> Counter[Drug]:
    """What each MedicationRequest of the synthetic patients says of its medicine."""
    return Counter(drug for path in sorted((CORPUS / "synthea-fhir").glob("*.json.gz")) for drug in _requests(path))


def _requests(path: Path) -> Iterator[Drug]:
    with gzip.open(path) as file:
        entries = json.load(file)["entry"]
    resources = {entry.get("fullUrl"): entry["resource"] for entry in entries}
    for resource in resources.values():
        if resource["resourceType"] != "MedicationRequest":
            continue
        concept = (
            resource.get("medicationCodeableConcept") or resources[resource["medicationReference"]["reference"]]["code"]
        )
        codings = (Coding(each["system"], each["code"], each.get("display", "")) for each in concept["coding"])
        yield Drug(text=concept.get("text", ""), codings=tuple(codings))


@lru_cache(1)
def prescriptions() -> list[dict[str, str]]:
    with gzip.open(CORPUS / "mimic-iii-demo" / "PRESCRIPTIONS.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def told(drug: Drug, *, strengths: bool) -> str:
    parts = []
    for each in sorted(drug.ingredients, key=lambda each: each.name):
        strength = getattr(each, "strength", None)
        known = strengths and getattr(strength, "value", None) is not None
        parts.append(f"{each.name} {strength.value:g} {strength.unit}" if known else each.name)  # type: ignore[union-attr]
    return " + ".join(parts)


def test_of_the_synthetic_requests_ninety_eight_of_a_hundred_resolve() -> None:
    found = requests()
    left = Counter({drug.text: count for drug, count in found.items() if RESOLVE(drug).resolution == "unresolved"})
    print("unresolved:", left.most_common())
    assert found.total() == 537
    assert left.total() / found.total() < 0.02
    # its code is that of acetaminophen with hydrocodone
    assert set(left) == {"Captopril 25 MG Oral Tablet"}


@pytest.mark.parametrize("text", SYNTHEA)
def test_a_synthetic_request_is_read_as_a_person_reads_it(text: str) -> None:
    (drug,) = (drug for drug in requests() if drug.text == text)
    assert told(RESOLVE(drug), strengths=True) == SYNTHEA[text]


def test_of_the_hospitals_orders_of_drugs_ninety_five_of_a_hundred_resolve() -> None:
    names = Counter(row["DRUG"] for row in prescriptions() if row["DRUG_TYPE"] != "BASE")
    ends = {name: RESOLVE(Drug(text=name)).resolution for name in names}
    drugs = Counter({name: count for name, count in names.items() if ends[name] != "vehicle"})
    left = Counter({name: count for name, count in drugs.items() if ends[name] == "unresolved"})
    print("unresolved:", left.most_common())
    assert names.total() == 4377
    assert {name for name in names if ends[name] == "vehicle"} == {
        "Sodium Chloride 0.9%  Flush", "Normocarb", "Sodium Chloride Nasal",
    }  # fmt: skip
    assert left.total() / drugs.total() < 0.05


@pytest.mark.parametrize("name", MIMIC)
def test_an_order_of_the_hospital_is_read_as_a_person_reads_it(name: str) -> None:
    assert name in {row["DRUG"] for row in prescriptions()}
    assert told(RESOLVE(Drug(text=name)), strengths=False) == MIMIC[name]


def test_every_base_solution_is_a_vehicle_unless_it_holds_a_medicine() -> None:
    names = {row["DRUG"] for row in prescriptions() if row["DRUG_TYPE"] == "BASE"}
    assert {name for name in names if RESOLVE(Drug(text=name)).resolution != "vehicle"} == NOT_ONLY_VEHICLES


def test_every_route_of_the_hospital_is_classified() -> None:
    routes = {row["ROUTE"] for row in prescriptions() if row["ROUTE"]}
    assert len(routes) > 20
    assert {route for route in routes if KNOWLEDGE.place_of(route, "") is None} == set()


def test_every_form_that_a_name_says_is_classified() -> None:
    drugs = [*requests(), *(Drug(text=name) for name in {row["DRUG"] for row in prescriptions()})]
    forms = {form for drug in drugs if isinstance(form := RESOLVE(drug).form, str)}
    assert len(forms) > 15
    assert {form for form in forms if KNOWLEDGE.place_of("", form) is None} == set()
