"""School grades of a text by published formulas, with syllables counted from the spelling.

- English: Flesch-Kincaid grade level. Kincaid JP, Fishburne RP, Rogers RL, Chissom BS. Derivation of new readability formulas for
  Navy enlisted personnel. Research Branch Report 8-75 (1975).
- German: the first Wiener Sachtextformel. Bamberger R, Vanecek E. Lesen, Verstehen, Lernen, Schreiben (1984).

Numbers are no words. Names of medicines and of tests count as the words that they are.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-zÄÖÜäöüß']+")
_TWO_OF_ONE = re.compile(r"i(?=um)|(?<![ltcs])i(?=o|a)|(?<=cr)e(?=at[io])|i(?=et)")
"""Vowels side by side that are spoken as two: sod-i-um, am-i-odarone, cr-e-atinine, qu-i-et."""
_SILENT = re.compile(r"(?<![aeiouy])(?<![^aeiouy]l)e$|(?<![aeioutdy])ed$|(?<![aeiousxzcgy])(?<![cs]h)es$")


def sentences(text: str) -> list[str]:
    return [each for each in re.split(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ])", text) if _WORD.search(each)]


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def english_syllables(word: str) -> int:
    bare = re.sub(r"[^a-z]", "", word.lower())
    spoken = len(re.findall(r"[aeiouy]+", bare)) + len(_TWO_OF_ONE.findall(bare)) - bool(_SILENT.search(bare))
    return max(1, spoken)


def german_syllables(word: str) -> int:
    return max(1, len(re.findall(r"aa|ee|oo|ie|ai|au|ei|eu|äu|[aeiouäöüy]", word.lower())))


def flesch_kincaid(text: str) -> float:
    found = words(text)
    syllables = sum(map(english_syllables, found))
    return 0.39 * len(found) / len(sentences(text)) + 11.8 * syllables / len(found) - 15.59


def wiener_sachtextformel(text: str) -> float:
    """Of words in percent: ``many`` have three syllables or more, ``long`` more than six letters, ``one`` a single syllable."""
    found = words(text)
    spoken = [german_syllables(each) for each in found]
    share = 100 / len(found)
    many = share * sum(each >= 3 for each in spoken)
    long = share * sum(len(each) > 6 for each in found)
    one = share * sum(each == 1 for each in spoken)
    return 0.1935 * many + 0.1672 * len(found) / len(sentences(text)) + 0.1297 * long - 0.0327 * one - 0.875
