"""The state of one patient: what rules read. A state is never changed in place; ``apply`` gives a new one.

What it is made of stands beside: ``order`` (orders and supplies), ``result``, ``fact`` (doses and what is known of the
person), ``obligation``. ``stored`` is its form on disk: fields may be added at the end with a default, never moved or removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

from msgspec import Struct

from schemas.alerts import Alert, Implicated
from schemas.events import Allergy, Condition, Goals, Pregnancy, Procedure, Stay, Traits
from services.monitor.patient import medicines
from services.monitor.patient.fact import Fact, Given, Measure
from services.monitor.patient.known import known_or
from services.monitor.patient.medicines import Medicine
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.order import Order, Precedence, thing_key
from services.monitor.patient.result import Result
from services.monitor.patient.standing import Standing

FORMAT = 2
OLDEST_AGE = 130
"""Years. No person on record has lived longer (122 years, Jeanne Calment), so a birth date further back is not one."""


class Pointer(Struct, frozen=True, array_like=True):
    """Under which id the record of this patient is continued, by whose word. ``follows`` is false when a newer merge made
    this one the record that is continued after all."""

    into: str
    by: Precedence
    follows: bool = True


class LastPicture(Struct, frozen=True, array_like=True):
    """The last picture that was sent: when (the monitor's time, milliseconds), which, and whether a newer one is owed."""

    at: int = 0
    digest: str = ""
    owed: bool = False


class PatientState(Struct, frozen=True, array_like=True):
    """Everything that is kept of a patient.

    ``clock`` is the patient's clinical time. ``orders``, ``supplies``, ``doses`` and the facts of the person by source and
    record id; ``results`` by analyte, oldest first, and under the empty name those that took another back and name no
    analyte; ``open_alerts`` by rule and subject. ``applied`` is the last offset applied of each source topic; a record at or
    below it has been applied. ``live``: whether any event came from a running feed, so that the wall clock counts.
    ``episodes`` are the last ended alerts, the newest last: their rule and subject, as in ``open_alerts``, and their
    id. ``standing`` has every finding that is true, also those that reach nobody, by the same key.
    ``patient_versions`` says which version of a patient event a plain field is from. ``former_ids`` were merged into
    this one. ``again`` are rules and parts of them that could not be asked to the end, and are asked with the next evaluation;
    ``rules`` names the rules and the knowledge by which all was last evaluated (``Index.tag``).
    """

    patient_id: str
    clock: datetime
    format: int = FORMAT
    applied: dict[str, int] = {}
    birth_date: date | None = None
    sex: str = ""
    facility: str = ""
    unit: str = ""
    patient_versions: Mapping[str, Precedence] = {}
    orders: Mapping[str, Order] = {}
    results: Mapping[str, tuple[Result, ...]] = {}
    open_alerts: Mapping[str, Alert] = {}
    supplies: Mapping[str, Order] = {}
    doses: Mapping[str, Fact[Given]] = {}
    measures: Mapping[str, Fact[Measure]] = {}
    condition_facts: Mapping[str, Fact[tuple[Condition, ...]]] = {}
    allergy_facts: Mapping[str, Fact[tuple[Allergy, ...]]] = {}
    stays: Mapping[str, Fact[Stay]] = {}
    pregnancy: Pregnancy | None = None
    lactating: bool | None = None
    goals: Goals | None = None
    traits: Traits | None = None
    procedures: tuple[Procedure, ...] | None = None
    obligations: Mapping[str, Obligation] = {}
    live: bool = False
    merged: Pointer | None = None
    former_ids: tuple[str, ...] = ()
    last_picture: LastPicture = LastPicture()
    episodes: tuple[tuple[str, str], ...] = ()
    standing: Mapping[str, Standing] = {}
    again: tuple[tuple[str, str], ...] = ()
    rules: str = ""

    def in_force(self, at: datetime) -> list[Medicine]:
        """The medicines in force at an instant, with what they rest on, by what is known now."""
        return medicines.in_force(self.orders, self.supplies, self.doses, at)

    def acting(self) -> Iterator[Order]:
        """The orders that act now or will, by the patient's clock, and the supplies that act without an order or after it."""
        for order in self.orders.values():
            if not order.over(self.clock):
                yield order
        yield from medicines.outlasting(self.orders, self.supplies, self.clock)

    def order_of(self, fact: Implicated) -> Order | None:
        """The order or the supply that an alert names; a source may give both the same id."""
        orders = self.supplies if fact.kind == "dispensing" else self.orders
        return orders.get(thing_key(fact.source, fact.record_id))

    def newest(self, analyte: str) -> Result | None:
        """The newest valid result of an analyte, whatever it says."""
        return next((result for result in reversed(self.results.get(analyte, ())) if not result.void), None)

    def measure(self, kind: str, at: datetime | None = None) -> Fact[Measure] | None:
        """The newest valid measurement of a kind, at or before a time when one is given."""
        found = (
            fact for fact in self.measures.values() if fact.what.kind == kind and not fact.void
            and fact.what.value is not None and (at is None or fact.at <= at)
        )  # fmt: skip
        return max(found, key=lambda fact: (fact.at, fact.key), default=None)

    @property
    def conditions(self) -> list[Condition]:
        """What the patient has or had, as the sources list it; what was refuted is left out."""
        listed = (each for fact in self.condition_facts.values() if not fact.void for each in fact.what)
        return [each for each in listed if each.status != "refuted"]

    @property
    def allergies(self) -> list[Allergy] | None:
        """Known allergies and intolerances; empty: none is known of; None: nobody has said."""
        facts = [fact for fact in self.allergy_facts.values() if not fact.void]
        wrong = ("refuted", "entered_in_error")
        return [each for fact in facts for each in fact.what if each.verification not in wrong] if facts else None

    @property
    def stay(self) -> Stay | None:
        """Where the patient is, or was last: the newest stay that has not ended, or else the newest."""
        valid = [fact for fact in self.stays.values() if not fact.void]
        newest = max(
            valid, key=lambda fact: (known_or(fact.what.discharged_at, None) is None, fact.at, fact.key), default=None
        )
        return newest.what if newest is not None else None

    def age(self, at: datetime) -> timedelta | None:
        """Age at a time; None when it is unknown or the birth date cannot be."""
        if self.birth_date is None:
            return None
        age = timedelta(days=(at.date() - self.birth_date).days)
        return age if timedelta(0) <= age < timedelta(days=OLDEST_AGE * 365.25) else None

    def years(self, at: datetime) -> int | None:
        """Completed years of age at a time; None when unknown."""
        if self.birth_date is None or self.age(at) is None:
            return None
        born, today = self.birth_date, at.date()
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
