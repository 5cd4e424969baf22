"""One invented patient: what happens to them, as the messages that their hospital and pharmacies send of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from examples.quarter.formulary import Drug, drugs, tests

BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
DAYS = 90
"""The quarter: what is dated before its day 0 is history that the feeds bring along."""

PHARMACIES = ("pharmacy-north", "pharmacy-south", "pharmacy-mall")
BASIC = ("potassium", "sodium", "glucose", "creatinine")
COUNTS = ("hemoglobin", "platelets", "leukocytes")
LIVER = ("ALT", "alkaline phosphatase", "bilirubin")
WATCHED = {
    "amiodarone": (("TSH", *LIVER, *BASIC), 80),
    "lithium": (("lithium", "TSH", "calcium", *BASIC), 7),
    "warfarin": (("INR", *COUNTS), 7),
    "methotrexate": ((*COUNTS, *LIVER, "creatinine"), 13),
    "clozapine": (("neutrophils", "leukocytes"), 7),
    "azathioprine": ((*COUNTS, *LIVER, "creatinine"), 7),
    "valproate": ((*COUNTS, *LIVER), 28),
    "metformin": ((*BASIC, "hemoglobin A1c"), 80),
    "levothyroxine": (("TSH",), 42),
    "digoxin": (("digoxin", *BASIC), 80),
    "spironolactone": (BASIC, 6),
    "lisinopril": (BASIC, 80),
}
"""Tests that a medicine asks for, and how many days apart they are done here: as often as any label or guideline asks."""

Message = dict[str, Any]


def when(day: float) -> datetime:
    """The time of a day of the quarter; 1.5 is noon of the second."""
    return BEGIN + timedelta(minutes=round(day * 1440))


@dataclass(frozen=True)
class Order:
    """What was ordered, for what happens to it later."""

    record_id: str
    source: str
    drug: Drug
    start: float


@dataclass
class Person:
    """Each method adds messages. Nothing is random but through ``rng``."""

    id: str
    rng: Random
    age: float = 60
    sex: str = "female"
    weight: float = 80
    leaves: float | None = None
    messages: list[Message] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)
    _doses: dict[str, list[tuple[float, Message]]] = field(default_factory=dict)

    # who they are
    def be(self, age: float, sex: str = "female", weight: float = 80) -> None:
        """To be called first, if at all."""
        self.age, self.sex, self.weight = age, sex, weight

    def register(self, day: float, conditions: Iterable[tuple[str, str]] = (), **facts: Any) -> None:
        """The patient's record, their weight and diagnoses (ICD-10 code and name), as of a day."""
        listed = [
            {"codings": [{"system": "ICD-10", "code": code, "display": name}], "status": "active"}
            for code, name in conditions
        ]
        born = (when(day) - timedelta(days=self.age * 365.25 + 5)).date()
        known = {"birth_date": born.isoformat(), "sex": self.sex, "conditions": listed, "allergies": []}
        self.know(day, **known | facts)
        self.observe("weight", self.weight, "kg", day + 0.001)

    def know(self, day: float, **facts: Any) -> None:
        """What is known of the person from now on."""
        self._send("patient", "adt", f"adt-{self.id}", day, **facts)

    def admit(self, day: float, unit: str = "4 West") -> None:
        """``leaves``, if set before, is when what is ordered on the ward ends."""
        stay = {"encounter_class": "inpatient", "facility": "St Example", "unit": unit}
        self.know(day, stay=stay | {"admitted_at": when(day).isoformat()})

    def discharge(self, day: float) -> None:
        self.know(day, stay={"encounter_class": "outpatient", "discharged_at": when(day).isoformat()})

    # medicines
    def order(
        self,
        drug: str,
        day: float,
        until: float | None = None,
        *,
        setting: str = "inpatient",
        doses: bool = True,
        source: str = "",
        **more: Any,
    ) -> Order:
        """An order, and for a ward its doses as they are charted until it ends."""
        product = drugs()[drug]
        if setting == "inpatient" and until is None:
            until = self.leaves
        source = source or ("cpoe" if setting == "inpatient" else "clinic")
        made = Order(self._next("rx"), source, product, day)
        fields = {"status": "ordered", "setting": setting} | self._drug(product) | more
        if until is not None:
            fields["end"] = when(until).isoformat()
        self._send("prescription", source, made.record_id, day, **fields)
        if setting == "inpatient" and doses:
            self._chart(made, day, DAYS if until is None else until)
        return made

    def change(self, order: Order, day: float, status: str, **more: Any) -> None:
        """A later version of an order (``discontinued``, ``held``, ``resumed``, ``entered_in_error``): doses end or go on."""
        fields = {"status": status} | self._drug(order.drug) | more
        self._send("prescription", order.source, order.record_id, day, **fields)
        if status in ("discontinued", "held", "entered_in_error"):
            planned = self._doses.get(order.record_id, [])
            late = {id(message) for at, message in planned if at > day}
            self.messages = [message for message in self.messages if id(message) not in late]

    def stop(self, order: Order, day: float) -> None:
        self.change(order, day, "discontinued")

    def give(self, order: Order, day: float) -> Message:
        product = order.drug
        return self._send(
            "administration", "emar", self._next("dose"), day, status="given", drug={"text": product.text},
            order_id=order.record_id, dose={"value": product.dose, "unit": product.unit}, route=product.route,
        )  # fmt: skip

    def fill(
        self,
        drug: str,
        day: float,
        days: float = 30,
        *,
        order: Order | None = None,
        pharmacy: str = "",
        **more: Any,
    ) -> None:
        """A supply handed out for so many days."""
        product = drugs()[drug]
        source = pharmacy or self.pharmacy
        count = max(1, round(days * (product.per_day or 1) * self._units(product)))
        fields = {"status": "dispensed", "quantity": {"value": count, "unit": "units"}, "days_supply": days}
        fields |= self._drug(product) | {"pharmacy": source}
        if order is not None:
            fields["order_id"] = order.record_id
        self._send("dispensing", source, self._next("fill"), day, **fields | more)

    def takes(
        self,
        drug: str,
        since: float,
        until: float = DAYS,
        *,
        days: int = 30,
        pharmacy: str = "",
        why: str = "",
        watched: bool = True,
        **more: Any,
    ) -> Order:
        """A medicine of an outpatient: ordered, handed out the same day, and refilled a few days before each supply ends;
        ``why`` it was stopped. ``watched``: with the tests that it asks for, as often as it does, and nothing wrong in them."""
        order = self.order(drug, since, setting="outpatient", **more)
        day = since + 0.1
        while day < until:
            self.fill(drug, day, days, order=order, pharmacy=pharmacy)
            day += days - self.rng.randint(0, 3)
        if watched and drug in WATCHED:
            tests_of_it, every = WATCHED[drug]
            for number in range(int((until - since + 2) // every) + 1):
                self.panel(since - 2 + number * every, tests_of_it)
        if until < DAYS:
            self.change(order, until, "discontinued", **({"reason": why} if why else {}))
        return order

    @property
    def pharmacy(self) -> str:
        """Where they usually go."""
        return PHARMACIES[sum(map(ord, self.id)) % len(PHARMACIES)]

    # what is measured
    def lab(self, test: str, value: float | str, day: float, **more: Any) -> None:
        known = tests()[test]
        fields: Message = {"status": "final", "unit": known.unit, "resulted_at": when(day + 0.04).isoformat()}
        fields |= {"codings": [{"system": "LOINC", "code": known.loinc, "display": known.display}]}
        fields |= {"value": value} if not isinstance(value, str) else {"text": value}
        self._send("lab_result", "lab", self._next("res"), day, **fields | more)

    def panel(self, day: float, names: Sequence[str] = BASIC) -> None:
        """Results of which there is nothing to say."""
        for name in names:
            known = tests()[name]
            self.lab(name, round(self.rng.uniform(known.low, known.high), known.decimals), day)

    def observe(self, kind: str, value: float, unit: str, day: float, **more: Any) -> None:
        self._send("observation", "ward", self._next("obs"), day, kind=kind, value=value, unit=unit, **more)

    def _chart(self, order: Order, day: float, until: float) -> None:
        per_day = order.drug.per_day or 0
        if not per_day:
            return
        at = day + 0.05
        minute = 1 / 1440
        given = self._doses.setdefault(order.record_id, [])
        while at < min(until, DAYS):
            # a nurse is a few minutes early or late
            charted = at + self.rng.randint(-8, 15) * minute
            given.append((charted, self.give(order, charted)))
            at += 1 / per_day

    def _drug(self, product: Drug) -> Message:
        dosage: Message = {"route": product.route, "dose": {"value": product.dose, "unit": product.unit}}
        if product.per_day is None:
            dosage["as_needed"] = True
        else:
            dosage["frequency_per_day"] = product.per_day
        return {"drug": {"text": product.text}, "dosage": dosage}

    def _units(self, product: Drug) -> float:
        head = product.text.split(" mg")[0].split(" mcg")[0].rsplit(" ", 1)[-1]
        try:
            return product.dose / float(head)
        except ValueError:
            return 1

    def _next(self, kind: str) -> str:
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{self.id}-{self._numbers[kind]}"

    def _send(self, kind: str, source: str, record_id: str, day: float, /, **fields: Any) -> Message:
        version = self._versions[record_id] = self._versions.get(record_id, 0) + 1
        message: Message = {"type": kind, "patient_id": self.id, "source": source, "record_id": record_id}
        message |= {"version": version, "occurred_at": when(day).isoformat(), "timing": "replayed"} | fields
        self.messages.append(message)
        return message


def due_in(weeks: float, day: float) -> date:
    """The due date of a pregnancy that is so many weeks old on a day."""
    return (when(day) + timedelta(weeks=40 - weeks)).date()
