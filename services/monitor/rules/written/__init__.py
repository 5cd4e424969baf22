"""Rules written as data: one small interpreter for all of them."""

from __future__ import annotations

from knowledge.model import Knowledge
from services.monitor.rules.rule import Rule
from services.monitor.rules.written.rule import Here, Written


def written_rules(knowledge: Knowledge) -> tuple[Rule, ...]:
    """The written rules of the knowledge, those that are shipped before a site's own."""
    here = Here(knowledge.written)
    return tuple(Written(rule, here) for rule in knowledge.written)


__all__ = ["Written", "written_rules"]
