"""The one way from the data files to ``Knowledge``: reads, checks and joins them.

One folder a subject, one file a table; ``README.md`` says what each holds. What is deliberately not known is written down in the
``left_out.csv`` files; they are read to be checked.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import get_args

from knowledge.conditions import Names
from knowledge.dose import Way
from knowledge.model import Knowledge, Place
from knowledge.reading.adherence import read_adherence
from knowledge.reading.after_stop import read_after_stops
from knowledge.reading.allergy import read_cross_reactivity
from knowledge.reading.critical import read_critical_reading
from knowledge.reading.diagnoses import read_diagnoses
from knowledge.reading.dose import Known, read_doses
from knowledge.reading.dose_findings import read_dose_findings
from knowledge.reading.duplicate import read_duplicates
from knowledge.reading.interaction import read_interactions
from knowledge.reading.joined import read_joined
from knowledge.reading.kidney_injury import read_kidney_injury
from knowledge.reading.lab_finding import read_lab_findings
from knowledge.reading.laboratory import read_analytes, read_limits, read_specimens
from knowledge.reading.level_target import read_level_targets
from knowledge.reading.mechanism import read_mechanisms
from knowledge.reading.medicine import read_codes, read_names, read_routes, read_salts, read_vehicles, read_words
from knowledge.reading.opioids import read_opioids
from knowledge.reading.outside import CHOICES, FOLDER, read_outside
from knowledge.reading.property import read_properties
from knowledge.reading.sources import KEYS, read_sources
from knowledge.reading.tables import KnowledgeError
from knowledge.reading.threshold import read_thresholds
from knowledge.reading.transfer import read_transfers
from knowledge.reading.trend import read_trends
from knowledge.reading.wording import read_wording
from knowledge.reading.written import Lexicon, read_site_rules, read_written
from knowledge.rxnorm import DRUGS_FILE, NDC_FILE, RxNormTable

MEASURED = (
    "weight", "height", "qtc", "qrs", "gestational_age", "heart_rate", "respiratory_rate", "oxygen_saturation", "sedation_score",
    "temperature", "urine_output", "child_pugh",
)  # fmt: skip
"""Bedside measurements that a condition may speak of: kinds of an observation that are one number."""
FOLDERS = (
    "adherence",
    "allergies",
    "condition_groups",
    "dosing",
    "drug_labs",
    "drugs",
    "duplicates",
    "instructions",
    "interactions",
    "joined",
    "labs",
    "properties",
    "rules",
    "stops",
    "transfer",
)


def load_from(root: Traversable, site: Path | None = None, rules: Path | None = None) -> Knowledge:
    """The knowledge of the data files under ``root``, with those of a site's folder over them (README.md says which it may
    hold), and with the rules that a site wrote in ``rules``, a file or a folder. Raises ``KnowledgeError`` at the first fault;
    of a file of rules it has all."""
    if site is not None:
        _check(site)
    sources = read_sources(root, site)
    interactions, partners = read_interactions(root, sources)
    analytes, local_analytes = read_analytes(root, sources)
    drug_names = read_names(root, sources)
    ingredients = {each for names in drug_names.values() for each in names}
    outside, pharmacology = read_outside(site, read_properties(root, sources, ingredients))
    diagnoses = read_diagnoses(root, sources)
    by_name = {analyte.name: analyte for analyte in analytes.values()}
    names = Names(
        by_name.keys(), pharmacology.kinds, diagnoses.titles, get_args(Place), get_args(Way), ingredients, MEASURED
    )
    lexicon = Lexicon(names, pharmacology.members, sources)
    written = read_written(root, lexicon)
    if rules is not None:
        written += read_site_rules(rules, lexicon._replace(ids={rule.id for rule in written}))
    routes, salts = read_routes(root, sources), read_salts(root, sources)
    return Knowledge(
        version="-".join((version_of(root), *(version_of(each) for each in (site, rules) if each is not None))),
        interactions=interactions,
        partners=partners,
        limits=read_limits(root, sources, by_name),
        routes=routes,
        drug_names=drug_names,
        drug_codes=read_codes(root, sources),
        vehicles=read_vehicles(root, sources),
        words=read_words(root, sources),
        salts=salts,
        rxnorm=RxNormTable(site) if site is not None else None,
        analytes=analytes,
        local_analytes=local_analytes,
        specimens=read_specimens(root, sources),
        wording=read_wording(root, sources),
        property_kinds=pharmacology.kinds,
        properties=pharmacology.members,
        properties_of=pharmacology.of,
        diagnoses=diagnoses,
        kidney_injury=read_kidney_injury(root, sources),
        after_stops=read_after_stops(root, sources, pharmacology.members, ingredients),
        lab_findings=read_lab_findings(root, sources, names, pharmacology),
        thresholds=read_thresholds(root, sources, names, pharmacology, by_name),
        mechanisms=read_mechanisms(root, sources, pharmacology, names, interactions),
        duplicates=read_duplicates(root, sources, pharmacology, names),
        doses=read_doses(root, sources, Known(ingredients, salts, routes, names)),
        dose_findings=read_dose_findings(root, sources, diagnoses.titles),
        opioids=read_opioids(root, sources, names, ingredients),
        critical=read_critical_reading(root, sources, pharmacology, names),
        joined=read_joined(root, sources, names, pharmacology),
        written=written,
        level_targets=read_level_targets(root, sources, names, pharmacology, by_name),
        trends=read_trends(root, sources, names, pharmacology, by_name),
        adherence=read_adherence(root, sources, pharmacology),
        transfers=read_transfers(root, sources, names, pharmacology),
        outside=outside,
        cross_reactivity=read_cross_reactivity(root, sources, pharmacology),
    )


def load(site: str = "", rules: str = "") -> Knowledge:
    """The knowledge that rxvigil ships, with that of the folder ``site`` over it and the rules of ``rules`` beside its own, where
    they are named; read once."""
    return _load(site, rules)


@lru_cache(4)
def _load(site: str, rules: str) -> Knowledge:
    return load_from(files("knowledge"), Path(site) if site else None, Path(rules) if rules else None)


def _check(site: Path) -> None:
    """A file that would not be read is a slip of its name."""
    if not site.is_dir():
        raise KnowledgeError(
            str(site), 0, "", "no such folder; the setting knowledge_dir names one of the site's own files"
        )
    known = {*KEYS, DRUGS_FILE, NDC_FILE, CHOICES}
    for path in sorted(site.rglob("*.csv")):
        if path.relative_to(site).as_posix() not in known and path.parent != site / FOLDER:
            raise KnowledgeError(
                str(path), 0, "", f"no file that a site may bring; these are {', '.join(sorted(known))}"
            )


def version_of(root: Traversable) -> str:
    """A short hash of the content of every data file, or of one: another number in a file is another version."""
    digest = blake2b(digest_size=6)
    if root.is_file():
        digest.update(f"{root.name}\0".encode() + root.read_bytes())
        return digest.hexdigest()
    for folder in ("", *FOLDERS, FOLDER):
        place = root.joinpath(folder) if folder else root
        if not place.is_dir():
            continue
        for file in sorted(place.iterdir(), key=lambda each: each.name):
            if file.name.endswith((".csv", ".toml")):
                digest.update(f"{folder}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


__all__ = ["Knowledge", "KnowledgeError", "load", "load_from", "version_of"]
