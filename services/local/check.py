"""`rxvigil check`: files through the same ingest and monitor code in one process, without a broker and a database.

Events are applied in order of clinical time, patient by patient, and the monitor's time is the event's own, so the same
input gives the same alerts to the byte.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.progress import track

from knowledge.loader import Knowledge, load
from schemas import codec, topics
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from services.ingest.formats.extract.mapping import Mapping
from services.ingest.pipeline import Pipeline
from services.local.feed import FeedError, Unit, files, part_of, units
from services.local.play import Refuse, alerts_of, by_patient, engine, fixed, last_states, play
from services.local.report import Tally, alert_table, summary
from services.runtime.clock import system_clock
from services.streaming.handler import Send


def check(
    paths: Sequence[Path],
    mapping: Mapping | None,
    *,
    dead_letters: Path | None,
    as_table: bool,
    progress: Console,
    site: str = "",
    site_rules: str = "",
) -> bool:
    """Alerts to standard output, refusals to ``dead_letters`` or standard error, a summary to ``progress``; whether every rule
    could be asked. ``site`` is the folder of a site's own knowledge, ``site_rules`` its own rules.

    Raises ``FeedError`` and ``MappingError`` when the input cannot be used at all.
    """
    tally = Tally()
    with _refusals(dead_letters) as refuse:
        alerts = list(_alerts(paths, mapping, tally, refuse, progress, load(site, site_rules)))
    if as_table:
        Console().print(alert_table(alerts))
    else:
        _print(alerts)
    progress.print(summary(tally, Counter(f"{alert.severity} {alert.status}" for alert in alerts)))
    return not tally.rule_errors


def _print(alerts: Iterable[Alert]) -> None:
    try:
        for alert in alerts:
            sys.stdout.buffer.write(codec.encode(alert) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # the reader has seen enough, as `head` does; what is still buffered goes nowhere, or the interpreter complains at its end
        _nowhere()
    except OSError as error:
        _nowhere()
        raise FeedError(f"the alerts cannot be written to standard output: {error.strerror}") from error


def _nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _alerts(
    paths: Sequence[Path],
    mapping: Mapping | None,
    tally: Tally,
    refuse: Refuse,
    progress: Console,
    knowledge: Knowledge,
) -> Iterator[Alert]:
    pipeline = Pipeline(knowledge, fixed(system_clock()))
    events = by_patient(feed(paths, mapping, progress, tally.unjoined), pipeline, tally, refuse)
    monitor = engine(knowledge, tell_failed=tally.add_rule_error)
    for patient in track(list(events), "checking", console=progress, transient=True, disable=not progress.is_terminal):
        sends = play(events.pop(patient), monitor)
        for letter in _letters(sends):
            tally.failed[letter.reason] += 1
            refuse(letter)
        yield from last_states(alerts_of(sends))


@contextmanager
def _refusals(path: Path | None) -> Iterator[Refuse]:
    """Refusals go to a file of JSON lines with their original bytes (base64), or as a line each to standard error."""
    if path is None:
        yield lambda letter: print(_in_words(letter), file=sys.stderr)
        return
    try:
        with path.open("wb", buffering=0) as stream:
            # the time of the run would make two runs differ
            yield lambda letter: _write(stream, codec.encode(replace(letter, refused_at=None)))
    except OSError as error:
        raise FeedError(f"{path}: the refusals cannot be written there: {error.strerror}") from error


def _write(stream: RawIOBase, line: bytes) -> None:
    stream.write(line + b"\n")


def _in_words(letter: DeadLetter) -> str:
    part = f"{letter.topic}, {part_of(letter.topic)}" if letter.refused_by == "ingest" else "event"
    place = f" {letter.place}" if letter.place else ""
    return f"refused: {part} {letter.offset}{place}: {letter.reason}: {letter.detail}"


def feed(paths: Sequence[Path], mapping: Mapping | None, progress: Console, unjoined: Counter[str]) -> Iterator[Unit]:
    """Every unit of every file, with a bar for the files; ``unjoined`` as ``units`` counts it."""
    for file in track(
        files(paths, mapping), "reading", console=progress, transient=True, disable=not progress.is_terminal
    ):
        yield from units(file, mapping, unjoined)


def _letters(sends: Iterable[Send]) -> Iterator[DeadLetter]:
    for send in sends:
        if send.topic == topics.DEAD_LETTERS:
            yield DeadLetter.from_record(list(send.headers), send.value or b"")
