"""The fault runs: `python -m tests.faults [FAULT ...] [--rounds N] [--seed N] [--broken] [--folder DIR]`.

Plays every fault, or those named, twice in a row on real processes and real Kafka, and writes build/faults.json and
build/faults.txt. Exit code 1 when anything was lost, wrong, under two ids, unseen or differing, or a worker did not behave.
``--broken`` plays the builds broken on purpose instead, each beside the sound engine, and exits with 0 only when each was
caught and the sound engine passed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from services.local.stack import Stack
from services.runtime.settings import Settings
from tests.faults import broken, report
from tests.faults.catalogue import EXPOSES, FAULTS
from tests.faults.play import Result, play

BUILD = Path("build")


async def run(arguments: argparse.Namespace, console: Console) -> list[Result]:
    names = arguments.faults or list(FAULTS)
    plan: list[tuple[str, int, str | None]] = [
        (name, number, None) for name in names for number in range(arguments.rounds)
    ]
    if arguments.broken:
        # each beside the sound engine: a fault that it fails as well shows nothing
        plan = [(EXPOSES[name], 0, build) for name in broken.BUILDS for build in (None, name)]
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="faults-"))
    results: list[Result] = []
    async with Stack(folder / "stack", services=(), settings=Settings(), console=console) as stack:
        for name, number, build in plan:
            seed = arguments.seed + number
            console.print(f"{name}, seed {seed}{f', build broken on purpose: {build}' if build else ''} ...")
            place = folder / f"{name}-{seed}-{build or 'sound'}-{int(time.time())}"
            results.append(await play(stack, name, seed, place, build))
            report.show(results[-1], console, place)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("faults", nargs="*", choices=[[], *FAULTS])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--folder", default="")
    arguments = parser.parse_args()
    console = Console(stderr=True, width=160)
    results = asyncio.run(run(arguments, console))
    report.write(results, BUILD, "faults-broken" if arguments.broken else "faults")
    console.print(report.table(results))
    if arguments.broken:
        return report.all_caught(results, console)
    return 1 if any(result.outcome == "FAILED" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
