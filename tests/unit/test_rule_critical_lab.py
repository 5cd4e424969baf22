"""Critical values with what makes them milder and what could explain them. Limits and factors are typed here from their sources
(Kost 1990 and 1991), not read from our data."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import AnyEvent, Condition, ConditionRecord, Drug, Ingredient, LabResult, Specimen
from schemas.feedback import Feedback
from schemas.values import SEVERITIES, Coding
from services.monitor import evaluate
from services.monitor.evaluate import take_event, take_feedback
from services.monitor.patient.state import PatientState
from services.monitor.rules.critical_lab import CriticalLab
from tests.support.clinical import at, lab, order, patient

KNOWN = load()
UNITS = {analyte.name: analyte.unit for analyte in KNOWN.analytes.values()}
DAY = 24


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (CriticalLab(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def result(analyte: str, value: float, hours: float = 0, **more: Any) -> LabResult:
    return lab(analyte, value, hours, **({"unit": UNITS[analyte], "canonical_unit": UNITS[analyte]} | more))


def play(*events: AnyEvent) -> tuple[PatientState, list[Alert]]:
    state: PatientState | None = None
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWN, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def standing(*events: AnyEvent) -> Alert:
    (alert,) = play(*events)[0].open_alerts.values()
    return alert


def open_of(*events: AnyEvent) -> list[tuple[str, str]]:
    return sorted((alert.subject, alert.severity) for alert in play(*events)[0].open_alerts.values())


def born(days_ago: float) -> AnyEvent:
    return patient(-10_000, birth_date=(at(0) - timedelta(days=days_ago)).date(), sex="female")


ADULT, CHILD, NEWBORN = born(50 * 365), born(9 * 365), born(5)
HAEMOLYSED = Specimen(haemolysed=True)
CANCER = ConditionRecord(
    patient_id="p", source="ehr", record_id="dx", occurred_at=at(-100),
    condition=Condition(codings=(Coding("ICD-10-CM", "C91.0", "acute lymphoblastic leukaemia"),)),
)  # fmt: skip


# --- both sides of each limit: (last value that is none, first value that is), as published

LIMITS: list[tuple[AnyEvent, str, str, float, float, str]] = [
    (ADULT, "potassium", "low", 2.8, 2.79, "critical"), (ADULT, "potassium", "high", 6.2, 6.21, "critical"),
    (ADULT, "sodium", "low", 120, 119, "critical"), (ADULT, "sodium", "high", 158, 159, "critical"),
    (ADULT, "glucose", "low", 46, 45, "critical"), (ADULT, "glucose", "high", 484, 485, "critical"),
    (ADULT, "hemoglobin", "low", 6.6, 6.5, "critical"), (ADULT, "hemoglobin", "high", 19.9, 20, "high"),
    (ADULT, "platelets", "low", 37, 36, "critical"), (ADULT, "platelets", "high", 910, 911, "moderate"),
    (ADULT, "calcium", "low", 6.6, 6.5, "high"), (ADULT, "calcium", "high", 12.9, 13, "high"),
    (ADULT, "ionized calcium", "low", 0.82, 0.81, "high"), (ADULT, "ionized calcium", "high", 1.55, 1.56, "high"),
    (ADULT, "magnesium", "low", 1.0, 0.9, "high"), (ADULT, "magnesium", "high", 4.9, 5.0, "high"),
    (ADULT, "phosphate", "low", 1.2, 1.1, "high"), (ADULT, "phosphate", "high", 8.9, 9.0, "moderate"),
    (ADULT, "white blood cells", "low", 2.0, 1.9, "high"), (ADULT, "white blood cells", "high", 37, 37.1, "moderate"),
    (ADULT, "bicarbonate", "low", 11, 10, "high"), (ADULT, "bicarbonate", "high", 40, 41, "high"),
    (ADULT, "pH", "low", 7.21, 7.20, "high"), (ADULT, "pH", "high", 7.59, 7.60, "high"),
    (ADULT, "creatinine", "high", 7.4, 7.5, "moderate"),
    (CHILD, "potassium", "low", 2.8, 2.7, "critical"), (CHILD, "potassium", "high", 6.4, 6.5, "critical"),
    (CHILD, "sodium", "low", 121, 120, "critical"), (CHILD, "sodium", "high", 156, 157, "critical"),
    (CHILD, "glucose", "low", 46.8, 46.7, "critical"), (CHILD, "glucose", "high", 445, 446, "critical"),
    (CHILD, "hemoglobin", "low", 6.9, 6.8, "critical"), (CHILD, "hemoglobin", "high", 20.8, 20.9, "high"),
    (CHILD, "platelets", "low", 53, 52, "critical"), (CHILD, "platelets", "high", 916, 917, "moderate"),
    (CHILD, "calcium", "low", 6.49, 6.48, "high"), (CHILD, "calcium", "high", 12.7, 12.8, "high"),
    (CHILD, "white blood cells", "low", 2.1, 2.0, "high"), (CHILD, "white blood cells", "high", 42.9, 43, "moderate"),
    (CHILD, "pH", "low", 7.21, 7.20, "high"), (CHILD, "pH", "high", 7.59, 7.60, "high"),
    (NEWBORN, "potassium", "low", 2.8, 2.7, "critical"), (NEWBORN, "potassium", "high", 7.8, 7.9, "critical"),
    (NEWBORN, "sodium", "low", 121, 120, "critical"), (NEWBORN, "sodium", "high", 156, 157, "critical"),
    (NEWBORN, "glucose", "low", 32.4, 32.3, "critical"), (NEWBORN, "glucose", "high", 328, 329, "critical"),
    (NEWBORN, "hemoglobin", "low", 6.9, 6.8, "critical"),
    (NEWBORN, "platelets", "low", 53, 52, "critical"), (NEWBORN, "platelets", "high", 916, 917, "moderate"),
    (NEWBORN, "calcium", "low", 6.49, 6.48, "high"), (NEWBORN, "calcium", "high", 12.7, 12.8, "high"),
    (NEWBORN, "white blood cells", "low", 2.1, 2.0, "high"), (NEWBORN, "white blood cells", "high", 42.9, 43, "moderate"),
    (NEWBORN, "pH", "low", 7.21, 7.20, "high"), (NEWBORN, "pH", "high", 7.59, 7.60, "high"),
]  # fmt: skip


@pytest.mark.parametrize(("who", "analyte", "direction", "within", "beyond", "severity"), LIMITS)
def test_each_limit_has_two_sides(
    who: AnyEvent, analyte: str, direction: str, within: float, beyond: float, severity: str
) -> None:
    assert open_of(who, result(analyte, within)) == []
    assert open_of(who, result(analyte, beyond)) == [(f"{analyte}:{direction}", severity)]


def test_each_limit_that_is_shipped_is_in_the_table_above() -> None:
    rows = sum((limit.low is not None) + (limit.high is not None) for limit in KNOWN.limits.values())
    assert len(LIMITS) == rows


@pytest.mark.parametrize(
    ("days", "fires"), [(27, False), (28, True), (18 * 365.25 - 30, True), (18 * 365.25 + 30, True)]
)
def test_the_age_decides_which_limit_counts(days: float, fires: bool) -> None:
    """7.0 is within a newborn's limit of 7.8 and beyond those of a child and of an adult."""
    assert bool(open_of(born(days), result("potassium", 7.0))) is fires


