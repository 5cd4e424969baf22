"""Few alerts on real intensive-care data, and none of the grave ones missing: what must be kept is computed in pandas, from the
names of the orders and the values of the laboratory, by lists that are written here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pandas as pd
import pytest
from rich.console import Console

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.values import SEVERITIES
from services.local.burden import Burden, burden
from services.local.feed import load_mapping
from tests.acceptance.test_mimic import MAPPING, MIMIC, checked, table
from tests.acceptance.test_mimic_kidney_injury import ON_DIALYSIS, creatinines, remembered, running

pytestmark = pytest.mark.shared

INTERRUPTIVE = ("critical", "high")
SHOWN = (*INTERRUPTIVE, "moderate")
INTERACTIONS = ("drug-drug-interaction", "interaction-mechanism")
# ways by which a medicine does not reach the blood, or hardly
LOCAL = {"TP", "OU", "OD", "OS", "AU", "AD", "AS", "NU", "IH", "BOTH EYES", "LEFT EYE", "RIGHT EYE", "DIALYS"}

# The ONC high-priority class pairs (Phansalkar, JAMIA 2012;19:735) but for the QT pair, with the medicines of these classes
# that hospitals in the United States ordered: words of the order's name.
MAOI = {"phenelzine", "tranylcypromine", "isocarboxazid", "selegiline", "linezolid", "methylene blue", "procarbazine"}
STRONG_3A4 = {
    "clarithromycin", "itraconazole", "ketoconazole", "voriconazole", "posaconazole", "ritonavir", "atazanavir", "indinavir",
    "nelfinavir", "saquinavir", "nefazodone",
}  # fmt: skip
ONC = {
    "amphetamine-maoi": ({"amphetamine", "methylphenidate", "dextroamphetamine"}, MAOI),
    "atazanavir-ppi": ({"atazanavir"}, {"omeprazole", "pantoprazole", "lansoprazole", "esomeprazole", "rabeprazole"}),
    "febuxostat-thiopurine": ({"febuxostat"}, {"azathioprine", "mercaptopurine"}),
    "ssri-maoi": (
        {"citalopram", "fluoxetine", "fluvoxamine", "paroxetine", "sertraline", "duloxetine", "venlafaxine"},
        MAOI,
    ),
    "irinotecan-cyp3a4": ({"irinotecan"}, STRONG_3A4),
    "opioid-maoi": ({"meperidine", "tramadol", "methadone", "dextromethorphan"}, MAOI),
    "tricyclic-maoi": (
        {"amitriptyline", "nortriptyline", "imipramine", "desipramine", "doxepin", "clomipramine"},
        MAOI,
    ),
    "ramelteon-cyp1a2": ({"ramelteon"}, {"fluvoxamine", "ciprofloxacin"}),
    "hiv-pi-inducer": ({"atazanavir", "indinavir", "nelfinavir", "saquinavir"}, {"rifampin", "st john"}),
    "statin-cyp3a4": ({"simvastatin", "lovastatin"}, STRONG_3A4 | {"erythromycin", "cyclosporine", "gemfibrozil"}),
    "ergot-cyp3a4": ({"ergotamine", "dihydroergotamine"}, STRONG_3A4 | {"erythromycin"}),
    "tizanidine-cyp1a2": ({"tizanidine"}, {"ciprofloxacin", "fluvoxamine"}),
    "triptan-maoi": ({"sumatriptan", "rizatriptan", "zolmitriptan"}, MAOI),
}
# labels of each, as read for Beeler 2019 and the product's own list of what raises potassium, by the names that occur here
RAISES_POTASSIUM = {
    "lisinopril", "captopril", "enalapril", "moexipril", "ramipril", "quinapril", "losartan", "valsartan", "irbesartan",
    "candesartan", "spironolactone", "eplerenone", "triamterene", "amiloride", "potassium chloride", "potassium phosphate",
    "neutra-phos", "potassium acetate", "trimethoprim", "tacrolimus", "cyclosporine", "heparin", "enoxaparin", "ketorolac",
    "naproxen", "ibuprofen", "indomethacin", "celecoxib",
}  # fmt: skip
BLOOD = {"potassium": ("Potassium", "Potassium, Whole Blood"), "glucose": ("Glucose",)}
MG_DL_OF_GLUCOSE = 18.016
"""Molar mass of glucose, 180.16 g/mol, in dL."""


@pytest.fixture(scope="module")
def alerts() -> list[Alert]:
    return checked()[0]


@pytest.fixture(scope="module")
def counted() -> Burden:
    return burden([MIMIC], load_mapping(MAPPING), load(), Console(stderr=True, quiet=True))


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    """Orders by the day, both days inclusive, of medicines that reach the body."""
    rows = table("PRESCRIPTIONS")
    rows["start"], rows["end"] = (
        pd.to_datetime(rows["STARTDATE"]),
        pd.to_datetime(rows["ENDDATE"]) + pd.Timedelta(days=1),
    )
    names = rows["DRUG"].str.lower()
    rows["name"] = names.where(~names.str.contains("flush"), "")
    real = rows["start"].notna() & rows["end"].notna() & (rows["end"] > rows["start"]) & ~rows["ROUTE"].isin(LOCAL)
    return rows.loc[real & (rows["DRUG_TYPE"] != "BASE"), ["SUBJECT_ID", "name", "start", "end"]]


@pytest.fixture(scope="module")
def stays() -> pd.DataFrame:
    rows = table("ADMISSIONS")
    return rows.assign(days=pd.to_datetime(rows["DISCHTIME"]) - pd.to_datetime(rows["ADMITTIME"]))


def gravest(alert: Alert) -> str:
    return min((entry.severity for entry in alert.history), key=SEVERITIES.index)


def of_words(orders: pd.DataFrame, words: set[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for word in sorted(words):
        found = orders[orders["name"].str.contains(word, regex=False)]
        if len(found):
            yield word, found


def together(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The periods in which an order of each is in force."""
    both = one.merge(other, on="SUBJECT_ID", suffixes=("", "_2"))
    both["from"], both["to"] = both[["start", "start_2"]].max(axis=1), both[["end", "end_2"]].min(axis=1)
    return both[both["from"] < both["to"]]


