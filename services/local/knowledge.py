"""`rxvigil knowledge`: what the rules know, for the pharmacist who reads and changes it."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from knowledge.loader import KnowledgeError, load
from knowledge.model import Knowledge
from knowledge.reading.explanation import load_explanations
from services.local import knowledge_facts, knowledge_rows, knowledge_show
from services.local.imports import beside
from services.local.knowledge_rows import Counted, Difference
from services.runtime import service

Site = Annotated[
    str,
    Parameter(
        name=["--knowledge-dir", "--site"], help="folder of the site's own knowledge", env_var="RXVIGIL_KNOWLEDGE_DIR"
    ),
]

app = App(name="knowledge", help="Check, show and compare what the rules know of medicines.")
_KINDS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@app.command
def check(*, knowledge_dir: Site = "") -> int:
    """Read all of it as the services do: the rows of each file and how many of them are verified.

    At the first fault its file, line and column, and exit 1.
    """
    try:
        version = load(knowledge_dir).version
        load_explanations()
    except KnowledgeError as error:
        Console(stderr=True).print(Text("fault:", "bold red"), Text(str(error)), soft_wrap=True)
        return service.FAILED
    counted = knowledge_rows.count(knowledge_rows.SHIPPED)
    if knowledge_dir:
        site = Path(knowledge_dir)
        counted += [
            each._replace(file=str(site / each.file)) for each in knowledge_rows.count(site, knowledge_rows.SHIPPED)
        ]
    console = Console()
    console.print(_table(counted))
    console.print(f"version {version}", highlight=False)
    return service.OK


@app.command
def show(
    drug: Annotated[str, Parameter(help="a name, a brand or a code (RxNorm, NDC, ATC)")],
    /,
    *,
    json: Annotated[bool, Parameter(help="JSON in place of text", negative="")] = False,
    knowledge_dir: Site = "",
) -> int:
    """Show everything that is known of a medicine: what it is and does, with what it must not meet, its limits.

    Each statement has its status and its sources. Exit 1 when nobody knows the medicine.
    """
    known = load(knowledge_dir)
    found = knowledge_facts.find(known, drug)
    if not found.ingredients:
        Console(stderr=True).print(Text(_unknown(known, drug, found.resolution == "vehicle")), soft_wrap=True)
        return service.FAILED
    shown = [knowledge_facts.of(known, each.name) for each in found.ingredients]
    if json:
        sys.stdout.buffer.write(knowledge_show.as_json(shown, drug, known.version))
    else:
        knowledge_show.write(Console(highlight=False), shown)
    return service.OK


@app.command
def diff(
    old: Annotated[Path | None, Parameter(help="a folder of knowledge, or a checkout that has one")] = None,
    new: Annotated[Path | None, Parameter(help="the same, as it is now")] = None,
    /,
    *,
    source: Annotated[str, Parameter(help="of what the site brought in, only this source")] = "",
    rows: Annotated[int, Parameter(help="of what the site brought in, how many pairs of each kind to show")] = 20,
    knowledge_dir: Site = "",
) -> int:
    """Show what differs between two states of the knowledge, by file and key: rows added, removed and changed.

    Without any: between ours and the interactions that the site brought in (`rxvigil import`): only theirs, only ours, other
    severity, and what counts by the site's choices.
    """
    if old is None or new is None:
        if old is not None:
            raise KnowledgeError(
                str(old), 0, "", "name two folders, or none to compare ours with what the site brought in"
            )
        return _beside(load(knowledge_dir), source, rows)
    console = Console(highlight=False, soft_wrap=True)
    file, found = "", 0
    for each in knowledge_rows.differences(old, new):
        if each.file != file:
            file = each.file
            console.print(Text(file, "bold"))
        console.print(_difference(each))
        found += 1
    Console(stderr=True).print(f"{found:,} rows differ" if found else "no row differs", highlight=False)
    return service.OK


def _beside(known: Knowledge, source: str, rows: int) -> int:
    sources = [source] if source else list(known.outside.sources)
    if not sources or not known.outside.theirs:
        Console(stderr=True).print("nothing was brought in; see `rxvigil import --help`")
        return service.OK
    console = Console(highlight=False, soft_wrap=True)
    for each in sources:
        found = list(beside.compared(known, each))
        for kind, same in groupby(found, key=lambda one: one.kind):
            pairs = list(same)
            console.print(Text(f"{each}, {kind}: {len(pairs):,} pairs", "bold"))
            for one in pairs[:rows]:
                severities = f"ours {one.ours or '-'}, theirs {one.theirs or '-'}"
                console.print(Text(f"  {one.a} with {one.b}: {severities}; {one.counts} counts"))
    return service.OK


def _unknown(known: Knowledge, drug: str, vehicle: bool) -> str:
    if vehicle:
        return f"{drug!r} is a diluent or a container: no ingredient of it acts"
    if near := knowledge_facts.alike(known, drug):
        return f"nobody knows {drug!r}; did you mean {' or '.join(near)}?"
    return f"nobody knows {drug!r}; a row in drugs/names_extra.csv would make it known"


def _table(counted: list[Counted]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name in ("rows", "verified", "unverified"):
        table.add_column(name, justify="right")
    total = Counted("all", sum(each.rows for each in counted), sum(each.verified for each in counted))
    for each in (*counted, total):
        table.add_row(each.file, f"{each.rows:,}", f"{each.verified:,}", f"{each.rows - each.verified:,}")
    return table


def _difference(each: Difference) -> Text:
    sign, style = _KINDS[each.kind]
    text = Text.assemble((f"  {sign} ", style), (" · ".join(each.key), style))
    if each.kind == "changed":
        return text.append("".join(f"\n      {name}: {old!r} → {new!r}" for name, (old, new) in each.cells.items()))
    rest = list(each.cells.items())[len(each.key) :]
    return text.append("".join(f" · {name} {old or new}" for name, (old, new) in rest if old or new), "dim")
