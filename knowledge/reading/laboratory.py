"""Reads what is measured, in what and in which units, and when a value is critical: ``labs/``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from msgspec import convert
from msgspec.structs import replace

from knowledge.model import WORDS, Advice, Analyte, Band, CriticalLimit, SpecimenKind, plain_unit
from knowledge.reading.cells import check_known
from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, Table, read
from schemas.events import Drawn, MeasuredIn
from schemas.values import SEVERITIES, Severity

_DIGITS = 3
"""Significant digits of a limit that was published in another unit: the published ones have no more."""


class AnalyteRow(Row, frozen=True, kw_only=True):
    """``plausible_low`` and ``plausible_high``: beyond them a value is more likely a slip than a finding. The unit ``text`` is
    that of results in words: it has no range."""

    name: str
    unit: str
    plausible_low: float | None = None
    plausible_high: float | None = None


Sample = Literal[
    "serum or plasma", "blood", "arterial blood", "venous blood", "mixed venous blood", "capillary blood", "urine", "unsaid"
]  # fmt: skip
DrawnCell = Literal["trough", "peak", "over 12 h after dose", "fasting", "before dialysis", "after dialysis"]


class LoincRow(Row, frozen=True, kw_only=True):
    """What was measured in, and when it was drawn where the code says so. Codes of other specimens are not listed."""

    code: str
    analyte: str
    specimen: Sample
    drawn: DrawnCell | None = None
    description: str


class LocalCodeRow(LoincRow, frozen=True, kw_only=True):
    """A code of a site's own system, as it stands in its messages."""

    system: str


class UnitRow(Row, frozen=True, kw_only=True):
    """A value in ``spelling`` times ``factor``, plus ``offset``, is the value in the analyte's unit. ``none`` is no unit at
    all."""

    analyte: str
    spelling: str
    factor: float
    offset: float = 0


class SpellingRow(Row, frozen=True, kw_only=True):
    """Another way to write ``unit``, or another unit of the same size, for every analyte that has ``unit`` in ``units.csv``."""

    unit: str
    spelling: str


class SpecimenRow(Row, frozen=True, kw_only=True):
    """A word by which a specimen is told to be blood (or a part of it), urine or something else."""

    word: str
    kind: SpecimenKind


class LimitRow(Row, frozen=True, kw_only=True):
    """One direction of one limit, as published, in any unit of the analyte."""

    analyte: str
    band: Band
    direction: Literal["low", "high"]
    limit: float
    unit: str
    severity: Severity
    evidence_grade: str
    actions: tuple[str, ...]
    patient_explanation: str
    author: str


class LeftOutRow(Row, frozen=True, kw_only=True):
    """A limit of the same sources that is not used, and why."""

    analyte: str
    limit: str
    reason: str


def read_analytes(
    root: Traversable, sources: Sources
) -> tuple[Mapping[str, Analyte], Mapping[tuple[str, str], Analyte]]:
    """The analytes by LOINC code, and by the codes of sites' own systems."""
    table = sources.checked(read(root, "labs/analytes.csv", AnalyteRow))
    units = sources.checked(read(root, "labs/units.csv", UnitRow))
    spelled = _spellings(sources.checked(read(root, "labs/spellings.csv", SpellingRow)), units)
    table.each_once("name")
    by_name = {row.name: _analyte(row, table, units, spelled) for row in table.rows}
    for unit in units.rows:
        check_known(units, unit, "analyte", by_name, "analytes.csv")
    codes = sources.checked(read(root, "labs/loinc.csv", LoincRow))
    local = sources.checked(read(root, "labs/local_codes.csv", LocalCodeRow))
    return _by_code(codes, by_name), _by_local_code(local, by_name)


def read_specimens(root: Traversable, sources: Sources) -> Mapping[str, SpecimenKind]:
    """What a word says of a specimen, by the word in lower case."""
    table = sources.checked(read(root, "labs/specimens.csv", SpecimenRow))
    words: dict[str, SpecimenKind] = {}
    for row in table.rows:
        if row.word != row.word.lower() or len(row.word.split()) != 1:
            raise table.error(row, "word", f"{row.word!r} is not one word in lower case")
        if words.setdefault(row.word, row.kind) != row.kind:
            raise table.error(row, "kind", f"{row.word!r} is another kind further up")
    return words


def _spellings(table: Table[SpellingRow], units: Table[UnitRow]) -> Mapping[str, list[str]]:
    known = {unit.spelling for unit in units.rows}
    spelled: dict[str, list[str]] = {}
    for row in table.rows:
        if row.unit not in known:
            raise table.error(row, "unit", f"no analyte has {row.unit!r} in units.csv")
        spelled.setdefault(row.unit, []).append(row.spelling)
    return spelled


def _analyte(
    row: AnalyteRow, table: Table[AnalyteRow], units: Table[UnitRow], spelled: Mapping[str, list[str]]
) -> Analyte:
    factors, offsets = _factors(row, units, spelled)
    if row.unit == WORDS:
        for unit in units.rows:
            if unit.analyte == row.name:
                raise units.error(unit, "analyte", f"results of {row.name!r} are words and have no unit")
        return Analyte(name=row.name, unit=WORDS, factors={}, plausible=(0, 0))
    low, high = row.plausible_low, row.plausible_high
    if low is None or high is None or low >= high:
        raise table.error(row, "plausible_low", "must be there and below plausible_high")
    if factors.get(plain_unit(row.unit)) != 1 or plain_unit(row.unit) in offsets:
        raise table.error(row, "unit", f"units.csv must give {row.unit!r} of {row.name!r} the factor 1 and no offset")
    return Analyte(name=row.name, unit=row.unit, factors=factors, plausible=(low, high), offsets=offsets)


