"""The command `rxvigil`."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import orjson
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from services.runtime import logs, service
from services.runtime.settings import Settings, SettingsError, shown

if TYPE_CHECKING:
    from services.ingest.formats.extract.mapping import Mapping

app = App(
    name="rxvigil",
    version=lambda: importlib.metadata.version("rxvigil"),
    help="""Watch patients' medicines while care happens.

    Prescriptions, dispensings and laboratory results come in on Kafka; alerts with their evidence go out to the
    pharmacist. Start with `rxvigil demo` (a day on a ward, everything on this machine) or `rxvigil check FILES` (no
    servers at all).

    Settings come from flags, then the environment (RXVIGIL_BROKERS), then the file rxvigil.toml or the one that
    RXVIGIL_CONFIG_FILE names; `rxvigil settings` shows them.
    """,
)

Options = Annotated[Settings | None, Parameter(name="*")]
DataDir = Annotated[Path, Parameter(help="folder for all data of Kafka, Postgres and the services")]
Paths = Annotated[Path, Parameter(help="files or folders: .json, .jsonl, .ndjson, .csv, each also with .gz")]
MapFile = Annotated[Path | None, Parameter(name="--map", help="mapping file (TOML) of the delimited extracts")]

people = Console(stderr=True)
"""What is for people goes to standard error; standard output is for data."""


@app.command
def up(*, data_dir: DataDir = Path("data"), settings: Options = None) -> int:
    """Run everything on this machine: real Kafka, real Postgres and the three services, until Ctrl-C.

    The first start fetches Kafka (45 MB). Data in DATA-DIR survive a restart.
    """
    from services.local.up import run

    return _run(run(data_dir, _embedded(settings), people))


@app.command
def demo(
    *,
    once: Annotated[
        bool, Parameter(help="end when the day is over: a summary, exit 1 unless all is as expected")
    ] = False,
    data_dir: Annotated[Path | None, Parameter(help="keep the data there (default: a temporary folder)")] = None,
    settings: Options = None,
) -> int:
    """Send a day on a ward through the whole of rxvigil and show its alerts as they come."""
    from services.local.demo import run

    return _run(run(once=once, data_dir=data_dir, settings=_embedded(settings), console=Console()))


@app.command
def ingest(*, settings: Options = None) -> int:
    """Run ingest: source records become canonical events or dead letters. Needs Kafka."""
    return _serve("services.ingest.wiring", settings)


@app.command
def monitor(*, settings: Options = None) -> int:
    """Run the monitor: events become alerts. Needs Kafka; the state is restored from it."""
    return _serve("services.monitor.wiring", settings)


@app.command
def notify(*, settings: Options = None) -> int:
    """Run notify: alerts are stored, delivered and shown on a page. Needs Kafka and Postgres."""
    return _serve("services.notify.wiring", settings)


@app.command(name="settings")
def show_settings(*, settings: Options = None) -> int:
    """Show every setting, its value (secrets hidden), where it comes from and what it means."""
    table = Table("setting", "value", "from", "meaning", box=None, pad_edge=False)
    for row in shown(_settings(settings)):
        table.add_row(*map(Text, row))
    Console().print(table)
    return service.OK


@app.command
def send(
    *paths: Paths,
    map_file: MapFile = None,
    rate: Annotated[
        float | None, Parameter(help="records a second (default: as fast as the broker takes them)")
    ] = None,
    settings: Options = None,
) -> int:
    """Publish files or folders to Kafka, in order of clinical time.

    Sending again changes no alert; rows that the mapping refuses become dead letters again.
    """
    from services.local.report import summary
    from services.local.send import send as publish

    if rate is not None and rate <= 0:
        raise _usage("--rate must be above 0")

    async def publish_all(brokers: str) -> int:
        tally = await publish(_some(paths), _mapping(map_file), brokers=brokers, rate=rate, progress=people)
        people.print(summary(tally))
        return service.OK

    return _run(publish_all(_settings(settings).brokers))


@app.command
def check(
    *paths: Paths,
    map_file: MapFile = None,
    dead_letters: Annotated[
        Path | None, Parameter(help="write refusals there, as JSON lines with the original")
    ] = None,
    table: Annotated[bool, Parameter(help="a table for people in place of JSON", negative="")] = False,
    knowledge_dir: Annotated[
        str, Parameter(help="folder of the site's own knowledge", env_var="RXVIGIL_KNOWLEDGE_DIR")
    ] = "",
    site_rules: Annotated[str, Parameter(help="the site's own rules", env_var="RXVIGIL_SITE_RULES")] = "",
) -> int:
    """Find the problems in files, in one process without any server.

    Standard output has one alert a line, the last state of each as JSON with its history; refusals and a summary go to
    standard error. The same input gives the same output. Exit 0 when all input was handled, refusals included; 1 when a
    rule failed, which is a defect; 2 when it could not run.
    """
    from services.local.check import check as check_files

    async def check_all() -> int:
        sound = check_files(
            _some(paths),
            _mapping(map_file),
            dead_letters=dead_letters,
            as_table=table,
            progress=people,
            site=knowledge_dir,
            site_rules=site_rules,
        )
        return service.OK if sound else service.FAILED

    return _run(check_all())


@app.command
def replay(
    *paths: Paths,
    knowledge: Annotated[
        Path | None, Parameter(help="knowledge to try: a whole folder of it, a checkout, or a site's own folder")
    ] = None,
    rules: Annotated[Path | None, Parameter(help="rules of a site to try: a TOML file or a folder of them")] = None,
    map_file: MapFile = None,
    examples: Annotated[int, Parameter(help="how many alerts to show of each kind of difference")] = 3,
    patients: Annotated[bool, Parameter(help="name the patients of the examples", negative="")] = False,
    json: Annotated[bool, Parameter(help="JSON in place of text", negative="")] = False,
    knowledge_dir: Annotated[
        str, Parameter(help="folder of the site's own knowledge in force", env_var="RXVIGIL_KNOWLEDGE_DIR")
    ] = "",
    site_rules: Annotated[str, Parameter(help="the site's rules in force", env_var="RXVIGIL_SITE_RULES")] = "",
) -> int:
    """Try other knowledge or rules on recorded events: the alerts that would be gained, lost or of another severity.

    The files go through ingest and monitor twice, as `rxvigil check` does it: with what is in force and with what is to be
    tried. What is not named stays as it is in force. Examples are of patients: for authorised eyes. Exit 0 whatever differs.
    """
    from knowledge.loader import load
    from services.local import replay as trial

    async def try_it() -> int:
        if knowledge is None and rules is None:
            raise _usage("name what to try: --knowledge DIR, --rules FILE or both")
        tried = trial.other(knowledge_dir, site_rules, knowledge, rules)
        found = trial.replay(_some(paths), _mapping(map_file), load(knowledge_dir, site_rules), tried, people)
        if json:
            shown = found if patients else trial.without_patients(found)
            sys.stdout.buffer.write(orjson.dumps(msgspec.to_builtins(shown), option=orjson.OPT_INDENT_2) + b"\n")
        else:
            trial.write(Console(highlight=False), found, examples=examples, patients=patients)
        return service.OK

    return _run(try_it())


@app.command
def unresolved(
    *paths: Paths,
    map_file: MapFile = None,
    json: Annotated[bool, Parameter(help="JSON lines in place of a table", negative="")] = False,
    settings: Options = None,
) -> int:
    """List what nobody understands: medicines, units, codes, instructions; the most frequent first, with the row that closes it.

    Of files; without any, of the events that Kafka has. The row belongs into a file of that name in KNOWLEDGE-DIR. A code of
    a result needs none unless it is one of labs/analytes.csv. What is listed comes from patients: for authorised eyes.
    """
    from services.local import unresolved as gaps

    async def list_them() -> int:
        chosen = _settings(settings)
        if paths:
            found = gaps.of_files(paths, _mapping(map_file), chosen.knowledge_dir, people)
        else:
            found = await gaps.of_kafka(chosen.brokers, chosen.knowledge_dir, people)
        if json:
            sys.stdout.buffer.writelines(gaps.as_lines(found))
        else:
            Console().print(gaps.as_table(found))
        return service.OK

    return _run(list_them())


app.command("services.local.imports.command:app", name="import", help="Bring in data that a site has a licence for.")
app.command(
    "services.local.knowledge:app", name="knowledge", help="Check, show and compare what the rules know of medicines."
)
app.command("services.local.rules:app", name="rules", help="List the rules, show one, or explain an alert.")

state = App(name="state", help="Look at what the monitor keeps of a patient, or make it anew.")
app.command(state)


@state.command
def show(patient: Annotated[str, Parameter(help="the patient's id")], /, *, settings: Options = None) -> int:
    """Print the monitor's state of one patient as JSON: clinical content, for authorised eyes. Reads the changelog."""
    from services.monitor.upkeep import show as find

    async def print_it() -> int:
        with _told("reading the changelog") as tell:
            found = await find(_settings(settings), patient, tell)
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        return service.OK

    return _run(print_it())


