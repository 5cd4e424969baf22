"""Alerts: one medication-related problem of one patient, from the moment it was true until it is not.

Every change is published whole under the same ``alert_id`` with a ``revision`` one higher, so a late copy never
overwrites a newer one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.values import Citation, Key, Origin, Severity, Time

Status = Literal["open", "resolved", "withdrawn"]
"""``resolved``: the state no longer makes it true. ``withdrawn``: the facts behind it turned out wrong."""

Change = Literal["opened", "updated", "acknowledged", "attention", "resolved", "withdrawn"]
"""``attention``: it got worse after somebody had acknowledged it, and asks again."""

Summary = Annotated[str, Meta(max_length=139)]


class Implicated(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact that makes the alert true: an order, a dispensing, a dose or a result with its value and time.

    ``value`` in ``unit`` is what the rule compared; ``received`` is the result as its laboratory wrote it, with comparator and
    unit (``>30 mmol/L``).
    """

    kind: Literal["prescription", "dispensing", "administration", "lab_result", "observation"]
    source: Key
    record_id: Key
    version: int
    label: str
    at: Time
    until: Time | None = None
    value: float | None = None
    unit: str = ""
    received: str = ""


class Condition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a rule asked of the patient, and the answer. ``found`` is what it was answered from, in words."""

    text: str
    answer: Literal["yes", "no", "unknown"]
    found: str = ""


class HistoryEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change, with how grave it then was. ``at`` is clinical time, ``recorded_at`` when the monitor or a person made it;
    ``by`` is a person's name, empty for the monitor. ``facts`` are the facts that this change added."""

    revision: int
    change: Change
    at: Time
    why: str
    severity: Severity
    rank: float = 0.0
    by: str = ""
    reason: str = ""
    recorded_at: Time | None = None
    facts: tuple[Implicated, ...] = ()


class Acknowledgement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who answered, when, with which reason code and which words."""

    by: str
    at: Time
    reason: str
    comment: str = ""


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One episode of one problem.

    ``subject`` is what is implicated at the level at which it is one problem (``fluoxetine+phenelzine``,
    ``potassium:high``). ``previous`` is the alert of the episode before of the same problem, empty where none is remembered.
    ``true_since`` is clinical time, ``detected_at`` the monitor's clock. ``rank`` orders alerts of one
    severity, gravest highest. ``implicated`` is what makes it true now; what it was before is in ``history``.

    ``conditions`` is what the rule asked of the patient, ``rows`` the rows of the knowledge behind it (file and first columns:
    ``interactions/pairs.csv#ssri-maoi``), ``medicines`` the ingredients that it is about. ``needs_closure``: it
    has reached the patient (a dose given), so it stays open until a person has answered, whatever happened since.
    """

    alert_id: str
    revision: int
    patient_id: Key
    rule: str
    rule_version: str
    knowledge_version: str
    family: str
    subject: str
    severity: Severity
    evidence_grade: str
    status: Status
    summary: Summary
    detail: str
    actions: tuple[str, ...]
    patient_explanation: str
    implicated: tuple[Implicated, ...]
    citations: tuple[Citation, ...]
    origins: tuple[Origin, ...]
    history: tuple[HistoryEntry, ...]
    true_since: Time
    detected_at: Time
    rank: float = 0.0
    acknowledgement: Acknowledgement | None = None
    facility: str = ""
    unit: str = ""
    previous: str = ""
    conditions: tuple[Condition, ...] = ()
    rows: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    needs_closure: bool = False
