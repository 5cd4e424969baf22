"""The rules, one family a file. A new family is a new file and one line in ``RULES``."""

from __future__ import annotations

from services.monitor.rules.critical_lab import CriticalLab
from services.monitor.rules.drug_interaction import DrugInteraction
from services.monitor.rules.rule import Rule

RULES: tuple[Rule, ...] = (DrugInteraction(), CriticalLab())

__all__ = ["RULES", "Rule"]
