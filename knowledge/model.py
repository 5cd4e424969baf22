"""All that is known, in one type. The data are in the CSV files beside; ``loader`` reads them by way of ``reading``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from knowledge.adherence import Adherence
from knowledge.after_stop import AfterStops
from knowledge.allergy import CrossReactivity
from knowledge.critical import CriticalReading
from knowledge.diagnoses import Diagnoses
from knowledge.dose import Doses
from knowledge.dose_findings import DoseFindings
from knowledge.duplicate import Duplicates
from knowledge.joined import Joined
from knowledge.kidney_injury import KidneyInjury
from knowledge.lab_finding import LabFindings
from knowledge.level_target import LevelTarget
from knowledge.mechanism import Mechanisms
from knowledge.opioids import Opioids
from knowledge.outside import Outside
from knowledge.property import Member, Property
from knowledge.rxnorm import RxNormTable
from knowledge.threshold import Thresholds
from knowledge.transfer import Transfers
from knowledge.trend import Trends
from knowledge.wording import Wording
from knowledge.written import WrittenRule
from schemas.events import Drawn, MeasuredIn
from schemas.values import Citation, Severity

Band = Literal["adult", "child", "newborn"]
WordKind = Literal["salt", "form", "filler"]
SpecimenKind = Literal["blood", "urine", "other"]
Place = Literal["skin", "eye", "ear", "nose", "mouth", "airway", "rectum", "vagina", "surface", "body"]
"""Where a medicine is put: ``airway`` is inhaled, ``surface`` is washed over and out again, ``body`` is everything that is
swallowed, injected, implanted or meant to go through the skin."""
WORDS = "text"
"""The unit of an analyte whose results are words."""


_OUTSIDE = ("skin", "eye", "ear")
_SWALLOWED = ("tablet", "capsule")


class InteractionPair(Struct, frozen=True, kw_only=True):
    """A pair of classes that should not be given together."""

    id: str
    title: str
    severity: Severity
    evidence_grade: str
    mechanism: str
    effect: str
    actions: tuple[str, ...]
    patient_explanation: str
    citations: tuple[Citation, ...]
    systemic_only: bool
    object_class: str
    precipitant_class: str


class Interaction(Struct, frozen=True, kw_only=True):
    """One combination of ingredients of a pair; ``pair`` carries the severity and the evidence grade of this combination.

    ``max_daily_mg`` is the daily dose of the object up to which the label permits the combination; None: at no dose.
    """

    pair: InteractionPair
    object: str
    precipitant: str
    max_daily_mg: float | None
    citations: tuple[Citation, ...]


class Advice(Struct, frozen=True, kw_only=True):
    """How grave one direction of a critical value is and what to do about it."""

    severity: Severity
    actions: tuple[str, ...]
    patient_explanation: str


class CriticalLimit(Struct, frozen=True, kw_only=True):
    """A value is critical strictly below ``low`` or strictly above ``high``, in ``unit``.

    ``severity``, ``actions`` and ``patient_explanation`` hold for both directions (the graver severity); ``advice`` gives
    those of one direction.
    """

    analyte: str
    band: Band
    unit: str
    low: float | None
    high: float | None
    severity: Severity
    evidence_grade: str
    actions: tuple[str, ...]
    patient_explanation: str
    citations: tuple[Citation, ...]
    when_low: Advice | None = None
    when_high: Advice | None = None

    def advice(self, direction: Literal["low", "high"]) -> Advice:
        """What holds for one direction."""
        own = self.when_low if direction == "low" else self.when_high
        general = Advice(severity=self.severity, actions=self.actions, patient_explanation=self.patient_explanation)
        return own or general


class Analyte(Struct, frozen=True, kw_only=True):
    """Something measured, as one code says it. ``factors`` turns a value in a unit, spelled as people write it and normalised
    by ``plain_unit``, into ``unit``, where ``offsets`` has what is added after; a unit that is not in it is not understood.
    Outside ``plausible`` a value is more likely a slip than a finding.

    ``unit`` is ``text`` where the result is words (a pregnancy test). ``measured_in`` and ``drawn`` are what the code says of
    the specimen: whole blood is that of a blood-gas analyser where serum is usual, a trough is no peak.
    """

    name: str
    unit: str
    factors: Mapping[str, float]
    plausible: tuple[float, float]
    offsets: Mapping[str, float] = {}
    measured_in: MeasuredIn = ""
    drawn: Drawn = ""


class Word(Struct, frozen=True, kw_only=True):
    """A word in the name of a medicine that does not change its ingredient. ``meaning`` is the dose form of a form word."""

    kind: WordKind
    meaning: str


class Salt(Struct, frozen=True, kw_only=True):
    """A salt or formulation with doses of its own; ``written`` are the ways of writing what sets it apart (``succinate``)."""

    precise: str
    written: tuple[str, ...]


class RouteWord(Struct, frozen=True, kw_only=True):
    """A route or a dose form as data say it. ``either``: the other of the two decides, alone it counts as systemic."""

    acts: Literal["topical", "systemic", "either"]
    place: Place


class Knowledge(Struct, frozen=True, kw_only=True):
    """Everything, ready to look up. ``version`` follows from the content of the data files.

    ``drug_names`` and ``vehicles`` are keyed by ``plain_name``; ``drug_codes`` gives the name behind a code, in RxNorm's
    grammar where the code says strength and form. ``analytes`` is keyed by LOINC code: a code that is not in it is none of
    ours. ``local_analytes`` is keyed by a site's own code system in lower case and its code, ``specimens`` by a word in lower
    case that names a specimen. ``properties`` has the members of each property by ingredient, ``property_kinds`` what it means.
    ``wording`` is that of dosage instructions.
    """

    version: str
    interactions: Mapping[tuple[str, str], tuple[Interaction, ...]]
    partners: Mapping[str, frozenset[str]]
    limits: Mapping[tuple[str, str], CriticalLimit]
    routes: Mapping[str, RouteWord] = {}
    drug_names: Mapping[str, tuple[str, ...]] = {}
    drug_codes: Mapping[tuple[str, str], str] = {}
    vehicles: frozenset[str] = frozenset()
    words: Mapping[str, Word] = {}
    salts: Mapping[str, tuple[Salt, ...]] = {}
    rxnorm: RxNormTable | None = None
    analytes: Mapping[str, Analyte] = {}
    local_analytes: Mapping[tuple[str, str], Analyte] = {}
    specimens: Mapping[str, SpecimenKind] = {}
    property_kinds: Mapping[str, Property] = {}
    properties: Mapping[str, Mapping[str, Member]] = {}
    properties_of: Mapping[str, frozenset[str]] = {}
    wording: Wording = Wording()
    diagnoses: Diagnoses = Diagnoses()
    thresholds: Thresholds = Thresholds()
    after_stops: AfterStops = AfterStops()
    kidney_injury: KidneyInjury | None = None
    outside: Outside = Outside()
    cross_reactivity: CrossReactivity = CrossReactivity()
    doses: Doses = Doses()
    dose_findings: DoseFindings = DoseFindings()
    duplicates: Duplicates = Duplicates()
    opioids: Opioids = Opioids()
    mechanisms: Mechanisms = Mechanisms()
    lab_findings: LabFindings = LabFindings()
    critical: CriticalReading = CriticalReading()
    joined: Joined = Joined()
    written: tuple[WrittenRule, ...] = ()
    level_targets: tuple[LevelTarget, ...] = ()
    trends: Trends = Trends()
    adherence: Adherence = Adherence()
    transfers: Transfers = Transfers()

    def is_systemic(self, route: str, form: str) -> bool:
        """Whether a medicine acts in the whole body; unknown counts as systemic, and a patch is, whatever its route says. So does
        what contradicts itself: a tablet for the eye ("OS" is also "per os"), an eye drop that is swallowed."""
        route, form = route.strip().lower(), form.strip().lower()
        if self._acts(form) == "systemic" or form.rsplit(" ", 1)[-1] in _SWALLOWED:
            return True
        said = self.routes.get(route)
        if said is not None and said.acts == "topical":
            return False
        inside = said is not None and said.place == "body"
        outside = (self.routes.get(word) for word in (form, form.split(" ", 1)[0]))
        return not any(
            each.acts == "topical" and not (inside and each.place in _OUTSIDE) for each in outside if each is not None
        )

    def place_of(self, route: str, form: str) -> Place | None:
        """Where a medicine is put, None where neither its route nor its form is known. What says more than that it is not
        kept in one place is the closer statement, whichever of the two makes it; a patch is for the whole body."""
        route, form = route.strip().lower(), form.strip().lower()
        if self._acts(form) == "systemic":
            return "body"
        # "vaginal cream", "extended release oral tablet": the first word says where, the last what it is
        said = (route, form, form.split(" ", 1)[0], form.rsplit(" ", 1)[-1])
        places = [self.routes[word].place for word in said if word in self.routes]
        return next((place for place in places if place != "body"), "body" if places else None)

    def _acts(self, word: str) -> str:
        known = self.routes.get(word)
        return known.acts if known is not None else ""


def plain_name(text: str) -> str:
    """A drug name as a key: lower case, single spaces, no punctuation but what is inside a word or a number."""
    words = text.lower().replace("μ", "µ").replace("’", "'").replace("®", " ").replace("™", " ").split()
    return " ".join(filter(None, (word.strip(".,;:*") for word in words)))


def plain_unit(text: str) -> str:
    """A unit as a key: lower case, no spaces, one spelling of micro and of powers (``10³``, ``10**3`` and ``10*3``)."""
    unit = "".join(text.lower().split()).replace("μ", "u").replace("µ", "u").replace("×", "x").replace("**", "^")
    unit = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "^" + found[0].translate(_RAISED), unit).replace("mm^3", "mm3")
    return unit.replace("*", "^").removeprefix("x")


_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
