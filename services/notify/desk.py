"""What the pages and the API work with."""

from __future__ import annotations

from typing import Any

from litestar.di import Provide

from knowledge.explanation import Explanations
from services.notify.metrics import NotifyMetrics
from services.runtime.clock import Clock


class Desk:
    """The store, the time, what counts people's answers and what patients are told; a route takes it as its argument ``desk``."""

    def __init__(self, pool: Any, metrics: NotifyMetrics, clock: Clock, explanations: Explanations) -> None:
        self.pool = pool
        self.metrics = metrics
        self.clock = clock
        self.explanations = explanations

    def dependencies(self) -> dict[str, Provide]:
        """Hands this desk to the routes of a router."""
        return {"desk": Provide(lambda: self, sync_to_thread=False)}
