"""Runs each target for its share of the time: ``python -m tests.fuzz [--seconds N]``.

What was learnt stays in ``build/fuzz/<target>/corpus`` for the next run, and an input that fails in ``build/fuzz/<target>``. The
exit code is 0 when nothing was found, 1 when something was, and 0 with a reason where atheris is not installed
(``RXVIGIL_REQUIRE_ALL=1``: 1).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz import seeds

ROOT = Path(__file__).parents[2]
SHARES = {"record": 0.75, "extract": 0.25}
_SLOWEST = 20
"""Seconds for one input; a machine in use is slow by itself."""
_LONGEST = 65_536
_MEMORY_MIB = 3_072
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz ingest with atheris.")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together (60)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fuzz", help="where inputs are kept")
    given = parser.parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: skipped: atheris is not installed here (Linux on x86-64 only; it is in the group `dev`)")
        return int(os.environ.get("RXVIGIL_REQUIRE_ALL") == "1")
    found = [run(name, max(1, round(given.seconds * share)), given.folder / name) for name, share in SHARES.items()]
    return max(found)


def run(name: str, seconds: int, folder: Path) -> int:
    """One target; what it said is in ``log.txt``."""
    corpus, before = folder / "corpus", _kept(folder)
    seeds.write(name, corpus, folder / "words.txt")
    command = [
        sys.executable, "-m", "tests.fuzz.target", name, str(corpus), f"-max_total_time={seconds}", f"-max_len={_LONGEST}",
        f"-timeout={_SLOWEST}", f"-rss_limit_mb={_MEMORY_MIB}", f"-artifact_prefix={folder}/", f"-dict={folder / 'words.txt'}",
        "-print_final_stats=1",
    ]  # fmt: skip
    with (folder / "log.txt").open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, check=False).returncode
    said = (folder / "log.txt").read_text(errors="replace")
    runs = _RUNS.search(said)
    if runs and code == 0:
        print(
            f"fuzz {name}: {int(runs[1]):,} inputs in {seconds} s, nothing found; {len(list(corpus.iterdir())):,} kept"
        )
        return 0
    print(f"fuzz {name}: failed with exit code {code}; {folder / 'log.txt'} ends with:\n{_end_of(said)}")
    for path in sorted(_kept(folder) - before):
        print(f"  the input: {path}\n  again: {Path(sys.executable)} -m tests.fuzz.target {name} {path}")
    return 1


def _kept(folder: Path) -> set[Path]:
    return {path for kind in ("crash", "timeout", "oom", "leak", "slow-unit") for path in folder.glob(f"{kind}-*")}


def _end_of(said: str) -> str:
    python = said.rpartition("=== Uncaught Python exception: ===")[2]
    return "\n".join(f"  {line}" for line in python.strip().splitlines()[-25:])


if __name__ == "__main__":
    sys.exit(main())
