"""Who the patient is: both sides of every limit of the rules in older, pregnancy, children and disease.toml.

Limits are typed here from the sources that the rules cite: 65 years (STOPP/START, Beers), 12, 18, 8 and 2 years (FDA).
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest

from knowledge.conditions import Names, parsed
from knowledge.loader import load
from schemas.events import AnyEvent, Dosage, Patient, Pregnancy
from schemas.values import Quantity
from services.monitor.evaluate import ask_only, take_event
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Situation, answers
from services.monitor.rules.written import Written, written_rules
from tests.support.alone import diagnosis, play, result
from tests.support.clinical import at, lab, order, patient

FAMILY = "who the patient is"
RULES = {rule.id: rule for rule in written_rules(load()) if isinstance(rule, Written) and rule.family == FAMILY}
TODAY = date(2026, 11, 2)
DAY = 24.0


def severity(rule: str, *events: AnyEvent) -> str:
    """Of the only alert of one rule that is open after a story; empty where there is none."""
    state: PatientState | None = None
    with ask_only([RULES[rule]], load()):
        for event in events:
            state = take_event(state, event, load(), at(0))[0]
    assert state is not None
    found = [alert.severity for alert in state.open_alerts.values()]
    assert len(found) < 2
    return found[0] if found else ""


def born(years: float = 0, days: int = 0) -> date:
    """On that day they become so old today."""
    return TODAY.replace(year=TODAY.year - int(years)) - timedelta(days=days)


def who(birth_date: date, **more: Any) -> Patient:
    return patient(-3000 * DAY, birth_date=birth_date, **({"sex": "female"} | more))


def tomorrow(birth_date: date) -> date:
    return birth_date + timedelta(days=1)


@pytest.mark.parametrize(
    ("rule", "drug", "said"),
    [
        ("older-benzodiazepine", "diazepam", "info"),
        ("older-z-drug", "zolpidem", "info"),
        ("older-first-antihistamine", "diphenhydramine", "info"),
        ("older-tricyclic", "amitriptyline", "moderate"),
        ("older-long-sulfonylurea", "glyburide", "moderate"),
        ("older-long-sulfonylurea", "glimepiride", "moderate"),
        ("older-muscle-relaxant", "carisoprodol", "info"),
        ("older-antispasmodic", "dicyclomine", "info"),
        ("older-antiparkinson-anticholinergic", "benztropine", "moderate"),
    ],
)
def test_old_begins_on_the_sixty_fifth_birthday(rule: str, drug: str, said: str) -> None:
    assert severity(rule, who(born(65)), order(drug)) == said
    assert severity(rule, who(tomorrow(born(65))), order(drug)) == ""
    assert severity(rule, order(drug)) == "", "an age that nobody knows is not old"


def test_the_shorter_one_is_no_long_acting_sulfonylurea_and_no_rule_is_of_the_end_of_life() -> None:
    assert severity("older-long-sulfonylurea", who(born(80)), order("glipizide")) == ""
    assert severity("older-tricyclic", who(born(80)), diagnosis("Z51.5"), order("amitriptyline")) == ""


def test_prasugrel_is_from_seventy_five() -> None:
    assert severity("older-prasugrel", who(born(75)), order("prasugrel")) == "moderate"
    assert severity("older-prasugrel", who(tomorrow(born(75))), order("prasugrel")) == ""


@pytest.mark.parametrize(
    ("rule", "drug", "years", "said"),
    [
        ("child-aspirin", "aspirin", 16, "moderate"),
        ("child-tetracycline", "minocycline", 8, "moderate"),
        ("child-doxycycline", "doxycycline", 8, "info"),
        ("child-promethazine", "promethazine", 2, "high"),
        ("child-loperamide", "loperamide", 2, "high"),
        ("child-diphenoxylate", "diphenoxylate", 6, "high"),
        ("child-propylthiouracil", "propylthiouracil", 18, "moderate"),
        ("child-benzocaine", "benzocaine", 2, "moderate"),
        ("child-fluoroquinolone", "ciprofloxacin", 18, "info"),
        ("child-cough", "dextromethorphan", 2, "moderate"),
    ],
)
def test_a_child_is_one_until_its_birthday(rule: str, drug: str, years: int, said: str) -> None:
    assert severity(rule, who(tomorrow(born(years))), order(drug)) == said
    assert severity(rule, who(born(years)), order(drug)) == ""
    assert severity(rule, order(drug)) == ""


@pytest.mark.parametrize(
    ("rule", "drug", "last_day", "said"),
    [
        ("newborn-chloramphenicol", "chloramphenicol", 27, "high"),
        ("infant-sulfonamide", "sulfadiazine", 59, "high"),
        ("newborn-nitrofurantoin", "nitrofurantoin", 29, "moderate"),
    ],
)
def test_newborn_in_days(rule: str, drug: str, last_day: int, said: str) -> None:
    assert severity(rule, who(born(days=last_day)), order(drug, route="intravenous")) == said
    assert severity(rule, who(born(days=last_day + 1)), order(drug, route="intravenous")) == ""


def test_ceftriaxone_is_critical_with_calcium_up_to_the_twenty_eighth_day() -> None:
    calcium = order("calcium gluconate", route="intravenous")
    drug = order("ceftriaxone", route="intravenous")
    assert severity("newborn-ceftriaxone-calcium", who(born(days=28)), calcium, drug) == "critical"
    assert severity("newborn-ceftriaxone-calcium", who(born(days=29)), calcium, drug) == ""
    assert severity("newborn-ceftriaxone-calcium", who(born(days=28)), drug) == ""


@pytest.mark.parametrize("drug", ["codeine", "tramadol"])
def test_after_tonsils_were_taken_out_it_is_critical_below_eighteen(drug: str) -> None:
    out = diagnosis("173422009", -DAY, "SNOMED CT")
    assert severity("child-opioid-tonsils", who(tomorrow(born(18))), out, order(drug)) == "critical"
    assert severity("child-opioid-tonsils", who(born(18)), out, order(drug)) == ""
    assert severity("child-opioid-tonsils", who(born(10)), order(drug)) == ""


def test_aspirin_with_chickenpox_is_high_below_nineteen_and_given_on_purpose_in_kawasaki() -> None:
    ill = diagnosis("B01.9", -DAY)
    assert severity("child-aspirin-viral", who(tomorrow(born(19))), ill, order("aspirin")) == "high"
    assert severity("child-aspirin-viral", who(born(19)), ill, order("aspirin")) == ""
    assert severity("child-aspirin", who(born(9)), diagnosis("M30.3", -DAY), order("aspirin")) == ""


PREGNANCY = [
    ("pregnancy-renin-system", "lisinopril", "high"), ("pregnancy-renin-system", "losartan", "high"),
    ("pregnancy-renin-system", "aliskiren", "high"), ("pregnancy-valproate", "valproate", "high"),
    ("pregnancy-retinoid", "isotretinoin", "high"), ("pregnancy-retinoid", "acitretin", "high"),
    ("pregnancy-thalidomide", "thalidomide", "high"), ("pregnancy-methotrexate", "methotrexate", "high"),
    ("pregnancy-mycophenolate", "mycophenolate mofetil", "high"), ("pregnancy-leflunomide", "teriflunomide", "high"),
    ("pregnancy-ribavirin", "ribavirin", "high"), ("pregnancy-warfarin", "warfarin", "high"),
    ("pregnancy-endothelin", "bosentan", "high"), ("pregnancy-topiramate", "topiramate", "moderate"),
    ("pregnancy-lithium", "lithium", "moderate"), ("pregnancy-tetracycline", "doxycycline", "moderate"),
    ("pregnancy-nsaid", "ibuprofen", "moderate"), ("pregnancy-statin", "atorvastatin", "moderate"),
    ("pregnancy-misoprostol", "misoprostol", "info"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "drug", "said"), PREGNANCY)
def test_of_pregnancy_only_a_known_yes_counts(rule: str, drug: str, said: str) -> None:
    assert severity(rule, who(born(30), pregnancy=Pregnancy(pregnant=True)), order(drug)) == said
    assert severity(rule, who(born(30), pregnancy=Pregnancy(pregnant=False)), order(drug)) == ""
    assert severity(rule, who(born(30)), order(drug)) == ""


def test_low_dose_aspirin_and_a_gel_are_no_nsaid_in_pregnancy() -> None:
    woman = who(born(30), pregnancy=Pregnancy(pregnant=True))
    assert severity("pregnancy-nsaid", woman, order("aspirin")) == ""
    assert severity("pregnancy-nsaid", woman, order("diclofenac", route="topical")) == ""


def test_what_is_weighed_in_pregnancy_is_less_grave() -> None:
    woman = who(born(30), pregnancy=Pregnancy(pregnant=True))
    assert severity("pregnancy-warfarin", woman, diagnosis("Z95.2"), order("warfarin")) == "moderate"
    assert severity("pregnancy-methotrexate", woman, diagnosis("C92.0"), order("methotrexate")) == "moderate"
    assert severity("pregnancy-misoprostol", woman, order("naproxen"), order("misoprostol")) == "high"


def test_fluconazole_in_pregnancy_is_from_400_milligrams_a_day() -> None:
    woman = who(born(30), pregnancy=Pregnancy(pregnant=True))
    assert severity("pregnancy-fluconazole", woman, order("fluconazole", dosage=_daily(400))) == "moderate"
    assert severity("pregnancy-fluconazole", woman, order("fluconazole", dosage=_daily(399))) == ""


UNKNOWN = "pregnancy-not-known"


@pytest.mark.parametrize("drug", ["valproate", "isotretinoin", "mycophenolate mofetil", "methotrexate", "leflunomide"])
def test_that_nobody_knows_of_a_pregnancy_is_said_of_women_from_12_to_49(drug: str) -> None:
    ordered = order(drug, -2 * DAY)
    later = patient(0, record_id="tick", version=2)
    assert severity(UNKNOWN, who(born(12)), ordered, later) == "moderate"
    assert severity(UNKNOWN, who(tomorrow(born(12))), ordered, later) == ""
    assert severity(UNKNOWN, who(tomorrow(born(50))), ordered, later) == "moderate"
    assert severity(UNKNOWN, who(born(50)), ordered, later) == ""
    assert severity(UNKNOWN, who(born(30), sex="male"), ordered, later) == ""
    for known in (True, False):
        assert severity(UNKNOWN, who(born(30), pregnancy=Pregnancy(pregnant=known)), ordered, later) == ""


@pytest.mark.parametrize(("lactating", "said"), [(True, "high"), (False, ""), (None, "")])
def test_codeine_while_breast_feeding(lactating: bool | None, said: str) -> None:
    more = {} if lactating is None else {"lactating": lactating}
    assert severity("lactation-codeine-tramadol", who(born(30), **more), order("codeine")) == said


DISEASE = [
    ("g6pd-urate-oxidase", "rasburicase", "critical", ("D55.0", "282.2")),
    ("g6pd-oxidant", "primaquine", "high", ("D55.0", "282.2")),
    ("g6pd-mild", "nitrofurantoin", "moderate", ("D55.0", "282.2")),
    ("myasthenia-fluoroquinolone", "levofloxacin", "high", ("G70.01", "358.00")),
    ("myasthenia-aminoglycoside", "gentamicin", "high", ("G70.00", "358.0")),
    ("parkinson-haloperidol", "haloperidol", "high", ("G20", "332.0")),
    ("parkinson-haloperidol", "metoclopramide", "high", ("G20", "332.0")),
    ("asthma-nonselective", "propranolol", "high", ("J45.909", "493.90")),
    ("asthma-selective", "atenolol", "moderate", ("J45.909", "493.90")),
    ("heart-failure-nsaid", "ibuprofen", "moderate", ("I50.9", "428.0")),
    ("heart-failure-rate-slowing", "diltiazem", "info", ("I50.9", "428.0")),
    ("heart-failure-rate-slowing", "verapamil", "moderate", ("I50.22", "428.22")),
    ("heart-failure-glitazone", "pioglitazone", "moderate", ("I50.9", "428.0")),
    ("heart-failure-cilostazol", "cilostazol", "high", ("I50.9", "428.0")),
    ("ulcer-nsaid", "naproxen", "moderate", ("K25.9", "531.90")),
    ("seizure-bupropion", "bupropion", "high", ("G40.909", "345.10")),
    ("eating-disorder-bupropion", "bupropion", "high", ("F50.2", "307.51")),
    ("angioedema-ace", "lisinopril", "high", ("T78.3XXA", "995.1")),
    ("older-antipsychotic-dementia", "risperidone", "moderate", ("F03.90", "294.20")),
    ("older-anticholinergic-dementia", "oxybutynin", "moderate", ("F03.90", "290.0")),
    ("bypass-nsaid", "ibuprofen", "moderate", ("Z98.84", "V45.86")),
    ("c-difficile-ppi", "pantoprazole", "info", ("A04.72", "008.45")),
    ("stroke-prasugrel", "prasugrel", "high", ("I63.9", "434.91")),
    ("aneurysm-fluoroquinolone", "ciprofloxacin", "moderate", ("I71.4", "441.4")),
]


@pytest.mark.parametrize(("rule", "drug", "said", "codes"), DISEASE)
def test_a_disease_counts_in_both_classifications(rule: str, drug: str, said: str, codes: tuple[str, str]) -> None:
    old = who(born(70), sex="male")
    for system, code in zip(("ICD-10", "ICD-9-CM"), codes, strict=True):
        assert severity(rule, old, diagnosis(code, -DAY, system), order(drug)) == said
    assert severity(rule, old, diagnosis("M17.0", -DAY), order(drug)) == ""
    assert severity(rule, old, order(drug)) == "", "what nobody knows is not a disease"


def test_what_excuses_it() -> None:
    asthma, parkinson = diagnosis("J45.909", -DAY), diagnosis("G20", -DAY)
    assert severity("asthma-selective", asthma, diagnosis("I50.22", -DAY), order("metoprolol")) == ""
    assert severity("parkinson-haloperidol", parkinson, order("quetiapine")) == ""
    assert severity("ulcer-nsaid", diagnosis("K25.9", -DAY), order("pantoprazole"), order("naproxen")) == "info"
    clot = diagnosis("I26.99", -DAY)
    assert severity("thrombosis-estrogen", clot, order("estradiol")) == "high"
    assert severity("thrombosis-estrogen", clot, order("apixaban"), order("estradiol")) == ""


def test_an_eye_drop_counts_in_asthma_and_a_gel_not_in_heart_failure() -> None:
    drop = order("timolol", route="ophthalmic")
    assert severity("asthma-nonselective", diagnosis("J45.909", -DAY), drop) == "high"
    gel = order("diclofenac", route="topical")
    assert severity("heart-failure-nsaid", diagnosis("I50.9", -DAY), gel) == ""


@pytest.mark.parametrize(
    ("rule", "drug", "born_", "days", "before", "from_then"),
    [
        ("older-benzodiazepine", "lorazepam", born(80), 28, "info", "moderate"),
        ("older-z-drug", "zolpidem", born(80), 28, "info", "moderate"),
        ("older-first-antihistamine", "hydroxyzine", born(80), 14, "info", "moderate"),
        ("older-metoclopramide-long", "metoclopramide", born(80), 84, "", "moderate"),
        ("child-doxycycline", "doxycycline", born(6), 22, "info", "moderate"),
    ],
)
def test_how_long_it_has_acted(rule: str, drug: str, born_: date, days: int, before: str, from_then: str) -> None:
    ordered = order(drug, -days * DAY)
    assert severity(rule, who(born_), ordered, patient(-1, record_id="tick", version=2)) == before
    assert severity(rule, who(born_), ordered, patient(0, record_id="tick", version=2)) == from_then


def _daily(milligrams: float) -> Dosage:
    return Dosage(route="oral", dose=Quantity(milligrams, "mg"), frequency_per_day=1)


def test_digoxin_is_above_125_micrograms_a_day() -> None:
    tick = patient(0, record_id="tick", version=2)
    for dose, said in ((0.125, ""), (0.1875, "info")):
        drug = order("digoxin", -5 * DAY, dosage=_daily(dose))
        assert severity("older-digoxin-dose", who(born(80)), drug, tick) == said


def ckd_epi_2021_of_a_woman(creatinine: float, age: int) -> float:
    """Inker LA et al. N Engl J Med 2021;385:1737-1749."""
    ratio = creatinine / 0.7
    return 142 * min(ratio, 1) ** -0.241 * max(ratio, 1) ** -1.2 * 0.9938**age * 1.012


@pytest.mark.parametrize(
    ("age", "creatinine", "filtration", "said"),
    [(70, 1.18, 49.6, "moderate"), (70, 1.16, 50.7, ""), (50, 1.37, 47.0, "info"), (50, 1.45, 43.9, "moderate")],
)
def test_an_nsaid_from_an_egfr_below_50_and_in_the_young_graver_below_45(
    age: int, creatinine: float, filtration: float, said: str
) -> None:
    assert ckd_epi_2021_of_a_woman(creatinine, age) == pytest.approx(filtration, abs=0.1)
    blood = result("creatinine", creatinine, -1, "mg/dL")
    assert severity("nsaid-kidney", who(born(age)), blood, order("ibuprofen")) == said
    assert severity("nsaid-kidney", who(born(age)), order("ibuprofen")) == "", "without a creatinine nothing is known"


STORIES: dict[str, tuple[AnyEvent, ...]] = {
    "older-antipsychotic-dementia": (who(born(80)), diagnosis("F03.90", -DAY), order("risperidone", -1)),
    "pregnancy-misoprostol": (who(born(30), pregnancy=Pregnancy(pregnant=True)), order("naproxen", -2), order("misoprostol", -1)),
    "child-aspirin-viral": (who(born(9)), diagnosis("B01.9", -DAY), order("aspirin", -1)),
    "nsaid-kidney": (who(born(70)), result("creatinine", 1.9, -5, "mg/dL"), order("ibuprofen", -1)),
    "ulcer-nsaid": (diagnosis("K25.9", -DAY), order("naproxen", -2), order("pantoprazole", -1)),
}  # fmt: skip


@pytest.mark.parametrize("rule", STORIES)
def test_the_order_of_arrival_makes_no_difference(rule: str) -> None:
    last = lab("sodium", 140, 0)
    found = {severity(rule, *events, last) for events in permutations(STORIES[rule])}
    assert len(found) == 1 and found != {""}


def test_it_ends_when_the_order_ends() -> None:
    drug = order("propranolol", -DAY)
    stopped = order("propranolol", 0, id="propranolol", status="discontinued", version=2)
    asthma = diagnosis("J45.909", -2 * DAY)
    assert severity("asthma-nonselective", asthma, drug) == "high"
    assert severity("asthma-nonselective", asthma, drug, stopped) == ""


@pytest.mark.parametrize(
    ("pregnancy", "holds"), [(None, True), (Pregnancy(pregnant=True), False), (Pregnancy(pregnant=False), False)]
)
def test_that_nobody_has_said_it_is_a_condition_of_its_own(pregnancy: Pregnancy | None, holds: bool) -> None:
    names = Names({"potassium"}, (), (), ())
    (condition,) = parsed(["pregnant unknown"], names)
    assert (condition.kind, condition.name) == ("no_trait", "pregnant")
    state, _ = play(patient(0, **({} if pregnancy is None else {"pregnancy": pregnancy})))
    assert answers((condition,), Situation(state=state, knowledge=load()))[0].holds is holds
    assert parsed(["potassium unknown"], names)[0].kind == "no_result"
    with pytest.raises(ValueError, match="'expectant unknown'"):
        parsed(["expectant unknown"], names)
