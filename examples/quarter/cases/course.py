"""Levels of medicines and courses of values.

Sources: US labels (digoxin 0.5 to 2 ng/mL at least 6 h after a dose, theophylline to 20, valproate to 100, carbamazepine to 12,
phenytoin 10 to 20 mg/L), Rybak 2020 (vancomycin), Sheiner-Tozer (phenytoin and albumin), hyponatraemia guideline 2014 (8 to 10
mmol/L a day), CTCAE 5 (creatine kinase, neutrophils), ADA Standards (glucose below 70).
"""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home, on_the_ward
from examples.quarter.person import COUNTS, Person

LEVELS = (
    ("theophylline", 27.0), ("valproate", 148.0), ("carbamazepine", 17.5), ("phenytoin", 31.0), ("vancomycin", 29.0),
    ("gentamicin", 3.8), ("tobramycin", 4.1), ("tacrolimus", 24.0), ("cyclosporine", 560.0), ("lithium", 1.7),
    ("digoxin", 2.5),
)  # fmt: skip
GOOD = (
    ("theophylline", 11.0), ("valproate", 72.0), ("carbamazepine", 8.0), ("phenytoin", 15.0), ("vancomycin", 14.0),
    ("gentamicin", 0.6), ("tobramycin", 0.7), ("tacrolimus", 8.0), ("cyclosporine", 160.0), ("lithium", 0.7),
)  # fmt: skip


@problem("drug level", "far above its range before the next dose")
def high(p: Person, n: int) -> Told:
    drug, level = LEVELS[n % len(LEVELS)]
    day = on_the_ward(p)
    p.order(drug, day + 0.1)
    p.panel(day + 0.02, ("albumin",))
    p.lab(drug, level, day + _before_dose(drug))
    return Told((drug,), day + _before_dose(drug))


@problem("drug level", "phenytoin in range with an albumin of 1.8 g/dL")
def corrected(p: Person, n: int) -> Told:
    day = on_the_ward(p)
    p.order("phenytoin", day + 0.1)
    p.lab("albumin", 1.8, day + 5.09)
    p.lab("phenytoin", 14.5, day + 5.09)
    return Told(("phenytoin",), day + 5.09)


@lookalike("drug level", "in its range")
def in_range(p: Person, n: int) -> Told:
    drug, level = GOOD[n % len(GOOD)]
    day = on_the_ward(p)
    p.panel(day + 0.02, ("albumin",))
    p.order(drug, day + 0.1)
    p.lab(drug, level, day + _before_dose(drug))
    return Told((drug,), day + _before_dose(drug))


def _before_dose(drug: str) -> float:
    """Days after admission, 1.5 hours before the morning's dose; for lithium 12 hours after it."""
    return 4.65 if drug == "lithium" else 5.09


@lookalike("drug level", "digoxin drawn two hours after the dose")
def too_early(p: Person, n: int) -> Told:
    day = on_the_ward(p)
    p.order("digoxin", day + 0.1)
    # given at 0.15 of each day
    p.lab("digoxin", 2.2, day + 5.15 + 2 / 24)
    return Told(("digoxin",), day + 5.2)


@problem("trend", "sodium rises by 17 mmol/L in a day from 121")
def sodium(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("sodium",))
    for number, value in ((0.02, 121), (0.5, 129), (1.0, 138), (2, 138), (4, 139)):
        p.lab("sodium", value, day + number)
    return Told(("sodium",), day + 1)


@problem("trend", "potassium climbs day by day on what raises it")
def potassium(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("potassium",))
    p.order(("spironolactone", "losartan", "potassium chloride")[n % 3], day + 0.1)
    for number, value in enumerate((4.2, 4.6, 5.0, 5.4)):
        p.lab("potassium", value, day + 0.02 + number)
    return Told(("potassium",), day + 3)


@problem("trend", "INR climbs fast on warfarin")
def inr(p: Person, n: int) -> Told:
    day = on_the_ward(p)
    p.order("warfarin", day + 0.1)
    for number, value in enumerate((1.1, 1.5, 2.4, 3.6)):
        p.lab("INR", value, day + 0.02 + number)
    return Told(("INR", "warfarin"), day + 3)


@problem("trend", "creatine kinase far above normal on a statin")
def muscle(p: Person, n: int) -> Told:
    day = at_home(p)
    drug = ("simvastatin", "atorvastatin", "rosuvastatin")[n % 3]
    p.takes(drug, -60)
    p.panel(day - 20, ("creatine kinase",))
    p.lab("creatine kinase", 3400, day)
    return Told(("creatine kinase", drug), day)


@problem("trend", "neutrophils fall week by week on clozapine")
def neutrophils(p: Person, n: int) -> Told:
    at_home(p)
    day = 30.4
    p.takes("clozapine", -60, watched=False)
    for number, value in enumerate((4.4, 3.3, 2.3, 1.6)):
        p.lab("neutrophils", value, day - 21 + 7 * number)
    return Told(("neutrophils", "clozapine"), day)


@problem("trend", "low in the morning again and again on insulin")
def lows(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("glucose",))
    p.order("insulin glargine", day + 0.1)
    for number, value in enumerate((112, 66, 63, 61)):
        p.lab("glucose", value, day + 0.02 + number)
        p.lab("glucose", 140, day + 0.4 + number)
    return Told(("glucose", "insulin"), day + 1.02)


@lookalike("trend", "sodium rises slowly")
def slowly(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("sodium",))
    for number, value in enumerate((128, 131, 134, 137)):
        p.lab("sodium", value, day + 0.02 + number)
    return Told(("sodium",), day + 3)


@lookalike("trend", "potassium up and down")
def zigzag(p: Person, n: int) -> Told:
    day = on_the_ward(p, without=("potassium",))
    p.order("losartan", day + 0.1)
    for number, value in enumerate((4.4, 4.1, 4.5, 4.2)):
        p.lab("potassium", value, day + 0.02 + number)
    return Told(("potassium",), day + 3)


@lookalike("trend", "INR comes to its range in ten days")
def settles(p: Person, n: int) -> Told:
    day = on_the_ward(p, days=11)
    p.panel(day + 0.02, COUNTS)
    p.order("warfarin", day + 0.1)
    for number, value in ((0, 1.1), (3, 1.4), (6, 1.9), (9, 2.3)):
        p.lab("INR", value, day + 0.02 + number)
    return Told(("INR",), day + 9)


@lookalike("trend", "creatine kinase a little above normal on a statin")
def after_sport(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes("atorvastatin", -60)
    p.lab("creatine kinase", 230, day)
    return Told(("creatine kinase",), day)
