"""Restore from the changelog, and the cost of an event with many patients in the store."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import job, linear
from bench.broker import AT_ONCE, PARTITIONS, Broker
from bench.contenders import STOCK, Entrant
from bench.load import partition_of
from bench.process import running
from bench.run import Run
from bench.throughput import Load, check, new_run
from services.streaming.handler import Send
from services.streaming.producer import Packed

_encode = msgspec.json.Encoder().encode


class Restored(NamedTuple):
    """``seconds`` from the start of the process until it was ready, ``peak_mib`` its memory then; ``cpu`` the
    microseconds of processor time of an event handled afterwards (0 without events)."""

    seconds: float
    peak_mib: float
    cpu: float


async def measure(
    broker: Broker, entrant: Entrant, patients: int, events: int, folder: Path, active: int | None = None
) -> Restored:
    """Start with an empty store behind a changelog of ``patients`` records, then handle ``events`` that wait, of the first
    ``active`` patients or of all.

    What was restored is proven by the alerts of these events. Raises ``WrongError`` when it was not.
    """
    topic = broker.name("events")
    records = list(job.events(events, active or patients, seed=5)) if patients else []
    await broker.make({topic: {}})
    await broker.fill(Send(topic, key, value) for key, value in records)
    load = Load(topic, events, _expected(records, patients), linear.identify)
    run = await new_run(broker, load, folder)
    await fill(broker, run, patients, stock=entrant.name == STOCK)
    async with broker.reading(run.output) as reader:
        began = time.monotonic()
        async with running(entrant.name, entrant.command(run.write()), folder) as it:
            seconds = await it.ready() - began
            peak, used = it.peak_mib(), it.cpu_seconds()
            if not records:
                return Restored(seconds, peak, 0.0)
            found = await it.during(reader.until(lambda found: len(found) >= load.expected.total()))
            used = it.cpu_seconds() - used
    check(found, load)
    return Restored(seconds, peak, used / events * 1e6)


def _expected(records: list[tuple[bytes, bytes]], patients: int) -> linear.Alerts:
    known = job.knowledge()
    touched = {key.decode() for key, _ in records}
    drugs = {name: state.drugs for name, state in job.states(patients) if name in touched}
    return linear.recompute((value for _, value in records), known.partners, known.limits, drugs)


async def fill(broker: Broker, run: Run, patients: int, *, stock: bool = False) -> None:
    """Write the changelog as its owner would have: beside the patient's events, whatever its own key looks like."""
    remaining = _records(run, patients, stock)
    async with broker.producing() as producer:
        while some := list(itertools.islice(remaining, AT_ONCE)):
            by_partition: dict[int, list[Packed]] = {}
            for name, record in some:
                by_partition.setdefault(partition_of(name.encode(), PARTITIONS), []).append(record)
            await asyncio.gather(*(producer.append(run.changelog, *each) for each in by_partition.items()))


def _records(run: Run, patients: int, stock: bool) -> Iterator[tuple[str, Packed]]:
    """By patient. Stock Faust keeps keys and values as JSON, the engine as the handler has them."""
    handler = job.JobHandler(run.knowledge, run.output)
    for name, state in job.states(patients):
        if stock:
            value = _encode({"drugs": state.drugs, "labs": state.labs, "n": state.n})
            yield name, (_encode(name), value, [])
        else:
            yield name, (name.encode(), handler.encode_state(state), [])
