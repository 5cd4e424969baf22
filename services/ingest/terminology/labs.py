"""A laboratory result as an analyte of ours in its canonical unit.

The LOINC code alone decides what was measured and in what: a name such as "Sodium" is also that of a urine test, so a
result without a listed code has no analyte. Nor has one whose codes say two analytes: one is a slip, and nobody here knows
which. A value whose unit is missing or not understood has no canonical value: 5.0 of glucose is normal in mmol/L and deadly
in mg/dL. Nor has a concentration below nothing, which is no measurement however it is read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from knowledge.model import Knowledge, plain_unit
from schemas.events import Remark
from schemas.values import Coding

_LOINC = ("loinc", "http://loinc.org", "https://loinc.org", "ln", "urn:oid:2.16.840.1.113883.6.1")


class Measured(NamedTuple):
    """``value`` is in ``unit``, or None with the remark that says why; ``implausible`` flags a value and keeps it, unless the
    value is below nothing."""

    analyte: str
    value: float | None
    unit: str
    remark: Remark


def canonical(codings: Sequence[Coding], value: float | None, unit: str, knowledge: Knowledge) -> Measured:
    """The result that ``codings``, ``value`` and ``unit`` say, as far as they can be understood. Never raises."""
    known = (knowledge.analytes.get(c.code.strip()) for c in codings if c.system.strip().lower() in _LOINC)
    analytes = {each.name: each for each in known if each is not None}
    if len(analytes) != 1:
        return Measured("", None, "", "no_analyte")
    (analyte,) = analytes.values()
    if value is None or not math.isfinite(value):
        return Measured(analyte.name, None, "", "no_value")
    key = plain_unit(unit)
    factor = analyte.factors.get(key)
    if factor is None:
        return Measured(analyte.name, None, "", "unknown_unit" if key else "no_unit")
    # a product of two decimal fractions: what lies beyond the tenth significant digit is the computer's, not the value's
    result = value if factor == 1 else float(f"{value * factor:.10g}")
    low, high = analyte.plausible
    # a quantity that may be negative, as a base excess, says so by its plausible range
    if result < 0 <= low:
        return Measured(analyte.name, None, "", "implausible")
    return Measured(analyte.name, result, analyte.unit, "" if low <= result <= high else "implausible")
