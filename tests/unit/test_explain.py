"""`rxvigil rules explain`: how an alert came to be, and what would make it go away, asked of the monitor itself."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from knowledge.loader import load
from schemas import codec
from schemas.alerts import Alert
from schemas.events import AnyEvent
from services.local import explain_show
from services.local.canaries import taken
from services.local.explain import ExplainError, Explanation, explained, read_alert
from services.local.play import steps
from services.local.rows import RowFinder
from services.local.what_if import Asking, newer_results, single_changes
from services.monitor import evaluate
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES
from services.monitor.rules.canary import ids, read
from services.monitor.rules.evidence import implicate_result
from services.monitor.rules.index import Index
from tests.support.clinical import KNOWLEDGE, SmallKnowledge, at, lab, order
from tests.unit.test_alert_holding import Potassium

ROWS = RowFinder()


def last(story: list[AnyEvent], knowledge: Any = KNOWLEDGE, rule: str = "") -> Alert:
    """The last alert of a story, of one rule where it is named."""
    found = [a for step in steps(story, knowledge) for a in step.alerts if rule in ("", a.rule)]
    return found[-1]


def explain(story: list[AnyEvent], knowledge: Any = KNOWLEDGE, **given: Any) -> Explanation:
    return explained(replace(last(story, knowledge), **given), story, knowledge, ROWS)


def text(shown: Explanation) -> str:
    console = Console(file=(out := StringIO()), width=300, highlight=False)
    explain_show.write(console, shown)
    return out.getvalue()


def flat(shown: str) -> str:
    """Without the spaces that fill a line."""
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())


PAIR = [order("simvastatin", 0), lab("sodium", 140.0, 1), order("clarithromycin", 2), lab("sodium", 141.0, 3)]


def test_the_events_behind_it_and_the_state_on_both_sides_of_its_opening() -> None:
    shown = explain([*PAIR])
    assert [event.record_id for event in shown.events] == ["simvastatin", "clarithromycin"]
    (opened,) = shown.moments
    assert (opened.alert.history[-1].change, opened.event.record_id, opened.by_time) == (
        "opened",
        "clarithromycin",
        False,
    )
    assert list(explain_show.differences(opened)) == [
        ("simvastatin", "ordered, 2026-11-02 08:00 to open, oral", "ordered, 2026-11-02 08:00 to open, oral"),
        ("clarithromycin", "not there", "ordered, 2026-11-02 10:00 to open, oral"),
    ]


def test_an_alert_that_ended_tells_how_and_is_asked_about_while_it_was_open() -> None:
    stop = replace(order("clarithromycin", 5), version=2, status="discontinued")
    shown = explain([*PAIR, stop, lab("sodium", 139.0, 6)])
    assert [moment.alert.history[-1].change for moment in shown.moments] == ["opened", "resolved"]
    assert shown.asked is not None
    assert shown.asked.clock == at(2)
    assert [(each.what, each.outcome.effect) for each in shown.what_if] == [
        ("The order simvastatin oral ends now", "ends"),
        ("The order clarithromycin oral ends now", "ends"),
    ]
    said = text(shown)
    assert "It is resolved: The order clarithromycin oral is discontinued. Before that" in said
    stopped = next(line for line in explain_show.differences(shown.moments[-1]) if line[0] == "clarithromycin")
    assert stopped[1:] == (
        "ordered, 2026-11-02 10:00 to open, oral",
        "discontinued, 2026-11-02 10:00 to 2026-11-02 13:00, oral",
    )


def test_the_limit_that_a_newer_result_must_not_pass_is_that_of_the_knowledge() -> None:
    """6.2 mmol/L is what ``SmallKnowledge`` says; critical is strictly above it."""
    shown = explain([lab("potassium", 7.0, 0)])
    ((limit,),) = shown.limits.values()
    assert (limit.side, limit.value, limit.included, limit.outcome.effect) == ("below", 6.2, True, "ends")
    assert "A newer potassium of 6.2 mmol/L or less: the alert ends." in text(shown)


def test_of_two_results_to_cancel_the_one_beneath_counts() -> None:
    story: list[AnyEvent] = [lab("potassium", 6.5, 0, id="a"), lab("potassium", 7.1, 1, id="b")]
    (cancelled,) = explain(story).what_if
    assert (cancelled.what, cancelled.outcome.effect) == ("The laboratory cancels potassium 7.1 mmol/L", "stays")
    (alone,) = explain(story[:1]).what_if
    assert alone.outcome.effect == "ends"


# --- with made-up rules, whose thresholds are known exactly


class Levels(Potassium):
    """High from 5.5 up to 6.0, moderate down to 5.3: limits that lie close together."""

    def findings(self, state: PatientState, knowledge: Any, part: str) -> Any:
        newest = state.newest("potassium")
        for severity, limit in (("critical", 6.0), ("high", 5.97), ("moderate", 5.3)):
            if newest is not None and newest.value is not None and newest.value >= limit:
                self._limit, self._severity = limit, severity
                yield from super().findings(state, knowledge, part)
                return


class WithAnalytes(SmallKnowledge):
    def __init__(self) -> None:
        super().__init__([], [])
        self.analytes = MappingProxyType({"1": SimpleNamespace(name="potassium", plausible=(1.0, 12.0))})


@pytest.fixture
def knowledge(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of the rules that a test names."""

    def of(*rules: Any) -> Any:
        made = WithAnalytes()
        monkeypatch.setattr(evaluate, "_last", [(made, Index(rules, made))])  # type: ignore[arg-type]
        return made

    return of


