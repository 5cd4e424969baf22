"""Two workers: their throughput against one's, and how long a standby takes to take over from one that was killed."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from bench import cores, job, linear
from bench.broker import Broker, Stamped
from bench.contenders import Entrant
from bench.load import Pace
from bench.process import Contender, running
from bench.restore import fill
from bench.run import Run
from bench.throughput import Load, WrongError, check, new_run

WINDOW = (0.3, 0.95)
"""The part of the alerts, by time, that is counted: both workers are there and neither has run out of events."""


async def _start(stack: AsyncExitStack, entrant: Entrant, run: Run, count: int) -> list[Contender]:
    """``count`` members of one group, each with a folder of its own."""
    started = []
    for number in range(count):
        own = msgspec.structs.replace(run, folder=f"{run.folder}/worker-{number}")
        contender = running(f"{entrant.name} {number + 1}", entrant.command(own.write()), Path(own.folder))
        started.append(await stack.enter_async_context(contender))
    return started


def windowed(records: Sequence[Stamped], count: int) -> float:
    """Events a second between two marks of all the alerts."""
    stamps = sorted(each.appended for each in records)
    low, high = (int(mark * (len(stamps) - 1)) for mark in WINDOW)
    return count * (high - low) / len(stamps) / ((stamps[high] - stamps[low]) / 1000)


async def throughput(
    broker: Broker, entrant: Entrant, load: Load, workers: int, folder: Path, share: float | None = None
) -> float:
    """Events a second of ``workers`` that share the partitions of ``load``, each on a ``share`` of a core or as it comes.

    Raises ``WrongError``, and ``OSError`` where shares cannot be set.
    """
    run = await new_run(broker, load, folder)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(broker.reading(run.output))
        groups = [
            stack.enter_context(cores.limited(f"{broker.name('rxvigil')}-{number}", share))
            for number in range(workers)
            if share is not None
        ]
        members = await _start(stack, entrant, run, workers)
        for member, put in zip(members, groups, strict=bool(groups)):
            put(member.child.pid)
        records = await members[0].during(reader.until(lambda found: len(found) >= load.expected.total()))
    # who joins while another works makes it repeat its last batch: the same alerts once more, which is what is promised
    check(list({each.value: each for each in records}.values()), load)
    return windowed(records, load.count)


async def take_over(broker: Broker, entrant: Entrant, patients: int, standbys: int, folder: Path) -> float:
    """Seconds from the kill of one of two workers until alerts come again from the last of its partitions.

    Both hold ``patients`` before. Raises ``WrongError`` when an alert is missing or wrong afterwards.
    """
    topic = broker.name("events")
    await broker.make({topic: {}})
    run = await new_run(broker, Load(topic, 0, Counter(), linear.identify), folder, standbys)
    await fill(broker, run, patients)
    pace = Pace(1000, 60, str(folder / "sent"), job="job", patients=patients)
    events = list(job.events(pace.count, patients))
    drugs = {name: state.drugs for name, state in job.states(patients)}
    known = run.knowledge
    expected = linear.recompute((value for _, value in events), known.partners, known.limits, drugs)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(broker.reading(run.output))
        members = await _start(stack, entrant, run, 2)
        for member in members:
            await member.ready()
        await asyncio.sleep(10)  # until the standbys have followed
        command = [sys.executable, "-m", "bench.load", str(run.write()), msgspec.json.encode(pace).decode()]
        await stack.enter_async_context(running("load", command, folder / "load"))
        reading = asyncio.create_task(reader.until(lambda found: len({e.value for e in found}) >= expected.total()))
        await asyncio.sleep(15)
        killed_at = asyncio.get_running_loop().time()
        await members[0].child.kill()
        records = await members[1].during(_result(reading))
    found = {each.value: each for each in records}
    check(list(found.values()), Load(topic, pace.count, expected, linear.identify))
    return silence_after(records, killed_at)


async def _result(task: asyncio.Task[list[Stamped]]) -> list[Stamped]:
    return await task


IN_FLIGHT_SECONDS = 2.0
"""How long after a kill alerts that the broker already had may still be read."""


def silence_after(records: Sequence[Stamped], since: float) -> float:
    """Seconds after ``since`` until the last partition speaks again: of each the longest silence that begins with the kill.

    Later gaps are chance: alerts are rare. A survivor's own partitions pause for the rebalance, which comes later.
    """
    ends = []
    for partition in {each.partition for each in records}:
        times = sorted(each.read for each in records if each.partition == partition)
        gaps = [(after - before, after) for before, after in itertools.pairwise(times)]
        if of_the_kill := [gap for gap in gaps if since < gap[1] < since + IN_FLIGHT_SECONDS + gap[0]]:
            ends.append(max(of_the_kill)[1] - since)
    if not ends:
        raise WrongError("no alert came after the kill")
    return max(ends)
