"""Interactions, duplicates and allergies. Sources: US labels (contraindications, sections 4, 5 and 7), Phansalkar 2012 (pairs of
high priority), Khan 2022 (side chains of beta-lactams)."""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home, on_the_ward
from examples.quarter.person import Person

TOGETHER = (
    ("simvastatin", "clarithromycin"),
    ("tizanidine", "ciprofloxacin"),
    ("tranylcypromine", "fluoxetine"),
    ("azathioprine", "febuxostat"),
    ("atazanavir", "omeprazole"),
    ("phenelzine", "meperidine"),
    ("simvastatin", "itraconazole"),
    ("lovastatin", "clarithromycin"),
    ("phenelzine", "pseudoephedrine"),
    ("ergotamine", "clarithromycin"),
    ("simvastatin", "gemfibrozil"),
    ("tranylcypromine", "amitriptyline"),
    ("isosorbide mononitrate", "sildenafil"),
    ("methotrexate", "trimethoprim"),
)
SAFE_TOGETHER = (
    ("pravastatin", "clarithromycin"),
    ("tizanidine", "levofloxacin"),
    ("simvastatin low", "amlodipine"),
    ("allopurinol", "losartan"),
    ("rosuvastatin", "doxycycline"),
    ("metoprolol", "amlodipine"),
    ("levothyroxine", "lisinopril"),
)
TWICE = (
    ("lisinopril", "prinivil", "lisinopril"),
    ("apixaban", "enoxaparin", "apixaban"),
    ("rivaroxaban", "apixaban", "apixaban"),
    ("ramipril", "enalapril", "enalapril"),
    ("simvastatin", "atorvastatin", "atorvastatin"),
    ("ibuprofen", "naproxen", "naproxen"),
    ("omeprazole", "pantoprazole", "pantoprazole"),
    ("metoprolol", "bisoprolol", "bisoprolol"),
    ("sertraline", "citalopram", "citalopram"),
    ("enoxaparin", "dalteparin", "dalteparin"),
    ("glipizide", "glyburide", "glyburide"),
    ("lorazepam", "diazepam", "diazepam"),
)
MEANT_TWICE = (
    ("insulin glargine", "insulin lispro"),
    ("morphine er", "morphine"),
    ("oxycodone er", "oxycodone"),
    ("aspirin", "clopidogrel"),
    ("metformin", "glipizide"),
    ("hydrochlorothiazide", "losartan"),
)
ALLERGIES = (
    ("amoxicillin", "anaphylaxis", "piperacillin tazobactam", "piperacillin"),
    ("penicillin", "anaphylaxis", "amoxicillin", "amoxicillin"),
    ("sulfamethoxazole", "hives", "sulfamethoxazole trimethoprim", "sulfamethoxazole"),
    ("lisinopril", "angioedema", "enalapril", "enalapril"),
    ("ampicillin", "anaphylaxis", "cephalexin", "cephalexin"),
    ("amoxicillin", "anaphylaxis", "cefadroxil", "cefadroxil"),
    ("aspirin", "angioedema", "naproxen", "naproxen"),
    ("ciprofloxacin", "anaphylaxis", "levofloxacin", "levofloxacin"),
    ("phenytoin", "Stevens-Johnson syndrome", "carbamazepine", "carbamazepine"),
    ("vancomycin", "anaphylaxis", "vancomycin", "vancomycin"),
    ("cefazolin", "anaphylaxis", "cefazolin", "cefazolin"),
    ("clarithromycin", "hives", "erythromycin", "erythromycin"),
)
NOT_ALLERGIC = (
    ("amoxicillin", "anaphylaxis", "confirmed", "active", "cefazolin"),
    ("sulfamethoxazole", "hives", "confirmed", "active", "furosemide"),
    ("amoxicillin", "hives", "refuted", "active", "amoxicillin"),
    ("penicillin", "anaphylaxis", "confirmed", "active", "doxycycline"),
    ("lisinopril", "angioedema", "confirmed", "active", "amlodipine"),
    ("ciprofloxacin", "hives", "confirmed", "resolved", "ciprofloxacin"),
)


@problem("interaction", "two medicines that a label forbids together")
def together(p: Person, n: int) -> Told:
    first, second = TOGETHER[n % len(TOGETHER)]
    if second == "meperidine":
        day = on_the_ward(p) + 1.2
        p.order(first, day - 1)
        p.order(second, day)
    else:
        day = at_home(p)
        p.takes(first, -60)
        p.takes(second, day, day + 21, days=10)
    return Told((first, second), day)


