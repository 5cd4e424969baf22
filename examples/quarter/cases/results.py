"""Laboratory values: with a medicine, critical by themselves, kidney injury, falling counts and the liver.

Sources: Kost 1990 and 1991 (critical values), KDIGO 2012 (kidney injury), Lo 2006 (heparin), ISTH (bleeding), FDA 2009 (Hy's
law), US labels and NICE NG203 (potassium, INR, metformin, counts). Values lie clearly on one side.
"""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home, on_the_ward
from examples.quarter.person import COUNTS, LIVER, Person

WITH_MEDICINE = (
    (("lisinopril", "spironolactone"), "potassium", 6.1),
    (("potassium chloride",), "potassium", 5.9),
    (("losartan",), "potassium", 6.4),
    (("warfarin",), "INR", 6.3),
    (("warfarin",), "INR", 10.8),
    (("apixaban",), "platelets", 34.0),
    (("glipizide",), "glucose", 46.0),
    (("insulin glargine",), "glucose", 40.0),
    (("digoxin", "furosemide"), "potassium", 2.9),
    (("hydrochlorothiazide",), "sodium", 121.0),
    (("clozapine",), "neutrophils", 0.8),
    (("methotrexate",), "platelets", 48.0),
    (("metformin",), "creatinine", 3.4),
)
ALLOWED_WITH = (
    (("lisinopril",), "potassium", 4.8),
    (("warfarin",), "INR", 2.9),
    (("apixaban",), "platelets", 128.0),
    (("glipizide",), "glucose", 92.0),
    (("hydrochlorothiazide",), "sodium", 136.0),
    (("metformin",), "creatinine", 0.95),
    (("clozapine",), "neutrophils", 2.4),
    (("digoxin", "metoprolol"), "potassium", 4.1),
)
CRITICAL = (
    (60, "potassium", 2.4), (60, "potassium", 6.9), (60, "sodium", 114), (60, "sodium", 165), (60, "glucose", 38),
    (60, "glucose", 560), (60, "hemoglobin", 5.9), (60, "platelets", 22), (60, "calcium", 6.0), (60, "calcium", 13.9),
    (7, "platelets", 41), (7, "potassium", 6.8), (7, "hemoglobin", 6.2), (60, "magnesium", 0.7), (7, "sodium", 117),
)  # fmt: skip
NOT_CRITICAL = (
    (60, "potassium", 3.4), (60, "potassium", 5.3), (60, "sodium", 132), (60, "sodium", 149), (60, "glucose", 78),
    (60, "glucose", 290), (60, "hemoglobin", 9.6), (60, "platelets", 96), (60, "calcium", 8.0), (60, "calcium", 11.0),
    (7, "platelets", 110), (7, "potassium", 5.4),
)  # fmt: skip
ON_MEDICINE = ("ibuprofen", "gentamicin", "vancomycin", "lisinopril", "naproxen", "losartan")
STAGES = ((1.7, 1), (2.5, 2), (3.6, 3))


@problem("medicine and value", "a value that a medicine in force makes dangerous")
def with_medicine(p: Person, n: int) -> Told:
    medicines, test, value = WITH_MEDICINE[n % len(WITH_MEDICINE)]
    day = on_the_ward(p, without=(test,))
    p.panel(day + 0.02, (test,))
    for medicine in medicines:
        p.order(medicine, day + 0.1)
    p.lab(test, value, day + 3)
    return Told((*medicines, test), day + 3)


@lookalike("medicine and value", "a value that is well for the medicine")
def allowed_with(p: Person, n: int) -> Told:
    medicines, test, value = ALLOWED_WITH[n % len(ALLOWED_WITH)]
    day = on_the_ward(p, without=(test,))
    p.panel(day + 0.02, (test,))
    for medicine in medicines:
        p.order(medicine, day + 0.1)
    p.lab(test, value, day + 3)
    return Told((*medicines, test), day + 3)


@lookalike("medicine and value", "dangerous weeks ago and well now")
def over_by_now(p: Person, n: int) -> Told:
    medicine, test, then, now = (
        ("lisinopril", "potassium", 5.9, 4.3),
        ("warfarin", "INR", 5.6, 2.4),
        ("glipizide", "glucose", 51.0, 110.0),
    )[n % 3]
    day = at_home(p, without=(test,))
    p.lab(test, then, day - 24)
    p.lab(test, now, day - 2)
    p.takes(medicine, day)
    return Told((medicine, test), day)


@problem("critical value", "beyond the limits of its age")
def critical(p: Person, n: int) -> Told:
    age, test, value = CRITICAL[n % len(CRITICAL)]
    p.be(age, "male", 22 if age < 18 else 78)
    day = on_the_ward(p, without=(test,))
    p.panel(day + 0.02, (test,))
    p.lab(test, value, day + 2)
    return Told((test,), day + 2)


@lookalike("critical value", "outside the reference and within the limits")
def not_critical(p: Person, n: int) -> Told:
    age, test, value = NOT_CRITICAL[n % len(NOT_CRITICAL)]
    p.be(age, "male", 22 if age < 18 else 78)
    day = on_the_ward(p, without=(test,))
    p.lab(test, value, day + 2)
    return Told((test,), day + 2)


