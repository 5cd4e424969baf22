"""Who the patient is, and burden. Sources: STOPP/START 3 (O'Mahony 2023) and AGS Beers 2023, facts only; boxed warnings and
sections 4 and 8 of US labels; Boustani 2008 (anticholinergic burden of 3 and more); Lapi 2013 (triple whammy)."""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home
from examples.quarter.person import Person, due_in

OLD = ("diphenhydramine", "glyburide", "amitriptyline", "diazepam", "zolpidem", "indapamide")
PREGNANT = ("valproate", "lisinopril", "methotrexate", "warfarin", "losartan", "atorvastatin")
CHILD = ("codeine", "tramadol", "doxycycline", "ciprofloxacin")
DISEASE = (
    ("metoprolol", [("J45.909", "asthma")], "atenolol"),
    ("ibuprofen", [("I50.9", "heart failure")], "ibuprofen"),
    ("naproxen", [("K25.9", "gastric ulcer")], "naproxen"),
    ("diltiazem", [("I50.22", "chronic systolic heart failure")], "diltiazem"),
    ("haloperidol", [("G20", "Parkinson's disease")], "haloperidol"),
    ("oxybutynin", [("F03.90", "dementia")], "oxybutynin"),
)
ANTICHOLINERGIC = (
    ("oxybutynin", "amitriptyline"), ("diphenhydramine", "tolterodine"), ("benztropine", "oxybutynin"),
    ("amitriptyline", "diphenhydramine"),
)  # fmt: skip
SEDATIVES = (("lorazepam", "gabapentin", "trazodone"), ("diazepam", "trazodone", "gabapentin"))
SEROTONIN = (("sertraline", "trazodone", "tramadol"), ("fluoxetine", "linezolid"), ("paroxetine", "tramadol"))
WHAMMY = (("lisinopril", "hydrochlorothiazide", "ibuprofen"), ("losartan", "furosemide", "naproxen"))


@problem("who the patient is", "not for older people")
def old(p: Person, n: int) -> Told:
    drug = OLD[n % 5]
    p.be(84, "female", 61)
    day = at_home(p)
    p.takes(drug, day)
    return Told((drug,), day)


@problem("who the patient is", "harms an unborn child")
def pregnant(p: Person, n: int) -> Told:
    drug = PREGNANT[n % len(PREGNANT)]
    p.be(31)
    day = at_home(p, pregnancy={"pregnant": True, "due_date": due_in(20, 20).isoformat()})
    p.takes(drug, day)
    return Told((drug, "pregnan"), day)


@problem("who the patient is", "not for children")
def child(p: Person, n: int) -> Told:
    drug = CHILD[n % 2]
    p.be(6, "male", 21)
    day = at_home(p)
    p.takes(drug, day, day + 5, days=5)
    return Told((drug,), day)


@problem("who the patient is", "not while breast-feeding")
def nursing(p: Person, n: int) -> Told:
    drug = ("codeine", "tramadol")[n % 2]
    p.be(30)
    day = at_home(p, lactating=True)
    p.takes(drug, day, day + 5, days=5)
    return Told((drug,), day)


@problem("who the patient is", "not with this disease")
def disease(p: Person, n: int) -> Told:
    drug, conditions, _ = DISEASE[n % len(DISEASE)]
    drug = "atenolol" if conditions[0][0] == "J45.909" else drug
    p.be(66)
    day = at_home(p, conditions)
    p.takes(drug, day)
    return Told((drug,), day)


@problem("who the patient is", "pregnant and nobody knows", hidden="no test was made")
def not_known(p: Person, n: int) -> Told:
    p.be(29)
    day = at_home(p)
    p.takes("lisinopril", day)
    return Told(("pregnan",), day)


@lookalike("who the patient is", "the same medicine at 45")
def young(p: Person, n: int) -> Told:
    drug = OLD[n % len(OLD)]
    p.be(45)
    day = at_home(p)
    p.takes(drug, day, day + 20, days=20)
    return Told((drug,), day)


@lookalike("who the patient is", "fit for pregnancy")
def fit(p: Person, n: int) -> Told:
    p.be(31)
    day = at_home(p, pregnancy={"pregnant": True, "due_date": due_in(20, 20).isoformat()})
    p.takes(("levothyroxine", "acetaminophen", "amoxicillin")[n % 3], day, day + 10, days=10)
    return Told(("pregnan",), day)


@lookalike("who the patient is", "with a disease that the medicine treats")
def treats(p: Person, n: int) -> Told:
    drug, conditions = (
        ("metoprolol", [("I50.22", "chronic systolic heart failure")]),
        ("pantoprazole", [("K25.9", "gastric ulcer")]),
        ("donepezil", [("F03.90", "dementia")]),
    )[n % 3]
    p.be(64)
    day = at_home(p, conditions)
    p.takes(drug, day)
    return Told((drug,), day)


@problem("burden", "anticholinergic")
def anticholinergic(p: Person, n: int) -> Told:
    return _all_of(p, ANTICHOLINERGIC[n % len(ANTICHOLINERGIC)], 78)


@problem("burden", "three sedatives")
def sedatives(p: Person, n: int) -> Told:
    return _all_of(p, SEDATIVES[n % len(SEDATIVES)], 78)


@problem("burden", "serotonergic")
def serotonin(p: Person, n: int) -> Told:
    return _all_of(p, SEROTONIN[n % len(SEROTONIN)], 45)


@problem("burden", "a blocker of the renin system, a diuretic and an NSAID")
def whammy(p: Person, n: int) -> Told:
    return _all_of(p, WHAMMY[n % len(WHAMMY)], 70)


@lookalike("burden", "one of them")
def one(p: Person, n: int) -> Told:
    return _all_of(p, (("tolterodine",), ("sertraline",), ("gabapentin",), ("trazodone",))[n % 4], 52)


@lookalike("burden", "two of the three, or the third as a gel")
def two(p: Person, n: int) -> Told:
    return _all_of(p, (("lisinopril", "hydrochlorothiazide"), ("losartan", "furosemide", "diclofenac gel"))[n % 2], 62)


@lookalike("burden", "one after the other")
def in_turn(p: Person, n: int) -> Told:
    p.be(55)
    day = at_home(p)
    p.takes("sertraline", -60, day)
    p.takes("citalopram" if n % 2 else "paroxetine", day + 1)
    return Told(("sertraline",), day)


def _all_of(p: Person, drugs: tuple[str, ...], age: int) -> Told:
    p.be(age)
    day = at_home(p)
    for drug in drugs[:-1]:
        p.takes(drug, -40)
    p.takes(drugs[-1], day)
    return Told((*(drug.split()[0] for drug in drugs), "burden"), day)
