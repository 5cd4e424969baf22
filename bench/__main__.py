"""`make bench` and `make bench-peers`: what the engine does, beside others on the same broker in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import cyclopts
import uvloop
from rich.console import Console

from bench import contenders, delay, ingest, restore, rules, throughput, workers
from bench.broker import Broker
from bench.contenders import ENGINE, LOOP, STOCK, Entrant
from bench.figures import Figure, Report, say
from bench.restore import Restored
from bench.throughput import Load, WrongError
from services.local.errors import ChildDiedError
from services.local.stack import Stack
from services.runtime.settings import Settings

Part = Literal["ingest", "rules", "job", "monitor", "delay", "restore", "patients", "workers", "takeover"]
PARTS: tuple[Part, ...] = ("ingest", "rules", "job", "monitor", "delay", "restore", "patients", "workers", "takeover")
SHORT_PARTS: tuple[Part, ...] = ("ingest", "rules", "job", "monitor", "delay", "restore")
PATIENTS_OF_JOB = 20_000
FEW_PATIENTS = 10_000
SHARE = 0.3
"""Of a core, for each of two workers: the rest of two cores is enough for the broker and whoever reads."""
EVENTS_A_BED, FEWEST_BEDS, MOST_BEDS = 5_000, 12, 200
"""Beds of the hospital for the rules, from the events of a round: 200 have 39,000 in three days."""
STOCK_PATIENTS = 100_000
"""Stock Faust restores as many a second, whatever their number; more would take minutes."""


class Sizes(NamedTuple):
    rounds: int
    events: int
    patients: int
    minutes: float
    rates: tuple[int, ...]
    peers: bool
    each: bool = True


SHORT = Sizes(rounds=1, events=60_000, patients=50_000, minutes=0.1, rates=(1000,), peers=False, each=False)


class Bench:
    """The parts, each of which adds its figures to the report."""

    def __init__(self, broker: Broker, sizes: Sizes, folder: Path, console: Console) -> None:
        self._broker, self._sizes, self._folder, self._console = broker, sizes, folder, console
        self._engine, self._loop = contenders.python(ENGINE, "job"), contenders.python(LOOP, "job")

    async def ingest(self) -> list[Figure]:
        """In this process, which has nothing else to do meanwhile."""
        found = ingest.measure(min(self._sizes.events // 20, 20_000), self._sizes.rounds, self._console)
        self._tell(found)
        return found

    async def rules(self) -> list[Figure]:
        """In this process as well."""
        beds = min(max(self._sizes.events // EVENTS_A_BED, FEWEST_BEDS), MOST_BEDS)
        found = rules.measure(beds, self._sizes.rounds, self._console)
        self._tell(found)
        return found

    async def job(self) -> list[Figure]:
        entrants = [self._engine, self._loop]
        if self._sizes.peers:
            entrants += contenders.peers(self._console)
        loads = {}
        for share in {each.share for each in entrants}:
            loads[share] = await throughput.job_load(self._broker, int(self._sizes.events * share), PATIENTS_OF_JOB)
        return await self._rounds("throughput of the job", entrants, loads)

    async def monitor(self) -> list[Figure]:
        load = await throughput.monitor_load(self._broker, max(self._sizes.events // 5, 30_000))
        entrants = [contenders.python(ENGINE, "monitor"), contenders.python(LOOP, "monitor")]
        return await self._rounds("throughput of the monitor", entrants, {1.0: load})

    async def _rounds(self, about: str, entrants: list[Entrant], loads: dict[float, Load]) -> list[Figure]:
        return await throughput.rounds(
            about, self._broker, entrants, loads, self._sizes.rounds, self._folder, self._console
        )

    async def delay(self) -> list[Figure]:
        found = []
        seconds = self._sizes.minutes * 60
        ways = [(rate, False) for rate in self._sizes.rates]
        if self._sizes.each:
            ways.append((self._sizes.rates[0], True))
        for rate, each in ways:
            for name in (ENGINE, LOOP):
                entrant = contenders.python(name, "monitor")
                # growth is asked of the engine, and of its batches
                length = seconds if name == ENGINE and not each else min(seconds, 15)
                try:
                    some = await delay.measure(self._broker, entrant, rate, length, self._place(), each=each)
                except RuntimeError as error:
                    wrong = f"does not count: {error}"
                    some = [Figure(about=f"event to alert, {rate:,}/s", contender=name, unit="ms", wrong=wrong)]
                self._tell(some)
                found += some
        return found

    async def restore(self) -> list[Figure]:
        """Records a second are those of the restore alone: the start of a worker with nothing to restore is taken off."""
        sizes = self._sizes
        entrants = [(self._engine, sizes.patients)]
        if sizes.peers:
            entrants.append((contenders.stock_faust(), min(sizes.patients, STOCK_PATIENTS)))
        found: list[Figure] = []
        rates: dict[str, float] = {}
        for entrant, patients in entrants:
            about = f"restore of {patients:,} patients"
            try:
                empty = await restore.measure(self._broker, entrant, 0, 0, self._place())
                full = await restore.measure(self._broker, entrant, patients, 5_000, self._place())
            except RuntimeError as error:
                some = [Figure(about=about, contender=entrant.name, unit="s", wrong=f"does not count: {error}")]
            else:
                rates[entrant.name] = patients / max(full.seconds - empty.seconds, 0.001)
                some = _restored(about, entrant.name, empty, full, rates[entrant.name])
            self._tell(some)
            found += some
        if {STOCK, ENGINE} <= rates.keys():
            fast = next(each for each in found if each.about == "restore" and each.contender == ENGINE)
            fast.against, fast.ratios = STOCK, [rates[ENGINE] / rates[STOCK]]
        return found

    async def patients(self) -> list[Figure]:
        """With as many patients in the store, events of a ward's worth of them, and events of all of them alike: then no
        batch meets a patient twice and no state is found decoded.

        Interleaved, because the machine may be busier in one half of a run than in the other.
        """
        all_of_them = self._sizes.patients
        costs: dict[tuple[int, int], list[float]] = {
            (FEW_PATIENTS, FEW_PATIENTS): [],
            (all_of_them, FEW_PATIENTS): [],
            (all_of_them, all_of_them): [],
        }
        for _ in range(min(self._sizes.rounds, 3)):
            for (patients, active), values in costs.items():
                done = await restore.measure(
                    self._broker, self._engine, patients, self._sizes.events // 2, self._place(), active
                )
                values.append(done.cpu)
        few, *others = (
            Figure(
                about=f"processor time of an event, {patients:,} patients, events of {active:,}",
                contender=ENGINE,
                unit="µs",
                values=values,
            )
            for (patients, active), values in costs.items()
        )
        for each in others:
            each.against = f"{FEW_PATIENTS:,} patients"
            each.ratios = [large / small for small, large in zip(few.values, each.values, strict=True)]
        self._tell([few, *others])
        return [few, *others]

    async def workers(self) -> list[Figure]:
        load = await throughput.job_load(self._broker, self._sizes.events * 2, PATIENTS_OF_JOB)
        found = await self._workers(load, None, "broker and workers share the cores")
        try:
            found += await self._workers(load, SHARE, "what the broker needs is free")
        except OSError as error:
            found.append(
                Figure(about=f"workers on {SHARE} of a core each", contender=ENGINE, unit="", note=f"not run: {error}")
            )
        return found

    async def _workers(self, load: Load, share: float | None, note: str) -> list[Figure]:
        on = "" if share is None else f", {share} of a core each"
        one, two = (
            Figure(about=f"{count} of the workers{on}", contender=ENGINE, unit="events/s", note=note)
            for count in (1, 2)
        )
        for _ in range(min(self._sizes.rounds, 3)):
            for count, figure in ((1, one), (2, two)):
                rate = await workers.throughput(self._broker, self._engine, load, count, self._place(), share)
                figure.values.append(rate)
        two.against, two.ratios = "one", [both / alone for alone, both in zip(one.values, two.values, strict=True)]
        self._tell([one, two])
        return [one, two]

    async def takeover(self) -> list[Figure]:
        figure = Figure(about="take-over by a standby after a kill", contender=ENGINE, unit="s")
        patients = min(self._sizes.patients, 200_000)
        figure.note = f"{patients:,} patients; the session time-out of 10 s is in it"
        figure.values = [await workers.take_over(self._broker, self._engine, patients, 1, self._place())]
        self._tell([figure])
        return [figure]

    def _place(self) -> Path:
        return self._folder / self._broker.name("place")

    def _tell(self, figures: list[Figure]) -> None:
        for each in figures:
            value = f"{each.median:,.1f} {each.unit}" if each.values else each.wrong or each.note
            ratio = f"  {each.ratio:.2f} x {each.against}" if each.ratio is not None else ""
            say(self._console, f"{each.about}  {each.contender}  {value}{ratio}")


def _restored(about: str, name: str, empty: Restored, full: Restored, rate: float) -> list[Figure]:
    note = f"a start without any takes {empty.seconds:.1f} s"
    return [
        Figure(about=f"{about}, start to ready", contender=name, unit="s", values=[full.seconds], note=note),
        Figure(about="restore", contender=name, unit="records/s", values=[rate], note=about),
        Figure(about=f"{about}, peak memory", contender=name, unit="MiB", values=[full.peak_mib]),
    ]


@contextlib.asynccontextmanager
async def _broker(console: Console) -> AsyncIterator[tuple[Broker, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="rxvigil-bench-"))
    try:
        async with Stack(folder / "stack", services=(), settings=Settings(), console=console) as stack:
            yield Broker(stack.brokers), folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(parts: tuple[Part, ...], sizes: Sizes, console: Console) -> Report:
    """All ``parts``. What fails is a line of the report and ends no other part."""
    task = asyncio.current_task()
    assert task is not None
    # the folder goes and the broker ends in order, whoever ends the run
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    report = Report(command=" ".join(["python -m bench", *sys.argv[1:]]))
    async with _broker(console) as (broker, folder):
        await throughput.make_monitor_topics(broker)
        bench = Bench(broker, sizes, folder, console)
        for part in parts:
            try:
                report.figures += await getattr(bench, part)()
            except (WrongError, ChildDiedError, TimeoutError, RuntimeError) as error:
                say(console, "\n".join((f"{part}: {error}", *getattr(error, "__notes__", ()))))
                report.figures.append(Figure(about=part, contender="", unit="", wrong=str(error)))
    return report


def main(
    *,
    rounds: int = 5,
    events: int = 1_000_000,
    patients: int = 1_000_000,
    minutes: float = 0.5,
    rate: tuple[int, ...] = (1000, 5000),
    only: tuple[Part, ...] = PARTS,
    peers: bool = False,
    short: bool = False,
    json: Annotated[Path | None, cyclopts.Parameter(name="--json")] = None,
) -> None:
    """Measure, print a table, exit with 1 when a contender's alerts were wrong.

    Parameters
    ----------
    rounds:
        Rounds of the throughput; each has every contender once and the median counts.
    events:
        Events of a throughput round. The monitor gets a fifth, stock Faust a tenth.
    patients:
        Patients of the restore and of the cost per event.
    minutes:
        Length of an event-to-alert run; from two minutes on the last is compared with the first.
    rate:
        Events a second of the event-to-alert runs.
    only:
        The parts to run.
    peers:
        Kafka Streams, Quix Streams and stock Faust too; they are installed at the first time.
    short:
        A small form of the quickest parts for a CI run, about a minute.
    json:
        Write the figures to this file as well.
    """
    # a topic that was made a moment ago is asked for twice: nothing to tell
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 160)
    sizes = Sizes(rounds, events, patients, minutes, rate, peers)
    if short:
        sizes, only = SHORT._replace(peers=peers), tuple(part for part in SHORT_PARTS if part in only)
    report = uvloop.run(measure(only, sizes, console))
    console.print(report.table())
    if json is not None:
        report.write(json)
    sys.exit(any(figure.wrong for figure in report.figures))


if __name__ == "__main__":
    app = cyclopts.App(name="python -m bench", help="What the engine does, beside others.")
    app.default(main)
    app()
