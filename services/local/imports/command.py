"""`rxvigil import`: data that a site has a licence for, into its own folder of knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from knowledge.loader import Knowledge, load
from services.local.imports import mapping, tables, thesaurus
from services.local.imports.mapping import BringInError, Shipped, TableMapping
from services.local.imports.tables import Done, Edition, Names
from services.local.rxnorm import import_rxnorm
from services.runtime import service

SiteFolder = Annotated[
    str, Parameter(name="--knowledge-dir", help="the site's folder, to write into", env_var="RXVIGIL_KNOWLEDGE_DIR")
]
TheEdition = Annotated[str, Parameter(help="which edition this is, as its publisher names it: a date or a number")]
Licence = Annotated[str, Parameter(help="by which licence the site has it")]
Tables = Annotated[Path, Parameter(help="CSV files, or folders of them")]

app = App(
    name="import",
    help="""Bring in data that a site has a licence for. Nothing of it is shipped.

    Interactions and properties are written to KNOWLEDGE-DIR/imported and count only where KNOWLEDGE-DIR/choices.csv says so;
    `rxvigil knowledge diff` compares them with ours.
    """,
)

_SHOWN = 10


@app.command
def rxnorm(
    release: Annotated[Path, Parameter(help="folder of an unpacked RxNorm release (RRF)")],
    /,
    *,
    knowledge_dir: SiteFolder = "",
) -> int:
    """Read a site's own RxNorm release into KNOWLEDGE-DIR: codes and NDCs to ingredients with strengths.

    Ingest uses it from its next start.
    """
    site, people = _folder(knowledge_dir), Console(stderr=True)
    done = import_rxnorm(release, site, people)
    people.print(
        f"{done.drugs:,} codes and {done.ndcs:,} NDCs are in {site}. Left out: {done.left_out:,} codes whose ingredients "
        f"the release does not say, {done.ambiguous:,} NDCs of two medicines, {done.unread:,} that are no eleven digits."
    )
    return service.OK


@app.command
def ddinter(*files: Tables, edition: TheEdition, knowledge_dir: SiteFolder = "") -> int:
    """Read DDInter's downloads (ddinter_downloads_code_*.csv): interactions with their level."""
    return _shipped("ddinter", files, edition, "", knowledge_dir)


@app.command
def drugbank(*files: Tables, edition: TheEdition, knowledge_dir: SiteFolder = "") -> int:
    """Read DrugBank's open vocabulary ("drugbank vocabulary.csv"): other names of the ingredients that are known."""
    return _shipped("drugbank", files, edition, "", knowledge_dir)


@app.command
def crediblemeds(*files: Tables, edition: TheEdition, licence: Licence, knowledge_dir: SiteFolder = "") -> int:
    """Read a list of QT-prolonging medicines that the site has a licence for: CSV with "Generic Name" and "Category"."""
    return _shipped("crediblemeds", files, edition, licence, knowledge_dir)


@app.command
def table(
    *files: Tables,
    map_file: Annotated[
        Path, Parameter(name="--map", help="mapping file (TOML): columns, and what words of severity mean")
    ],
    edition: TheEdition,
    licence: Licence = "",
    knowledge_dir: SiteFolder = "",
) -> int:
    """Read any vendor's table by a mapping file; docs/knowledge-from-elsewhere.md has one of each kind."""
    return _by(mapping.of_file(map_file), files, edition, licence, knowledge_dir)


@app.command
def ansm(
    text: Annotated[Path, Parameter(help="text of the thesaurus' PDF (pdftotext, Tika)")],
    /,
    *,
    edition: TheEdition,
    classes: Annotated[
        Path | None, Parameter(help="the index of classes as a table: class;substance, without a header")
    ] = None,
    knowledge_dir: SiteFolder = "",
) -> int:
    """Read the text of the French thesaurus of interactions (ANSM): interactions with their level.

    French names become ours where they are spelt alike but for accents and a last e; `rxvigil import drugbank` before it makes
    more of them known.
    """
    site = _folder(knowledge_dir)
    return _told(thesaurus.bring_in(text, classes, edition, Names(_known(site)), site))


def _shipped(name: Shipped, files: tuple[Path, ...], edition: str, licence: str, knowledge_dir: str) -> int:
    return _by(mapping.shipped(name), files, edition, licence, knowledge_dir)


def _by(by: TableMapping, files: tuple[Path, ...], edition: str, licence: str, knowledge_dir: str) -> int:
    site = _folder(knowledge_dir)
    if not (licence or by.licence):
        raise BringInError(
            f"{by.source}: say by which licence the site has it: --licence, or licence in the mapping file"
        )
    if not files:
        raise BringInError("name the files to read")
    of = Edition(by.source, licence or by.licence, edition)
    return _told(tables.bring_in(files, by, of, _known(site), site, Console(stderr=True)))


def _known(site: Path) -> Knowledge:
    return load(str(site) if site.is_dir() else "")


def _folder(knowledge_dir: str) -> Path:
    if not knowledge_dir:
        raise BringInError("name the folder for it: --knowledge-dir or RXVIGIL_KNOWLEDGE_DIR")
    return Path(knowledge_dir)


def _told(done: Done) -> int:
    people = Console(stderr=True, highlight=False)
    people.print(f"{done.rows:,} rows are in {done.file}", soft_wrap=True)
    for reason, count in done.left_out.most_common():
        people.print(f"left out: {count:,} rows, {reason}")
    if done.unresolved:
        shown = ", ".join(f"{name} ({count})" for name, count in done.unresolved.most_common(_SHOWN))
        more = f" and {len(done.unresolved) - _SHOWN:,} more" if len(done.unresolved) > _SHOWN else ""
        people.print(
            Text(f"nobody knows here: {shown}{more}; a row in drugs/names_extra.csv makes a name known"), soft_wrap=True
        )
    return service.OK
