"""The fifteen ONC high-priority class pairs through the real rule with the real knowledge.

The members below are written down here by hand, from the published lists and the labels, and not read from the data.
"""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, Drug, Ingredient
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from tests.support.clinical import at, daily, order

KNOWLEDGE = load()
SHARED = Path(__file__).parents[3] / "shared" / "clinical" / "onc_high_priority.csv"

IRREVERSIBLE = "phenelzine tranylcypromine isocarboxazid"
MAO = f"{IRREVERSIBLE} selegiline rasagiline safinamide procarbazine linezolid methylene_blue"
PROTEASE = "atazanavir darunavir fosamprenavir lopinavir nelfinavir ritonavir saquinavir tipranavir"
AZOLES = "ketoconazole itraconazole posaconazole voriconazole"
STIMULANTS = """amphetamine dextroamphetamine lisdexamfetamine methamphetamine benzphetamine phendimetrazine diethylpropion
    phentermine methylphenidate dexmethylphenidate pseudoephedrine atomoxetine"""
REUPTAKE = """citalopram escitalopram fluoxetine fluvoxamine paroxetine sertraline duloxetine venlafaxine desvenlafaxine
    milnacipran levomilnacipran vilazodone vortioxetine nefazodone"""
TRICYCLICS = "amitriptyline clomipramine desipramine doxepin imipramine nortriptyline protriptyline trimipramine"
STRONG_CYP3A4 = f"""{AZOLES} clarithromycin nefazodone cobicistat ritonavir nelfinavir saquinavir lopinavir atazanavir
    darunavir tipranavir"""
# number in the list, our name of the pair, its objects, its precipitants
ONC = [
    (1, "amphetamine-maoi", STIMULANTS, MAO),
    (
        2,
        "atazanavir-ppi",
        "atazanavir",
        "omeprazole esomeprazole lansoprazole dexlansoprazole pantoprazole rabeprazole",
    ),
    (3, "febuxostat-thiopurine", "febuxostat", "azathioprine mercaptopurine"),
    (4, "ssri-maoi", REUPTAKE, MAO),
    (5, "irinotecan-cyp3a4", "irinotecan", STRONG_CYP3A4),
    (6, "opioid-maoi", "meperidine methadone tapentadol fentanyl tramadol dextromethorphan", MAO),
    (7, "tricyclic-maoi", TRICYCLICS, MAO),
    (
        8,
        "qt-qt",
        "ziprasidone pimozide thioridazine dronedarone",
        "dofetilide sotalol quinidine haloperidol moxifloxacin",
    ),
    (9, "ramelteon-cyp1a2", "ramelteon", "fluvoxamine"),
    (10, "hiv-pi-inducer", f"{PROTEASE} nirmatrelvir", "rifampin st_john's_wort carbamazepine rifapentine"),
    (
        11,
        "statin-cyp3a4",
        "simvastatin lovastatin",
        f"{AZOLES} clarithromycin erythromycin nefazodone cobicistat {PROTEASE} gemfibrozil cyclosporine",
    ),
    (
        12,
        "ergot-cyp3a4",
        "ergotamine dihydroergotamine methylergonovine ergonovine",
        f"{AZOLES} clarithromycin erythromycin cobicistat {PROTEASE}",
    ),
    (13, "tizanidine-cyp1a2", "tizanidine", "fluvoxamine ciprofloxacin mexiletine propafenone zileuton amiodarone"),
    (14, "tranylcypromine-procarbazine", "tranylcypromine", "procarbazine"),
    (
        15,
        "triptan-maoi",
        "sumatriptan rizatriptan zolmitriptan",
        f"{IRREVERSIBLE} moclobamide methylene_blue linezolid",
    ),
]
NAMES = {number: name for number, name, _, _ in ONC}
COMBINATIONS = [
    (name, one.replace("_", " "), other.replace("_", " "))
    for _, name, objects, precipitants in ONC
    for one, other in product(objects.split(), precipitants.split())
]
# object, precipitant, highest daily dose of the object that the labels permit
DOSE_LIMITS = [
    ("simvastatin", "diltiazem", 10),
    ("simvastatin", "verapamil", 10),
    ("simvastatin", "dronedarone", 10),
    ("simvastatin", "amiodarone", 20),
    ("simvastatin", "amlodipine", 20),
    ("simvastatin", "ranolazine", 20),
    ("lovastatin", "diltiazem", 20),
    ("lovastatin", "verapamil", 20),
    ("lovastatin", "danazol", 20),
    ("lovastatin", "amiodarone", 40),
]


def alerts_of(*story: AnyEvent) -> list[Alert]:
    """The alerts that are open after a story."""
    state: PatientState | None = None
    for event in story:
        state, _ = take_event(state, event, KNOWLEDGE, at(100))
    assert state is not None
    return list(state.open_alerts.values())


def subjects(*story: AnyEvent) -> set[str]:
    return {alert.subject for alert in alerts_of(*story)}


