"""What the rules cost, without a broker: all of them on, with the knowledge of the product, on one core.

A hospital's events (``ward``) go through the engine's own ``Computer``: batches, states in its cache, everything encoded that
would be stored and sent; Kafka and the disk are not in it. The peer is the same stream with no rules. Time is the process', so
others on the machine count little, and every round has every contender in turn.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, cast

import cyclopts
from prometheus_client import CollectorRegistry
from rich.console import Console

from bench import ward
from bench.figures import Figure, Report, say
from knowledge.loader import load
from knowledge.model import Knowledge
from schemas import cloudevents, codec, topics
from schemas.events import AnyEvent
from schemas.values import Citation
from services.monitor import evaluate
from services.monitor.handler import MonitorHandler
from services.monitor.patient.change import Change
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.state import PatientState
from services.monitor.rules import RULES
from services.monitor.rules.index import Index
from services.monitor.rules.rule import Finding, Reads, Rule
from services.monitor.rules.written import written_rules
from services.streaming.compute import Computer
from services.streaming.faust_engine import GC_THRESHOLD
from services.streaming.fetches import Part
from services.streaming.handler import Record
from services.streaming.metrics import StreamMetrics
from services.streaming.refusals import NO_LIMITS
from services.streaming.store import PartitionStore

ALL, NONE, TWICE = "all rules", "no rules", "as many unrelated rules beside"
LEAST = 15_000
MOST_UNRELATED = 1.05
MOST_HEAVY = 3.0
CACHE_BYTES = 256 << 20
DAYS = 3.0
HEAVY_ORDERS, HEAVY_RESULTS = 40, 2_000
USUAL = 40
"""Beds of whose patients the median is taken."""
AT_ONCE, BATCHES = 5, 6
"""Events of one patient in a batch, for the cost of one patient: part of a panel, two doses (``ward.more``)."""


def every_rule(knowledge: Knowledge) -> tuple[Rule, ...]:
    """Those in code and the written ones."""
    return (*RULES, *written_rules(knowledge))


class _Nothing:
    """A store without a disk: every state is in the cache, which is large enough."""

    def read(self, key: bytes) -> bytes | None:
        return None


class _Ward:
    """The monitor as a lane runs it, with ``rules``."""

    def __init__(self, rules: Sequence[Rule], knowledge: Knowledge) -> None:
        self._index, self._knowledge = Index(rules, knowledge), knowledge
        self.taken = 0
        """Records, which are numbered on from here."""
        self._states: dict[bytes, object] = {}
        metrics = StreamMetrics(CollectorRegistry())
        handler = MonitorHandler(knowledge, lambda _: datetime.now(UTC))
        self._computer = Computer(handler, cast(PartitionStore, _Nothing()), NO_LIMITS, CACHE_BYTES, metrics)

    def take(self, records: Sequence[Record]) -> float:
        """Seconds of the process for the records, in batches as large as the engine makes them."""
        seconds = 0.0
        with _installed(self._index, self._knowledge):
            start = 0
            while start < len(records):
                batch = list(records[start : start + self._computer.limit])
                began = time.process_time()
                done = self._computer.compute(Part(batch, []))
                seconds += time.process_time() - began
                if any(send.topic == topics.DEAD_LETTERS for send in done.sends):
                    raise RuntimeError("the monitor refused a record of the benchmark")
                start += len(batch)
                self._states.update(done.states)
        self.taken += len(records)
        return seconds

    def states(self) -> Iterator[PatientState]:
        """Of every patient, as they are now."""
        for state in self._states.values():
            assert isinstance(state, PatientState)
            yield state


@contextmanager
def _installed(index: Index, knowledge: Knowledge) -> Iterator[None]:
    """The monitor with these rules in place of its own."""
    before = list(evaluate._last)
    evaluate._last[:] = [(knowledge, index)]
    try:
        yield
    finally:
        evaluate._last[:] = before


def records(events: Iterable[AnyEvent], first: int = 0) -> list[Record]:
    """As the broker has them, received when it was so."""
    return [
        Record(
            topics.EVENTS,
            0,
            first + number,
            int(event.occurred_at.timestamp() * 1000),
            event.patient_id.encode(),
            codec.encode(event),
            cloudevents.event_headers(event),
        )
        for number, event in enumerate(events)
    ]


class _Wrapped:
    """A rule as it is, but for what is overridden."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.id, self.version, self.family = rule, rule.id, rule.version, rule.family
        self.title, self.data = rule.title, rule.data

    def reads(self, knowledge: Knowledge) -> Reads:
        return self.rule.reads(knowledge)

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        return self.rule.citations(knowledge)

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        return self.rule.parts(change, state, knowledge)

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        return self.rule.findings(state, knowledge, part)


