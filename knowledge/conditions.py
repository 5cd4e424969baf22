"""Conditions as the data write them (``potassium >= 5.5``, ``with proton-pump-inhibitor``): text in, a ``Condition`` out.

A cell ``when`` holds several, and all must hold. What they mean of a patient is in ``services/monitor/rules/conditions.py``; the
forms are listed in ``README.md``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Literal, NamedTuple, get_args

from msgspec import Struct

Kind = Literal[
    "result", "course", "own", "no_result", "old_result", "age", "weight", "kidney", "measure", "with", "without", "beside",
    "not_beside", "count", "score", "dose", "no_dose", "single", "no_single", "route", "way", "other_way", "also_way",
    "resistant", "history", "trait", "no_trait", "sex", "unit", "together", "acting",
]  # fmt: skip
Comparison = Literal[">=", "<=", ">", "<"]
Course = Literal["rise", "fall", "change", "ratio", "drop"]
Own = Literal["previous", "minimum", "maximum", "median"]
Trait = Literal[
    "pregnant", "lactating", "dialysis", "ventilated", "end_of_life", "inpatient", "benign_ethnic_neutropenia",
]  # fmt: skip

OF_RESULTS: frozenset[Kind] = frozenset({"result", "course", "own", "no_result", "old_result"})
"""Kinds whose ``name`` is an analyte."""
_TRAITS: frozenset[str] = frozenset(get_args(Trait))
_OP, _NUMBER = r"(?P<op>>=|<=|>|<)", r"\d+(?:\.\d+)?"
_LIMIT = rf"{_OP} (?P<value>{_NUMBER})"
_WITHIN = r"(?: within (?P<span>\d+) (?P<of>h|d))?"
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9 -]*?)"
_FORMS: tuple[tuple[Kind, str], ...] = (
    ("age", rf"age {_LIMIT} (?P<unit>years|days)"),
    ("weight", rf"weight {_LIMIT} (?P<unit>kg)"),
    ("kidney", rf"(?P<name>egfr|crcl) {_LIMIT}"),
    ("dose", rf"dose {_LIMIT} (?P<unit>mg|g|mcg)/day"),
    ("no_dose", r"dose unknown"),
    ("single", rf"single dose {_LIMIT} (?P<unit>mg|g|mcg)"),
    ("no_single", r"single dose unknown"),
    ("together", r"together (?P<op>>=|<) (?P<value>\d+) d"),
    ("acting", r"acting (?P<op>>=|<) (?P<value>\d+) (?P<unit>h|d)"),
    ("measure", rf"measured (?P<name>[a-z_]+) {_LIMIT} (?P<unit>[^ ]+){_WITHIN}"),
    ("count", rf"count (?P<name>[a-z0-9-]+) {_LIMIT}"),
    ("score", rf"score (?P<name>[a-z0-9-]+) {_LIMIT}"),
    ("beside", r"with ingredient (?P<name>.+)"),
    ("not_beside", r"without ingredient (?P<name>.+)"),
    ("with", r"with (?P<name>[a-z0-9-]+)(?: (?P<grade>[a-z_]+))?"),
    ("without", r"without (?P<name>[a-z0-9-]+)(?: (?P<grade>[a-z_]+))?"),
    ("route", r"route (?P<name>[a-z]+)"),
    ("way", r"way (?P<name>[a-z]+)"),
    ("other_way", r"other way (?P<name>[a-z]+)"),
    ("also_way", r"also way (?P<name>[a-z]+)"),
    ("resistant", rf"resistant{_WITHIN}"),
    ("history", r"history (?P<name>[a-z0-9-]+)"),
    ("sex", r"sex (?P<name>female|male)"),
    ("unit", r"unit (?P<name>.+)"),
    ("trait", r"(?P<name>[a-z_]+)"),
    ("no_trait", r"(?P<name>[a-z_]+) unknown"),
    ("no_result", rf"{_NAME} unknown{_WITHIN}"),
    ("old_result", rf"{_NAME} older than (?P<span>\d+) (?P<of>h|d)"),
    (
        "own",
        rf"{_NAME} {_OP} (?:(?P<factor>{_NUMBER}) x )?(?P<own>previous|minimum|maximum|median)(?: (?P<value>[+-] {_NUMBER}))?"
        + _WITHIN,
    ),
    ("course", rf"{_NAME} (?P<course>rise|fall|change|ratio|drop) {_LIMIT}(?: (?P<unit>%))?{_WITHIN}"),
    ("result", rf"{_NAME} {_LIMIT}{_WITHIN}"),
)
_WITH_UNITS = {
    "age": "years or days", "weight": "kg", "dose": "mg/day, g/day or mcg/day", "together": "d", "acting": "h or d",
}  # fmt: skip
_MILLIGRAMS = {"mg": 1.0, "g": 1000.0, "mcg": 0.001}


class Condition(Struct, frozen=True, kw_only=True):
    """``name`` is an analyte, a property, an ingredient, a condition group, a place, a way, a formula, a measurement, a unit of
    the hospital or a trait, by ``kind``. ``value`` is in the canonical unit of the analyte or the unit of the measurement, in
    years, days, kg, mL/min, mg or mg a day; of a ``ratio`` a plain factor, of a ``drop`` percent; of ``acting`` days.

    ``within``: of a result, how old it may be; of a course and of what is compared with ``own`` values (``factor`` times
    that of the patient, and ``value`` more), the span before the newest result.
    """

    text: str
    kind: Kind
    name: str = ""
    op: Comparison = ">="
    value: float = 0.0
    unit: str = ""
    grade: str = ""
    course: Course = "rise"
    own: Own = "previous"
    factor: float = 1.0
    within: timedelta | None = None

    def compares(self, found: float) -> bool:
        """Whether ``found`` is on the side of the limit that the condition names."""
        match self.op:
            case ">=":
                return found >= self.value
            case "<=":
                return found <= self.value
            case ">":
                return found > self.value
        return found < self.value


Conditions = tuple[Condition, ...]


class Names(NamedTuple):
    """What a condition may speak of."""

    analytes: Collection[str]
    properties: Collection[str]
    groups: Collection[str]
    places: Collection[str]
    ways: Collection[str] = ()
    ingredients: Collection[str] = ()
    measures: Collection[str] = ()


def parsed(cells: Iterable[str], names: Names) -> Conditions:
    """The conditions of a cell. Raises ``ValueError`` with what is wrong and what is expected."""
    return tuple(_parsed(text, names) for text in cells)


def _parsed(text: str, names: Names) -> Condition:
    plain = " ".join(text.split())
    for kind, form in _FORMS:
        found = re.fullmatch(form, plain)
        if found is None or (kind in ("trait", "no_trait") and found["name"] not in _TRAITS):
            continue
        if kind == "result" and found["name"] in _WITH_UNITS:
            raise ValueError(f"{plain!r}: say the unit: {_WITH_UNITS[found['name']]}")
        if kind == "result" and found["name"].startswith("measured "):
            raise ValueError(f"{plain!r}: say the unit that it is measured in, as UCUM has it: < 38 Cel")
        if kind == "own" and found["own"] != "previous" and found["span"] is None:
            raise ValueError(f"{plain!r}: say how far back the {found['own']} is looked for: within 90 d")
        said = {name: value for name, value in found.groupdict().items() if value is not None}
        known = {
            "with": names.properties, "without": names.properties, "history": names.groups, "route": names.places,
            "way": names.ways, "other_way": names.ways, "also_way": names.ways, "measure": names.measures,
            "count": names.properties, "score": names.properties, "beside": names.ingredients,
            "not_beside": names.ingredients,
        }  # fmt: skip
        expected = names.analytes if kind in OF_RESULTS else known.get(kind)
        if expected is not None and said["name"] not in expected:
            raise ValueError(f"{plain!r}: {said['name']!r} is not known here; {nearest(said['name'], expected)}")
        return _built(plain, kind, said)
    raise ValueError(f"{plain!r} is no condition; docs/rules.md lists the forms")


def _built(text: str, kind: Kind, said: dict[str, str]) -> Condition:
    unit, span = said.get("unit", ""), said.get("span")
    within = None
    if span is not None:
        within = timedelta(hours=int(span)) if said["of"] == "h" else timedelta(days=int(span))
    value = float(said.get("value", "0").replace(" ", ""))
    if kind in ("dose", "single"):
        value *= _MILLIGRAMS[unit]
    if kind == "acting" and unit == "h":
        value /= 24
    return Condition(
        text=text,
        kind=kind,
        name=said.get("name", ""),
        op=said.get("op", ">="),  # type: ignore[arg-type]
        value=value,
        unit={"dose": "mg/day", "single": "mg", "acting": "d"}.get(kind, unit),
        grade=said.get("grade", ""),
        course=said.get("course", "rise"),  # type: ignore[arg-type]
        own=said.get("own", "previous"),  # type: ignore[arg-type]
        factor=float(said.get("factor", 1)),
        within=within,
    )


def nearest(name: str, known: Collection[str]) -> str:
    """What may have been meant, in words: the names nearest to ``name``, or some of those that there are."""
    near = get_close_matches(name, known, n=3, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(repr(each) for each in near)}?"
    listed = sorted(known)
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    return f"it is to be one of {', '.join(listed[:8])}{more}"
