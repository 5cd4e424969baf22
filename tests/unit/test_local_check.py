"""`rxvigil check`: the same alerts as the monitor alone, the same bytes for the same input, and every unit accounted for."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
from msgspec.structs import replace
from rich.console import Console

from knowledge.loader import load
from schemas import codec
from schemas.alerts import Alert
from schemas.values import Origin
from services.ingest.formats import native
from services.ingest.formats.extract.mapping import MappingError
from services.ingest.pipeline import Pipeline
from services.local.check import check
from services.local.feed import FeedError, load_mapping
from services.local.play import last_states
from services.monitor.evaluate import take_event
from services.monitor.patient.state import PatientState

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "json" / "alert" / "v1.json").read_text())

LAB_MAP = """
source = "lab"
timing = "replayed"
[[tables]]
file = "*.csv"
event = "lab_result"
[tables.fields]
patient_id = "{ID}"
record_id = "{NUMBER}"
occurred_at = "{AT}"
status = "final"
value = "{VALUE}"
unit = "mmol/L"
codings = [{ system = "LOINC", code = "2823-3", display = "Potassium" }]
"""


def order(patient: str, drug: str, hour: int, **more: Any) -> dict[str, Any]:
    fields = {
        "type": "prescription", "patient_id": patient, "source": "cpoe", "record_id": f"{patient}-{drug}", "timing": "replayed",
        "status": "ordered", "occurred_at": f"2026-11-02T{hour:02}:00:00Z", "drug": {"text": drug}, "dosage": {"route": "oral"},
    }  # fmt: skip
    return fields | more


def lines(*events: Any) -> bytes:
    return b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in events)


ORDERS = [
    order("p1", "simvastatin", 8),
    order("p1", "clarithromycin", 10),
    order("p2", "simvastatin", 8),
    order("p2", "clarithromycin", 9),
    order("p2", "clarithromycin", 11, status="discontinued", version=2),
    order("p3", "XR-417 [study]", 8),
    order("p4", "0.9% sodium chloride", 8),
]
LABS = b"ID,NUMBER,AT,VALUE\np1,k1,2026-11-02 09:00:00,7.4\np5,k2,2026-11-02 09:00:00,4.1\np5,k3,never,4.1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small feed of three files, with two refusals and one unit ignored."""
    (tmp_path / "day").mkdir()
    (tmp_path / "map.toml").write_text(LAB_MAP)
    (tmp_path / "day" / "orders.jsonl").write_bytes(lines(*ORDERS[:3], b"{bad", *ORDERS[3:]))
    (tmp_path / "day" / "labs.csv.gz").write_bytes(gzip.compress(LABS))
    (tmp_path / "day" / "none.json").write_bytes(b"[]")
    return tmp_path


class Said(NamedTuple):
    out: bytes
    people: str
    refusals: str

    @property
    def alerts(self) -> list[Alert]:
        return [codec.decode_alert(line) for line in self.out.splitlines()]


