"""Whether an instruction names the route already, so that the page and the texts of alerts say it once."""

from __future__ import annotations

import re
from functools import lru_cache

_SAME = (
    ("oral", "orally", "by mouth", "po", "p.o."),
    ("intravenous", "intravenously", "iv", "i.v."),
    ("subcutaneous", "subcutaneously", "subcut", "sc", "s.c.", "sq"),
    ("intramuscular", "intramuscularly", "im", "i.m."),
    ("rectal", "rectally", "pr"),
    ("sublingual", "sublingually", "under the tongue", "sl"),
)
"""Ways to write one route. One that is not here is said twice, and never left out."""


@lru_cache(maxsize=10_000)
def route_named(instruction: str, route: str) -> bool:
    """Whether ``instruction`` has ``route`` as words of its own, or another way to write it: ``4 mg intravenously`` names
    ``IV``. False without a route."""
    name = route.strip().lower()
    ways = next((ways for ways in _SAME if name in ways), (name, f"{name}ly"))
    return bool(name) and any(
        re.search(rf"(?<!\w){re.escape(way)}(?!\w)", instruction, re.IGNORECASE) is not None for way in ways
    )
