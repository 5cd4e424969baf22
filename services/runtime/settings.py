"""Settings, from flags, then environment (``RXVIGIL_BROKERS``), then a file (``rxvigil.toml``), then the defaults here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
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
        file = TomlConfigSettingsSource(settings_cls, Path(os.environ.get(CONFIG_FILE_VARIABLE, "rxvigil.toml")))
        return init_settings, env_settings, file
