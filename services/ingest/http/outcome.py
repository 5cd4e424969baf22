"""FHIR's OperationOutcome (R4): what came of a message, for the program that sent it.

No text here repeats a value of the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from schemas.dead_letters import DeadLetter

Severity = Literal["fatal", "error", "warning", "information"]

MOST_ISSUES = 100
"""Refused parts that are told one by one; a message may hold a thousand times as many."""

ISSUE_TYPES = {
    "empty": "required",
    "too_large": "too-long",
    "too_many": "too-costly",
    "not_utf8": "structure",
    "not_json": "structure",
    "unknown_type": "not-supported",
    "schema": "invalid",
}
"""FHIR's issue type for a reason of ``schemas.dead_letters``; any other reason is ``processing``."""


class Issue(Struct, frozen=True, omit_defaults=True):
    """``code`` is of FHIR's value set issue-type; ``expression`` are paths in the message."""

    severity: Severity
    code: str
    diagnostics: str
    expression: tuple[str, ...] = ()


class OperationOutcome(Struct, frozen=True, tag_field="resourceType", tag="OperationOutcome"):
    """At least one issue."""

    issue: tuple[Issue, ...]


def refusals(letters: Sequence[DeadLetter], root: str, then: str) -> list[Issue]:
    """An error for each refused part of a message whose resource type is ``root``; ``then`` says what becomes of them."""
    issues = [_refusal(letter, root, then) for letter in letters[:MOST_ISSUES]]
    if more := len(letters) - len(issues):
        issues.append(Issue("error", "incomplete", f"{more} more parts were refused and are not listed here"))
    return issues


def _refusal(letter: DeadLetter, root: str, then: str) -> Issue:
    path = root + letter.place.removeprefix("$") if letter.place.startswith("$") else letter.place or root
    return Issue(
        "error", ISSUE_TYPES.get(letter.reason, "processing"), f"{letter.reason}: {letter.detail}{then}", (path,)
    )