@lookalike("critical value", "a specimen that cannot be measured")
def no_number(p: Person, n: int) -> Told:
    day = on_the_ward(p)
    p.lab("potassium", "HEMOLYZED", day + 2.4)
    p.lab("potassium", 4.2, day + 2.5)
    return Told(("potassium",), day + 2.4)


@problem("kidney injury", "creatinine rises on a nephrotoxic medicine")
def kidney(p: Person, n: int) -> Told:
    height, _ = STAGES[n % len(STAGES)]
    medicine = ON_MEDICINE[n % len(ON_MEDICINE)]
    day = on_the_ward(p, without=("creatinine",))
    p.lab("creatinine", 0.8, day - 3)
    p.lab("creatinine", 0.8, day + 0.02)
    p.order(medicine, day + 0.2)
    p.lab("creatinine", round(0.8 * height, 2), day + 2.5)
    return Told(("creatinine", "kidney", medicine), day + 2.5)


@lookalike("kidney injury", "high and falling")
def recovering(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("creatinine",))
    for number, value in enumerate((2.9, 2.2, 1.6, 1.2)):
        p.lab("creatinine", value, day + 0.02 + number)
    return Told(("creatinine",), day + 1)


@lookalike("kidney injury", "between two dialyses")
def dialysed(p: Person, n: int) -> Told:
    day = on_the_ward(p, [("N18.6", "end stage renal disease"), ("Z99.2", "dependence on renal dialysis")],
                      without=("creatinine", "potassium"))  # fmt: skip
    for number, value in enumerate((4.1, 6.8, 3.9)):
        p.lab("creatinine", value, day + 0.02 + 2 * number)
    return Told(("creatinine",), day + 2)


@lookalike("kidney injury", "within what one person's values vary")
def wobble(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("creatinine",))
    for number, value in enumerate((0.82, 0.95, 0.9, 1.0)):
        p.lab("creatinine", value, day + 0.02 + number)
    p.order("ibuprofen", day + 0.2, day + 2)
    return Told(("creatinine",), day + 1)


@problem("counts and liver", "platelets halve on heparin from the fifth day")
def heparin(p: Person, n: int) -> Told:
    day = on_the_ward(p, days=11)
    p.order(("heparin", "enoxaparin low")[n % 2], day + 0.1)
    for number, value in ((0, 240), (2, 231), (4, 226), (7, 96), (8, 78)):
        p.lab("platelets", value, day + 0.02 + number)
    return Told(("platelets", "heparin", "enoxaparin"), day + 7)


@problem("counts and liver", "hemoglobin falls by more than 2 g/dL in a day on an anticoagulant")
def bleeding(p: Person, n: int) -> Told:
    drug = ("apixaban", "rivaroxaban", "warfarin", "enoxaparin")[n % 4]
    day = on_the_ward(p)
    p.panel(day + 0.02, ("INR", "platelets") if drug == "warfarin" else ("platelets",))
    p.order(drug, day + 0.1)
    p.lab("hemoglobin", 12.4, day + 2)
    p.lab("hemoglobin", 8.7, day + 2.8)
    return Told(("hemoglobin", "bleeding", drug), day + 2.8)


@problem("counts and liver", "transaminases and bilirubin rise together")
def hys_law(p: Person, n: int) -> Told:
    drug = ("isoniazid", "amiodarone", "valproate", "ketoconazole")[n % 4]
    day = on_the_ward(p)
    p.panel(day + 0.02, LIVER)
    p.order(drug, day + 0.1)
    for test, value in (("ALT", 380), ("AST", 320), ("bilirubin", 4.2), ("alkaline phosphatase", 98)):
        p.lab(test, value, day + 5)
    return Told(("ALT", "liver", drug), day + 5)


@lookalike("counts and liver", "platelets as they were, on heparin")
def heparin_well(p: Person, n: int) -> Told:
    day = on_the_ward(p, days=11)
    p.order(("heparin", "enoxaparin low")[n % 2], day + 0.1)
    for number, value in ((0, 240), (2, 231), (4, 212), (7, 205), (8, 219)):
        p.lab("platelets", value, day + 0.02 + number)
    return Told(("platelets",), day + 7)


@lookalike("counts and liver", "hemoglobin falls slowly after an operation, no anticoagulant")
def after_operation(p: Person, n: int) -> Told:
    day = on_the_ward(p, [("K80.20", "calculus of gallbladder")])
    p.panel(day + 0.02, COUNTS)
    p.lab("hemoglobin", 12.2, day + 2)
    p.lab("hemoglobin", 11.3, day + 4)
    return Told(("hemoglobin",), day + 4)


@lookalike("counts and liver", "a stone: the alkaline phosphatase leads")
def stone(p: Person, n: int) -> Told:
    day = on_the_ward(p, [("K80.50", "calculus of bile duct")])
    for test, value in (("ALT", 98), ("bilirubin", 3.1), ("alkaline phosphatase", 520)):
        p.lab(test, value, day + 2)
    p.order("isoniazid", day + 0.1, day + 5)
    return Told(("ALT", "bilirubin"), day + 2)
