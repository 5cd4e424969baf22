"""RxNorm's own grammar of names, by form alone: what the words mean is for ``names``.

A clinical drug is ``[amount] component (/ component)* form [brand]`` with ``component = name number unit``; a pack is
``{count (drug) / count (drug)} Pack [brand]``, where the amount may stand in brackets of its own before the drug. The amount is
RxNorm's quantity factor: what one unit of the form holds (``0.4 ML``) or how long it acts (``24 HR``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas.values import Quantity

_NUMBER = r"\d[\d,]{0,15}(?:\.\d{1,15})?|\.\d{1,15}"
"""As long as an amount can be; one of hundreds of digits would be infinite."""
_UNIT = (
    r"MG|MCG|UG|G|GM|UNT|MEQ|MMOL|MCI|MILLION|CELLS|BAU|AU|PNU|PFU|IR|IU|\[iU\]|\[arb'U\]|\[APFU\]|VIRAL PARTICLES"
    r"|VECTOR-GENOMES|%"
)
_STRENGTH = rf"(?:(?:{_UNIT})(?:/(?:{_UNIT}|ML|L|KG|ACTUAT|HR|DAY|SQCM|CM))?|ML/ML)"
"""A volume, a time or a number of puffs alone is the size of something and no strength."""
_AMOUNT = re.compile(
    rf"(?:(?:NDA|ANDA|BLA)\d+ )?(?:(?:[a-z]+-(?:free|deterrent)) )?(?:(?P<number>{_NUMBER}) (?P<unit>ML|HR|ACTUAT|MG|G|DAY|L) )?",
    re.IGNORECASE,
)
"""An application number or a quality (``Abuse-Deterrent``) stands before a name that two products would share."""
_COMPONENT = re.compile(
    rf"(?P<name>\S.*?) (?P<number>{_NUMBER}) ?(?P<unit>{_STRENGTH})(?: (?P<form>\S.*))?", re.IGNORECASE
)
_BRAND = re.compile(r" ?\[(?P<brand>[^\[\]]+)\]$")
_PACK = re.compile(r"\s*\{(?P<content>.*)\}\s*pack\b\s*(?:\[(?P<brand>[^\[\]]*)\])?\s*", re.IGNORECASE | re.DOTALL)
_PART = re.compile(rf"\s*/?\s*(?P<count>{_NUMBER})\s+(?:\((?P<amount>[\d.,]+ [A-Z]+)\)\s*)?\(", re.IGNORECASE)
_LONGEST = 3000
"""RxNorm's own limit of a name."""


class Component(NamedTuple):
    """One ingredient as written, with its strength."""

    name: str
    strength: Quantity


class ClinicalDrug(NamedTuple):
    """``form`` and ``brand`` are empty where the name has none. There is at least one component."""

    components: tuple[Component, ...]
    form: str
    brand: str
    amount: Quantity | None


class PackPart(NamedTuple):
    """How many units of a drug are in a pack; ``drug`` is its name."""

    number: float
    drug: str


class Pack(NamedTuple):
    parts: tuple[PackPart, ...]
    brand: str


def read_pack(text: str) -> Pack | None:
    """The parts of a pack; None for a text that is no pack or whose brackets do not pair."""
    if len(text) > _LONGEST or (whole := _PACK.fullmatch(text)) is None:
        return None
    content, at, parts = whole["content"], 0, list[PackPart]()
    while (part := _PART.match(content, at)) is not None:
        end = _closing(content, part.end())
        if end is None:
            return None
        drug = content[part.end() : end].strip()
        if part["amount"] and drug:
            drug = f"{part['amount']} {drug}"
        parts.append(PackPart(_number(part["count"]), drug))
        at = end + 1
    if not parts or content[at:].strip():
        return None
    return Pack(tuple(parts), (whole["brand"] or "").strip())


def read_clinical_drug(text: str) -> ClinicalDrug | None:
    """The parts of a name each of whose components has a strength; None for any other text."""
    if len(text) > _LONGEST:
        return None
    text = " ".join(text.split())
    branded = _BRAND.search(text)
    brand = branded["brand"].strip() if branded else ""
    text = text[: branded.start()] if branded else text
    start = _AMOUNT.match(text)
    assert start is not None
    amount = Quantity(_number(start["number"]), start["unit"].lower()) if start["number"] else None
    found = [_COMPONENT.fullmatch(part) for part in text[start.end() :].split(" / ")]
    # only after the last component may a form stand
    if any(each is None or (each["form"] and each is not found[-1]) for each in found):
        return None
    read = [each for each in found if each is not None]
    components = tuple(
        Component(each["name"], Quantity(_number(each["number"]), each["unit"].lower())) for each in read
    )
    return ClinicalDrug(components, read[-1]["form"] or "", brand, amount)


def _closing(text: str, start: int) -> int | None:
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return None


def _number(text: str) -> float:
    return float(text.replace(",", ""))
