"""Events a second over events that wait in a topic, contender by contender, in rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench import job, linear, worker
from bench.broker import COMPACTED, PARTITIONS, STAMPED, Broker, SilentError, Stamped
from bench.contenders import ENGINE, LOOP, Entrant
from bench.events import events as monitor_events
from bench.figures import Figure, say
from bench.process import running
from bench.run import Run
from schemas import cloudevents, codec, topics
from schemas.events import AnyEvent
from services.local.errors import ChildDiedError
from services.streaming.handler import Record, Send
from services.streaming.memory import MemoryEngine


class WrongError(RuntimeError):
    """A contender's alerts are not those of the recomputation, so its figure does not count."""


@dataclass(frozen=True)
class Load:
    """``count`` events in a topic and the alerts that they must lead to in ``output`` (a new topic when empty)."""

    topic: str
    count: int
    expected: linear.Alerts
    identify: Callable[[bytes], Hashable]
    output: str = ""


async def job_load(broker: Broker, count: int, patients: int, *, topic: str = "") -> Load:
    """The events of the common job, in a topic of their own."""
    name = topic or broker.name("events")
    records = list(job.events(count, patients))
    await broker.make({name: {}})
    await broker.fill(Send(name, key, value) for key, value in records)
    known = job.knowledge()
    expected = linear.recompute((value for _, value in records), known.partners, known.limits)
    return Load(name, count, expected, linear.identify)


async def make_monitor_topics(broker: Broker) -> None:
    """The monitor's own topics; alerts get the broker's time stamp."""
    made = (topics.EVENTS, topics.FEEDBACK, topics.CANARY_EVENTS, topics.PICTURES, topics.DEAD_LETTERS)
    await broker.make({name: {} for name in made} | {topics.ALERTS: STAMPED})


def monitor_record(event: AnyEvent) -> Send:
    return Send(topics.EVENTS, event.patient_id.encode(), codec.encode(event), cloudevents.event_headers(event))


async def monitor_load(broker: Broker, count: int) -> Load:
    """The events of a made-up hospital in ``medication.events``; needs its topics."""
    records = [monitor_record(event) for event in monitor_events(count)]
    await broker.fill(records)
    return Load(topics.EVENTS, count, monitor_alerts(records), monitor_identity, topics.ALERTS)


def monitor_alerts(records: Iterable[Send]) -> linear.Alerts:
    """What the real handler gives without broker, engine and batches."""
    engine = MemoryEngine(worker.monitor())
    alerts: linear.Alerts = Counter()
    for offset, record in enumerate(records):
        sends = engine.feed([Record(record.topic, 0, offset, 0, record.key, record.value, record.headers)])
        alerts.update(monitor_identity(send.value or b"") for send in sends if send.topic == topics.ALERTS)
    return alerts


def monitor_identity(alert: bytes) -> Hashable:
    decoded = codec.decode_alert(alert)
    return decoded.alert_id, decoded.revision, decoded.severity, decoded.history[-1].change


LEAST_SECONDS = 1.0
"""Shorter than this, behind the warm-up, no run gives a figure: alerts come a batch at a time."""
WARM_UP = 0.25
"""The part of the alerts, by time, that is not counted: the compiler of a JVM is at work, caches fill."""


def events_per_second(records: Sequence[Stamped], count: int) -> float | None:
    """From the broker's time stamps of the alerts, behind the warm-up; None when the run was too short.

    The share of the alerts stands for the share of the events, which are alike from first to last.
    """
    stamps = sorted(each.appended for each in records)
    start = stamps[int(len(stamps) * WARM_UP)]
    if stamps[-1] - start < LEAST_SECONDS * 1000:
        return None
    later = sum(each > start for each in stamps)
    return count * later / len(stamps) / ((stamps[-1] - start) / 1000)


def check(records: Sequence[Stamped], load: Load) -> None:
    """Raises ``WrongError``."""
    found: linear.Alerts = Counter(load.identify(each.value) for each in records)
    if wrong := linear.difference(load.expected, found):
        raise WrongError(wrong)


async def once(broker: Broker, entrant: Entrant, load: Load, folder: Path, standbys: int = 0) -> float | None:
    """Events a second of one contender, None when it was done too soon to tell.

    Raises ``WrongError``, ``SilentError`` or ``ChildDiedError``.
    """
    run = await new_run(broker, load, folder, standbys)
    async with broker.reading(run.output) as reader, running(entrant.name, entrant.command(run.write()), folder) as it:
        records = await it.during(reader.until(lambda records: len(records) >= load.expected.total()))
    check(records, load)
    return events_per_second(records, load.count)


async def new_run(broker: Broker, load: Load, folder: Path, standbys: int = 0) -> Run:
    """A run with topics of its own."""
    group = broker.name("bench")
    output = load.output or f"{group}-alerts"
    run = Run(
        brokers=broker.address,
        input=load.topic,
        output=output,
        group=group,
        folder=str(folder),
        partitions=PARTITIONS,
        standbys=standbys,
    )
    await broker.make({run.changelog: COMPACTED} | ({} if load.output else {output: STAMPED}))
    return run


async def rounds(
    about: str,
    broker: Broker,
    entrants: Sequence[Entrant],
    loads: dict[float, Load],
    count: int,
    folder: Path,
    console: Console,
) -> list[Figure]:
    """``count`` rounds of all contenders in turn; each round begins with another one. ``loads`` by share of the events.

    The engine is compared with the loop, and its peers with the engine, in the same round.
    """
    figures = {each.name: Figure(about=about, contender=each.name, unit="events/s") for each in entrants}
    for number in range(count):
        rates: dict[str, float] = {}
        for entrant in (*entrants[number % len(entrants) :], *entrants[: number % len(entrants)]):
            figure = figures[entrant.name]
            if figure.wrong:
                continue
            place = folder / broker.name("round")
            try:
                rate = await once(broker, entrant, loads[entrant.share], place)
            except (WrongError, SilentError, ChildDiedError) as error:
                figure.wrong = f"does not count: {error}"
                say(console, "\n".join((f"{about}  {entrant.name}: {figure.wrong}", *getattr(error, "__notes__", ()))))
            else:
                told = "done too soon for a figure; its alerts are right"
                if rate is None:
                    figure.note = told
                else:
                    rates[entrant.name], told = rate, f"{rate:>9,.0f} events/s"
                say(console, f"round {number + 1}  {about}  {entrant.name:<27} {told}")
        for name, rate in rates.items():
            figures[name].values.append(rate)
            beside = LOOP if name == ENGINE else ENGINE
            if beside in rates and name != LOOP:
                figures[name].against = beside
                figures[name].ratios.append(rate / rates[beside])
    return list(figures.values())
