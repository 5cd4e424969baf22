"""A made-up hospital: inpatients with their medicines, laboratory panels, doses and lists, for what the rules cost.

Nothing of it is data of patients. The proportions are written down with their reason where they stand; those without a source
are judgement, and only say how the work of the rules is made up, not how wards are.
"""

from __future__ import annotations

import csv
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from schemas.events import (
    Administration,
    Allergy,
    AllergyRecord,
    AnyEvent,
    Condition,
    ConditionRecord,
    Dosage,
    Drug,
    EncounterRecord,
    Event,
    Ingredient,
    LabResult,
    Observation,
    Patient,
    Prescription,
    Stay,
)
from schemas.values import Coding, Quantity

START = datetime(2025, 11, 3, tzinfo=UTC)
"""In the past: the monitor's clock is the system's, and a record from the future would not be one."""
DAYS_OF_STAY = 5.0
"""Mean of a stay, near that of hospitals in general."""
MOST_MEDICINES = (5, 25)
"""At admission, evenly between; a corpus of intensive care has a median of 35 names over a whole stay."""
CHANGES_A_DAY = 1.5
"""Orders that begin anew, as many that are stopped or get another dose."""
OFF_SCALE = 0.12
"""Patients of whom a laboratory value takes a course away from where it was; most values of most patients stay."""
DIAGNOSES = (4, 14)
"""The corpus has 14 a stay, billed afterwards; a problem list has fewer."""

_T = TypeVar("_T")
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Medicine(NamedTuple):
    """``one_of`` names what a prescriber chooses one of, so that duplicates are not the rule; ``weight`` is how usual it is."""

    name: str
    one_of: str
    route: str
    amount: float
    unit: str
    times: float
    as_needed: bool
    weight: float

    @property
    def drug(self) -> Drug:
        ingredients = tuple(Ingredient(name) for name in self.name.split("/"))
        return Drug(text=f"{self.name} {self.amount:g} {self.unit}", ingredients=ingredients, resolution="name")

    def dosage(self, factor: float = 1.0) -> Dosage:
        dose = Quantity(self.amount * factor, self.unit)
        daily = Quantity(0.0 if self.as_needed else dose.value * self.times, self.unit)
        if self.as_needed:
            daily = Quantity(0.0, self.unit, dose.value * self.times)
        return Dosage(
            text=f"{dose.value:g} {self.unit} {self.times:g} times a day",
            route=self.route,
            dose=dose,
            frequency_per_day=self.times,
            as_needed=self.as_needed,
            daily_dose=daily,
        )


class Assay(NamedTuple):
    """``analyte`` is empty for what no rule is about: of the corpus' results that is half."""

    analyte: str
    code: str
    unit: str
    middle: float
    spread: float
    drift: float = 0.0
    """By what factor it moves in a day when it is what goes wrong."""


METABOLIC = (
    Assay("sodium", "2951-2", "mmol/L", 138, 3, 0.97),
    Assay("potassium", "2823-3", "mmol/L", 4.2, 0.4, 1.12),
    Assay("", "2075-0", "mmol/L", 102, 4),
    Assay("bicarbonate", "1963-8", "mmol/L", 25, 2),
    Assay("", "3094-0", "mg/dL", 20, 8),
    Assay("creatinine", "2160-0", "mg/dL", 1.0, 0.2, 1.4),
    Assay("glucose", "2345-7", "mg/dL", 130, 30, 1.2),
    Assay("", "1863-0", "mmol/L", 12, 3),
    Assay("calcium", "17861-6", "mg/dL", 8.9, 0.4),
    Assay("magnesium", "2601-3", "mg/dL", 2.0, 0.2),
    Assay("phosphate", "2777-1", "mg/dL", 3.4, 0.6),
)
BLOOD_COUNT = (
    Assay("hemoglobin", "718-7", "g/dL", 11, 1.3, 0.9),
    Assay("hematocrit", "4544-3", "%", 33, 4),
    Assay("white blood cells", "6690-2", "K/uL", 9, 3),
    Assay("platelets", "777-3", "K/uL", 230, 60, 0.75),
    Assay("", "787-2", "fL", 90, 5),
    Assay("", "785-6", "pg", 30, 2),
    Assay("", "786-4", "g/dL", 33, 1),
    Assay("", "788-0", "%", 14, 1.5),
    Assay("", "789-8", "M/uL", 3.8, 0.5),
)
LIVER = (
    Assay("ALT", "1742-6", "U/L", 30, 15, 1.8),
    Assay("AST", "1920-8", "U/L", 32, 15),
    Assay("alkaline phosphatase", "6768-6", "U/L", 85, 30),
    Assay("bilirubin", "1975-2", "mg/dL", 0.8, 0.3),
    Assay("albumin", "1751-7", "g/dL", 3.4, 0.5),
    Assay("", "2885-2", "g/dL", 6.5, 0.6),
)
CLOTTING = (Assay("INR", "6301-6", "1", 1.2, 0.2, 1.3), Assay("", "5902-2", "s", 13, 1.5))
BEDSIDE = (Assay("glucose", "2345-7", "mg/dL", 150, 40),)
LEVELS = {
    "vancomycin": Assay("vancomycin", "20578-1", "mg/L", 16, 5),
    "digoxin": Assay("digoxin", "10535-3", "ng/mL", 1.0, 0.4),
    "lithium": Assay("lithium", "14334-7", "mmol/L", 0.8, 0.2),
    "phenytoin": Assay("phenytoin", "3968-5", "mg/L", 14, 4),
    "tacrolimus": Assay("tacrolimus", "11253-2", "ng/mL", 8, 3),
}
"""Drawn every other day of those who get it."""
GOES_WRONG = tuple(test for panel in (METABOLIC, BLOOD_COUNT, LIVER, CLOTTING) for test in panel if test.drift)

