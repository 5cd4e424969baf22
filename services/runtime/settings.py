"""Settings, from flags, then environment (``RXVIGIL_BROKERS``), then a file (``rxvigil.toml``), then the defaults here."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

CONFIG_FILE_VARIABLE = "RXVIGIL_CONFIG_FILE"
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Every setting of every service; a service reads those it needs."""

    model_config = SettingsConfigDict(env_prefix="RXVIGIL_", extra="forbid", frozen=True)

    brokers: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port, comma-separated")
    database_url: SecretStr = Field(
        SecretStr("postgresql://rxvigil@127.0.0.1:5432/rxvigil"), description="Postgres of notify, as a URL"
    )
    state_dir: Path = Field(Path("data/state"), description="folder of the monitor's local state (RocksDB)")
    host: str = Field("127.0.0.1", description="address that the services listen on")
    ingest_port: Port = Field(9101, description="port of ingest: /metrics /healthz /readyz; 0 for any free one")
    monitor_port: Port = Field(9102, description="port of monitor: /metrics /healthz /readyz; 0 for any free one")
    notify_port: Port = Field(
        9103, description="port of notify: the console, /metrics /healthz /readyz; 0 for any free one"
    )
    webhook_url: str = Field("", description="where alerts are posted (Standard Webhooks); empty for nowhere")
    webhook_secret: SecretStr = Field(SecretStr(""), description="signing secret of the webhook, whsec_ and base64")
    webhook_severity: Literal["critical", "high", "moderate", "info"] = Field(
        "high", description="the lowest severity that is posted to the webhook"
    )
    stop_timeout: float = Field(10.0, gt=0, description="seconds that a service may take to stop")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")
    log_format: Literal["json", "console"] = Field("console", description="json for machines, console for people")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls, config_file())
        return init_settings, env_settings, file


class SettingsError(ValueError):
    """A setting cannot be used; the message names it and where it comes from."""


def load_settings() -> Settings:
    """Settings from the environment and the file. Raises ``SettingsError``."""
    try:
        return Settings()  # type: ignore[call-arg]  # every field has a default
    except ValidationError as error:
        faults = "; ".join(_in_words(fault["loc"], fault["msg"]) for fault in error.errors(include_input=False))
        raise SettingsError(faults) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{config_file()}: not TOML: {error}") from error


def config_file() -> Path:
    """The settings file, whether it exists or not."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE, "rxvigil.toml"))


def _in_words(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0]) if location else "settings"
    source = "environment" if _variable(name) in os.environ else str(config_file())
    return f"{name} ({source}): {message}"


def _variable(name: str) -> str:
    return f"RXVIGIL_{name.upper()}"


def shown(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Each setting: name, value as text with secrets hidden, where it comes from, meaning."""
    in_file = _in_file()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        source = _source(name, value, in_file) if name in settings.model_fields_set else "default"
        rows.append((name, _text(value), source, field.description or ""))
    return rows


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(hidden)" if value.get_secret_value() else ""
    return str(value)


def _source(name: str, value: object, in_file: dict[str, Any]) -> str:
    """A flag wins over the environment, and this over the file: what differs from both was a flag."""
    raw = value.get_secret_value() if isinstance(value, SecretStr) else value
    variable = _variable(name)
    if variable in os.environ:
        return "environment" if str(raw) == os.environ[variable] else "flag"
    if name in in_file:
        return str(config_file()) if str(raw) == str(in_file[name]) else "flag"
    return "flag"


def _in_file() -> dict[str, Any]:
    path = config_file()
    return tomllib.loads(path.read_text()) if path.is_file() else {}
