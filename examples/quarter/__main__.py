"""``python -m examples.quarter --seed 1 --out DIR``: writes the quarter."""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.quarter.generate import BACKGROUND, CASES, generate, write


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m examples.quarter", description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, required=True, help="the folder to write to")
    options.add_argument("--cases", type=int, default=CASES, help="problems and look-alikes of each family")
    options.add_argument("--background", type=int, default=BACKGROUND, help="people of whom there is nothing to say")
    chosen = options.parse_args()
    write(generate(chosen.seed, chosen.cases, chosen.background), chosen.out)


if __name__ == "__main__":
    main()
