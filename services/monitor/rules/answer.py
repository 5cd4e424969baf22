"""What a condition is asked of, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from knowledge.conditions import Condition
from knowledge.model import Knowledge
from schemas.alerts import Implicated
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState


class Situation(Struct, frozen=True, kw_only=True):
    """What the conditions of one finding are asked of. ``orders`` are those of the finding; ``objects`` those of them that the
    row is about, and ``ingredient`` the one of theirs whose dose is asked for. ``began`` is when the medicine that it is about
    began to act without a gap, where the rule knows it."""

    state: PatientState
    knowledge: Knowledge
    orders: Sequence[Order] = ()
    objects: Sequence[Order] = ()
    ingredient: str = ""
    began: datetime | None = None

    @property
    def since(self) -> datetime:
        """From when the orders act together."""
        return max((order.starts for order in self.orders), default=self.state.clock)


class Answer(Struct, frozen=True, kw_only=True):
    """``holds`` is None where it is not known. ``found`` is what was looked at, in words; ``facts`` are the facts behind it.
    ``until``: when time alone may change the answer."""

    condition: Condition
    holds: bool | None
    found: str
    facts: tuple[Implicated, ...] = ()
    until: datetime | None = None
