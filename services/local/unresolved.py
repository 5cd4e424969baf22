"""`rxvigil unresolved`: the medicines, instructions, codes and units that nobody knows, by frequency, each with the
row that would close it."""

from __future__ import annotations

import contextlib
import csv
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from msgspec import DecodeError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from knowledge.loader import load
from knowledge.model import Knowledge, plain_name
from knowledge.reading.laboratory import LocalCodeRow, LoincRow, UnitRow
from knowledge.reading.medicine import CodeRow, NameRow
from knowledge.reading.tables import Row
from knowledge.reading.wording import PhraseRow
from schemas import codec, topics
from schemas.events import (
    Administration,
    AllergyRecord,
    Dispensing,
    Drug,
    Event,
    LabResult,
    Patient,
    Prescription,
)
from schemas.values import Coding
from services.ingest.formats.extract.mapping import Mapping
from services.ingest.pipeline import Pipeline
from services.ingest.terminology.drugs import DrugResolver
from services.ingest.terminology.instructions import Instructions
from services.local.check import feed
from services.local.play import fixed
from services.runtime.clock import system_clock
from services.runtime.topics import BrokersUnreachableError

_POLL_MS = 500
_LONGEST = 120
"""Of what is listed: a free text may go on."""

Kind = Literal["drug", "instruction", "unit", "code"]
KINDS: tuple[Kind, ...] = ("drug", "instruction", "unit", "code")
"""In the order in which gaps are listed. A code that no rule needs is a gap too, so codes come last."""


class Gap(NamedTuple):
    """Something that nobody knows. ``file`` is one of the site's folder (or of ``knowledge/``) and ``row`` the line that closes
    the gap, with ``?`` where only somebody who knows can say it; both are empty where no row can and ``why`` says why."""

    kind: Kind
    what: str
    file: str
    columns: str
    row: str
    why: str


class Gaps:
    """Counts the gaps of events."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._resolve = DrugResolver(knowledge).resolve
        self._instructions = Instructions(knowledge.wording)
        self._counted: Counter[Drug | tuple[Kind, str, str]] = Counter()
        self._described: dict[tuple[str, str], str] = {}

    def add(self, event: Event) -> None:
        for drug in _drugs(event):
            if (drug.resolution or "unresolved") == "unresolved":
                # what does not tell a medicine apart is left out, so that one gap is one line
                self._counted[Drug(text=drug.text, codings=drug.codings, ingredients=drug.ingredients)] += 1
        if isinstance(event, Prescription | Dispensing) and event.dosage.remark in ("unread", "partly_read"):
            self._counted["instruction", " ".join(event.dosage.text.lower().split()), ""] += 1
        if isinstance(event, LabResult):
            if event.remark in ("unknown_unit", "no_unit"):
                self._counted["unit", event.analyte, event.unit] += 1
            elif event.remark == "no_analyte":
                coding = next((each for each in event.codings if "loinc" in each.system.lower()), event.codings[0])
                self._counted["code", coding.system, coding.code] += 1
                self._described.setdefault((coding.system, coding.code), coding.display)

    def most_frequent(self) -> list[tuple[Gap, int]]:
        """By kind, and the most frequent of a kind first."""
        counted: Counter[Gap] = Counter()
        for what, count in self._counted.items():
            gap = self._gap(what)
            if gap is not None:
                counted[gap] += count
        return sorted(counted.items(), key=lambda item: (KINDS.index(item[0].kind), -item[1], item[0]))

    def _gap(self, what: Drug | tuple[Kind, str, str]) -> Gap | None:
        if isinstance(what, Drug):
            return self._of_drug(what)
        kind, one, other = what
        if kind == "instruction":
            return self._of_instruction(one)
        if kind == "unit":
            closes = _closes("labs/units.csv", UnitRow, analyte=one, spelling=other or "none")
            return Gap("unit", f"{one}: {other or 'no unit'}", *closes, "")
        described = self._described[one, other]
        if "loinc" in one.lower():
            closes = _closes("labs/loinc.csv", LoincRow, code=other, description=described)
        else:
            closes = _closes("labs/local_codes.csv", LocalCodeRow, system=one, code=other, description=described)
        return Gap("code", f"{one} {other} {described}".strip()[:_LONGEST], *closes, "")

    def _of_drug(self, drug: Drug) -> Gap:
        """A name is closed by a row of names, a code without a name by one of codes."""
        texts = [text for text in (drug.text, *(coding.display for coding in drug.codings)) if text.strip()]
        named = " + ".join(ingredient.name for ingredient in drug.ingredients)
        coded = " ".join(f"{coding.system} {coding.code}" for coding in drug.codings[:1])
        what = (texts or [named or coded or "no name and no code"])[0][:_LONGEST]
        parts = [Drug(text=text) for text in texts] + [Drug(codings=(_bare(coding),)) for coding in drug.codings]
        if any(self._resolve(part).resolution != "unresolved" for part in parts):
            beside = f"{what} ({coded})" if coded else what
            return Gap("drug", beside, "", "", "", "its parts say different medicines: one is a slip of the sender")
        if texts or named:
            return Gap("drug", what, *_closes("drugs/names_extra.csv", NameRow, name=plain_name(what)), "")
        if drug.codings:
            system, code = drug.codings[0].system, drug.codings[0].code
            return Gap("code", coded, *_closes("drugs/codes.csv", CodeRow, system=system, code=code), "")
        return Gap("drug", what, "", "", "", "the sender said nothing that names a medicine")

    def _of_instruction(self, text: str) -> Gap | None:
        """None for what has been learned since. A row says what one word means; that all words are known and still say no one
        dose and frequency is nobody's gap to close."""
        if not self._instructions.reading(text).remark:
            return None
        unknown = self._instructions.unknown_words(text)
        if unknown:
            closes = _closes("instructions/words.csv", PhraseRow, phrase=" ".join(unknown))
            return Gap("instruction", text[:_LONGEST], *closes, "")
        why = "its words are known and leave the dose, or how often, open"
        return Gap("instruction", text[:_LONGEST], "", "", "", why)


