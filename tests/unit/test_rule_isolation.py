"""A rule that raises keeps nothing from the others, loses nothing that it had found, and is asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.events import AnyEvent
from services.local.check import check
from services.monitor.evaluate import ASK_AGAIN, advance, due, take_event
from services.monitor.handler import MonitorHandler
from services.monitor.metrics import MonitorMetrics
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import decode, encode
from services.monitor.rules.critical_lab import CriticalLab
from services.monitor.rules.failure import EVERY, place_of
from services.streaming.handler import Record, Send
from services.streaming.memory import MemoryEngine
from tests.support.clinical import KNOWLEDGE, at, lab, order, patient
from tests.support.rules import Asked, Said, found, no_level, use
from tests.support.ward import Ward


class BrokenError(Exception):
    pass


class Fragile:
    """Answers as ``answer`` does, but for the time in which it is ``broken``."""

    def __init__(self, answer: Callable[[PatientState], Iterable[Said]]) -> None:
        self.broken = False
        self._answer = answer

    def __call__(self, state: PatientState) -> Iterable[Said]:
        # a rule may have found something before it raises
        yield from self._answer(state)
        if self.broken:
            raise BrokenError("patient p: the name of a patient")


def on_lithium(state: PatientState) -> Iterable[Said]:
    if any("lithium" in each.ingredients for each in state.acting()):
        yield found("lithium", state)


class Told:
    """Plays events, and has whom failed."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, str]] = []
        self.state: PatientState | None = None

    def __call__(self, rule: str, error: Exception) -> None:
        self.failed.append((rule, type(error).__name__))

    def play(self, *events: AnyEvent) -> list[Alert]:
        alerts: list[Alert] = []
        for event in events:
            self.state, changed = take_event(self.state, event, KNOWLEDGE, at(0), self)
            alerts += changed
        return alerts

    def later(self, hours: float) -> list[Alert]:
        assert self.state is not None
        self.state, changed = advance(self.state, at(hours), KNOWLEDGE, at(hours), self)
        return changed

    @property
    def now(self) -> PatientState:
        assert self.state is not None
        return self.state

    def open(self) -> list[str]:
        return sorted(alert.subject for alert in self.now.open_alerts.values())


START, STOP = order("lithium", 0), order("lithium", 5, version=2, status="discontinued")
TOLD = ("asked", "BrokenError")


def test_the_other_rules_go_on_and_what_was_found_halfway_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Fragile(on_lithium)
    use(monkeypatch, Asked(broken), CriticalLab(), Asked(on_lithium, "other"))
    broken.broken, told = True, Told()
    alerts = told.play(lab("potassium", 7.0, -1), START)
    assert [(alert.rule, alert.subject) for alert in alerts] == [
        ("critical-lab", "potassium:high"),
        ("other", "lithium"),
    ]
    assert (told.failed, told.now.again) == ([TOLD], (("asked", ""),))
    assert decode(encode(told.now)) == told.now


def test_what_it_had_found_stands_as_it_was_and_ends_when_the_rule_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Fragile(on_lithium)
    use(monkeypatch, Asked(broken))
    told = Told()
    told.play(START)
    broken.broken = True
    assert told.play(STOP) == []
    assert (told.open(), len(told.now.standing)) == (["lithium"], 1)
    # an event that the rule does not read: it is tried all the same
    assert told.play(lab("sodium", 140, 6)) == []
    assert told.failed == [TOLD, TOLD]
    broken.broken = False
    (ended,) = told.play(lab("sodium", 140, 7, id="next"))
    assert (ended.status, told.now.again, told.now.standing) == ("resolved", (), {})


def test_what_it_waited_for_is_found_when_it_is_mended_and_nothing_is_looked_at_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = Fragile(no_level)
    rule = Asked(broken)
    use(monkeypatch, rule)
    told = Told()
    told.play(START)
    broken.broken = True
    assert told.later(48) == []
    assert (told.now.clock, [each.due for each in told.now.obligations.values()]) == (at(48), [at(48)])
    assert due(told.now) == at(48) + ASK_AGAIN
    assert told.later(48.9) == []
    assert told.later(49.5) == []
    assert rule.times == [at(0), at(48), at(49)]
    broken.broken = False
    (alert,) = told.later(51)
    assert (alert.status, alert.true_since, told.now.again, due(told.now)) == ("open", at(48), (), None)


