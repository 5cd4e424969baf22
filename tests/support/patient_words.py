"""Words by which a text would tell a patient to stop, skip or change a medicine."""

from __future__ import annotations

import re

_ENGLISH = re.compile(
    r"\b(stop|skip|pause|quit|discontinue|omit|halve|double|reduce|increase|raise|lower|change|switch|replace|avoid|miss"
    r"|leave (out|off)|cut (down|back|the)|come off|throw (it |them )?away|wait with|end your|end the"
    r"|take (less|more|fewer|half|no|only|just|another|an extra)|do not (take|use|swallow)|don't (take|use|swallow)"
    r"|no longer take|instead of taking|(give|take|use) (it |him |her )?no (more|longer))\b",
    re.IGNORECASE,
)
_GERMAN = re.compile(
    r"\b(setzen Sie|absetzen|abzusetzen|weglassen|wegzulassen|auslassen|auszulassen|stoppen|beenden Sie|aufhören|pausieren"
    r"|verzichten|reduzieren|erhöhen|halbieren|verdoppeln|verringern|senken|steigern|wechseln Sie|ändern Sie|tauschen"
    r"|lassen Sie [^.]*\b(weg|aus)|hören Sie [^.]*\bauf"
    r"|nehmen Sie [^.]*\b(nicht|kein|keine|keinen|weniger|mehr|nur|halbe|doppelte|doppelt))\b",
    re.IGNORECASE,
)
_OF_OTHERS = re.compile(
    r"\b(can|may|could|might|will|to|team|which|doctor may)( not| also| need to| first)? $", re.IGNORECASE
)
"""Before a word: then it is not said to the patient (``your care team may change it``)."""
_NEGATED = re.compile(r"\b(do not|don't|never|before you|without|not a reason to)\b", re.IGNORECASE)
_NO_ORDER = re.compile(r"\bdo not (take|use|swallow)|\bdon't (take|use|swallow)", re.IGNORECASE)


def orders(text: str, language: str) -> list[str]:
    """What in ``text`` tells the reader to change something, sentence by sentence; empty where nothing does.

    ``Do not stop`` and ``before you change`` tell the contrary; ``do not take`` does not.
    """
    found = []
    for part in re.split(r"(?<=[.!?;:])\s+", text):
        for word in (_ENGLISH if language == "en" else _GERMAN).finditer(part):
            before = part[: word.start()]
            refuses = _NO_ORDER.match(word[0]) is not None
            if not refuses and language == "en" and (_OF_OTHERS.search(before) or _NEGATED.search(before)):
                continue
            found.append(word[0])
    return found
