"""The texts of a written rule, filled with what is known of the patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from knowledge.conditions import OF_RESULTS
from knowledge.reading.written_texts import PLACEHOLDER, SUMMARY
from schemas.alerts import Condition
from services.monitor.patient.clock import said_at, said_span
from services.monitor.patient.estimates import clearance, filtration, in_unit
from services.monitor.patient.result import Result
from services.monitor.patient.state import PatientState
from services.monitor.rules.conditions import Answer
from services.monitor.rules.evidence import value_of
from services.monitor.rules.written.acts import About
from services.monitor.rules.written.due import Due

NOT_KNOWN = "not known"


class Texts:
    """Fills placeholders; what is not known is said to be so."""

    def __init__(self, about: About, found: Sequence[Answer], due: Sequence[Due], state: PatientState) -> None:
        self.about, self.late, self.state = about, due, state
        self._found = found

    def filled(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda found: self._said(found[1]), text)

    def summary(self, text: str) -> str:
        """As long as a summary may be; what is too long is cut where a word ends."""
        whole = self.filled(text)
        if whole.split(" ", 1)[0].islower():
            whole = whole[:1].upper() + whole[1:]
        if len(whole) <= SUMMARY:
            return whole
        return whole[: SUMMARY - 2].rsplit(" ", 1)[0] + " …"

    def _said(self, name: str) -> str:
        made = _MADE.get(name)
        if made is not None:
            return made(self) or NOT_KNOWN
        result = self._newest(self._analyte() if name in ("value", "when") else name)
        if result is None:
            return NOT_KNOWN
        return said_at(result.at) if name == "when" else value_of(result)

    def medicines(self) -> str:
        return ", ".join(self.about.ingredients)

    def ordered(self) -> str:
        return ", ".join(dict.fromkeys(order.label for order in self.about.orders)) or self.medicines()

    def days(self) -> str:
        return str(max((self.state.clock - self.about.began).days, 0))

    def age(self) -> str:
        years = self.state.years(self.state.clock)
        return "" if years is None else str(years)

    def weight(self) -> str:
        weight = in_unit(self.state, "weight", "kg")
        return "" if weight is None else f"{weight:g} kg"

    def estimated(self, name: str) -> str:
        estimate = filtration(self.state) if name == "egfr" else clearance(self.state)
        return "" if estimate is None else f"{estimate.value:.0f}"

    def missing(self) -> str:
        return ", ".join(" or ".join(each.names) for each in self.late)

    def last(self) -> str:
        """Of what is missing, that of which nothing is known for longest."""
        longest = min(self.late, key=lambda each: (each.last is not None, each.at), default=None)
        if longest is None:
            return ""
        # where several are missing, a value alone does not say of what it is
        which = f"{' or '.join(longest.names)} " if len(self.late) > 1 else ""
        if longest.last is None:
            return f"{which}never known"
        return f"{which}last {value_of(longest.last)} on {longest.last.at:%Y-%m-%d}"

    def due(self) -> str:
        return said_at(min(each.at for each in self.late)) if self.late else ""

    def found_of(self, *kinds: str) -> str:
        return ", ".join(dict.fromkeys(each.found for each in self._found if each.condition.kind in kinds))

    def _analyte(self) -> str:
        """Of which result the rule speaks: its trigger, or the first that it asks for."""
        if self.about.subject in self.state.results and not self.about.ingredients:
            return self.about.subject
        return next((each.condition.name for each in self._found if each.condition.kind in OF_RESULTS), "")

    def _newest(self, analyte: str) -> Result | None:
        return next((each for each in reversed(self.state.results.get(analyte, ())) if each.measured), None)


_MADE: dict[str, Callable[[Texts], str]] = {
    "medicine": Texts.medicines,
    "medicines": Texts.medicines,
    "ordered": Texts.ordered,
    "since": lambda texts: said_at(texts.about.began),
    "days": Texts.days,
    "age": Texts.age,
    "sex": lambda texts: texts.state.sex,
    "unit": lambda texts: texts.state.unit,
    "weight": Texts.weight,
    "egfr": lambda texts: texts.estimated("egfr"),
    "crcl": lambda texts: texts.estimated("crcl"),
    "missing": Texts.missing,
    "last": Texts.last,
    "due": Texts.due,
    "beside": lambda texts: texts.found_of("with", "beside"),
    "count": lambda texts: texts.found_of("count", "score").partition(":")[0],
}


def missing_in_words(due: Due, state: PatientState) -> str:
    """``TSH: never known; due since 2026-05-01 (184 d).``"""
    late = f"; due since {said_at(due.at)} ({said_span(state.clock - due.at)})"
    return f"{' or '.join(due.names)}: {_last(due.last)}{late}."


def missing_said(due: Due) -> Condition:
    """As a condition that was asked: when the result was due, and what is known of it."""
    return Condition(text=f"{' or '.join(due.names)} due {said_at(due.at)}", answer="yes", found=_last(due.last))


def _last(result: Result | None) -> str:
    return "never known" if result is None else f"last {value_of(result)} at {said_at(result.at)}"
