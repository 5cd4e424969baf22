"""Phenytoin as if albumin were normal: plain numbers in, a level out.

Only the free part of phenytoin acts. With little albumin more of it is free than the total says, and in kidney failure less is
bound to what there is. The factors are data (``knowledge/drug_labs/corrections.csv``).
"""

from __future__ import annotations


def corrected(level: float, albumin: float, slope: float, intercept: float) -> float | None:
    """The total level that would have the same free part with normal albumin, in the unit of ``level``; albumin is in g/dL.

    Sheiner LB, Tozer TN. Clinical pharmacokinetics: the use of plasma concentrations of drugs. In: Clinical Pharmacology: Basic
    Principles in Therapeutics (equation read as calculators repeat it): level / (``slope`` x albumin + ``intercept``). It is an
    estimate, and studies differ on how good a one. None where there is no albumin to divide by; never less than ``level``,
    because the equation is one for low albumin.
    """
    bound = slope * albumin + intercept
    return max(level, level / bound) if level >= 0 and albumin > 0 and bound > 0 else None
