"""The heart, levels and stops, opioids. Sources: Drew 2010 and Tisdale 2013 (QT), the labels of lithium, digoxin and clozapine,
CDC 2022 (opioids)."""

from __future__ import annotations

from examples.quarter.cases.kind import Told, lookalike, problem
from examples.quarter.cases.places import at_home, on_the_ward
from examples.quarter.person import COUNTS, Person

CANCER = [("C18.9", "malignant neoplasm of colon"), ("G89.3", "neoplasm related pain")]
LONG_QT = (("haloperidol",), ("ondansetron", "haloperidol"), ("sotalol",), ("amiodarone",), ("citalopram",))
LEVELS = (("lithium", 2.3), ("digoxin", 3.2), ("lithium", 1.8), ("digoxin", 2.7), ("lithium", 2.7))
GOOD_LEVELS = (("lithium", 0.7), ("digoxin", 0.7), ("lithium", 0.9), ("digoxin", 0.8))
STOPPED = ("morphine", "warfarin", "insulin glargine", "enoxaparin", "metoprolol", "digoxin")
OPIOIDS = ("oxycodone high", "hydromorphone", "morphine er", "methadone", "oxycodone er")


@problem("QT", "QTc above 500 ms with a medicine that prolongs it")
def long_qt(p: Person, n: int) -> Told:
    drugs = LONG_QT[n % len(LONG_QT)]
    day = on_the_ward(p)
    p.observe("qtc", 425, "ms", day + 0.03, method="Fridericia")
    for drug in drugs:
        p.order(drug, day + 0.2)
    p.observe("qtc", 525, "ms", day + 2, method="Fridericia")
    return Told(("qt", *drugs), day + 2)


@lookalike("QT", "QTc of 430 ms, or a long one with nothing that prolongs it")
def short_qt(p: Person, n: int) -> Told:
    drug = ("haloperidol", "acetaminophen", "ondansetron", "pantoprazole")[n % 4]
    day = on_the_ward(p)
    p.order(drug, day + 0.2)
    p.observe("qtc", 430 if drug in ("haloperidol", "ondansetron") else 470, "ms", day + 2, method="Fridericia")
    return Told(("qt", drug), day + 2)


@problem("levels and stops", "a level of lithium or digoxin that poisons")
def poisoned(p: Person, n: int) -> Told:
    drug, level = LEVELS[n % len(LEVELS)]
    day = on_the_ward(p)
    p.order(drug, day + 0.1)
    p.lab(drug, level, day + _drawn(drug))
    return Told((drug,), day + _drawn(drug))


@problem("levels and stops", "a dose hours after its order was stopped")
def after_stop(p: Person, n: int) -> Told:
    drug = STOPPED[n % len(STOPPED)]
    day = on_the_ward(p)
    p.panel(day + 0.02, (*COUNTS, "INR") if drug == "warfarin" else COUNTS)
    order = p.order(drug, day + 0.1)
    p.stop(order, day + 2.3)
    p.give(order, day + 2.6)
    return Told((drug.split()[0],), day + 2.6)


@problem("levels and stops", "clozapine goes on with neutrophils below 0.5")
def agranulocytosis(p: Person, n: int) -> Told:
    day = at_home(p, [("F20.9", "schizophrenia")])
    p.takes("clozapine", -60, watched=False)
    for back in (30, 14):
        p.panel(day - back, ("neutrophils",))
    p.lab("neutrophils", 0.4, day)
    return Told(("neutrophils", "clozapine"), day)


@lookalike("levels and stops", "a level as it should be")
def good_level(p: Person, n: int) -> Told:
    drug, level = GOOD_LEVELS[n % len(GOOD_LEVELS)]
    day = on_the_ward(p)
    p.order(drug, day + 0.1)
    p.lab(drug, level, day + _drawn(drug))
    return Told((drug,), day + _drawn(drug))


@lookalike("levels and stops", "a dose minutes after the stop, or after it was resumed")
def on_its_way(p: Person, n: int) -> Told:
    drug = ("metoprolol", "furosemide", "pantoprazole")[n % 3]
    day = on_the_ward(p)
    order = p.order(drug, day + 0.1)
    if n % 2:
        p.change(order, day + 2.3, "held")
        p.change(order, day + 2.5, "resumed")
        p.give(order, day + 2.7)
    else:
        p.stop(order, day + 2.3)
        p.give(order, day + 2.305)
    return Told((drug,), day + 2.3)


def _drawn(drug: str) -> float:
    """Days after admission: lithium 12 hours after its one dose of the day, at 0.15, the others before the next."""
    return 4.65 if drug == "lithium" else 5.02


@problem("opioid", "90 mg of morphine equivalents or more with a benzodiazepine, no naloxone")
def with_sedative(p: Person, n: int) -> Told:
    opioid = OPIOIDS[n % len(OPIOIDS)]
    sedative = ("alprazolam", "lorazepam", "diazepam")[n % 3]
    day = at_home(p)
    p.takes(opioid, day - 1)
    p.takes(sedative, day)
    return Told((opioid.split()[0], sedative, "opioid", "sedation"), day - 1)


@problem("opioid", "90 mg of morphine equivalents or more, no naloxone")
def much(p: Person, n: int) -> Told:
    opioid = OPIOIDS[n % len(OPIOIDS)]
    day = at_home(p)
    p.takes(opioid, day)
    return Told((opioid.split()[0], "opioid"), day)


@lookalike("opioid", "pain of cancer, naloxone at home")
def cancer(p: Person, n: int) -> Told:
    day = at_home(p, CANCER)
    p.takes("naloxone", -62, days=300)
    p.takes("morphine er", -60)
    return Told(("morphine",), day)


@lookalike("opioid", "a few days of a low dose")
def short_course(p: Person, n: int) -> Told:
    day = at_home(p)
    p.takes(("oxycodone", "tramadol", "codeine")[n % 3], day, day + 4, days=4)
    return Told(("oxycodone", "tramadol", "codeine"), day)


@lookalike("opioid", "buprenorphine for use disorder")
def treated(p: Person, n: int) -> Told:
    day = at_home(p, [("F11.20", "opioid dependence")])
    p.takes("naloxone", -62, days=300)
    p.takes("buprenorphine naloxone", -60)
    return Told(("buprenorphine",), day)
