"""The rule by which names of the dictionary become ours, on a dictionary small enough to read."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge.drugs.convert import convert

MEDICINE = {"medline_plus_id": "a1"}
DICTIONARY: dict[str, Any] = {
    "drug_canonical_to_data": {
        "simvastatin": MEDICINE,
        "fentanyl": MEDICINE,
        "fentanyl patch": MEDICINE,
        "tramadol": MEDICINE,
        "ranitidine": MEDICINE,
        "iron sucrose": MEDICINE,
        "penicillin v potassium": MEDICINE,
        "morphine": MEDICINE,
        "piperacillin and tazobactam": MEDICINE,
        "piperacillin": {"drugbank_id": "DB00319"},
        "tazobactam": {"drugbank_id": "DB01606"},
        "salbutamol": MEDICINE,
        "protein kinase": {"mesh_id": "D1"},
        "a ligand": {"drugbank_id": "DB02000"},
    },
    "drug_variant_to_canonical": {
        "simvastatin": ["simvastatin"],
        "Zocor": ["simvastatin"],
        "duragesic": ["fentanyl patch"],
        "fentanyl": ["fentanyl"],
        "ranitidin": ["ranitidine"],
        "ranitidin 1a pharma": ["tramadol"],
        "iron sucrose": ["iron sucrose"],
        "penicillin v potassium": ["penicillin v potassium"],
        "sulfate, morphine": ["morphine"],
        "sulfate morphine": ["morphine"],
        "morphine sulfate": ["morphine"],
        "zosyn": ["piperacillin and tazobactam"],
        "caps": ["morphine"],
        "tablet": ["morphine"],
        "statin": ["simvastatin"],
        "ms": ["morphine"],
        "[he]": ["morphine"],
        "salbutamol": ["salbutamol"],
        "protein kinase": ["protein kinase"],
        "a ligand": ["a ligand"],
        "simvastatin with niacin": ["simvastatin"],
    },
    "drug_variant_to_variant_data": {},
}


@pytest.fixture(scope="module")
def names() -> dict[str, tuple[str, ...]]:
    return convert(DICTIONARY)


def test_what_is_kept_and_how_it_is_named(names: dict[str, tuple[str, ...]]) -> None:
    assert names == {
        "simvastatin": ("simvastatin",),
        "zocor": ("simvastatin",),
        "duragesic": ("fentanyl",),
        "fentanyl": ("fentanyl",),
        "ranitidin": ("ranitidine",),
        "iron sucrose": ("iron sucrose",),
        "penicillin v potassium": ("penicillin v",),
        "morphine sulfate": ("morphine",),
        "zosyn": ("piperacillin", "tazobactam"),
        "salbutamol": ("albuterol",),
        # each ingredient is a name of its own
        "albuterol": ("albuterol",),
        "morphine": ("morphine",),
        "penicillin v": ("penicillin v",),
        "piperacillin": ("piperacillin",),
        "tazobactam": ("tazobactam",),
        "ranitidine": ("ranitidine",),
    }


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ranitidin 1a pharma", "begins with another medicine"),
        ("sulfate morphine", "turned around"),
        ("caps", "a plain word"),
        ("tablet", "a word for a form"),
        ("statin", "a class"),
        ("ms", "too short"),
        ("protein kinase", "no medicine"),
        ("a ligand", "seen in protein structures only"),
        ("simvastatin with niacin", "says it is a combination"),
    ],
)
def test_what_is_refused(names: dict[str, tuple[str, ...]], name: str, why: str) -> None:
    assert name not in names, why