class _Timed(_Wrapped):
    """How long a rule takes to say its parts and to find, and how often it is asked."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.parts_seconds = self.findings_seconds = 0.0
        self.asked = 0

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        began = time.thread_time()
        found = self.rule.parts(change, state, knowledge)
        self.parts_seconds += time.thread_time() - began
        return found

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        began = time.thread_time()
        found = list(self.rule.findings(state, knowledge, part))
        self.findings_seconds += time.thread_time() - began
        self.asked += 1
        return found


class _Unrelated(_Wrapped):
    """The same rule under another id, about medicines and analytes that nobody has."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.id = f"unrelated-{rule.id}"

    def reads(self, knowledge: Knowledge) -> Reads:
        reads = self.rule.reads(knowledge)
        names = knowledge.properties_of if reads.ingredients is None else reads.ingredients
        return Reads(
            ingredients=[f"{name} of nobody" for name in names],
            analytes={f"{name} of nobody": need for name, need in reads.analytes.items()},
        )


def measure(beds: int, rounds: int, console: Console) -> list[Figure]:
    """The figures of ``docs``: events a second, cost by rule, unrelated rules, one patient with very much."""
    # as the engine does
    gc.set_threshold(*GC_THRESHOLD)
    knowledge = load()
    stream = records(ward.events(beds, DAYS))
    every = every_rule(knowledge)
    contenders: dict[str, Sequence[Rule]] = {ALL: every, NONE: (), TWICE: (*every, *map(_Unrelated, every))}
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        order = list(contenders)
        for name in (*order[number % 3 :], *order[: number % 3]):
            cost = _Ward(contenders[name], knowledge).take(stream) / len(stream) * 1e6
            if number:  # the first round fills what is kept between events
                costs[name].append(cost)
        say(console, f"round {number} of {rounds}  rules" if number else "warm")
    ratios = {
        name: [one / other for one, other in zip(values, costs[NONE if name == ALL else ALL], strict=True)]
        for name, values in costs.items()
    }
    return [
        Figure(
            about="monitor without a broker, one core",
            contender=ALL,
            unit="events/s",
            values=[1e6 / each for each in costs[ALL]],
            note=f"at least {LEAST:,}; {len(stream):,} events",
        ),
        _cost(ALL, costs[ALL], NONE, ratios[ALL], "encoding of states, alerts and pictures is in it"),
        _cost(NONE, costs[NONE], "", [], "the peer"),
        _cost(TWICE, costs[TWICE], ALL, ratios[TWICE], f"at most {MOST_UNRELATED:.2f}"),
        *_families(stream, knowledge, statistics.median(costs[ALL])),
        *_heavy(knowledge, rounds),
    ]


def _cost(name: str, values: list[float], against: str, ratios: list[float], note: str) -> Figure:
    return Figure(
        about="processor time of an event", contender=name, unit="µs", values=values, against=against, ratios=ratios, note=note
    )  # fmt: skip


