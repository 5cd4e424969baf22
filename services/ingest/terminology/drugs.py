"""A medicine as its source says it, resolved to RxNorm ingredients.

In order: its codes (those that the knowledge has, then those of the site's own RxNorm release), the text and the displays of the
codes, the ingredients that the source named. Only exact names count; a name that is not understood as a whole stays unresolved,
because a wrong ingredient is worse than none. So does a medicine that is said in two ways (by two codes, by code, by name, by its
ingredients) which are different medicines: one of them is a slip, and nobody here knows which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Literal

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.model import Knowledge, plain_name
from knowledge.rxnorm import RxNormIngredient
from schemas.events import Drug, Ingredient
from schemas.values import Coding
from services.ingest.terminology.names import NameReader, Reading
from services.ingest.terminology.ndc import candidates

_SYSTEMS = {
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "urn:oid:2.16.840.1.113883.6.88": "RxNorm",
    "rxnorm": "RxNorm",
    "rxn": "RxNorm",
    "rxcui": "RxNorm",
    "http://www.whocc.no/atc": "ATC",
    "urn:oid:2.16.840.1.113883.6.73": "ATC",
    "atc": "ATC",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "urn:oid:2.16.840.1.113883.6.69": "NDC",
    "ndc": "NDC",
    "ndc11": "NDC",
}


_LONGEST_NAME = 256
"""That of an ``Ingredient``."""


class DrugResolver:
    """Pure: the same drug and knowledge give the same answer."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._reader = NameReader(knowledge)
        if knowledge.rxnorm is not None:
            # a fault of the site's tables is told at the start and not at the first order
            knowledge.rxnorm.read()

    def resolve(self, drug: Drug) -> Drug:
        """``drug`` with ``ingredients``, ``form``, ``brand`` and ``amount`` where they are said, and ``resolution``. What was
        received (``text``, ``codings``, and ``ingredients`` when nothing is understood) is not changed; what the source said of
        form and strength stands over what codes and names say, and codes over names."""
        given = self._given(drug.ingredients)
        said: list[tuple[Reading, Literal["code", "name", "given"]]]
        said = [(reading, "code") for coding in drug.codings if (reading := self._of_code(coding)) is not None]
        texts = dict.fromkeys([drug.text, *(coding.display for coding in drug.codings)])
        said += [(reading, "name") for text in texts if text and (reading := self._reader.read(text)) is not None]
        if given is not None:
            said.append((given, "given"))
        if not said:
            return replace(drug, resolution="unresolved")
        # a feed gone wrong says one medicine thousands of times; "heparin" in "D5W": the diluent does not hide what is in it
        distinct = {frozenset(_names(each)): each for each, by in said if each.ingredients and by != "given"}
        # a code or a name may say one part of a combination, and the other parts are not to be lost
        whole = max(distinct.values(), key=lambda each: len(each.ingredients), default=given or said[0][0])
        contradicted = given is not None and whole is not given and _different(whole, given)
        if contradicted or not all(_covers(whole, each) for each in distinct.values()):
            return replace(drug, ingredients=(), resolution="unresolved")
        same = [(each, by) for each, by in said if each is whole or (by != "given" and _covers(each, whole))]
        how = same[0][1]
        reading = max((each for each, by in same if by == how), key=_detail)
        return _resolved(drug, reading, [each for each, _ in said], given.ingredients if given is not None else (), how)

    def _of_code(self, coding: Coding) -> Reading | None:
        system = _SYSTEMS.get(coding.system.strip().lower(), coding.system)
        code = coding.code.strip()
        if system == "NDC":
            return self._of_ndc(code)
        name = self._knowledge.drug_codes.get((system, code))
        if name is not None:
            return self._reader.read(name)
        return self._of_rxcui(code) if system == "RxNorm" else None

    def _of_ndc(self, code: str) -> Reading | None:
        """None also where the code may be those of two different medicines."""
        found = [reading for ndc in candidates(code) if (reading := self._of_known_ndc(ndc)) is not None]
        if any(_different(one, other) for one, other in combinations(found, 2)):
            return None
        return found[0] if found else None

    def _of_known_ndc(self, ndc: str) -> Reading | None:
        for key in (ndc, ndc[:9]):
            if (name := self._knowledge.drug_codes.get(("NDC", key))) is not None:
                return self._reader.read(name)
        if (table := self._knowledge.rxnorm) is None:
            return None
        codes = table.of_product(ndc) if len(ndc) == 9 else {table.of_ndc(ndc) or ""}
        readings = [reading for code in sorted(codes) if (reading := self._of_rxcui(code)) is not None]
        # the packages of a product are of one medicine
        return readings[0] if len({frozenset(_names(reading)) for reading in readings}) == 1 else None

    def _of_rxcui(self, code: str) -> Reading | None:
        """What the site's release says; form, brand and amount as the concept's name says them."""
        drug = self._knowledge.rxnorm.drug(code) if self._knowledge.rxnorm is not None else None
        if drug is None:
            return None
        named = self._reader.read(drug.name)
        said = named.ingredients if named is not None else ()
        alone = said[0] if len(said) == len(drug.ingredients) == 1 else None
        ingredients = tuple(self._of_release(each, said, alone) for each in drug.ingredients)
        return (named or Reading((), ""))._replace(ingredients=ingredients)

    def _of_release(
        self, ingredient: RxNormIngredient, said: Sequence[Ingredient], alone: Ingredient | None
    ) -> Ingredient:
        """RxNorm's ingredient by our name of it, where we have one: also when only the name of the whole drug is ours."""
        known = self._reader.read(ingredient.name)
        if known is not None and len(known.ingredients) == 1:
            ours = known.ingredients[0]
        else:
            ours = alone or Ingredient(_plain(ingredient.name))
        precise = next((each.precise for each in said if each.name == ours.name and each.precise), ours.precise)
        strength = ingredient.strength if ingredient.strength is not None else UNSET
        return Ingredient(ours.name, ingredient.rxcui, strength, precise)

    def _given(self, ingredients: Iterable[Ingredient]) -> Reading | None:
        """The ingredients that a source named, by their RxNorm names where we know them and as received where we do not;
        None when we know none of them."""
        found: dict[str, Ingredient] = {}
        read = [(ingredient, self._reader.read(ingredient.name)) for ingredient in ingredients]
        for ingredient, reading in read:
            for each in _as_named(ingredient, reading):
                found.setdefault(each.name, each)
        understood = [reading for _, reading in read if reading is not None]
        form = next((reading.form for reading in understood if reading.form), "")
        return Reading(tuple(found.values()), form) if understood else None


