"""`rxvigil rules burden`: what it counts, and by which days."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.local import rules

CODE = {"system": "LOINC", "code": "2823-3", "display": "Potassium"}


def event(kind: str, record: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind, "patient_id": "p", "source": "s", "record_id": record, "occurred_at": at, "timing": "replayed", **more,
    }  # fmt: skip


def stay(record: str, admitted: str, discharged: str | None, **more: Any) -> dict[str, Any]:
    said = {"encounter_class": "inpatient", "admitted_at": admitted} | (
        {"discharged_at": discharged} if discharged else {}
    )
    return event("encounter", record, admitted, status="finished", stay=said | more)


def potassium(record: str, at: str, value: float) -> dict[str, Any]:
    return event("lab_result", record, at, status="final", value=value, unit="mmol/L", codings=[CODE])


FEED = [
    event("patient", "adt", "2026-01-01T00:00:00Z", birth_date="1950-01-01", sex="female"),
    stay("two-days-and-a-half", "2026-03-01T00:00:00Z", "2026-03-03T12:00:00Z"),
    stay("a-visit", "2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", encounter_class="outpatient"),
    stay("not-over", "2026-05-01T00:00:00Z", None),
    # 6.2 mmol/L is the limit (Kost 1990): one episode with two revisions, and one that is no alert
    potassium("k1", "2026-03-01T01:00:00Z", 6.5),
    potassium("k2", "2026-03-01T02:00:00Z", 6.9),
    potassium("k3", "2026-03-01T03:00:00Z", 4.5),
    potassium("k4", "2026-03-02T03:00:00Z", 6.2),
]


def counted(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> str:
    file = tmp_path / "feed.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in FEED))
    assert rules.app(["burden", str(file), *arguments], result_action="return_value") == 0
    return capfdbinary.readouterr().out.decode()


def test_an_alert_counts_once_and_days_are_those_of_stays_in_hospital_that_are_over(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    found = json.loads(counted(tmp_path, capfdbinary, "--json"))
    assert (found["patients"], found["admissions"], found["days"]) == (1, 1, 2.5)
    of_rules = {each["rule"]: each for each in found["rules"]}
    assert of_rules["critical-lab"]["reached"] == {"critical": 1, "high": 0, "moderate": 0, "info": 0}
    assert of_rules["critical-lab"]["last"]["critical"] == 1
    assert sum(sum(each["reached"].values()) for each in found["rules"]) == 1


def test_the_table_has_the_rate_of_a_day_and_nothing_of_a_patient(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines = counted(tmp_path, capfdbinary).splitlines()
    of_day = next(line for line in lines if line.startswith("each of 2.5 days"))
    assert of_day.split()[4] == "0.40"
    assert not any("2026" in line for line in lines)
