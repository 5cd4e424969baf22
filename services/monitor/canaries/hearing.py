"""What comes back of the canaries: their alerts, and the pictures of those that were forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas import codec, topics
from services.monitor.canaries.cases import Heard

GROUP = "rxvigil-canaries"
_TURN = TopicPartition(topics.CANARY_PICTURES, 0)


class Hearing:
    """Hears what is published from its start on. Of several processes the one that the broker gives the one partition of
    ``canary.pictures`` has the turn; the others hear nothing."""

    def __init__(self, pictures: AIOKafkaConsumer, alerts: AIOKafkaConsumer) -> None:
        self._pictures, self._alerts = pictures, alerts
        self._something = asyncio.Event()
        self._failure: BaseException | None = None
        self.heard = Heard({}, {})

    @classmethod
    @asynccontextmanager
    async def started(cls, brokers: str) -> AsyncIterator[Hearing]:
        """Raises what Kafka raises when it is away."""
        pictures = AIOKafkaConsumer(
            topics.CANARY_PICTURES,
            bootstrap_servers=brokers,
            client_id=GROUP,
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )
        alerts = AIOKafkaConsumer(bootstrap_servers=brokers, client_id=GROUP, auto_offset_reset="latest")
        hearing = cls(pictures, alerts)
        reading: list[asyncio.Task[None]] = []
        try:
            await pictures.start()
            await alerts.start()
            everywhere = range(topics.topics()[topics.CANARY_ALERTS].partitions)
            alerts.assign([TopicPartition(topics.CANARY_ALERTS, number) for number in everywhere])
            reading += [asyncio.create_task(hearing._read(each)) for each in (pictures, alerts)]
            yield hearing
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            for each in (pictures, alerts):
                with contextlib.suppress(Exception):
                    await each.stop()

    async def begin(self) -> bool:
        """Forget what was heard; whether it is this process's turn, and then whatever is published from now on will be heard."""
        if _TURN not in self._pictures.assignment():
            return False
        for consumer in (self._pictures, self._alerts):
            for partition in consumer.assignment():
                await consumer.position(partition)
        self.heard = Heard({}, {})
        return True

    async def more(self, seconds: float) -> None:
        """Wait until something more has been heard, at most so long. Raises what keeps it from hearing."""
        if self._failure is not None:
            raise self._failure
        self._something.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._something.wait(), max(0.0, seconds))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        try:
            async for record in consumer:
                self._take(record)
                self._something.set()
        except Exception as error:
            self._failure = error
            self._something.set()

    def _take(self, record: ConsumerRecord) -> None:
        alerts, pictures = self.heard
        if record.topic == topics.CANARY_PICTURES:
            # one that is repeated after a crash, when nothing is known any more, says nothing of the first time
            pictures.setdefault(record.key.decode(), codec.decode_picture(record.value) if record.value else None)
            return
        alert = codec.decode_alert(record.value)
        known = alerts.get(alert.alert_id)
        if known is None or known.revision < alert.revision:
            alerts[alert.alert_id] = alert