def test_six_point_three_is_critical_for_an_adult_and_not_for_a_child() -> None:
    assert open_of(born(18 * 365.25 + 2), result("potassium", 6.3)) == [("potassium:high", "critical")]
    assert open_of(born(18 * 365.25 - 2), result("potassium", 6.3)) == []


# --- a specimen that may lie


def test_a_haemolysed_potassium_asks_for_a_repeat_and_notifies() -> None:
    alert = standing(ADULT, result("potassium", 6.8, specimen=HAEMOLYSED))
    assert (alert.severity, "(haemolysed)" in alert.summary) == ("high", True)
    assert "repeat" in alert.actions[0]
    unknown = {each.text for each in alert.conditions if each.answer == "unknown"}
    assert {"creatinine rise >= 0.3 within 48 h", "dialysis"} <= unknown
    assert "Not known:" in alert.detail


@pytest.mark.parametrize(
    "more",
    [
        (result("creatinine", 1.0, -30), result("creatinine", 1.3, -1)),  # KDIGO: a rise of 0.3 within 48 hours
        (result("creatinine", 0.6, -100), result("creatinine", 0.9, -1)),  # KDIGO: 1.5 times within 7 days
        (result("creatinine", 4.0, -1),),  # eGFR under 30
        (order("spironolactone", -20),),
        (order("potassium chloride", -20, route="intravenous"),),
    ],
)
def test_a_haemolysed_potassium_pages_where_a_high_one_is_likely(more: tuple[AnyEvent, ...]) -> None:
    for arrival in permutations([*more, result("potassium", 6.8, specimen=HAEMOLYSED)]):
        alert = standing(ADULT, *arrival)
        assert alert.severity == "critical"
        assert "because of" in alert.detail
        assert "repeat" in alert.actions[0]


