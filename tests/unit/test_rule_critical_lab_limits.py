"""Critical values: bounds given as "<x", what the alert says to the letter, and what is looked at beside the value."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from knowledge.loader import load
from schemas.events import AnyEvent, Specimen
from schemas.values import Origin
from services.monitor import evaluate
from services.monitor.patient.bounds import Need
from services.monitor.rules.critical_lab import CriticalLab
from services.monitor.rules.rule import Finding
from tests.support.clinical import at, order, patient
from tests.unit.test_rule_critical_lab import ADULT, CANCER, DAY, play, result, standing

KNOWN = load()


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (CriticalLab(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def subjects(*events: AnyEvent) -> list[str]:
    return sorted(alert.subject for alert in play(*events)[0].open_alerts.values())


def finding(analyte: str, *events: AnyEvent) -> Finding:
    (only,) = CriticalLab().findings(play(*events)[0], KNOWN, analyte)
    return only


# --- a bound (platelets: critical below 37 and above 910)


@pytest.mark.parametrize(
    ("newest", "still"),
    [
        ((">", 37), False),  # above 37 is not below it
        ((">=", 37), False),
        ((">", 38), False),
        ((">", 36.5), True),  # may be 36.6
        (("<", 40), True),  # may be 39
        (("", 37), False),
    ],
)
def test_a_newer_bound_ends_it_only_where_it_says_so(newest: tuple[str, float], still: bool) -> None:
    later = result("platelets", newest[1], 2, comparator=newest[0])
    assert subjects(result("platelets", 20), later) == (["platelets:low"] if still else [])


@pytest.mark.parametrize(("comparator", "value", "still"), [("<", 910, False), ("<=", 910, False), ("<", 910.5, True)])
def test_likewise_above(comparator: str, value: float, still: bool) -> None:
    later = result("platelets", value, 2, comparator=comparator)
    assert subjects(result("platelets", 1000), later) == (["platelets:high"] if still else [])


def test_a_bound_on_the_limit_lies_hardly_beyond_it() -> None:
    """Known is a fall at least as far before: "<37" says nothing of half a unit; it was as far as itself."""
    before = [result("platelets", 37, 0, comparator="<"), result("platelets", 45, 10)]
    assert standing(*before, result("platelets", 36.5, 20)).severity == "critical"
    assert standing(*before, result("platelets", 37, 20, comparator="<")).severity == "high"


# --- what is said


def test_a_value_below_and_one_above_are_said_as_such() -> None:
    low = standing(ADULT, result("potassium", 2.5))
    assert low.summary == "Potassium critically low: 2.5 mmol/L, limit 2.8 mmol/L"
    assert low.detail.startswith("2.5 mmol/L is below the critical limit of 2.8 mmol/L for adults.")
    assert low.conditions[0].text == "potassium < 2.8 mmol/L (adult)"
    assert low.conditions[0].found == "2.5 mmol/L at 2026-11-02 08:00 UTC"
    high = standing(ADULT, result("potassium", 6.5))
    assert high.summary == "Potassium critically high: 6.5 mmol/L, limit 6.2 mmol/L"
    assert high.detail.startswith("6.5 mmol/L is above the critical limit of 6.2 mmol/L for adults.")
    assert high.conditions[0].text == "potassium > 6.2 mmol/L (adult)"
    assert "hardly possible" not in high.detail


def test_names_and_units_are_written_as_they_are_read() -> None:
    assert standing(ADULT, result("white blood cells", 1.0)).summary.startswith("White blood cells critically low: 1 ")
    acid = standing(ADULT, result("pH", 7.0))
    assert acid.summary.startswith("pH critically low: 7, limit 7.")  # no unit


def test_what_its_laboratory_wrote_comes_first() -> None:
    """One that is not converted is said once; milligrams are said beside millimoles, to three digits."""
    same = result("potassium", 6.51234)
    assert "6.51234 mmol/L, limit" in standing(ADULT, same).summary
    converted = replace(result("calcium", 13.4268), value=3.35, unit="mmol/L")
    assert "3.35 mmol/L (13.4 mg/dL), limit 12.9" in standing(ADULT, converted).summary
    onto = replace(result("calcium", 12.9036), value=3.2195, unit="mmol/L")
    assert "3.2195 mmol/L (12.9036 mg/dL), limit 12.9" in standing(ADULT, onto).summary


@pytest.mark.parametrize(
    ("length", "end"),
    [
        (139, "; with spironolactone, lisinopril, trimethoprim"),
        (140, "; with spironolactone, lisinopril and 1 more"),
    ],
)
def test_as_many_medicines_as_fit_into_139_characters(length: int, end: str) -> None:
    medicines = [order("trimethoprim", -40), order("lisinopril", -30), order("spironolactone", -20)]
    whole = "Potassium critically high: 6.9 mmol/L, limit 6.2 mmol/L; with spironolactone, lisinopril, trimethoprim"
    unit = "mmol/L" + "." * (length - len(whole))
    summary = standing(ADULT, *medicines, result("potassium", 6.9, unit=unit, canonical_unit=unit)).summary
    assert summary.endswith(end)
    assert len(summary) <= 139


def test_no_medicine_where_none_fits_and_never_more_than_139() -> None:
    for more in (90, 120):
        unit = "mmol/L" + "." * more
        story = (order("spironolactone", -20), result("potassium", 6.9, unit=unit, canonical_unit=unit))
        summary = standing(ADULT, *story).summary
        assert "with" not in summary
        assert len(summary) <= 139
    assert len(summary) == 139


def test_before_it_is_an_earlier_one() -> None:
    before = result("potassium", 4.4, -6)
    same_time = result("potassium", 6.6, 0, id="b")
    detail = standing(ADULT, before, result("potassium", 6.9, 0, id="a"), same_time).detail
    assert "Before it: 4.4 mmol/L at 2026-11-02 02:00 UTC." in detail
    assert "Before it" not in standing(ADULT, result("potassium", 6.9, 0, id="a"), same_time).detail


def test_what_outweighs_is_said_of_a_specimen_or_a_medicine_and_of_nothing_else() -> None:
    grave = "It is as grave as the limit says, because of: "
    spoiled = result("potassium", 6.8, specimen=Specimen(haemolysed=True))
    assert grave + "spironolactone." in standing(ADULT, order("spironolactone", -20), spoiled).detail
    chemotherapy = order("cytarabine", -10 * DAY, route="intravenous", end=at(-9 * DAY))
    anticoagulated = (order("enoxaparin", -1, route="subcutaneous"), result("platelets", 20))
    assert grave + "enoxaparin." in standing(ADULT, CANCER, chemotherapy, *anticoagulated).detail
    course = [result("platelets", 20), result("platelets", 45, 10), result("platelets", 22, 20)]
    assert grave not in standing(ADULT, *course, order("apixaban", 1)).detail


def test_only_what_is_not_known_is_said_to_be_not_known() -> None:
    spoiled = result("potassium", 6.8, specimen=Specimen(haemolysed=True))
    not_known = standing(ADULT, spoiled).detail.split("Not known: ")[1]
    assert "dialysis" in not_known
    assert "specimen" not in not_known
    assert "potassium-raising" not in not_known


# --- what goes with it


def test_the_rank_is_the_distance_in_parts_of_the_limit() -> None:
    assert finding("potassium", result("potassium", 7.44)).rank == pytest.approx(0.2)  # 1.24 of 6.2
    assert finding("potassium", result("potassium", 2.1)).rank == pytest.approx(0.25)  # 0.7 of 2.8


def test_the_records_it_came_from_go_with_it() -> None:
    origin = Origin("lab", 3, 77, 0)
    with_one = finding("potassium", result("potassium", 6.9, origin=origin))
    assert with_one.origins == (origin,)
    assert finding("potassium", result("potassium", 6.9)).origins == ()


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ((result("platelets", 20), order("apixaban", -1)), "bleeding"),
        ((result("platelets", 20),), "platelets:low"),
        ((result("platelets", 20), order("amlodipine", -1)), "platelets:low"),
        ((result("platelets", 30), order("heparin", -1, route="intravenous")), "bleeding"),
    ],
)
def test_low_platelets_are_the_bleeding_of_an_anticoagulant(events: tuple[AnyEvent, ...], problem: str) -> None:
    assert finding("platelets", *events).problem == problem


def test_hemoglobin_is_part_of_the_bleeding_where_it_fell() -> None:
    """2 g/dL within 48 hours."""
    apixaban = order("apixaban", -100)
    fell = (result("hemoglobin", 8.4, -47), result("hemoglobin", 6.4, 0))
    assert finding("hemoglobin", *fell, apixaban).problem == "bleeding"
    assert finding("hemoglobin", *fell).problem == "hemoglobin:low"
    long_low = (result("hemoglobin", 6.9, -47), result("hemoglobin", 6.4, 0))
    assert finding("hemoglobin", *long_low, apixaban).problem == "hemoglobin:low"


def test_a_high_creatinine_is_the_injury_of_the_kidney() -> None:
    assert finding("creatinine", result("creatinine", 9.0)).problem == "kidney-injury"
    assert finding("potassium", result("potassium", 6.9)).problem == "potassium:high"


# --- what is read


def test_what_is_kept_for_it() -> None:
    """Platelets that came back count for a week, potassium for a day; a run is remembered for as long again."""
    reads = CriticalLab().reads(KNOWN)
    assert reads.analytes["platelets"] == Need(newest=3, within=timedelta(days=15))
    assert reads.analytes["creatinine"].newest == 3
    assert {"spironolactone", "apixaban", "cytarabine"} <= set(reads.ingredients or ())
    assert "testosterone" in (reads.ingredients or ()), "explains a high hemoglobin, and nothing else reads it"
    cited = {each.id for each in CriticalLab().citations(KNOWN)}
    assert "ben-salem-2014" in cited


def test_the_day_after_the_newborn_period() -> None:
    """WHO: the first 28 days. 7.0 mmol/L is within a newborn's limit of 7.8."""

    def born(days: float) -> AnyEvent:
        return patient(-10_000, birth_date=(at(0) - timedelta(days=days)).date(), sex="female")

    assert subjects(born(27), result("potassium", 7.0)) == []
    assert subjects(born(28), result("potassium", 7.0)) == ["potassium:high"]