def subject(pair: str, one: str, other: str) -> str:
    return f"{pair}:{'+'.join(sorted((one, other)))}"


@pytest.mark.parametrize("pair", NAMES.values())
def test_every_combination_fires_with_a_citation_and_something_to_do(pair: str) -> None:
    for _, one, other in (each for each in COMBINATIONS if each[0] == pair):
        found = [a for a in alerts_of(order(one), order(other, 1)) if a.subject == subject(pair, one, other)]
        assert len(found) == 1, (one, other)
        alert = found[0]
        assert alert.citations and alert.actions and alert.patient_explanation and alert.evidence_grade
        assert alert.severity in ("critical", "high", "moderate")


@pytest.mark.parametrize("pair", NAMES.values())
def test_none_fires_for_a_stopped_order(pair: str) -> None:
    for _, one, other in (each for each in COMBINATIONS if each[0] == pair):
        stopped = order(one, 2, id=one, version=2, status="discontinued")
        assert subject(pair, one, other) not in subjects(order(one), stopped, order(other, 3)), (one, other)


@pytest.mark.parametrize("route", ["topical", "TP", "OU", "ophthalmic", "otic"])
@pytest.mark.parametrize("pair", NAMES.values())
def test_none_fires_for_a_member_that_stays_on_the_surface(pair: str, route: str) -> None:
    for _, one, other in (each for each in COMBINATIONS if each[0] == pair):
        assert subjects(order(one, route=route), order(other, 1)) == set(), (one, other)
        assert subjects(order(one), order(other, 1, route=route)) == set(), (one, other)


def test_a_patch_acts_in_the_whole_body_whatever_its_route_says() -> None:
    drug = Drug(text="Selegiline patch", ingredients=(Ingredient("selegiline"),), form="patch", resolution="name")
    assert "ssri-maoi:fluoxetine+selegiline" in subjects(
        order("fluoxetine"), order("selegiline", 1, route="TP", drug=drug)
    )


def test_none_fires_for_one_ingredient_with_itself() -> None:
    for ingredient in KNOWLEDGE.partners:
        assert subjects(order(ingredient, id="1"), order(ingredient, 1, id="2")) == set(), ingredient


@pytest.mark.parametrize(("object_", "precipitant", "permitted"), DOSE_LIMITS)
def test_a_dose_that_the_label_permits_does_not_fire(object_: str, precipitant: str, permitted: float) -> None:
    expected = subject("statin-cyp3a4", object_, precipitant)
    within = subjects(order(object_, dosage=daily(permitted)), order(precipitant, 1))
    above = {
        a.subject: a.severity for a in alerts_of(order(object_, dosage=daily(permitted + 1)), order(precipitant, 1))
    }
    unknown = {a.subject: a.severity for a in alerts_of(order(object_), order(precipitant, 1))}
    assert expected not in within
    assert above[expected] == "high"
    assert unknown[expected] == "moderate"


def test_the_gravest_pages_and_the_milder_does_not() -> None:
    def severity(one: str, other: str) -> str:
        return min(alert.severity for alert in alerts_of(order(one), order(other, 1)))

    assert severity("meperidine", "phenelzine") == "critical"
    assert severity("fluoxetine", "phenelzine") == "critical"
    assert severity("ergotamine", "clarithromycin") == "critical"
    assert severity("fluoxetine", "linezolid") == "high"
    assert severity("fentanyl", "linezolid") == "moderate"
    assert severity("tizanidine", "ciprofloxacin") == "high"
    assert severity("simvastatin", "clarithromycin") == "high"


def test_left_out_candidates_do_not_fire() -> None:
    for one, other in (
        ("eletriptan", "phenelzine"),
        ("naratriptan", "tranylcypromine"),
        ("frovatriptan", "phenelzine"),
        ("sumatriptan", "selegiline"),
        ("irinotecan", "cimetidine"),
        ("irinotecan", "fluconazole"),
        ("ramelteon", "amiodarone"),
        ("simvastatin", "fluconazole"),
        ("darunavir", "rifabutin"),
    ):
        assert subjects(order(one), order(other, 1)) == set(), (one, other)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/clinical")
def test_every_published_member_is_a_member_or_left_out_with_a_reason() -> None:
    data = Path(__file__).parents[2] / "knowledge" / "interactions"
    known = {(r["pair"], r["side"], r["ingredient"]) for r in _rows(data / "members.csv")}
    known |= {(r["pair"], "precipitant", r["precipitant"]) for r in _rows(data / "combinations.csv")}
    left_out = {(r["pair"], r["side"], r["ingredient"]): r["reason"] for r in _rows(data / "left_out.csv")}
    spelled = {"lisdexamefetamine": "lisdexamfetamine", "st john’s wort": "st john's wort"}
    published = [row for row in _rows(SHARED) if row["side"] != "both"]
    assert len(published) > 150
    for row in published:
        member = spelled.get(row["drug"], row["drug"])
        number = int(row["list_no_1_15"])
        key = (NAMES[number], row["side"], member)
        assert key in known or left_out.get(key), key


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
