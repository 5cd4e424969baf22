"""Reads the name of a medicine: RxNorm's grammar (``Acetaminophen 325 MG / Hydrocodone Bitartrate 7.5 MG Oral Tablet
[Norco]``) and what people write (``Piperacillin-Tazobactam Na``, ``HYDROmorphone (Dilaudid)``, ``simvastatin 40 mg tab``).

The longest part of a name that is a known name decides, and every word beside it must be one that changes no ingredient:
a strength, a form, a salt, a filler. One word that is none of these leaves the whole name unread. RxNorm's grammar goes first:
it alone says surely which strength is whose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from knowledge.model import Knowledge, plain_name
from schemas.events import Ingredient
from schemas.values import Quantity
from services.ingest.terminology.rxnorm_names import Pack, read_clinical_drug, read_pack

_UNIT = (
    r"mg|g|gm|gram|grams|mcg|ug|µg|kg|ml|l|meq|mmol|units?|unt|iu|mu|million|hrs?|h|hour|day|actuat|inh|puff|dose|cm|mci"
    r"|cells|%"
)
_STRENGTH = re.compile(
    rf"(?P<number>\d[\d,]{{0,15}}(?:\.\d{{1,15}})?|\.\d{{1,15}})?-?"
    rf"(?P<unit>(?:{_UNIT})(?:/(?:\d{{1,15}}(?:\.\d{{1,15}})?)?(?:{_UNIT}))?)",
    re.ASCII,
)
_AMOUNT = re.compile(r"\d[\d,]{0,15}(?:\.\d{1,15})?|\.\d{1,15}", re.ASCII)
"""As long as an amount can be; one of hundreds of digits would be infinite."""
_PER = re.compile(rf"(?<=/)(\d+(?:\.\d+)?) (?=(?:{_UNIT})\b)", re.ASCII)
"""``40 mg/0.4 mL``, ``0.1 mg/24 hr``: the amount in which the strength is given stands apart from its unit."""
_NUMBER = re.compile(r"[\d.,]+(?:[-/x][\d.,]+)*", re.ASCII)
_NO_STRENGTH = re.compile(r"(?:ml|l|hr|hrs|h|hour|day|cm|dose|actuat|puff|inh|kg)\b")
"""Units of a volume, a time or a count: the size of a package, not the strength."""
_BRAND = re.compile(r"\[[^\]]*\]")
_ASIDE = re.compile(r"\(([^()]*)\)")
_JOINTS = (
    re.compile(r"\s/\s"),
    re.compile(r"\s/\s|(?<=[a-z])/(?=[a-z])(?!ml\b|hr\b|actuat\b|g\b|l\b|kg\b)", re.IGNORECASE),
    re.compile(
        r"\s/\s|(?<=[a-z])/(?=[a-z])(?!ml\b|hr\b|actuat\b|g\b|l\b|kg\b)|(?<=[a-z])-(?=[a-z])|\s-\s|\sand\s|\swith\s"
        r"|\sw/\s?|\s?\+\s?|\s?&\s?|,\s",
        re.IGNORECASE,
    ),
)
"""What stands between the ingredients of a combination, from the surest to the least sure."""
_DISSOLVED = re.compile(r"\sin\s", re.IGNORECASE)
_QUALIFIERS = ("topical", "ophthalmic", "otic", "nasal", "vaginal", "rectal")
_LONGEST_TEXT = 400
_MOST_WORDS = 48
"""Of one name with what stands beside it."""


class Reading(NamedTuple):
    """What a name says. No ingredients: a vehicle. ``form`` and ``brand`` are empty when the name does not say them.

    ``amount`` is what one unit of the form holds or how long it acts. ``parts`` are those of a pack with their number; its
    ingredients are those of all parts, with a strength where no two parts differ in it.
    """

    ingredients: tuple[Ingredient, ...]
    form: str
    brand: str = ""
    amount: Quantity | None = None
    parts: tuple[tuple[float, Reading], ...] = ()


class NameReader:
    """Reads names by what the knowledge has."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._bases = {salt.precise: name for name, salts in knowledge.salts.items() for salt in salts}
        named = (*knowledge.drug_names, *knowledge.vehicles)
        self._most_words = max((name.count(" ") + 1 for name in named), default=0)

    def read(self, text: str) -> Reading | None:
        """The ingredients, strengths and form that ``text`` names, or None when it is not understood as a whole."""
        pack = read_pack(text)
        if pack is not None:
            return self._pack(pack)
        return self._drug(text)

    def _drug(self, text: str) -> Reading | None:
        if len(text) > _LONGEST_TEXT:
            return None
        text = self._undiluted(text)
        return self._plain(text) or self._clinical_drug(text) or self._as_written(text)

    def _as_written(self, text: str) -> Reading | None:
        outside = _ASIDE.sub(self._aside, _BRAND.sub(" ", text))
        reading = self._joined(outside)
        if reading is None or self._contradicted(reading, _ASIDE.findall(text)):
            return None
        brand = _BRAND.search(text)
        return self._branded(reading, brand[0][1:-1].strip()) if brand else reading

    def _clinical_drug(self, text: str) -> Reading | None:
        """RxNorm's grammar, when every component names one ingredient and the form is one of known words."""
        drug = read_clinical_drug(text)
        words = plain_name(drug.form).split() if drug else []
        if drug is None or not all(map(self._changes_nothing, words)):
            return None
        readings = []
        for name, strength in drug.components:
            reading = self._one(name)
            if reading is None or len(reading.ingredients) != 1:
                return None
            readings.append(Reading((replace(reading.ingredients[0], strength=strength),), reading.form))
        together = _together(readings)
        form = self._form([*together.form.split(), *words])
        return self._branded(together._replace(form=form, amount=drug.amount), drug.brand)

    def _branded(self, reading: Reading, brand: str) -> Reading | None:
        """None where the brand is known as one of other ingredients."""
        known = self._plain(brand)
        if known is not None and not _share(known, reading):
            return None
        return reading._replace(brand=brand)

    def _aside(self, found: re.Match[str]) -> str:
        """What stands in brackets stays when it says form or strength; a brand, a remark or a mixture's parts go."""
        inside = found.group(1)
        return f" {inside} " if all(map(self._changes_nothing, plain_name(inside).split())) else " "

    def _pack(self, pack: Pack) -> Reading | None:
        parts = [(part.number, self._drug(part.drug)) for part in pack.parts]
        read = tuple((count, reading) for count, reading in parts if reading is not None)
        if len(read) < len(parts):
            return None
        found: dict[str, Ingredient] = {}
        for each in (ingredient for _, reading in read for ingredient in reading.ingredients):
            same = found.setdefault(each.name, each)
            if same != each:
                found[each.name] = Ingredient(each.name)
        form = next((reading.form for _, reading in read if reading.ingredients and reading.form), "")
        return Reading(tuple(found.values()), form, pack.brand, None, read)

    def _plain(self, text: str) -> Reading | None:
        """A name as a whole, without strengths, brackets or joints."""
        name = plain_name(text)
        if name in self._knowledge.vehicles:
            return Reading((), "")
        known = self._knowledge.drug_names.get(name)
        if not known:
            return None
        words = name.split()
        return Reading(tuple(self._ingredient(each, name, words) for each in known), self._form(words))

    def _ingredient(self, name: str, written: str, words: Sequence[str]) -> Ingredient:
        """With its salt where the words say one that has doses of its own."""
        if name in self._bases:
            return Ingredient(self._bases[name], precise=name)
        salts = self._knowledge.salts.get(name, ())
        said = (salt.precise for salt in salts for form in salt.written if form == written or form in words)
        return Ingredient(name, precise=next(said, ""))

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

    def _undiluted(self, text: str) -> str:
        """Without "in D5W 250 mL": the percentage of a diluent is not the strength of what is in it."""
        *before, last = _DISSOLVED.split(text)
        diluent = self._one(last) if before else None
        return " in ".join(before) if diluent is not None and not diluent.ingredients else text

    def _one(self, text: str) -> Reading | None:
        """One name with the words beside it. A salt beside a diluent is no word that changes nothing: "potassium" in Ringer's."""
        words = _PER.sub(r"\1", plain_name(text)).split()
        if len(words) > _MOST_WORDS:
            return None
        telling = [at for at, word in enumerate(words) if not self._changes_nothing(word)]
        for start, end in _spans(len(words), telling, self._most_words):
            reading = self._plain(" ".join(words[start:end]))
            beside = words[:start] + words[end:]
            if reading is not None and (reading.ingredients or not any(map(self._is_salt, beside))):
                return self._with_details(reading, beside)
        return None

    def _changes_nothing(self, word: str) -> bool:
        return word in self._knowledge.words or bool(_NUMBER.fullmatch(word) or _STRENGTH.fullmatch(word))

    def _is_salt(self, word: str) -> bool:
        known = self._knowledge.words.get(word)
        return known is not None and known.kind == "salt"

    def _with_details(self, reading: Reading, beside: Sequence[str]) -> Reading:
        strengths = list(_strengths(beside))
        ingredients = reading.ingredients
        if len(ingredients) == 1 and not ingredients[0].precise:
            ingredients = (self._ingredient(ingredients[0].name, "", beside),)
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


