"""Dosage as structured data and as text, joined: the data stand, the text fills what they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import dropwhile, takewhile
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from knowledge.wording import Wording, tokens
from schemas.daily_dose import daily_dose
from schemas.events import Dosage
from schemas.values import Known, Quantity
from services.ingest.terminology.instructions.grammar import parts
from services.ingest.terminology.instructions.reading import LONGEST, Reading, read

_REMEMBERED = 4096
"""A hospital has some hundreds of instructions; what nobody bounds is what a broken feed makes up."""
_DAYS_APART = 1 / 5
"""Times a day of what is certainly not taken daily, nor on the days of work."""
_SAME = 1e-6
"""Of two amounts: what conversion and division leave."""


class Instructions:
    """Reads dosages by the words of ``wording``. Pure; the readings of the newest texts are remembered."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._remembered = lru_cache(_REMEMBERED)(self._joined)

    def understood(self, dosage: Dosage) -> Dosage:
        """``dosage`` with what its text says besides its data, its daily dose, and a remark on what was not understood. What
        is null stays null: it was asked and is not known. What data and text say differently becomes absent."""
        return self._remembered(dosage) if len(dosage.text) < LONGEST else self._joined(dosage)

    def reading(self, text: str) -> Reading:
        """What a text says by itself."""
        return read(text, self._wording)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The first words in a row of a text that nobody knows; empty when there is none, or one that is no word."""
        found = parts(tokens(text[:LONGEST]), self._wording)
        after = dropwhile(lambda part: part.kind != "unknown", found)
        return tuple(part.key for part in takewhile(lambda part: part.kind == "unknown" and part.key.isalpha(), after))

    def _joined(self, dosage: Dosage) -> Dosage:
        if not dosage.text:
            found = _amount(dosage, Reading())
            if found is dosage.daily_dose and not dosage.remark:
                return dosage
            return replace(dosage, daily_dose=found, remark="")
        said = read(dosage.text, self._wording)
        fields = self._contradicted(dosage, said)
        remark = "contradictory" if fields else said.remark
        fields |= {name: value for name, value in _filled(dosage, said).items() if name not in fields}
        joined = replace(dosage, **fields)
        return replace(joined, daily_dose=_amount(joined, said), remark=remark)

    def _contradicted(self, dosage: Dosage, said: Reading) -> dict[str, Any]:
        """The fields that the text contradicts, absent."""
        fields: dict[str, Any] = {}
        if self._differ(dosage.dose, said.dose, *said.also):
            fields["dose"] = UNSET
        if self._differ(dosage.max_daily_dose, said.most):
            fields["max_daily_dose"] = UNSET
        if self._differ(dosage.rate, said.rate):
            fields["rate"] = UNSET
        if _often_differs(dosage, said):
            fields |= {"frequency_per_day": UNSET, "frequency_high": UNSET}
        if dosage.as_needed is False and said.as_needed:
            fields["as_needed"] = UNSET
        return fields

    def _differ(self, given: Known[Quantity], *said: Quantity | None) -> bool:
        """Whether a text says another amount than the data, in a unit that can be compared."""
        if not isinstance(given, Quantity):
            return False
        compared = [apart for each in said if each is not None and (apart := self._apart(given, each)) is not None]
        return bool(compared) and all(compared)

    def _apart(self, one: Quantity, other: Quantity) -> bool | None:
        """Whether two amounts have nothing in common; None where their units cannot be compared."""
        first, second = self._wording.unit_named(one.unit), self._wording.unit_named(other.unit)
        if first is None or second is None or first.measure != second.measure:
            return None
        if first.measure == "form" and first.name != second.name:
            return None
        return _separate(
            (one.value * first.size, (one.high or one.value) * first.size),
            (other.value * second.size, (other.high or other.value) * second.size),
        )


def _often_differs(dosage: Dosage, said: Reading) -> bool:
    """By the numbers where the text was understood; where it was not, daily and on few days still are two things."""
    low = dosage.frequency_per_day
    if not isinstance(low, float | int):
        return False
    high = dosage.frequency_high if isinstance(dosage.frequency_high, float | int) else low
    if said.frequency is not None:
        return _separate((low, high), said.frequency)
    return high >= 1 if said.rhythm == "seldom" else said.rhythm == "daily" and high <= _DAYS_APART


def _separate(one: tuple[float, float], other: tuple[float, float]) -> bool:
    least, most = max(min(one), min(other)), min(max(one), max(other))
    return least - most > _SAME * max(abs(least), abs(most))


def _filled(dosage: Dosage, said: Reading) -> Mapping[str, Any]:
    """What the text adds. A frequency is one statement with two ends."""
    fields: dict[str, Any] = {}
    if dosage.dose is UNSET and said.dose is not None:
        fields["dose"] = said.dose
    if dosage.frequency_per_day is UNSET and dosage.frequency_high is UNSET and said.frequency is not None:
        low, high = said.frequency
        fields |= {"frequency_per_day": low} if low == high else {"frequency_per_day": low, "frequency_high": high}
    if dosage.as_needed is UNSET and said.as_needed:
        fields["as_needed"] = True
    if dosage.rate is UNSET and said.rate is not None:
        fields["rate"] = said.rate
    if dosage.max_daily_dose is UNSET and said.most is not None:
        fields["max_daily_dose"] = said.most
    return fields


def _amount(dosage: Dosage, said: Reading) -> Quantity | UnsetType:
    """Dose times frequency, or what the text says in other words when dose and frequency are those of the text."""
    dose, low, high = _known(dosage.dose), _known(dosage.frequency_per_day), _known(dosage.frequency_high)
    most = _known(dosage.max_daily_dose)
    read_often = said.frequency or (None, None)
    own_words = dose == said.dose and (low, high if high is not None else low) == read_often
    if said.daily is not None and own_words:
        found: Quantity | None = daily_dose(said.daily, 1, None, as_needed=_known(dosage.as_needed), most=most)
    else:
        found = daily_dose(dose, low, high, as_needed=_known(dosage.as_needed), most=most)
    return UNSET if found is None else found


def _known(value: Any) -> Any:
    return None if value is UNSET else value
