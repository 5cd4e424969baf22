"""Reads the name of a medicine: RxNorm's grammar (``Acetaminophen 325 MG / Hydrocodone Bitartrate 7.5 MG Oral Tablet
[Norco]``) and what people write (``Piperacillin-Tazobactam Na``, ``HYDROmorphone (Dilaudid)``, ``simvastatin 40 mg tab``).

The longest part of a name that is a known name decides, and every word beside it must be one that changes no ingredient:
a strength, a form, a salt, a filler. One word that is none of these leaves the whole name unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.model import Knowledge, plain_name
from schemas.events import Ingredient
from schemas.values import Quantity

_UNIT = (
    r"mg|g|gm|gram|grams|mcg|ug|µg|kg|ml|l|meq|mmol|units?|unt|iu|mu|million|hrs?|h|hour|day|actuat|inh|puff|dose|cm|mci"
    r"|cells|%"
)
_STRENGTH = re.compile(
    rf"(?P<number>\d[\d,]*(?:\.\d+)?|\.\d+)?-?(?P<unit>(?:{_UNIT})(?:/(?:\d+(?:\.\d+)?)?(?:{_UNIT}))?)", re.ASCII
)
_PER = re.compile(rf"(?<=/)(\d+(?:\.\d+)?) (?=(?:{_UNIT})\b)", re.ASCII)
"""``40 mg/0.4 mL``, ``0.1 mg/24 hr``: the amount in which the strength is given stands apart from its unit."""
_NUMBER = re.compile(r"[\d.,]+(?:[-/x][\d.,]+)*", re.ASCII)
_NO_STRENGTH = re.compile(r"(?:ml|l|hr|hrs|h|hour|day|cm|dose|actuat|puff|inh|kg)\b")
"""Units of a volume, a time or a count: the size of a package, not the strength."""
_PACK = re.compile(r"\s*\{(.*)\}\s*pack\b.*", re.IGNORECASE | re.DOTALL)
_BRAND = re.compile(r"\[[^\]]*\]")
_ASIDE = re.compile(r"\(([^()]*)\)")
_JOINTS = (
    re.compile(r"\s/\s"),
    re.compile(r"\s/\s|(?<=[a-z])/(?=[a-z])(?!ml\b|hr\b|actuat\b|g\b|l\b|kg\b)", re.IGNORECASE),
    re.compile(r"\s/\s|(?<=[a-z])[/-](?=[a-z])|\s-\s|\sand\s|\swith\s|\sw/\s?|\s?\+\s?|\s?&\s?|,\s", re.IGNORECASE),
)
"""What stands between the ingredients of a combination, from the surest to the least sure."""
_QUALIFIERS = ("topical", "ophthalmic", "otic", "nasal", "vaginal", "rectal")
_LONGEST_TEXT = 400


class Reading(NamedTuple):
    """What a name says. No ingredients: a vehicle. ``form`` is empty when the name does not say it."""

    ingredients: tuple[Ingredient, ...]
    form: str


class NameReader:
    """Reads names by what the knowledge has."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def read(self, text: str) -> Reading | None:
        """The ingredients, strengths and form that ``text`` names, or None when it is not understood as a whole."""
        if len(text) > _LONGEST_TEXT:
            return None
        pack = _PACK.fullmatch(text)
        if pack is not None:
            return self._pack(pack.group(1))
        whole = self._plain(text)
        if whole is not None:
            return whole
        outside = _ASIDE.sub(self._aside, _BRAND.sub(" ", text))
        reading = self._joined(outside)
        if reading is None or self._contradicted(reading, _ASIDE.findall(text)):
            return None
        return reading

    def _aside(self, found: re.Match[str]) -> str:
        """What stands in brackets stays when it says form or strength; a brand, a remark or a mixture's parts go."""
        inside = found.group(1)
        return f" {inside} " if all(map(self._changes_nothing, plain_name(inside).split())) else " "

    def _pack(self, content: str) -> Reading | None:
        """``7 (Lansoprazole 15 MG Oral Capsule) / 14 (Naproxen 500 MG Oral Tablet)``."""
        readings = [self._joined(part) for part in _ASIDE.findall(content)]
        if not readings or None in readings:
            return None
        return _together([reading for reading in readings if reading is not None], strengths=False)

    def _plain(self, text: str) -> Reading | None:
        """A name as a whole, without strengths, brackets or joints."""
        name = plain_name(text)
        if name in self._knowledge.vehicles:
            return Reading((), "")
        known = self._knowledge.drug_names.get(name)
        return Reading(tuple(map(Ingredient, known)), self._form(name.split())) if known else None

    def _joined(self, text: str) -> Reading | None:
        single = self._one(text)
        if single is not None:
            return single
        for joint in _JOINTS:
            parts = [part for part in joint.split(text) if part.strip()]
            if len(parts) > 1:
                readings = [self._one(part) for part in parts]
                if None not in readings:
                    return _together([reading for reading in readings if reading is not None])
        return None

    def _one(self, text: str) -> Reading | None:
        """One name with the words beside it."""
        words = _PER.sub(r"\1", plain_name(text)).split()
        for start, end in _spans(len(words)):
            beside = words[:start] + words[end:]
            reading = self._plain(" ".join(words[start:end]))
            if reading is not None and all(map(self._changes_nothing, beside)):
                return self._with_details(reading, beside)
        return None

    def _changes_nothing(self, word: str) -> bool:
        return word in self._knowledge.words or bool(_NUMBER.fullmatch(word) or _STRENGTH.fullmatch(word))

    def _with_details(self, reading: Reading, beside: Sequence[str]) -> Reading:
        strengths = list(_strengths(beside))
        ingredients = reading.ingredients
        if len(ingredients) == 1 and len(strengths) == 1:
            ingredients = (replace(ingredients[0], strength=strengths[0]),)
        return Reading(ingredients, self._form([*reading.form.split(), *beside]))

    def _form(self, words: Sequence[str]) -> str:
        """One dose form of several words: ``topical cream``. A patch is a patch whatever else is said."""
        forms = [known.meaning for word in words if (known := self._knowledge.words.get(word)) and known.meaning]
        if "patch" in forms:
            return "patch"
        return " ".join(sorted(dict.fromkeys(forms), key=lambda form: form not in _QUALIFIERS))

    def _contradicted(self, reading: Reading, asides: Sequence[str]) -> bool:
        """Whether something in brackets names other ingredients than the name does."""
        named = {ingredient.name for ingredient in reading.ingredients}
        inside = [aside for text in asides if (aside := self._joined(text)) is not None]
        return any(aside.ingredients and {each.name for each in aside.ingredients} != named for aside in inside)