def test_every_level_on_the_way_down_has_its_limit(knowledge: Any) -> None:
    shown = explain([lab("potassium", 8.0, 0)], knowledge(Levels("levels", 0, "")))
    limits = [(each.side, each.value, each.included, each.outcome.severity) for each in shown.limits["potassium"]]
    assert limits == [("below", 6.0, False, "high"), ("below", 5.97, False, "moderate"), ("below", 5.3, False, None)]
    said = text(shown)
    assert "A newer potassium below 6 mmol/L: the alert becomes high." in said
    assert "A newer potassium below 5.3 mmol/L: the alert ends." in said


def test_what_speaks_in_its_place_is_said(knowledge: Any) -> None:
    mild, grave = Potassium("mild", 5.5, "moderate", problem="x"), Potassium("grave", 6.5, "critical", problem="x")
    story: list[AnyEvent] = [lab("potassium", 7.0, 0)]
    known = knowledge(grave, mild)
    shown = explained(last(story, known, "grave"), story, known, ROWS)
    assert [(each.rule, each.held) for each in shown.held] == [("mild", "Another alert shows the same problem.")]
    assert "  Another alert shows the same problem. (grave)\n    moderate mild\n" in flat(text(shown))
    (limit,) = shown.limits["potassium"]
    assert (limit.value, limit.included, limit.outcome.opens) == (6.5, False, ("mild",))
    assert "A newer potassium below 6.5 mmol/L: the alert ends; then there is: mild." in text(shown)


def test_time_that_brought_it_is_told_apart_from_the_event_that_came_next(knowledge: Any) -> None:
    story: list[AnyEvent] = [lab("potassium", 6.0, 0), lab("sodium", 140.0, 3)]
    shown = explain(story, knowledge(Potassium("later", 5.5, "moderate", grace=at(2) - at(0))))
    (moment,) = shown.moments
    assert (moment.by_time, moment.alert.history[-1].at) == (True, at(2))
    assert "time had passed; the next event was" in text(shown)


def test_harm_that_reached_the_patient_is_said_to_need_a_person(knowledge: Any) -> None:
    shown = explain([lab("potassium", 7.0, 0)], knowledge(Potassium("given", 6.0, "critical", needs_closure=True)))
    assert shown.limits["potassium"] == []
    assert "it stays open until a person has answered" in text(shown)


def test_when_no_single_change_helps_all_are_tried_together(knowledge: Any) -> None:
    class Either(Potassium):
        """True while any of its two results stands."""

        def findings(self, state: PatientState, knowledge: Any, part: str) -> Any:
            results = [each for each in state.results.get("potassium", ()) if each.measured]
            for finding in super().findings(state, knowledge, part):
                yield replace(finding, implicated=tuple(map(implicate_result, results)))

    story: list[AnyEvent] = [lab("potassium", 7.0, 0, id="a"), lab("potassium", 7.2, 1, id="b")]
    known = knowledge(Either("either", 6.0, "critical"))
    shown = explain(story, known)
    assert [(each.what, each.outcome.effect) for each in shown.what_if] == [
        ("The laboratory cancels potassium 7 mmol/L", "stays"),
        ("The laboratory cancels potassium 7.2 mmol/L", "stays"),
        ("All of these together", "ends"),
    ]
    said = text(shown)
    assert "Taken away alone, none of these changes it: potassium 7 mmol/L; potassium 7.2 mmol/L." in said
    assert "All of these together: the alert ends" in said


def test_a_change_that_is_asked_leaves_the_state_as_it_was(knowledge: Any) -> None:
    story: list[AnyEvent] = [lab("potassium", 7.0, 0)]
    known = knowledge(Potassium("one", 6.0, "critical"))
    state = next(steps(story, known)).after
    assert state is not None
    before = codec.encode(state)
    asking = Asking(state, next(iter(state.open_alerts.values())), known)
    assert single_changes(asking)
    assert newer_results(asking)
    assert codec.encode(state) == before


# --- which alert


def test_another_id_is_found_by_rule_and_subject_and_said() -> None:
    shown = explain([*PAIR], alert_id="other", revision=7)
    assert not shown.same_id
    assert "under another id (other was asked for)" in text(shown)


