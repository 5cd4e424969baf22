"""The one way from the data files to ``Knowledge``: reads, checks and joins them.

Files: ``sources.csv`` · ``drugs/`` names, names_extra, codes, vehicles, words, routes · ``interactions/`` pairs, members,
combinations · ``labs/`` analytes, loinc, units, critical_limits. What is deliberately not known is written down in the
``left_out.csv`` files; they are read to be checked.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable

from knowledge.interacting import read_interactions
from knowledge.laboratory import read_analytes, read_limits
from knowledge.medicines import read_codes, read_names, read_routes, read_vehicles, read_words
from knowledge.model import Knowledge
from knowledge.sources import read_sources
from knowledge.tables import KnowledgeError

FOLDERS = ("drugs", "interactions", "labs")


def load_from(root: Traversable) -> Knowledge:
    """The knowledge of the data files under ``root``. Raises ``KnowledgeError`` at the first fault."""
    sources = read_sources(root)
    interactions, partners = read_interactions(root, sources)
    analytes = read_analytes(root, sources)
    topical, systemic_forms = read_routes(root, sources)
    return Knowledge(
        version=version_of(root),
        interactions=interactions,
        partners=partners,
        limits=read_limits(root, sources, {analyte.name: analyte for analyte in analytes.values()}),
        topical=topical,
        systemic_forms=systemic_forms,
        drug_names=read_names(root, sources),
        drug_codes=read_codes(root, sources),
        vehicles=read_vehicles(root, sources),
        words=read_words(root, sources),
        analytes=analytes,
    )


@lru_cache(1)
def load() -> Knowledge:
    """The knowledge that rxvigil ships, read once."""
    return load_from(files("knowledge"))


def version_of(root: Traversable) -> str:
    """A short hash of the content of every data file: another number in a file is another version."""
    digest = blake2b(digest_size=6)
    for folder in ("", *FOLDERS):
        place = root.joinpath(folder) if folder else root
        for file in sorted(place.iterdir(), key=lambda each: each.name):
            if file.name.endswith(".csv"):
                digest.update(f"{folder}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


__all__ = ["Knowledge", "KnowledgeError", "load", "load_from", "version_of"]
