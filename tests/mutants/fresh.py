"""A pytest plugin: before each test, what rules made of the knowledge is forgotten.

mutmut runs all tests once, unchanged, to see which functions each of them calls, and forks a process for each mutant from there.
An index that a rule keeps would hide what builds it: only the first test would seem to call it, and a mutant would never be
asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_KEPT = frozenset({"_last", "_kept", "_implicated"})
_RULES = "services.monitor.rules."


def pytest_runtest_setup() -> None:
    modules = [each for name, each in sys.modules.items() if name.startswith(("services.monitor.", "tests.unit."))]
    for module in modules:
        for name in _KEPT & vars(module).keys():
            kept = vars(module)[name]
            if isinstance(kept, list | dict):
                kept.clear()
        for rule in _rules(module):
            rule.__init__()


def _rules(module: ModuleType) -> Iterator[Any]:
    for value in vars(module).values():
        for each in value if isinstance(value, tuple) else (value,):
            if type(each).__module__.startswith(_RULES) and hasattr(type(each), "findings"):
                yield each
