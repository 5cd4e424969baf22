"""What deploy/ says holds against the code: commands, settings, ports, metrics.

The image is not built and compose is not run here, for want of a Docker daemon: only their structure is looked at. The
Prometheus files are checked and run by promtool.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from schemas import topics
from services.cli import app
from services.local.stack import SERVICES
from services.runtime.probes import HttpServer, listen, probe_routes
from services.runtime.settings import CONFIG_FILE_VARIABLE, Settings
from tests.unit.test_metrics import exposed

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "rules" / "rxvigil.yml"
RULE_TESTS = PROMETHEUS / "tests" / "rxvigil_test.yml"
OF_PROMETHEUS = {"up"}
"""Series that Prometheus makes itself."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


COMPOSE = read(DEPLOY / "compose.yaml")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
DEFAULTS: dict[str, Any] = {name: field.default for name, field in Settings.model_fields.items()}
ALERTS = {rule["alert"]: rule for group in read(RULES)["groups"] for rule in group["rules"]}


def environment(service: str) -> dict[str, str]:
    found: dict[str, str] = COMPOSE["services"][service].get("environment", {})
    return found


# compose and the image


def test_compose_has_the_servers_and_the_three_services() -> None:
    assert set(COMPOSE["services"]) == {"kafka", "postgres", *SERVICES, "prometheus"}
    assert COMPOSE["services"]["kafka"]["image"] == "apache/kafka:4.3.1"
    assert COMPOSE["services"]["postgres"]["image"] == "postgres:18"


