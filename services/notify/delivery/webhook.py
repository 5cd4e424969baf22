"""Alerts as signed webhooks: https://www.standardwebhooks.com, version 1."""

from __future__ import annotations

import asyncio

import httpx
from msgspec import Raw, Struct
from standardwebhooks import Webhook as Signer

from schemas import codec
from schemas.alerts import Alert
from schemas.cloudevents import type_name
from schemas.values import Time
from services.notify.delivery.channel import NotAcceptedError
from services.notify.errors import NotifyError
from services.notify.store.deliveries import Delivery
from services.runtime.clock import Clock
from services.runtime.settings import Settings

TIMEOUT_SECONDS = 10.0


class WebhookSettingsError(NotifyError):
    """The webhook cannot be used as it is set; the message says what to set."""


class Body(Struct, frozen=True):
    """What is posted. ``timestamp`` is when the monitor made this revision."""

    type: str
    timestamp: Time
    data: Raw


class Webhook:
    """Posts to one URL. Accepted is any 2xx; a redirect is not followed: it would carry clinical content elsewhere."""

    name = "webhook"
    timeout = TIMEOUT_SECONDS

    def __init__(self, url: str, secret: str, clock: Clock, client: httpx.AsyncClient) -> None:
        self._url = url
        self._signer = _signer(secret)
        self._clock = clock
        self._client = client

    def body(self, alert: Alert) -> str:
        return codec.encode(Body(type_name("alert"), alert.detected_at, Raw(codec.encode(alert)))).decode()

    async def send(self, delivery: Delivery) -> str:
        now = self._clock()
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery.delivery_id, now, delivery.body),
        }
        status = await self._post(delivery.body.encode(), headers)
        if not 200 <= status < 300:
            raise NotAcceptedError("refused", f"HTTP {status}")
        return f"HTTP {status}"

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            # httpx bounds each step; this bounds the whole, also against a receiver that answers byte by byte
            async with asyncio.timeout(self.timeout):
                request = self._client.stream("POST", self._url, content=body, headers=headers, follow_redirects=False)
                async with request as response:
                    return response.status_code
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NotAcceptedError("timeout", f"no answer within {self.timeout:g} s") from error
        except httpx.HTTPError as error:
            raise NotAcceptedError("unreachable", type(error).__name__) from error


def webhook(settings: Settings, clock: Clock, client: httpx.AsyncClient) -> Webhook | None:
    """The webhook that the settings name; None when they name none. Raises ``WebhookSettingsError``."""
    if not settings.webhook_url:
        return None
    if not _is_web(settings.webhook_url):
        raise WebhookSettingsError("webhook_url must begin with http:// or https:// and name a host")
    return Webhook(settings.webhook_url, settings.webhook_secret.get_secret_value(), clock, client)


def _is_web(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _signer(secret: str) -> Signer:
    if not secret.removeprefix("whsec_"):
        raise WebhookSettingsError(
            "webhook_url is set and webhook_secret is not: a receiver could not tell our alerts from others. "
            "Set RXVIGIL_WEBHOOK_SECRET to 'whsec_' and 24 to 64 random bytes in base64."
        )
    try:
        return Signer(secret)
    except Exception as error:
        raise WebhookSettingsError("webhook_secret is not 'whsec_' and base64") from error
