"""Changes each comparison, number and bound of the rules and looks whether a test fails: ``python -m tests.mutants [FILE ...]``.

mutmut does the work, file by file, in a copy below ``build/mutants``. What survives is either in ``equivalent.csv``, with the
reason why no test can tell it, or printed; the exit code is 1 when something was. ``--all`` has mutmut's other operators too
(texts, arguments, assignments) and only counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.mutants.tests_of import tests_of

ROOT = Path(__file__).parents[2]
RULES = Path("services/monitor/rules")
TREE = ROOT / "build" / "mutants" / "tree"
SITE = ROOT / "build" / "mutants" / "site"
"""mutmut, apart from the project's own environment: it needs a newer click than Faust allows."""
EQUIVALENT = Path(__file__).with_name("equivalent.csv")
_COPIED = (
    "bench",
    "deploy",
    "docs",
    "examples",
    "knowledge",
    "schemas",
    "services",
    "tests",
    "pyproject.toml",
    "README.md",
)
SCRIPTS = Path("tests/mutants")
_OUT_OF_TIME = {24, -24, 36, 152}
_KILLED = {1, 3, 255} | _OUT_OF_TIME
"""mutmut's exit codes: a test failed, or ran into its time limit."""


class _NotRunError(Exception):
    """mutmut did not come to an end: nearly always the tests fail without any change."""


class Mutant(NamedTuple):
    """One change: the line before and after, and whether a test failed; ``slow``: it ran into its time limit, which on a busy
    machine may say nothing."""

    before: str
    after: str
    killed: bool
    slow: bool = False


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Mutate the rules.")
    parser.add_argument("files", nargs="*", help="names of files in services/monitor/rules, without .py (all)")
    parser.add_argument("--all", action="store_true", help="every operator of mutmut; counts only")
    parser.add_argument("--children", type=int, default=1, help="processes at a time (1)")
    given = parser.parse_args(arguments)
    names = given.files or sorted(path.stem for path in (ROOT / RULES).glob("*.py") if path.stem != "__init__")
    if not SITE.is_dir():
        parser.error(f"mutmut is not installed below {SITE.parent}: run `make mutants`")
    known = _equivalent()
    _copy_tree()
    alive = 0
    for name in names:
        began = time.monotonic()
        try:
            found = _of_functions(name, given.children, every=given.all) + ([] if given.all else _outside(name))
        except _NotRunError as failed:
            alive += 1
            print(f"{name}: not run: {failed}", flush=True)
            continue
        left = [each for each in found if not each.killed]
        unknown = [each for each in left if (name, each.before, each.after) not in known]
        alive += len(unknown)
        slow = sum(each.slow for each in found)
        took = f"{time.monotonic() - began:.0f} s" + (f"; {slow} killed by the time limit alone" if slow else "")
        print(f"{name}: {len(found)} mutants, {len(found) - len(left)} killed, {len(left) - len(unknown)} equivalent, "
              f"{len(unknown)} alive ({took})", flush=True)  # fmt: skip
        for each in unknown:
            print(f"  - {each.before}\n  + {each.after}", flush=True)
        (TREE.parent / f"{name}.json").write_text(json.dumps(found, indent=0))
    return int(alive > 0 and not given.all)


def _equivalent() -> set[tuple[str, str, str]]:
    with EQUIVALENT.open(newline="") as file:
        return {(row["file"], row["before"], row["after"]) for row in csv.DictReader(file)}


def _copy_tree() -> None:
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, TREE / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, TREE / name)


def _of_functions(name: str, children: int, *, every: bool) -> list[Mutant]:
    """By mutmut. Raises ``_NotRunError`` with what it said."""
    shutil.rmtree(TREE / "mutants", ignore_errors=True)
    (TREE / "setup.cfg").write_text(_settings(name))
    said = _run("chosen.py", "run", "--max-children", str(children), every=every)
    meta = TREE / "mutants" / RULES / f"{name}.py.meta"
    codes: dict[str, Any] = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {"": None}
    if None in codes.values():
        raise _NotRunError(said[-3000:])
    return [_mutant(key, code, every=every) for key, code in codes.items()]


def _mutant(key: str, code: int, *, every: bool) -> Mutant:
    if code in _KILLED or every:
        return Mutant(key, "", code in _KILLED, slow=code in _OUT_OF_TIME)
    diff = _run("chosen.py", "show", key, every=every).splitlines()
    lines = {
        sign: [line[1:].strip() for line in diff if line.startswith(sign) and line[:3] != sign * 3] for sign in "-+"
    }
    return Mutant(" ".join(lines["-"]), " ".join(lines["+"]), killed=False)


def _settings(name: str) -> str:
    copied = [each for each in _COPIED if (ROOT / each).is_dir() and each not in ("services", "tests")]
    wanted = {
        "source_paths": ["services/"],
        "only_mutate": [str(RULES / f"{name}.py")],
        "also_copy": [f"{each}/" for each in copied],
        "pytest_add_cli_args_test_selection": tests_of(name, TREE),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "fresh"],
        "timeout_multiplier": ["4"],
    }
    return "[mutmut]\n" + "".join(f"{key}=\n    " + "\n    ".join(value) + "\n" for key, value in wanted.items())


def _outside(name: str) -> list[Mutant]:
    said = _run("outside.py", str(RULES / f"{name}.py"), *tests_of(name, TREE))
    rows = [line.split("\t") for line in said.splitlines() if line.startswith(("killed\t", "survived\t"))]
    return [Mutant(before, after, killed == "killed") for killed, before, after in rows]


def _run(script: str, *arguments: str, every: bool = False) -> str:
    env = os.environ | {"RXVIGIL_MUTANTS": "all" if every else "", "PYTHONPATH": str(SITE)}
    command = [sys.executable, str(TREE / SCRIPTS / script), *arguments]
    done = subprocess.run(command, cwd=TREE, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
