"""The one way from the data files to ``Knowledge``: reads, checks and joins them.

Files: ``sources.csv`` · ``drugs/`` names, names_extra, codes, vehicles, words, salts, routes · ``interactions/`` pairs, members,
combinations · ``labs/`` analytes, loinc, local_codes, specimens, units, spellings, critical_limits. What is deliberately not
known is written down in the ``left_out.csv`` files; they are read to be checked.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from knowledge.interacting import read_interactions
from knowledge.laboratory import read_analytes, read_limits, read_specimens
from knowledge.medicines import read_codes, read_names, read_routes, read_salts, read_vehicles, read_words
from knowledge.model import Knowledge
from knowledge.rxnorm import DRUGS_FILE, NDC_FILE, RxNormTable
from knowledge.sources import KEYS, read_sources
from knowledge.tables import KnowledgeError

FOLDERS = ("drugs", "interactions", "labs")


def load_from(root: Traversable, site: Path | None = None) -> Knowledge:
    """The knowledge of the data files under ``root``, with those of a site's folder over them (README.md says which it may
    hold). Raises ``KnowledgeError`` at the first fault."""
    if site is not None:
        _check(site)
    sources = read_sources(root, site)
    interactions, partners = read_interactions(root, sources)
    analytes, local_analytes = read_analytes(root, sources)
    return Knowledge(
        version=version_of(root) if site is None else f"{version_of(root)}-{version_of(site)}",
        interactions=interactions,
        partners=partners,
        limits=read_limits(root, sources, {analyte.name: analyte for analyte in analytes.values()}),
        routes=read_routes(root, sources),
        drug_names=read_names(root, sources),
        drug_codes=read_codes(root, sources),
        vehicles=read_vehicles(root, sources),
        words=read_words(root, sources),
        salts=read_salts(root, sources),
        rxnorm=RxNormTable(site) if site is not None else None,
        analytes=analytes,
        local_analytes=local_analytes,
        specimens=read_specimens(root, sources),
    )


def load(site: str = "") -> Knowledge:
    """The knowledge that rxvigil ships, with that of the folder ``site`` over it where one is named; read once."""
    return _load(site)


@lru_cache(4)
def _load(site: str) -> Knowledge:
    return load_from(files("knowledge"), Path(site) if site else None)


def _check(site: Path) -> None:
    """A file that would not be read is a slip of its name."""
    if not site.is_dir():
        raise KnowledgeError(
            str(site), 0, "", "no such folder; the setting knowledge_dir names one of the site's own files"
        )
    known = {*KEYS, DRUGS_FILE, NDC_FILE}
    for path in sorted(site.rglob("*.csv")):
        if path.relative_to(site).as_posix() not in known:
            raise KnowledgeError(
                str(path), 0, "", f"no file that a site may bring; these are {', '.join(sorted(known))}"
            )


def version_of(root: Traversable) -> str:
    """A short hash of the content of every data file: another number in a file is another version."""
    digest = blake2b(digest_size=6)
    for folder in ("", *FOLDERS):
        place = root.joinpath(folder) if folder else root
        if not place.is_dir():
            continue
        for file in sorted(place.iterdir(), key=lambda each: each.name):
            if file.name.endswith(".csv"):
                digest.update(f"{folder}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


__all__ = ["Knowledge", "KnowledgeError", "load", "load_from", "version_of"]
