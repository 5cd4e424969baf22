"""Transfer, stewardship, opportunity.

Sources: NICE NG5 (medicines at transfer), UKHSA 2022 (from the vein to the mouth), IDSA and NICE (usual lengths of antibiotic
courses), CDC 2022 (naloxone), STOPP/START 3 and PINCER (gastroprotection, missing and no longer needed).
"""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home, on_the_ward
from examples.quarter.person import Person

HOME = ("levothyroxine", "metoprolol", "atorvastatin", "apixaban", "lisinopril", "sertraline")
HARM = (("lisinopril", "angioedema"), ("ibuprofen", "gastrointestinal bleeding"), ("carbamazepine", "rash"))
INTO_VEIN = ("levofloxacin iv", "metronidazole iv", "ciprofloxacin iv", "pantoprazole iv")


@problem("transfer", "a home medicine that the ward neither goes on with nor stops")
def forgotten(p: Person, n: int) -> Told:
    drug = HOME[n % len(HOME)]
    p.register(-380)
    p.panel(-20)
    p.takes(drug, -100)
    day = 30.4
    p.leaves = day + 8
    p.admit(day)
    p.panel(day + 0.1)
    p.order("acetaminophen", day + 0.2)
    p.panel(day + 4)
    p.discharge(day + 8)
    return Told((drug,), day, day + 8)


@problem("transfer", "started again after it was stopped for harm")
def again(p: Person, n: int) -> Told:
    drug, harm = HARM[n % len(HARM)]
    day = at_home(p)
    p.takes(drug, -100, day - 5, why=f"adverse reaction: {harm}")
    p.takes(drug, day + 10)
    return Told((drug,), day + 10)


@problem("transfer", "held on admission and not gone on with at discharge")
def not_resumed(p: Person, n: int) -> Told:
    drug = HOME[n % len(HOME)]
    p.register(-380)
    p.panel(-20)
    order = p.order(drug, -100, setting="outpatient")
    for day in (-100, -71, -42, -13, 16):
        p.fill(drug, day + 0.1, order=order)
    p.leaves = 36.4
    p.admit(30.4)
    p.change(order, 30.5, "held")
    p.panel(30.6)
    p.order("acetaminophen", 30.6)
    p.discharge(36.4)
    return Told((drug,), 36.4)


