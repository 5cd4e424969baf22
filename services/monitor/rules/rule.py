"""What a rule is and what it finds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from knowledge.model import Knowledge
from schemas.alerts import Condition, Implicated
from schemas.values import Citation, Origin, Severity
from services.monitor.patient.bounds import Need
from services.monitor.patient.change import Change
from services.monitor.patient.obligation import Obligation
from services.monitor.patient.state import PatientState

WHOLE = ""
"""The part of a rule whose findings hang together and are found at once."""


class Finding(Struct, frozen=True, kw_only=True):
    """A problem that the state makes true now.

    ``subject`` names it at the level at which it is one problem: as long as a rule gives the same subject for a
    patient it is the same episode. ``rank`` orders findings of one severity and grows as the problem gets worse.
    ``since`` is the clinical time from which it is true, ``until`` when time alone may end or change it. ``origins``
    are the records behind ``implicated``, ``conditions`` what was asked of the patient and how it was answered,
    ``rows`` which rows of the knowledge made it (``interactions/pairs.csv#ssri-maoi``: the file and the row's first
    columns).

    ``medicines`` are the ingredients that it is about; ``problem`` is what it shares with findings of other rules that show the
    same (``hyperkalaemia``): of these the gravest reaches a person. ``opens``: not before (grace, in which the right action may
    come). ``held`` says why it reaches nobody at all. ``needs_closure``: it has reached the patient, so only a person ends it.
    """

    subject: str
    severity: Severity
    summary: str
    detail: str
    actions: tuple[str, ...]
    patient_explanation: str
    evidence_grade: str
    implicated: tuple[Implicated, ...]
    citations: tuple[Citation, ...]
    since: datetime
    rank: float = 0.0
    origins: tuple[Origin, ...] = ()
    until: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    rows: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    problem: str = ""
    opens: datetime | None = None
    held: str = ""
    needs_closure: bool = False


class Reads(Struct, frozen=True, kw_only=True):
    """What a rule looks at, so that an event costs what it touches. ``ingredients`` None: every medicine; ``analytes`` with
    what is kept of each for it; ``person``: what of the person, as ``Change.person`` names it, or all of it. ``doses``: of its
    medicines also the doses given, a third of all events; a rule about what is ordered says that it does not read them."""

    ingredients: Collection[str] | None = ()
    analytes: Mapping[str, Need] = {}
    person: bool | Collection[str] = False
    doses: bool = True


class Rule(Protocol):
    """A rule family: a pure function of state and knowledge. Now is the state's clock.

    ``id`` never changes once published; ``version`` changes when the logic does (what the data say is the knowledge's
    version). ``data`` are the files of the knowledge that it reads.
    """

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def data(self) -> tuple[str, ...]: ...

    def reads(self, knowledge: Knowledge) -> Reads:
        """Asked once; what is not in it does not evaluate the rule."""
        ...

    def citations(self, knowledge: Knowledge) -> Collection[Citation]:
        """Everything that it can cite."""
        ...

    def parts(self, change: Change, state: PatientState, knowledge: Knowledge) -> Collection[str]:
        """The parts in which ``change`` can make a finding true or false, or something due."""
        ...

    def findings(self, state: PatientState, knowledge: Knowledge, part: str) -> Iterable[Finding | Obligation]:
        """Every finding of a part that is true of ``state``, each subject once, and what is waited for in it.

        A rule that waits yields the obligation as long as the clock is before its ``due``, and from then on the finding. It is
        asked again at ``due``, also when nothing was running then. What it yields replaces all that it yielded for the part
        before; an obligation that is due already is not kept. Of one kind and subject the one that is due first counts.

        One that raises leaves what it had found as it was, and is asked again with the next evaluation.
        """
        ...
