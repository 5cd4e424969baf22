"""The command: what its help teaches, and how it ends when it is used wrongly."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.settings import CONFIG_FILE_VARIABLE, Settings

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "up",
    "demo",
    "ingest",
    "monitor",
    "notify",
    "settings",
    "send",
    "check",
    "state",
    "unresolved",
    "import",
    "knowledge",
    "rules",
)
SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0"


class Command:
    """`rxvigil` in a folder of its own, without settings of the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ours = {f"RXVIGIL_{name.upper()}" for name in Settings.model_fields} | {CONFIG_FILE_VARIABLE}
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment,
            timeout=60,
        )


@pytest.fixture
def rxvigil(tmp_path: Path) -> Command:
    return Command(tmp_path)


def could_not_run(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Exit code 2 and a sentence on standard error; nothing for a machine to take for data, no traceback."""
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    for part in said:
        assert part in done.stderr


def test_help_names_every_command_and_where_to_start(rxvigil: Command) -> None:
    done = rxvigil("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout
    for taught in ("rxvigil demo", "rxvigil check FILES", "RXVIGIL_BROKERS", "rxvigil.toml", "RXVIGIL_CONFIG_FILE"):
        assert taught in done.stdout


@pytest.mark.parametrize(
    ("command", "taught"),
    [
        ("up", ["--data-dir", "Ctrl-C", "--webhook-secret", "--notify-port"]),
        ("demo", ["--once", "summary", "temporary folder"]),
        ("ingest", ["Needs Kafka", "dead letters", "--brokers", "--ingest-port"]),
        ("monitor", ["Needs Kafka", "restored", "--state-dir"]),
        ("notify", ["Kafka and Postgres", "--database-url", "critical, high, moderate, info"]),
        ("settings", ["secrets hidden"]),
        ("send", ["--map", "--rate", "a second", "order of clinical time", ".jsonl, .ndjson, .csv", "--brokers"]),
        ("check", ["--map", "--dead-letters", "--table", "Exit 0", "standard error", "one alert a line"]),
    ],
)
def test_the_help_of_a_command_teaches_it(rxvigil: Command, command: str, taught: list[str]) -> None:
    done = rxvigil(command, "--help", COLUMNS="400")
    assert (done.returncode, done.stderr) == (0, "")
    for part in taught:
        assert part in " ".join(done.stdout.split()), part


def test_check_needs_no_settings(rxvigil: Command) -> None:
    assert "--brokers" not in rxvigil("check", "--help").stdout


def test_help_shows_no_secret(rxvigil: Command) -> None:
    done = rxvigil("up", "--help", RXVIGIL_WEBHOOK_SECRET=SECRET, RXVIGIL_DATABASE_URL=f"postgresql://u:{SECRET}@h/d")
    assert SECRET not in done.stdout + done.stderr


def test_the_version_is_that_of_the_distribution(rxvigil: Command) -> None:
    assert rxvigil("--version").stdout.strip() == importlib.metadata.version("rxvigil")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "--frobnicate"], "--frobnicate"),
        (["czech"], "czech"),
        (["send", "--rate", "fast", "x.json"], "fast"),
        (["send", "--rate", "0", "x.json"], "--rate must be above 0"),
        (["send", "--rate", "-1", "x.json"], "--rate must be above 0"),
        (["send"], "name at least one file or folder"),
        (["send", "missing.json"], "missing.json: there is no such file or folder"),
        (["monitor", "extra"], "extra"),
        (["import", "rxnorm", "."], "--knowledge-dir"),
        (["import", "rxnorm", ".", "--knowledge-dir", "site"], "RXNCONSO.RRF is neither there nor in"),
        (["unresolved", "missing.json"], "missing.json: there is no such file or folder"),
        (["check", "x.json", "--knowledge-dir", "missing"], "missing: no such folder"),
    ],
)
def test_wrong_use_is_said(rxvigil: Command, arguments: list[str], said: str) -> None:
    could_not_run(rxvigil(*arguments), said)


@pytest.mark.parametrize("arguments", [("up",), ("demo", "--once")])
def test_a_command_with_servers_of_its_own_takes_no_others(rxvigil: Command, arguments: tuple[str, ...]) -> None:
    could_not_run(rxvigil(*arguments, "--brokers", "127.0.0.1:1"), "--brokers", "Kafka and Postgres of its own")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said(rxvigil: Command, tmp_path: Path) -> None:
    event = tmp_path / "bad.json"
    event.write_text("{")
    could_not_run(rxvigil("check", str(event), "--dead-letters", "/dev/full"), "/dev/full", "No space left")


def test_a_bad_setting_is_said_with_its_name_and_source(rxvigil: Command) -> None:
    could_not_run(
        rxvigil("monitor", RXVIGIL_MONITOR_PORT="abc"), "monitor_port (environment RXVIGIL_MONITOR_PORT)", "integer"
    )
    could_not_run(rxvigil("monitor", "--monitor-port", "abc"), "monitor_port (flag --monitor-port)", "integer")
    # a flag beside it does not hide where the bad one comes from
    could_not_run(
        rxvigil("ingest", "--host", "127.0.0.1", RXVIGIL_LOG_LEVEL="loud"), "log_level (environment RXVIGIL_LOG_LEVEL)"
    )


@pytest.mark.parametrize("flags", [[], ["--host", "127.0.0.1"]])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("brokers = [", "rxvigil.toml: not TOML"),
        ('broker = "x"', "broker (file rxvigil.toml): there is no such setting"),
        ('monitor_port = "abc"', "monitor_port (file rxvigil.toml)"),
    ],
)
def test_a_bad_file_is_said(rxvigil: Command, flags: list[str], content: str, said: str) -> None:
    (rxvigil.folder / "rxvigil.toml").write_text(content)
    could_not_run(rxvigil("settings", *flags), said)


def test_settings_are_shown_with_where_they_come_from_and_without_secrets(rxvigil: Command) -> None:
    (rxvigil.folder / "rxvigil.toml").write_text(
        f'brokers = "file:1"\nlog_level = "debug"\nwebhook_secret = "{SECRET}"'
    )
    database = f"postgresql://u:{SECRET}@h/d"
    done = rxvigil("settings", "--host", "127.0.0.9", RXVIGIL_BROKERS="environment:1", RXVIGIL_DATABASE_URL=database)
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    shown = {line.split()[0]: line for line in done.stdout.splitlines()}
    for name, said in (
        ("host", "127.0.0.9 flag --host"), ("brokers", "environment:1 environment RXVIGIL_BROKERS"),
        ("log_level", "debug file rxvigil.toml"), ("monitor_port", "9102 default"),
        ("database_url", "(hidden) environment"), ("webhook_secret", "(hidden) file"),
    ):  # fmt: skip
        assert said in " ".join(shown[name].split()), name


@pytest.mark.parametrize("command", ["ingest", "monitor", "notify"])
def test_a_service_whose_port_is_taken_says_so(rxvigil: Command, command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        could_not_run(rxvigil(command, f"--{command}-port", str(port)), f"127.0.0.1:{port}")


@pytest.mark.parametrize("command", ["ingest", "monitor"])
def test_a_service_without_a_broker_says_so(rxvigil: Command, command: str) -> None:
    done = rxvigil(command, f"--{command}-port", "0", "--brokers", "127.0.0.1:1", "--log-level", "error")
    could_not_run(done, "127.0.0.1:1", "no Kafka broker answers")
