"""A table of any vendor into the site's folder. Names become our ingredients; what nobody knows is counted and listed."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from knowledge.model import Knowledge, plain_name
from knowledge.outside import pair_of
from knowledge.reading.outside import FOLDER, MembersRow, TheirsRow
from schemas.values import SEVERITIES, Severity
from services.ingest.terminology.names import NameReader
from services.local.imports.mapping import BringInError, TableMapping

NAMES_FILE, SOURCES_FILE = "drugs/names_extra.csv", "sources.csv"
Record = tuple[str, int, dict[str, str]]
"""The file, the line and the cells by column."""


class Edition(NamedTuple):
    """Which edition of a source this is, and by which licence the site has it."""

    source: str
    licence: str
    edition: str


class Done(NamedTuple):
    """``rows`` were written to ``file``. ``unresolved``: names that nobody knows here, with how often each is there;
    ``left_out``: rows that say nothing here, by the reason."""

    file: Path
    rows: int
    unresolved: Counter[str]
    left_out: Counter[str]


class Said(NamedTuple):
    """An interaction in the words of a source, its two sides each as the ingredients that they stand for."""

    a: Sequence[str]
    b: Sequence[str]
    severity: Severity
    said: str
    effect: str


class Names:
    """From the names of a source to our ingredients."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge, self._reader = knowledge, NameReader(knowledge)
        self.unresolved: Counter[str] = Counter()

    def of(self, name: str) -> Sequence[str]:
        """The ingredients of a name: none where it is not known, which is counted."""
        for spelling in _spellings(name):
            reading = self._reader.read(spelling)
            if reading is not None and reading.ingredients:
                return [each.name for each in reading.ingredients]
        self.unresolved[name] += 1
        return ()


def bring_in(
    paths: Sequence[Path], mapping: TableMapping, edition: Edition, knowledge: Knowledge, site: Path, progress: Console
) -> Done:
    """Write what ``paths`` (files, or folders of CSV files) hold into ``site``, whole or not at all, over what was there of the
    same source. Raises ``BringInError``."""
    names, left_out = Names(knowledge), Counter[str]()
    records = _records(paths, mapping, progress)
    match mapping.kind:
        case "interactions":
            said = _interactions(records, mapping, names, left_out)
            return write_interactions(said, edition, names, left_out, site)
        case "properties":
            file, rows = (
                site / FOLDER / f"{edition.source}.properties.csv",
                _members(records, mapping, edition, names, left_out),
            )
            count = _write(file, MembersRow.__struct_fields__, rows)
        case _:
            file = site / NAMES_FILE
            count = _write_names(file, records, mapping, edition, names, left_out, knowledge)
            _note_source(site / SOURCES_FILE, edition)
    return Done(file, count, names.unresolved, left_out)


def write_interactions(
    said: Iterable[Said], edition: Edition, names: Names, left_out: Counter[str], site: Path
) -> Done:
    """Every pair once, as gravely as the source says it of any of its names."""
    found: dict[tuple[str, str], Said] = {}
    for each in said:
        for pair in {pair_of(a, b) for a in each.a for b in each.b if a != b}:
            known = found.get(pair)
            if known is None or SEVERITIES.index(each.severity) < SEVERITIES.index(known.severity):
                found[pair] = each
    rows = (
        (a, b, each.severity, each.said, each.effect, edition.source, edition.licence, edition.edition)
        for (a, b), each in sorted(found.items())
    )
    file = site / FOLDER / f"{edition.source}.csv"
    return Done(file, _write(file, TheirsRow.__struct_fields__, rows), names.unresolved, left_out)


def _spellings(name: str) -> Iterator[str]:
    """As it is; without what stands in brackets; without accents, as other languages write the same name."""
    yield name
    short = name.partition("(")[0].strip()
    if short and short != name:
        yield short
    plain = "".join(c for c in unicodedata.normalize("NFKD", short or name) if not unicodedata.combining(c)).lower()
    yield plain
    if plain.endswith("e"):
        yield plain[:-1]


