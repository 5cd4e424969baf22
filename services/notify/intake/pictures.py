"""``medication.patients``: the newest picture of each patient is kept, and an erased one is erased.

Pages are not told of each: there are as many pictures as events, so a page that shows one looks again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord

from schemas import codec, topics
from schemas.canaries import is_canary
from services.notify.intake.batches import Count, Kind
from services.notify.intake.reading import RefusedError, decoded, epoch_of
from services.notify.metrics import NotifyMetrics
from services.notify.store import pictures
from services.notify.store.pictures import Received


def read(record: ConsumerRecord) -> Received:
    """The picture of a record, or that the patient of its key is erased. Raises ``RefusedError``."""
    epoch, offset = epoch_of(record), record.offset
    if record.value:
        picture = decoded(record.value, codec.decode_picture, "a patient's picture")
        return Received(picture.patient_id, epoch, offset, picture)
    try:
        patient_id = (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise RefusedError("not_utf8", "the key is not UTF-8") from error
    if not patient_id:
        raise RefusedError("empty", "the record has neither a key nor a value")
    return Received(patient_id, epoch, offset, None)


class PictureKind(Kind[Received]):
    topic = topics.PICTURES

    def __init__(self, metrics: NotifyMetrics) -> None:
        self._metrics = metrics

    def read(self, record: ConsumerRecord) -> Received:
        return read(record)

    async def store(self, connection: Any, found: Sequence[Received], now: datetime) -> Count:
        of_people = [each for each in found if not is_canary(each.patient_id)]
        stored = await pictures.put(connection, of_people, now)

        def count() -> None:
            self._metrics.pictures.inc(stored)
            self._metrics.canaries.inc(len(found) - len(of_people))

        return count