@problem("transfer", "stopped on the telephone", hidden="nobody wrote it down")
def by_telephone(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes("metoprolol", -100)
    return Told(("metoprolol",), day)


@lookalike("transfer", "home medicines that the ward goes on with")
def continued(p: Person, n: int) -> Told:
    drug = HOME[n % len(HOME)]
    p.register(-380)
    p.panel(-20)
    p.takes(drug, -100)
    day = 30.4
    p.leaves = day + 8
    p.admit(day)
    p.panel(day + 0.1)
    p.order(drug, day + 0.2)
    p.panel(day + 4)
    p.discharge(day + 8)
    return Told((drug,), day)


@lookalike("transfer", "stopped on admission, or swapped within its class")
def stopped(p: Person, n: int) -> Told:
    p.register(-380)
    p.panel(-20)
    day = 30.4
    drug, instead = (("omeprazole", "pantoprazole"), ("simvastatin", "atorvastatin"), ("loperamide", ""))[n % 3]
    p.takes(drug, -100, day + 0.2)
    p.leaves = day + 6
    p.admit(day)
    if instead:
        p.order(instead, day + 0.3)
    p.discharge(day + 6)
    return Told((drug,), day)


@problem("stewardship", "into the vein for days where the mouth would do")
def into_vein(p: Person, n: int) -> Told:
    drug = INTO_VEIN[n % len(INTO_VEIN)]
    day = on_the_ward(p, [("J18.9", "pneumonia")], days=9)
    p.order(drug, day + 0.2)
    p.order("atorvastatin", day + 0.2)
    for number in range(9):
        p.observe("temperature", 36.8, "Cel", day + 0.3 + number)
    return Told((drug.split()[0],), day + 3)


@problem("stewardship", "an antibiotic past its usual length")
def too_long(p: Person, n: int) -> Told:
    drug, conditions = (
        ("nitrofurantoin", [("N30.00", "acute cystitis")]),
        ("amoxicillin", [("J18.9", "pneumonia")]),
        ("ciprofloxacin", [("N10", "acute pyelonephritis")]),
        ("cephalexin", [("L03.90", "cellulitis")]),
    )[n % 4]
    day = at_home(p, conditions)
    p.takes(drug, day, day + 40, days=20)
    return Told((drug,), day + 7)


@problem("stewardship", "the organism is resistant to what is given")
def resistant(p: Person, n: int) -> Told:
    given, test = (("ciprofloxacin iv", "ciprofloxacin"), ("ceftriaxone", "ceftriaxone"))[n % 2]
    day = on_the_ward(p, [("N10", "acute pyelonephritis")])
    p.order(given, day + 0.2)
    p.lab(f"{test} susceptibility", "R", day + 2.5)
    return Told((test,), day + 2.5)


@lookalike("stewardship", "the organism is susceptible")
def susceptible(p: Person, n: int) -> Told:
    given, test = (("ciprofloxacin iv", "ciprofloxacin"), ("ceftriaxone", "ceftriaxone"))[n % 2]
    day = on_the_ward(p, [("N10", "acute pyelonephritis")])
    p.order(given, day + 0.2, day + 2.8)
    p.lab(f"{test} susceptibility", "S", day + 2.5)
    return Told((test,), day + 2.5)


@lookalike("stewardship", "changed to the mouth on the third day")
def changed(p: Person, n: int) -> Told:
    day = on_the_ward(p, [("J18.9", "pneumonia")])
    p.order("levofloxacin iv", day + 0.2, day + 2)
    p.order("levofloxacin", day + 2, day + 6)
    return Told(("levofloxacin",), day)


@lookalike("stewardship", "a course of its usual length")
def usual(p: Person, n: int) -> Told:
    day = at_home(p, [("N30.00", "acute cystitis")])
    p.takes(("nitrofurantoin", "cephalexin")[n % 2], day, day + 5, days=5)
    return Told(("nitrofurantoin", "cephalexin"), day)


@lookalike("stewardship", "long because it has to be")
def endocarditis(p: Person, n: int) -> Told:
    day = on_the_ward(p, [("I33.0", "infective endocarditis")], days=16)
    p.order("ceftriaxone", day + 0.2)
    return Told(("ceftriaxone",), day)


@problem("opportunity", "an NSAID in old age without protection of the stomach")
def unprotected(p: Person, n: int) -> Told:
    p.be(79)
    day = at_home(p)
    drug = ("naproxen", "ibuprofen")[n % 2]
    p.takes(drug, day)
    return Told((drug,), day)


@problem("opportunity", "a proton-pump inhibitor for a year without a reason")
def no_longer(p: Person, n: int) -> Told:
    p.register(-450)
    p.panel(-20)
    drug = ("omeprazole", "pantoprazole", "esomeprazole")[n % 3]
    p.takes(drug, -400)
    # eight weeks
    return Told((drug,), -344)


@problem("opportunity", "50 mg of morphine equivalents and more without naloxone")
def no_naloxone(p: Person, n: int) -> Told:
    at_home(p)
    drug = ("morphine er", "oxycodone high", "hydromorphone")[n % 3]
    p.takes(drug, -60)
    return Told((drug.split()[0], "naloxone"), -60)


@problem("opportunity", "no statin after a heart attack")
def no_statin(p: Person, n: int) -> Told:
    p.be(63)
    at_home(p, [("I25.2", "old myocardial infarction")])
    p.takes("aspirin", -60)
    p.takes("metoprolol", -60)
    # since which day the list of medicines is known, and has none
    return Told(("statin", "aspirin"), -60)


@problem("opportunity", "no anticoagulant in atrial fibrillation at 78")
def no_anticoagulant(p: Person, n: int) -> Told:
    p.be(78)
    at_home(p, [("I48.91", "atrial fibrillation"), ("I10", "hypertension")])
    p.takes("bisoprolol", -60)
    return Told(("anticoag", "fibrillation"), -60)


@lookalike("opportunity", "protected")
def protected(p: Person, n: int) -> Told:
    p.be(70)
    day = at_home(p)
    p.takes("omeprazole", day - 1, day + 12, days=12)
    p.takes("naproxen", day, day + 10, days=10)
    return Told(("naproxen",), day)


@lookalike("opportunity", "the inhibitor has its reason")
def reason(p: Person, n: int) -> Told:
    p.register(-450, [("K22.70", "Barrett's esophagus")])
    p.panel(-20)
    p.takes("omeprazole", -400)
    return Told(("omeprazole",), 0)


@lookalike("opportunity", "a statin after a heart attack")
def statin(p: Person, n: int) -> Told:
    p.be(63)
    day = at_home(p, [("I25.2", "old myocardial infarction")])
    for drug in ("aspirin", "metoprolol", "atorvastatin"):
        p.takes(drug, -60)
    return Told(("statin",), day)
