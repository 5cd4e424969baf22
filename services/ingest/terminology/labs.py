"""A laboratory result as an analyte of ours in its canonical unit.

The LOINC code alone decides what was measured and in what: a name such as "Sodium" is also that of a urine test, so a
result without a listed code has no analyte. A value whose unit is missing or not understood has no canonical value: 5.0 of
glucose is normal in mmol/L and deadly in mg/dL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from knowledge.model import Knowledge, plain_unit
from schemas.values import Coding

Remark = Literal["", "no_analyte", "no_value", "no_unit", "unknown_unit", "implausible"]
_LOINC = ("loinc", "http://loinc.org", "https://loinc.org", "ln", "urn:oid:2.16.840.1.113883.6.1")


class Measured(NamedTuple):
    """``value`` is in ``unit``, or None with the remark that says why; ``implausible`` flags a value and keeps it."""

    analyte: str
    value: float | None
    unit: str
    remark: Remark


def canonical(codings: Sequence[Coding], value: float | None, unit: str, knowledge: Knowledge) -> Measured:
    """The result that ``codings``, ``value`` and ``unit`` say, as far as they can be understood. Never raises."""
    analytes = (knowledge.analytes.get(c.code.strip()) for c in codings if c.system.strip().lower() in _LOINC)
    analyte = next((each for each in analytes if each is not None), None)
    if analyte is None:
        return Measured("", None, "", "no_analyte")
    if value is None or not math.isfinite(value):
        return Measured(analyte.name, None, "", "no_value")
    key = plain_unit(unit)
    factor = analyte.factors.get(key)
    if factor is None:
        return Measured(analyte.name, None, "", "unknown_unit" if key else "no_unit")
    # a product of two decimal fractions: what lies beyond the tenth significant digit is the computer's, not the value's
    result = value if factor == 1 else float(f"{value * factor:.10g}")
    low, high = analyte.plausible
    return Measured(analyte.name, result, analyte.unit, "" if low <= result <= high else "implausible")
