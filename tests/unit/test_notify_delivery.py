"""The parts of a delivery that need no server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.notify.delivery.backoff import pause
from services.notify.delivery.webhook import Webhook, WebhookSettingsError, webhook
from services.notify.store.deliveries import delivery_id
from services.runtime.clock import system_clock
from services.runtime.settings import Settings
from tests.support.alerts import alert
from tests.support.webhook_receiver import SECRET


def test_pauses_grow_to_a_minute_and_stay_there() -> None:
    assert [pause(attempt).total_seconds() for attempt in range(1, 9)] == [1, 2, 5, 10, 30, 60, 60, 60]


def test_a_delivery_id_is_fixed_by_channel_alert_and_revision() -> None:
    assert delivery_id("webhook", "a", 1) == delivery_id("webhook", "a", 1)
    assert len({delivery_id(*of) for of in (("webhook", "a", 1), ("webhook", "a", 2), ("mail", "a", 1))}) == 3


def _settings(**more: Any) -> Settings:
    return Settings(**more)


async def test_a_webhook_without_a_usable_secret_or_url_is_refused_at_the_start() -> None:
    async with httpx.AsyncClient() as client:
        assert webhook(_settings(), system_clock, client) is None
        for secret in ("", "whsec_"):
            with pytest.raises(WebhookSettingsError, match="RXVIGIL_WEBHOOK_SECRET"):
                webhook(
                    _settings(webhook_url="http://127.0.0.1:1/x", webhook_secret=SecretStr(secret)),
                    system_clock,
                    client,
                )
        for url in ("127.0.0.1:1/x", "ftp://h/x", "http://", "http://h:port/x"):
            with pytest.raises(WebhookSettingsError, match="webhook_url"):
                webhook(_settings(webhook_url=url, webhook_secret=SecretStr(SECRET)), system_clock, client)


async def test_the_body_is_the_alert_with_its_type_and_the_time_of_the_revision() -> None:
    one = alert("critical", detected_at=datetime(2026, 11, 2, 4, 5, 6, tzinfo=UTC))
    async with httpx.AsyncClient() as client:
        body = json.loads(Webhook("http://127.0.0.1:1/x", SECRET, system_clock, client).body(one))
    assert body["type"] == "rxvigil.alert.v1"
    assert body["timestamp"] == "2026-11-02T04:05:06Z"
    assert (body["data"]["alert_id"], body["data"]["severity"]) == (one.alert_id, "critical")