class Run:
    """`check` in this process; ``people`` is what goes to its console."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, paths: Sequence[Path], map_file: Path | None = None, **more: Any) -> Said:
        self._capture.readouterr()
        console = Console(file=(people := StringIO()), width=200)
        options: dict[str, Any] = {"dead_letters": None, "as_table": False, "progress": console} | more
        check(paths, map_file and load_mapping(map_file), **options)
        out, err = self._capture.readouterr()
        return Said(out, people.getvalue(), err.decode())


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(capfdbinary)


def by_command(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "services.cli", "check", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, check=False, cwd=ROOT, env=os.environ | {"COLUMNS": "200"}, timeout=60
    )


def summary(people: str) -> dict[str, str]:
    return {name: rest.strip() for name, rest in re.findall(r"^(\w+) +(.+)$", people, re.MULTILINE)}


# --- what is found


def test_an_alert_a_line_by_the_published_schema_with_its_history(run: Run, folder: Path) -> None:
    said = run([folder / "day"], folder / "map.toml")
    validator = jsonschema_rs.validator_for(SCHEMA)
    for line in said.out.splitlines():
        validator.validate(json.loads(line))
    found = [(a.patient_id, a.rule, a.severity, a.status, [entry.change for entry in a.history]) for a in said.alerts]
    assert found == [
        ("p1", "critical-lab", "critical", "open", ["opened"]),
        ("p1", "drug-drug-interaction", "high", "open", ["opened"]),
        ("p2", "drug-drug-interaction", "high", "resolved", ["opened", "resolved"]),
    ]
    assert said.alerts[0].true_since == datetime(2026, 11, 2, 9, tzinfo=UTC)


def test_check_finds_what_the_monitor_alone_finds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(*ORDERS))
    pipeline = Pipeline(load(), lambda: datetime(2030, 1, 1, tzinfo=UTC))
    states: dict[str, PatientState] = {}
    alerts: list[Alert] = []
    in_time = sorted(enumerate(ORDERS, start=1), key=lambda each: each[1]["occurred_at"])
    for number, each in in_time:
        event = native.decode_unit(json.dumps(each).encode())
        canonical: Any = pipeline.take_event(event, Origin("a.jsonl", 0, number))  # type: ignore[arg-type]
        state, changed = take_event(states.get(canonical.patient_id), canonical, load(), canonical.occurred_at)
        states[canonical.patient_id] = state
        alerts += changed
    assert len(alerts) == 3
    assert run([tmp_path]).alerts == last_states(alerts)


def test_read_is_the_sum_of_its_three_ends_and_medicines_are_told(run: Run, folder: Path) -> None:
    told = summary(run([folder / "day"], folder / "map.toml").people)
    assert told == {
        "read": "12",
        "events": "9: prescription 7, lab_result 2",
        "refused": "2: mapping 1, not_json 1",
        "ignored": "1: empty_list 1",
        "medicines": "7: name 5, unresolved 1, vehicle 1",
        "alerts": "3: critical open 1, high open 1, high resolved 1",
        "unresolved": "XR-417 [study] (1)",
    }


def test_an_empty_folder_and_a_feed_without_problems(run: Run, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no file ends in"):
        run([tmp_path])
    (tmp_path / "a.jsonl").write_bytes(b"")
    said = run([tmp_path])
    assert said.out == b""
    assert summary(said.people)["read"] == "0"


def test_the_last_state_of_an_alert_is_its_highest_revision_in_whatever_order_they_come(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(*ORDERS))
    ended = run([tmp_path]).alerts[-1]
    opened = replace(ended, revision=1, status="open", history=ended.history[:1])
    for arrival in ([opened, ended], [ended, opened], [ended, opened, ended]):
        assert last_states(arrival) == [ended]


# --- the same input


def test_the_same_input_gives_the_same_bytes(run: Run, folder: Path) -> None:
    first, again = (run([folder / "day"], folder / "map.toml", dead_letters=folder / name) for name in ("1", "2"))
    assert first.out
    assert first == again
    assert (folder / "1").read_bytes() == (folder / "2").read_bytes()


def test_live_events_too(run: Run, tmp_path: Path) -> None:
    """Their time of receipt is the run's, which no output may show."""
    live = [{k: v for k, v in each.items() if k != "timing"} for each in ORDERS]
    (tmp_path / "a.jsonl").write_bytes(lines(*live))
    assert run([tmp_path]).out == run([tmp_path]).out != b""


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_files_and_lines_changes_no_alert(run: Run, tmp_path: Path, seed: int) -> None:
    """Even where everything happens at one time, and an order is told twice in two ways."""
    at_once = [each | {"occurred_at": "2026-11-02T08:00:00Z"} for each in ORDERS]
    at_once += [order("p1", "simvastatin", 8, dosage={"route": "oral", "text": "at night"}), order("p6", "warfarin", 8)]
    at_once += [order("p6", "amiodarone", 8), order("p6", "simvastatin", 8), order("p6", "clarithromycin", 8)]
    shuffled = list(at_once)
    random.Random(seed).shuffle(shuffled)

    def found(events: list[dict[str, Any]]) -> list[Any]:
        for number, each in enumerate(events):
            (tmp_path / f"{number}.json").write_text(json.dumps(each))
        named = [tmp_path / f"{number}.json" for number in range(len(events))]
        random.Random(seed).shuffle(named)
        # where a fact was read is another file then; everything else is the same
        return [json.loads(line) | {"origins": None} for line in run(named).out.splitlines()]

    assert found(shuffled) == found(at_once) != []


