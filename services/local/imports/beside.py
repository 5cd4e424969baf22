"""What a source of the site's own says beside what we say: pairs that only one of the two has, and those of another severity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal

from msgspec import Struct

from knowledge.model import Knowledge
from knowledge.outside import Pair, pair_of
from schemas.values import SEVERITIES, Severity

Kind = Literal["only theirs", "only ours", "other severity"]


class Beside(Struct, frozen=True, kw_only=True):
    """A pair in which the two differ. ``counts`` is what the site's choice makes of it: ``ours``, ``theirs`` or ``off``."""

    kind: Kind
    source: str
    a: str
    b: str
    ours: Severity | None
    theirs: Severity | None
    said: str
    counts: Literal["ours", "theirs", "off"]


def compared(knowledge: Knowledge, source: str) -> Iterator[Beside]:
    """Every difference from one source, ours among the ingredients that it speaks of at all; by kind, the gravest first."""
    theirs = {
        pair: next(each for each in rows if each.source == source)
        for pair, rows in knowledge.outside.theirs.items()
        if any(each.source == source for each in rows)
    }
    spoken_of = frozenset(name for pair in theirs for name in pair)
    ours = {pair: of for pair, of in pairs(knowledge).items() if spoken_of.issuperset(pair)}
    found = []
    for pair in theirs.keys() | ours.keys():
        their, our = theirs.get(pair), ours.get(pair)
        if their is not None and our == their.severity:
            continue
        kind: Kind = "only theirs" if our is None else "only ours" if their is None else "other severity"
        found.append(
            Beside(
                kind=kind,
                source=source,
                a=pair[0],
                b=pair[1],
                ours=our,
                theirs=None if their is None else their.severity,
                said="" if their is None else their.said,
                counts=_counts(knowledge, pair),
            )
        )
    yield from sorted(found, key=lambda each: (each.kind, _place(each), each.a, each.b))


def pairs(knowledge: Knowledge) -> Mapping[Pair, Severity]:
    """Every two ingredients of which we say that they interact, as gravely as we say it where nothing else is known."""
    found: dict[Pair, Severity] = {}
    for pair, interactions in knowledge.interactions.items():
        for interaction in interactions:
            _note(found, pair_of(*pair), interaction.pair.severity)
    for mechanism in knowledge.mechanisms.by_id.values():
        if len(mechanism.members) == 2:
            for one, other in product(*mechanism.members.values()):
                if one != other:
                    _note(found, pair_of(one, other), mechanism.severity)
    return found


def _note(found: dict[Pair, Severity], pair: Pair, severity: Severity) -> None:
    if pair not in found or SEVERITIES.index(severity) < SEVERITIES.index(found[pair]):
        found[pair] = severity


def _place(each: Beside) -> int:
    return min(SEVERITIES.index(severity) for severity in (each.ours, each.theirs) if severity is not None)


def _counts(knowledge: Knowledge, pair: Pair) -> Literal["ours", "theirs", "off"]:
    if pair in knowledge.outside.counting:
        return "theirs"
    return "off" if knowledge.outside.turned_off(pair) is not None else "ours"
