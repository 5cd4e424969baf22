"""The rules, one family a file. A new family is a new file and one line in ``RULES``."""

from __future__ import annotations

from services.monitor.rules.acute_kidney_injury import AcuteKidneyInjury
from services.monitor.rules.allergy import AllergyConflict
from services.monitor.rules.bleeding import Bleeding
from services.monitor.rules.corrected_level import CorrectedLevel
from services.monitor.rules.critical_lab import CriticalLab
from services.monitor.rules.days_covered import DaysCovered
from services.monitor.rules.dispensed_otherwise import DispensedOtherwise
from services.monitor.rules.dose_range import DoseRange
from services.monitor.rules.drug_interaction import DrugInteraction
from services.monitor.rules.drug_lab import DrugLab
from services.monitor.rules.drug_level import DrugLevel
from services.monitor.rules.duplicate_therapy import DuplicateTherapy
from services.monitor.rules.filled_twice import FilledTwice
from services.monitor.rules.given_after_stop import GivenAfterStop
from services.monitor.rules.heparin_platelets import HeparinPlatelets
from services.monitor.rules.interaction_mechanism import InteractionMechanism
from services.monitor.rules.kidney_dose import KidneyDose
from services.monitor.rules.liver_dose import LiverDose
from services.monitor.rules.liver_injury import LiverInjury
from services.monitor.rules.never_dispensed import NeverDispensed
from services.monitor.rules.not_continued import NotContinued
from services.monitor.rules.opioid import Opioid
from services.monitor.rules.qt import Qt
from services.monitor.rules.rapid_change import RapidChange
from services.monitor.rules.restarted_after_harm import RestartedAfterHarm
from services.monitor.rules.rule import Rule
from services.monitor.rules.runs_out import LateRefill, StoppedEarly
from services.monitor.rules.since_given import NoEffect, WorseSinceGiven
from services.monitor.rules.trend import Trend
from services.monitor.rules.without_order import WithoutOrder

RULES: tuple[Rule, ...] = (
    DrugInteraction(),
    AllergyConflict(),
    DuplicateTherapy(),
    DrugLab(),
    GivenAfterStop(),
    DoseRange(),
    KidneyDose(),
    LiverDose(),
    AcuteKidneyInjury(),
    HeparinPlatelets(),
    Bleeding(),
    LiverInjury(),
    Qt(),
    Opioid(),
    InteractionMechanism(),
    CriticalLab(),
    RapidChange(),
    CorrectedLevel(),
    DrugLevel(),
    Trend(),
    NeverDispensed(),
    WithoutOrder(),
    DispensedOtherwise(),
    FilledTwice(),
    WorseSinceGiven(),
    NoEffect(),
    RestartedAfterHarm(),
    NotContinued(),
    DaysCovered(),
    LateRefill(),
    StoppedEarly(),
)

__all__ = ["RULES", "Rule"]
