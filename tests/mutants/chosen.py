"""mutmut with the changes that matter at a threshold or a comparison, and no others: ``chosen.py run``.

It is run as a script: ``python -m`` would add a folder to the path in which the rules are not changed.

mutmut itself has no choice of operators. These are its own, and ``min`` for ``max``, which it lacks. ``RXVIGIL_MUTANTS=all``
leaves it as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import libcst as cst
from mutmut.__main__ import cli
from mutmut.mutation import mutators

_ARITHMETIC = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo)
_OTHER = {"min": "max", "max": "min"}


def compared(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """``<`` and ``<=``, ``==`` and ``!=``, ``+`` and ``-``, ``*`` and ``/``."""
    sum_of_two = isinstance(node, cst.BinaryOperation) and isinstance(node.operator, _ARITHMETIC)
    if sum_of_two or isinstance(node, cst.ComparisonTarget):
        yield from mutators.operator_swap_op(node)


def contained(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """``in`` and ``not in``, ``is`` and ``is not``."""
    if isinstance(node, cst.In | cst.NotIn | cst.Is | cst.IsNot):
        yield from mutators.operator_keywords(node)


def bounded(node: cst.Call) -> Iterator[cst.CSTNode]:
    """``min`` and ``max``."""
    if isinstance(node.func, cst.Name) and node.func.value in _OTHER:
        yield node.with_changes(func=cst.Name(_OTHER[node.func.value]))


CHOSEN = [
    (cst.BaseNumber, mutators.operator_number), (cst.CSTNode, compared), (cst.CSTNode, contained), (cst.Call, bounded),
]  # fmt: skip

if os.environ.get("RXVIGIL_MUTANTS") != "all":
    mutators.mutation_operators[:] = CHOSEN  # type: ignore[index]

if __name__ == "__main__":
    cli()
