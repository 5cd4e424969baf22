"""The benchmark of the rules: its hospital is what it says, and its contenders do the same work."""

from __future__ import annotations

from collections import Counter

import pytest

from bench import rules, ward
from knowledge.loader import load
from schemas.events import Administration, LabResult, Prescription
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES

KNOWLEDGE = load()
EVENTS = ward.events(3, 2.0)
STREAM = rules.records(EVENTS)


def open_alerts(states: list[PatientState]) -> set[tuple[str, str]]:
    return {(state.patient_id, key) for state in states for key in state.open_alerts}


def test_the_hospital_is_the_same_for_the_same_seed_and_in_clinical_order() -> None:
    assert ward.events(3, 2.0) == EVENTS
    assert [each.occurred_at for each in EVENTS] == sorted(each.occurred_at for each in EVENTS)
    assert len({each.event_id for each in EVENTS}) == len(EVENTS)


def test_the_medicines_are_those_of_the_knowledge() -> None:
    known = ward.medicines()
    assert len(known) >= 150
    unknown = {name for each in known for name in each.name.split("/") if name not in KNOWLEDGE.properties_of}
    assert unknown == {"cyanocobalamin"}, "a vitamin, in no class of the knowledge"


def test_nobody_begins_with_two_of_what_a_prescriber_chooses_one_of() -> None:
    kind = {each.name: each.one_of for each in ward.medicines()}
    first: dict[str, list[str]] = {}
    for each in EVENTS:
        if isinstance(each, Prescription) and each.status == "ordered":
            name = "/".join(ingredient.name for ingredient in each.drug.ingredients)
            first.setdefault(each.patient_id, []).append(kind[name])
    assert all(len(of) >= 5 for of in first.values())
    assert max(Counter(first["ward-0000-0"][:5]).values()) == 1


def test_the_mix_has_results_and_doses_above_all_and_some_results_that_no_rule_knows() -> None:
    shares = ward.kinds(EVENTS)
    assert shares["LabResult"] > shares["Prescription"]
    assert shares["Administration"] > shares["Prescription"]
    results = [each for each in EVENTS if isinstance(each, LabResult)]
    assert 0.3 < sum(not each.analyte for each in results) / len(results) < 0.6


def test_the_long_stay_has_as_many_orders_and_results_as_it_is_asked_for() -> None:
    events = ward.long_stay(40, 300)
    assert sum(isinstance(each, Prescription) for each in events) == 40
    assert 300 <= sum(isinstance(each, LabResult) and bool(each.analyte) for each in events) < 330


def test_what_is_measured_alone_is_a_part_of_a_panel_and_two_doses() -> None:
    found = ward.more("p", [("o1", "heparin"), ("o2", "aspirin")], ward.START, 0)
    assert len(found) == rules.AT_ONCE
    assert [each.order_id for each in found if isinstance(each, Administration)] == ["o1", "o2"]


def test_all_contenders_but_the_one_without_rules_open_the_same_alerts() -> None:
    found = []
    for of in (RULES, [rules._Timed(rule) for rule in RULES], (*RULES, *map(rules._Unrelated, RULES)), ()):
        hospital = rules._Ward(of, KNOWLEDGE)
        assert hospital.take(STREAM) > 0
        found.append(open_alerts(list(hospital.states())))
    assert found[0] == found[1] == found[2] != set()
    assert found[3] == set()


def test_a_figure_that_is_not_as_wanted_is_told() -> None:
    about = rules.Figure(about="monitor", contender=rules.ALL, unit="events/s", values=[rules.LEAST - 1.0])
    assert rules._missed(about)
    beside = rules.Figure(
        about="cost", contender=rules.TWICE, unit="µs", values=[1.0], against=rules.ALL, ratios=[1.06]
    )
    assert rules._missed(beside)
    beside.ratios = [1.04]
    assert not rules._missed(beside)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_an_unrelated_rule_reads_nothing_that_occurs(rule: rules.Rule) -> None:
    reads = rules._Unrelated(rule).reads(KNOWLEDGE)
    assert reads.ingredients is not None
    assert not KNOWLEDGE.properties_of.keys() & set(reads.ingredients)
    assert not {each.analyte for each in EVENTS if isinstance(each, LabResult)} & reads.analytes.keys()
    assert reads.person is False