CODES = (
    "I10", "E78.5", "I50.9", "I48.91", "E11.9", "E11.22", "N18.3", "N18.6", "N17.9", "J44.9", "J18.9", "I25.10", "F32.9",
    "F41.9", "K21.9", "E03.9", "I63.9", "K74.60", "K92.2", "M19.90", "G47.33", "D64.9", "C34.90", "A41.9", "N39.0",
    "G40.909", "F03.90", "E87.1", "I26.99", "Z79.01",
)  # fmt: skip
"""ICD-10; two in three are in a group that a rule asks for."""
ALLERGENS = (
    "penicillin g",
    "amoxicillin",
    "sulfamethoxazole",
    "codeine",
    "aspirin",
    "morphine",
    "lisinopril",
    "heparin",
)
ALLERGIC = 0.25
"""Patients with one to three entries; the others have a list that says none."""
REACTIONS = ("rash", "hives", "anaphylaxis", "nausea", "")


def medicines() -> list[Medicine]:
    """The usual medicines of a general ward with usual doses. How usual each is, is judgement."""
    with Path(__file__).with_name("ward_medicines.csv").open(newline="") as file:
        return [
            Medicine(
                row["name"],
                row["one_of"],
                row["route"],
                float(row["amount"]),
                row["unit"],
                float(row["times"]),
                row["as_needed"] == "yes",
                float(row["weight"]),
            )
            for row in csv.DictReader(file)
        ]


def events(beds: int, days: float, seed: int = 7) -> list[AnyEvent]:
    """All that happens in so many beds, which are never empty, in clinical order; the same for the same seed."""
    rnd, known, found, until = random.Random(seed), medicines(), list[AnyEvent](), START + days * _DAY
    for bed in range(beds):
        # whoever lies there at the beginning was admitted at some time of the first day
        at, number = START + rnd.random() * _DAY, 0
        while at < until:
            stay = _PatientStay(f"ward-{bed:04d}-{number}", at, rnd, known)
            found += (event for event in stay.events() if event.occurred_at < until)
            at, number = stay.ends + 4 * _HOUR * rnd.random(), number + 1
    # what comes at one time comes together: a panel, a round of medicines
    return sorted(found, key=lambda event: (event.occurred_at, event.patient_id))


class _Ordered:
    """An order with its present version."""

    def __init__(self, medicine: Medicine, record_id: str, starts: datetime) -> None:
        self.medicine, self.record_id, self.starts = medicine, record_id, starts
        self.ends: datetime | None = None
        self.version = 1


