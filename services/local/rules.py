"""`rxvigil rules`: which rules there are, what each stands on, and why one of them raised an alert."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from knowledge.loader import load
from knowledge.reading.tables import KnowledgeError
from knowledge.reading.toml import RulesError
from services.ingest.pipeline import Pipeline
from services.local import burden, explain_show, rule_sheet, written
from services.local.check import feed
from services.local.explain import explained, read_alert
from services.local.feed import FeedError, load_mapping
from services.local.play import by_patient, fixed
from services.local.report import Tally, counts
from services.local.rows import RowFinder
from services.monitor.rules import RULES
from services.monitor.rules.outside_interaction import outside_rules
from services.monitor.rules.written import written_rules
from services.runtime import service
from services.runtime.clock import system_clock

Site = Annotated[str, Parameter(help="folder of the site's own knowledge", env_var="RXVIGIL_KNOWLEDGE_DIR")]
SiteRules = Annotated[str, Parameter(help="file or folder of the site's own rules", env_var="RXVIGIL_SITE_RULES")]
Json = Annotated[bool, Parameter(help="JSON in place of text", negative="")]

app = App(
    name="rules",
    help="List the rules, show one, explain an alert, count the alerts of a feed, or check and try rules of your own.",
)


@app.command(name="list")
def list_rules(*, json: Json = False, knowledge_dir: Site = "", site_rules: SiteRules = "") -> int:
    """List every rule: version, sources, rows that are not verified, and whether its canary holds, which is played now.

    A canary is the smallest case in which the rule must fire, and a look-alike on which it must stay silent; both go through
    ingest and the whole monitor. Exit 1 when one does not hold.
    """
    known = load(knowledge_dir, site_rules)
    found = list(rule_sheet.sheets(known))
    if json:
        _print_json([rule_sheet.as_object(each, known) for each in found])
    else:
        rule_sheet.write_list(Console(highlight=False), found)
    return service.OK if all(each.holds for each in found) else service.FAILED


@app.command
def show(
    rule: Annotated[str, Parameter(help="a rule's id, as `rxvigil rules list` has it")],
    /,
    *,
    json: Json = False,
    knowledge_dir: Site = "",
    site_rules: SiteRules = "",
) -> int:
    """Show the whole of a rule: what it reads, its data and sources, and its canary. Exit 1 when there is no such rule."""
    known = load(knowledge_dir, site_rules)
    found = next((each for each in (*RULES, *written_rules(known), *outside_rules(known)) if each.id == rule), None)
    if found is None:
        near = rule_sheet.alike(rule, known)
        hint = f"did you mean {' or '.join(near)}?" if near else "`rxvigil rules list` has them all"
        Console(stderr=True).print(Text(f"there is no rule {rule!r}; {hint}"), soft_wrap=True)
        return service.FAILED
    sheet = rule_sheet.sheet(found, known)
    if json:
        _print_json(rule_sheet.as_object(sheet, known))
    else:
        rule_sheet.write(Console(highlight=False), sheet, known)
    return service.OK


@app.command
def explain(
    alert: Annotated[
        Path,
        Parameter(
            help="file with the alert, a line of what `rxvigil check` prints; - for stdin", allow_leading_hyphen=True
        ),
    ],
    /,
    *paths: Annotated[
        Path, Parameter(help="files or folders with the patient's events, as `rxvigil check` takes them")
    ],
    alert_id: Annotated[str, Parameter(help="which alert, where the file has several")] = "",
    map_file: Annotated[
        Path | None, Parameter(name="--map", help="mapping file (TOML) of the delimited extracts")
    ] = None,
    json: Json = False,
    knowledge_dir: Site = "",
    site_rules: SiteRules = "",
) -> int:
    """Explain an alert: its events, the state before and after, conditions, knowledge, and what would have to change.

    The patient's events are played again, and the alert is found by its id, or by rule and subject where these files make it
    under another. What would have to change is tried: an order ends, a result is cancelled, a newer one comes, and the monitor
    is asked again. With --json the states are in full. What is printed is of a patient: for authorised eyes.
    """
    if not paths:
        raise FeedError("name the files or folders that hold the patient's events")
    given, people = read_alert(alert, alert_id), Console(stderr=True)
    known, tally = load(knowledge_dir, site_rules), Tally()
    mapping = None if map_file is None else load_mapping(map_file)
    units = feed(paths, mapping, people, tally.unjoined)
    events = by_patient(units, Pipeline(known, fixed(system_clock())), tally, lambda _: None, only=given.patient_id)
    shown = explained(given, events.get(given.patient_id, []), known, RowFinder(knowledge_dir, site_rules))
    if tally.refused:
        people.print(
            Text(f"refused of these files: {counts(tally.refused)}; `rxvigil check` lists them"), soft_wrap=True
        )
    if json:
        sys.stdout.buffer.write(explain_show.as_json(shown))
    else:
        explain_show.write(Console(highlight=False), shown)
    return service.OK


@app.command(name="burden")
def count_burden(
    *paths: Annotated[Path, Parameter(help="files or folders, as `rxvigil check` takes them")],
    map_file: Annotated[
        Path | None, Parameter(name="--map", help="mapping file (TOML) of the delimited extracts")
    ] = None,
    json: Json = False,
    knowledge_dir: Site = "",
    site_rules: SiteRules = "",
) -> int:
    """Count the alerts of a feed by rule and severity, per admission and per day of one, and what was held back and why.

    An alert counts once, at the gravest severity that it reached. Nothing of a patient is printed.
    """
    if not paths:
        raise FeedError("name the files or folders to count the alerts of")
    mapping = None if map_file is None else load_mapping(map_file)
    found = burden.burden(paths, mapping, load(knowledge_dir, site_rules), Console(stderr=True))
    if json:
        _print_json(found)
    else:
        burden.write(Console(highlight=False), found)
    return service.OK


RulesFile = Annotated[Path, Parameter(help="file (TOML) with rules, or a folder of such files")]


@app.command
def check(file: RulesFile, /, *, knowledge_dir: Site = "") -> int:
    """Check rules that a site wrote: every fault with line, column and what is expected, and the canary of each, which is played.

    Exit 1 when the file cannot be used or a canary does not hold.
    """
    try:
        found = written.checked(file, knowledge_dir)
    except RulesError as error:
        console = Console(stderr=True, highlight=False)
        for fault in error.faults:
            console.print(Text(str(fault)), soft_wrap=True)
        console.print(f"{len(error.faults)} to mend; no rule of it is in force before")
        return service.FAILED
    except KnowledgeError as error:
        Console(stderr=True, highlight=False).print(Text(str(error)), soft_wrap=True)
        return service.FAILED
    written.write_checked(Console(highlight=False), found)
    return service.FAILED if any(each.faults for each in found) else service.OK


@app.command(name="try")
def try_rules(
    file: RulesFile,
    /,
    *paths: Annotated[Path, Parameter(help="files or folders with recorded events, as `rxvigil check` takes them")],
    map_file: Annotated[
        Path | None, Parameter(name="--map", help="mapping file (TOML) of the delimited extracts")
    ] = None,
    json: Json = False,
    knowledge_dir: Site = "",
) -> int:
    """Try rules on recorded data: what they would have raised, how often, by severity and for 100 patients, with examples.

    Only these rules are asked, so that nothing of them is held back for another. Exit 1 when the rules cannot be used. What is
    printed is of patients: for authorised eyes.
    """
    if not paths:
        raise FeedError("name the files or folders with recorded events to try the rules on")
    mapping = None if map_file is None else load_mapping(map_file)
    people = Console(stderr=True)
    try:
        found = written.tried(file, paths, mapping, knowledge_dir, people)
    except KnowledgeError as error:
        people.print(Text(str(error)), soft_wrap=True)
        return service.FAILED
    if json:
        _print_json(found)
    else:
        written.write_tried(Console(highlight=False), found)
    return service.OK


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value)) + b"\n")