@pytest.mark.parametrize(
    "more",
    [
        (result("creatinine", 1.0, -30), result("creatinine", 1.29, -1)),
        (order("spironolactone", -20, status="held"),),
        (order("spironolactone", -20, end=at(-1)),),
        (order("amlodipine", -20),),
    ],
)
def test_what_does_not_make_a_high_potassium_likely_does_not_page(more: tuple[AnyEvent, ...]) -> None:
    assert open_of(ADULT, *more, result("potassium", 6.8, specimen=HAEMOLYSED)) == [("potassium:high", "high")]


def test_a_medicine_that_begins_later_makes_it_grave_again() -> None:
    haemolysed = result("potassium", 6.8, specimen=HAEMOLYSED)
    state, alerts = play(ADULT, haemolysed, order("spironolactone", 0, start=at(5)), result("sodium", 140, 6))
    assert [alert.severity for alert in state.open_alerts.values()] == ["critical"]
    assert [alert.severity for alert in alerts] == ["high", "critical"]


def test_a_specimen_that_is_said_not_to_be_haemolysed_is_taken_as_it_is() -> None:
    assert open_of(ADULT, result("potassium", 6.8, specimen=Specimen(haemolysed=False))) == [
        ("potassium:high", "critical")
    ]


@pytest.mark.parametrize(
    ("analyte", "value"), [("potassium", 13), ("potassium", 0.9), ("glucose", 4), ("sodium", 80), ("hemoglobin", 0.8)]
)
def test_a_value_that_is_hardly_possible_is_said_to_be_so_and_is_never_silent(analyte: str, value: float) -> None:
    alert = standing(ADULT, result(analyte, value, remark="implausible"))
    assert (alert.severity, "(implausible)" in alert.summary) == ("high", True)
    assert "hardly possible" in alert.detail


def test_an_impossible_glucose_pages_with_insulin() -> None:
    low = result("glucose", 4, remark="implausible")
    assert open_of(ADULT, order("insulin lispro", -3, route="subcutaneous"), low) == [("glucose:low", "critical")]


@pytest.mark.parametrize(("analyte", "value"), [("calcium", 5.0), ("magnesium", 0.4)])
def test_potassium_with_what_edta_binds_is_as_grave_and_asks_for_a_repeat(analyte: str, value: float) -> None:
    state, _ = play(ADULT, result(analyte, value), result("potassium", 9.0))
    alert = next(each for each in state.open_alerts.values() if each.subject == "potassium:high")
    assert (alert.severity, "EDTA" in alert.detail, "repeat" in alert.actions[0]) == ("critical", True, True)


