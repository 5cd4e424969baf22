"""Reads what is asked when a patient comes to hospital or leaves it, and which reasons speak of harm: ``transfer/``."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from typing import Any

from knowledge.conditions import Names
from knowledge.reading.by_medicine import OfMedicineRow, by_medicine, days, hours
from knowledge.reading.cells import conditions
from knowledge.reading.property import Pharmacology
from knowledge.reading.sources import Sources
from knowledge.reading.tables import AdvisedRow, read
from knowledge.transfer import Harm, NotContinued, Transferred, Transfers, gravest_harm_first
from schemas.values import Severity

FOLDER = "transfer"


class NotContinuedRow(OfMedicineRow, frozen=True, kw_only=True):
    at: Transferred
    wait_hours: float
    lasts_days: float
    unless: tuple[str, ...] = ()


class HarmRow(AdvisedRow, frozen=True, kw_only=True):
    id: str
    words: tuple[str, ...]
    severity: Severity


def read_transfers(root: Traversable, sources: Sources, names: Names, known: Pharmacology) -> Transfers:
    """``names`` are what conditions may speak of."""
    table = sources.checked(read(root, f"{FOLDER}/not_continued.csv", NotContinuedRow))
    table.each_once("at", "medicine")

    def more(row: NotContinuedRow) -> dict[str, Any]:
        return {
            "wait": hours(table, row, "wait_hours"),
            "lasts": days(table, row, "lasts_days"),
            "unless": conditions(table, row, "unless", names),
        }

    return Transfers(
        not_continued={
            at: by_medicine(NotContinued, table, [row for row in table.rows if row.at == at], sources, known, more)
            for at in dict.fromkeys(row.at for row in table.rows)
        },
        harms=_harms(root, sources),
    )


def _harms(root: Traversable, sources: Sources) -> tuple[Harm, ...]:
    table = sources.checked(read(root, f"{FOLDER}/harms.csv", HarmRow))
    table.each_once("id")
    for row in table.rows:
        wrong = [word for word in row.words if word != word.casefold() or not word.strip()]
        if wrong or not row.words:
            raise table.error(row, "words", f"are in small letters, at least one; {wrong} is not")
    return tuple(sorted((sources.made(Harm, row) for row in table.rows), key=gravest_harm_first))