def _records(paths: Sequence[Path], mapping: TableMapping, progress: Console) -> Iterator[Record]:
    tables = [file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
    if not tables:
        raise BringInError("no CSV file is there")
    for file in track(tables, "reading", console=progress, transient=True, disable=not progress.is_terminal):
        try:
            text = file.read_text(mapping.encoding)
        except OSError as error:
            raise BringInError(f"{file}: cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, LookupError) as error:
            raise BringInError(f"{file}: cannot be read as {mapping.encoding} ({error})") from error
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
        missing = [column for column in mapping.wanted if column not in (reader.fieldnames or ())]
        if missing:
            there = ", ".join(reader.fieldnames or ()) or "none"
            raise BringInError(f"{file}, line 1: there is no column {', '.join(missing)}; there are: {there}")
        try:
            for row in reader:
                if None in row.values() or None in row:
                    raise BringInError(f"{file}, line {reader.line_num}: not as many cells as the header has")
                yield str(file), reader.line_num, row
        except csv.Error as error:
            raise BringInError(f"{file}, line {reader.line_num}: not CSV ({error})") from error


def _interactions(
    records: Iterable[Record], mapping: TableMapping, names: Names, left_out: Counter[str]
) -> Iterator[Said]:
    of = mapping.columns
    for file, line, row in records:
        word = row[of.severity].strip()
        severity = mapping.severity.get(word)
        if severity is None:
            known = ", ".join(mapping.severity)
            raise BringInError(
                f"{file}, line {line}, column {of.severity}: {word!r} is not in [severity]; it has {known}"
            )
        a, b = names.of(row[of.a]), names.of(row[of.b])
        if a and b:
            yield Said(a, b, severity, word, row[of.effect] if of.effect else "")
        else:
            left_out["a name that nobody knows here"] += 1


def _members(
    records: Iterable[Record], mapping: TableMapping, edition: Edition, names: Names, left_out: Counter[str]
) -> Iterator[tuple[str, ...]]:
    of, once = mapping.columns, set[str]()
    for file, line, row in records:
        word = row[of.grade].strip()
        if word not in mapping.grades:
            known = ", ".join(mapping.grades)
            raise BringInError(f"{file}, line {line}, column {of.grade}: {word!r} is not in [grades]; it has {known}")
        found = names.of(row[of.ingredient])
        if not mapping.grades[word] or not found:
            left_out["a grade that is left out" if found else "a name that nobody knows here"] += 1
            continue
        for ingredient in found:
            if ingredient not in once:
                once.add(ingredient)
                yield ingredient, mapping.property_id, mapping.grades[word], word, *edition


def _write_names(
    file: Path,
    records: Iterable[Record],
    mapping: TableMapping,
    edition: Edition,
    names: Names,
    left_out: Counter[str],
    knowledge: Knowledge,
) -> int:
    """Other names of ingredients that are known, beside what the site's own file has. A name that is known stays as it is."""
    source = edition.source
    kept = [row for row in _there(file) if source not in row["sources"].split("|")]
    known = {row["name"] for row in kept} | set(knowledge.drug_names)
    more: dict[str, str] = {}
    for _, _, row in records:
        ingredients = names.of(row[mapping.columns.ingredient])
        if not ingredients:
            left_out["a name that nobody knows here"] += 1
            continue
        for name in row[mapping.columns.names].split(mapping.several):
            plain = plain_name(name)
            if plain and plain not in known and plain.isascii():
                more.setdefault(plain, "|".join(ingredients))
    rows = [(row["name"], row["ingredients"], row["sources"]) for row in kept]
    rows += [(name, ingredients, source) for name, ingredients in sorted(more.items())]
    return _write(file, ("name", "ingredients", "sources"), rows) - len(kept)


def _note_source(file: Path, edition: Edition) -> None:
    columns = ("id", "text", "url", "date", "licence", "status")
    rows = [tuple(row[column] for column in columns) for row in _there(file) if row["id"] != edition.source]
    text = f"{edition.source}, edition {edition.edition}, as the site brought it in"
    rows.append((edition.source, text, "", edition.edition, edition.licence, "unverified"))
    _write(file, columns, rows)


def _there(file: Path) -> list[Mapping[str, str]]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


def _write(file: Path, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> int:
    """The whole file or nothing of it; the rows that were written."""
    count, part = 0, file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow(row)
                count += 1
        part.replace(file)
    except OSError as error:
        raise BringInError(f"{file}: cannot be written there: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return count
