"""What only joined streams show, adherence, and monitoring that is overdue.

Sources: PQA (30 days to a first fill; proportion of days covered below 80 %), US labels and guidelines of monitoring (INR in the
first week of warfarin, TSH after 6 to 8 weeks, amiodarone thyroid every 6 months, lithium every 3 months, methotrexate counts
every 3 months, clozapine weekly at first), ATA 2014 (levothyroxine).
"""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home
from examples.quarter.person import BASIC, DAYS, LIVER, PHARMACIES, WATCHED, Person

NEW = ("apixaban", "clopidogrel", "levothyroxine", "lisinopril", "metformin", "atorvastatin")
OTHER = (("amlodipine", "amitriptyline"), ("metformin", "metoprolol"), ("losartan", "lithium"))
LONG = ("atorvastatin", "lisinopril", "metformin 500", "losartan", "apixaban", "amlodipine")
# medicine, test, how many days ago it was last done: years more than the interval
OVERDUE = (
    ("amiodarone", ("TSH",), 420),
    ("lithium", ("lithium",), 300),
    ("methotrexate", ("leukocytes", "ALT"), 270),
    ("warfarin", ("INR",), 160),
    ("clozapine", ("neutrophils",), 120),
    ("digoxin", ("creatinine", "potassium"), 0),
    ("azathioprine", ("leukocytes", "ALT"), 0),
    ("amiodarone", ("ALT", "TSH"), 0),
    ("lithium", ("TSH", "creatinine"), 0),
    ("metformin", ("creatinine",), 0),
    ("spironolactone", ("potassium",), 0),
    ("levothyroxine", ("TSH",), 0),
)


@problem("joined streams", "prescribed and never collected")
def never_collected(p: Person, n: int) -> Told:
    drug = NEW[n % len(NEW)]
    day = at_home(p)
    p.takes("famotidine", -60)
    p.order(drug, day, setting="outpatient")
    return Told((drug,), day)


@problem("joined streams", "handed out after it was stopped")
def after_stop(p: Person, n: int) -> Told:
    drug = ("warfarin", "lisinopril", "digoxin")[n % 3]
    day = at_home(p)
    order = p.takes(drug, -60, day)
    p.fill(drug, day + 6, order=order)
    return Told((drug,), day + 6)


@problem("joined streams", "another medicine than was prescribed")
def another(p: Person, n: int) -> Told:
    drug, other = OTHER[n % len(OTHER)]
    day = at_home(p)
    order = p.order(drug, day, setting="outpatient")
    p.fill(other, day + 0.1, order=order)
    return Told((drug, other), day)


@problem("joined streams", "the same filled at two pharmacies")
def two_pharmacies(p: Person, n: int) -> Told:
    drug = ("oxycodone", "alprazolam", "zolpidem")[n % 3]
    day = at_home(p)
    elsewhere = [each for each in PHARMACIES if each != p.pharmacy][n % 2]
    for number, place in enumerate((p.pharmacy, elsewhere)):
        order = p.order(drug, day + number, setting="outpatient", prescriber=f"dr-{number}")
        p.fill(drug, day + number + 0.1, order=order, pharmacy=place)
    return Told((drug,), day + 1)


@problem("joined streams", "a value that should move and does not")
def no_effect(p: Person, n: int) -> Told:
    drug, test, value, after = (("warfarin", "INR", 1.0, 10), ("levothyroxine", "TSH", 24.0, 60))[n % 2]
    at_home(p)
    day = 5.4
    p.lab(test, value, day - 1)
    p.takes(drug, day, watched=False)
    for back in (after - 3, after):
        p.lab(test, value, day + back)
    return Told((drug, test), day + after)


@problem("joined streams", "a value that gets worse since the first supply")
def worse(p: Person, n: int) -> Told:
    drug, test, before, now = (
        ("ibuprofen", "creatinine", 0.8, 1.5),
        ("sertraline", "sodium", 140, 128),
        ("valproate", "platelets", 230, 96),
    )[n % 3]
    day = at_home(p, without=(test,))
    p.lab(test, before, day - 4)
    order = p.order(drug, day - 3, setting="outpatient")
    p.fill(drug, day, order=order)
    p.lab(test, now, day + 14)
    return Told((drug, test), day + 14)


@problem("joined streams", "a medicine from abroad", hidden="the pharmacy abroad sends nothing")
def abroad(p: Person, n: int) -> Told:
    day = at_home(p)
    return Told(("clopidogrel",), day)


@lookalike("joined streams", "collected within the week, or as its generic")
def collected(p: Person, n: int) -> Told:
    drug, supply = (("apixaban", "apixaban"), ("lisinopril", "prinivil"), ("prinivil", "lisinopril"))[n % 3]
    day = at_home(p)
    order = p.order(drug, day, setting="outpatient")
    for number in range(0, int(DAYS - day), 28):
        p.fill(supply, day + 5 + number, order=order)
    return Told((supply,), day)


@lookalike("joined streams", "stopped or replaced before it was collected")
def stopped_first(p: Person, n: int) -> Told:
    drug, instead = (("amlodipine", "losartan"), ("citalopram", "sertraline"))[n % 2]
    day = at_home(p)
    order = p.order(drug, day, setting="outpatient")
    p.stop(order, day + 2)
    p.takes(instead, day + 2)
    return Told((drug,), day)


