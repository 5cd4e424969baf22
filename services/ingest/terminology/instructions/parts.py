"""What an instruction is made of."""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.values import Quantity

PartKind = Literal[
    "dose", "bare", "per_day", "rate", "often", "up_to", "moment", "clock", "weekday", "meal", "single", "count", "lasting",
    "need", "directed", "most", "most_often", "and", "comma", "filler", "unclear_dose", "unclear_frequency", "unknown",
]  # fmt: skip


class Part(NamedTuple):
    """``low`` to ``high`` is an amount (in ``unit``), a number of times a day, or days. ``also`` says the amount of a dose in
    other units. An ``unknown`` part may still be a word for how often, in ``low``."""

    kind: PartKind
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    key: str = ""
    also: tuple[Quantity, ...] = ()

    @property
    def quantity(self) -> Quantity:
        return Quantity(self.low, self.unit, self.high) if self.high != self.low else Quantity(self.low, self.unit)
