"""What the pages and the API work with."""

from __future__ import annotations

from typing import Any

from litestar.di import Provide

from services.notify.metrics import NotifyMetrics
from services.runtime.clock import Clock


class Desk:
    """The store, the time and what counts people's answers; a route takes it as its argument ``desk``."""

    def __init__(self, pool: Any, metrics: NotifyMetrics, clock: Clock) -> None:
        self.pool = pool
        self.metrics = metrics
        self.clock = clock

    def dependencies(self) -> dict[str, Provide]:
        """Hands this desk to the routes of a router."""
        return {"desk": Provide(lambda: self, sync_to_thread=False)}
