"""What is measured in blood, in which units, and when a value is critical: ``labs/``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Literal

from knowledge.model import Advice, Analyte, Band, CriticalLimit, plain_unit
from knowledge.sources import Sources
from knowledge.tables import Row, Table, read
from schemas.values import SEVERITIES, Severity

_DIGITS = 3
"""Significant digits of a limit that was published in another unit: the published ones have no more."""


class AnalyteRow(Row, frozen=True, kw_only=True):
    """``plausible_low`` and ``plausible_high``: beyond them a value is more likely a slip than a finding."""

    name: str
    unit: str
    plausible_low: float
    plausible_high: float


class LoincRow(Row, frozen=True, kw_only=True):
    """``specimen`` is blood or a part of it: codes of other specimens are not listed."""

    code: str
    analyte: str
    specimen: Literal["serum or plasma", "blood"]
    description: str


class UnitRow(Row, frozen=True, kw_only=True):
    """A value in ``spelling`` times ``factor`` is the value in the analyte's unit. ``none`` is no unit at all."""

    analyte: str
    spelling: str
    factor: float


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


def read_analytes(root: Traversable, sources: Sources) -> Mapping[str, Analyte]:
    """The analytes by LOINC code."""
    table = sources.checked(read(root, "labs/analytes.csv", AnalyteRow))
    units = sources.checked(read(root, "labs/units.csv", UnitRow))
    codes = sources.checked(read(root, "labs/loinc.csv", LoincRow))
    by_name: dict[str, Analyte] = {}
    for row in table.rows:
        factors = _factors(row, table, units)
        if row.name in by_name:
            raise table.error(row, "name", f"{row.name!r} is there twice")
        if row.plausible_low >= row.plausible_high:
            raise table.error(row, "plausible_low", "is not below plausible_high")
        plausible = (row.plausible_low, row.plausible_high)
        by_name[row.name] = Analyte(name=row.name, unit=row.unit, factors=factors, plausible=plausible)
    for unit in units.rows:
        if unit.analyte not in by_name:
            raise units.error(unit, "analyte", f"{unit.analyte!r} is not in analytes.csv")
    return _by_code(codes, by_name)


def _factors(row: AnalyteRow, table: Table[AnalyteRow], units: Table[UnitRow]) -> Mapping[str, float]:
    factors: dict[str, float] = {}
    for unit in units.rows:
        if unit.analyte != row.name:
            continue
        spelling = "" if unit.spelling == "none" else plain_unit(unit.spelling)
        if unit.factor <= 0:
            raise units.error(unit, "factor", "a factor is more than nothing")
        if factors.setdefault(spelling, unit.factor) != unit.factor:
            raise units.error(unit, "factor", f"{unit.spelling!r} has another factor further up")
    if factors.get(plain_unit(row.unit)) != 1:
        raise table.error(row, "unit", f"units.csv must give {row.unit!r} of {row.name!r} the factor 1")
    return factors


def _by_code(codes: Table[LoincRow], by_name: Mapping[str, Analyte]) -> Mapping[str, Analyte]:
    by_code: dict[str, Analyte] = {}
    for row in codes.rows:
        if row.analyte not in by_name:
            raise codes.error(row, "analyte", f"{row.analyte!r} is not in analytes.csv")
        if row.code in by_code:
            raise codes.error(row, "code", f"{row.code} is there twice")
        if "loinc" in row.sources and not _check_digit_fits(row.code):
            raise codes.error(row, "code", f"{row.code} is no LOINC code: its check digit is wrong")
        by_code[row.code] = by_name[row.analyte]
    return by_code


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
    found: dict[tuple[str, str], dict[str, LimitRow]] = {}
    for row in table.rows:
        if row.analyte not in analytes:
            raise table.error(row, "analyte", f"{row.analyte!r} is not in analytes.csv")
        if plain_unit(row.unit) not in analytes[row.analyte].factors:
            raise table.error(row, "unit", f"{row.unit!r} is no unit of {row.analyte} in units.csv")
        of_band = found.setdefault((row.analyte, row.band), {})
        if row.direction in of_band:
            raise table.error(
                row, "direction", f"a {row.direction} limit of {row.analyte} for {row.band} is there twice"
            )
        of_band[row.direction] = row
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
