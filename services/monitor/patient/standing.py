"""What is found of a patient and still stands: the open problems, and those that reach nobody, with the reason."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from schemas.values import Severity


class Standing(Struct, frozen=True, array_like=True, gc=False):
    """A finding as it is kept beside the open alerts. ``until``: when time alone may change it. ``held`` is why it is no alert,
    empty when it is one: ``by`` is the key of a graver one that holds it back, ``opens`` the time up to which it waits.
    ``summary`` is only kept of one that is held.
    """

    rule: str
    subject: str
    part: str
    severity: Severity
    rank: float
    since: datetime
    until: datetime | None = None
    medicines: tuple[str, ...] = ()
    problem: str = ""
    held: str = ""
    by: str = ""
    opens: datetime | None = None
    summary: str = ""
