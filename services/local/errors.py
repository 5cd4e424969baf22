"""What can go wrong with the embedded stack; the message says what, where and what to do."""

from __future__ import annotations


class StackError(RuntimeError):
    """The stack cannot start or cannot go on; nothing of it is left running."""


class DataDirError(StackError):
    """The data directory is in use, full or not writable."""


class PortTakenError(StackError):
    """A port that was asked for by name belongs to another process."""


class ChildDiedError(StackError):
    """A server or a service ended without being asked to."""
