"""Which allergies reach which medicines, how grave it is by the reaction, and what the loader refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from knowledge.allergy import UNKNOWN
from knowledge.loader import load, load_from
from knowledge.reading.tables import KnowledgeError
from tests.support.knowledge import copy_knowledge

CROSSING = load().cross_reactivity


def gravest(allergen: str, medicine: str, reaction: str) -> str:
    """The severity of giving a medicine after a reaction to an allergen, as the words of an allergy list."""
    found = list(CROSSING.crossings(allergen, medicine, CROSSING.kind_of(reaction)))
    return found[0].grade.severity if found else ""


# Khan 2022 and Picard 2019: between penicillins the core counts, between a penicillin and a cephalosporin the R1 side chain,
# after SJS, TEN, DRESS and haemolysis the class. Cefazolin shares no side chain; aztreonam that of ceftazidime.
@pytest.mark.parametrize(
    ("allergen", "reaction", "medicine", "severity"),
    [
        ("amoxicillin", "anaphylaxis", "piperacillin", "critical"),
        ("amoxicillin", "Anaphylactic shock", "cephalexin", "critical"),
        ("amoxicillin", "anaphylaxis", "cefazolin", ""),
        ("amoxicillin", "anaphylaxis", "ceftriaxone", ""),
        ("amoxicillin", "anaphylaxis", "meropenem", ""),
        ("amoxicillin", "rash", "cephalexin", "info"),
        ("amoxicillin", "rash", "ampicillin", "moderate"),
        ("amoxicillin", "hives", "penicillin g", "high"),
        ("amoxicillin", "", "amoxicillin", "high"),
        ("amoxicillin", "Stevens-Johnson syndrome", "cefazolin", "critical"),
        ("amoxicillin", "DRESS", "meropenem", "critical"),
        ("ceftriaxone", "hemolytic anemia", "piperacillin", "high"),
        ("ceftazidime", "anaphylaxis", "aztreonam", "critical"),
        ("aztreonam", "hives", "ceftazidime", "high"),
        ("ceftazidime", "anaphylaxis", "cefepime", ""),
        ("ceftriaxone", "anaphylaxis", "cefepime", "critical"),
        ("cefazolin", "anaphylaxis", "cephalexin", ""),
        ("penicillin g", "anaphylaxis", "cefoxitin", "high"),
        ("penicillin", "", "amoxicillin", "high"),
        ("penicillin", "anaphylaxis", "cefazolin", ""),
        ("penicillin", "nausea", "amoxicillin", ""),
        ("cephalosporins", "anaphylaxis", "cefazolin", "high"),
        ("meropenem", "anaphylaxis", "ertapenem", "high"),
        # sulfonamide antibiotics with sulfasalazine, and not with other sulfonamides
        ("sulfamethoxazole", "SJS", "sulfasalazine", "critical"),
        ("sulfamethoxazole", "rash", "sulfadiazine", "moderate"),
        ("sulfamethoxazole", "anaphylaxis", "furosemide", ""),
        ("sulfamethoxazole", "anaphylaxis", "celecoxib", ""),
        ("sulfa", "", "sulfamethoxazole", "moderate"),
        ("sulfa", "anaphylaxis", "hydrochlorothiazide", ""),
        # the effect on cyclooxygenase 1
        ("aspirin", "bronchospasm", "ibuprofen", "critical"),
        ("ibuprofen", "angioedema", "ketorolac", "high"),
        ("aspirin", "bronchospasm", "celecoxib", ""),
        ("aspirin", "stomach upset", "ibuprofen", ""),
        ("aspirin", "stomach upset", "aspirin", "info"),
        # bradykinin, often filed as an intolerance
        ("lisinopril", "swelling of lips", "ramipril", "critical"),
        ("lisinopril", "angioedema", "sacubitril", "critical"),
        ("lisinopril", "angioedema", "losartan", "moderate"),
        ("losartan", "angioedema", "sacubitril", "critical"),
        ("losartan", "angioedema", "lisinopril", ""),
        ("lisinopril", "dry cough", "ramipril", "info"),
        ("lisinopril", "dry cough", "losartan", ""),
        # heparin-induced thrombocytopenia
        ("heparin", "HIT", "enoxaparin", "critical"),
        ("heparin", "heparin-induced thrombocytopenia", "heparin", "critical"),
        ("heparin", "HIT", "fondaparinux", ""),
        ("hit", "", "enoxaparin", "critical"),
        ("heparin", "low platelets: thrombocytopenia", "dalteparin", "critical"),
        ("heparin", "", "enoxaparin", "moderate"),
        # opioids: histamine is no allergy
        ("morphine", "itching", "codeine", "info"),
        ("morphine", "itching", "fentanyl", ""),
        ("morphine", "anaphylaxis", "hydromorphone", "high"),
        ("morphine", "anaphylaxis", "fentanyl", ""),
        ("fentanyl", "anaphylaxis", "remifentanil", "high"),
        # contrast: the class of the agent
        ("iohexol", "hives", "iopamidol", "moderate"),
        ("iohexol", "anaphylaxis", "gadobutrol", ""),
        # anticonvulsants
        ("phenytoin", "DRESS", "carbamazepine", "critical"),
        ("carbamazepine", "TEN (toxic epidermal necrolysis)", "fosphenytoin", "critical"),
        ("phenytoin", "DRESS", "levetiracetam", ""),
        ("phenytoin", "nausea", "carbamazepine", ""),
    ],
)
def test_what_an_allergy_reaches(allergen: str, reaction: str, medicine: str, severity: str) -> None:
    assert gravest(allergen, medicine, reaction) == severity


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Rash with blisters and peeling skin", "severe-delayed"),
        ("Hives; later anaphylaxis", "anaphylaxis"),
        ("Tongue swelling", "angioedema"),
        ("Ankle swelling", "intolerance"),
        ("swelling", UNKNOWN),
        ("SHORTNESS OF BREATH", "airway"),
        ("maculopapular rash", "rash"),
        ("red man syndrome", "itch"),
        ("Nausea and vomiting", "intolerance"),
        ("dressing", UNKNOWN),
        ("white lips", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_the_kind_of_a_reaction_is_the_gravest_that_its_words_say(text: str, kind: str) -> None:
    assert CROSSING.kind_of(text).id == kind


def test_a_name_of_a_group_is_found() -> None:
    assert CROSSING.named["pcn"].id == "penicillin"
    assert CROSSING.named["sulfa drugs"].id == "sulfonamide-antibiotic"
    assert CROSSING.named["contrast dye"].id == "iodinated-contrast"


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("PENICILLIN", "penicillin"),
        ("Allergy to penicillin (finding)", "penicillin"),
        ("Penicillin -class of antibiotic- (substance)", "penicillin"),
        ("Product containing sulfonamide (product)", "sulfonamide-antibiotic"),
        ("Sulfa antibiotics allergy", "sulfonamide-antibiotic"),
        ("NSAIDs", "nsaid-cox1"),
        ("house dust mite", None),
        ("allergy to  ", None),
        ("", None),
    ],
)
def test_a_text_that_names_a_group(text: str, group: str | None) -> None:
    found = CROSSING.group_of(text)
    assert (found.id if found is not None else None) == group


def test_every_group_can_fire_and_says_what_to_do() -> None:
    for group in CROSSING.groups.values():
        assert any(key[0] == group.id for key in CROSSING.grades), group.id
        assert group.actions
        assert re.search(r"Do not take", group.patient_explanation)
        assert group.reach != "members" or group.allergens, group.id


def test_the_medicine_itself_has_a_grade_for_every_kind() -> None:
    assert {key[1] for key in CROSSING.grades if key[0] == "same-medicine"} == {each.id for each in CROSSING.reactions}


@pytest.mark.parametrize(
    ("file", "row", "column"),
    [
        ("groups", "penicillin,t,members,,m,a,p,g,unverified,a,rxvigil", "id"),
        ("groups", "new,t,members,Big Words,m,a,p,g,unverified,a,rxvigil", "names"),
        ("groups", "new,t,members,pcn,m,a,p,g,unverified,a,rxvigil", "names"),
        ("groups", "new,t,same,,m,a,p,g,unverified,a,rxvigil", "reach"),
        ("groups", "new,t,members,new words,m,a,p,g,unverified,a,rxvigil", "id"),
        ("members", "nobody,aspirin,both,,g,unverified,a,rxvigil", "group"),
        ("members", "heparin,kryptonite,both,,g,unverified,a,rxvigil", "member"),
        ("members", "heparin,enoxaparin,both,,g,unverified,a,rxvigil", "member"),
        ("reactions", "new,t,Big,m,g,unverified,a,rxvigil", "words"),
        ("reactions", "new,t,hives,m,g,unverified,a,rxvigil", "words"),
        ("reactions", "new,t,purple spots,m,g,unverified,a,rxvigil", "id"),
        ("severities", "nobody,rash,high,r,g,unverified,a,rxvigil", "group"),
        ("severities", "heparin,boredom,high,r,g,unverified,a,rxvigil", "reaction"),
        ("severities", "heparin,anaphylaxis,high,r,g,unverified,a,rxvigil", "reaction"),
        ("left_out", "nobody,aspirin,r,rxvigil", "group"),
    ],
)
def test_a_row_that_contradicts_is_refused_with_its_place(tmp_path: Path, file: str, row: str, column: str) -> None:
    path = copy_knowledge(tmp_path) / f"allergies/{file}.csv"
    path.write_text(path.read_text("utf-8") + row + "\n", "utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load_from(tmp_path)
    assert (caught.value.file, caught.value.column) == (f"allergies/{file}.csv", column)