@state.command
def rebuild(
    *,
    origin: Annotated[
        Literal["changelog", "events"], Parameter(name="--from", help="what the state is made of at the next start")
    ] = "changelog",
    settings: Options = None,
) -> int:
    """Make the monitor's next start build its state anew. Stop every monitor first.

    From the changelog: the local store (STATE-DIR/monitor) is deleted and restored. From the events: the changelog is deleted
    too, and every event and answer that Kafka still has is applied again; alerts keep their ids.
    """
    from services.monitor.upkeep import rebuild_state

    async def do_it() -> int:
        with _told("reading the changelog") as tell:
            await rebuild_state(_settings(settings), origin, tell)
        people.print(f"Start the monitor: it will build its state from the {origin}.")
        return service.OK

    return _run(do_it())


@contextmanager
def _told(what: str) -> Iterator[Callable[[int, int], None]]:
    with Progress(console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _some(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    if not paths:
        raise _usage("name at least one file or folder")
    return paths


def _mapping(path: Path | None) -> Mapping | None:
    from services.local.feed import load_mapping

    return None if path is None else load_mapping(path)


def _settings(flags: Settings | None) -> Settings:
    settings = flags or Settings()
    logs.configure(settings.log_level, settings.log_format)
    return settings


def _embedded(flags: Settings | None) -> Settings:
    """Settings of a command that starts servers of its own."""
    settings = _settings(flags)
    if own := {"brokers", "database_url"} & settings.flags:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in sorted(own))
        raise _usage(
            f"{names}: this command starts Kafka and Postgres of its own; `rxvigil ingest`, `monitor` and `notify` use others"
        )
    return settings


def _serve(wiring: str, flags: Settings | None) -> int:
    settings = _settings(flags)
    return _run(importlib.import_module(wiring).run(settings))


def _run(work: Coroutine[Any, Any, int]) -> int:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


class _UsageError(ValueError):
    pass


def _usage(message: str) -> _UsageError:
    return _UsageError(message)


def _for_people() -> tuple[type[Exception], ...]:
    """Errors whose message says what, where and what to do. Anything else is a defect and keeps its traceback."""
    from knowledge.loader import KnowledgeError
    from services.ingest.formats.extract.mapping import MappingError
    from services.local.explain import ExplainError
    from services.local.feed import FeedError
    from services.local.imports.mapping import BringInError
    from services.local.jars import JarsError
    from services.local.rxnorm import RxNormError
    from services.local.stack import StackError
    from services.monitor.upkeep import NoStateError
    from services.notify.wiring import NotifyError
    from services.runtime.probes import PortInUseError
    from services.runtime.topics import BrokersUnreachableError, TopicMismatchError
    from services.streaming.rebuild import StillRunningError

    return (
        BringInError, BrokersUnreachableError, ExplainError, FeedError, JarsError, KnowledgeError, MappingError, NoStateError,
        NotifyError, PortInUseError, RxNormError, SettingsError, StackError, StillRunningError, TopicMismatchError, _UsageError,
    )  # fmt: skip


def _say(what: str, error: Exception) -> None:
    # brackets in a message are part of it, and a line that is searched for is not broken
    people.print(Text(f"{what}:", "bold red"), Text(str(error)), soft_wrap=True)


def main() -> None:
    """Exit codes: 0 done, 1 failed while running, 2 could not run, 130 told twice to stop."""
    try:
        app()
    except Exception as error:
        from services.streaming.faust_engine import EngineError

        if isinstance(error, EngineError):
            _say("stopped", error)
            sys.exit(service.FAILED)
        if isinstance(error, _for_people()):
            _say("rxvigil cannot run", error)
            sys.exit(service.COULD_NOT_START)
        raise


if __name__ == "__main__":
    main()