def _spans(length: int) -> Iterator[tuple[int, int]]:
    """Every stretch of words, the longest first, then from the left."""
    for size in range(length, 0, -1):
        for start in range(length - size + 1):
            yield start, start + size


def _strengths(words: Sequence[str]) -> Iterator[Quantity]:
    number: float | None = None
    for word in words:
        found = _STRENGTH.fullmatch(word)
        if found is None:
            number = float(word.replace(",", "")) if re.fullmatch(r"\d[\d,]*(\.\d+)?|\.\d+", word, re.ASCII) else None
            continue
        value = float(found["number"].replace(",", "")) if found["number"] else number
        if value is not None and not _NO_STRENGTH.match(found["unit"]):
            yield Quantity(value, found["unit"])
        number = None


def _together(readings: Sequence[Reading], *, strengths: bool = True) -> Reading:
    """A combination; two salts of one ingredient are one with the sum of their strengths."""
    found: dict[str, Ingredient] = {}
    for reading in readings:
        for ingredient in reading.ingredients:
            same = found.get(ingredient.name)
            found[ingredient.name] = ingredient if same is None else _sum(same, ingredient)
    ingredients = tuple(each if strengths else replace(each, strength=UNSET) for each in found.values())
    return Reading(ingredients, next((reading.form for reading in reversed(readings) if reading.form), ""))


def _sum(one: Ingredient, other: Ingredient) -> Ingredient:
    first, second = one.strength, other.strength
    if isinstance(first, Quantity) and isinstance(second, Quantity) and first.unit == second.unit:
        return replace(one, strength=Quantity(first.value + second.value, first.unit))
    return replace(one, strength=UNSET)
