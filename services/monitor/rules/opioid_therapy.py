"""What is known of a patient's opioids, for the rule about them: what acts, since when, how much, what speaks for tolerance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from msgspec import Struct

from knowledge.dose import Way
from knowledge.duplicate import says
from knowledge.model import Knowledge
from knowledge.opioids import Role
from schemas.alerts import Implicated
from schemas.values import Origin
from services.monitor.patient.bounds import INFUSION_COUNTS, LAST, ONCE_COUNTS
from services.monitor.patient.clock import later
from services.monitor.patient.fact import Fact, Given, Measure
from services.monitor.patient.known import known_or
from services.monitor.patient.morphine_equivalents import Total, total
from services.monitor.patient.order import Order
from services.monitor.patient.state import PatientState
from services.monitor.rules.dose_given import order_of
from services.monitor.rules.dosed import kept_of
from services.monitor.rules.evidence import implicate_order
from services.monitor.rules.view import view_of

DAY = timedelta(days=1)
SLOWING = ("opioid", "benzodiazepine", "cns-depressant")
"""The properties by which the uses of a therapy are asked for."""
INJECTED: frozenset[Way] = frozenset({"intravenous", "intramuscular", "subcutaneous", "intrathecal", "epidural"})
_LONGEST = max(ONCE_COUNTS, INFUSION_COUNTS)
"""How long a dose counts at most, after it was given or its infusion was stopped."""
_INFUSED = frozenset({"iv drip", "infusion", "ivinf", "continuous infusion"})


class Use(Struct, frozen=True, kw_only=True):
    """A medicine by what makes it act: an order, a supply, or a dose that was given without one. ``until`` is exclusive."""

    ingredients: tuple[str, ...]
    starts: datetime
    until: datetime | None
    fact: Implicated
    origin: Origin | None
    order: Order | None = None

    def acts_at(self, time: datetime) -> bool:
        return self.starts <= time and (self.until is None or time < self.until)

    def overlaps(self, other: Use) -> bool:
        later = max(self.starts, other.starts)
        return self.acts_at(later) and other.acts_at(later)


class Therapy:
    """Of one state. ``uses`` are the opioids that act now or will."""

    def __init__(self, state: PatientState, knowledge: Knowledge) -> None:
        self.state, self.knowledge, self.clock = state, knowledge, state.clock
        self._view = view_of(state, knowledge)
        self.opioids = knowledge.properties.get("opioid", {}).keys()
        self._since: dict[timedelta, datetime] = {}
        self.uses = self.of("opioid")

    def of(self, name: str) -> Sequence[Use]:
        """What acts now or will in the whole body and has a property of ``SLOWING``, by when it begins."""
        ordered = self._view.made_of_acting(("uses", name), lambda: self._ordered(name))
        members = self.knowledge.properties.get(name, {}).keys()
        alone = [each for each in self._given_alone if not members.isdisjoint(each.ingredients)]
        return sorted((*ordered, *alone), key=_by_start) if alone else ordered

    def _ordered(self, name: str) -> Sequence[Use]:
        systemic = self._view.systemic
        members = self.knowledge.properties.get(name, {}).keys()
        orders = {id(order): order for each in systemic.keys() & members for order in systemic[each]}
        return sorted((_of_order(each, self.knowledge) for each in orders.values()), key=_by_start)

    @cached_property
    def _given_alone(self) -> Sequence[Use]:
        slowing: frozenset[str] = self._view.made_of_acting("slowing", self._slowing)
        of_orders = self._view.made_of_acting("orders of slowing", lambda: self._orders_of(slowing))
        doses = self.state.doses.values()
        asked = [
            each for each in doses if each.what.order_id in of_orders or not slowing.isdisjoint(each.what.ingredients)
        ]
        oldest = earlier(self.clock, _LONGEST)
        if not any(_last(each) > oldest and self._may_act_alone(each) for each in asked):
            return ()
        medicines = (each for each in self.state.in_force(self.clock) if each.by == "dose" and each.systemic)
        return [
            Use(
                ingredients=each.ingredients,
                starts=each.starts,
                until=each.until,
                fact=_implicate_dose(each.last_given, each.label, each.until),
                origin=each.last_given.origin,
            )
            for each in medicines
            if each.last_given is not None
        ]

    def _slowing(self) -> frozenset[str]:
        return frozenset[str]().union(*(self.knowledge.properties.get(name, {}) for name in SLOWING))

    def _orders_of(self, ingredients: frozenset[str]) -> frozenset[str]:
        """The records of all orders that have one of these."""
        orders = self.state.orders.values()
        return frozenset(each.record_id for each in orders if not ingredients.isdisjoint(each.ingredients))

    def _may_act_alone(self, dose: Fact[Given]) -> bool:
        """Whether a dose that has, or whose order has, what slows breathing can make it act: its order does not act now."""
        if dose.void or dose.what.status != "given" or dose.at > self.clock:
            return False
        order = order_of(dose, self._view)
        return order is None or not order.in_force(self.clock)

    @cached_property
    def home(self) -> Sequence[Use]:
        """The opioids ordered or supplied that may be taken at home: not injected."""
        return self._view.made_of_acting("opioids at home", self._at_home)

    def _at_home(self) -> Sequence[Use]:
        return [each for each in self.uses if each.order is not None and self._way(each.order) not in INJECTED]

    def _way(self, order: Order) -> Way | None:
        kept = kept_of(order, self.knowledge)
        if "way" not in kept:
            kept["way"] = self.knowledge.doses.way_of(order.route, order.form)
        way: Way | None = kept["way"]
        return way

    def with_role(self, role: Role) -> Sequence[Use]:
        """The opioids of an order or supply that have a role by the way that they are given."""
        return self._view.made_of_acting(("opioids with role", role), lambda: self._with_role(role))

    def _with_role(self, role: Role) -> Sequence[Use]:
        return [each for each in self.uses if each.order is not None and self._has(role, each.order)]

    def _has(self, role: Role, order: Order) -> bool:
        kept = kept_of(order, self.knowledge)
        if ("role", role) not in kept:
            way = self._way(order)
            kept["role", role] = any(self.knowledge.opioids.role(role, each, way) for each in order.ingredients)
        has: bool = kept["role", role]
        return has

    @cached_property
    def long_acting(self) -> Sequence[Use]:
        """Patches, methadone, and what its name says to release slowly."""
        return self._view.made_of_acting("long-acting opioids", self._slow)

    def _slow(self) -> Sequence[Use]:
        words = self.knowledge.duplicates.long_acting
        # not what the instruction says: every 12 hours is no form
        by_name = [
            u for u in self.uses if u.order is not None and says(f"{u.order.label} {u.order.form}".lower(), words)
        ]
        return list({id(each): each for each in (*self.with_role("long-acting"), *by_name)}.values())

    @cached_property
    def treats_use_disorder(self) -> bool:
        return len(self.with_role("treats-use-disorder")) == len(self.home)

    @cached_property
    def rescue(self) -> list[Use]:
        """An antagonist for an emergency: alone, not by mouth, in force, or handed out not too long ago to be at hand."""
        acting = self._view.made_of_acting("rescue", lambda: tuple(filter(self._rescues, self._view.acting)))
        found = {id(each): each for each in (*acting, *filter(self._rescues, self._at_hand))}
        return [_of_order(each, self.knowledge) for each in found.values()]

    @property
    def rescue_until(self) -> Iterator[datetime]:
        """When one of them ends, or what was handed out counts no more."""
        yield from (each.until for each in self.rescue if each.until is not None)
        yield from (later(each.starts, self._kept) for each in self._at_hand if self._rescues(each))

    @property
    def _at_hand(self) -> Iterator[Order]:
        supplies = self.state.supplies.values()
        return (o for o in supplies if not o.void and o.starts <= self.clock and self.clock - o.starts < self._kept)

    @property
    def _kept(self) -> timedelta:
        return self.knowledge.opioids.advice["naloxone"].span

    def _rescues(self, order: Order) -> bool:
        if len(order.ingredients) != 1 or order.ingredients[0] not in self.knowledge.opioids.roles:
            return False
        return self.knowledge.opioids.role("rescue", order.ingredients[0], self._way(order), unsure=True) is not None

    def since(self, gap: timedelta) -> datetime:
        """From when opioids act without a longer break than ``gap``: the present treatment, or the one that begins."""
        if gap not in self._since:
            self._since[gap] = began_of(self._spans, self.home, gap)
        return self._since[gap]

    def patches_since(self, uses: Sequence[Use]) -> datetime:
        """From when what is for the tolerant only acts, one after the other."""
        names = {name for each in uses for name in each.ingredients}
        orders = (each for each in self._ever() if not each.held and self._has("for-tolerant", each))
        same = ((o.starts, o.acts_until or LAST) for o in orders if not names.isdisjoint(o.ingredients))
        return began_of(same, uses, DAY)

    @cached_property
    def _spans(self) -> Sequence[tuple[datetime, datetime]]:
        ordered = [(order.starts, order.acts_until or LAST) for order in self._ever() if not order.held]
        given = [
            (dose.at, dose.at + min(ONCE_COUNTS, LAST - dose.at))
            for dose in self.state.doses.values()
            if not self.opioids.isdisjoint(dose.what.ingredients) and dose.what.status == "given" and not dose.void
        ]
        return [*ordered, *given]

    def _ever(self) -> Sequence[Order]:
        """Orders and supplies of opioids that ever acted."""
        return self._view.made_of_acting("opioids ever", lambda: tuple(self._ever_acted()))

    def _ever_acted(self) -> Iterator[Order]:
        for order in (*self.state.orders.values(), *self.state.supplies.values()):
            if self.opioids.isdisjoint(order.ingredients) or order.void or not order.systemic:
                continue
            until = order.acts_until
            if until is None or until > order.starts:
                yield order

    def total(self, time: datetime) -> Total:
        """The morphine equivalents of what is ordered or supplied for a time."""
        orders = [each.order for each in self.uses if each.order is not None and each.acts_at(time)]
        key = ("opioids in all", *map(id, orders))
        return self._view.made_of_acting(key, lambda: total(orders, self.opioids, self.knowledge.doses))

    @cached_property
    def highest(self) -> tuple[datetime, Total]:
        """The highest total, now or when something ordered begins, and when that is."""
        times = sorted({self.clock, *(each.starts for each in self.uses if each.starts > self.clock)})
        totals = [(time, self.total(time)) for time in times]
        return max(totals, key=lambda each: each[1].most)

    def taken_before(self, uses: Sequence[Use], since: datetime, span: timedelta) -> bool:
        """Whether what is for the tolerant only acted for ``span`` or longer before, with a break since."""
        names = {name for each in uses for name in each.ingredients}
        orders = [
            each for each in self._ever() if self._has("for-tolerant", each) and not names.isdisjoint(each.ingredients)
        ]
        before = (min(o.acts_until or since, since) - o.starts for o in orders if o.starts < since)
        return sum(before, timedelta()) >= span

    def tolerated(self, before: datetime, span: timedelta) -> bool | None:
        """Whether on every day of ``span`` before a time so much was taken as counts for tolerance; None where an opioid acted
        whose share is not known, or was only for need."""
        shares = [self._shares(earlier(before, DAY * number), before) for number in range(1, span // DAY + 1)]
        if all(least >= 1 for least, _, _ in shares):
            return True
        unsure = all(most >= 1 or unknown for _, most, unknown in shares)
        return None if unsure or any(unknown for _, _, unknown in shares) else False

    def _shares(self, time: datetime, before: datetime) -> tuple[float, float, bool]:
        """What acted at a time as parts of what counts for tolerance: the least, the most, and whether any is not known."""
        orders = [each for each in self._ever() if not each.held and each.starts < before and each.acts_at(time)]
        parts = total(orders, self.opioids, self.knowledge.doses).parts
        least = most = 0.0
        unknown = any(self._given_on(time))
        for each in parts:
            role = self.knowledge.opioids.role("tolerance", each.ingredient, self._way(each.order))
            if role is None or role.a_day is None or each.amount is None:
                unknown = True
            else:
                least, most = least + each.amount[0] / role.a_day, most + each.amount[1] / role.a_day
        return least, most, unknown

    def _given_on(self, time: datetime) -> Iterator[Fact[Given]]:
        """Doses of opioids within a day after a time whose order is not known."""
        for dose in self.state.doses.values():
            given = dose.what.status == "given" and not dose.void and time <= dose.at < time + DAY
            if given and not dose.what.order_id and not self.opioids.isdisjoint(dose.what.ingredients):
                yield dose

    def known_before(self, time: datetime) -> bool:
        """Whether anything is known of the patient from before a time."""
        state = self.state
        orders = (each.first_seen for each in (*state.orders.values(), *state.supplies.values()))
        results = (each.at for of in state.results.values() for each in of)
        facts = (
            each.at for of in (state.doses, state.measures, state.condition_facts, state.stays) for each in of.values()
        )
        return any(at < time for of in (orders, results, facts) for at in of)

    @property
    def slow_breathing(self) -> Fact[Measure] | None:
        """The newest breathing rate, where it is slow and new enough to count."""
        limit, newest = self.knowledge.opioids.breathing, self.state.measure("respiratory_rate", self.clock)
        if limit is None or newest is None or newest.what.value is None or self.clock - newest.at >= limit.within:
            return None
        return newest if newest.what.value <= limit.at_most else None

    def not_both_given(self, others: Collection[str]) -> bool:
        """Whether doses are charted for this patient, and not both an opioid and one of ``others`` within the last day."""
        doses = [each for each in self.state.doses.values() if each.what.status == "given" and not each.void]
        recent = (each for each in doses if each.at <= self.clock < _counts_until(each))
        given = {name for each in recent for name in each.what.ingredients}
        return bool(doses) and (self.opioids.isdisjoint(given) or given.isdisjoint(others))

    def infused(self, uses: Iterable[Use]) -> bool:
        """Whether any of these is given as an infusion that goes on."""
        routes = {
            each.order.route.strip().lower() for each in uses if each.order is not None and each.acts_at(self.clock)
        }
        return not routes.isdisjoint(_INFUSED)

    def doses_until(self) -> datetime | None:
        """When the next of the doses given stops to count as given within a day."""
        doses = self.state.doses
        until = self._view.made_of(doses, "counts until", lambda: sorted(map(_counts_until, doses.values())))
        place = bisect_right(until, self.clock)
        return until[place] if place < len(until) else None

    @property
    def tolerant(self) -> bool | None:
        """What somebody said of the patient's tolerance."""
        goals = self.state.goals
        return None if goals is None else known_or(goals.opioid_tolerant, None)