@problem(
    "interaction", "a medicine of the family's cabinet", hidden="nobody records what was not bought for the patient"
)
def cabinet(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes("simvastatin", -60)
    return Told(("clarithromycin",), day)


@lookalike("interaction", "a pair that the labels allow")
def safe_together(p: Person, n: int) -> Told:
    first, second = SAFE_TOGETHER[n % len(SAFE_TOGETHER)]
    day = at_home(p)
    p.takes(first, -60)
    p.takes(second, day, day + 21, days=10)
    return Told((first, second), day)


@lookalike("interaction", "eye drops beside a medicine")
def drops(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes("tizanidine", -60)
    p.takes("ciprofloxacin eye", day, day + 10, days=10)
    return Told(("tizanidine", "ciprofloxacin"), day)


@lookalike("interaction", "stopped or held before the other began")
def one_after_the_other(p: Person, n: int) -> Told:
    day = on_the_ward(p) + 1
    statin = p.order("simvastatin", day - 0.5)
    p.change(statin, day, "held" if n % 2 else "discontinued")
    p.order("clarithromycin", day + 0.4)
    return Told(("simvastatin", "clarithromycin"), day)


@problem("duplicate", "the same or two of a class, from two prescribers")
def twice(p: Person, n: int) -> Told:
    first, second, about = TWICE[n % len(TWICE)]
    if second in ("enoxaparin", "dalteparin"):
        day = on_the_ward(p) + 1
        p.order(first, day - 0.5)
        p.order(second, day, prescriber="dr-2")
    else:
        day = at_home(p)
        p.takes(first, -60, prescriber="dr-1")
        p.takes(second, day, prescriber="dr-2")
    return Told((first, about), day)


@lookalike("duplicate", "two that belong together")
def meant_twice(p: Person, n: int) -> Told:
    first, second = MEANT_TWICE[n % len(MEANT_TWICE)]
    conditions = [("C18.9", "malignant neoplasm of colon")] if "er" in first.split() else []
    day = at_home(p, conditions)
    p.takes(first, -60)
    if "er" in first.split():
        p.takes("naloxone", -62, days=300)
    p.takes(second, day)
    return Told((first, second), day)


@lookalike("duplicate", "a switch that overlaps for an hour")
def switch(p: Person, n: int) -> Told:
    old, new = (("apixaban", "enoxaparin"), ("omeprazole", "pantoprazole"), ("ramipril", "losartan"))[n % 3]
    day = on_the_ward(p) + 1
    first = p.order(old, day - 0.5)
    p.order(new, day)
    p.stop(first, day + 0.04)
    return Told((old, new), day)


@lookalike("duplicate", "the next supply of the same, some days early")
def early_refill(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes(("amlodipine", "losartan", "levothyroxine")[n % 3], -60)
    return Told((), day)


@problem("allergy", "ordered in spite of an allergy")
def allergic(p: Person, n: int) -> Told:
    substance, reaction, drug, about = ALLERGIES[n % len(ALLERGIES)]
    severity = "severe" if reaction != "hives" else "moderate"
    day = on_the_ward(p, allergies=[_allergy(substance, reaction, severity=severity)]) + 1
    p.order(drug, day)
    return Told((about, substance), day)


@problem("allergy", "an allergy that nobody wrote down", hidden="it was told to nobody")
def told_to_nobody(p: Person, n: int) -> Told:
    day = on_the_ward(p) + 1
    p.order("cefazolin", day)
    return Told(("cefazolin",), day)


@lookalike("allergy", "another class, another side chain, refuted or over")
def not_allergic(p: Person, n: int) -> Told:
    substance, reaction, verification, status, drug = NOT_ALLERGIC[n % len(NOT_ALLERGIC)]
    day = on_the_ward(p, allergies=[_allergy(substance, reaction, verification=verification, status=status)]) + 1
    p.order(drug, day, day + 3)
    return Told((substance, drug), day)


def _allergy(
    substance: str, reaction: str, severity: str = "severe", verification: str = "confirmed", status: str = "active"
) -> dict[str, object]:
    return {
        "substance": {"text": substance}, "reaction": reaction, "severity": severity, "kind": "allergy",
        "verification": verification, "status": status,
    }  # fmt: skip
