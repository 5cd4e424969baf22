"""Words and times of the console; who may reach it; what is refused before it reaches the store."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from schemas.alerts import Alert, Implicated
from schemas.dead_letters import REASONS
from schemas.values import Severity
from services.notify.answers import Given
from services.notify.console import words
from services.notify.console.pages import render
from services.notify.intake.alerts import read
from services.notify.intake.reading import RefusedError
from services.notify.store.alerts import Counts, ListName, Stored
from services.runtime.access import is_loopback
from tests.support.alerts import T0, alert

NOW = T0 + timedelta(days=30)


@pytest.mark.parametrize(
    ("past", "shown"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=7), "7 min ago"),
        (timedelta(hours=2, minutes=5), "2 h 5 min ago"),
        (timedelta(days=3, hours=4), "3 d 4 h ago"),
        (timedelta(days=20, hours=4), "20 d ago"),
        (timedelta(minutes=-90), "in the future"),
    ],
)
def test_ages(past: timedelta, shown: str) -> None:
    assert words.ago(NOW - past, NOW) == shown


def test_times_are_shown_in_utc_and_say_so() -> None:
    at = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert words.utc(at) == "2026-02-28 22:30 UTC"
    assert words.machine(at) == "2026-02-28T22:30:00Z"


def counts(**open_: int) -> Counts:
    none: dict[Severity, int] = {"critical": 0, "high": 0, "moderate": 0, "info": 0}
    return Counts({severity: open_.get(severity, 0) for severity in none}, none)


def shown_list(name: ListName, *alerts: Alert, counts: Counts, info: bool = False) -> str:
    listed = [Stored(each, name, 1) for each in alerts]
    return render("list.html", list=name, info=info, alerts=listed, counts=counts, now=NOW)


@pytest.mark.parametrize(
    ("name", "info", "number", "said"),
    [
        ("open", False, 3, "3 of severity info are not listed"),
        ("open", False, 1, "1 of severity info is not listed"),
        ("open", False, 0, ""),
        ("open", True, 3, "With those of severity info"),
        ("acknowledged", False, 3, ""),
        ("ended", False, 0, "Those of severity info are not listed"),
    ],
)
def test_a_list_says_what_it_leaves_out(name: ListName, info: bool, number: int, said: str) -> None:
    page = shown_list(name, counts=counts(high=2, info=number), info=info)
    assert ("of severity info" in page) == bool(said)
    assert said in page
    assert ("<title>2 open" in page) == (name == "open")
    assert ("/fragments/open?info=true" in page) == info


def test_what_an_alert_says_cannot_become_markup() -> None:
    hostile = alert("high", summary="<script>alert(1)</script>", patient_id='"><img src=x>')
    page = shown_list("open", hostile, counts=counts(high=1))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "::", "ward-server", "127.0.0.1.example.org", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_reason_is_one_that_the_contract_names() -> None:
    with pytest.raises(ValueError, match="will_monitor"):
        Given(by="A", reason="because", revision=1)


@pytest.mark.parametrize(
    ("value", "reason", "place"),
    [
        (None, "empty", ""),
        (b"", "empty", ""),
        (b"{", "not_json", ""),
        (b"hello", "not_json", ""),
        (b"[]", "schema", ""),
        (b'{"severity": "Mr Smith"}', "schema", "$.severity"),
        (b'{"alert_id": "\xff"}', "not_utf8", ""),
    ],
)
def test_a_record_that_holds_no_alert_is_refused_with_the_place_and_without_its_content(
    value: bytes | None, reason: str, place: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        read(value)
    assert (raised.value.reason, raised.value.place) == (reason, place)
    assert "Smith" not in raised.value.detail
    assert reason in REASONS


@pytest.mark.parametrize(
    ("value", "unit", "received", "shown"),
    [
        (7.5, "mmol/L", "", "7.5 mmol/L"),
        (7.5, "mmol/L", ">7.5 mmol/L", ">7.5 mmol/L"),
        (540.5432, "mg/dL", "30 mmol/L", "30 mmol/L (541 mg/dL)"),
        (7.1, "1", "7.1 pH", "7.1 pH (7.1)"),
        (None, "", "haemolysed", "haemolysed"),
        (None, "", "", ""),
    ],
)
def test_a_value_is_shown_as_its_laboratory_wrote_it(value: float | None, unit: str, received: str, shown: str) -> None:
    fact = Implicated(
        kind="lab_result", source="lab", record_id="r", version=1, label="x", at=T0, value=value, unit=unit,
        received=received,
    )  # fmt: skip
    assert words.value(fact) == shown