def test_whole_blood_hides_haemolysis_and_the_alert_says_so() -> None:
    assert "whole blood" in standing(result("potassium", 6.8, measured_in="arterial_blood")).detail
    assert "whole blood" not in standing(result("potassium", 6.8, measured_in="serum_or_plasma")).detail
    assert "whole blood" not in standing(result("platelets", 20, measured_in="blood")).detail


# --- a course that is known


def test_a_value_that_gets_better_updates_its_alert_and_asks_nobody_again() -> None:
    state, alerts = play(result("potassium", 7.4))
    (alert,) = alerts
    answer = Feedback(
        feedback_id="f", alert_id=alert.alert_id, patient_id="p", revision=1, by="ward", at=at(0),
        answer="acknowledged", reason="seen",
    )  # fmt: skip
    state, _ = take_feedback(state, answer, KNOWN, at(0))
    changes = []
    for hours, value in ((1, 7.0), (2, 6.5), (3, 6.9)):
        state, changed = take_event(state, result("potassium", value, hours), KNOWN, at(hours))
        changes += [each.history[-1].change for each in changed]
    assert changes == ["updated", "updated", "attention"]  # 6.9 is worse than 6.5


def test_low_platelets_that_come_back_are_known() -> None:
    course = [result("platelets", 20), result("platelets", 45, 10), result("platelets", 22, 20)]
    for arrival in permutations(course):
        alert = standing(*arrival)
        assert (alert.severity, "known" in alert.detail) == ("high", True)
        assert any(each.text == "beyond the same limit before" for each in alert.conditions)


@pytest.mark.parametrize(
    "course",
    [
        [(20, 0), (45, 10), (19, 20)],  # worse than it was
        [(20, 0), (45, 10), (20, 7 * DAY + 1)],  # more than a week ago
        [(20, 0), (19, 10)],  # never came back
        [(45, 0), (20, 10)],  # the first time
        [(36, 0), (45, 10), (20, 20)],
    ],
)
def test_what_is_new_pages(course: list[tuple[float, float]]) -> None:
    assert standing(*(result("platelets", value, hours) for value, hours in course)).severity == "critical"


def test_a_week_is_still_known_and_a_run_that_lasts_stays_so() -> None:
    again = [result("platelets", 20), result("platelets", 45, 10), result("platelets", 20, 7 * DAY)]
    assert standing(*again).severity == "high"
    lasting = [result("platelets", 21, 7 * DAY + 8 * n) for n in range(1, 20)]
    assert standing(*again, *lasting).severity == "high"


def test_known_low_platelets_page_while_an_anticoagulant_is_in_force() -> None:
    course = [result("platelets", 20), result("platelets", 45, 10), result("platelets", 22, 20)]
    for medicine, severity in (("apixaban", "critical"), ("amlodipine", "high")):
        story: list[AnyEvent] = [*course, order(medicine, 1)]
        for arrival in permutations(story):
            assert standing(*arrival).severity == severity
    flush = order("heparin", 1, route="intravenous", drug=flush_of_a_line())
    assert standing(*course, flush).severity == "high"


def flush_of_a_line() -> Drug:
    return Drug(text="Heparin Flush (10 units/ml)", ingredients=(Ingredient("heparin"),), resolution="name")


def test_potassium_and_glucose_that_come_back_are_as_grave_as_at_first() -> None:
    for analyte, low, normal in (("glucose", 40, 90), ("hemoglobin", 6.0, 8.0)):
        course = [result(analyte, low), result(analyte, normal, 2), result(analyte, low, 4)]
        assert standing(*course).severity == "critical"
    high = [result("potassium", 6.8), result("potassium", 5.0, 2), result("potassium", 6.8, 4)]
    assert standing(*high).severity == "critical"


