"""Why an engine ends or a lane dies."""

from __future__ import annotations


class EngineError(RuntimeError):
    """The engine cannot go on; the message says what happened, where, and what to do."""


class LaneLost(Exception):  # noqa: N818 - no error: another worker goes on with the partition
    """The lane may write nothing any more: its partition is another's, or this process was frozen for too long."""
