"""What is told of the canaries. An outcome is of a whole round."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

Round = Literal["held", "failed", "unanswered", "unsent"]
"""``failed``: a canary came back and is not as it has to be; ``unanswered``: one did not come back in time; ``unsent``: the
broker did not take them."""


class CanaryMetrics:
    """Only of the process whose turn it is: see ``prober``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.holds = Gauge(
            "rxvigil_canary_holds",
            "1 where the rule found what it has to find, and nothing where it has to be silent, when it was last tried",
            ["rule"],
            registry=registry,
        )
        self.last_held = Gauge(
            "rxvigil_canary_last_held_timestamp_seconds",
            "When the rule's canary last held; from the start of the process until then",
            ["rule"],
            registry=registry,
        )
        self.rounds = Counter(
            "rxvigil_canary_runs_total",
            "Rounds of all canaries by outcome: held, failed, unanswered, unsent",
            ["outcome"],
            registry=registry,
        )
        self._rules: set[str] = set()

    def of(self, rules: set[str], now: float) -> None:
        """These are the rules from now on (``now``: seconds since the epoch)."""
        for gone in self._rules - rules:
            for gauge in (self.holds, self.last_held):
                gauge.remove(gone)
        for new in rules - self._rules:
            self.last_held.labels(new).set(now)
        self._rules = set(rules)

    def tried(self, rule: str, held: bool, now: float) -> None:
        """A canary came back."""
        self.holds.labels(rule).set(held)
        if held:
            self.last_held.labels(rule).set(now)

    def nobody(self) -> None:
        """It is another process's turn."""
        self.holds.clear()
        self.last_held.clear()
        self._rules.clear()
