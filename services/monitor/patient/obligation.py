"""What is due: something that is to happen for the patient by a time, kept until it has happened or the time has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from services.monitor.patient.bounds import MAX_OBLIGATIONS

Kind = Literal["result", "supply", "look_again", "dose", "review"]
"""``result``: a laboratory result of the analyte ``subject``; ``supply``: a supply for the order whose key is ``subject``;
``dose``: a dose of it; ``review``: a look at ``subject`` by a person; ``look_again``: a person wants to see the alert ``subject``
again."""


class Obligation(Struct, frozen=True, array_like=True, gc=False):
    """``since`` is when it was taken on. ``source`` says who asked for it: a rule's id, or for ``look_again`` a person.

    What a rule yields is the rule's: it is given up when the rule, asked again for its ``part``, does not yield it any more, and
    at ``due`` the rule is asked. ``source`` and ``part`` are then set by whoever asks.
    """

    kind: Kind
    subject: str
    due: datetime
    source: str
    since: datetime
    part: str = ""

    @property
    def key(self) -> str:
        key = f"{self.kind}\x1f{self.subject}\x1f{self.source}"
        return f"{key}\x1f{self.part}" if self.part else key

    @property
    def of_rule(self) -> bool:
        """Whether a rule yielded it."""
        return self.kind != "look_again"


Obligations = Mapping[str, Obligation]


def with_obligation(obligations: Obligations, obligation: Obligation) -> Obligations:
    """With what a person asked for: of one kind, subject and source the one taken on last stands; of too many those due first."""
    known = obligations.get(obligation.key)
    if known is not None and (known.since, known.due) >= (obligation.since, obligation.due):
        return obligations
    return bounded({**obligations, obligation.key: obligation})[0]


def without(obligations: Obligations, keys: Iterable[str]) -> Obligations:
    """Without those that were fulfilled; the same when none was."""
    gone = set(keys) & obligations.keys()
    return {key: each for key, each in obligations.items() if key not in gone} if gone else obligations


def bounded(obligations: Obligations) -> tuple[Obligations, list[Obligation]]:
    """As many as are kept, those due first, and what there was no room for."""
    if len(obligations) <= MAX_OBLIGATIONS:
        return obligations, []
    first = sorted(obligations, key=lambda key: (obligations[key].due, key))
    kept = dict.fromkeys(first[:MAX_OBLIGATIONS])
    return {key: each for key, each in obligations.items() if key in kept}, [
        obligations[key] for key in first[MAX_OBLIGATIONS:]
    ]
