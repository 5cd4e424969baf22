"""Settings, from flags, then environment (``RXVIGIL_BROKERS``), then a file (``rxvigil.toml``), then the defaults here."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

CONFIG_FILE_VARIABLE = "RXVIGIL_CONFIG_FILE"
Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(RuntimeError):
    """A setting cannot be used; the message names it and where it comes from, and never repeats a value: it may be a secret.

    No ``ValueError``: the parsers around would make it one of theirs.
    """


class Settings(BaseSettings):
    """Every setting of every service; a service reads those it needs. ``flags`` go before all other sources.

    Raises ``SettingsError``.
    """

    model_config = SettingsConfigDict(env_prefix="RXVIGIL_", extra="forbid", frozen=True)

    brokers: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port, comma-separated")
    database_url: SecretStr = Field(
        SecretStr("postgresql://rxvigil@127.0.0.1:5432/rxvigil"), description="Postgres of notify, as a URL"
    )
    state_dir: Path = Field(Path("data/state"), description="folder of the monitor's local state (RocksDB)")
    knowledge_dir: str = Field(
        "",
        description="folder of the site's own names, codes, units and RxNorm tables; empty for none (knowledge/README.md)",
    )
    site_rules: str = Field(
        "", description="the site's own rules: a TOML file or a folder of them; empty for none (docs/site-rules.md)"
    )
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
    canary_interval: float = Field(
        120.0, ge=0, description="seconds between two rounds of the rules' canaries in the running system; 0 for none"
    )
    source_silence: str = Field(
        "*=14400",
        description="seconds that a source system may send nothing, by its name: `lab=1800, *=14400`; * any other, 0 for ever",
    )
    stop_timeout: float = Field(10.0, gt=0, description="seconds that a service may take to stop")
    state_cache_bytes: int = Field(
        32 << 20,
        ge=0,
        description="decoded states that a monitor holds, in bytes as stored; memory is several times that",
    )
    standby_replicas: int = Field(
        0, ge=0, description="other monitors that follow each partition's state, to take over without a restore"
    )
    refusal_run: int = Field(
        50, ge=0, description="a service stops after so many refused records in a row; 0 for no limit"
    )
    refusal_ratio: float = Field(
        0.2,
        ge=0,
        le=1,
        description="a service stops when more than this share of its records is refused; 0 for no limit",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")
    log_format: Literal["json", "console"] = Field("console", description="json for machines, console for people")

    _flags: frozenset[str] = PrivateAttr(frozenset())

    def __init__(self, **flags: Any) -> None:
        try:
            super().__init__(**flags)
        except ValidationError as error:
            faults = (_in_words(fault, flags) for fault in error.errors(include_input=False))
            raise SettingsError("; ".join(faults)) from None
        self._flags = frozenset(flags)

    @property
    def flags(self) -> frozenset[str]:
        """The settings that were given as flags."""
        return self._flags

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _in_file())


def config_file() -> Path:
    """The settings file, whether it exists or not."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE, "rxvigil.toml"))


def _in_words(fault: ErrorDetails, flags: Collection[str]) -> str:
    name = str(fault["loc"][0]) if fault["loc"] else "settings"
    unknown = fault["type"] == "extra_forbidden"
    message = "there is no such setting; `rxvigil settings` shows all" if unknown else fault["msg"]
    return f"{name} ({_source(name, flags)}): {message}"


def _source(name: str, flags: Collection[str]) -> str:
    variable = f"RXVIGIL_{name.upper()}"
    if name in flags:
        return f"flag --{name.replace('_', '-')}"
    if variable in map(str.upper, os.environ):
        return f"environment {variable}"
    return f"file {config_file()}"


def shown(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Each setting: name, value as text with secrets hidden, where it comes from, meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        source = _source(name, settings.flags) if name in settings.model_fields_set else "default"
        rows.append((name, _text(getattr(settings, name)), source, field.description or ""))
    return rows


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(hidden)" if value.get_secret_value() else ""
    return str(value)


def _in_file() -> dict[str, Any]:
    """What the settings file says. One that is named and not there is an error; without a name there may be none."""
    path = config_file()
    if not path.exists() and CONFIG_FILE_VARIABLE not in os.environ:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise SettingsError(f"{path}: the settings file cannot be read: {error.strerror}") from error
