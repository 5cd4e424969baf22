"""`rxvigil import rxnorm`: a site's own RxNorm release becomes the two tables that its knowledge folder may hold.

Columns, term types and relations are those of the RxNorm Technical Documentation (sections 6 and 12, appendices 1 and 5). A
release is read as a stream, file by file; what is held are the concepts, their relations to ingredients and the NDCs.
"""

from __future__ import annotations

import csv
import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from knowledge.reading.tables import SEPARATOR
from knowledge.rxnorm import DRUGS_COLUMNS, DRUGS_FILE, NDC_COLUMNS, NDC_FILE, NONE
from schemas.values import Quantity
from services.ingest.terminology.rxnorm_names import read_clinical_drug

COLUMNS = {"RXNCONSO.RRF": 18, "RXNREL.RRF": 16, "RXNSAT.RRF": 13}
"""The columns of each file; every line ends in one more separator."""
LEADS_TO: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "PIN": (("form_of", frozenset({"IN"})),),
    "MIN": (("has_part", frozenset({"IN"})),),
    "BN": (("tradename_of", frozenset({"IN", "MIN"})),),
    "SCDC": (("has_ingredient", frozenset({"IN"})),),
    "SCDF": (("has_ingredient", frozenset({"IN"})),),
    "SCDG": (("has_ingredient", frozenset({"IN"})),),
    "SCD": (("consists_of", frozenset({"SCDC"})),),
    "SBDC": (("tradename_of", frozenset({"SCDC"})),),
    "SBDF": (("tradename_of", frozenset({"SCDF"})),),
    "SBDG": (("tradename_of", frozenset({"SCDG"})),),
    "SBD": (("tradename_of", frozenset({"SCD"})), ("consists_of", frozenset({"SCDC"}))),
    "GPCK": (("contains", frozenset({"SCD"})),),
    "BPCK": (("contains", frozenset({"SCD", "SBD"})), ("tradename_of", frozenset({"GPCK"}))),
}
"""From a term type to what its ingredients are found by; the first that the release has decides."""
_RELATIONS = frozenset(relation for ways in LEADS_TO.values() for relation, _ in ways)
_PACKS = ("GPCK", "BPCK")
_RXCUI_SPAN = 10**8
_TOLD_EVERY = 20_000

Tell = Callable[[int], None]
Strengths = Mapping[int, Quantity | None]
"""The ingredients of a concept by RXCUI."""


class RxNormError(ValueError):
    """The release cannot be used; says which file and line, and what is expected there."""


class Imported(NamedTuple):
    """What was written. ``left_out`` are concepts whose ingredients the release does not say, ``ambiguous`` NDCs of two
    different medicines, ``unread`` NDCs that are no eleven digits."""

    drugs: int
    ndcs: int
    left_out: int
    ambiguous: int
    unread: int


