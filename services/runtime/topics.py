"""Makes the topics that ``schemas/asyncapi.yaml`` describes."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, NoError, TopicAlreadyExistsError, for_code

from schemas.topics import Topic, topics

KNOWN_SECONDS = 30.0


class BrokersUnreachableError(ConnectionError):
    """No broker answers at the addresses given."""


class TopicMismatchError(RuntimeError):
    """A topic exists with another number of partitions than the contract says."""


async def ensure_topics(brokers: str) -> list[str]:
    """Make every topic that is missing; the names of those made. Two processes may do so at once.

    Raises ``BrokersUnreachableError``, and ``TopicMismatchError`` where an existing topic has fewer or more partitions: the
    order of a patient's events and the place of the state depend on the number.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, client_id="rxvigil-topics")
    try:
        await admin.start()
    except (KafkaConnectionError, OSError) as error:
        await admin.close()
        raise BrokersUnreachableError(f"no Kafka broker answers at {brokers}: start one, or set --brokers") from error
    try:
        existing = set(await admin.list_topics())
        missing = [topic for name, topic in topics().items() if name not in existing]
        for topic in missing:
            await _create(admin, topic)
        await _known(admin)
        await _check(admin, sorted(existing & topics().keys()))
        return [topic.name for topic in missing]
    except TimeoutError as error:
        raise BrokersUnreachableError(f"the broker at {brokers} made the topics and does not tell of them") from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    new = NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=topic.config)
    response = await admin.create_topics([new])
    for name, code, message in response.topic_errors:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            raise RuntimeError(f"the topic {name} could not be made: {message or error.__name__}")


async def _known(admin: AIOKafkaAdminClient) -> None:
    """Wait until the broker tells of every topic: it learns of a new one a moment after the controller has made it, and
    who subscribes before is assigned nothing until its metadata is refreshed minutes later."""
    async with asyncio.timeout(KNOWN_SECONDS):
        while not topics().keys() <= set(await admin.list_topics()):  # noqa: ASYNC110 - only the broker knows
            await asyncio.sleep(0.05)


async def _check(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    for found in await admin.describe_topics(names) if names else []:
        there, wanted = len(found["partitions"]), topics()[found["topic"]].partitions
        if there != wanted:
            raise TopicMismatchError(
                f"the topic {found['topic']} has {there} partitions and schemas/asyncapi.yaml says {wanted}: "
                "make one of them like the other before any event is sent"
            )
