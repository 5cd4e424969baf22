"""Makes ``names.csv`` once, from the dictionary of drug-named-entity-recognition 2.0.9. For a developer:

    python -m knowledge.drugs.convert PATH/TO/drug_ner_dictionary.pkl.bz2

The dictionary is a pickle: only load the one of the named release. rxvigil itself never reads it.

Rule of selection. A name is kept when

* what it stands for is a medicine by MedlinePlus, the NHS or Wikipedia's drug pages, or is in DrugBank and not among the
  ligands of protein structures that were imported there (MeSH alone also names proteins, toxins and receptors);
* every part of a combination is such a medicine; words of form and route are taken off the ingredient ("fentanyl patch");
* it consists of Latin letters with digits, hyphens and single spaces inside, is not turned around ("sulfate, morphine"),
  and has at least five characters, or four when it is the preferred name;
* it does not begin with the name of another medicine;
* it is not dangerous: a plain word, an element, a class, a brand used for different medicines, a slip of the dictionary
  (``refused.csv``), or a word of ``words.csv``.
"""

from __future__ import annotations

import bz2
import csv
import pickle
import re
import sys
from pathlib import Path
from typing import Any

from knowledge.model import plain_name

HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9' \-]*[a-z0-9]")
_LONGEST = 40
_JOINTS = re.compile(r",? and |, |/| with | plus ")
_ASIDE = re.compile(r" *\([^)]*\)")
_FORMS = re.compile(
    r" (patch|vaginal|otic|buccal|nasal|inhalers?|eye drops|nasal spray and drops|nasal spray|nasal gel|nasal powder"
    r"|nasal solution|injections?|capsules|implant|sublingual spray|sublingual|lozenges?|gum|spray|cream|viscous|topical"
    r"|ophthalmic|inhalation|lipid complex|liposomal|intramuscular|subcutaneous|intrapleural|intravesical|pyelocalyceal"
    r"|intrauterine system|urogenital|anhydrous|cation|ion|\(rdna origin\))$"
)
_SALTS = re.compile(
    r" (acetate|bromide|hydrobromide|hydrochloride|mesylates?|maleate|tartrate|besylate|potassium|sodium|sulfate|citrate"
    r"|(?:di)?propionate|valerate|butyrate|furoate|acetonide|diacetate|hexacetonide|probutate|aceponate)$"
)
# of these the salt is the medicine, or makes it another one
_KEEP_SALT = re.compile(
    r"^(aluminum|ammonium|barium|calcium|copper|ferr\w+|iron|lead|lithium|magnesium|manganese|potassium|silver|sodium"
    r"|strontium|zinc|chondroitin|dermatan|protamine|hydrogen|choline|sodium \w+|ethyl|methyl|benzyl|butyl|cetyl\w*|alpha.*) "
)
_LIGANDS = ((1700, 4799), (6827, 8796))
"""DrugBank numbers of the small molecules seen in protein structures."""

# RxNorm's name of what the dictionary calls otherwise
RXNORM = {
    "adrenaline": "epinephrine",
    "aciclovir": "acyclovir",
    "alendronic acid": "alendronate",
    "carmellose": "carboxymethylcellulose",
    "cefalexin": "cephalexin",
    "colecalciferol": "cholecalciferol",
    "cyanocobalamin": "vitamin b 12",
    "ethinylestradiol": "ethinyl estradiol",
    "etidronic acid": "etidronate",
    "human immunoglobulin g": "immune globulin",
    "hydroxyethyl starch": "hetastarch",
    "levosalbutamol": "levalbuterol",
    "lithium carbonate": "lithium",
    "lithium chloride": "lithium",
    "lithium citrate": "lithium",
    "macrogol": "polyethylene glycol",
    "mesalazine": "mesalamine",
    "risedronic acid": "risedronate",
    "beclometasone": "beclomethasone",
    "calcipotriol": "calcipotriene",
    "cholestyramine resin": "cholestyramine",
    "clavulanic acid": "clavulanate",
    "glyceryl trinitrate": "nitroglycerin",
    "human insulin": "insulin human",
    "hydroxyethyl starch derivatives": "hetastarch",
    "hyoscine hydrobromide": "scopolamine",
    "hyoscine": "scopolamine",
    "levomepromazine": "methotrimeprazine",
    "monopotassium phosphate": "potassium phosphate",
    "pepto-bismol": "bismuth subsalicylate",
    "salbutamol": "albuterol",
    "sodium cromoglicate": "cromolyn",
    "cromolyn sodium": "cromolyn",
    "sodium valproate": "valproate",
    "thyroxine": "levothyroxine",
    "valproic acid": "valproate",
    "vasopressins": "vasopressin",
    "cabotegravir and rilpivirines": "rilpivirine",
    "rilpivirines": "rilpivirine",
    "low-dose aspirin": "aspirin",
    "phenoxymethylpenicillin": "penicillin v",
    "dosulepin": "dothiepin",
    "erythropoietin": "epoetin alfa",
    "dipotassium phosphate": "potassium phosphate",
    "ergoloid mesylates": "ergoloid mesylates",
}
_ANIONS = re.compile(
    r"(acetate|bitartrate|bromide|carbonate|chloride|citrate|fumarate|gluconate|hydrobromide|hydrochloride|iodide|lactate"
    r"|maleate|mesylate|nitrate|phosphates?|succinate|sulfate|tartrate) "
)
"""A name that begins with one is turned around."""
_ELEMENTS = re.compile(r"sodium|potassium|calcium|magnesium|zinc|iron|copper|selenium|phosphorus|iodine|sulfur")