def _families(stream: Sequence[Record], knowledge: Knowledge, whole: float) -> Iterator[Figure]:
    """One pass with a watch on each rule. What is left of ``whole``, the cost of an event without a watch, is the rest: the watch
    takes about as long as a small rule."""
    coded, written = list(map(_Timed, RULES)), list(map(_Timed, written_rules(knowledge)))
    timed = [*coded, *written]
    _Ward(timed, knowledge).take(stream)
    per_event = 1e6 / len(stream)
    yield Figure(
        about="cost by rule, of an event",
        contender=f"{len(written)} written rules",
        unit="µs",
        values=[sum(each.parts_seconds + each.findings_seconds for each in written) * per_event],
        note=f"asked {sum(each.asked for each in written) / len(stream):.2f} times an event",
    )
    for each in sorted(coded, key=lambda each: -(each.parts_seconds + each.findings_seconds)):
        yield Figure(
            about="cost by rule, of an event",
            contender=each.id,
            unit="µs",
            values=[(each.parts_seconds + each.findings_seconds) * per_event],
            note=f"{each.parts_seconds * per_event:.2f} to say what is touched; "
            f"asked {each.asked / len(stream):.2f} times an event",
        )
    rest = whole - per_event * sum(each.parts_seconds + each.findings_seconds for each in timed)
    yield Figure(about="cost by rule, of an event", contender="everything else", unit="µs", values=[rest])


def _heavy(knowledge: Knowledge, rounds: int) -> Iterator[Figure]:
    """One patient with very much beside those of the ward, all with the same events, ``AT_ONCE`` a batch and each state in the
    cache: what a batch decodes, evaluates and encodes is counted, the state that it leaves encoded once a batch as well."""
    usual = _Ward(every_rule(knowledge), knowledge)
    usual.take(records(ward.events(USUAL, DAYS)))
    long = _Ward(every_rule(knowledge), knowledge)
    long.take(records(ward.long_stay(HEAVY_ORDERS, HEAVY_RESULTS)))
    (heavy,) = long.states()
    about = f"a patient with {len(heavy.orders)} orders and {HEAVY_RESULTS:,} results"
    kept = sum(map(len, heavy.results.values()))
    median, most = list[float](), list[float]()
    for number in range(rounds + 1):
        costs = [_cost_of(usual, each, number) for each in usual.states() if any(True for _ in each.acting())]
        cost = _cost_of(long, next(long.states()), number)
        if number:
            median.append(statistics.median(costs))
            most.append(cost)
    yield Figure(
        about="processor time of an event, one patient alone", contender="the median patient", unit="µs", values=median
    )
    yield Figure(
        about="processor time of an event, one patient alone",
        contender=about,
        unit="µs",
        values=most,
        against="the median patient",
        ratios=[a / b for a, b in zip(most, median, strict=True)],
        note=f"less than {MOST_HEAVY:.0f}; {kept:,} results are kept",
    )


def _cost_of(of: _Ward, state: PatientState, number: int) -> float:
    """Microseconds an event of ``BATCHES`` batches of one patient."""
    acting = [(order.record_id, order.ingredients[0]) for order in state.acting()]
    seconds = 0.0
    for each in range(BATCHES):
        count = number * BATCHES + each
        events = ward.more(state.patient_id, acting, state.clock + (each + 1) * timedelta(minutes=10), count)
        seconds += of.take(records(events, of.taken))
    return seconds / BATCHES / AT_ONCE * 1e6


def main(
    *,
    beds: Annotated[int, cyclopts.Parameter(help="beds of the hospital")] = 200,
    rounds: Annotated[int, cyclopts.Parameter(help="rounds of which the median counts")] = 5,
) -> None:
    """Print what the rules cost; fail when a figure is not what is wanted."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    report = Report(command="python -m bench.rules", figures=measure(beds, rounds, console))
    console.print(report.table())
    if missed := [each.about for each in report.figures if _missed(each)]:
        sys.exit(f"not as wanted: {', '.join(missed)}")


def _missed(figure: Figure) -> bool:
    if figure.unit == "events/s":
        return figure.median < LEAST
    if figure.ratio is None or figure.contender == ALL:
        return False
    return figure.ratio > (MOST_UNRELATED if figure.contender == TWICE else MOST_HEAVY)


if __name__ == "__main__":
    cyclopts.run(main)