# --- refusals


def test_refusals_are_told_with_file_and_line_and_without_their_content(run: Run, folder: Path) -> None:
    (folder / "day" / "z.json").write_text('[{"type": "patient", "patient_id": "Jane Roe"}]')
    told = run([folder / "day"], folder / "map.toml").refusals.splitlines()
    assert [line.split(":")[1].strip() for line in told] == [
        "labs.csv, line 4 AT",
        "orders.jsonl, line 4",
        "z.json, element 0 $",
    ]
    assert all(line.startswith("refused: ") for line in told)
    assert "Jane" not in "".join(told)


def test_refusals_go_to_a_file_with_their_original_bytes(run: Run, folder: Path) -> None:
    said = run([folder / "day"], folder / "map.toml", dead_letters=folder / "letters.jsonl")
    assert said.refusals == ""
    letters = [json.loads(line) for line in (folder / "letters.jsonl").read_bytes().splitlines()]
    assert [(each["reason"], each["topic"], each["offset"], base64.b64decode(each["original"])) for each in letters] == [
        ("mapping", "labs.csv", 4, b"p5,k3,never,4.1\n"), ("not_json", "orders.jsonl", 4, b"{bad"),
    ]  # fmt: skip
    schema = json.loads((ROOT / "schemas" / "json" / "dead_letter" / "v1.json").read_text())
    for each in letters:
        jsonschema_rs.validator_for(schema).validate(each)


def test_refusals_that_cannot_be_written_are_an_error_before_anything_is_read(run: Run, folder: Path) -> None:
    with pytest.raises(FeedError, match=r"nowhere/letters: the refusals cannot be written"):
        run([folder / "day"], folder / "map.toml", dead_letters=folder / "nowhere" / "letters")


def test_a_mapping_that_does_not_fit_is_an_error_and_nothing_is_printed(
    run: Run, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (folder / "map.toml").write_text(LAB_MAP.replace("{NUMBER}", "{NR}"))
    with pytest.raises(MappingError, match="'NR'"):
        run([folder / "day"], folder / "map.toml")
    assert capfdbinary.readouterr().out == b""


# --- for people


def test_a_table_for_people(run: Run, folder: Path) -> None:
    table = run([folder / "day"], folder / "map.toml", as_table=True).out.decode()
    assert "p1" in table
    assert "critical" in table
    assert not table.lstrip().startswith("{")


# --- the command


def test_the_command_ends_with_0_when_all_was_handled_refusals_included(folder: Path) -> None:
    done = by_command(folder / "day", "--map", folder / "map.toml")
    assert done.returncode == 0
    assert [codec.decode_alert(line).patient_id for line in done.stdout.splitlines()] == ["p1", "p1", "p2"]
    assert b"refused: orders.jsonl, line 4: not_json" in done.stderr
    assert summary(done.stderr.decode())["read"] == "12"


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "services.cli", "check", str(folder / "day"), "--map", str(folder / "map.toml")]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, cwd=ROOT, timeout=60)
    os.close(writer)
    assert done.returncode == 0
    assert b"BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name at least one file or folder"),
        (("missing",), "missing: there is no such file or folder"),
        (("day",), "labs.csv.gz: a delimited extract needs a mapping file; name one with --map"),
        (("day", "--map", "missing.toml"), "missing.toml: the mapping file cannot be read"),
        (("broken.json.gz",), "broken.json.gz: cannot be read to its end"),
        (("other.csv", "--map", "map.toml"), "add one under [[tables]]"),
    ],
)
def test_the_command_ends_with_2_and_a_sentence_when_it_could_not_run(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "broken.json.gz").write_bytes(gzip.compress(b"{}" * 100)[:-9])
    (folder / "other.csv").write_bytes(b"A\n1\n")
    (folder / "map.toml").write_text(LAB_MAP.replace("*.csv", "labs.csv"))
    done = by_command(*(argument if argument.startswith("--") else folder / argument for argument in arguments))
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
