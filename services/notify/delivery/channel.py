"""What a channel is."""

from __future__ import annotations

from typing import Protocol

from schemas.alerts import Alert
from services.notify.store.deliveries import Delivery


class NotAcceptedError(Exception):
    """The receiver did not accept a delivery. ``outcome`` is ``refused``, ``timeout`` or ``unreachable``; ``detail`` is a
    status or a kind of error, without clinical content."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(f"{outcome}: {detail}")
        self.outcome = outcome
        self.detail = detail


class Channel(Protocol):
    """One way to a receiver.

    ``name`` is part of every delivery id and never changes. ``timeout`` bounds one call of ``send``, in seconds.
    """

    name: str
    timeout: float

    def body(self, alert: Alert) -> str:
        """What is delivered of this revision: fixed when it is put into the outbox, the same at every attempt."""
        ...

    async def send(self, delivery: Delivery) -> str:
        """Deliver; what the receiver said. Raises ``NotAcceptedError``. After a crash the same delivery is sent again under
        the same id."""
        ...
