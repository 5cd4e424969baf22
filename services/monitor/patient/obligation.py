"""What is due: something that is to happen for the patient by a time, kept until it has happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from services.monitor.patient.bounds import MAX_OBLIGATIONS

Kind = Literal["result", "supply", "look_again"]
"""``result``: a laboratory result of the analyte ``subject``; ``supply``: a supply for the order whose key is ``subject``;
``look_again``: a person wants to see the alert ``subject`` again."""


class Obligation(Struct, frozen=True, array_like=True, gc=False):
    """``since`` is when it was taken on: only what happened at or after it fulfils it. ``source`` says who asked for it: a
    rule's id or a person."""

    kind: Kind
    subject: str
    due: datetime
    source: str
    since: datetime

    @property
    def key(self) -> str:
        return f"{self.kind}\x1f{self.subject}\x1f{self.source}"


Obligations = Mapping[str, Obligation]


def with_obligation(obligations: Obligations, obligation: Obligation) -> Obligations:
    """Of one kind, subject and source the one taken on last stands; of too many those due first."""
    known = obligations.get(obligation.key)
    if known is not None and (known.since, known.due) >= (obligation.since, obligation.due):
        return obligations
    after = {**obligations, obligation.key: obligation}
    if len(after) > MAX_OBLIGATIONS:
        del after[max(after, key=lambda key: (after[key].due, key))]
    return after


def without(obligations: Obligations, keys: Iterable[str]) -> Obligations:
    """Without those that were fulfilled; the same when none was."""
    gone = set(keys) & obligations.keys()
    return {key: each for key, each in obligations.items() if key not in gone} if gone else obligations
