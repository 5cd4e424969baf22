"""Allergies against what is ordered and given. Expected levels follow the practice parameter (Khan 2022: core, side chain, whole
class after severe delayed reactions), labels (HIT, ACE-inhibitor angioedema) and the brief of the rule, not our output."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.events import Administration, Allergy, AllergyRecord, AnyEvent, Drug, Ingredient, Patient
from schemas.feedback import Feedback
from schemas.values import Quantity
from services.monitor import evaluate
from services.monitor.evaluate import advance, take_event, take_feedback
from services.monitor.patient.state import PatientState
from services.monitor.rules.allergy import AllergyConflict
from tests.support.clinical import at, order, patient

KNOWLEDGE = load()
LONG_AGO = -1000.0


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (AllergyConflict(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def play(*events: AnyEvent, state: PatientState | None = None) -> tuple[PatientState, list[Alert]]:
    alerts: list[Alert] = []
    for event in events:
        state, changed = take_event(state, event, KNOWLEDGE, at(0))
        alerts += changed
    assert state is not None
    return state, alerts


def substance(text: str, *ingredients: str) -> Drug:
    return Drug(text=text, ingredients=tuple(map(Ingredient, ingredients)))


def allergy(
    text: str, reaction: str = "", *, of: tuple[str, ...] | None = None, hours: float = LONG_AGO, **more: Any
) -> AllergyRecord:
    """``of``: what the name was resolved to; by default the text itself, () for a name that is no ingredient."""
    fields: dict[str, Any] = {"reaction": reaction} if reaction else {}
    entry = Allergy(substance=substance(text, *((text,) if of is None else of)), **(fields | more))
    return AllergyRecord(patient_id="p", source="ehr", record_id=text, occurred_at=at(hours), allergy=entry)


def dose(name: str, hours: float, *, of: str = "", **more: Any) -> Administration:
    fields: dict[str, Any] = {
        "patient_id": "p", "source": "mar", "record_id": f"{name}-{hours}", "occurred_at": at(hours), "status": "given",
        "drug": substance(name, *name.split("/")), "order_id": of, "route": "oral", "dose": Quantity(500, "mg"),
    }  # fmt: skip
    return Administration(**(fields | more))


def levels(*events: AnyEvent) -> dict[str, str]:
    state, _ = play(*events)
    return {alert.subject: alert.severity for alert in state.open_alerts.values()}


def test_an_order_against_a_severe_allergy_says_what_why_and_what_to_do() -> None:
    state, (alert,) = play(allergy("penicillin", "Anaphylaxis", of=(), verification="confirmed"), order("amoxicillin"))
    assert (alert.severity, alert.subject, alert.true_since) == ("critical", "amoxicillin", at(0))
    assert alert.summary == "amoxicillin is ordered: allergy to penicillin (anaphylaxis)"
    assert alert.actions[0] == "Have it withheld until this is decided"
    assert "core" in alert.detail
    assert "Not known" not in alert.detail
    assert [fact.record_id for fact in alert.implicated] == ["amoxicillin"]
    assert alert.conditions[0].found == "penicillin: Anaphylaxis, confirmed"
    assert alert.rows == ("allergies/groups.csv#penicillin", "allergies/severities.csv#penicillin,anaphylaxis")
    assert alert.citations
    assert not alert.needs_closure
    assert state.standing["allergy\x1famoxicillin"].medicines == ("amoxicillin",)


@pytest.mark.parametrize(
    ("entry", "ordered", "severity"),
    [
        # between penicillins the core counts; between penicillin and cephalosporin the side chain
        (("amoxicillin", "anaphylaxis"), "piperacillin", "critical"),
        (("amoxicillin", "anaphylaxis"), "cephalexin", "critical"),
        (("amoxicillin", "anaphylaxis"), "cefazolin", None),
        (("amoxicillin", "anaphylaxis"), "ceftriaxone", None),
        # after SJS, DRESS or haemolysis the whole class
        (("amoxicillin", "Stevens-Johnson syndrome"), "cefazolin", "critical"),
        (("amoxicillin", "DRESS"), "meropenem", "critical"),
        (("ceftriaxone", "hemolytic anemia"), "piperacillin", "high"),
        # sulfonamide antibiotics with sulfasalazine, and not with the others
        (("sulfamethoxazole", "SJS"), "sulfasalazine", "critical"),
        (("sulfamethoxazole", "anaphylaxis"), "furosemide", None),
        # by the reaction, whatever the entry calls it
        (("lisinopril", "swelling of lips"), "ramipril", "critical"),
        (("lisinopril", "dry cough"), "lisinopril", "info"),
        (("heparin", "HIT"), "enoxaparin", "critical"),
        (("amoxicillin", "nausea"), "amoxicillin", "info"),
        (("amoxicillin", "nausea"), "ampicillin", None),
        (("amoxicillin", ""), "amoxicillin", "high"),
        (("amoxicillin", "rash"), "amoxicillin", "moderate"),
        (("amoxicillin", "anaphylaxis"), "metformin", None),
        # a quinolone or a macrolide may cross with its like; how often is not sure
        (("ciprofloxacin", "anaphylaxis"), "moxifloxacin", "high"),
        (("ciprofloxacin", "SJS"), "levofloxacin", "critical"),
        (("ciprofloxacin", "hives"), "levofloxacin", "moderate"),
        (("ciprofloxacin", "rash"), "levofloxacin", "info"),
        (("ciprofloxacin", "nausea"), "levofloxacin", None),
        (("ciprofloxacin", "anaphylaxis"), "azithromycin", None),
        (("erythromycin", "anaphylaxis"), "azithromycin", "high"),
        (("erythromycin", "nausea"), "azithromycin", None),
        (("erythromycin", "anaphylaxis"), "clindamycin", None),
    ],
)
@pytest.mark.parametrize("kind", ["allergy", "intolerance"])
def test_the_reaction_and_the_chemistry_decide(
    entry: tuple[str, str], ordered: str, severity: str | None, kind: str
) -> None:
    found = levels(allergy(*entry, kind=kind), order(ordered))
    assert found == ({ordered: severity} if severity else {})


@pytest.mark.parametrize(
    "name",
    [
        "penicillin", "Penicillins", "PCN", "Allergy to penicillin (disorder)", "Penicillin allergy",
        "Substance with penicillin structure and antibacterial mechanism of action (substance)", "sulfa, penicillin",
    ],
)  # fmt: skip
def test_a_class_as_substance_is_understood(name: str) -> None:
    assert levels(allergy(name, "anaphylaxis", of=()), order("ampicillin")) == {"ampicillin": "critical"}


def test_a_name_that_says_the_reaction_needs_no_other() -> None:
    assert levels(allergy("HIT", of=()), order("heparin", route="iv")) == {"heparin": "critical"}


def test_a_combination_as_substance_and_as_order_is_one_problem() -> None:
    entry = allergy("Bactrim", "anaphylaxis", of=("sulfamethoxazole", "trimethoprim"))
    state, _ = play(entry, order("sulfamethoxazole/trimethoprim"))
    assert len(state.open_alerts) == 1
    assert levels(entry, order("trimethoprim")) == {"trimethoprim": "critical"}


def test_an_unknown_reaction_and_an_unconfirmed_entry_are_said() -> None:
    _, (alert,) = play(allergy("amoxicillin", verification="unconfirmed"), order("amoxicillin"))
    assert alert.severity == "high"
    assert "Not known: what the reaction was, whether anybody has confirmed it." in alert.detail
    _, (alert,) = play(allergy("amoxicillin", "hives", verification="confirmed"), order("amoxicillin"))
    assert "Not known" not in alert.detail


@pytest.mark.parametrize(
    ("reaction", "degree", "severity"),
    [
        ("", "severe", "critical"), ("", "moderate", "high"), ("", "mild", "moderate"),
        ("rash", "severe", "high"), ("rash", "mild", "info"), ("hives", "mild", "moderate"),
        # a severe headache is no allergy, and mild anaphylaxis is none the less
        ("headache", "severe", "info"), ("anaphylaxis", "mild", "critical"),
    ],
)  # fmt: skip
def test_the_degree_moves_what_may_be_mild_or_grave(reaction: str, degree: str, severity: str) -> None:
    assert levels(allergy("amoxicillin", reaction, severity=degree), order("amoxicillin")) == {"amoxicillin": severity}


@pytest.mark.parametrize("verification", ["refuted", "entered_in_error"])
def test_a_refuted_entry_does_not_count(verification: str) -> None:
    assert levels(allergy("amoxicillin", "anaphylaxis", verification=verification), order("amoxicillin")) == {}


@pytest.mark.parametrize("status", ["inactive", "resolved"])
def test_an_entry_that_is_over_counts_only_for_reactions_for_life(status: str) -> None:
    assert levels(allergy("amoxicillin", "hives", status=status), order("amoxicillin")) == {}
    assert levels(allergy("amoxicillin", "SJS", status=status), order("amoxicillin")) == {"amoxicillin": "critical"}


def test_tolerated_since_lowers_it_but_never_after_a_severe_skin_reaction() -> None:
    since: dict[str, Any] = {"tolerated_since": date(2025, 5, 1), "onset": date(2010, 1, 1)}
    _, (alert,) = play(allergy("amoxicillin", "anaphylaxis", **since), order("amoxicillin"))
    assert alert.severity == "info"
    assert "tolerated since 2025-05-01" in alert.detail
    assert levels(allergy("amoxicillin", "TEN: toxic epidermal necrolysis", **since), order("amoxicillin")) == {
        "amoxicillin": "critical"
    }
    before: dict[str, Any] = {"tolerated_since": date(2009, 5, 1), "onset": date(2010, 1, 1)}
    assert levels(allergy("amoxicillin", "anaphylaxis", **before), order("amoxicillin")) == {"amoxicillin": "critical"}
    today: dict[str, Any] = {"tolerated_since": date(2026, 11, 2), "onset": date(2026, 11, 2)}
    assert levels(allergy("amoxicillin", "anaphylaxis", **today), order("amoxicillin")) == {"amoxicillin": "info"}
    later: dict[str, Any] = {"tolerated_since": date(2026, 11, 3)}
    assert levels(allergy("amoxicillin", "anaphylaxis", **later), order("amoxicillin")) == {"amoxicillin": "critical"}


@pytest.mark.parametrize(
    ("entry", "ordered", "severity"),
    [
        (("sulfamethoxazole", "SJS"), "sulfacetamide", "high"),
        (("sulfamethoxazole", "rash"), "sulfacetamide", None),
        (("neomycin", "rash"), "neomycin", "info"),
        (("neomycin", "anaphylaxis"), "neomycin", "high"),
    ],
)
def test_what_stays_where_it_is_put_counts_one_step_less(
    entry: tuple[str, str], ordered: str, severity: str | None
) -> None:
    _, alerts = play(allergy(*entry), order(ordered, route="ophthalmic"))
    assert [alert.severity for alert in alerts] == ([severity] if severity else [])
    assert all("stays where it is put" in alert.detail for alert in alerts)


def test_a_dose_given_in_spite_of_a_severe_allergy_waits_for_a_person() -> None:
    entry = allergy("penicillin g", "anaphylaxis")
    # a side chain that is only similar: high when ordered
    state, (alert,) = play(entry, order("cefoxitin"))
    assert (alert.severity, alert.needs_closure) == ("high", False)
    state, (alert,) = play(dose("cefoxitin", 1, of="cefoxitin"), state=state)
    assert (alert.severity, alert.needs_closure) == ("critical", True)
    assert alert.summary == "cefoxitin was given: allergy to penicillin g (anaphylaxis)"
    assert alert.actions[0].startswith("A dose was given at 2026-11-02 09:00 UTC: examine the patient now")
    assert {fact.kind for fact in alert.implicated} == {"prescription", "administration"}
    stop = order("cefoxitin", 2, status="discontinued", version=2)
    state, _ = play(stop, patient(100), state=state)
    assert [each.status for each in state.open_alerts.values()] == ["open"]
    (alert,) = state.open_alerts.values()
    answer = Feedback(
        feedback_id="f",
        patient_id="p",
        alert_id=alert.alert_id,
        revision=alert.revision,
        answer="acknowledged",
        by="dr",
        at=at(101),
        reason="seen",
    )
    state, _ = take_feedback(state, answer, KNOWLEDGE, at(101))
    assert not state.open_alerts


def test_a_dose_without_an_order_counts_for_a_day() -> None:
    entry = allergy("amoxicillin", "anaphylaxis")
    _, (alert,) = play(entry, dose("amoxicillin", 0))
    assert (alert.severity, alert.needs_closure) == ("critical", True)
    assert levels(entry, dose("amoxicillin", -24), patient(0)) == {"amoxicillin": "critical"}
    assert levels(dose("amoxicillin", -24), patient(0), entry) == {}
    assert levels(dose("amoxicillin", -23.9), patient(0), entry) == {"amoxicillin": "critical"}


@pytest.mark.parametrize("status", ["refused", "held", "entered_in_error"])
def test_a_dose_that_was_not_given_is_none(status: str) -> None:
    assert levels(allergy("amoxicillin", "anaphylaxis"), dose("amoxicillin", 0, status=status)) == {}


def test_a_dose_before_the_allergy_was_known_may_have_caused_it() -> None:
    given = dose("amoxicillin", 1, of="amoxicillin")
    _, alerts = play(order("amoxicillin", 0), given, allergy("amoxicillin", "anaphylaxis", hours=2))
    assert [(alert.severity, alert.needs_closure) for alert in alerts] == [("critical", False)]
    _, alerts = play(order("amoxicillin", 0), given, allergy("amoxicillin", "anaphylaxis", hours=1))
    assert [(alert.severity, alert.needs_closure) for alert in alerts] == [("critical", True)]
    # recorded later, of a reaction of years ago
    old = allergy("amoxicillin", "anaphylaxis", hours=2, onset=date(2020, 1, 1))
    _, alerts = play(order("amoxicillin", 0), given, old)
    assert [(alert.severity, alert.needs_closure) for alert in alerts] == [("critical", True)]


def test_what_was_stopped_when_its_dose_showed_the_allergy_is_no_conflict() -> None:
    """The reaction to the dose is how the allergy came to be known, and nothing acts any more."""
    before = (order("amoxicillin", 0), dose("amoxicillin", 1, of="amoxicillin"))
    stopped = order("amoxicillin", 3, status="discontinued", version=2)
    for events in permutations((*before, stopped, allergy("amoxicillin", "anaphylaxis", hours=2))):
        assert levels(*events) == {}, events


def test_a_list_does_not_say_since_when_it_has_an_entry() -> None:
    entry = Allergy(substance=substance("amoxicillin", "amoxicillin"), reaction="anaphylaxis")
    listed = Patient(patient_id="p", source="adt", record_id="p", occurred_at=at(2), allergies=(entry,))
    _, alerts = play(order("amoxicillin", 0), dose("amoxicillin", 1, of="amoxicillin"), listed)
    assert [(alert.severity, alert.needs_closure) for alert in alerts] == [("critical", True)]
    assert "whether it was on the list before the dose" in alerts[0].detail


def test_it_ends_with_the_order_the_entry_or_the_time() -> None:
    entry = allergy("amoxicillin", "hives")
    _, alerts = play(entry, order("amoxicillin", 0), order("amoxicillin", 1, status="discontinued", version=2))
    assert [alert.status for alert in alerts] == ["open", "resolved"]
    refuted = AllergyRecord(
        patient_id="p", source="ehr", record_id="amoxicillin", version=2, occurred_at=at(1),
        allergy=Allergy(substance=substance("amoxicillin", "amoxicillin"), verification="refuted"),
    )  # fmt: skip
    _, alerts = play(entry, order("amoxicillin", 0), refuted)
    assert [alert.status for alert in alerts] == ["open", "resolved"]
    state, _ = play(entry, order("amoxicillin", 0, end=at(48)))
    state, alerts = advance(state, at(49), KNOWLEDGE, at(49))
    assert [alert.status for alert in alerts] == ["resolved"]


def test_any_order_of_arrival_ends_in_the_same() -> None:
    events: list[AnyEvent] = [
        allergy("penicillin", "anaphylaxis", of=()),
        allergy("amoxicillin", "rash"),
        order("amoxicillin", 0),
        dose("amoxicillin", 1, of="amoxicillin"),
    ]
    found = {
        tuple(
            (a.subject, a.severity, a.needs_closure, a.evidence_grade) for a in play(*arrival)[0].open_alerts.values()
        )
        for arrival in permutations(events)
    }
    assert found == {(("amoxicillin", "critical", True, "practice parameter"),)}


def test_the_gravest_entry_speaks_and_the_others_are_named() -> None:
    _, alerts = play(allergy("ampicillin", "rash"), allergy("penicillin g", "anaphylaxis"), order("amoxicillin"))
    assert alerts[-1].severity == "critical"
    assert "allergy to penicillin g" in alerts[-1].summary
    assert "Also listed: ampicillin: rash." in alerts[-1].detail


def test_a_name_that_is_not_understood_is_kept_and_reaches_nobody() -> None:
    state, alerts = play(allergy("shrimp", "anaphylaxis", of=()), order("amoxicillin"))
    assert alerts == []
    (each,) = state.standing.values()
    assert each.summary == "Not compared with the medicines: allergy to shrimp"
    assert each.held
    assert not play(allergy("shrimp", of=()))[0].standing


def test_without_a_list_nothing_is_found() -> None:
    assert levels(order("amoxicillin")) == {}
    assert (
        levels(
            Patient(patient_id="p", source="adt", record_id="p", occurred_at=at(0), allergies=()), order("amoxicillin")
        )
        == {}
    )


def test_heparin_after_hit_shares_its_problem() -> None:
    state, _ = play(allergy("heparin", "HIT"), order("heparin", route="iv"))
    assert [each.problem for each in state.standing.values()] == ["heparin-thrombocytopenia"]
    state, _ = play(allergy("heparin", "anaphylaxis"), order("heparin", route="iv"))
    assert [each.problem for each in state.standing.values()] == [""]


def test_every_severity_can_be_cited() -> None:
    cited = set(AllergyConflict().citations(KNOWLEDGE))
    known = KNOWLEDGE.cross_reactivity
    assert all(set(grade.citations) <= cited for grade in known.grades.values())
