"""Reads the words of dosage instructions: ``instructions/``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable

from knowledge.reading.sources import Sources
from knowledge.reading.tables import Row, Table, read
from knowledge.wording import DoseUnit, Measure, Phrase, Word, Wording, WordKind, tokens


class FrequencyRow(Row, frozen=True, kw_only=True):
    """``times`` in ``days``."""

    phrase: str
    times: float
    days: float


class UnitRow(Row, frozen=True, kw_only=True):
    """``size`` is in mg, mL, mmol, mEq, units or days; 1 for a form."""

    spelling: str
    unit: str
    measure: Measure
    size: float


class PhraseRow(Row, frozen=True, kw_only=True):
    """``meaning``: the number, the time of the day, the day of the week (0 is Monday), or why it is unclear."""

    phrase: str
    kind: WordKind
    meaning: str = ""


def read_wording(root: Traversable, sources: Sources) -> Wording:
    frequencies = sources.checked(read(root, "instructions/frequencies.csv", FrequencyRow))
    units = sources.checked(read(root, "instructions/units.csv", UnitRow))
    words = sources.checked(read(root, "instructions/words.csv", PhraseRow))
    often, sizes, meanings = dict[Phrase, float](), dict[Phrase, DoseUnit](), dict[Phrase, Word]()
    for rate in frequencies.rows:
        if rate.times <= 0 or rate.days <= 0:
            raise frequencies.error(rate, "times", "times in days, both more than nothing")
        often[_key(frequencies, rate, "phrase", rate.phrase, often)] = rate.times / rate.days
    for unit in units.rows:
        if unit.size <= 0:
            raise units.error(unit, "size", "more than nothing")
        sizes[_key(units, unit, "spelling", unit.spelling, sizes)] = DoseUnit(unit.unit, unit.measure, unit.size)
    for word in words.rows:
        phrase = _key(words, word, "phrase", word.phrase, meanings)
        if phrase in often:
            raise words.error(word, "phrase", f"{word.phrase!r} is in frequencies.csv")
        meanings[phrase] = Word(word.kind, word.meaning, _value(words, word))
    longest = max((len(phrase) for phrase in (*often, *sizes, *meanings)), default=0)
    return Wording(frequencies=often, units=sizes, words=meanings, longest=longest)


def _key(table: Table, row: Row, column: str, written: str, known: Mapping[Phrase, object]) -> Phrase:  # type: ignore[type-arg]
    phrase = tuple(tokens(written))
    if not phrase or written != written.lower():
        raise table.error(row, column, "is to be written in lower case")
    if phrase in known:
        raise table.error(row, column, f"{written!r} is there twice")
    return phrase


def _value(table: Table[PhraseRow], row: PhraseRow) -> float:
    if row.kind not in ("number", "count", "weekday", "short_weekday"):
        return 0.0
    try:
        return float(row.meaning)
    except ValueError as error:
        raise table.error(row, "meaning", f"{row.kind} means a number") from error
