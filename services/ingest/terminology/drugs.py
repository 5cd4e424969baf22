"""A medicine as its source says it, resolved to RxNorm ingredients.

In order: a code that the knowledge has, the text, the displays of the codes, the ingredients that the source named. Only
exact names count; a name that is not understood as a whole stays unresolved, because a wrong ingredient is worse than none. So
does a medicine that is said in two ways (by code, by name, by its ingredients) which are different medicines: one of them is a
slip, and nobody here knows which.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from msgspec import UNSET
from msgspec.structs import replace

from knowledge.model import Knowledge, plain_name
from schemas.events import Drug, Ingredient
from services.ingest.terminology.names import NameReader, Reading

_SYSTEMS = {
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "urn:oid:2.16.840.1.113883.6.88": "RxNorm",
    "rxnorm": "RxNorm",
    "rxn": "RxNorm",
    "rxcui": "RxNorm",
    "http://www.whocc.no/atc": "ATC",
    "urn:oid:2.16.840.1.113883.6.73": "ATC",
    "atc": "ATC",
}


class DrugResolver:
    """Pure: the same drug and knowledge give the same answer."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._reader = NameReader(knowledge)

    def resolve(self, drug: Drug) -> Drug:
        """``drug`` with ``ingredients``, ``form`` where the name says it, and ``resolution``. What was received (``text``,
        ``codings``, and ``ingredients`` when nothing is understood) is not changed; what the source said of form and strength
        stands over what the name says."""
        given = self._given(drug.ingredients)
        by_code = self._first(self._names_of_codes(drug))
        by_name = self._first([drug.text, *(coding.display for coding in drug.codings)])
        said = [(r, how) for r, how in ((by_code, "code"), (by_name, "name"), (given, "given")) if r is not None]
        if not said:
            return replace(drug, resolution="unresolved")
        if any(_different(one, other) for (one, _), (other, _) in combinations(said, 2)):
            return replace(drug, ingredients=(), resolution="unresolved")
        # "heparin" in "D5W": the diluent does not hide what is in it
        reading, how = next(((r, how) for r, how in said if r.ingredients), said[0])
        return _resolved(drug, reading, given.ingredients if given is not None else (), how)

    def _names_of_codes(self, drug: Drug) -> Iterable[str]:
        for coding in drug.codings:
            system = _SYSTEMS.get(coding.system.strip().lower(), coding.system)
            yield self._knowledge.drug_codes.get((system, coding.code.strip()), "")

    def _first(self, texts: Iterable[str]) -> Reading | None:
        return next((reading for text in texts if text and (reading := self._reader.read(text)) is not None), None)

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


def _as_named(ingredient: Ingredient, reading: Reading | None) -> tuple[Ingredient, ...]:
    if reading is None:
        return (replace(ingredient, name=plain_name(ingredient.name) or ingredient.name),)
    if len(reading.ingredients) != 1:
        return reading.ingredients
    return (_completed(reading.ingredients[0], ingredient),)


def _different(one: Reading, other: Reading) -> bool:
    """Whether two readings share no ingredient. "Insulin" and "insulin glargine" share one, said more or less closely."""
    pairs = [(a.name, b.name) for a in one.ingredients for b in other.ingredients]
    return bool(pairs) and not any(a.startswith(b) or b.startswith(a) for a, b in pairs)


def _resolved(drug: Drug, reading: Reading, named: tuple[Ingredient, ...], how: str) -> Drug:
    said = {ingredient.name: ingredient for ingredient in named}
    ingredients = tuple(_completed(each, said.get(each.name)) for each in reading.ingredients)
    form = reading.form if drug.form is UNSET and reading.form else drug.form
    return replace(drug, ingredients=ingredients, form=form, resolution=how if ingredients else "vehicle")


def _completed(read: Ingredient, said: Ingredient | None) -> Ingredient:
    if said is None:
        return read
    strength = said.strength if said.strength is not UNSET else read.strength
    return replace(read, rxcui=said.rxcui, strength=strength)
