"""Which tests are run against the mutants of a rule file: its own, those of the rules that it serves, and some of all rules."""

from __future__ import annotations

from pathlib import Path

_SERVES = {
    "allergens": ["allergy"],
    "critical_context": ["critical_lab"],
    "critical_limit": ["critical_lab", "rapid_change"],
    "dose_given": ["dose_range"],
    "dose_ordered": ["dose_range"],
    "dose_step": ["kidney_dose", "liver_dose"],
    "dosed": ["dose_range", "kidney_dose", "liver_dose", "liver_injury"],
    "drug_lab_asked": ["drug_lab"],
    "drug_lab_told": ["drug_lab"],
    "explaining": ["critical_lab", "rapid_change", "corrected_level"],
    "filtering": ["kidney_dose"],
    "heparin_exposure": ["heparin_platelets"],
    "opioid_kinds": ["opioid"],
    "opioid_therapy": ["opioid"],
    "order_pair": ["duplicate_therapy"],
    "score": ["qt", "heparin_platelets"],
    "taken": ["drug_lab", "bleeding", "given_after_stop"],
    "view": ["index", "conditions"],
    "rule": ["index"],
    "answer": ["conditions"],
    "answers_of_medicines": ["conditions"],
    "answers_of_person": ["conditions"],
    "answers_of_results": ["conditions"],
    "drug_level": ["drug_lab", "level", "corrected_level"],
    "drug_level_told": ["drug_lab", "level", "corrected_level"],
    "steady": ["drug_lab", "level"],
    "trend": ["drug_lab", "trend", "slope"],
    "trend_told": ["drug_lab", "trend", "slope"],
    "sampling": ["drug_lab", "level"],
}
_MORE = {
    "answers_of_medicines": ["written_conditions"],
    "answers_of_person": ["written_conditions"],
    "answers_of_results": ["written_conditions"],
    "conditions": ["knowledge_conditions", "written_conditions"],
    "drug_interaction": ["onc_pairs"],
    "evidence": ["evidence"],
    "filtering": ["kidney"],
    "interaction_mechanism": ["knowledge_mechanisms"],
    "kidney_dose": ["kidney"],
}
_ALWAYS = ["monitor_rules", "monitor_evaluate", "canaries"]
"""Whole stories; quick ones, for each survivor has run all of its tests."""


def tests_of(name: str, root: Path) -> list[str]:
    """Paths below ``root`` of the tests for ``services/monitor/rules/<name>.py``."""
    patterns = [f"test_rule_{each}*.py" for each in (name, *_SERVES.get(name, ()))]
    patterns += [f"test_{each}.py" for each in (*_MORE.get(name, ()), *_ALWAYS)]
    found = [path for pattern in patterns for path in sorted((root / "tests" / "unit").glob(pattern))]
    return [str(path.relative_to(root)) for path in dict.fromkeys(found)]
