"""The counts of a feed, for people."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.events import Dispensing, Drug, Event, Ingredient, LabResult, Patient, Prescription, Remark
from schemas.values import Coding
from services.ingest.pipeline import Taken
from services.local.report import MOST_FREQUENT, Tally, alert_table, counts, summary

AT = datetime(2026, 11, 2, 8, tzinfo=UTC)
CARRIED: dict[str, Any] = {"patient_id": "p", "source": "s", "record_id": "r", "occurred_at": AT}


def ordered(**drug: Any) -> Prescription:
    return Prescription(**CARRIED, status="ordered", drug=Drug(**drug))


def taken(*events: Event, refused: tuple[str, ...] = (), ignored: tuple[str, ...] = ()) -> Taken:
    letters = [DeadLetter(reason=r, detail="", topic="t", partition=0, offset=0, original=b"") for r in refused]
    return Taken(list(events), letters, Counter(ignored))


def text(table: Table) -> str:
    Console(width=120, file=(shown := StringIO())).print(table)
    return shown.getvalue()


def test_a_tally_is_the_sum_of_its_ends() -> None:
    tally = Tally()
    dispensed = Dispensing(**CARRIED, status="dispensed", drug=Drug(resolution="code"))
    tally.add(taken(ordered(resolution="name"), dispensed, refused=("schema",)))
    tally.add(taken(Patient(**CARRIED), refused=("schema", "empty"), ignored=("empty_list",)))
    assert tally.events == {"prescription": 1, "dispensing": 1, "patient": 1}
    assert tally.refused == {"schema": 2, "empty": 1}
    assert tally.ignored == {"empty_list": 1}
    assert tally.read == 3 + 3 + 1
    assert tally.drugs == {"name": 1, "code": 1}, "a patient is no medicine"


def test_what_is_not_resolved_is_counted_under_what_was_received() -> None:
    tally = Tally()
    coded = (Coding("NDC", "00093", "Some tablet"), Coding("local", "7"))
    tally.add(taken(ordered(text="XR", resolution="unresolved"), ordered(text="XR", resolution="unresolved")))
    tally.add(taken(ordered(codings=coded, resolution="unresolved"), ordered(resolution="unresolved")))
    tally.add(taken(ordered(ingredients=(Ingredient("novelium"), Ingredient("ignotium")), resolution="unresolved")))
    assert tally.unresolved == {"XR": 2, "NDC 00093 Some tablet": 1, "no name": 1, "novelium + ignotium": 1}


@pytest.mark.parametrize(
    ("counted", "said"),
    [({}, "0"), ({"b": 1, "a": 1, "c": 5}, "7: c 5, a 1, b 1"), ({"x": 12345}, "12,345: x 12,345")],
)
def test_counts_are_a_sum_and_its_parts_the_most_frequent_first(counted: dict[str, int], said: str) -> None:
    assert counts(Counter(counted)) == said


def test_the_summary_names_the_most_frequent_unresolved_and_no_more() -> None:
    tally = Tally()
    for number in range(MOST_FREQUENT + 3):
        tally.unresolved[f"drug-{number:02}"] = number + 1
    shown = text(summary(tally))
    assert f"drug-{MOST_FREQUENT + 2:02} ({MOST_FREQUENT + 3})" in shown
    assert "drug-02" not in shown
    assert shown.count("drug-") == MOST_FREQUENT


def result(remark: Remark, *codings: Coding, **more: Any) -> LabResult:
    return LabResult(**CARRIED, status="final", codings=codings or (Coding("LOINC", "2823-3"),), remark=remark, **more)


def test_results_that_no_rule_can_use_are_counted_by_why_and_by_what_they_were() -> None:
    tally = Tally()
    coded = (Coding("lab", "CA125"), Coding("http://loinc.org", "10334-1", "Cancer Ag 125"))
    tally.add(taken(result(""), result("no_analyte", *coded), result("no_analyte", *coded)))
    tally.add(taken(result("no_analyte", coded[0]), result("unknown_unit", analyte="potassium", unit="mg", value=7.77)))
    tally.add(taken(result("no_unit", analyte="potassium", value=7.77), Patient(**CARRIED)))
    assert tally.remarks == {"no_analyte": 3, "unknown_unit": 1, "no_unit": 1}
    assert tally.unusable == {
        "http://loinc.org 10334-1 Cancer Ag 125": 2, "lab CA125": 1, "potassium, mg: unknown_unit": 1,
        "potassium, no unit: no_unit": 1,
    }  # fmt: skip
    shown = text(summary(tally))
    assert "5: no_analyte 3, no_unit 1, unknown_unit 1" in shown
    assert "http://loinc.org 10334-1 Cancer Ag 125 (2); lab CA125 (1); " in shown
    assert "7.77" not in shown, "a value is nobody's business here"


def test_a_summary_without_such_results_says_nothing_of_them() -> None:
    tally = Tally()
    tally.add(taken(result("")))
    assert "unusable" not in text(summary(tally))


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    tally = Tally()
    tally.unresolved["Heparin [bold red]Porcine[/] [/x]"] = 1
    tally.refused["[x]"] = 1
    shown = text(summary(tally, Counter()))
    assert "Heparin [bold red]Porcine[/] [/x] (1)" in shown
    assert "1: [x] 1" in shown


def alert(**more: Any) -> Alert:
    fields: dict[str, Any] = {
        "alert_id": "a", "revision": 1, "patient_id": "p[1]", "rule": "r", "rule_version": "1", "knowledge_version": "k",
        "family": "f", "subject": "s", "severity": "critical", "evidence_grade": "g", "status": "open",
        "summary": "[red]what[/red]", "detail": "", "actions": (), "patient_explanation": "", "implicated": (),
        "citations": (), "origins": (), "history": (), "true_since": AT, "detected_at": AT, "rank": 0.0,
    }  # fmt: skip
    return Alert(**(fields | more))


def test_alerts_one_a_row_in_their_order() -> None:
    shown = text(alert_table([alert(), alert(severity="info", status="resolved", patient_id="q")])).splitlines()
    assert [line.split()[:3] for line in shown[1:3]] == [["critical", "open", "p[1]"], ["info", "resolved", "q"]]
    assert "2026-11-02 08:00" in shown[1]
    assert "[red]what[/red]" in shown[1]
