"""Findings that an event made to be held back, for counting: what reaches nobody is not lost from sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from services.monitor.patient.standing import Standing
from services.monitor.patient.state import PatientState

Reason = Literal["grace", "graver", "rule"]
"""``grace``: the right action may still come; ``graver``: another alert speaks for it; ``rule``: its rule wants it told to
nobody, a low-priority pair without a laboratory reason."""

TellHeld = Callable[[str, Reason], None]
"""Told the rule's id and the reason, once when a finding is first held back for it. A repetition after a crash tells it again."""


def newly_held(before: PatientState | None, after: PatientState | None) -> Iterator[tuple[str, Reason]]:
    """The rule and the reason of each finding that is held back after, and was not before or for another reason."""
    former = before.standing if before is not None else {}
    if after is None or after.standing is former:
        return
    for key, each in after.standing.items():
        if (reason := reason_of(each)) is not None:
            known = former.get(key)
            if known is None or reason_of(known) != reason:
                yield each.rule, reason


def reason_of(standing: Standing) -> Reason | None:
    """None for a finding that is an alert."""
    if not standing.held:
        return None
    if standing.by:
        return "graver"
    return "grace" if standing.opens is not None else "rule"