def _plain(name: str) -> str:
    """As received where nothing is left of it, or where lower case makes it too long ("İ" becomes two characters)."""
    plain = plain_name(name)
    return plain if 0 < len(plain) <= _LONGEST_NAME else name


def _as_named(ingredient: Ingredient, reading: Reading | None) -> tuple[Ingredient, ...]:
    if reading is None:
        return (replace(ingredient, name=_plain(ingredient.name)),)
    if len(reading.ingredients) != 1:
        return reading.ingredients
    return (_completed(reading.ingredients[0], ingredient),)


def _covers(one: Reading, other: Reading) -> bool:
    """Whether ``one`` has every ingredient of ``other``, said more or less closely."""
    return all(any(_alike(a.name, b.name) for a in one.ingredients) for b in other.ingredients)


def _alike(one: str, other: str) -> bool:
    """``insulin`` and ``insulin glargine`` are one ingredient, said more or less closely."""
    return one.startswith(other) or other.startswith(one)


def _different(one: Reading, other: Reading) -> bool:
    """Whether two readings share no ingredient."""
    if not one.ingredients or not other.ingredients:
        return False
    return not any(_alike(a.name, b.name) for a in one.ingredients for b in other.ingredients)


def _detail(reading: Reading) -> int:
    return sum(ingredient.strength is not UNSET for ingredient in reading.ingredients)


def _names(reading: Reading) -> set[str]:
    return {ingredient.name for ingredient in reading.ingredients}


def _resolved(
    drug: Drug,
    reading: Reading,
    others: Sequence[Reading],
    named: Sequence[Ingredient],
    how: Literal["code", "name", "given"],
) -> Drug:
    """What ``reading`` leaves open is filled from the readings that say the same ingredients."""
    alike = [reading, *(each for each in others if _names(each) == _names(reading))]
    said = {ingredient.name: ingredient for ingredient in named}
    by_name: dict[str, list[Ingredient]] = {}
    for ingredient in (ingredient for other in alike for ingredient in other.ingredients):
        by_name.setdefault(ingredient.name, []).append(ingredient)
    ingredients = [_completed(_filled(by_name[each.name]), said.get(each.name)) for each in reading.ingredients]
    form = next((each.form for each in alike if each.form), "")
    brand = next((each.brand for each in alike if each.brand), "")
    amount = next((each.amount for each in alike if each.amount is not None), UNSET)
    return replace(
        drug,
        ingredients=tuple(ingredients),
        form=form if drug.form is UNSET and form else drug.form,
        brand=drug.brand or brand,
        amount=amount if drug.amount is UNSET else drug.amount,
        resolution=how if ingredients else "vehicle",
    )


def _filled(same: Sequence[Ingredient]) -> Ingredient:
    """One ingredient as several readings have it; the first that says something stands."""
    return Ingredient(
        same[0].name,
        next((each.rxcui for each in same if each.rxcui), ""),
        next((each.strength for each in same if each.strength is not UNSET), UNSET),
        next((each.precise for each in same if each.precise), ""),
    )


def _completed(read: Ingredient, said: Ingredient | None) -> Ingredient:
    """By our name; what the source itself said of strength and code stands."""
    return read if said is None else replace(_filled([said, read]), name=read.name)
