"""What becomes of a medicine when a patient comes to hospital or leaves it, and of one that was stopped because it harmed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Literal

from msgspec import Struct

from knowledge.conditions import Conditions
from knowledge.joined import ByMedicine, OfMedicine
from knowledge.statement import Advised
from schemas.values import SEVERITIES, Severity

Transferred = Literal["admission", "discharge"]

_DENIED = re.compile(r"\b(no|not|without|denies|denied|never|excluded|ruled out)\s+(\w+\s+){0,3}$")
"""What stands before a word and takes it back; up to three words may stand between (``no sign of a rash``)."""


class NotContinued(OfMedicine, frozen=True, kw_only=True):
    """A medicine of home about which nobody decides. ``wait``: how long after the admission or the discharge a decision is waited
    for; ``lasts``: how long after it the question is asked. None of ``unless`` may be a known yes."""

    at: Transferred
    wait: timedelta
    lasts: timedelta
    unless: Conditions


class Harm(Advised, frozen=True, kw_only=True):
    """A harm that a reason may speak of, in one of these ``words`` (small letters)."""

    id: str
    words: tuple[str, ...]
    severity: Severity


class Transfers(Struct, frozen=True, kw_only=True, dict=True):
    """``not_continued`` by where; ``harms``: the gravest first."""

    not_continued: Mapping[Transferred, ByMedicine[NotContinued]] = {}
    harms: tuple[Harm, ...] = ()

    def harm_in(self, reason: str) -> Harm | None:
        """The gravest harm of which a reason speaks; None where it speaks of none, or says that there was none."""
        text = reason.casefold()
        for harm, pattern in self._patterns:
            if any(not _DENIED.search(text[: found.start()]) for found in pattern.finditer(text)):
                return harm
        return None

    @cached_property
    def _patterns(self) -> tuple[tuple[Harm, re.Pattern[str]], ...]:
        return tuple((harm, re.compile(rf"\b({'|'.join(map(re.escape, harm.words))})")) for harm in self.harms)


def gravest_harm_first(harm: Harm) -> tuple[int, str]:
    """The key by which the gravest harm comes first."""
    return SEVERITIES.index(harm.severity), harm.id
