"""What the services declare, what they expose and what docs/metrics.md says are one list."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from services.ingest.metrics import IngestMetrics
from services.monitor.metrics import MonitorMetrics
from services.notify.metrics import NotifyMetrics
from services.streaming.metrics import StreamMetrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
LABELS = {
    "source", "type", "reason", "kind", "resolution", "rule", "severity", "change", "stage", "topic", "partition",
    "channel", "outcome", "version",
}  # fmt: skip
"""Every label that is allowed: all have few values, and none can hold anything of a patient."""


class Exposed(NamedTuple):
    """A metric as Prometheus sees it; ``series`` are the names of its samples."""

    type: str
    labels: tuple[str, ...]
    help: str
    series: frozenset[str]


def declared(owner: object) -> list[MetricWrapperBase]:
    return [value for value in vars(owner).values() if isinstance(value, MetricWrapperBase)]


def label_names(metric: MetricWrapperBase) -> tuple[str, ...]:
    # the client has no public way to ask
    return tuple(metric._labelnames)


def services() -> dict[str, CollectorRegistry]:
    """The registry of each service, with one series of each labelled metric: without one it would show no labels."""
    ingest, monitor, notify = IngestMetrics(), MonitorMetrics(), NotifyMetrics()
    for owner in (ingest, ingest.stream, ingest.sources, monitor, monitor.stream, monitor.canaries, notify):
        for metric in declared(owner):
            if names := label_names(metric):
                metric.labels(*("example" for _ in names))
    return {"ingest": ingest.registry, "monitor": monitor.registry, "notify": notify.registry}


def exposition() -> dict[str, str]:
    return {name: generate_latest(registry).decode() for name, registry in services().items()}


@cache
def exposed() -> dict[str, Exposed]:
    """Every metric of every service by its name, without the ``_created`` series of the client."""
    found: dict[str, Exposed] = {}
    for text in exposition().values():
        for family in text_string_to_metric_families(text):
            if family.name.endswith("_created"):
                continue
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label: None for sample in family.samples for label in sample.labels if label != "le"}
            series = frozenset(sample.name for sample in family.samples)
            found[name] = Exposed(family.type, tuple(labels), family.documentation, series)
    return found


class Written(NamedTuple):
    """A line of the tables of the page."""

    type: str
    labels: tuple[str, ...]
    unit: str
    meaning: str


def written() -> dict[str, Written]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `rxvigil_")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({row[0] for row in rows}) == len(rows), "a metric stands twice"
    return {row[0].strip("`"): Written(row[1], tuple(re.findall(r"\w+", row[2])), row[3], row[4]) for row in rows}


def test_the_page_names_every_metric_that_is_exposed_and_no_other() -> None:
    assert set(written()) == set(exposed())


@pytest.mark.parametrize("name", exposed())
def test_type_and_labels_are_as_the_page_says(name: str) -> None:
    line = written()[name]
    assert (line.type, sorted(line.labels)) == (exposed()[name].type, sorted(exposed()[name].labels))
    assert line.meaning


@pytest.mark.parametrize("name", exposed())
def test_a_name_says_its_unit_as_prometheus_does(name: str) -> None:
    metric = exposed()[name]
    assert re.fullmatch(r"rxvigil_(stream|ingest|monitor|notify|rule|knowledge|canary|source)_[a-z_]+", name)
    assert name.endswith("_total") == (metric.type == "counter")
    # base units only, and the unit is the end of the name
    assert not re.search(r"_(ms|millis\w*|micros\w*|minutes?|hours?|kb|kib|mb|mib|percent)(_|$)", name)
    assert (written()[name].unit == "seconds") == name.removesuffix("_total").endswith("_seconds")
    assert (written()[name].unit == "bytes") == name.removesuffix("_total").endswith("_bytes")
    assert written()[name].unit
    assert metric.help


@pytest.mark.parametrize("name", exposed())
def test_no_label_can_hold_anything_of_a_patient(name: str) -> None:
    assert set(exposed()[name].labels) <= LABELS


def test_what_the_first_version_must_tell_is_there() -> None:
    wanted = {
        "rxvigil_ingest_events_total": {"source", "type"},
        "rxvigil_ingest_refused_total": {"reason"},
        "rxvigil_ingest_ignored_total": {"kind"},
        "rxvigil_stream_lag_records": {"topic", "partition"},
        "rxvigil_notify_lag_records": {"topic", "partition"},
        "rxvigil_notify_delay_seconds": {"stage"},
        "rxvigil_monitor_alerts_total": {"rule", "severity"},
        "rxvigil_notify_deliveries_total": {"channel", "outcome"},
    }
    for name, labels in wanted.items():
        assert labels <= set(exposed()[name].labels), name


@pytest.mark.parametrize("service", ["ingest", "monitor"])
def test_a_service_that_runs_the_engine_exposes_the_engine_too(service: str) -> None:
    registry = CollectorRegistry()
    StreamMetrics(registry)
    engine = {family.name for family in registry.collect()}
    assert engine <= {family.name for family in services()[service].collect()}


def test_metrics_are_on_the_registry_of_their_service_and_nowhere_else() -> None:
    """Two services in one process, as in `rxvigil check` and the tests, must not count into one another."""
    first, second = IngestMetrics(), IngestMetrics()
    first.refused.labels("schema").inc()
    assert first.registry.get_sample_value("rxvigil_ingest_refused_total", {"reason": "schema"}) == 1
    assert second.registry.get_sample_value("rxvigil_ingest_refused_total", {"reason": "schema"}) is None


@pytest.mark.promtool
@pytest.mark.parametrize("service", ["ingest", "monitor", "notify"])
def test_promtool_finds_nothing_to_say_about_the_exposition(service: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition()[service], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