def _bare(coding: Coding) -> Coding:
    return Coding(coding.system, coding.code)


def _closes(file: str, row_type: type[Row], **known: str) -> tuple[str, str, str]:
    """File, columns and row: what is known, ``?`` for the rest that a row must have."""
    cells = {each.name: "?" if each.required else "" for each in msgspec.structs.fields(row_type)}
    cells = {**{name: cell for name, cell in cells.items() if name != "sources"}, **known, "sources": "site"}
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(cells.values())
    return file, ",".join(cells), text.getvalue()


def _drugs(event: Event) -> Iterator[Drug]:
    match event:
        case Prescription() | Dispensing() | Administration():
            yield event.drug
        case Patient(allergies=tuple() as allergies):
            yield from (allergy.substance for allergy in allergies)
        case AllergyRecord():
            yield event.allergy.substance


def of_files(paths: Sequence[Path], mapping: Mapping | None, site: str, progress: Console) -> list[tuple[Gap, int]]:
    """The gaps of files, by ingest's own code. Raises ``FeedError`` and ``MappingError``."""
    knowledge = load(site)
    gaps, pipeline = Gaps(knowledge), Pipeline(knowledge, fixed(system_clock()))
    for unit in feed(paths, mapping, progress, Counter()):
        for event in pipeline.take_unit(unit.end, unit.original, unit.origin).events:
            gaps.add(event)
    return gaps.most_frequent()


async def of_kafka(brokers: str, site: str, progress: Console) -> list[tuple[Gap, int]]:
    """The gaps of the events that Kafka has now, from the beginning. What the knowledge has learned since counts as known.

    Raises ``BrokersUnreachableError``.
    """
    gaps, partitions = Gaps(load(site)), topics.topics()[topics.EVENTS].partitions
    with Progress(console=progress, transient=True, disable=not progress.is_terminal) as bar:
        task = bar.add_task(f"reading {topics.EVENTS}", total=None)
        async for value in _records(brokers, [TopicPartition(topics.EVENTS, number) for number in range(partitions)]):
            bar.advance(task)
            # what cannot be read is a dead letter of the monitor
            with contextlib.suppress(DecodeError):
                gaps.add(codec.decode_event(value))
    return gaps.most_frequent()


async def _records(brokers: str, partitions: list[TopicPartition]) -> AsyncIterator[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        await consumer.start()
    except (KafkaConnectionError, OSError) as error:
        await consumer.stop()
        raise BrokersUnreachableError(f"no Kafka broker answers at {brokers}: start one, or set --brokers") from error
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        left = {each for each in partitions if await consumer.position(each) < ends[each]}
        while left:
            for place, records in (await consumer.getmany(*left, timeout_ms=_POLL_MS)).items():
                for record in records:
                    if record.value is not None and record.offset < ends[place]:
                        yield record.value
            left = {each for each in left if await consumer.position(each) < ends[each]}
    finally:
        await consumer.stop()


def as_table(gaps: Iterable[tuple[Gap, int]]) -> Table:
    """For people. Nothing is cut short: a row is there to be copied."""
    table = Table(box=None, pad_edge=False)
    for name in ("count", "what", "nobody knows", "file", "row that closes it"):
        table.add_column(name, overflow="fold")
    for gap, count in gaps:
        table.add_row(f"{count:,}", gap.kind, *map(Text, (gap.what, gap.file, gap.row or gap.why)))
    return table


def as_lines(gaps: Iterable[tuple[Gap, int]]) -> Iterator[bytes]:
    """For machines, one JSON object a line."""
    for gap, count in gaps:
        yield codec.encode({**gap._asdict(), "count": count}) + b"\n"