@pytest.mark.parametrize(
    ("analyte", "values", "severity"),
    [
        ("potassium", (2.6, 3.0, 2.6), "high"), ("potassium", (2.4, 3.0, 2.4), "critical"),
        ("sodium", (118, 122, 118), "high"), ("sodium", (160, 150, 160), "high"),
        ("bicarbonate", (43, 38, 42), "moderate"), ("white blood cells", (1.5, 2.5, 1.6), "moderate"),
    ],
)  # fmt: skip
def test_other_courses_that_are_known(analyte: str, values: tuple[float, ...], severity: str) -> None:
    assert standing(*(result(analyte, value, hours) for hours, value in enumerate(values))).severity == severity


# --- what explains it


def expected(platelets: float, *more: AnyEvent) -> tuple[str, str]:
    given = order("cytarabine", -10 * DAY, route="intravenous", end=at(-9 * DAY))
    alert = standing(ADULT, CANCER, given, *more, result("platelets", platelets))
    return alert.severity, alert.summary


def test_low_counts_are_expected_after_chemotherapy() -> None:
    assert expected(20)[0] == "moderate"
    assert "cytarabine" in expected(20)[1]
    assert [expected(value)[0] for value in (10, 11)] == ["high", "moderate"]  # AABB: transfused at 10 or less
    assert open_of(ADULT, CANCER, order("cytarabine", -10 * DAY), result("white blood cells", 1.0)) == [
        ("white blood cells:low", "moderate")
    ]


def test_low_platelets_after_chemotherapy_page_with_an_anticoagulant() -> None:
    assert expected(20, order("enoxaparin", -1, route="subcutaneous"))[0] == "critical"
    assert expected(20, order("enoxaparin", -1, route="subcutaneous", end=at(-0.5)))[0] == "moderate"
    assert expected(20, order("heparin", -1, route="intravenous", drug=flush_of_a_line()))[0] == "moderate"


@pytest.mark.parametrize(("ended", "severity"), [(27.9, "moderate"), (28, "critical")])
def test_chemotherapy_counts_for_four_weeks(ended: float, severity: str) -> None:
    given = order("cytarabine", -40 * DAY, route="intravenous", end=at(-ended * DAY))
    assert standing(ADULT, CANCER, given, result("platelets", 20)).severity == severity


def test_a_cytotoxic_medicine_without_a_known_cancer_excuses_nothing() -> None:
    """Methotrexate for rheumatism: a low count is the harm, not what was meant."""
    alert = standing(ADULT, order("methotrexate", -50 * DAY), result("platelets", 20))
    assert (alert.severity, "methotrexate" in alert.summary) == ("critical", True)
    assert "history cancer" in alert.detail


def test_an_alert_names_what_could_explain_it_first() -> None:
    alert = standing(
        order("lisinopril", -100), order("amlodipine", -100), order("spironolactone", -20), result("potassium", 6.9)
    )
    assert alert.summary.endswith("; with spironolactone, lisinopril")
    assert "amlodipine" not in alert.detail + "".join(alert.actions)
    assert alert.actions[1] == "Look at these medicines first: spironolactone, lisinopril"
    assert {fact.label.split()[0] for fact in alert.implicated} == {"potassium", "spironolactone", "lisinopril"}
    assert "not known whether given" in alert.detail


@pytest.mark.parametrize(
    ("medicine", "named"),
    [
        (order("spironolactone", -20), True),
        (order("spironolactone", -20, end=at(0)), False),
        (order("spironolactone", 1), False),  # began after the specimen
        (order("spironolactone", -20, status="entered_in_error"), False),
        (order("spironolactone", -20, route="topical"), False),
    ],
)
def test_only_what_acted_then_explains(medicine: AnyEvent, named: bool) -> None:
    story: list[AnyEvent] = [medicine, result("potassium", 6.9)]
    for arrival in permutations(story):
        assert ("spironolactone" in standing(*arrival).summary) is named


