"""What keeps notify from starting."""

from __future__ import annotations


class NotifyError(RuntimeError):
    """Notify cannot run as it is set up; the message says what to change."""