class _PatientStay:
    """One patient from admission to discharge."""

    def __init__(self, patient_id: str, at: datetime, rnd: random.Random, known: Sequence[Medicine]) -> None:
        self._id, self._at, self._rnd, self._known = patient_id, at, rnd, known
        self.ends = at + max(1.0, rnd.expovariate(1 / DAYS_OF_STAY)) * _DAY
        self._count = 0
        self._orders: list[_Ordered] = []
        self._baseline = {test: rnd.gauss(test.middle, test.spread) for test in (*METABOLIC, *BLOOD_COUNT, *LIVER)}
        self._wrong = rnd.choice(GOES_WRONG) if rnd.random() < OFF_SCALE else None

    def events(self) -> Iterator[AnyEvent]:
        yield from self._admitted()
        yield from self._medicines()
        yield from self._results()
        for order in self._orders:
            yield from self._doses(order)
        yield self._event(EncounterRecord, self.ends, "stay", version=2, status="finished", stay=self._stay(self.ends))

    def _event(self, what: Callable[..., _T], at: datetime, record_id: str = "", **fields: Any) -> _T:
        self._count += 1
        name = record_id or f"r{self._count}"
        return what(
            patient_id=self._id,
            source="ward",
            record_id=f"{self._id}-{name}",
            occurred_at=at,
            event_id=f"{self._id}-e{self._count}",
            ingested_at=at,
            **fields,
        )

    def _stay(self, discharged: datetime | None = None) -> Stay:
        known = {} if discharged is None else {"discharged_at": discharged}
        return Stay(encounter_class="inpatient", facility="general", unit="3-west", admitted_at=self._at, **known)

    def _admitted(self) -> Iterator[AnyEvent]:
        rnd, at = self._rnd, self._at
        born = date(at.year - rnd.choice((*range(20, 50), *range(45, 92), *range(55, 88))), 6, 15)
        nothing = rnd.random() > ALLERGIC
        lists = {"allergies": ()} if nothing else {}
        sex = rnd.choice(("female", "male"))
        yield self._event(Patient, at, "patient", birth_date=born, sex=sex, **lists)
        yield self._event(EncounterRecord, at, "stay", status="in_progress", stay=self._stay())
        yield self._event(Observation, at + _HOUR, kind="weight", value=round(rnd.gauss(80, 18), 1), unit="kg")
        yield self._event(Observation, at + _HOUR, kind="height", value=round(rnd.gauss(169, 9)), unit="cm")
        for code in rnd.sample(CODES, rnd.randint(*DIAGNOSES)):
            condition = Condition(codings=(Coding("ICD-10", code),), status="active")
            yield self._event(ConditionRecord, at + _HOUR, condition=condition)
        for name in () if nothing else rnd.sample(ALLERGENS, rnd.randint(1, 3)):
            drug = Drug(text=name, ingredients=(Ingredient(name),), resolution="name")
            allergy = Allergy(substance=drug, reaction=rnd.choice(REACTIONS), kind="allergy")
            yield self._event(AllergyRecord, at + _HOUR, allergy=allergy)

    def _medicines(self) -> Iterator[AnyEvent]:
        rnd, chosen = self._rnd, dict[str, Medicine]()
        yield from self._chosen(chosen, rnd.randint(*MOST_MEDICINES))
        for day in range(math.ceil((self.ends - self._at) / _DAY)):
            for _ in range(int(CHANGES_A_DAY + rnd.random())):
                at = self._at + (day + rnd.random()) * _DAY
                if at < self.ends:
                    yield from self._changed(chosen, at)
        for order in self._orders:
            if order.ends is None:
                yield self._stopped(order, self.ends)

    def begin(self, orders: int) -> Iterator[AnyEvent]:
        """Admission with so many medicines, all for good."""
        yield from self._admitted()
        yield from self._chosen({}, orders)

    def _chosen(self, chosen: dict[str, Medicine], wanted: int) -> Iterator[AnyEvent]:
        while len(chosen) < wanted:
            self._choose(chosen)
        for medicine in chosen.values():
            yield from self._ordered(medicine, self._at + 2 * _HOUR * self._rnd.random())

    def _choose(self, chosen: dict[str, Medicine]) -> Medicine | None:
        (medicine,) = self._rnd.choices(self._known, [each.weight for each in self._known])
        return chosen.setdefault(medicine.one_of, medicine) if medicine.one_of not in chosen else None

    def _changed(self, chosen: dict[str, Medicine], at: datetime) -> Iterator[AnyEvent]:
        """A new medicine, and one of the present ones stopped or with another dose."""
        rnd = self._rnd
        if (medicine := self._choose(chosen)) is not None:
            yield from self._ordered(medicine, at)
        acting = [order for order in self._orders if order.ends is None and order.starts < at]
        if not acting:
            return
        order = rnd.choice(acting)
        if rnd.random() < 0.5:
            chosen.pop(order.medicine.one_of, None)
            yield self._stopped(order, at)
        else:
            order.version += 1
            yield self._order(order, at, "changed", rnd.choice((0.5, 2.0)))

    def _ordered(self, medicine: Medicine, at: datetime) -> Iterator[AnyEvent]:
        order = _Ordered(medicine, f"order-{len(self._orders)}", at)
        self._orders.append(order)
        yield self._order(order, at, "ordered")

    def _stopped(self, order: _Ordered, at: datetime) -> AnyEvent:
        order.ends, order.version = at, order.version + 1
        return self._order(order, at, "discontinued")

    def _order(self, order: _Ordered, at: datetime, status: str, factor: float = 1.0) -> AnyEvent:
        dosage = order.medicine.dosage(factor)
        fields = {"version": order.version, "drug": order.medicine.drug, "dosage": dosage, "setting": "inpatient"}
        return self._event(Prescription, at, order.record_id, status=status, start=order.starts, **fields)

    def _doses(self, order: _Ordered) -> Iterator[AnyEvent]:
        """As ordered, in rounds of whole hours; of what is taken as needed one a day."""
        medicine, ends = order.medicine, order.ends or self.ends
        every = _DAY / (1 if medicine.as_needed else max(medicine.times, 1.0))
        at = order.starts.replace(minute=0, second=0, microsecond=0) + _HOUR
        if medicine.as_needed:
            at += self._rnd.random() * 12 * _HOUR
        while at < ends:
            yield self._event(
                Administration,
                at,
                status="given" if self._rnd.random() < 0.97 else "refused",
                drug=medicine.drug,
                order_id=f"{self._id}-{order.record_id}",
                dose=Quantity(medicine.amount, medicine.unit),
                route=medicine.route,
            )
            at += every

    def _results(self) -> Iterator[AnyEvent]:
        """Both large panels each morning, the others of some; bedside glucose of who gets insulin."""
        rnd, names = self._rnd, {order.medicine.name for order in self._orders}
        also = [panel for panel, share in ((LIVER, 0.3), (CLOTTING, 0.4)) if rnd.random() < share]
        morning = self._at.replace(hour=5, minute=rnd.randrange(60), second=0, microsecond=0)
        for day in range(math.ceil((self.ends - self._at) / _DAY) + 1):
            at = morning + day * _DAY if day else self._at + _HOUR
            if self._at < at < self.ends:
                yield from self.panel((*METABOLIC, *BLOOD_COUNT), at)
                for panel in also if day % 2 == 0 else ():
                    yield from self.panel(panel, at)
                yield from self.panel([LEVELS[name] for name in LEVELS if name in names and day % 2], at)
            for hour in (8, 12, 17, 22) if any(name.startswith("insulin") for name in names) else ():
                at = morning.replace(hour=hour) + day * _DAY
                if self._at < at < self.ends:
                    yield from self.panel(BEDSIDE, at)

    def panel(self, tests: Sequence[Assay], at: datetime) -> Iterator[AnyEvent]:
        days = (at - self._at) / _DAY
        for test in tests:
            # from one day to the next a value moves by a fraction of what it differs by between patients
            value = self._baseline.get(test, test.middle) + self._rnd.gauss(0, test.spread / 4)
            if test == self._wrong:
                value *= test.drift ** min(days, 4)
            value = round(max(value, test.middle / 20), 1 if test.middle > 1 else 2)
            known: dict[str, Any] = {"remark": "no_analyte"}
            if test.analyte:
                known = {"analyte": test.analyte, "canonical_value": value, "canonical_unit": test.unit}
            codings = (Coding("LOINC", test.code),)
            yield self._event(LabResult, at, status="final", codings=codings, value=value, unit=test.unit, **known)