def test_the_kafka_of_compose_is_the_one_that_is_tested() -> None:
    version = COMPOSE["services"]["kafka"]["image"].partition(":")[2]
    jars = (ROOT / "services" / "local" / "kafka-jars.txt").read_text()
    assert f"-{version}.jar" in jars


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_its_command_of_the_cli_from_the_one_image(service: str) -> None:
    described = COMPOSE["services"][service]
    assert described["command"] == [service]
    assert app[service]
    assert 'ENTRYPOINT ["rxvigil"]' in DOCKERFILE
    assert described["build"]["dockerfile"] == "deploy/Dockerfile"
    assert (DEPLOY / described["build"]["context"]).resolve() == ROOT


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_given_is_one_and_can_be_read(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of_image = dict(re.findall(r"(RXVIGIL_\w+)=(\S+)", DOCKERFILE))
    given = of_image | {k: v for k, v in environment(service).items() if k.startswith("RXVIGIL_")}
    given.pop(CONFIG_FILE_VARIABLE, None)
    names = {name.removeprefix("RXVIGIL_").lower() for name in given}
    assert names <= set(DEFAULTS)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().model_fields_set >= names


def test_nothing_listens_beyond_this_host() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["network_mode"] == "host", name
        assert "ports" not in service, name
    text = (DEPLOY / "compose.yaml").read_text()
    assert set(re.findall(r"\d+\.\d+\.\d+\.\d+", text)) == {"127.0.0.1"}
    kafka = environment("kafka")
    for listener in (*kafka["KAFKA_LISTENERS"].split(","), *kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")):
        assert urlsplit(listener).hostname == "127.0.0.1"
    assert "listen_addresses=127.0.0.1" in COMPOSE["services"]["postgres"]["command"]
    assert "--web.listen-address=127.0.0.1:9090" in COMPOSE["services"]["prometheus"]["command"]
    assert DEFAULTS["host"] == "127.0.0.1"
    assert not any("RXVIGIL_HOST" in environment(service) for service in SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_addresses_are_those_of_the_settings(service: str) -> None:
    assert urlsplit(environment(service)["HEALTH_URL"]).port == DEFAULTS[f"{service}_port"]
    assert urlsplit(environment(service)["HEALTH_URL"]).path == "/healthz"
    assert f"BROKER://{environment(service)['RXVIGIL_BROKERS']}" in environment("kafka")["KAFKA_LISTENERS"]


def test_kafka_takes_the_largest_record_and_makes_no_topic_by_itself() -> None:
    kafka = environment("kafka")
    assert int(kafka["KAFKA_MESSAGE_MAX_BYTES"]) > topics.MAX_RECORD_BYTES
    assert int(kafka["KAFKA_REPLICA_FETCH_MAX_BYTES"]) >= int(kafka["KAFKA_MESSAGE_MAX_BYTES"])
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_no_secret_is_in_the_file_and_each_comes_from_one_outside_the_checkout() -> None:
    secret = {f"RXVIGIL_{name.upper()}" for name, value in DEFAULTS.items() if isinstance(value, SecretStr)}
    for name in COMPOSE["services"]:
        assert not secret & environment(name).keys()
        assert "POSTGRES_PASSWORD" not in environment(name)
    assert environment("postgres")["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres_password"
    assert environment("notify")[CONFIG_FILE_VARIABLE] == "/run/secrets/rxvigil.toml"
    for name in ("postgres", "notify"):
        assert set(COMPOSE["services"][name]["secrets"]) <= set(COMPOSE["secrets"])
    assert {Path(each["file"]).parent for each in COMPOSE["secrets"].values()} == {Path("secrets")}
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().split()
    # the image lets the loopback address in without a password, which here is every process of the host
    assert "--auth-host=scram-sha-256" in environment("postgres")["POSTGRES_INITDB_ARGS"]


def test_what_is_to_survive_is_on_a_volume_that_is_declared() -> None:
    mounts = {
        name: [mount.split(":")[:2] for mount in service.get("volumes", [])]
        for name, service in COMPOSE["services"].items()
    }
    named = {source for found in mounts.values() for source, _ in found if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    assert ["kafka", environment("kafka")["KAFKA_LOG_DIRS"]] in mounts["kafka"]
    state = re.search(r"RXVIGIL_STATE_DIR=(\S+)", DOCKERFILE)
    assert state
    assert ["state", state[1]] in mounts["monitor"]
    for source, _ in mounts["prometheus"]:
        assert not source.startswith(".") or (DEPLOY / source).exists()


def test_services_stop_in_their_own_time() -> None:
    for service in SERVICES:
        assert int(COMPOSE["services"][service]["stop_grace_period"].removesuffix("s")) > DEFAULTS["stop_timeout"] + 2


def test_the_image_is_built_by_hash_and_does_not_run_as_root() -> None:
    base = {found.removesuffix("-slim") for found in re.findall(r"^FROM python:(\S+)", DOCKERFILE, re.MULTILINE)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert base == {"3.13"}
    assert SpecifierSet(project["requires-python"]).contains("3.13")
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in ("0", "root")
    assert "HEALTHCHECK" in DOCKERFILE
    assert "HEALTH_URL" in DOCKERFILE


async def test_the_health_check_tells_a_service_that_answers_from_one_that_does_not() -> None:
    script = re.search(r'CMD (\["python", "-c".*\])', DOCKERFILE)
    assert script

    async def check(url: str) -> int | None:
        command = [sys.executable, *json.loads(script[1])[1:]]
        # a proxy that is not there: the check must not ask it
        variables = os.environ | {"HEALTH_URL": url, "http_proxy": "http://127.0.0.1:1"}
        process = await asyncio.create_subprocess_exec(*command, env=variables, stderr=asyncio.subprocess.DEVNULL)
        return await process.wait()

    server = HttpServer(probe_routes(CollectorRegistry(), lambda: "it waits"), listen("127.0.0.1", 0))
    await server.start()
    try:
        assert await check(f"{server.url}/healthz") == 0
        assert await check(f"{server.url}/readyz") != 0
    finally:
        await server.stop()
    assert await check(f"{server.url}/healthz") != 0


def test_what_the_image_copies_is_there_and_passes_the_ignore_file() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{source}" for source in copied} <= set(ignore)
    assert all((ROOT / source).exists() for source in copied)
    # the distribution's metadata name these two files
    assert {"README.md", "LICENSE"} <= set(copied)


def test_the_readme_says_that_compose_was_not_run() -> None:
    assert "compose was not run" in (DEPLOY / "README.md").read_text()


# Prometheus


def test_prometheus_scrapes_the_three_services_where_they_listen() -> None:
    scraped = {
        job["job_name"]: [target for each in job["static_configs"] for target in each["targets"]]
        for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    }
    assert scraped == {f"rxvigil-{service}": [f"127.0.0.1:{DEFAULTS[f'{service}_port']}"] for service in SERVICES}


def test_rules_name_the_jobs_that_are_scraped() -> None:
    jobs = {job["job_name"] for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    for rule in ALERTS.values():
        for pattern in re.findall(r'job=~?"([^"]+)"', rule["expr"]):
            assert any(re.fullmatch(pattern, job) for job in jobs), rule["alert"]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_graded_and_says_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == alert.lower()
    sections = re.split(r"^### ", (ROOT / page).read_text(), flags=re.MULTILINE)
    section = next((each for each in sections if each.splitlines()[0] == alert), "")
    assert len(section.split()) > 25, f"{page} says too little of {alert}"


def test_every_runbook_belongs_to_an_alert() -> None:
    sections = re.findall(r"^### (Rxvigil\w+)", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE)
    assert sections == list(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_asks_for_nothing_that_does_not_exist(alert: str) -> None:
    expression = ALERTS[alert]["expr"]
    names = re.findall(r"\b(rxvigil_\w+|up)\b", expression)
    assert names
    known = {series for metric in exposed().values() for series in metric.series} | OF_PROMETHEUS
    assert set(names) <= known
    labels = {label for metric in exposed().values() for label in metric.labels} | {"job", "instance", "le"}
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",") if label.strip()} <= labels


def cases(alert: str) -> list[list[Any]]:
    """What the promtool tests expect of an alert, one list of samples for each question."""
    asked = [case for test in read(RULE_TESTS)["tests"] for case in test["promql_expr_test"]]
    return [case["exp_samples"] for case in asked if f'alertname="{alert}"' in case["expr"]]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    expected = cases(alert)
    assert any('alertstate="firing"' in sample["labels"] for samples in expected for sample in samples)
    assert [] in expected


def test_the_cases_are_of_alerts_that_exist() -> None:
    assert set(re.findall(r'ALERTS\{alertname="(\w+)"', RULE_TESTS.read_text())) == set(ALERTS)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", PROMETHEUS / "prometheus.yml"),
        ("check", "rules", RULES),
        ("test", "rules", RULE_TESTS),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_accepts(arguments: tuple[str | Path, ...]) -> None:
    done = promtool(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_the_cases_notice_each_alert_that_never_fires(tmp_path: Path) -> None:
    document = read(RULES)
    for rule in document["groups"][0]["rules"]:
        rule["expr"] = f"({rule['expr']}) and on () vector(0) > 1"
    for folder in ("rules", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "rules" / RULES.name).write_text(yaml.safe_dump(document))
    (tmp_path / "tests" / RULE_TESTS.name).write_text(RULE_TESTS.read_text())
    done = promtool("test", "rules", tmp_path / "tests" / RULE_TESTS.name)
    assert done.returncode != 0
    assert set(re.findall(r'alertname="(\w+)"', done.stdout + done.stderr)) == set(ALERTS)
