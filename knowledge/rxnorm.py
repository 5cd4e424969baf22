"""A site's own RxNorm release, as `rxvigil import rxnorm` writes it into the site's folder: ``rxnorm.csv`` and ``ndc.csv``.

rxvigil ships neither. A process that resolves no drugs never reads them.
"""

from __future__ import annotations

import csv
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from knowledge.reading.tables import SEPARATOR, KnowledgeError
from schemas.values import Quantity

DRUGS_FILE = "rxnorm.csv"
DRUGS_COLUMNS = ("rxcui", "tty", "name", "ingredients", "ingredient_rxcuis", "strengths")
NDC_FILE = "ndc.csv"
NDC_COLUMNS = ("ndc", "rxcui")
NONE = "-"
"""A strength that is not known, in a cell with one for each ingredient."""
_STRENGTH = re.compile(r"(\d+(?:\.\d+)?) (\S+)", re.ASCII)


class RxNormIngredient(NamedTuple):
    """``name`` and ``rxcui`` are RxNorm's of the ingredient (TTY IN)."""

    name: str
    rxcui: str
    strength: Quantity | None


class RxNormDrug(NamedTuple):
    """A concept of RxNorm; ``name`` is in RxNorm's grammar."""

    rxcui: str
    tty: str
    name: str
    ingredients: tuple[RxNormIngredient, ...]


class RxNormTable:
    """The two tables of the folder; a file that is not there is an empty one. Raises ``KnowledgeError`` when first asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> None:
        """Read both now. Raises ``KnowledgeError``."""
        _ = self._drugs, self._ndcs

    def drug(self, rxcui: str) -> RxNormDrug | None:
        cells = self._drugs.get(rxcui)
        if cells is None:
            return None
        names, codes, strengths = (cell.split(SEPARATOR) for cell in cells[2:])
        ingredients = map(RxNormIngredient, names, codes, map(_strength, strengths))
        return RxNormDrug(rxcui, cells[0], cells[1], tuple(ingredients))

    def of_ndc(self, ndc: str) -> str | None:
        """The RXCUI of an NDC of 11 digits."""
        found = self._between(int(ndc), int(ndc) + 1)
        return str(found[0]) if found else None

    def of_product(self, product: str) -> set[str]:
        """The RXCUIs of the packages of a product: the first 9 digits of its NDCs."""
        return set(map(str, self._between(int(product) * 100, int(product) * 100 + 100)))

    def _between(self, first: int, end: int) -> Sequence[int]:
        ndcs, codes = self._ndcs
        return codes[bisect_left(ndcs, first) : bisect_left(ndcs, end)]

    @cached_property
    def _drugs(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for line, cells in _rows(self._folder / DRUGS_FILE, DRUGS_COLUMNS):
            counts = {cell.count(SEPARATOR) for cell in cells[3:]}
            if len(counts) != 1 or not all(cells):
                raise KnowledgeError(DRUGS_FILE, line, "ingredients", "each ingredient has one RXCUI and one strength")
            found[cells[0]] = tuple(cells[1:])
        return found

    @cached_property
    def _ndcs(self) -> tuple[array[int], array[int]]:
        """Sorted; two arrays, because a release has half a million."""
        ndcs, codes = array("Q"), array("Q")
        for line, (ndc, rxcui) in _rows(self._folder / NDC_FILE, NDC_COLUMNS):
            if not (ndc.isdecimal() and len(ndc) == 11 and rxcui.isdecimal()):
                raise KnowledgeError(NDC_FILE, line, "ndc", "an NDC of 11 digits and an RXCUI are expected")
            if ndcs and int(ndc) <= ndcs[-1]:
                raise KnowledgeError(NDC_FILE, line, "ndc", "the lines must be in the order of their NDC, each once")
            ndcs.append(int(ndc))
            codes.append(int(rxcui))
        return ndcs, codes


def _strength(text: str) -> Quantity | None:
    found = _STRENGTH.fullmatch(text)
    return Quantity(float(found[1]), found[2]) if found else None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """The lines below the header. None when there is no such file."""
    try:
        stream = path.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        return
    except OSError as error:
        raise KnowledgeError(path.name, 0, "", f"cannot be read ({error.strerror})") from error
    with stream:
        reader = csv.reader(stream, strict=True)
        try:
            if tuple(next(reader, ())) != columns:
                raise KnowledgeError(path.name, 1, "", f"the header must be {','.join(columns)}")
            for cells in reader:
                if len(cells) != len(columns):
                    raise KnowledgeError(path.name, reader.line_num, "", f"{len(columns)} cells are expected")
                yield reader.line_num, cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise KnowledgeError(path.name, reader.line_num, "", f"not CSV in UTF-8 ({error})") from error
