"""The fifteen ONC high-priority class pairs through the real rule with the real knowledge.

The members below are written down here by hand, from the published lists, tables and labels, and not read from the data.
"""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, Drug, Ingredient
from schemas.values import SEVERITIES
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState
from tests.support.clinical import at, daily, order

KNOWLEDGE = load()
DATA = Path(__file__).parents[2] / "knowledge" / "interactions"
SHARED = Path(__file__).parents[3] / "shared" / "clinical" / "onc_high_priority.csv"

# The classes, written down by hand from their public definitions and never from our data, so that a missing member shows.
# In each class stand the members marketed today; what the published lists have besides stands in LEFT_OUT below.

# Labels: irreversible inhibitors of both forms, of form B, the medicines that inhibit MAO beside another use, and (not in
# the US) a reversible inhibitor of form A.
IRREVERSIBLE = "phenelzine tranylcypromine isocarboxazid"
MAO = f"{IRREVERSIBLE} selegiline rasagiline safinamide procarbazine linezolid methylene_blue moclobemide"
MAO_A = f"{IRREVERSIBLE} moclobemide methylene_blue linezolid"
# ONC 2012 and medicines of the same kind since; the decongestants and the bronchodilator by their over-the-counter labels.
STIMULANTS = """amphetamine dextroamphetamine lisdexamfetamine methamphetamine benzphetamine phendimetrazine diethylpropion
    phentermine methylphenidate dexmethylphenidate serdexmethylphenidate atomoxetine pseudoephedrine phenylephrine ephedrine"""
REUPTAKE = """citalopram escitalopram fluoxetine fluvoxamine paroxetine sertraline duloxetine venlafaxine desvenlafaxine
    milnacipran levomilnacipran vilazodone vortioxetine nefazodone"""
TRICYCLICS = """amitriptyline clomipramine desipramine doxepin imipramine nortriptyline protriptyline trimipramine
    amoxapine"""
# Phenylpiperidines and those with an action on serotonin of their own.
OPIOIDS = "meperidine methadone tapentadol fentanyl sufentanil remifentanil alfentanil tramadol dextromethorphan"
ACID_BLOCKERS = "omeprazole esomeprazole lansoprazole dexlansoprazole pantoprazole rabeprazole"
PROTEASE = "atazanavir darunavir fosamprenavir lopinavir nelfinavir ritonavir saquinavir tipranavir"
AZOLES = "ketoconazole levoketoconazole itraconazole posaconazole voriconazole"
# FDA, strong inhibitors of CYP3A4, as repeated in the public tables that were read; adagrasib and tipranavir are unverified.
STRONG_INHIBITORS = f"""{AZOLES} clarithromycin nefazodone cobicistat ritonavir nelfinavir saquinavir lopinavir atazanavir
    darunavir tipranavir mifepristone lonafarnib ceritinib idelalisib tucatinib adagrasib"""
# Clin Transl Sci 2022;15:2075, table 1; phenobarbital by the FDA's table as repeated; and what turns into one of them in
# the body. Not the moderate inducers.
STRONG_INDUCERS = """rifampin rifapentine st_john's_wort carbamazepine phenytoin fosphenytoin phenobarbital primidone
    apalutamide enzalutamide mitotane lumacaftor ivosidenib"""
# A boxed warning of QT prolongation, or a label that contraindicates other medicines because of it.
QT_GRAVE = """thioridazine pimozide ziprasidone dronedarone levoketoconazole dofetilide sotalol ibutilide arsenic_trioxide
    droperidol methadone nilotinib vandetanib quizartinib"""
# Those that the label of ziprasidone names, and others whose own label warns of QT prolongation.
QT_OTHER = """amiodarone quinidine procainamide disopyramide chlorpromazine moxifloxacin pentamidine dolasetron haloperidol
    citalopram escitalopram erythromycin clarithromycin toremifene chloroquine"""
