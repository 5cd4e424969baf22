"""What one contender is told, as a JSON file that every language reads."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.job import Knowledge, knowledge


class Run(msgspec.Struct, kw_only=True):
    """``group`` names the consumer group and, with ``-state-changelog`` behind it, the changelog topic. ``folder`` is the
    contender's own. ``standbys`` is the number of standby copies of each state."""

    brokers: str
    input: str
    output: str
    group: str
    folder: str
    partitions: int
    standbys: int = 0
    knowledge: Knowledge = msgspec.field(default_factory=knowledge)

    @property
    def changelog(self) -> str:
        return f"{self.group}-state-changelog"

    def write(self) -> Path:
        """The file, in the contender's folder."""
        path = Path(self.folder) / "run.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(self))
        return path


def read(path: str) -> Run:
    return msgspec.json.decode(Path(path).read_bytes(), type=Run)