def _factors(
    row: AnalyteRow, units: Table[UnitRow], spelled: Mapping[str, list[str]]
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    found: dict[str, tuple[float, float]] = {}
    for unit in units.rows:
        if unit.analyte != row.name:
            continue
        if unit.factor <= 0:
            raise units.error(unit, "factor", "a factor is more than nothing")
        for spelling in (unit.spelling, *spelled.get(unit.spelling, ())):
            key = "" if spelling == "none" else plain_unit(spelling)
            if found.setdefault(key, (unit.factor, unit.offset)) != (unit.factor, unit.offset):
                raise units.error(unit, "factor", f"{spelling!r} has another factor further up")
    factors = {key: factor for key, (factor, _) in found.items()}
    return factors, {key: offset for key, (_, offset) in found.items() if offset}


def _by_code(codes: Table[LoincRow], by_name: Mapping[str, Analyte]) -> Mapping[str, Analyte]:
    codes.each_once("code")
    for row in codes.rows:
        check_known(codes, row, "analyte", by_name, "analytes.csv")
        if "loinc" in row.sources and not _check_digit_fits(row.code):
            raise codes.error(row, "code", f"{row.code} is no LOINC code: its check digit is wrong")
    return {row.code: _as_coded(by_name[row.analyte], row) for row in codes.rows}


def _by_local_code(codes: Table[LocalCodeRow], by_name: Mapping[str, Analyte]) -> Mapping[tuple[str, str], Analyte]:
    by_code: dict[tuple[str, str], Analyte] = {}
    for row in codes.rows:
        key = (row.system.lower(), row.code)
        check_known(codes, row, "analyte", by_name, "analytes.csv")
        if key in by_code:
            raise codes.error(row, "code", f"{row.code} of {row.system} is there twice")
        by_code[key] = _as_coded(by_name[row.analyte], row)
    return by_code


def _as_coded(analyte: Analyte, row: LoincRow) -> Analyte:
    return replace(
        analyte,
        measured_in="" if row.specimen == "unsaid" else convert(row.specimen.replace(" ", "_"), MeasuredIn),
        drawn="" if row.drawn is None else convert(row.drawn.replace(" ", "_"), Drawn),
    )


def _check_digit_fits(code: str) -> bool:
    """LOINC's check digit (Luhn's, modulus 10): most slips of a digit are caught."""
    number, _, check = code.partition("-")
    if not (number.isdigit() and check.isdigit() and len(check) == 1):
        return False
    doubled = "".join(str(int(d) * 2) if i % 2 == 0 else d for i, d in enumerate(reversed(number)))
    return (10 - sum(map(int, doubled)) % 10) % 10 == int(check)


def read_limits(
    root: Traversable, sources: Sources, analytes: Mapping[str, Analyte]
) -> Mapping[tuple[str, str], CriticalLimit]:
    """The limits by analyte and band, in the analyte's unit."""
    table = sources.checked(read(root, "labs/critical_limits.csv", LimitRow))
    sources.checked(read(root, "labs/left_out.csv", LeftOutRow))
    table.each_once("analyte", "band", "direction")
    found: dict[tuple[str, str], dict[str, LimitRow]] = {}
    for row in table.rows:
        check_known(table, row, "analyte", analytes, "analytes.csv")
        if plain_unit(row.unit) not in analytes[row.analyte].factors:
            raise table.error(row, "unit", f"{row.unit!r} is no unit of {row.analyte} in units.csv")
        found.setdefault((row.analyte, row.band), {})[row.direction] = row
    limits = {key: _limit(analytes[key[0]], key[1], rows, sources) for key, rows in found.items()}
    for row in table.rows:
        limit = limits[row.analyte, row.band]
        if limit.low is not None and limit.high is not None and limit.low >= limit.high:
            raise table.error(row, "limit", "the low limit is not below the high limit")
    return limits


def _limit(analyte: Analyte, band: str, rows: Mapping[str, LimitRow], sources: Sources) -> CriticalLimit:
    low, high = rows.get("low"), rows.get("high")
    both = [row for row in (low, high) if row is not None]
    gravest = min(both, key=lambda row: SEVERITIES.index(row.severity))
    return CriticalLimit(
        analyte=analyte.name,
        band=gravest.band,
        unit=analyte.unit,
        low=_canonical(low, analyte),
        high=_canonical(high, analyte),
        severity=gravest.severity,
        evidence_grade=gravest.evidence_grade,
        actions=tuple(f"If {row.direction}: {action}" for row in both for action in row.actions),
        patient_explanation=" ".join(dict.fromkeys(row.patient_explanation for row in both)),
        citations=sources.citations(dict.fromkeys(source for row in both for source in row.sources)),
        when_low=_advice(low),
        when_high=_advice(high),
    )


def _advice(row: LimitRow | None) -> Advice | None:
    if row is None:
        return None
    return Advice(severity=row.severity, actions=row.actions, patient_explanation=row.patient_explanation)


def _canonical(row: LimitRow | None, analyte: Analyte) -> float | None:
    if row is None:
        return None
    factor = analyte.factors[plain_unit(row.unit)]
    return row.limit if factor == 1 else float(f"{row.limit * factor:.{_DIGITS}g}")
