"""Whether what grew is resistant to a medicine, as its laboratory tested it (``labs/analytes.csv``: ``... susceptibility``)."""

from __future__ import annotations

from collections.abc import Collection

from knowledge.conditions import Condition
from knowledge.model import Knowledge
from services.monitor.patient.clock import earlier, later, said_at
from services.monitor.patient.result import Result
from services.monitor.rules.answer import Answer, Situation
from services.monitor.rules.answers_of_results import MOMENT
from services.monitor.rules.evidence import implicate_result

TESTED = " susceptibility"
"""What the name of such an analyte ends with; before it are the ingredients that were tested together, with hyphens between."""
_RESISTANT = frozenset({"r", "resistant"})
"""HL7 table 0078, as a flag or in words."""
_known: list[tuple[Knowledge, dict[frozenset[str], str]]] = []


def tests(knowledge: Knowledge) -> Collection[str]:
    """The analytes that are such tests."""
    return _tests(knowledge).values()


def resistant(condition: Condition, of: Situation) -> Answer:
    """Of what is in the orders together: amoxicillin with clavulanate is not asked of amoxicillin alone. The newest specimen
    decides; of several that were taken at once any that is resistant."""
    oldest = None if condition.within is None else earlier(of.state.clock, condition.within)
    asked = sorted({test for order in of.orders if (test := _test(order.ingredients, of))})
    said = [
        each for name in asked for each in of.state.results.get(name, ())
        if not each.void and (each.text or each.flag) and (oldest is None or each.at >= oldest)
    ]  # fmt: skip
    if not said:
        return Answer(condition=condition, holds=None, found="not tested, as far as known")
    last = max(each.at for each in said)
    newest = [each for each in said if each.at == last]
    grew = [each for each in newest if _is_resistant(each)]
    shown = grew or newest
    until = None if condition.within is None else later(last, condition.within + MOMENT)
    found = "; ".join(f"{each.label or each.text}: {each.text or each.flag} at {said_at(each.at)}" for each in shown)
    return Answer(
        condition=condition, holds=bool(grew), found=found, facts=tuple(map(implicate_result, shown)), until=until
    )


def _is_resistant(result: Result) -> bool:
    return any(word.strip().casefold() in _RESISTANT for word in (result.text, result.flag))


def _test(ingredients: Collection[str], of: Situation) -> str:
    """The test that names most of what is in an order, and the medicine that is asked about; empty where there is none."""
    inside = [each for each in _tests(of.knowledge) if each <= set(ingredients) and of.ingredient in each]
    return _tests(of.knowledge)[max(inside, key=len)] if inside else ""


def _tests(knowledge: Knowledge) -> dict[frozenset[str], str]:
    if not _known or _known[0][0] is not knowledge:
        names = {each.name for each in (*knowledge.analytes.values(), *knowledge.local_analytes.values())}
        found = {frozenset(each.removesuffix(TESTED).split("-")): each for each in names if each.endswith(TESTED)}
        _known[:] = [(knowledge, found)]
    return _known[0][1]