def test_of_several_episodes_the_nearest_in_time() -> None:
    story: list[AnyEvent] = [lab("potassium", value, hour) for hour, value in enumerate((7.0, 4.0, 7.3, 4.1, 7.6))]
    shown = explain(story, alert_id="other", true_since=at(2.2))
    assert shown.alert.summary.startswith("Potassium critically high: 7.3")


def test_events_that_do_not_make_it_are_refused_with_what_they_make() -> None:
    with pytest.raises(
        ExplainError, match=r"no alert of critical-lab about sodium:low; they make drug-drug-interaction statin"
    ):
        explain([*PAIR], alert_id="other", rule="critical-lab", subject="sodium:low")
    with pytest.raises(ExplainError, match="they make none at all"):
        explained(last([*PAIR]), [], KNOWLEDGE, ROWS)


def test_the_alert_is_a_line_of_what_check_prints(tmp_path: Path) -> None:
    one, other = (last([lab("potassium", value)]) for value in (7.0, 7.5))
    other = replace(other, alert_id="second")
    (tmp_path / "one.json").write_bytes(json.dumps(json.loads(codec.encode(one)), indent=2).encode())
    (tmp_path / "all.jsonl").write_bytes(codec.encode(one) + b"\n" + codec.encode(other) + b"\n")
    (tmp_path / "bad.json").write_bytes(b'{"alert": 1}')
    (tmp_path / "none.jsonl").write_bytes(b"\n")
    assert read_alert(tmp_path / "one.json", "") == one
    assert read_alert(tmp_path / "all.jsonl", "second") == other
    for name, alert_id, said in (
        ("all.jsonl", "", "2 alerts are in it; choose one with --alert-id: "),
        ("all.jsonl", "third", "no alert of the id third; it has "),
        ("bad.json", "", "no alert as `rxvigil check` prints it"),
        ("none.jsonl", "", "there is no alert in it"),
        ("absent.json", "", "cannot be read: No such file"),
    ):
        with pytest.raises(ExplainError) as refused:
            read_alert(tmp_path / name, alert_id)
        assert said in str(refused.value)


# --- for every rule there is, through what all alerts have


@pytest.mark.parametrize("rule", sorted(ids() & {rule.id for rule in RULES}))
def test_an_alert_of_each_rule_is_explained_whole(rule: str) -> None:
    """The rows that it names are there, with sources; some change or a newer result ends it or makes it milder; it can be
    printed and written."""
    known = load()
    stories = list(taken(read(rule).fires.events, known))
    events = next(each for each in stories if any(a.rule == rule for s in steps(each, known) for a in s.alerts))
    alert = last(events, known, rule)
    shown = explained(alert, events, known, ROWS)
    assert shown.same_id
    assert shown.events
    assert alert.rows
    assert all(row.cells and row.sources for row in shown.rows), [row.reference for row in shown.rows if not row.cells]
    helps = any(each.outcome.helps for each in shown.what_if) or any(shown.limits.values())
    assert helps or alert.needs_closure
    assert alert.summary in text(shown)
    whole = json.loads(explain_show.as_json(shown))
    assert whole["alert"]["alert_id"] == alert.alert_id
    assert whole["moments"][0]["after"]["patient_id"] == alert.patient_id


def test_a_row_is_found_by_its_first_columns_and_one_that_is_gone_is_said() -> None:
    (row,) = ROWS.find("labs/critical_limits.csv#potassium,adult,high")
    assert (row.cells["limit"], row.cells["unit"]) == ("6.2", "mmol/L")
    assert [source["id"] for source in row.sources] == ["kost-1990"]
    # several rows begin so
    assert {row.cells["band"] for row in ROWS.find("labs/critical_limits.csv#potassium")} == {
        "adult",
        "child",
        "newborn",
    }
    assert ROWS.find("labs/critical_limits.csv#potassium,adul")[0].cells == {}
    assert ROWS.find("labs/no_such_file.csv#potassium")[0].cells == {}
    gone = explain([*PAIR])
    assert "no such row is there now" in text(gone)


def test_a_row_with_a_comma_in_a_cell_is_found(tmp_path: Path) -> None:
    (tmp_path / "drugs").mkdir()
    (tmp_path / "drugs" / "words.csv").write_text('word,kind,meaning,sources\n"a, b",filler,,site\n')
    (row,) = RowFinder(str(tmp_path)).find("drugs/words.csv#a, b,filler")
    assert row.cells == {"word": "a, b", "kind": "filler"}


def test_the_answers_of_people_are_told_where_the_alert_as_given_has_them() -> None:
    opened = last([*PAIR])
    (entry,) = opened.history
    answer = replace(entry, revision=2, change="acknowledged", by="Ann [md]", reason="will_monitor", why="tapering")
    shown = explained(replace(opened, revision=2, history=(entry, answer)), [*PAIR], KNOWLEDGE, ROWS)
    assert "2 answered by Ann [md] (will_monitor), high: tapering" in text(shown)
    other = explained(replace(opened, alert_id="other", revision=2, history=(entry, answer)), [*PAIR], KNOWLEDGE, ROWS)
    assert "answered by" not in text(other)
