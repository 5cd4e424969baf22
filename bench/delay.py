"""Event to alert: from the hand-over of an event to its producer until a reader has the alert."""

from __future__ import annotations

import asyncio
import re
import statistics
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.broker import Broker, Stamped
from bench.contenders import Entrant
from bench.events import events
from bench.figures import Figure
from bench.load import Pace
from bench.process import running
from bench.throughput import Load, check, monitor_alerts, monitor_identity, monitor_record, new_run
from schemas import codec, topics

WARM_UP = 3.0
"""Seconds of load before anything is counted."""
_NUMBER = re.compile(r"\d+")


class Delay(NamedTuple):
    """An event's number in the load and the seconds from it to its alert."""

    number: int
    seconds: float


async def measure(
    broker: Broker, entrant: Entrant, rate: int, seconds: float, folder: Path, *, each: bool = False
) -> list[Figure]:
    """p50 and p99 through the monitor at ``rate`` events a second, and how they grew where the run lasts minutes.

    Every alert is waited for, however late. Raises ``WrongError``, or ``SilentError`` when some do not come.
    """
    pace = Pace(rate, WARM_UP + seconds, str(folder / "sent"), each)
    expected = monitor_alerts(map(monitor_record, events(pace.count)))
    load = Load(topics.EVENTS, pace.count, expected, monitor_identity, topics.ALERTS)
    run = await new_run(broker, load, folder)
    await broker.skip(run.group, topics.EVENTS)
    command = [sys.executable, "-m", "bench.load", str(run.write()), msgspec.json.encode(pace).decode()]
    async with running(entrant.name, entrant.command(run.write()), folder) as it:
        await it.ready()
        async with broker.reading(topics.ALERTS) as reader, running("load", command, folder / "load") as generator:
            reading = asyncio.create_task(reader.forever())
            await it.during(generator.during(_written(Path(pace.sent), pace.seconds + 120)))
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await it.during(reader.until(lambda records: len(records) >= expected.total(), silence=20))
    check(reader.records, load)
    sent = array("d")
    sent.frombytes(Path(pace.sent).read_bytes())
    delays = [each for each in _delays(reader.records, sent) if each.number >= rate * WARM_UP]
    return _figures(entrant.name, rate, pace, delays, sent)


async def _written(path: Path, within: float) -> None:
    """Wait for the end of the load generator, which writes its times last."""
    async with asyncio.timeout(within):
        while not path.exists():
            await asyncio.sleep(0.1)


def _delays(records: Sequence[Stamped], sent: Sequence[float]) -> list[Delay]:
    """An alert is counted from the last of the events that its newest change rests on."""
    found = []
    for record in records:
        facts = codec.decode_alert(record.value).history[-1].facts
        if numbers := [int(match[0]) for fact in facts if (match := _NUMBER.search(fact.record_id))]:
            found.append(Delay(max(numbers), record.read - sent[max(numbers)]))
    return found


def percentile(delays: Sequence[Delay], which: int) -> float:
    """In milliseconds."""
    return statistics.quantiles((each.seconds for each in delays), n=100)[which - 1] * 1000


def growth(delays: Sequence[Delay], rate: int, which: int = 99) -> tuple[float, float] | None:
    """The percentile over the first and the last whole minute, None for a run of less than two."""
    first = min(each.number for each in delays)  # alerts of several partitions come in any order
    minutes: dict[int, list[Delay]] = {}
    for each in delays:
        minutes.setdefault((each.number - first) // (rate * 60), []).append(each)
    ends = {number: max(each.number for each in some) - first for number, some in minutes.items()}
    whole = [number for number in sorted(minutes) if ends[number] >= rate * 60 * (number + 0.98)]
    if len(whole) < 2:
        return None
    return percentile(minutes[whole[0]], which), percentile(minutes[whole[-1]], which)


def _figures(name: str, rate: int, pace: Pace, delays: list[Delay], sent: Sequence[float]) -> list[Figure]:
    how = "each record alone" if pace.each else "5 ms batches"
    about = f"event to alert, {rate:,}/s, {how}"
    if len(delays) < 100:
        return [Figure(about=about, contender=name, unit="ms", wrong=f"only {len(delays)} alerts came")]
    real = (len(sent) - 1) / (sent[-1] - sent[0])
    note = f"{len(delays):,} alerts" + ("" if real > rate * 0.98 else f"; the generator reached {real:,.0f}/s only")
    figures = [
        Figure(about=f"{about}, p{which}", contender=name, unit="ms", values=[percentile(delays, which)], note=note)
        for which in (50, 99)
    ]
    if change := growth(delays, rate):
        first, last = change
        growing = Figure(about=f"{about}, p99 of last minute", contender=name, unit="ms", values=[last])
        growing.ratios, growing.against = [last / first], f"first minute ({first:.1f} ms)"
        figures.append(growing)
    return figures