def results(analyte: str) -> pd.DataFrame:
    items = table("D_LABITEMS")
    wanted = items[items["LABEL"].isin(BLOOD[analyte]) & (items["FLUID"].str.lower() == "blood")]
    rows = table("LABEVENTS")
    rows = rows[rows["ITEMID"].isin(wanted["ITEMID"])].drop_duplicates(["SUBJECT_ID", "ITEMID", "CHARTTIME", "VALUE"])
    number = pd.to_numeric(rows["VALUE"].str.replace(r"^(<|GREATER THAN|>)\s*", "", regex=True), errors="coerce")
    return rows.assign(number=number, time=pd.to_datetime(rows["CHARTTIME"]))


def record_ids(rows: pd.DataFrame) -> set[str]:
    """As the mapping file names a result."""
    parts = (rows["SUBJECT_ID"], rows["ITEMID"], rows["CHARTTIME"], rows["VALUE"])
    return {f"lab-{patient}-{item}-{time}-{value}" for patient, item, time, value in zip(*parts, strict=True)}


def told(alerts: list[Alert], severities: tuple[str, ...]) -> set[str]:
    """The results that an alert has named while it was as grave."""
    entries = (entry for alert in alerts for entry in alert.history if entry.severity in severities)
    return {fact.record_id for entry in entries for fact in entry.facts if fact.kind == "lab_result"}


def test_the_table_counts_each_alert_once_over_the_days_of_all_admissions(
    alerts: list[Alert], counted: Burden, stays: pd.DataFrame
) -> None:
    assert (counted.patients, counted.admissions) == (len(table("PATIENTS")), len(stays))
    assert counted.days == pytest.approx(stays["days"].sum() / pd.Timedelta(days=1))
    expected = {severity: sum(gravest(alert) == severity for alert in alerts) for severity in SEVERITIES}
    assert {severity: counted.reached(severity) for severity in SEVERITIES} == expected
    assert sum(sum(each.last.values()) for each in counted.rules) == len(alerts)


def test_few_interrupt(alerts: list[Alert], stays: pd.DataFrame) -> None:
    days = stays["days"].sum() / pd.Timedelta(days=1)
    grave = [gravest(alert) for alert in alerts]
    assert 0 < grave.count("critical") <= 0.2 * days
    assert 0 < grave.count("high") <= 1.0 * days