def import_rxnorm(release: Path, site: Path, progress: Console) -> Imported:
    """Write ``rxnorm.csv`` and ``ndc.csv`` into the folder ``site``, whole or not at all. Raises ``RxNormError``."""
    paths = {name: _file(release, name) for name in COLUMNS}
    size = sum(path.stat().st_size for path in paths.values())
    with Progress(console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task("reading RxNorm", total=size)
        read = _Release(paths, lambda done: bar.advance(task, done))
    left_out = len(read.concepts) - len(read.drugs)
    if not read.drugs:
        raise RxNormError(f"{release}: no concept of RxNorm in RXNCONSO.RRF leads to an ingredient by RXNREL.RRF")
    ndcs, ambiguous = _told_apart(read)
    try:
        site.mkdir(parents=True, exist_ok=True)
        _write(site / DRUGS_FILE, DRUGS_COLUMNS, (_cells(read, rxcui) for rxcui in sorted(read.drugs)))
        _write(site / NDC_FILE, NDC_COLUMNS, ((f"{ndc:011}", str(rxcui)) for ndc, rxcui in ndcs))
    except OSError as error:
        raise RxNormError(f"{site}: the tables cannot be written there: {error.strerror}") from error
    return Imported(len(read.drugs), len(ndcs), left_out, ambiguous, read.unread)


def _file(release: Path, name: str) -> Path:
    for path in (release / name, release / "rrf" / name):
        if path.is_file():
            return path
    raise RxNormError(
        f"{release}: {name} is neither there nor in {release / 'rrf'}; name the unpacked folder of a release"
    )


class _Release:
    """``drugs`` are the concepts whose ingredients are known; ``ndcs`` are pairs of NDC and RXCUI in one number each."""

    def __init__(self, paths: Mapping[str, Path], tell: Tell) -> None:
        self.unread = 0
        self.concepts = _concepts(paths["RXNCONSO.RRF"], tell)
        self._relations = self._related(paths["RXNREL.RRF"], tell)
        found = {rxcui: self._ingredients(rxcui) for rxcui in self.concepts}
        self.drugs: Mapping[int, Strengths] = {rxcui: strengths for rxcui, strengths in found.items() if strengths}
        self.ndcs = self._coded(paths["RXNSAT.RRF"], tell)

    def _related(self, path: Path, tell: Tell) -> Mapping[tuple[int, bytes], list[int]]:
        """The relation is the one that the second concept has to the first."""
        wanted = {relation.encode() for relation in _RELATIONS}
        found: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
        for line, cells in _rows(path, tell):
            if cells[7] not in wanted or cells[10] != b"RXNORM" or not (cells[0] and cells[4]):
                continue
            first, second = _rxcui(path, line, cells[0]), _rxcui(path, line, cells[4])
            if first in self.concepts and second in self.concepts:
                found[second, cells[7]].append(first)
        return found

    def _ingredients(self, rxcui: int) -> Strengths:
        tty, name = self.concepts[rxcui]
        if tty == "IN":
            return {rxcui: None}
        for relation, kinds in LEADS_TO[tty]:
            others = self._relations.get((rxcui, relation.encode()), ())
            parts = [self._ingredients(other) for other in dict.fromkeys(others) if self.concepts[other][0] in kinds]
            if parts:
                together = _in_pack(parts) if tty in _PACKS else _in_drug(parts)
                return dict.fromkeys(together, _strength(name)) if tty == "SCDC" and len(together) == 1 else together
        return {}

    def _coded(self, path: Path, tell: Tell) -> array[int]:
        found = array("Q")
        for line, cells in _rows(path, tell):
            if cells[8] != b"NDC" or cells[9] != b"RXNORM":
                continue
            rxcui = _rxcui(path, line, cells[0])
            if rxcui not in self.drugs:
                continue
            if len(cells[10]) == 11 and cells[10].isdigit():
                found.append(int(cells[10]) * _RXCUI_SPAN + rxcui)
            else:
                self.unread += 1
        return found


def _concepts(path: Path, tell: Tell) -> Mapping[int, tuple[str, str]]:
    """Term type and name of each concept. A name that is in use stands over an obsolete one, which old orders still carry."""
    wanted = {tty.encode(): tty for tty in ("IN", *LEADS_TO)}
    found: dict[int, tuple[str, str]] = {}
    in_use: set[int] = set()
    for line, cells in _rows(path, tell):
        tty = wanted.get(cells[12])
        if tty is None or cells[11] != b"RXNORM" or cells[16] == b"Y":
            continue
        rxcui = _rxcui(path, line, cells[0])
        if rxcui not in found or (cells[16] == b"N" and rxcui not in in_use):
            found[rxcui] = (tty, _text(path, line, cells[14]))
        if cells[16] == b"N":
            in_use.add(rxcui)
    return found


def _rows(path: Path, tell: Tell) -> Iterator[tuple[int, list[bytes]]]:
    columns, done = COLUMNS[path.name], 0
    try:
        with path.open("rb") as stream:
            for line, text in enumerate(stream, start=1):
                done += len(text)
                if line % _TOLD_EVERY == 0:
                    tell(done)
                    done = 0
                cells = text.rstrip(b"\r\n").split(b"|")
                if len(cells) != columns + 1 or cells[-1]:
                    raise RxNormError(
                        f"{path}, line {line}: {len(cells) - 1} columns where {columns} are expected, each ended by '|'"
                    )
                yield line, cells
    except OSError as error:
        raise RxNormError(f"{path}: cannot be read to its end: {error.strerror}") from error
    tell(done)


def _rxcui(path: Path, line: int, cell: bytes) -> int:
    if not cell.isdigit() or len(cell) > 8:
        raise RxNormError(f"{path}, line {line}: an RXCUI of up to 8 digits is expected")
    return int(cell)


def _text(path: Path, line: int, cell: bytes) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError as error:
        raise RxNormError(f"{path}, line {line}: the name is not UTF-8") from error


def _strength(name: str) -> Quantity | None:
    """That of a component, ``amoxicillin 250 MG``."""
    drug = read_clinical_drug(name)
    return drug.components[0].strength if drug is not None and len(drug.components) == 1 and not drug.form else None


def _in_drug(parts: Iterable[Strengths]) -> Strengths:
    """Two components of one ingredient are its two salts: their strengths add up."""
    found: dict[int, Quantity | None] = {}
    for rxcui, strength in (each for part in parts for each in part.items()):
        found[rxcui] = _sum(found[rxcui], strength) if rxcui in found else strength
    return found


def _in_pack(parts: Iterable[Strengths]) -> Strengths:
    """Drugs of a pack are taken one after the other: what differs between them is not the strength of the pack."""
    found: dict[int, Quantity | None] = {}
    for rxcui, strength in (each for part in parts for each in part.items()):
        found[rxcui] = strength if found.get(rxcui, strength) == strength else None
    return found


def _sum(one: Quantity | None, other: Quantity | None) -> Quantity | None:
    return Quantity(one.value + other.value, one.unit) if one and other and one.unit == other.unit else None


def _told_apart(read: _Release) -> tuple[list[tuple[int, int]], int]:
    """Each NDC once, in order; those that stand for two different medicines are left out and counted."""
    found: dict[int, int] = {}
    ambiguous: set[int] = set()
    for ndc, rxcui in (divmod(pair, _RXCUI_SPAN) for pair in sorted(read.ndcs)):
        if read.drugs[found.setdefault(ndc, rxcui)].keys() != read.drugs[rxcui].keys():
            ambiguous.add(ndc)
    return [pair for pair in found.items() if pair[0] not in ambiguous], len(ambiguous)


def _cells(read: _Release, rxcui: int) -> tuple[str, ...]:
    tty, name = read.concepts[rxcui]
    drug = read.drugs[rxcui]
    return (
        str(rxcui),
        tty,
        name,
        SEPARATOR.join(read.concepts[ingredient][1] for ingredient in drug),
        SEPARATOR.join(map(str, drug)),
        SEPARATOR.join(_written(strength) for strength in drug.values()),
    )


def _written(strength: Quantity | None) -> str:
    return f"{strength.value:.10f}".rstrip("0").rstrip(".") + f" {strength.unit}" if strength is not None else NONE


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[str]]) -> None:
    """Beside the file first, so that a reader never sees half of one."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
