"""`rxvigil demo`: a day on a ward through the whole of rxvigil on this machine, with its alerts as they come."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from schemas.alerts import Alert
from services.local.errors import ChildDiedError
from services.local.feed import FeedError, load_mapping
from services.local.follow import Follower, settled
from services.local.receiver import WebhookReceiver
from services.local.report import STYLES, Tally, alert_row, counts
from services.local.send import send
from services.local.stack import Stack
from services.runtime import service
from services.runtime.settings import Settings

DAY = Path(__file__).resolve().parents[2] / "examples" / "ward-day"
RECORDS_PER_SECOND = 100.0
SETTLE_SECONDS = 120.0

T = TypeVar("T")


class Expected(Struct, frozen=True):
    """An alert that the day must end with, and why."""

    patient_id: str
    rule: str
    subject: str
    severity: str
    status: str
    why: str

    @property
    def identity(self) -> tuple[str, ...]:
        return (self.patient_id, self.rule, self.subject, self.severity, self.status)


class Day(Struct, frozen=True):
    """``expected.json`` of the day."""

    alerts: tuple[Expected, ...]


async def run(*, once: bool, data_dir: Path | None, settings: Settings, console: Console) -> int:
    """Run until Ctrl-C, which ends it with 0; or with ``once`` until the day is over: 0 if exactly the expected alerts were
    raised, else 1, also when it is stopped before. 1 when a part of the stack dies meanwhile.

    Raises ``FeedError`` outside a checkout and ``StackError`` when the stack cannot start or a part of it dies.
    """
    if not DAY.is_dir():
        raise FeedError(f"{DAY} is not there: the ward day comes with a checkout of the project; run it from one")
    outcome = service.FAILED

    async def work(stop: asyncio.Event) -> None:
        nonlocal outcome
        day = asyncio.create_task(_day(once, data_dir, settings, console))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([day, stopped], return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            # everything that the day started is ended on its way out
            day.cancel()
            [ended] = await asyncio.gather(day, return_exceptions=True)
            if not once and isinstance(ended, asyncio.CancelledError):
                outcome = service.OK
        else:
            stopped.cancel()
            outcome = day.result()

    await service.until_stopped(work)
    return outcome


async def _day(once: bool, data_dir: Path | None, settings: Settings, console: Console) -> int:
    async with AsyncExitStack() as parts:
        folder = data_dir or Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="rxvigil-demo-")))
        receiver = await parts.enter_async_context(WebhookReceiver.started())
        settings = settings.model_copy(update=receiver.settings())
        stack = await parts.enter_async_context(Stack(folder, settings=settings, console=console))
        try:
            return await _unless_a_part_dies(stack, _send_and_follow(once, stack, receiver, console))
        except ChildDiedError as error:
            console.print(
                f"a part of rxvigil died: {error}", style="red", markup=False, highlight=False, soft_wrap=True
            )
            return service.FAILED


async def _send_and_follow(once: bool, stack: Stack, receiver: WebhookReceiver, console: Console) -> int:
    async with Follower.started(stack.brokers, _printed(console)) as follower:
        console.print(f"\nThe pharmacist's page: [bold]{stack.urls['notify']}/[/]\n")
        tally = await _sent(stack.brokers, console)
        if not once:
            console.print("\nThe day has been sent. Everything keeps running until Ctrl-C.")
            await asyncio.Event().wait()
        await asyncio.wait_for(settled(stack, follower), SETTLE_SECONDS)
        return await _verdict(tally, follower, receiver, stack, console)


async def _sent(brokers: str, console: Console) -> Tally:
    mapping = load_mapping(DAY / "lab.toml")
    return await send([DAY / "events"], mapping, brokers=brokers, rate=RECORDS_PER_SECOND, progress=console)


async def _unless_a_part_dies(stack: Stack, work: Awaitable[T]) -> T:
    """The result of ``work``. Raises ``ChildDiedError`` when a part of the stack dies first."""
    working, watching = asyncio.ensure_future(work), asyncio.create_task(stack.wait())
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        return await working
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


def _printed(console: Console) -> Callable[[Alert], None]:
    def told(alert: Alert) -> None:
        severity, _, patient, since, what = alert_row(alert)
        change = alert.history[-1].change
        line = f"{severity:<9}{change:<14}{patient:<10}{since:<22}{what}"
        style = STYLES[alert.severity] if alert.status == "open" else "dim"
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)

    return told


def expected_alerts() -> tuple[Expected, ...]:
    """What the day must end with, by its ``expected.json``."""
    return msgspec.json.decode((DAY / "expected.json").read_bytes(), type=Day).alerts


async def _verdict(tally: Tally, follower: Follower, receiver: WebhookReceiver, stack: Stack, console: Console) -> int:
    alerts = follower.alerts()
    console.print()
    console.print(await _summary(tally, follower, receiver, stack))
    found: Counter[tuple[str, ...]] = Counter((a.patient_id, a.rule, a.subject, a.severity, a.status) for a in alerts)
    expected = Counter(each.identity for each in expected_alerts())
    for identity in sorted((expected - found).elements()):
        console.print(f"missing:    {' '.join(identity)}", style="bold red")
    for identity in sorted((found - expected).elements()):
        console.print(f"unexpected: {' '.join(identity)}", style="bold red")
    if found != expected:
        return service.FAILED
    console.print(f"\nExactly the {expected.total()} expected alerts.", style="bold green")
    return service.OK


async def _summary(tally: Tally, follower: Follower, receiver: WebhookReceiver, stack: Stack) -> Table:
    async with httpx.AsyncClient(trust_env=False) as client:
        exposed = (await client.get(f"{stack.urls['ingest']}/metrics")).text
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_row("events in", counts(_by_label(exposed, "rxvigil_ingest_events", "type")))
    # rows of the extract are judged by `send`; everything else by ingest
    table.add_row("refused", counts(_by_label(exposed, "rxvigil_ingest_refused", "reason") + tally.refused_here))
    table.add_row("ignored", counts(_by_label(exposed, "rxvigil_ingest_ignored", "kind") + tally.ignored))
    table.add_row("unusable", counts(_by_label(exposed, "rxvigil_ingest_unusable_results", "reason")))
    table.add_row("alerts", counts(Counter(f"{a.severity} {a.status}" for a in follower.alerts())))
    repeated = receiver.deliveries.total() - len(receiver.deliveries)
    table.add_row("deliveries", f"{len(receiver.deliveries)} to the webhook, {repeated} repeated")
    delays = sorted(follower.delays)
    if len(delays) > 1:
        cuts = statistics.quantiles(delays, n=100, method="inclusive")
        table.add_row("event to alert", f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms")
    return table


def _by_label(exposed: str, family: str, label: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in text_string_to_metric_families(exposed):
        if each.name == family:
            for sample in each.samples:
                if sample.name.endswith("_total"):
                    found[sample.labels[label]] += int(sample.value)
    return +found