def test_what_is_held_after_the_value_still_explains_it() -> None:
    held = order("spironolactone", 2, status="held", version=2, drug=Drug())
    assert "spironolactone" in standing(order("spironolactone", -20), result("potassium", 6.9), held).summary


@pytest.mark.parametrize(("hours", "named"), [(71, True), (72, False)])
def test_a_sulfonylurea_counts_for_three_days(hours: float, named: bool) -> None:
    taken = order("glyburide", -200, end=at(-hours))
    assert ("glyburide" in standing(taken, result("glucose", 40)).summary) is named


def test_many_medicines_leave_the_summary_whole() -> None:
    names = ["lisinopril", "spironolactone", "trimethoprim", "potassium chloride", "tacrolimus", "heparin", "ibuprofen"]
    alert = standing(*(order(name, -20) for name in names), result("potassium", 6.9))
    assert len(alert.summary) <= 139
    assert " more" in alert.summary
    assert all(name in alert.actions[1] for name in names)


# --- other context


def test_total_calcium_gives_way_to_ionized_calcium() -> None:
    low = result("calcium", 6.0)
    assert open_of(ADULT, low) == [("calcium:low", "high")]
    assert open_of(ADULT, low, result("ionized calcium", 0.82, -2)) == [("calcium:low", "moderate")]
    assert open_of(ADULT, low, result("ionized calcium", 0.81, -2)) == [
        ("calcium:low", "moderate"), ("ionized calcium:low", "high"),
    ]  # fmt: skip
    assert open_of(CHILD, low, result("ionized calcium", 0.81, -2)) == [("calcium:low", "high")]
    assert open_of(ADULT, result("ionized calcium", 1.1, -24.1), low) == [("calcium:low", "high")]


def test_creatinine_on_dialysis_is_known() -> None:
    dialysis = ConditionRecord(
        patient_id="p", source="ehr", record_id="dx", occurred_at=at(-100),
        condition=Condition(codings=(Coding("ICD-10-CM", "Z99.2", "dependence on renal dialysis"),)),
    )  # fmt: skip
    assert open_of(ADULT, dialysis, result("creatinine", 9.0)) == [("creatinine:high", "info")]
    assert open_of(ADULT, CANCER, result("creatinine", 9.0)) == [("creatinine:high", "moderate")]


# --- what must never be lost (the issue names these)


@pytest.mark.parametrize("specimen", [None, HAEMOLYSED])
@pytest.mark.parametrize("remark", ["", "implausible"])
@pytest.mark.parametrize(("analyte", "value"), [("potassium", 6.5), ("potassium", 11), ("glucose", 39), ("glucose", 3)])
def test_what_must_be_kept_is_at_least_high(analyte: str, value: float, remark: str, specimen: Specimen | None) -> None:
    more: dict[str, Any] = {} if specimen is None else {"specimen": specimen}
    before = [result(analyte, value, -6), result(analyte, {"potassium": 4, "glucose": 100}[analyte], -3)]
    for story in ([], before):
        alert = standing(ADULT, *story, result(analyte, value, remark=remark, **more))
        assert SEVERITIES.index(alert.severity) <= SEVERITIES.index("high")


def test_correcting_and_cancelling_take_it_back() -> None:
    for status, value in (("corrected", 4.4), ("cancelled", None)):
        back = lab("potassium", value, 0, id="k", version=2, status=status, recorded_at=at(2))
        story: list[AnyEvent] = [order("spironolactone", -20), result("potassium", 7.0, id="k"), back]
        for arrival in permutations(story):
            assert play(*arrival)[0].open_alerts == {}


def test_the_birth_date_may_come_last() -> None:
    known = patient(1, birth_date=date(2026, 10, 28), sex="male")
    assert open_of(result("potassium", 7.0), known) == []
    assert "age is not known" in standing(result("potassium", 7.0)).detail
