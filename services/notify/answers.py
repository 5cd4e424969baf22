"""Taking a person's answer to an alert."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from schemas.feedback import REASONS, Answer, Feedback
from schemas.identity import fixed_id
from services.notify.store import alerts, answers, changes

_ANSWERS: dict[str, Answer] = {"will_monitor": "will_monitor", "not_relevant": "not_relevant"}

Why = Literal["unknown", "ended", "changed", "not_yet"]

_WORDS: dict[Why, str] = {
    "unknown": "There is no alert with this id.",
    "ended": "This alert has ended meanwhile, so no answer is needed.",
    "changed": "This alert has got worse since you looked. Look at it again, then answer.",
    "not_yet": "The alert has no such revision yet. Load it again, then answer.",
}


class NotTakenError(Exception):
    """An answer was not taken; ``why`` and words for the person who gave it."""

    def __init__(self, why: Why) -> None:
        super().__init__(_WORDS[why])
        self.why = why


class Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer as given. ``revision`` is the alert's revision that the person saw; ``answer`` follows from ``reason`` when
    it is left out."""

    by: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
    reason: Annotated[str, Meta(extra_json_schema={"enum": list(REASONS)})]
    revision: Annotated[int, Meta(ge=1, le=2**53)]
    answer: Answer | None = None
    comment: Annotated[str, Meta(max_length=2000)] = ""

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"reason must be one of {', '.join(REASONS)}")


async def take(pool: Any, alert_id: str, given: Given, now: datetime) -> tuple[Feedback, bool]:
    """Record an answer; the one that stands and whether it is new. Raises ``NotTakenError``.

    The same answer to the same revision is recorded once, whoever gives it again. It leaves for the monitor through the
    outbox that the row itself is.
    """
    async with pool.acquire() as connection, connection.transaction():
        stored = await alerts.find_and_hold(connection, alert_id)
        feedback = _feedback(stored, alert_id, given, now)
        standing = await answers.add(connection, feedback)
        await changes.announce(connection)
    return standing, standing == feedback


def _feedback(stored: alerts.Stored | None, alert_id: str, given: Given, now: datetime) -> Feedback:
    if stored is None:
        raise NotTakenError("unknown")
    if stored.list == "ended":
        raise NotTakenError("ended")
    if given.revision < stored.asks_since:
        raise NotTakenError("changed")
    if given.revision > stored.alert.revision:
        raise NotTakenError("not_yet")
    answer = given.answer or _ANSWERS.get(given.reason, "acknowledged")
    return Feedback(
        feedback_id=fixed_id("feedback", alert_id, given.revision, answer),
        alert_id=alert_id,
        patient_id=stored.alert.patient_id,
        revision=given.revision,
        answer=answer,
        reason=given.reason,
        by=given.by.strip(),
        at=now,
        comment=given.comment.strip(),
    )