def _share(one: Reading, other: Reading) -> bool:
    return bool({each.name for each in one.ingredients} & {each.name for each in other.ingredients})


def _spans(length: int, telling: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Every stretch of at most ``most`` words that has all the ``telling`` ones, the longest first, then from the left."""
    first, last = (telling[0], telling[-1] + 1) if telling else (length, 0)
    for size in range(min(length, most), max(0, last - first - 1, 0), -1):
        for start in range(max(0, last - size), min(first, length - size) + 1):
            yield start, start + size


def _strengths(words: Sequence[str]) -> Iterator[Quantity]:
    number: float | None = None
    for word in words:
        found = _STRENGTH.fullmatch(word)
        if found is None:
            number = float(word.replace(",", "")) if _AMOUNT.fullmatch(word) else None
            continue
        value = float(found["number"].replace(",", "")) if found["number"] else number
        if value is not None and not _NO_STRENGTH.match(found["unit"]):
            yield Quantity(value, found["unit"])
        number = None


def _together(readings: Sequence[Reading]) -> Reading:
    """A combination; two salts of one ingredient are one with the sum of their strengths."""
    found: dict[str, Ingredient] = {}
    for reading in readings:
        for ingredient in reading.ingredients:
            same = found.get(ingredient.name)
            found[ingredient.name] = ingredient if same is None else _sum(same, ingredient)
    return Reading(tuple(found.values()), next((reading.form for reading in reversed(readings) if reading.form), ""))


def _sum(one: Ingredient, other: Ingredient) -> Ingredient:
    first, second = one.strength, other.strength
    if isinstance(first, Quantity) and isinstance(second, Quantity) and first.unit == second.unit:
        return Ingredient(one.name, strength=Quantity(first.value + second.value, first.unit))
    return Ingredient(one.name)
