"""The data as shipped: sources, limits against the published numbers, plain words for patients."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from knowledge.loader import load
from schemas.values import SEVERITIES

DATA = Path(__file__).parents[2] / "knowledge"
FILES = sorted(file.relative_to(DATA) for file in DATA.rglob("*.csv") if file.name != "sources.csv")
KNOWLEDGE = load()

# Kost, JAMA 1990;263:704 and Clinical Laboratory Reference (adults); Kost, Pediatrics 1991;88:597 (children and newborns;
# mmol/L of glucose times 18.016 and of calcium times 4.008, to three digits). None: no limit published or used.
PUBLISHED: dict[tuple[str, str], tuple[float | None, float | None]] = {
    ("potassium", "adult"): (2.8, 6.2),
    ("sodium", "adult"): (120, 158),
    ("glucose", "adult"): (46, 484),
    ("hemoglobin", "adult"): (6.6, 19.9),
    ("platelets", "adult"): (37, 910),
    ("calcium", "adult"): (6.6, 12.9),
    ("ionized calcium", "adult"): (0.82, 1.55),
    ("magnesium", "adult"): (1.0, 4.9),
    ("phosphate", "adult"): (1.2, 8.9),
    ("white blood cells", "adult"): (2.0, 37.0),
    ("bicarbonate", "adult"): (11, 40),
    ("pH", "adult"): (7.21, 7.59),
    ("creatinine", "adult"): (None, 7.4),
    ("potassium", "child"): (2.8, 6.4),
    ("sodium", "child"): (121, 156),
    ("glucose", "child"): (46.8, 445),
    ("hemoglobin", "child"): (6.9, 20.8),
    ("platelets", "child"): (53, 916),
    ("calcium", "child"): (6.49, 12.7),
    ("white blood cells", "child"): (2.1, 42.9),
    ("pH", "child"): (7.21, 7.59),
    ("potassium", "newborn"): (2.8, 7.8),
    ("sodium", "newborn"): (121, 156),
    ("glucose", "newborn"): (32.4, 328),
    ("hemoglobin", "newborn"): (6.9, None),
    ("platelets", "newborn"): (53, 916),
    ("calcium", "newborn"): (6.49, 12.7),
    ("white blood cells", "newborn"): (2.1, 42.9),
    ("pH", "newborn"): (7.21, 7.59),
}


def rows(file: Path) -> list[dict[str, str]]:
    with (DATA / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_the_limits_are_those_published() -> None:
    assert {key: (limit.low, limit.high) for key, limit in KNOWLEDGE.limits.items()} == PUBLISHED


def test_a_limit_that_is_not_used_says_why() -> None:
    left_out = {row["analyte"]: row["reason"] for row in rows(Path("labs/left_out.csv"))}
    assert left_out["ionized calcium of children and newborns"]
    assert ("ionized calcium", "child") not in KNOWLEDGE.limits


def test_every_band_of_children_has_the_analytes_of_the_other() -> None:
    of_band = {band: {analyte for analyte, b in KNOWLEDGE.limits if b == band} for band in ("child", "newborn")}
    assert of_band["child"] == of_band["newborn"]


def test_what_kills_within_hours_is_critical_and_a_high_count_is_not() -> None:
    def severities(analyte: str) -> tuple[str, str]:
        limit = KNOWLEDGE.limits[analyte, "adult"]
        return limit.advice("low").severity, limit.advice("high").severity

    assert severities("potassium") == ("critical", "critical")
    assert severities("glucose") == ("critical", "critical")
    assert severities("hemoglobin") == ("critical", "high")
    assert severities("platelets") == ("critical", "moderate")


def test_each_direction_says_its_own_and_the_whole_limit_says_both() -> None:
    limit = KNOWLEDGE.limits["potassium", "adult"]
    low, high = limit.advice("low"), limit.advice("high")
    assert low.actions != high.actions
    assert set(limit.actions) == {f"If low: {a}" for a in low.actions} | {f"If high: {a}" for a in high.actions}
    for each in KNOWLEDGE.limits.values():
        graver = [a.severity for a in (each.when_low, each.when_high) if a is not None]
        assert each.severity == min(graver, key=SEVERITIES.index)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_row_names_sources_that_are_listed(file: Path) -> None:
    known = {row["id"] for row in rows(Path("sources.csv"))}
    for row in rows(file):
        assert row["sources"]
        assert set(row["sources"].split("|")) <= known


@pytest.mark.parametrize("file", ["interactions/pairs.csv", "labs/critical_limits.csv"])
def test_a_clinical_statement_has_an_author_a_grade_and_a_real_source(file: str) -> None:
    for row in rows(Path(file)):
        assert row["author"]
        assert row["evidence_grade"]
        assert set(row["sources"].split("|")) - {"rxvigil"}


def test_no_patient_is_told_to_stop_a_medicine_alone() -> None:
    for file in ("interactions/pairs.csv", "labs/critical_limits.csv"):
        for row in rows(Path(file)):
            text = row["patient_explanation"]
            assert re.search(r"[Dd]o not (stop|change|take)|[Kk]eep taking", text), text
            without = re.sub(r"[Dd]o not (stop|change|skip|take)[^.]*\.", "", text)
            assert not re.search(r"\b(stop|skip|quit)\b", without, re.IGNORECASE), text


def test_there_are_fifteen_pairs_and_each_ingredient_can_be_named() -> None:
    pairs = {interaction.pair.id for of_two in KNOWLEDGE.interactions.values() for interaction in of_two}
    assert len(pairs) == 15
    ingredients = {ingredient for names in KNOWLEDGE.drug_names.values() for ingredient in names}
    assert set(KNOWLEDGE.partners) <= ingredients
    assert all(KNOWLEDGE.drug_names[each] == (each,) for each in KNOWLEDGE.partners)


def test_an_ingredient_by_its_own_name_is_itself() -> None:
    own = {ingredient for row in rows(Path("drugs/names_extra.csv")) for ingredient in row["ingredients"].split("|")}
    assert {each: KNOWLEDGE.drug_names.get(each) for each in own} == {each: (each,) for each in own}


def test_partners_are_mutual_and_never_oneself() -> None:
    for (one, other), interactions in KNOWLEDGE.interactions.items():
        assert one < other
        assert other in KNOWLEDGE.partners[one]
        assert one in KNOWLEDGE.partners[other]
        assert {(i.object, i.precipitant) for i in interactions} <= {(one, other), (other, one)}


@pytest.mark.parametrize(
    ("route", "form", "systemic"),
    [
        ("PO", "", True),
        ("IV", "", True),
        ("", "", True),
        ("somewhere", "something", True),
        ("nasal", "spray", True),
        ("inhalation", "", True),
        ("vaginal", "cream", False),
        ("rectal", "suppository", True),
        ("TP", "", False),
        (" Topical ", "", False),
        ("both eyes", "", False),
        ("", "ophthalmic drops", False),
        ("", "topical cream", False),
        ("", "Cream", False),
        ("TP", "patch", True),
        ("", "patch", True),
        ("TD", "", True),
        ("OS", "tablet", True),  # per os
        ("OS", "", True),
        ("OS", "ophthalmic solution", False),
        ("IR", "extended release oral tablet", True),
        ("topical", "capsule", True),
        ("PO", "ophthalmic solution", True),
        ("IV", "cream", True),
        ("PO", "oral rinse", False),
    ],
)
def test_what_acts_in_the_whole_body(route: str, form: str, systemic: bool) -> None:
    assert KNOWLEDGE.is_systemic(route, form) is systemic


@pytest.mark.parametrize(
    ("route", "form", "place"),
    [
        ("PO", "tablet", "body"),
        ("IV", "", "body"),
        ("IH", "", "airway"),
        ("", "inhaler", "airway"),
        ("", "powder inhaler", "airway"),
        ("nasal", "spray", "nose"),
        ("", "Nasal Spray", "nose"),
        ("OU", "solution", "eye"),
        ("", "ophthalmic drops", "eye"),
        ("", "topical cream", "skin"),
        ("vaginal", "cream", "vagina"),
        ("PR", "suppository", "rectum"),
        ("SL", "tablet", "mouth"),
        ("", "Otic Solution", "ear"),
        ("GU", "solution", "surface"),
        ("TP", "patch", "body"),
        ("372464004", "", "body"),  # SNOMED CT: intradermal
        ("somewhere", "something", None),
        ("", "", None),
    ],
)
def test_where_a_medicine_is_put(route: str, form: str, place: str | None) -> None:
    assert KNOWLEDGE.place_of(route, form) == place


# dose forms of RxNorm (TTY DF), technical documentation, appendix 2
RXNORM_FORMS = {
    "body": "Oral Tablet|Oral Capsule|Extended Release Oral Tablet|Delayed Release Oral Capsule|Disintegrating Oral Tablet|"
    "Chewable Tablet|Oral Solution|Oral Suspension|Powder for Oral Solution|Granules for Oral Suspension|"
    "Effervescent Oral Tablet|Injectable Solution|Injectable Suspension|Injection|Prefilled Syringe|Auto-Injector|Pen Injector|"
    "Cartridge|Jet Injector|Drug Implant|Transdermal System|Transdermal Patch|Chewing Gum|Oral Film|Oral Granules|Oral Powder|"
    "Intrathecal Suspension|Extended Release Suspension|Tablet for Oral Suspension|Powder for Injectable Solution",
    "skin": "Topical Cream|Topical Ointment|Topical Lotion|Topical Gel|Topical Solution|Topical Spray|Topical Foam|"
    "Topical Powder|Topical Oil|Medicated Shampoo|Medicated Pad|Medicated Liquid Soap|Augmented Topical Cream",
    "eye": "Ophthalmic Solution|Ophthalmic Suspension|Ophthalmic Ointment|Ophthalmic Gel|Ophthalmic Irrigation Solution",
    "ear": "Otic Solution|Otic Suspension|Otic Ointment",
    "nose": "Nasal Spray|Metered Dose Nasal Spray|Nasal Solution|Nasal Gel|Nasal Inhaler",
    "airway": "Inhalation Solution|Inhalation Suspension|Inhalation Powder|Dry Powder Inhaler|Metered Dose Inhaler|"
    "Inhalation Spray",
    "mouth": "Sublingual Tablet|Sublingual Film|Buccal Tablet|Buccal Film|Mucosal Spray|Mouthwash|Oral Lozenge|Oral Spray",
    "rectum": "Rectal Suppository|Rectal Cream|Rectal Foam|Rectal Solution|Enema",
    "vagina": "Vaginal Cream|Vaginal Gel|Vaginal Ring|Vaginal Suppository|Vaginal Tablet|Intrauterine System",
    "surface": "Irrigation Solution",
}


@pytest.mark.parametrize(("place", "forms"), RXNORM_FORMS.items())
def test_the_dose_forms_of_rxnorm_are_classified(place: str, forms: str) -> None:
    assert {form: KNOWLEDGE.place_of("", form) for form in forms.split("|")} == dict.fromkeys(forms.split("|"), place)
