"""Which groups of diagnoses a change is about. Most entries of a list of problems are in none that a rule asks for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from knowledge.conditions import Conditions
from knowledge.model import Knowledge
from services.monitor.patient.change import Change

_last: list[tuple[Change, Knowledge, frozenset[str]]] = []


def groups_of(conditions: Iterable[Conditions]) -> frozenset[str]:
    """The groups that these ask for."""
    return frozenset(each.name for each in chain.from_iterable(conditions) if each.kind == "history")


def about(change: Change, knowledge: Knowledge) -> frozenset[str] | None:
    """The groups whose members differ; None: all of them, since nothing was known of the diagnoses, or nothing is now."""
    if change.diagnoses is None:
        return None
    # the rules ask one after another of the same change
    if not _last or _last[0][0] is not change or _last[0][1] is not knowledge:
        groups = knowledge.diagnoses.groups_of
        codings = chain.from_iterable(each.codings for each in change.diagnoses)
        _last[:] = [(change, knowledge, frozenset(chain.from_iterable(groups(c.system, c.code) for c in codings)))]
    return _last[0][2]


def tells(change: Change, groups: frozenset[str], knowledge: Knowledge) -> bool:
    """Whether the lists of problems changed in one of these groups."""
    if "history" not in change.person:
        return False
    touched = about(change, knowledge)
    return touched is None or not touched.isdisjoint(groups)