def began_of(spans: Iterable[tuple[datetime, datetime]], uses: Sequence[Use], gap: timedelta) -> datetime:
    """When the first of ``uses`` began, with all before it that is not more than ``gap`` apart."""
    now = min(each.starts for each in uses)
    began, ended = now, now
    for starts, until in sorted((*spans, *((each.starts, each.until or LAST) for each in uses))):
        if starts > now:
            break
        if began == now or starts > ended + min(gap, LAST - ended):
            began, ended = starts, until
        ended = max(ended, until)
    return began if now <= ended + min(gap, LAST - ended) else now


def earlier(time: datetime, span: timedelta) -> datetime:
    """A time before another; a slip of the keyboard may be of the year 1."""
    first = datetime.min.replace(tzinfo=time.tzinfo)
    return time - min(span, time - first)


def ends(uses: Iterable[Use], clock: datetime) -> Iterator[datetime]:
    """When one of them ends or begins."""
    for each in uses:
        if each.until is not None:
            yield each.until
        if each.starts > clock:
            yield each.starts


def implicate_measure(measure: Fact[Measure]) -> Implicated:
    """A bedside measurement as evidence."""
    return Implicated(
        kind="observation",
        source=measure.source,
        record_id=measure.record_id,
        version=measure.precedence[0],
        label=measure.what.text or measure.what.kind.replace("_", " "),
        at=measure.at,
        value=measure.what.value,
        unit=measure.what.unit,
    )


def _of_order(order: Order, knowledge: Knowledge) -> Use:
    kept = kept_of(order, knowledge)
    use: Use = kept["use"] if "use" in kept else kept.setdefault("use", _use(order))
    return use


def _use(order: Order) -> Use:
    return Use(
        ingredients=order.ingredients,
        starts=order.starts,
        until=order.acts_until,
        fact=implicate_order(order),
        origin=order.origin,
        order=order,
    )


def _implicate_dose(dose: Fact[Given], label: str, until: datetime | None) -> Implicated:
    return Implicated(
        kind="administration",
        source=dose.source,
        record_id=dose.record_id,
        version=dose.precedence[0],
        label=" ".join(part for part in (label, dose.what.route) if part),
        at=dose.at,
        until=until,
    )


def _by_start(use: Use) -> tuple[datetime, str, str]:
    return use.starts, use.fact.source, use.fact.record_id


def _last(dose: Fact[Given]) -> datetime:
    stopped = dose.what.stopped_at
    return dose.at if stopped is None else max(dose.at, stopped)


def _counts_until(dose: Fact[Given]) -> datetime:
    return later(_last(dose), ONCE_COUNTS)
