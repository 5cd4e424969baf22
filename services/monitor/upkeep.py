"""`rxvigil state`: what the monitor keeps of a patient, and how it is made anew."""

from __future__ import annotations

import shutil
from typing import Any, Literal

import msgspec
from aiokafka import TopicPartition

from schemas import topics
from services.monitor.handler import TOPICS
from services.monitor.patient.stored import decode
from services.monitor.wiring import APP_ID
from services.runtime.settings import Settings
from services.runtime.topics import ensure_topics
from services.streaming import rebuild

Origin = Literal["changelog", "events"]


class NoStateError(LookupError):
    """The monitor keeps nothing of this patient."""


async def show(settings: Settings, patient_id: str, tell: rebuild.Tell) -> dict[str, Any]:
    """The state of a patient with where it stands, ready for JSON. Raises ``NoStateError``."""
    found = await rebuild.newest(settings.brokers, topics.PATIENT_STATE, _partitions(), patient_id.encode(), tell)
    if found is None:
        raise NoStateError(
            "the monitor keeps nothing of this patient: no event of theirs has come, or the id is another"
        )
    place = {"partition": found.partition, "offset": found.offset, "epoch": found.epoch, "bytes": len(found.value)}
    return {"changelog": place, "state": named(decode(found.value))}


def named(value: Any) -> Any:
    """With the names of fields, which what is stored leaves out."""
    if isinstance(value, msgspec.Struct):
        return {name: named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name.replace("\x1f", " "): named(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [named(part) for part in value]
    return None if value is msgspec.UNSET else value


async def rebuild_state(settings: Settings, origin: Origin, tell: rebuild.Tell) -> None:
    """Make the monitor's next start build its state anew.

    ``changelog``: this machine's local store is deleted, and restored from the changelog. ``events``: the changelog is
    deleted too, and every event and answer that the broker still has is applied again; the alerts come out under the same
    ids. Raises ``StillRunningError`` while a monitor runs: it would write on.
    """
    await rebuild.ensure_stopped(settings.brokers, APP_ID)
    if origin == "events":
        epochs = await rebuild.highest_epochs(settings.brokers, topics.PATIENT_STATE, _partitions(), tell)
        await rebuild.remove(settings.brokers, topics.PATIENT_STATE)
        await ensure_topics(settings.brokers)
        # the next owners must come after those of the changelog that is gone, or notify would take them for former ones
        await rebuild.mark(settings.brokers, topics.PATIENT_STATE, epochs)
        inputs = [TopicPartition(name, number) for name in TOPICS for number in range(_partitions())]
        await rebuild.begin_again(settings.brokers, APP_ID, inputs)
    shutil.rmtree(settings.state_dir / "monitor", ignore_errors=True)


def _partitions() -> int:
    """The state and the topics that it is made of have as many partitions."""
    return topics.topics()[topics.PATIENT_STATE].partitions