def test_a_feed_of_old_dates_asks_again_with_its_next_event_only(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Fragile(no_level)
    rule = Asked(broken)
    use(monkeypatch, rule)
    told = Told()
    broken.broken = True
    told.play(order("lithium", 0, timing="replayed"), lab("sodium", 140, 9000, timing="replayed"))
    assert (rule.times, due(told.now)) == ([at(0), at(9000)], None)


class Unsure(Asked):
    """Fails to say which of its parts are touched."""

    broken = True

    def parts(self, *of: Any) -> Any:
        if self.broken:
            raise BrokenError
        return super().parts(*of)


def test_a_rule_that_fails_to_say_its_parts_is_asked_for_all_of_them_later(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Unsure(on_lithium)
    use(monkeypatch, rule, CriticalLab())
    told = Told()
    alerts = told.play(START, lab("potassium", 7.0, 1))
    assert [alert.rule for alert in alerts] == ["critical-lab"]
    assert (told.now.again, set(told.failed)) == ((("asked", EVERY),), {TOLD})
    rule.broken = False
    (alert,) = told.play(lab("sodium", 140, 2))
    assert (alert.subject, told.now.again) == ("lithium", ())


def test_what_waited_behind_another_alert_is_told_when_its_rule_can_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def behind(state: PatientState) -> Iterable[Said]:
        if state.newest("lithium") is not None:
            yield found("behind", state, problem="same")

    def speaks(state: PatientState) -> Iterable[Said]:
        return (found("speaks", state, problem="same") for each in on_lithium(state))

    broken = Fragile(behind)
    use(monkeypatch, Asked(speaks, "speaks"), Asked(broken))
    told = Told()
    told.play(START, lab("lithium", 0.8, 1))
    assert told.open() == ["speaks"]
    broken.broken = True
    told.play(STOP)
    assert told.open() == []
    broken.broken = False
    told.play(lab("sodium", 140, 9))
    assert told.open() == ["behind"]


def test_two_records_become_one_though_a_rule_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Fragile(no_level)
    use(monkeypatch, Asked(broken))
    running = Ward(KNOWLEDGE, tell_failed=(told := Told()))
    running.put(order("lithium", 0, patient_id="old")).run()
    broken.broken = True
    running.put(patient(30, patient_id="old", merged_into="new")).run()
    assert told.failed == [TOLD]
    broken.broken = False
    running.put(lab("sodium", 140, 60, patient_id="new")).run()
    assert [(alert.patient_id, alert.subject) for alert in running.open()] == [("new", "lithium")]


def record(event: AnyEvent, offset: int) -> Record:
    return Record(topics.EVENTS, 0, offset, 1_700_000_000_000, b"p", codec.encode(event))


def letters(sends: list[Send]) -> list[tuple[str, str]]:
    found = (DeadLetter.from_record(list(s.headers), s.value or b"") for s in sends if s.topic == topics.DEAD_LETTERS)
    return [(letter.reason, letter.detail) for letter in found]


@pytest.mark.parametrize("error", [BrokenError, ValueError, KeyError, RecursionError])
def test_the_event_is_applied_and_no_dead_letter(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def raises(state: PatientState) -> Iterable[Said]:
        raise error

    use(monkeypatch, Asked(raises))
    told = Told()
    engine = MemoryEngine(MonitorHandler(KNOWLEDGE, lambda _: at(9), tell_failed=told))
    sends = engine.feed([record(START, 0)])
    assert [send.topic for send in sends] == [topics.PICTURES]
    assert (engine.errors, told.failed) == ([], [("asked", error.__name__)])
    state = engine.state(b"p")
    assert isinstance(state, PatientState)
    assert list(state.orders) == ["ward\x1flithium"]


@pytest.mark.parametrize("error", [BrokenError, ValueError])
def test_where_nobody_counts_failures_it_is_refused_and_not_called_undecodable(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def raises(state: PatientState) -> Iterable[Said]:
        raise error

    use(monkeypatch, Asked(raises))
    engine = MemoryEngine(MonitorHandler(KNOWLEDGE, lambda _: at(9)))
    assert letters(engine.feed([record(START, 0)])) == [("rule_error", error.__name__)]


def test_the_place_of_an_error_says_where_and_nothing_of_the_patient() -> None:
    try:
        list(Fragile.__call__(_broken(), PatientState("p", at(0))))
    except BrokenError as error:
        file, _, line = place_of(error).partition(":")
    assert file == "test_rule_isolation.py"
    assert int(line) > 0


def _broken() -> Fragile:
    broken = Fragile(lambda state: [Obligation("review", "x", at(0), "", at(0))])
    broken.broken = True
    return broken


def test_a_failure_is_counted_each_time_and_logged_once_a_minute_without_what_it_says() -> None:
    metrics = MonitorMetrics()
    with capture_logs() as logged:
        for _ in range(3):
            try:
                list(_broken()(PatientState("p", at(0))))
            except BrokenError as error:
                metrics.observe_failed("asked", error)
    assert metrics.registry.get_sample_value("rxvigil_rule_errors_total", {"rule": "asked"}) == 3
    (line,) = logged
    assert (line["rule"], line["error"], line["log_level"]) == ("asked", "BrokenError", "error")
    assert line["place"].startswith("test_rule_isolation.py:")
    assert "name of a patient" not in str(logged)


def test_check_goes_on_tells_which_rule_failed_and_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def raises(state: PatientState) -> Iterable[Said]:
        raise BrokenError("the name of a patient")

    use(monkeypatch, Asked(raises), CriticalLab())
    lithium = {"type": "lab_result", "patient_id": "p", "source": "lab", "record_id": "1", "status": "final",
               "occurred_at": "2026-11-02T08:00:00Z", "timing": "replayed", "value": 0.8, "unit": "mmol/L",
               "codings": [{"system": "LOINC", "code": "14334-7", "display": "Lithium"}]}  # fmt: skip
    potassium = lithium | {
        "record_id": "2",
        "value": 7.1,
        "codings": [{"system": "LOINC", "code": "2823-3", "display": "K"}],
    }
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in (lithium, potassium)))
    people = StringIO()

    def check_files() -> bool:
        return check([file], None, dead_letters=None, as_table=False, progress=Console(file=people, width=200), site="")

    written_bytes = TextIOWrapper(BytesIO())
    monkeypatch.setattr("sys.stdout", written_bytes)
    assert not check_files()
    written_bytes.flush()
    alerts = written_bytes.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]
    assert [json.loads(line)["subject"] for line in alerts] == ["potassium:high"]
    assert "rules failed" in people.getvalue()
    assert "asked (BrokenError at test_rule_isolation.py:" in people.getvalue()
    assert "name of a patient" not in people.getvalue()