def long_stay(orders: int, results: int, seed: int = 7) -> list[AnyEvent]:
    """One patient with so many orders in force and so many results that have an analyte, taken every four hours."""
    rnd = random.Random(seed)
    stay = _PatientStay("ward-long", START, rnd, medicines())
    found = [*stay.begin(orders)]
    at, left = START + 4 * _HOUR, results
    while left > 0:
        panel = list(stay.panel((*METABOLIC, *BLOOD_COUNT, *LIVER, *CLOTTING), at))
        left -= sum(isinstance(event, LabResult) and bool(event.analyte) for event in panel)
        found += panel
        at += 4 * _HOUR
    return found


def more(patient_id: str, acting: Sequence[tuple[str, str]], at: datetime, number: int) -> list[AnyEvent]:
    """A part of a panel and two doses, ``acting`` are the record id and the ingredient of orders; the same of every patient."""
    rnd = random.Random(number)
    fields: dict[str, Any] = {"patient_id": patient_id, "source": "ward", "occurred_at": at, "ingested_at": at}
    found: list[AnyEvent] = []
    for test in (METABOLIC[0], METABOLIC[1], METABOLIC[5]):
        value = round(test.middle + rnd.gauss(0, test.spread / 4), 1)
        found.append(
            LabResult(
                **fields,
                record_id=f"more-{number}-{test.code}",
                event_id=f"{patient_id}-{number}-{test.code}",
                status="final",
                codings=(Coding("LOINC", test.code),),
                value=value,
                unit=test.unit,
                analyte=test.analyte,
                canonical_value=value,
                canonical_unit=test.unit,
            )
        )
    for order, ingredient in (acting[number % len(acting)], acting[(number + 1) % len(acting)]):
        drug = Drug(text=ingredient, ingredients=(Ingredient(ingredient),), resolution="name")
        given = Administration(
            **fields,
            record_id=f"more-{number}-{order}",
            event_id=f"{patient_id}-{number}-{order}",
            status="given",
            drug=drug,
            order_id=order,
        )
        found.append(given)
    return found


def kinds(made: Sequence[Event]) -> dict[str, float]:
    """The share of each kind of event."""
    counted = Counter(type(event).__name__ for event in made)
    return {kind: count / len(made) for kind, count in counted.most_common()}
