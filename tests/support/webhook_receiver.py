"""A receiver of webhooks that answers as a test says and verifies each delivery with the standardwebhooks library."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from litestar import Request, Response, post
from standardwebhooks import Webhook

from services.runtime.probes import HttpServer, listen

SECRET = f"whsec_{base64.b64encode(b'a secret for the tests 1').decode()}"


class Received(NamedTuple):
    """One delivery as it came: its id and its body, whose signature was right."""

    id: str
    body: Any


class Receiver:
    """``status`` is what it answers; ``seconds`` how long it takes. ``at_once`` is the most deliveries of one id that were
    ever under way together."""

    def __init__(self) -> None:
        self.status = 204
        self.seconds = 0.0
        self.received: list[Received] = []
        self.accepted: list[Received] = []
        self.headers: dict[str, str] = {}
        self.at_once = 0
        self.url = ""
        self._under_way: list[str] = []
        self._came = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def started(cls, port: int = 0) -> AsyncIterator[Receiver]:
        receiver = cls()
        server = HttpServer([receiver._route()], listen("127.0.0.1", port))
        await server.start()
        receiver.url = f"{server.url}/hook"
        try:
            yield receiver
        finally:
            await server.stop()

    async def until(self, enough: Callable[[Receiver], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: enough(self))

    def _route(self) -> Any:
        @post("/hook")
        async def take(request: Request[Any, Any, Any]) -> Response[str]:
            # raises, and so answers 500, when the signature or the time stamp is wrong
            verified = Webhook(SECRET).verify(await request.body(), dict(request.headers))
            delivery = Received(request.headers["webhook-id"], verified)
            self._under_way.append(delivery.id)
            self.at_once = max(self.at_once, self._under_way.count(delivery.id))
            self.headers = dict(request.headers)
            status = self.status
            await asyncio.sleep(self.seconds)
            self._under_way.remove(delivery.id)
            async with self._came:
                self.received.append(delivery)
                if 200 <= status < 300:
                    self.accepted.append(delivery)
                self._came.notify_all()
            return Response("", status_code=status, headers={"location": f"{self.url}/elsewhere"})

        return take
