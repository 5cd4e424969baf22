"""`rxvigil knowledge show`: the statements about a medicine, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from services.local.knowledge_facts import Fact, Shown
from services.local.report import STYLES

_NAMES_SHOWN = 12
_SHARED = ("effect", "do", "mechanism", "meaning")
"""What neighbours often have in common: it is not said twice in a row."""
_LINE_EACH = ("do", "but")


def as_json(shown: Iterable[Shown], asked: str, version: str) -> bytes:
    """For machines: one object, every statement with its sources in full."""
    ingredients = [
        {
            "ingredient": each.ingredient,
            "names": each.names,
            "salts": each.salts,
            **{title.replace(" ", "_"): [_as_object(one) for one in facts] for title, facts in each.sections},
        }
        for each in shown
    ]
    return (
        msgspec.json.format(msgspec.json.encode({"asked": asked, "version": version, "ingredients": ingredients}))
        + b"\n"
    )


def _as_object(one: Fact) -> dict[str, Any]:
    said = {name.replace(" ", "_"): text for name, text in one.said.items()}
    # a citation leaves out the status "unverified", which is what must not be overlooked here
    sources = [{"id": c.id, "text": c.text, "url": c.url, "status": c.status} for c in one.citations]
    return {"what": one.head, **said, "status": one.status, "sources": sources}


def write(console: Console, shown: Iterable[Shown]) -> None:
    """For people: the statement first, what to do under it, the sources at the end."""
    for each in shown:
        console.print(Text(each.ingredient, "bold reverse"))
        if each.salts:
            _line(console, 2, "told apart", ", ".join(each.salts))
        if names := [name for name in each.names if name != each.ingredient]:
            more = len(names) - _NAMES_SHOWN
            _line(
                console, 2, "also called", ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
            )
        if not each.sections:
            console.print(Padding("nothing else is known of it: no rule about it can find anything", (0, 0, 0, 2)))
        for title, facts in each.sections:
            console.print(Text(f"\n{title.upper()}", "bold"))
            for one, before in zip(facts, (None, *facts), strict=False):
                _write_fact(console, one, before)
        _write_sources(console, [one for _, facts in each.sections for one in facts])


def _write_fact(console: Console, one: Fact, before: Fact | None) -> None:
    head = Text(one.head, STYLES.get(one.severity, ""))
    if evidence := one.said.get("evidence"):
        head.append(f"  {evidence}", "dim")
    head.append(f"  {one.status}", "green" if one.status == "verified" else "dim yellow")
    head.append(f"  [{', '.join(each.id for each in one.citations)}]", "dim")
    console.print(Padding(head, (0, 0, 0, 2)))
    as_above = [name for name in _SHARED if before and name in one.said and one.said[name] == before.said.get(name)]
    for name, text in one.said.items():
        if name != "evidence" and name not in as_above:
            _write_said(console, name, text)
    if as_above:
        console.print(Padding(Text(f"{', '.join(as_above)}: as above", "dim"), (0, 0, 0, 4)))


def _write_said(console: Console, name: str, text: str | tuple[str, ...]) -> None:
    if name in _LINE_EACH and isinstance(text, tuple):
        for each in text:
            _line(console, 4, name, each)
    else:
        _line(console, 4, name, text if isinstance(text, str) else ", ".join(text))


def _line(console: Console, indent: int, name: str, text: str) -> None:
    console.print(Padding(Text.assemble((f"{name}: ", "bold"), text), (0, 0, 0, indent)))


def _write_sources(console: Console, facts: Iterable[Fact]) -> None:
    citations = {each.id: each for one in facts for each in one.citations}
    if citations:
        console.print(Text("\nSOURCES", "bold"))
    for each in citations.values():
        text = Text.assemble(
            (f"{each.id} ", "bold"), f"{each.status}: {each.text}", (f" {each.url}" if each.url else "", "dim")
        )
        console.print(Padding(text, (0, 0, 0, 2)))
    console.print()
