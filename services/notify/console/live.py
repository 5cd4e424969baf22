"""The event stream that keeps a page fresh.

Every few seconds a ``beat`` says whether alerts are coming in; a page that hears none has lost the connection and says so.
``changed`` tells the page to fetch again what it shows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from litestar.response import ServerSentEventMessage

from services.notify.store.changes import Changes
from services.runtime.probes import Ready

BEAT_SECONDS = 3.0


async def events(changes: Changes, ready: Ready) -> AsyncIterator[ServerSentEventMessage]:
    """Events until notify stops. The first is ``changed``: what was shown before the connection may be old."""
    seen = -1
    while not changes.closed:
        if changes.number != seen:
            seen = changes.number
            yield ServerSentEventMessage(event="changed", data=str(seen))
        yield ServerSentEventMessage(event="beat", data=ready())
        await changes.wait(seen, BEAT_SECONDS)
