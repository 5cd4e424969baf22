"""A copy of the knowledge that a test may break, small enough to be read many times."""

from __future__ import annotations

import csv
import shutil
from functools import lru_cache
from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "knowledge"


def copy_knowledge(folder: Path) -> Path:
    """All data files in ``folder``, the two large tables cut down: of the names, zocor and the ingredients that other files
    name; of the codes, one. Returns ``folder``."""
    for file in SHIPPED.rglob("*.csv"):
        target = folder / file.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(file, target)
    (folder / "drugs/names.csv").write_text("\n".join(_names()) + "\n", "utf-8")
    (folder / "drugs/codes.csv").write_text("system,code,name,sources\nATC,C10AA01,simvastatin,atc\n", "utf-8")
    return folder


@lru_cache(1)
def _names() -> tuple[str, ...]:
    named: set[str] = set()
    for file in SHIPPED.rglob("*.csv"):
        if file.parent.name != "drugs":
            with file.open(encoding="utf-8", newline="") as rows:
                named.update(part.strip() for row in csv.reader(rows) for cell in row for part in cell.split("|"))
    header, *lines = (SHIPPED / "drugs/names.csv").read_text("utf-8").splitlines()
    kept = [line for line in lines if line.split(",")[0] in named and line.split(",")[0] == line.split(",")[1]]
    return (header, "zocor,simvastatin,dner", *kept)