# number in the list, our name of the pair, its objects, its precipitants
ONC = [
    (1, "amphetamine-maoi", STIMULANTS, MAO),
    (2, "atazanavir-ppi", "atazanavir", ACID_BLOCKERS),
    (3, "febuxostat-thiopurine", "febuxostat", "azathioprine mercaptopurine"),
    (4, "ssri-maoi", REUPTAKE, MAO),
    # gemfibrozil by the label of irinotecan, which names inhibitors of UGT1A1 as well
    (5, "irinotecan-cyp3a4", "irinotecan", f"{STRONG_INHIBITORS} ribociclib gemfibrozil"),
    (6, "opioid-maoi", OPIOIDS, MAO),
    (7, "tricyclic-maoi", TRICYCLICS, MAO),
    (8, "qt-qt", QT_GRAVE, f"{QT_GRAVE} {QT_OTHER}"),
    (9, "ramelteon-cyp1a2", "ramelteon", "fluvoxamine ciprofloxacin"),
    (10, "hiv-pi-inducer", f"{PROTEASE} cobicistat nirmatrelvir", STRONG_INDUCERS),
    # the labels of the statins name erythromycin, fosamprenavir (as a protease inhibitor) and what does not act on CYP3A4
    (
        11,
        "statin-cyp3a4",
        "simvastatin lovastatin",
        f"{STRONG_INHIBITORS} erythromycin fosamprenavir gemfibrozil cyclosporine danazol",
    ),
    # those of the ergots name protease inhibitors and macrolides; letermovir by its own label; nefazodone is left out
    (
        12,
        "ergot-cyp3a4",
        "ergotamine dihydroergotamine methylergonovine ergonovine",
        f"{STRONG_INHIBITORS} erythromycin fosamprenavir letermovir".replace("nefazodone", ""),
    ),
    # by the label of tizanidine
    (
        13,
        "tizanidine-cyp1a2",
        "tizanidine",
        "fluvoxamine ciprofloxacin mexiletine propafenone zileuton amiodarone verapamil",
    ),
    (14, "tranylcypromine-procarbazine", "tranylcypromine", "procarbazine"),
    (15, "triptan-maoi", "sumatriptan rizatriptan zolmitriptan", MAO_A),
]
NOT_SOLD = "amprenavir indinavir telithromycin boceprevir telaprevir paritaprevir elvitegravir"
"""Gone from the US market, or given only with a booster that is a member; all are in the published lists or tables."""
# pair, side, what somebody who knows the class would look for and what does not fire
LEFT_OUT = [
    (
        "irinotecan-cyp3a4",
        "precipitant",
        f"{NOT_SOLD} erythromycin diltiazem verapamil fluconazole letermovir fosamprenavir",
    ),
    ("statin-cyp3a4", "precipitant", f"{NOT_SOLD} fluconazole nirmatrelvir ribociclib letermovir"),
    ("ergot-cyp3a4", "precipitant", f"{NOT_SOLD} fluconazole nefazodone nirmatrelvir ribociclib"),
    ("hiv-pi-inducer", "object", "amprenavir indinavir elvitegravir"),
    ("hiv-pi-inducer", "precipitant", "bosentan rifabutin encorafenib"),
    ("ramelteon-cyp1a2", "precipitant", "amiodarone ticlopidine"),
    ("tizanidine-cyp1a2", "precipitant", "ticlopidine cimetidine famotidine acyclovir"),
    ("triptan-maoi", "object", "eletriptan naratriptan frovatriptan almotriptan"),
    ("triptan-maoi", "precipitant", "selegiline rasagiline safinamide"),
    ("ssri-maoi", "object", "trazodone mirtazapine bupropion buspirone"),
    ("opioid-maoi", "object", "morphine hydromorphone oxycodone hydrocodone"),
    ("amphetamine-maoi", "object", "norepinephrine"),
    ("qt-qt", "object", "astemizole terfenadine cisapride mesoridazine ketoconazole"),
    (
        "qt-qt",
        "precipitant",
        "ondansetron levofloxacin azithromycin fluconazole hydroxychloroquine ribociclib adagrasib",
    ),
]
NAMES = {number: name for number, name, _, _ in ONC}
COMBINATIONS = [
    (name, one.replace("_", " "), other.replace("_", " "))
    for _, name, objects, precipitants in ONC
    for one, other in product(objects.split(), precipitants.split())
    if one != other
]
# object, precipitant, highest daily dose of the object that the labels permit
DOSE_LIMITS = [
    ("simvastatin", "diltiazem", 10),
    ("simvastatin", "verapamil", 10),
    ("simvastatin", "dronedarone", 10),
    ("simvastatin", "amiodarone", 20),
    ("simvastatin", "amlodipine", 20),
    ("simvastatin", "ranolazine", 20),
    ("simvastatin", "lomitapide", 20),
    ("simvastatin", "ticagrelor", 40),
    ("lovastatin", "ticagrelor", 40),
    ("lovastatin", "diltiazem", 20),
    ("lovastatin", "verapamil", 20),
    ("lovastatin", "danazol", 20),
    ("lovastatin", "amiodarone", 40),
]


def named(members: str) -> list[str]:
    return [member.replace("_", " ") for member in members.split()]


def alerts_of(*story: AnyEvent) -> list[Alert]:
    """The interactions that are open after a story."""
    state: PatientState | None = None
    for event in story:
        state, _ = take_event(state, event, KNOWLEDGE, at(100))
    assert state is not None
    return [alert for alert in state.open_alerts.values() if alert.rule == "drug-drug-interaction"]


