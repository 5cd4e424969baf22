"""Rules for tests of what is done with rules: small, and each with one way to answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import Any

import pytest

from knowledge.model import Knowledge
from schemas.values import Citation
from services.monitor import evaluate
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.state import PatientState
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.rule import Finding, Reads, Rule

Said = Finding | Obligation


def found(subject: str, state: PatientState, **more: Any) -> Finding:
    fields: dict[str, Any] = {
        "subject": subject, "severity": "high", "summary": f"{subject} found", "detail": "", "actions": (), "citations": (),
        "patient_explanation": "", "evidence_grade": "label", "implicated": (), "since": state.clock,
    }  # fmt: skip
    return Finding(**(fields | more))


class Asked:
    """A rule of one part that is asked at each change of lithium, as an order or as a result, and says what ``answer`` says."""

    family = title = "test"
    data: tuple[str, ...] = ()

    def __init__(
        self,
        answer: Callable[[PatientState], Iterable[Said]],
        id: str = "asked",  # noqa: A002
        version: str = "1",
        parts: Collection[str] = ("",),
    ) -> None:
        self.id, self.version = id, version
        self._answer, self._parts = answer, parts
        self.times: list[Any] = []
        """The patient's clock each time that a part was asked."""

    def reads(self, knowledge: Knowledge) -> Reads:
        return Reads(ingredients=("lithium",), analytes={"lithium": Need(3)}, doses=False)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return ()

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return self._parts if "lithium" in (*change.ingredients, *change.analytes) else ()

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Said]:
        self.times.append(state.clock)
        return self._answer(state)


WITHIN = timedelta(hours=48)


def no_level(state: PatientState) -> Iterable[Said]:
    """A level is wanted within two days of the start of lithium, once."""
    for order in state.acting():
        if "lithium" in order.ingredients:
            since, due = order.starts, order.starts + WITHIN
            if any(not each.void and each.at >= since for each in state.results.get("lithium", ())):
                continue
            if state.clock < due:
                yield Obligation("result", "lithium", due, "", since)
            else:
                yield found("lithium", state, since=due, implicated=(implicate_order(order),))


def use(monkeypatch: pytest.MonkeyPatch, *rules: Rule) -> None:
    """From now on these are the rules, for the rest of a test."""
    monkeypatch.setattr(evaluate, "RULES", rules)
    monkeypatch.setattr(evaluate, "written_rules", lambda knowledge: ())
    monkeypatch.setattr(evaluate, "_last", [])
