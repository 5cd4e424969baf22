"""``python -m examples.quarter.score DIR``: recall and precision, and what is to be read."""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.quarter.generate import read_cases
from examples.quarter.score.matching import Score, score
from examples.quarter.score.playing import played
from examples.quarter.score.report import figures, lists, put_into


def scored(folder: Path) -> Score:
    """What `python -m examples.quarter` wrote, played and beside its truth."""
    return score(read_cases(folder / "truth.jsonl"), read_cases(folder / "lookalikes.jsonl"), played(folder))


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m examples.quarter.score", description=__doc__)
    options.add_argument("folder", type=Path, help="what `python -m examples.quarter` wrote")
    options.add_argument("--write", type=Path, help="a page whose figures are written anew")
    chosen = options.parse_args()
    made = scored(chosen.folder)
    print("\n".join((*figures(made), "", *lists(made))))
    if chosen.write:
        put_into(chosen.write, figures(made))


if __name__ == "__main__":
    main()