def test_interactions_interrupt_at_most_once_in_ten_admissions(alerts: list[Alert], stays: pd.DataFrame) -> None:
    found = [alert for alert in alerts if alert.rule in INTERACTIONS and gravest(alert) in INTERRUPTIVE]
    assert 0 < len(found) <= 0.1 * len(stays)


def test_every_onc_pair_that_is_in_force_together_interrupts(alerts: list[Alert], orders: pd.DataFrame) -> None:
    expected = {
        (patient, pair, one, other)
        for pair, (objects, precipitants) in ONC.items()
        for one, of_one in of_words(orders, objects)
        for other, of_other in of_words(orders, precipitants)
        for patient in together(of_one, of_other)["SUBJECT_ID"].unique()
        if one != other
    }
    assert len(expected) >= 3
    found = {
        (alert.patient_id, alert.subject.partition(":")[0], *medicines)
        for alert in alerts
        if alert.rule == "drug-drug-interaction" and gravest(alert) in INTERRUPTIVE
        for medicines in (alert.medicines, alert.medicines[::-1])
    }
    assert expected - found == set()


def test_high_potassium_of_several_medicines_is_told_a_tenth_as_often_as_without_looking(
    alerts: list[Alert], orders: pd.DataFrame
) -> None:
    """Without looking at the patient, each order fires once for each other such medicine that is in force."""
    unconditional = 0
    for (_, one), (_, other) in permutations(of_words(orders, RAISES_POTASSIUM), 2):
        periods = together(one.reset_index(), other)
        unconditional += periods.loc[periods["from"] == periods["start"], "index"].nunique()
    assert unconditional > 100
    of_several = [
        alert
        for alert in alerts
        if gravest(alert) in SHOWN
        and len(alert.medicines) > 1
        and (
            (alert.rule in INTERACTIONS and alert.subject.split(":")[0] in POTASSIUM_PAIRS)
            or (alert.rule, alert.subject) == ("drug-lab", "potassium:high")
        )
    ]
    assert 0 < len(of_several) <= 0.1 * unconditional


POTASSIUM_PAIRS = {
    "potassium-raising", "trimethoprim-aldosterone-antagonist", "trimethoprim-raas", "potassium-salt-sparing",
    "potassium-salt-raas", "raas-aliskiren", "ace-inhibitor-arb", "ace-inhibitor-nsaid",
}  # fmt: skip


def test_every_potassium_of_5_5_with_a_medicine_that_raises_it_is_told(
    alerts: list[Alert], orders: pd.DataFrame
) -> None:
    high = results("potassium")
    high = high[high["number"] >= 5.5]
    raising = pd.concat([found for _, found in of_words(orders, RAISES_POTASSIUM)])
    with_one = high.merge(raising, on="SUBJECT_ID")
    with_one = with_one[(with_one["start"] <= with_one["time"]) & (with_one["time"] < with_one["end"])]
    expected = record_ids(with_one)
    assert len(expected) > 20
    assert expected - told(alerts, SHOWN) == set()


def test_every_potassium_of_6_5_and_every_glucose_below_2_2_interrupts(alerts: list[Alert]) -> None:
    potassium, glucose = results("potassium"), results("glucose")
    expected = record_ids(potassium[potassium["number"] >= 6.5])
    expected |= record_ids(glucose[glucose["number"] < 2.2 * MG_DL_OF_GLUCOSE])
    assert len(expected) >= 8
    assert expected - told(alerts, INTERRUPTIVE) == set()


def test_every_kidney_injury_of_stage_3_interrupts(alerts: list[Alert]) -> None:
    """But in dialysis, where creatinine says nothing."""
    diagnoses = table("DIAGNOSES_ICD")
    dialysed = set(diagnoses.loc[diagnoses["ICD9_CODE"].str.startswith(ON_DIALYSIS), "SUBJECT_ID"])
    expected: set[tuple[str, pd.Timestamp]] = set()
    for patient, rows in creatinines().groupby("SUBJECT_ID"):
        for time in rows["CHARTTIME"].unique() if patient not in dialysed else ():
            injury = running(remembered(rows[rows["CHARTTIME"] <= time]))
            if injury is not None and injury.stage == 3:
                expected.add((str(patient), injury.first))
    assert len(expected) >= 5
    found = {
        (alert.patient_id, pd.Timestamp(alert.true_since).tz_localize(None))
        for alert in alerts
        if alert.rule == "acute-kidney-injury" and gravest(alert) in INTERRUPTIVE
    }
    assert expected - found == set()
