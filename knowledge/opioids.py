"""What is said of opioids, to whom and how gravely: ``dosing/opioid_*.csv``. Morphine equivalents are in ``dose``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from msgspec import Struct

from knowledge.conditions import Conditions, Names, parsed
from knowledge.dose import Way
from knowledge.mechanism import Status, Step
from knowledge.sources import Sources
from knowledge.tables import Row, RowT, Table, read
from schemas.values import SEVERITIES, Citation, Severity

Kind = Literal["sedation", "tolerance", "daily-dose", "naloxone", "start", "continued", "toxicology"]
Fact = Literal[
    "naloxone", "high-dose", "new-opioid", "slow-breathing", "not-both-given", "not-tolerant", "said-tolerant", "opioid-before",
    "taken-before", "new-patient", "infused", "long-acting", "treats-use-disorder", "negative-since",
]  # fmt: skip
"""What the rule itself finds out of the patient and the orders."""
Role = Literal["tolerance", "for-tolerant", "long-acting", "rescue", "treats-use-disorder"]

FINDINGS, CONTEXT = "dosing/opioid_findings.csv", "dosing/opioid_context.csv"
ROLES, SIGNS, SCREENS = "dosing/opioid_roles.csv", "dosing/opioid_signs.csv", "dosing/opioid_screens.csv"


class _Stated(Row, frozen=True, kw_only=True):
    evidence_grade: str
    status: Status
    author: str


class FindingRow(_Stated, frozen=True, kw_only=True):
    """``days`` and ``gap_days`` are the ``span`` and ``gap`` of ``Advice``; ``factors`` are conditions of which one is enough."""

    finding: Kind
    problem: str = ""
    severity: Severity
    days: int | None = None
    gap_days: int | None = None
    factors: tuple[str, ...] = ()
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str


class ContextRow(_Stated, frozen=True, kw_only=True):
    finding: Kind
    facts: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    severity: Step
    reason: str


class RoleRow(_Stated, frozen=True, kw_only=True):
    """``a_day`` (of a patch its rate) is the amount that counts as ``tolerance``; other roles have none."""

    ingredient: str
    ways: tuple[str, ...] = ()
    role: Role
    unit: Literal["mg", "mcg/h"] | None = None
    a_day: float | None = None
    note: str = ""


class SignRow(_Stated, frozen=True, kw_only=True):
    sign: Literal["respiratory_rate"]
    at_most: float
    unit: str
    within_h: float


class ScreenRow(_Stated, frozen=True, kw_only=True):
    analyte: str
    substance: str
    severity: Severity


class OpioidContext(Struct, frozen=True, kw_only=True):
    """What makes a finding more or less grave: all of ``facts`` and ``when``, and none of ``unless``."""

    facts: frozenset[Fact]
    when: Conditions
    unless: Conditions
    severity: Step
    reason: str
    evidence_grade: str
    citations: tuple[Citation, ...]


class Advice(Struct, frozen=True, kw_only=True):
    """A kind of finding. ``span``: of ``sedation`` how long an opioid counts as new, of ``tolerance`` for how long it must have
    been taken, of ``naloxone`` how long a kit handed out counts, of ``start`` and ``continued`` until and from when they hold,
    of ``toxicology`` how long a result counts. Opioids not more than ``gap`` apart are one treatment. ``factors``: one of them
    is enough. ``contexts`` make it more or less grave."""

    kind: Kind
    problem: str
    severity: Severity
    span: timedelta
    gap: timedelta
    factors: Conditions
    title: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    citations: tuple[Citation, ...]
    contexts: tuple[OpioidContext, ...]

    def graded(self, holding: Iterable[OpioidContext]) -> tuple[Step, OpioidContext | None]:
        """The severity under the contexts that hold, with the one that decides: one that says ``none``, else the gravest."""
        decides = min(holding, key=_rank, default=None)
        return (self.severity, None) if decides is None else (decides.severity, decides)

    @property
    def asked(self) -> Conditions:
        """Every condition that its contexts and factors ask."""
        found = (*self.factors, *(each for context in self.contexts for each in (*context.when, *context.unless)))
        return tuple(dict.fromkeys(found))


class RoleOf(Struct, frozen=True, kw_only=True):
    """What an ingredient is by these ways; empty ``ways`` mean any."""

    role: Role
    ways: frozenset[Way]
    unit: str
    a_day: float | None
    citations: tuple[Citation, ...]


class Breathing(Struct, frozen=True, kw_only=True):
    """A rate of at most ``at_most`` breaths a minute is slow, for as long as it is not older than ``within``."""

    at_most: float
    within: timedelta
    citations: tuple[Citation, ...]


class Screen(Struct, frozen=True, kw_only=True):
    """A test for a substance whose result is a word."""

    analyte: str
    substance: str
    severity: Severity
    citations: tuple[Citation, ...]


class Opioids(Struct, frozen=True, kw_only=True):
    """All of it. ``advice`` has every kind; without any, nothing is said of opioids."""

    advice: Mapping[Kind, Advice] = {}
    roles: Mapping[str, tuple[RoleOf, ...]] = {}
    breathing: Breathing | None = None
    screens: tuple[Screen, ...] = ()

    def role(self, role: Role, ingredient: str, way: Way | None, *, unsure: bool = False) -> RoleOf | None:
        """The role of an ingredient given in a way; ``unsure``: one that is not known counts too."""
        for each in self.roles.get(ingredient, ()):
            if each.role == role and (not each.ways or way in each.ways or (way is None and unsure)):
                return each
        return None


def read_opioids(root: Traversable, sources: Sources, names: Names, ingredients: Collection[str]) -> Opioids:
    """Raises ``KnowledgeError`` at the first row that says what is not known, or says something twice."""
    reader = _Reader(root, sources, names, ingredients)
    contexts = reader.contexts()
    return Opioids(
        advice=reader.advice(contexts), roles=reader.roles(), breathing=reader.breathing(), screens=reader.screens()
    )


class _Reader:
    def __init__(self, root: Traversable, sources: Sources, names: Names, ingredients: Collection[str]) -> None:
        self._root, self._sources, self._names, self._ingredients = root, sources, names, ingredients

    def _table(self, file: str, row_type: type[RowT]) -> Table[RowT]:
        return self._sources.checked(read(self._root, file, row_type))

    def contexts(self) -> Mapping[Kind, tuple[OpioidContext, ...]]:
        table = self._table(CONTEXT, ContextRow)
        found: dict[Kind, tuple[OpioidContext, ...]] = {}
        seen: set[tuple[Any, ...]] = set()
        for row in table.rows:
            key = (row.finding, frozenset(row.facts), row.when, row.unless)
            if key in seen or not (row.facts or row.when):
                raise table.error(row, "when", "says of whom, and no other row says it of the same")
            seen.add(key)
            context = OpioidContext(
                facts=_among(row, table, "facts", Fact),
                when=self._conditions(row, table, "when"),
                unless=self._conditions(row, table, "unless"),
                severity=row.severity,
                reason=row.reason,
                evidence_grade=row.evidence_grade,
                citations=self._sources.citations(row.sources),
            )
            found[row.finding] = (*found.get(row.finding, ()), context)
        return found

    def advice(self, contexts: Mapping[Kind, tuple[OpioidContext, ...]]) -> Mapping[Kind, Advice]:
        table = self._table(FINDINGS, FindingRow)
        found: dict[Kind, Advice] = {}
        for row in table.rows:
            if row.finding in found:
                raise table.error(row, "finding", f"{row.finding!r} is there twice")
            found[row.finding] = Advice(
                kind=row.finding,
                problem=row.problem,
                severity=row.severity,
                span=timedelta(days=row.days or 0),
                gap=timedelta(days=row.gap_days or 0),
                factors=self._conditions(row, table, "factors"),
                title=row.title,
                effect=row.effect,
                actions=row.actions,
                patient_explanation=row.patient_explanation,
                evidence_grade=row.evidence_grade,
                citations=self._sources.citations(row.sources),
                contexts=contexts.get(row.finding, ()),
            )
        for kind in get_args(Kind):
            if kind not in found:
                raise table.error(table.rows[0], "finding", f"{kind!r} is missing")
        return found

    def roles(self) -> Mapping[str, tuple[RoleOf, ...]]:
        table = self._table(ROLES, RoleRow)
        found: dict[str, tuple[RoleOf, ...]] = {}
        for row in table.rows:
            if row.ingredient not in self._ingredients:
                raise table.error(
                    row, "ingredient", f"{row.ingredient!r} is no ingredient that a name in drugs/ stands for"
                )
            if (row.role == "tolerance") != (row.a_day is not None and row.a_day > 0 and row.unit is not None):
                raise table.error(row, "a_day", "of tolerance, and of nothing else, there is an amount with its unit")
            each = RoleOf(
                role=row.role,
                ways=_among(row, table, "ways", Way),
                unit=row.unit or "",
                a_day=row.a_day,
                citations=self._sources.citations(row.sources),
            )
            found[row.ingredient] = (*found.get(row.ingredient, ()), each)
        return found

    def breathing(self) -> Breathing:
        table = self._table(SIGNS, SignRow)
        row = table.rows[0]
        if len(table.rows) > 1 or row.at_most <= 0 or row.within_h <= 0:
            raise table.error(row, "sign", "there is one limit of the breathing rate, and it is more than nothing")
        return Breathing(
            at_most=row.at_most,
            within=timedelta(hours=row.within_h),
            citations=self._sources.citations(row.sources),
        )

    def screens(self) -> tuple[Screen, ...]:
        table = self._table(SCREENS, ScreenRow)
        for row in table.rows:
            if row.analyte not in self._names.analytes:
                raise table.error(row, "analyte", f"{row.analyte!r} is not in labs/analytes.csv")
        return tuple(
            Screen(
                analyte=row.analyte,
                substance=row.substance,
                severity=row.severity,
                citations=self._sources.citations(row.sources),
            )
            for row in table.rows
        )

    def _conditions(self, row: Row, table: Table[Any], column: str) -> Conditions:
        try:
            return parsed(getattr(row, column), self._names)
        except ValueError as error:
            raise table.error(row, column, str(error)) from error


def _among(row: Row, table: Table[Any], column: str, words: Any) -> frozenset[Any]:
    """The words of a cell, all of which the literal type ``words`` has."""
    for word in getattr(row, column):
        if word not in get_args(words):
            raise table.error(row, column, f"{word!r} is none of {', '.join(get_args(words))}")
    return frozenset(getattr(row, column))


def _rank(context: OpioidContext) -> int:
    return -1 if context.severity == "none" else SEVERITIES.index(context.severity)
