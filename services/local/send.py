"""`rxvigil send`: publish files to the source topic that takes mixed feeds, in order of clinical time and keyed by patient."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from aiokafka.errors import KafkaError
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from schemas import codec, topics
from schemas.events import Event
from services.ingest.formats import Ignored, Refusal
from services.ingest.formats.extract.mapping import Mapping
from services.ingest.handler import letter_send
from services.ingest.pipeline import dead_letter
from services.local.check import feed
from services.local.feed import FeedError, Place, Unit, part_of, place_of
from services.local.report import Tally
from services.runtime.clock import system_clock
from services.runtime.topics import BrokersUnreachableError, ensure_topics
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer

_AT_ONCE = 500
_BEFORE_ALL: Place = (datetime.min.replace(tzinfo=UTC), "", "", 0, datetime.min.replace(tzinfo=UTC), b"", "", 0, 0)


class _Placed(NamedTuple):
    """A record and where it stands in the feed."""

    at: Place
    send: Send


async def send(
    paths: Sequence[Path], mapping: Mapping | None, *, brokers: str, rate: float | None, progress: Console
) -> Tally:
    """Publish every unit; gives what was sent, counted as events, what was refused here, and what was ignored.

    JSON goes out as it stands in the file, whatever it is: ingest judges it. A row of an extract goes out as the event that
    the mapping makes of it, and a FHIR resource, which may need its bundle to be understood, as the event that it says; what is
    refused of them goes to ``ingest.dead-letters``. ``rate`` is in records per
    second. Raises ``FeedError``, ``MappingError``, ``BrokersUnreachableError``; records sent before stay sent, and sending
    them again changes nothing.
    """
    tally = Tally()
    records = sorted(_records(feed(paths, mapping, progress, tally.unjoined), tally), key=lambda placed: placed.at)
    await ensure_topics(brokers)
    producer = BatchProducer(brokers, "rxvigil-send")
    await producer.start()
    try:
        await _publish(producer, [placed.send for placed in records], rate, progress)
    except KafkaError as error:
        raise BrokersUnreachableError(f"the broker at {brokers} stopped answering: {error!r}; send again") from error
    finally:
        await producer.stop()
    return tally


async def _publish(producer: BatchProducer, sends: Sequence[Send], rate: float | None, progress: Console) -> None:
    at_once = _AT_ONCE if rate is None else max(1, min(_AT_ONCE, int(rate / 20)))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task("sending", total=len(sends))
        began = time.monotonic()
        for start in range(0, len(sends), at_once):
            batch = sends[start : start + at_once]
            await producer.send(batch)
            bar.advance(task, len(batch))
            if rate is not None:
                await asyncio.sleep(max(0.0, began + (start + len(batch)) / rate - time.monotonic()))


def _records(found: Iterable[Unit], tally: Tally) -> Iterator[_Placed]:
    """What cannot be read has no clinical time: it keeps its place behind the unit before it in its file."""
    at, file = _BEFORE_ALL, ""
    for unit in found:
        if unit.origin.topic != file:
            at, file = _BEFORE_ALL, unit.origin.topic
        if isinstance(unit.end, Event):
            at = place_of(unit.end, unit.origin)
            tally.events[str(unit.end.__struct_config__.tag)] += 1
        elif isinstance(unit.end, Ignored):
            tally.ignored[unit.end.kind] += 1
        if (made := _send(unit, tally)) is not None:
            _check_size(made, unit)
            yield _Placed(at, made)


def _check_size(made: Send, unit: Unit) -> None:
    if (size := len(made.value or b"")) > topics.MAX_RECORD_BYTES:
        raise FeedError(
            f"{unit.origin.topic}, {part_of(unit.origin.topic)} {unit.origin.offset}: {size:,} bytes in one piece; a record "
            f"may have {topics.MAX_RECORD_BYTES:,}: split it. Nothing was sent"
        )


def _send(unit: Unit, tally: Tally) -> Send | None:
    end = unit.end
    if isinstance(end, Ignored):
        return None
    if isinstance(end, Event):
        value = unit.original if unit.alone else codec.encode(end)
        return Send(topics.MESSAGES, end.patient_id.encode(), value)
    tally.refused[end.reason] += 1
    if not unit.alone:
        tally.refused_here[end.reason] += 1
        return _refused_here(end, unit)
    return Send(topics.MESSAGES, None, unit.original)


def _refused_here(refusal: Refusal, unit: Unit) -> Send:
    letter = dead_letter(refusal, unit.original, unit.origin, system_clock())
    return letter_send(replace(letter, refused_by="send"), None)
