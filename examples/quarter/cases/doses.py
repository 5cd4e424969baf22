"""Doses: for the kidney, for the liver, and by themselves. Sources: US labels, section 2; Cockcroft-Gault 1976; ISMP (weekly
methotrexate given daily)."""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import on_the_ward
from examples.quarter.person import Person

FIBRILLATION = [("I48.91", "atrial fibrillation")]
PLAIN = [("J06.9", "acute upper respiratory infection")]
# creatinine 2.8 at 72 years and 80 kg, a man: a clearance of 27 mL/min; 0.8 at 62: 108
WEAK = (
    ("rivaroxaban", "rivaroxaban", FIBRILLATION),
    ("metformin", "metformin", [("E11.9", "type 2 diabetes")]),
    ("enoxaparin", "enoxaparin", [("I26.99", "pulmonary embolism")]),
    ("dabigatran", "dabigatran", FIBRILLATION),
    ("edoxaban", "edoxaban", FIBRILLATION),
    ("gabapentin full", "gabapentin", PLAIN),
    ("sotalol", "sotalol", FIBRILLATION),
    ("levofloxacin", "levofloxacin", PLAIN),
    ("eplerenone", "eplerenone", [("I10", "hypertension")]),
    ("nitrofurantoin", "nitrofurantoin", [("N39.0", "urinary tract infection")]),
    ("ciprofloxacin", "ciprofloxacin", PLAIN),
    ("tramadol full", "tramadol", PLAIN),
)
FOR_WEAK = ("rivaroxaban low", "apixaban low", "metoprolol", "amlodipine", "atorvastatin", "pantoprazole")
LIVER = (
    ("celecoxib", "celecoxib", 11), ("valproate", "valproate", 11), ("rivaroxaban", "rivaroxaban", 8),
    ("apixaban", "apixaban", 11), ("citalopram 40", "citalopram", 8), ("metformin", "metformin", 11),
    ("edoxaban", "edoxaban", 11), ("celecoxib", "celecoxib", 12), ("valproate", "valproate", 8),
    ("rivaroxaban", "rivaroxaban", 12), ("duloxetine", "duloxetine", 11), ("atorvastatin", "atorvastatin", 12),
)  # fmt: skip
FOR_LIVER = ("celecoxib", "citalopram", "metoprolol", "pantoprazole", "furosemide", "valproate")
TOO_MUCH = (
    ("methotrexate daily", "methotrexate"), ("acetaminophen high", "acetaminophen"), ("citalopram high", "citalopram"),
    ("digoxin tenfold", "digoxin"), ("levothyroxine tenfold", "levothyroxine"), ("gabapentin high", "gabapentin"),
    ("ibuprofen high", "ibuprofen"), ("tramadol high", "tramadol"), ("zolpidem high", "zolpidem"),
    ("acetaminophen child high", "acetaminophen"), ("methotrexate daily", "methotrexate"),
    ("acetaminophen high", "acetaminophen"),
)  # fmt: skip
MOST = (
    "acetaminophen", "methotrexate", "citalopram", "gabapentin", "ibuprofen", "acetaminophen child", "metformin",
    "tramadol", "digoxin", "levothyroxine", "naproxen", "simvastatin",
)  # fmt: skip


@problem("kidney dose", "a dose that is too high for the clearance")
def too_weak(p: Person, n: int) -> Told:
    drug, about, conditions = WEAK[n % len(WEAK)]
    p.be(72, "male", 80)
    day = on_the_ward(p, [*conditions, ("N18.4", "chronic kidney disease, stage 4")], without=("creatinine",))
    for back in (120, 60, 8, 0):
        p.lab("creatinine", 2.8, day - back + 0.02)
    p.order(drug, day + 0.2)
    return Told((about,), day + 0.2)


@lookalike("kidney dose", "a dose that the label has for this clearance")
def for_weak(p: Person, n: int) -> Told:
    drug = FOR_WEAK[n % len(FOR_WEAK)]
    p.be(81, "male", 62)
    day = on_the_ward(p, [*FIBRILLATION, ("N18.4", "chronic kidney disease, stage 4")], without=("creatinine",))
    for back in (120, 60, 8, 0):
        p.lab("creatinine", 2.2, day - back + 0.02)
    p.order(drug, day + 0.2)
    return Told((drug.split()[0],), day + 0.2)


@lookalike("kidney dose", "the full dose with a good kidney")
def strong(p: Person, n: int) -> Told:
    drug, about, conditions = WEAK[n % 4]
    p.be(62, "male", 80)
    day = on_the_ward(p, conditions)
    p.order(drug, day + 0.2)
    return Told((about,), day + 0.2)


@problem("liver dose", "not for a liver of this class")
def liver(p: Person, n: int) -> Told:
    drug, about, score = LIVER[n % len(LIVER)]
    p.be(59, "female", 70)
    day = on_the_ward(p, [("K74.60", "cirrhosis of liver")])
    p.observe("child_pugh", score, "", day + 0.05)
    p.order(drug, day + 0.3)
    return Told((about,), day + 0.3)


@lookalike("liver dose", "class A")
def liver_well(p: Person, n: int) -> Told:
    drug = FOR_LIVER[n % len(FOR_LIVER)]
    day = on_the_ward(p, [("K74.60", "cirrhosis of liver")])
    p.observe("child_pugh", 5, "", day + 0.05)
    p.order(drug, day + 0.3)
    return Told((drug,), day + 0.3)


@problem("dose range", "more than the label's most, tenfold, or daily instead of weekly")
def too_much(p: Person, n: int) -> Told:
    drug, about = TOO_MUCH[n % len(TOO_MUCH)]
    _size(p, drug)
    day = on_the_ward(p)
    order = p.order(drug, day + 0.2, doses=False)
    # the first dose comes a day late: somebody asked
    p.give(order, day + 1.2)
    return Told((about,), day + 0.2)


@lookalike("dose range", "as much as the label allows")
def most(p: Person, n: int) -> Told:
    drug = MOST[n % len(MOST)]
    _size(p, drug)
    day = on_the_ward(p)
    p.order(drug, day + 0.2)
    return Told((drug.split()[0],), day + 0.2)


def _size(p: Person, drug: str) -> None:
    child = "child" in drug
    p.be(3 if child else 55, "male", 14 if child else 80)
