"""Sodium that rises too fast: from where it is counted, what is said to the letter, and what goes with it. Limits as in
test_rule_rapid_change.py."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

import pytest

from knowledge.loader import load
from schemas.events import AnyEvent
from schemas.values import Origin
from services.monitor import evaluate
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.state import PatientState
from services.monitor.rules.rapid_change import RapidChange
from services.monitor.rules.rule import Finding
from tests.support.clinical import at, order
from tests.unit.test_rule_rapid_change import glucose, play, severities, sodium

KNOWN = load()


@pytest.fixture(autouse=True)
def only_this_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "RULES", (RapidChange(),))
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])


def finding(*events: AnyEvent) -> Finding:
    (only,) = RapidChange().findings(play(*events)[0], KNOWN, "sodium")
    return only


def test_what_is_said() -> None:
    """From 112 to 126 in 20 hours: 14, where 12 in 24 hours is too much below 120."""
    found = finding(sodium(112, 0), sodium(126, 20))
    assert found.summary == "Sodium corrected far too fast: from 112 mmol/L to 126 mmol/L in 20 h"
    assert found.detail.startswith(
        "Sodium rose by 14 mmol/L, from 112 mmol/L at 2026-11-02 08:00 UTC to 126 mmol/L at 2026-11-03 04:00 UTC; more than 12 "
        "within 24 h is too fast where it began below 120."
    )
    assert [(each.text, each.answer) for each in found.conditions] == [
        ("sodium rise > 12 within 24 h", "yes"), ("sodium began below 120", "yes"),
    ]  # fmt: skip
    assert (found.since, found.problem, found.subject) == (at(20), "sodium:high", "sodium:rise")
    assert found.rank == pytest.approx(14 / 12)


def test_of_equal_lowest_the_newest_is_the_start() -> None:
    found = finding(sodium(112, 0), sodium(113, 2), sodium(112, 6), sodium(126, 20))
    assert "in 14 h" in found.summary
    assert [fact.at for fact in found.implicated] == [at(20), at(6)]


def test_two_results_of_one_time_are_no_rise() -> None:
    assert severities(sodium(112, 0, id="a"), sodium(126, 0, id="b")) == []


def test_what_a_computer_adds_is_no_rise() -> None:
    """From 119.1 to 131.1 is 12, whatever binary numbers make of it."""
    assert severities(sodium(119.1, 0), sodium(131.1, 20)) == ["high"]  # more than 10, not more than 12
    assert severities(sodium(119.1, 0), sodium(131.1000002, 20)) == ["high"]
    assert severities(sodium(119.1, 0), sodium(131.100002, 20)) == ["critical"]


def test_the_medicines_stand_in_the_summary_where_they_fit() -> None:
    story = (order("tolvaptan", -2), sodium(112, 0), sodium(126, 20))
    found = finding(*story)
    assert found.summary.endswith(" in 20 h; with tolvaptan")
    assert found.actions[0] == "Look at these medicines first: tolvaptan"
    unit = "U" + "." * 33  # 34 characters, twice, of 139 and of 140
    for start, named in ((99, True), (112, False)):
        values = (sodium(value, hours, unit=unit, canonical_unit=unit) for value, hours in ((start, 0), (126, 20)))
        told = f"Sodium corrected far too fast: from {start} {unit} to 126 {unit} in 20 h"
        assert len(f"{told}; with tolvaptan") == (139 if named else 140)
        assert finding(order("tolvaptan", -2), *values).summary == (f"{told}; with tolvaptan" if named else told)


def test_a_fall_of_glucose_of_just_so_much() -> None:
    """200 mg/dL within 24 hours explains a rise that did not begin very low."""
    rise = (sodium(125, 0), sodium(138, 20))
    assert severities(glucose(400, 0), glucose(200, 19), *rise) == []
    assert severities(glucose(399, 0), glucose(200, 19), *rise) == ["moderate"]


def test_what_is_read_and_what_asks_anew() -> None:
    """The span of a day from the end of a day, the newest two, and what may have raised it or explains it."""
    rule = RapidChange()
    reads = rule.reads(KNOWN)
    assert reads.analytes["sodium"] == Need(newest=2, within=timedelta(days=2))
    assert "tolvaptan" in (reads.ingredients or ())
    assert "spironolactone" not in (reads.ingredients or ()), "it explains a potassium"

    def parts(*analytes: str, state: PatientState) -> set[str]:
        changed = Change(analytes=frozenset(analytes), person=frozenset(), medicines=False)
        return set(rule.parts(changed, state, KNOWN))

    calm, risen = (play(sodium(112, 0), sodium(value, 20))[0] for value in (113, 126))
    assert parts("sodium", state=calm) == {"sodium"}
    assert parts("glucose", state=calm) == {"sodium"}, "its fall explains a rise"
    assert parts("potassium", state=calm) == set()
    assert parts("potassium", state=risen) == {"sodium"}


def test_the_records_of_both_results_go_with_it() -> None:
    one, other = Origin("lab", 0, 1, 0), Origin("lab", 0, 2, 0)
    assert finding(sodium(112, 0, origin=one), sodium(126, 20, origin=other)).origins == (other, one)
    assert finding(sodium(112, 0), sodium(126, 20)).origins == ()


def test_it_cites_what_it_says_of_a_rise_and_no_other_direction() -> None:
    """The sources of its rows and of the medicines that explain a rise; ``explained_by.csv`` has more for high and low."""

    def sources(name: str, **only: str) -> set[str]:
        with (Path("knowledge/labs") / name).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if only.items() <= row.items()]
        return {source for row in rows for source in row["sources"].split("|")}

    cited = {each.id for each in RapidChange().citations(KNOWN)}
    assert cited == sources("critical_changes.csv") | sources("explained_by.csv", direction="rise")
    assert not sources("explained_by.csv", direction="low") <= cited
