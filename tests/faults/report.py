"""What the fault runs did, when, what was compared and what came of it: for people and, as JSON, for machines."""

from __future__ import annotations

from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from tests.faults.play import Result

ANOMALIES = ("lost", "wrong", "duplicate", "unseen", "differing")


def show(result: Result, console: Console, folder: Path) -> None:
    """One run in full when it failed, in a line when it passed."""
    console.print(f"  {result.outcome} after {result.seconds:.0f} s", highlight=False)
    if result.outcome == "passed":
        return
    for at, note in result.notes:
        console.print(f"    {at:6.1f} s  {note}", highlight=False, markup=False)
    for line in [result.failed or result.skipped, *(result.verdict.evidence if result.verdict else ())]:
        if line:
            console.print(f"    {line}", highlight=False, markup=False)
    console.print(f"    logs: {folder}/logs", highlight=False)


def table(results: list[Result]) -> Table:
    shown = Table(title="fault runs")
    for column in ("fault", "seed", "broken build", "facts", "changes", "alert records", *ANOMALIES, "verdict"):
        shown.add_column(column, justify="left" if column in ("fault", "broken build", "verdict") else "right")
    for result in results:
        verdict = result.verdict
        compared = verdict.compared if verdict else {}
        counts = [str(compared.get(name, "-")) for name in ("facts", "changes", "alert records")]
        found = [str(getattr(verdict, name)) if verdict else "-" for name in ANOMALIES]
        shown.add_row(result.fault, str(result.seed), result.broken or "", *counts, *found, result.outcome)
    return shown


def write(results: list[Result], folder: Path, name: str) -> None:
    """``name``.json and ``name``.txt."""
    folder.mkdir(exist_ok=True)
    content = [result.as_json() for result in results]
    (folder / f"{name}.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    with (folder / f"{name}.txt").open("w") as file:
        console = Console(file=file, width=160)
        console.print(table(results))
        for result in results:
            console.print(f"\n{result.fault}, seed {result.seed}, {result.began}: {result.outcome}", highlight=False)
            console.print(f"  done: {result.what}", highlight=False, markup=False)
            for at, note in result.notes:
                console.print(f"  {at:6.1f} s  {note}", highlight=False, markup=False)
            if result.verdict is not None:
                compared = ", ".join(f"{count} {thing}" for thing, count in result.verdict.compared.items())
                console.print(f"  compared: {compared}", highlight=False, markup=False)
            for line in [result.failed, result.skipped, *result.findings, *(result.verdict or _Nothing).evidence]:
                if line:
                    console.print(f"  ! {line}", highlight=False, markup=False)


class _Nothing:
    evidence: tuple[str, ...] = ()


def all_caught(results: list[Result], console: Console) -> int:
    """The exit code of the broken builds: 0 when the comparison itself showed every one of them, and the sound engine passed
    the same faults."""
    code = 0
    for result in results:
        if result.broken is None:
            right, text = result.outcome == "passed", f"the sound engine {result.outcome} {result.fault}"
        else:
            right = result.verdict is not None and not result.verdict.clean
            why = result.verdict.evidence[0] if right and result.verdict else result.failed or "nothing was noticed"
            text = f"{result.broken}: {'caught' if right else 'NOT CAUGHT'} by {result.fault}: {why}"
        code = code if right else 1
        console.print(text, markup=False, highlight=False)
    return code
