"""Monitoring, burden, stewardship and opportunity: both sides of what their sources say, typed here from them."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.events import AnyEvent, Condition, Dosage, LabResult, Patient
from schemas.values import UNSET, Coding, Quantity
from services.monitor.patient.state import PatientState
from tests.support.clinical import lab, order, patient
from tests.unit.test_written_rules import open_, play

DAY = 24.0

FIRST_DUE = [
    # rule, medicine, days of the source until the first test, grace in days, the tests
    ("ras-kidney-potassium", "lisinopril", 14, 7, ("creatinine", "potassium")),
    ("aldosterone-antagonist-potassium", "spironolactone", 7, 7, ("creatinine", "potassium")),
    ("diuretic-electrolytes", "hydrochlorothiazide", 42, 14, ("creatinine", "potassium", "sodium")),
    ("digoxin-kidney-potassium", "digoxin", 365, 14, ("creatinine", "potassium")),
    ("doac-yearly-tests", "rivaroxaban", 365, 30, ("creatinine", "hemoglobin")),
    ("statin-liver-first", "rosuvastatin", 90, 30, ("AST",)),
    ("levothyroxine-tsh", "levothyroxine", 56, 14, ("TSH",)),
    ("warfarin-inr-first-weeks", "warfarin", 5, 2, ("INR",)),
    ("clozapine-counts-first-year", "clozapine", 7, 2, ("neutrophils",)),
    ("carbamazepine-sodium", "oxcarbazepine", 180, 30, ("sodium",)),
    ("valproate-liver-counts", "valproate", 180, 30, ("ALT", "platelets")),
    ("antipsychotic-glucose", "olanzapine", 84, 30, ("hemoglobin A1c",)),
    ("linezolid-weekly-count", "linezolid", 7, 2, ("platelets",)),
    ("daptomycin-weekly-ck", "daptomycin", 7, 2, ("creatine kinase",)),
    ("dofetilide-kidney-potassium", "dofetilide", 90, 14, ("creatinine", "potassium")),
]
REPEATED = [
    # rule, medicine, day of the last test, days until the next, grace
    ("aldosterone-antagonist-potassium", "eplerenone", 5, 30, 7, ("creatinine", "potassium")),
    ("aldosterone-antagonist-potassium", "eplerenone", 95, 180, 7, ("creatinine", "potassium")),
    ("warfarin-inr-first-weeks", "warfarin", 10, 7, 2, ("INR",)),
    ("clozapine-counts-first-year", "clozapine", 100, 7, 2, ("neutrophils",)),
    ("clozapine-counts-first-year", "clozapine", 200, 14, 2, ("neutrophils",)),
    ("clozapine-counts-later", "clozapine", 400, 30, 7, ("neutrophils",)),
    ("linezolid-weekly-count", "linezolid", 6, 7, 2, ("platelets",)),
]


def results_on(day: float, names: tuple[str, ...]) -> list[AnyEvent]:
    return [lab(name, 1.0, day * DAY, id=f"{name}{day}") for name in names]


@pytest.mark.parametrize(("rule", "medicine", "due", "grace", "names"), FIRST_DUE)
def test_a_first_test_is_missed_when_its_grace_is_over_and_not_a_moment_before(
    rule: str, medicine: str, due: int, grace: int, names: tuple[str, ...]
) -> None:
    story = (patient(0, birth_date=date(1950, 1, 1), sex="female"), order(medicine, 0))
    late = (due + grace) * DAY
    assert open_(play(*story, rule=rule, to=late - 1)) == []
    assert [subject for subject, _ in open_(play(*story, rule=rule, to=late))] == [medicine]
    assert open_(play(*story, *results_on(due - 1, names), rule=rule, to=late)) == []


@pytest.mark.parametrize(("rule", "medicine", "last", "every", "grace", "names"), REPEATED)
def test_the_next_test_is_missed_so_long_after_the_last(
    rule: str, medicine: str, last: int, every: int, grace: int, names: tuple[str, ...]
) -> None:
    earlier = [each for day in range(5, last, 5) for each in results_on(day, names)]
    story = (order(medicine, 0), *earlier, *results_on(last, names))
    late = (last + every + grace) * DAY
    assert open_(play(*story, rule=rule, to=late - 1)) == []
    assert [subject for subject, _ in open_(play(*story, rule=rule, to=late))] == [medicine]


@pytest.mark.parametrize(("age", "severity"), [(64, "info"), (65, "moderate")])
def test_a_blocker_of_the_renin_system_counts_more_where_harm_is_likelier(age: int, severity: str) -> None:
    story = (patient(0, birth_date=date(2026 - age, 1, 1)), order("losartan", 0))
    assert open_(play(*story, rule="ras-kidney-potassium", to=30 * DAY)) == [("losartan", severity)]


@pytest.mark.parametrize(("day", "told"), [(3.9, False), (4.0, True), (13.9, True), (14.0, False)])
def test_platelets_on_heparin_are_asked_for_from_day_4_to_14(day: float, told: bool) -> None:
    story = (order("heparin", 0, route="subcutaneous"), *results_on(-1, ("platelets",)))
    assert bool(open_(play(*story, rule="heparin-platelet-count", to=day * DAY))) == told


# --- burden


@pytest.mark.parametrize(
    ("medicines", "age", "expected"),
    [
        (("oxybutynin",), 80, []),
        (("oxybutynin", "amitriptyline"), 80, [("anticholinergic-burden", "moderate")]),
        (("oxybutynin", "amitriptyline"), 50, [("anticholinergic-burden", "info")]),
        (("oxybutynin", "amitriptyline", "benztropine"), 50, [("anticholinergic-burden", "moderate")]),
    ],
)
def test_two_that_block_acetylcholine(medicines: tuple[str, ...], age: int, expected: list[tuple[str, str]]) -> None:
    story: list[AnyEvent] = [patient(0, birth_date=date(2026 - age, 1, 1)), *(order(name, 0) for name in medicines)]
    assert open_(play(*story, rule="anticholinergic-burden", to=2 * DAY)) == expected


@pytest.mark.parametrize(
    ("medicines", "told"), [(("lorazepam", "gabapentin"), 0), (("lorazepam", "gabapentin", "trazodone"), 1)]
)
def test_three_that_make_drowsy_in_any_order(medicines: tuple[str, ...], told: int) -> None:
    events: list[AnyEvent] = [order(name, hours) for hours, name in enumerate(medicines)]
    for each in permutations(events):
        story = (patient(-1, birth_date=date(1950, 1, 1)), *each)
        assert open_(play(*story, rule="sedative-burden", to=3 * DAY)) == [("sedative-burden", "moderate")] * told


# --- stewardship


def culture(name: str, text: str, hours: float, **more: Any) -> LabResult:
    said: dict[str, Any] = {"value": UNSET, "unit": "", "canonical_unit": "", "text": text}
    return lab(f"{name} susceptibility", None, hours, **(said | more))


def resistant(*events: AnyEvent, to: float = 100) -> list[tuple[str, str]]:
    return open_(play(*events, rule="organism-resistant", to=to))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("R", True),
        ("Resistant", True),
        ("r", True),
        ("S", False),
        ("I", False),
        ("Susceptible", False),
        ("see report", False),
    ],
)
def test_what_a_culture_says(text: str, told: bool) -> None:
    found = resistant(order("ceftriaxone", 0, route="intravenous"), culture("ceftriaxone", text, 48))
    assert found == ([("ceftriaxone", "moderate")] if told else [])


def test_resistance_ends_with_a_newer_specimen_with_the_order_and_when_it_was_an_error() -> None:
    given, grew = order("ceftriaxone", 0, route="intravenous"), culture("ceftriaxone", "R", 48, id="c")
    assert resistant(given, grew) == [("ceftriaxone", "moderate")]
    assert resistant(given, grew, culture("ceftriaxone", "S", 72)) == []
    assert resistant(given, culture("ceftriaxone", "S", 24), grew) == [("ceftriaxone", "moderate")]
    assert resistant(given, grew, order("ceftriaxone", 60, status="discontinued", version=2)) == []
    assert resistant(given, grew, culture("ceftriaxone", "R", 48, id="c", status="cancelled", version=2)) == []
    assert resistant(order("cefazolin", 0, route="intravenous"), grew) == []


@pytest.mark.parametrize(("day", "told"), [(13.9, True), (14.1, False)])
def test_a_culture_of_two_weeks_ago_is_old(day: float, told: bool) -> None:
    found = resistant(order("ceftriaxone", 0, route="intravenous"), culture("ceftriaxone", "R", 0), to=day * DAY)
    assert bool(found) == told


def test_what_is_tested_together_counts_together() -> None:
    both = order("amoxicillin/clavulanate", 0)
    assert resistant(both, culture("amoxicillin", "R", 24)) == []
    assert resistant(both, culture("amoxicillin-clavulanate", "R", 24)) == [("amoxicillin", "moderate")]
    assert resistant(order("amoxicillin", 0), culture("amoxicillin-clavulanate", "R", 24)) == []
    assert resistant(order("imipenem/cilastatin", 0), culture("imipenem", "R", 24)) == [("imipenem", "moderate")]


def test_the_order_of_arrival_of_order_and_culture_does_not_matter() -> None:
    events: list[AnyEvent] = [
        patient(0, birth_date=date(1950, 1, 1)), order("ciprofloxacin", 1), culture("ciprofloxacin", "R", 30),
        culture("ciprofloxacin", "S", 20),
    ]  # fmt: skip
    assert {tuple(resistant(*each)) for each in permutations(events)} == {(("ciprofloxacin", "moderate"),)}


def test_every_susceptibility_is_of_medicines_that_are_known() -> None:
    known = load()
    names = {each.name for each in known.analytes.values() if each.name.endswith(" susceptibility")}
    parts = {part for each in names for part in each.removesuffix(" susceptibility").split("-")}
    assert len(names) >= 25
    assert parts <= known.properties_of.keys()


COURSES = [
    # diagnosis, medicine, the day from which it is told (5 days are usual in pneumonia and cystitis)
    ("N30.00", "nitrofurantoin", 8, 200),
    ("J18.9", "amoxicillin", 10, 1500),
    ("L03.90", "cephalexin", 10, 2000),
    ("N10", "cephalexin", 15, 2000),
]


@pytest.mark.parametrize(("code", "medicine", "day", "mg"), COURSES)
def test_a_course_past_its_length(code: str, medicine: str, day: int, mg: float) -> None:
    dosage = Dosage(route="oral", dose=Quantity(mg, "mg"), frequency_per_day=1)
    story = (listed(code), order(medicine, 0, dosage=dosage))
    assert open_(play(*story, rule="antibiotic-long", to=day * DAY - 1)) == []
    assert open_(play(*story, rule="antibiotic-long", to=day * DAY)) == [(medicine, "moderate")]
    assert open_(play(listed(code, "I33.0"), *story[1:], rule="antibiotic-long", to=day * DAY)) == []


def test_a_course_of_an_unknown_reason() -> None:
    story = (
        patient(0),
        order("amoxicillin", 0, dosage=Dosage(route="oral", dose=Quantity(1500, "mg"), frequency_per_day=1)),
    )
    assert open_(play(*story, rule="antibiotic-long", to=15 * DAY - 1)) == []
    assert open_(play(*story, rule="antibiotic-long", to=15 * DAY)) == [("amoxicillin", "info")]


@pytest.mark.parametrize(("hours", "told"), [(47, []), (48, [("levofloxacin", "info")])])
def test_into_a_vein_for_two_days(hours: float, told: list[tuple[str, str]]) -> None:
    story = (order("levofloxacin", 0, route="intravenous"), order("atorvastatin", 0))
    assert open_(play(*story, rule="antibiotic-vein-to-mouth", to=hours)) == told
    assert open_(play(story[0], rule="antibiotic-vein-to-mouth", to=hours)) == []


# --- opportunity


def listed(*codes: str, age: int = 60) -> Patient:
    conditions = tuple(Condition(codings=(Coding("ICD-10", code, code),), status="active") for code in codes)
    return patient(-1, birth_date=date(2026 - age, 1, 1), conditions=conditions)


@pytest.mark.parametrize(
    ("codes", "age", "told"),
    [
        (("I48.91",), 74, 0),
        (("I48.91",), 75, 1),
        (("I48.91", "I10"), 65, 1),
        (("I48.91", "I10"), 64, 0),
        (("I10",), 80, 0),
    ],
)
def test_fibrillation_without_an_anticoagulant(codes: tuple[str, ...], age: int, told: int) -> None:
    story = (listed(*codes, age=age), order("metoprolol", 0))
    rule = "fibrillation-no-anticoagulant"
    assert open_(play(*story, rule=rule, to=DAY)) == [("atrial-fibrillation", "info")] * told
    assert open_(play(*story, order("warfarin", 0), rule=rule, to=DAY)) == []
    assert open_(play(story[0], rule=rule, to=DAY)) == []


@pytest.mark.parametrize(("age", "told"), [(64, 0), (65, 1)])
def test_an_nsaid_from_65_years(age: int, told: int) -> None:
    story = (listed("I10", age=age), order("naproxen", 0))
    assert open_(play(*story, rule="nsaid-no-gastroprotection", to=2 * DAY)) == [("naproxen", "info")] * told
    assert open_(play(story[0], order("naproxen/esomeprazole", 0), rule="nsaid-no-gastroprotection", to=2 * DAY)) == []


@pytest.mark.parametrize(("days", "told"), [(62.9, 0), (63, 1)])
def test_a_proton_pump_inhibitor_after_eight_weeks_and_a_week_of_grace(days: float, told: int) -> None:
    state: PatientState = play(order("omeprazole", 0), rule="acid-suppression-long", to=days * DAY)
    assert open_(state) == [("omeprazole", "info")] * told


def test_a_steroid_in_one_inhaler_with_the_beta_agonist_is_seen() -> None:
    story = (listed("J45.40"), order("salmeterol", 0, route="inhaled"))
    rule = "long-acting-beta-agonist-alone"
    assert open_(play(*story, rule=rule, to=4 * DAY)) == [("salmeterol", "moderate")]
    assert open_(play(story[0], order("salmeterol/fluticasone", 0, route="inhaled"), rule=rule, to=4 * DAY)) == []
    assert open_(play(listed("J44.9"), story[1], rule=rule, to=4 * DAY)) == []
