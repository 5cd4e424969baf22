"""What the pages for integrators and operators say is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from pydantic import SecretStr

from schemas import topics
from schemas.dead_letters import REASONS, DeadLetter
from schemas.events import EVENT_TYPES, Drug, Event, Prescription
from services.cli import app
from services.ingest.formats import Ignored, Refusal, native
from services.ingest.formats.extract import joins, loading
from services.ingest.formats.extract import mapping as mapping_file
from services.local.feed import File, units
from services.monitor.patient.clock import clinical_time
from services.runtime import service
from services.runtime.settings import CONFIG_FILE_VARIABLE, Settings
from services.streaming import faust_engine
from tests.unit.test_metrics import exposed

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
INGEST = (DOCS / "ingest.md").read_text()
OPERATE = (DOCS / "operate.md").read_text()
DAY_MS = 24 * 60 * 60 * 1000
PARTS = [
    mapping_file.Mapping, mapping_file.Table, mapping_file.Field, mapping_file.Code, mapping_file.Join,
    mapping_file.Ignore,
]  # fmt: skip


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language, each with the name behind it (``csv orders.csv``)."""
    return re.findall(rf"^```{language} ?(\S*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def table(page: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column is headed ``first``."""
    lines = page.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def flat(text: str) -> str:
    return " ".join(text.split())


# docs/ingest.md


@pytest.mark.parametrize("block", [text for _, text in blocks(INGEST, "json")])
def test_every_json_example_is_taken_and_fits_its_published_schema(block: str) -> None:
    items = native.decode(block.encode())
    assert items
    for item in items:
        assert isinstance(item.end, Event), item.end
        schema = json.loads((ROOT / "schemas" / "json" / item.end.__struct_config__.tag / "v1.json").read_text())
        jsonschema_rs.validator_for(schema).validate(json.loads(item.original))


def examples() -> list[Event]:
    ends = [item.end for _, text in blocks(INGEST, "json") for item in native.decode(text.encode())]
    return [end for end in ends if isinstance(end, Event)]


def test_there_is_an_example_of_every_event_type() -> None:
    assert {type(event) for event in examples()} == set(EVENT_TYPES)
    for kind in EVENT_TYPES:
        assert f"\n### {kind.__struct_config__.tag}\n" in INGEST


def test_the_stop_in_the_example_is_a_version_of_the_order_before_it() -> None:
    order, stop = [event for event in examples() if isinstance(event, Prescription)]
    assert (order.source, order.record_id) == (stop.source, stop.record_id)
    assert order.version < stop.version
    assert stop.status == "discontinued"


def test_the_three_answers_are_three() -> None:
    block = next(text for _, text in blocks(INGEST, "json") if '"allergies": null' in text)
    answers = [item.end.allergies for item in native.decode(block.encode())]  # type: ignore[union-attr]
    assert answers == [msgspec.UNSET, None, ()]


def test_every_reason_of_a_refusal_is_explained_and_no_other() -> None:
    assert [row[0] for row in table(INGEST, "reason")] == list(REASONS)


def test_every_header_of_a_dead_letter_is_explained_and_no_other() -> None:
    named = {name for row in table(INGEST, "header") for name in re.findall(r"dl_\w+", row[0])}
    fields = {field.name for field in msgspec.structs.fields(DeadLetter)} - {"original"}
    assert named == {f"dl_{name}" for name in fields}


def test_every_way_to_resolve_a_medicine_is_explained() -> None:
    allowed = msgspec.json.schema(Drug)["$defs"]["Drug"]["properties"]["resolution"]["anyOf"]
    values = {value for each in allowed for value in each.get("enum", [])}
    assert {row[0] for row in table(INGEST, "resolution")} == values


def test_limits_are_those_of_the_code() -> None:
    assert f"{topics.MAX_RECORD_BYTES:,}".replace(",", " ") in INGEST
    assert f"{native.MAX_UNITS:,}".replace(",", " ") in INGEST
    event = {
        "type": "patient",
        "patient_id": "p",
        "source": "s",
        "record_id": "r",
        "occurred_at": "2026-01-01T00:00:00Z",
    }
    for refused in ({"version": 2**53}, {"note": 1}):
        end = native.decode_unit(json.dumps(event | refused).encode())
        assert isinstance(end, Refusal)
        assert end.reason == "schema"
    assert isinstance(native.decode_unit(json.dumps(event | {"version": 2**53 - 1}).encode()), Event)
    assert "2^53-1" in INGEST


def test_source_topics_are_named() -> None:
    assert [row[0] for row in table(INGEST, "topic")] == list(topics.SOURCES)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_key_of_a_mapping_file_is_named(part: type[msgspec.Struct]) -> None:
    section = INGEST.partition("## Delimited extracts")[2].partition("## send and check")[0]
    for field in msgspec.structs.fields(part):
        assert f"`{field.encode_name}`" in section, field.encode_name


def test_the_example_of_a_mapping_does_with_its_files_what_the_page_says(tmp_path: Path) -> None:
    (_, toml), *more = blocks(INGEST, "toml")
    assert not more
    mapping = loading.load(toml.encode(), "docs/ingest.md")
    for name, text in blocks(INGEST, "csv"):
        (tmp_path / name).write_text(text)
    ends: dict[str, list[Any]] = {
        name: [unit.end for unit in units(File(tmp_path / name, name), mapping)]
        for name in ("results-1.csv", "orders.csv", "tests.csv", "stays.csv", "diagnoses.csv")
    }
    first, second, third = ends["results-1.csv"]
    assert [coding.code for coding in first.codings] == ["2823-3", "K"]
    assert (first.value, first.unit, first.status) == (6.4, "mmol/L", "final")
    # Berlin is an hour ahead of UTC in November
    assert first.occurred_at.isoformat() == "2026-11-24T07:10:00+00:00"
    assert isinstance(second, Refusal)
    assert (second.reason, second.place) == ("mapping", "STATE")
    assert third == Ignored("quality_control")
    (order,) = ends["orders.csv"]
    assert order.end.isoformat() == "2026-11-28T23:00:00+00:00"
    assert order.dosage.dose is None
    assert {type(end) for end in ends["tests.csv"]} == {Ignored}
    (stay,) = ends["stays.csv"]
    assert stay.occurred_at.isoformat() == "2026-11-24T04:55:00+00:00"
    known, unknown = ends["diagnoses.csv"]
    assert (known.patient_id, known.occurred_at) == ("1001", stay.stay.admitted_at)
    assert [coding.code for coding in known.condition.codings] == ["I48.0"]
    assert isinstance(unknown, Refusal)
    assert unknown.place == "STAY"
    assert f"at most {joins.MOST_BYTES // 2**20} MiB" in INGEST


def test_the_example_shows_every_key_but_the_one_that_it_leaves_out() -> None:
    toml = blocks(INGEST, "toml")[0][1]
    used = set(re.findall(r"(\w+)\"? =", toml)) | set(re.findall(r"\[+(\w+)", toml)) | {"fields"}
    keys = {field.encode_name for part in PARTS for field in msgspec.structs.fields(part)}
    assert keys - used == {"otherwise"}


def test_defaults_of_a_mapping_are_as_written() -> None:
    least = 'source="s"\n[[tables]]\nfile="f"\nevent="patient"\nfields={}'
    mapping = loading.load(least.encode(), "least")
    assert (mapping.zone, mapping.delimiter, mapping.timing) == ("UTC", ",", "live")
    assert all(f"`{each}`" in INGEST for each in mapping.time_formats)


def test_a_live_time_of_the_future_is_the_time_of_receipt_and_a_replayed_one_stands() -> None:
    event = examples()[0]
    received = event.occurred_at.replace(year=2025)
    later = msgspec.structs.replace(event, ingested_at=received)
    assert clinical_time(later) == received
    assert clinical_time(msgspec.structs.replace(later, timing="replayed")) == event.occurred_at


def test_commands_and_their_options_exist() -> None:
    for page in (INGEST, OPERATE):
        for command, options in re.findall(r"rxvigil (\w+)((?: [^\n`]*)?)", page):
            if command not in ("check", "send", "up", "demo", "ingest", "monitor", "notify", "settings"):
                continue
            known = {name for argument in app[command].assemble_argument_collection() for name in argument.names}
            assert set(re.findall(r"--[a-z-]+", options)) <= known, command


# docs/operate.md


def test_the_table_of_settings_is_that_of_the_code() -> None:
    def text(value: object) -> str:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    fields = Settings.model_fields.items()
    wanted = [[name, text(field.default), field.description] for name, field in fields]
    assert table(OPERATE, "setting") == wanted
    assert CONFIG_FILE_VARIABLE in OPERATE


def test_the_table_of_topics_is_that_of_the_contract() -> None:
    def kept(topic: topics.Topic) -> str:
        if topic.config["cleanup.policy"] == "compact":
            return "newest of each patient"
        return f"{int(topic.config['retention.ms']) // DAY_MS} days"

    wanted = [[topic.name, str(topic.partitions), kept(topic)] for topic in topics.topics().values()]
    assert [row[:3] for row in table(OPERATE, "topic")] == wanted
    assert "90 days" in INGEST
    assert kept(topics.topics()[topics.DEAD_LETTERS]) == "90 days"


def test_exit_codes_are_those_of_the_code() -> None:
    codes = [service.OK, service.FAILED, service.COULD_NOT_START, service.INTERRUPTED]
    assert [int(row[0]) for row in table(OPERATE, "exit code")] == codes


def test_times_that_the_page_names_are_those_of_the_code() -> None:
    assert faust_engine.SESSION_SECONDS == 10
    assert "A monitor that dies is noticed after ten seconds" in flat(OPERATE)
    for name in ("ingest", "monitor", "notify"):
        assert f"{name} {Settings.model_fields[f'{name}_port'].default}" in OPERATE.lower()


def test_queries_of_the_runbooks_ask_for_metrics_that_exist() -> None:
    known = exposed().keys() | {series for metric in exposed().values() for series in metric.series}
    asked = set(re.findall(r"\brxvigil_[a-z_]+", OPERATE))
    assert asked
    assert asked <= known


# all pages


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.glob("*.md")), ROOT / "deploy" / "README.md"], ids=lambda page: page.name
)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target