@lookalike("joined streams", "the usual pharmacy was closed: the next supply from another")
def moved(p: Person, n: int) -> Told:
    day = at_home(p)
    drug = ("amlodipine", "levothyroxine", "losartan")[n % 3]
    order = p.order(drug, -25, setting="outpatient")
    for number in range(4):
        p.fill(drug, -25 + 28 * number, order=order, pharmacy=PHARMACIES[number % 3])
    return Told((drug,), day)


@problem("adherence", "far fewer days covered than passed")
def gaps(p: Person, n: int) -> Told:
    drug = LONG[n % len(LONG)]
    at_home(p)
    order = p.order(drug, -150, setting="outpatient")
    # 30 days each 52: 58 % covered
    for day in range(-150, 80, 52):
        p.fill(drug, day + 0.1, order=order)
    return Told((drug.split()[0], "adherence", "days-covered"), -120)


@problem("adherence", "stopped early: no supply any more")
def ended_early(p: Person, n: int) -> Told:
    drug = LONG[n % len(LONG)]
    at_home(p)
    order = p.order(drug, -150, setting="outpatient")
    for day in (-150, -121, -92, -63, -34):
        p.fill(drug, day + 0.1, order=order)
    return Told((drug.split()[0], "adherence", "days-covered"), -4)


@problem("adherence", "no supply after the stay in hospital")
def after_the_stay(p: Person, n: int) -> Told:
    drug = LONG[n % len(LONG)]
    p.register(-380)
    p.panel(-20)
    order = p.order(drug, -120, setting="outpatient")
    for day in (-120, -91, -62, -33, -4):
        p.fill(drug, day + 0.1, order=order)
    p.leaves = 26.4
    p.admit(20.4)
    p.order(drug, 20.5)
    p.panel(21.3)
    p.discharge(26.4)
    return Told((drug.split()[0], "adherence", "days-covered"), 33)


@problem("adherence", "collected and not taken", hidden="what happens at home is not in the data")
def not_taken(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes("atorvastatin", -150)
    return Told(("atorvastatin",), day)


@lookalike("adherence", "each supply some days early: what is left over counts")
def stockpiled(p: Person, n: int) -> Told:
    drug = LONG[n % len(LONG)]
    at_home(p)
    order = p.order(drug, -150, setting="outpatient")
    early = range(-150, -20, 22)
    for day in early:
        p.fill(drug, day + 0.1, order=order)
    # six supplies of 30 days in 132 days: the 48 days left over reach to where the next comes
    for day in range(30, DAYS, 29):
        p.fill(drug, day + 0.1, order=order)
    return Told((drug,), -98)


@lookalike("adherence", "a gap that was a stay in hospital")
def in_hospital(p: Person, n: int) -> Told:
    drug = LONG[n % len(LONG)]
    p.register(-380)
    p.panel(-20)
    order = p.order(drug, -120, setting="outpatient")
    for day in (-120, -91, -62, -33, -4):
        p.fill(drug, day + 0.1, order=order)
    p.leaves = 44.4
    p.admit(24.4)
    p.order(drug, 24.5)
    p.panel(25.3)
    p.discharge(44.4)
    for day in (45, 74):
        p.fill(drug, day + 0.1, order=order)
    return Told((drug,), 26)


@problem("monitoring", "never done, or done too long ago")
def overdue(p: Person, n: int) -> Told:
    drug, tests, ago = OVERDUE[n % len(OVERDUE)]
    p.register(-700)
    p.takes(drug, -650, days=90, watched=False)
    p.panel(-40, [test for test in BASIC if test not in tests])
    if ago:
        p.panel(-ago, tests)
    return Told((drug, *tests), -650)


@problem("monitoring", "not soon enough after the start")
def not_soon(p: Person, n: int) -> Told:
    drug, tests, days = (
        ("lithium", ("lithium",), 7), ("warfarin", ("INR",), 7), ("lisinopril", ("potassium", "creatinine"), 14),
        ("levothyroxine", ("TSH",), 56), ("methotrexate", ("leukocytes", "ALT"), 14), ("clozapine", ("neutrophils",), 7),
    )[n % 6]  # fmt: skip
    p.register(-380)
    p.panel(4, (*BASIC, *tests))
    p.takes(drug, 5.4, watched=False)
    return Told((drug, *tests), 5.4 + days)


@lookalike("monitoring", "done in time")
def watched(p: Person, n: int) -> Told:
    drug = tuple(WATCHED)[n % len(WATCHED)]
    p.register(-700)
    p.panel(-402)
    p.takes(drug, -400, days=90)
    return Told((drug,), -300)


@lookalike("monitoring", "a medicine that needs none, or one for three days")
def none_needed(p: Person, n: int) -> Told:
    drug = ("vitamin d", "loperamide", "amoxicillin", "famotidine")[n % 4]
    day = at_home(p)
    p.takes(drug, day, day + 5, days=5)
    return Told((drug,), day)


@lookalike("monitoring", "stopped before the test was due")
def stopped_before_due(p: Person, n: int) -> Told:
    day = at_home(p)
    p.panel(day - 1, ("TSH", *LIVER))
    p.takes(("amiodarone", "levothyroxine")[n % 2], day, day + 7, days=7)
    return Told(("amiodarone", "levothyroxine"), day)