def subjects(*story: AnyEvent) -> set[str]:
    return {alert.subject for alert in alerts_of(*story)}


def subject(pair: str, one: str, other: str) -> str:
    return f"{pair}:{'+'.join(sorted((one, other)))}"


@pytest.mark.parametrize(("pair", "objects", "precipitants"), [each[1:] for each in ONC], ids=NAMES.values())
def test_the_members_are_those_of_the_class(pair: str, objects: str, precipitants: str) -> None:
    members = {(row["side"], row["ingredient"]) for row in _rows(DATA / "members.csv") if row["pair"] == pair}
    expected = {("object", each) for each in named(objects)} | {("precipitant", each) for each in named(precipitants)}
    assert members == expected


@pytest.mark.parametrize(("pair", "side", "candidates"), LEFT_OUT)
def test_who_knows_the_class_finds_why_a_candidate_is_no_member(pair: str, side: str, candidates: str) -> None:
    reasons = {(r["pair"], r["side"], r["ingredient"]): r["reason"] for r in _rows(DATA / "left_out.csv")}
    assert [each for each in named(candidates) if not reasons.get((pair, side, each))] == []


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


@pytest.mark.parametrize(
    ("one", "other", "severity", "grade"),
    [
        # the label of simvastatin contraindicates both, that of lovastatin asks to avoid them
        ("simvastatin", "gemfibrozil", "high", "label contraindication"),
        ("simvastatin", "cyclosporine", "high", "label contraindication"),
        ("lovastatin", "gemfibrozil", "high", "label: avoid"),
        ("lovastatin", "cyclosporine", "high", "label: avoid"),
        # the label of rasagiline names meperidine, tramadol, methadone and dextromethorphan
        ("tramadol", "rasagiline", "high", "label contraindication"),
        ("tapentadol", "rasagiline", "high", "label contraindication of MAO inhibitors as a class"),
        ("fentanyl", "rasagiline", "moderate", "label warning"),
        ("fentanyl", "phenelzine", "high", "label warning: not recommended"),
        ("remifentanil", "phenelzine", "moderate", "label warning"),
        ("phenylephrine", "phenelzine", "high", "over-the-counter label: do not use"),
        ("ephedrine", "linezolid", "moderate", "over-the-counter label: do not use"),
        # labels of darunavir and of atazanavir with cobicistat; with ritonavir those are warnings
        ("darunavir/cobicistat", "carbamazepine", "high", "label contraindication"),
        ("atazanavir/cobicistat", "phenytoin", "high", "label contraindication"),
        ("darunavir/cobicistat", "phenobarbital", "high", "label contraindication"),
        ("darunavir/ritonavir", "carbamazepine", "moderate", "label warning"),
        ("nirmatrelvir/ritonavir", "primidone", "high", "label contraindication"),
        ("nirmatrelvir/ritonavir", "apalutamide", "high", "label contraindication"),
        ("ergotamine", "mifepristone", "critical", "label contraindication"),
        ("dihydroergotamine", "letermovir", "critical", "label contraindication"),
        ("ergotamine", "tucatinib", "high", "strong inhibitor by the FDA table"),
        ("simvastatin", "lonafarnib", "high", "label contraindication"),
        ("irinotecan", "idelalisib", "high", "strong inhibitor by the FDA table"),
        ("irinotecan", "ribociclib", "moderate", "moderate or strong inhibitor by its dose"),
        ("levoketoconazole", "clarithromycin", "high", "label contraindication"),
        ("quizartinib", "haloperidol", "moderate", "label boxed warning"),
    ],
)
def test_how_grave_it_is_and_what_stands_behind_it(one: str, other: str, severity: str, grade: str) -> None:
    gravest = min(alerts_of(order(one), order(other, 1)), key=lambda alert: SEVERITIES.index(alert.severity))
    assert gravest.severity == severity
    assert gravest.evidence_grade == grade


def test_a_medicine_against_another_virus_is_not_said_to_be_one_against_hiv() -> None:
    for alert in alerts_of(order("nirmatrelvir/ritonavir"), order("rifampin", 1)):
        assert "HIV" not in alert.summary
        assert "antiviral medicine may fail" in alert.summary


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
    known = {(r["pair"], r["side"], r["ingredient"]) for r in _rows(DATA / "members.csv")}
    known |= {(r["pair"], "precipitant", r["precipitant"]) for r in _rows(DATA / "combinations.csv")}
    left_out = {(r["pair"], r["side"], r["ingredient"]): r["reason"] for r in _rows(DATA / "left_out.csv")}
    spelled = {
        "lisdexamefetamine": "lisdexamfetamine",
        "moclobamide": "moclobemide",
        "st john’s wort": "st john's wort",
    }
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
