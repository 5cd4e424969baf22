"""A webhook receiver for the demonstration: takes deliveries as a hospital's system would, and checks their signatures."""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request, Response, post
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from services.runtime.probes import HttpServer, listen


class WebhookReceiver:
    """``deliveries`` counts by delivery id; a repeated id is the same delivery once more."""

    def __init__(self) -> None:
        self._secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
        self.deliveries: Counter[str] = Counter()
        self.refused = 0
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator[WebhookReceiver]:
        """Serves on a free port of the loopback interface."""
        receiver = cls()
        server = HttpServer([receiver._route()], listen("127.0.0.1", 0))
        await server.start()
        receiver.url = f"{server.url}/alerts"
        try:
            yield receiver
        finally:
            await server.stop()

    def settings(self) -> dict[str, Any]:
        """The settings that make notify deliver here."""
        return {"webhook_url": self.url, "webhook_secret": SecretStr(self._secret)}

    def _route(self) -> Any:
        @post("/alerts")
        async def take(request: Request[Any, Any, Any]) -> Response[str]:
            body = await request.body()
            try:
                Webhook(self._secret).verify(body, dict(request.headers))
            except WebhookVerificationError:
                self.refused += 1
                return Response("the signature is wrong", status_code=401)
            self.deliveries[request.headers["webhook-id"]] += 1
            return Response("", status_code=204)

        return take
