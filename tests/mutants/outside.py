"""Numbers and comparisons where mutmut changes nothing: in a module or a class, and in decorated functions.

Each is changed by itself in the file, in the current folder, and the tests are run: ``outside.py FILE TEST...`` prints a line
``killed|survived <TAB> before <TAB> after`` for each.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
from chosen import CHOSEN


class _Outside(cst.CSTVisitor):
    """The nodes outside plain functions, with what each is changed to."""

    def __init__(self) -> None:
        self.inside = 0
        self.found: list[tuple[cst.CSTNode, cst.CSTNode]] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:  # noqa: N802
        return bool(node.decorators)

    def visit_Annotation(self, node: cst.Annotation) -> bool:  # noqa: N802
        return False

    def on_visit(self, node: cst.CSTNode) -> bool:
        for of, operator in CHOSEN:
            if isinstance(node, of):
                self.found += [(node, other) for other in operator(node)]
        return super().on_visit(node)


def changed(source: str) -> Iterator[str]:
    """The file once for each change."""
    module = cst.parse_module(source)
    visitor = _Outside()
    module.visit(visitor)
    for node, other in visitor.found:
        yield module.deep_replace(node, other).code  # type: ignore[arg-type]


def main(path: Path, tests: list[str]) -> None:
    source = path.read_text()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        for code in changed(source):
            path.write_text(code)
            failed = subprocess.run(command, capture_output=True, check=False).returncode != 0
            before, after = _lines(source, code)
            print("killed" if failed else "survived", before, after, sep="\t", flush=True)
    finally:
        path.write_text(source)


def _lines(before: str, after: str) -> tuple[str, str]:
    """The one line that differs."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return next((one.strip(), other.strip()) for one, other in pairs if one != other)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