def convert(dictionary: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Names with their ingredients, both by ``plain_name``."""
    about, variants = dictionary["drug_canonical_to_data"], dictionary["drug_variant_to_variant_data"]
    words = set(_column("refused.csv", "name")) | set(_column("words.csv", "word"))
    names: dict[str, tuple[str, ...]] = {}
    for variant, canonicals in sorted(dictionary["drug_variant_to_canonical"].items()):
        name, canonical = plain_name(variant), canonicals[0]
        ingredients = _ingredients(canonical, about)
        preferred = variant == canonical or variant in variants
        if (
            ingredients
            and words.isdisjoint(ingredients)
            and _safe(name, preferred, words)
            and (preferred or "," not in variant)
        ):
            names.setdefault(name, ingredients)
    kept = {
        name: what
        for name, what in names.items()
        if name in about or not (_hides_a_part(name, what) or _begins_otherwise(name, what, names))
    }
    named = {ingredient for what in kept.values() for ingredient in what}
    return kept | {ingredient: (ingredient,) for ingredient in named if _safe(ingredient, True, words)}


def _column(file: str, column: str) -> list[str]:
    return [row[column] for row in csv.DictReader((HERE / file).read_text("utf-8").splitlines())]


def _medicine(canonical: str, about: dict[str, Any]) -> bool:
    known = about.get(canonical, {})
    if known.keys() & {"medline_plus_id", "nhs_url", "wikipedia_url"}:
        return True
    number = known.get("drugbank_id", "")
    return bool(number) and not any(low <= int(number.removeprefix("DB")) <= high for low, high in _LIGANDS)


def _base(canonical: str) -> str:
    """The ingredient without asides, forms and salts that do not make it another one, as RxNorm names it."""
    name = plain_name(_ASIDE.sub("", canonical))
    name = _FORMS.sub("", _FORMS.sub("", name))
    if not _KEEP_SALT.match(name):
        name = _SALTS.sub("", name)
    return RXNORM.get(name, name)


def _ingredients(canonical: str, about: dict[str, Any]) -> tuple[str, ...]:
    """One ingredient, or the parts of a combination when each is a medicine of its own; else nothing."""
    if canonical in RXNORM:
        return (RXNORM[canonical],)
    parts = [part for part in _JOINTS.split(_ASIDE.sub("", canonical)) if part]
    whole = len(parts) == 1
    if not all(_medicine(canonical if whole else part, about) or part in RXNORM for part in parts):
        return ()
    bases = tuple(dict.fromkeys(map(_base, parts)))
    return bases if all(_NAME.fullmatch(base) and not _ELEMENTS.fullmatch(base) for base in bases) else ()


def _safe(name: str, preferred: bool, words: set[str]) -> bool:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or name in words:
        return False
    if _ANIONS.match(name) and not preferred:
        return False
    return len(name) > 4 or (len(name) == 4 and preferred)


def _hides_a_part(name: str, ingredients: tuple[str, ...]) -> bool:
    """A name that says it is a combination and stands for one ingredient."""
    return len(ingredients) == 1 and bool(re.search(r" and | with | plus ", name))


def _begins_otherwise(name: str, ingredients: tuple[str, ...], names: dict[str, tuple[str, ...]]) -> bool:
    """A name whose longest known beginning is another medicine ("ranitidin 1a pharma" under tramadol)."""
    words = name.split()
    beginnings = (names.get(" ".join(words[:length])) for length in range(len(words) - 1, 0, -1))
    begins = next((found for found in beginnings if found), ingredients)
    return not set(begins) <= set(ingredients)


def main(path: str) -> None:
    names = convert(pickle.loads(bz2.decompress(Path(path).read_bytes())))  # noqa: S301
    with (HERE / "names.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "ingredients", "sources"))
        writer.writerows((name, "|".join(what), "dner") for name, what in sorted(names.items()))


if __name__ == "__main__":
    main(sys.argv[1])
