"""Settings: which source wins, what a bad one says, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.runtime.settings import CONFIG_FILE_VARIABLE, Settings, SettingsError, shown

SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0"
DATABASE = "postgresql://rxvigil:hunter2@db.example/rxvigil"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test in a folder of its own, without settings of the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_FILE_VARIABLE, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RXVIGIL_{name.upper()}", raising=False)
    return tmp_path


def rows(settings: Settings) -> dict[str, tuple[str, str]]:
    return {name: (value, source) for name, value, source, _ in shown(settings)}


def fault(**flags: object) -> str:
    with pytest.raises(SettingsError) as raised:
        Settings(**flags)
    return str(raised.value)


def test_flags_before_environment_before_file_before_defaults(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().brokers == "127.0.0.1:9092"
    (folder / "rxvigil.toml").write_text('brokers = "file:1"\nhost = "127.0.0.2"\nmonitor_port = 7\n')
    assert Settings().brokers == "file:1"
    monkeypatch.setenv("RXVIGIL_BROKERS", "environment:1")
    monkeypatch.setenv("RXVIGIL_HOST", "127.0.0.3")
    assert Settings().brokers == "environment:1"
    settings = Settings(brokers="flag:1")
    assert rows(settings)["brokers"] == ("flag:1", "flag --brokers")
    assert rows(settings)["host"] == ("127.0.0.3", "environment RXVIGIL_HOST")
    assert rows(settings)["monitor_port"] == ("7", "file rxvigil.toml")
    assert rows(settings)["ingest_port"] == ("9101", "default")


def test_where_a_value_comes_from_is_not_guessed_from_the_value(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RXVIGIL_BROKERS", "same:1")
    monkeypatch.setenv("RXVIGIL_STOP_TIMEOUT", "10")  # shown as 10.0
    monkeypatch.setenv("rxvigil_log_level", "debug")
    (folder / "rxvigil.toml").write_text('stop_timeout = 10\nstate_dir = "./data//state"\n')
    found = rows(Settings(brokers="same:1"))
    assert found["brokers"][1] == "flag --brokers"
    assert found["stop_timeout"] == ("10.0", "environment RXVIGIL_STOP_TIMEOUT")
    assert found["log_level"] == ("debug", "environment RXVIGIL_LOG_LEVEL")
    assert found["state_dir"] == ("data/state", "file rxvigil.toml")


def test_another_file_by_its_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "rxvigil.toml").write_text('brokers = "default-file:1"')
    (folder / "other.toml").write_text('brokers = "other:1"')
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, "other.toml")
    assert rows(Settings())["brokers"] == ("other:1", "file other.toml")
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, "missing.toml")
    assert "missing.toml" in fault()
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, str(folder))
    assert str(folder) in fault()


def test_secrets_are_shown_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RXVIGIL_DATABASE_URL", DATABASE)
    settings = Settings(webhook_secret=SECRET)
    assert settings.database_url.get_secret_value() == DATABASE
    told = f"{shown(settings)} {settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in told
    assert "hunter2" not in told
    assert rows(settings)["webhook_secret"][0] == rows(settings)["database_url"][0] == "(hidden)"
    assert rows(Settings())["webhook_secret"] == ("", "default"), "none is not hidden: it is not there"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, *_ in shown(Settings())] == list(Settings.model_fields)
    assert all(meaning for *_, meaning in shown(Settings()))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("monitor_port", "abc", "integer"),
        ("ingest_port", "65536", "65535"),
        ("notify_port", "-1", "0"),
        ("stop_timeout", "0", "greater than 0"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("webhook_severity", "worst", "'critical', 'high', 'moderate' or 'info'"),
    ],
)
def test_a_bad_value_is_said_with_its_setting_and_its_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    assert fault(**{name: value}).startswith(f"{name} (flag --{name.replace('_', '-')}): ")
    (folder / "rxvigil.toml").write_text(f'{name} = "{value}"')
    assert fault().startswith(f"{name} (file rxvigil.toml): ")
    monkeypatch.setenv(f"RXVIGIL_{name.upper()}", value)
    text = fault()
    assert text.startswith(f"{name} (environment RXVIGIL_{name.upper()}): ")
    assert said in text


def test_every_fault_is_said_at_once() -> None:
    text = fault(monitor_port="abc", log_level="loud")
    assert "monitor_port" in text
    assert "log_level" in text


def test_a_setting_that_there_is_not() -> None:
    Path("rxvigil.toml").write_text('broker = "x:1"')
    text = fault()
    assert "broker (file rxvigil.toml)" in text
    assert "no such setting" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"brokers = [", "not TOML"), (b"brokers = 'a'\nbrokers = 'b'", "not TOML"), (b"#\xff", "not UTF-8")],
)
def test_a_file_that_cannot_be_read(content: bytes, said: str) -> None:
    Path("rxvigil.toml").write_bytes(content)
    text = fault()
    assert text.startswith(f"rxvigil.toml: {said}")


def test_a_fault_repeats_no_value() -> None:
    """A secret in the wrong place must not come out in a message."""
    Path("rxvigil.toml").write_text(
        f'monitor_port = "{SECRET}"\nwebhook_secret = ["{SECRET}"]\nwebhook_secrett = "{SECRET}"'
    )
    assert SECRET not in fault()
    assert SECRET not in fault(log_level=SECRET, webhook_secret=["x", SECRET])
