"""Files and folders as a feed: every unit of every file, in the order of the files' names.

``.json`` (one event or FHIR resource, or a list), ``.jsonl`` and ``.ndjson`` (one a line) and ``.csv`` through a mapping file;
each also as ``.gz``.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple, cast

from schemas import codec
from schemas.events import Event
from schemas.values import Origin
from services.ingest.formats import End, Ignored, Item, fhir, record
from services.ingest.formats.extract.joins import Joined, read_join
from services.ingest.formats.extract.loading import load
from services.ingest.formats.extract.mapping import Join, Mapping, MappingError
from services.ingest.formats.extract.rows import Row, header_of, rows
from services.ingest.formats.extract.table import Extract

KINDS = (".json", ".jsonl", ".ndjson", ".csv")
_NO_LIMIT = 2**63
_UNREADABLE = (OSError, EOFError, zlib.error)


class FeedError(ValueError):
    """A file cannot be used as it was asked; says which and what to do."""


class Unit(NamedTuple):
    """One unit of a file. ``origin.topic`` is the file's name as it was found and ``offset`` the line that the unit begins
    on (from 1), or for ``.json`` the number of the element (from 0). ``alone`` is whether ``original`` says by itself what the
    unit says: a row of an extract does not, nor need a FHIR resource without its bundle."""

    origin: Origin
    original: bytes
    end: End
    alone: bool = False


Place = tuple[datetime, str, str, int, datetime, bytes, str, int, int]
"""Where an event stands in a feed."""


def place_of(event: Event, origin: Origin) -> Place:
    """By clinical time, and of one time by what the event says: the order in which files are named changes nothing."""
    recorded = event.recorded_at or event.occurred_at
    content = blake2b(codec.encode(event), digest_size=8).digest()
    what = (event.source, event.record_id, event.version, recorded, content)
    return event.occurred_at, *what, origin.topic, origin.offset, origin.index


def part_of(name: str) -> str:
    """What the offset of a unit of this file counts."""
    return "element" if name.lower().endswith(".json") else "line"


class File(NamedTuple):
    """A file of the feed; ``name`` is its path below the folder that was asked for, without ``.gz``."""

    path: Path
    name: str

    @property
    def kind(self) -> str:
        return Path(self.name).suffix.lower()

    @property
    def base(self) -> str:
        return Path(self.name).name


def load_mapping(path: Path) -> Mapping:
    """Raises ``MappingError``; ``FeedError`` when there is no such file."""
    try:
        return load(path.read_bytes(), path.name)
    except OSError as error:
        raise FeedError(f"{path}: the mapping file cannot be read: {error.strerror}") from error


def files(paths: Sequence[Path], mapping: Mapping | None) -> list[File]:
    """The files to read, those of a folder by name. Raises ``FeedError`` when one cannot be used, before any is read.

    In a folder, files of other kinds are passed over; a file named itself must be of a known kind.
    """
    found: dict[Path, File] = {}
    for path in paths:
        if not path.exists():
            raise FeedError(f"{path}: there is no such file or folder")
        for file in _below(path):
            found.setdefault(file.path.resolve(), file)
    chosen = list(found.values())
    if not chosen:
        raise FeedError(f"{', '.join(map(str, paths))}: no file ends in {', '.join(KINDS)} (or one of these and .gz)")
    for file in chosen:
        if file.kind == ".csv":
            _check_mapped(file, mapping)
    return chosen


def _below(path: Path) -> Iterator[File]:
    if path.is_dir():
        inside = (found for found in sorted(path.rglob("*")) if found.is_file())
        named = (File(each, _bare(each.relative_to(path).as_posix())) for each in inside)
        yield from (file for file in named if file.kind in KINDS)
        return
    file = File(path, _bare(path.name))
    if file.kind not in KINDS:
        raise FeedError(f"{path}: not a kind of file that is read; known are {', '.join(KINDS)}, each also with .gz")
    yield file


def _bare(name: str) -> str:
    return name[:-3] if name.lower().endswith(".gz") else name


def _check_mapped(file: File, mapping: Mapping | None) -> None:
    if mapping is None:
        raise FeedError(f"{file.path}: a delimited extract needs a mapping file; name one with --map (docs/ingest.md)")
    if mapping.table_of(file.base) is None and not mapping.ignores(file.base):
        raise FeedError(
            f"{file.path}: the mapping file names no table for {file.base}; add one under [[tables]], or add the file to "
            "`ignored` to count its rows and use none"
        )


def units(file: File, mapping: Mapping | None, unjoined: Counter[str] | None = None) -> Iterator[Unit]:
    """Every unit of a file. Raises ``FeedError`` when the file cannot be read and ``MappingError`` when its columns are not
    those that the mapping names, or a file that it joins cannot serve.

    ``unjoined`` counts the rows that became events without a partner in a joined file."""
    try:
        if file.kind == ".csv":
            assert mapping is not None
            yield from _extract(file, mapping, Counter() if unjoined is None else unjoined)
        elif file.kind in (".jsonl", ".ndjson"):
            yield from _lines(file)
        else:
            yield from _document(file)
    except _UNREADABLE as error:
        raise FeedError(f"{file.path}: cannot be read to its end: {error}") from error


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _document(file: File) -> Iterator[Unit]:
    with _open(file.path) as stream:
        value = stream.read()
    for item in record.decode(value, most=_NO_LIMIT):
        yield _unit(Origin(file.name, 0, item.position), item)


def _lines(file: File) -> Iterator[Unit]:
    with _open(file.path) as stream:
        for number, line in enumerate(stream, start=1):
            bare = line.strip()
            # a line is read as the record that `send` makes of it: it may be a list
            for item in record.decode(bare, most=_NO_LIMIT) if bare else ():
                yield _unit(Origin(file.name, 0, number, item.position), item)


def _unit(origin: Origin, item: Item) -> Unit:
    return Unit(origin, item.original, item.end, alone=fhir.MARK not in item.original)


def _extract(file: File, mapping: Mapping, unjoined: Counter[str]) -> Iterator[Unit]:
    with _open(file.path) as stream:
        found = rows(stream, mapping.delimiter)
        first = next(found, None)
        if first is None:
            return
        read = _reader(file, mapping, first)
        for row in found:
            yield Unit(Origin(file.name, 0, row.line), row.original, read.read(row) if read else Ignored(file.base))
        if read:
            unjoined.update({f"{file.base} without {mapping.joins[name].file}": n for name, n in read.unjoined.items()})


def _reader(file: File, mapping: Mapping, header: Row) -> Extract | None:
    """None for a file whose rows are known and not used."""
    table = mapping.table_of(file.base)
    if table is None:
        return None
    where = f"{file.path}, line {header.line}"
    if not isinstance(header.cells, list):
        raise MappingError(f"{where}: the header cannot be read: {header.cells.detail}")
    joined = {
        name: _joined(file.path.parent, mapping.joins[name], taken, mapping.delimiter)
        for name, taken in mapping.joined(table).items()
    }
    return Extract(mapping, table, header_of(header.cells, where), joined, where)


def _joined(folder: Path, join: Join, columns: Sequence[str], delimiter: str) -> Joined:
    for path in (folder / join.file, folder / f"{join.file}.gz"):
        if path.exists():
            try:
                with _open(path) as stream:
                    return read_join(rows(stream, delimiter), join, columns, str(path))
            except _UNREADABLE as error:
                raise FeedError(f"{path}: cannot be read to its end: {error}") from error
    raise MappingError(f"{folder}: the joined file {join.file} is not there; it belongs beside the tables that use it")
