"""Makes the topics that ``schemas/asyncapi.yaml`` describes."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, NoError, TopicAlreadyExistsError, for_code

from schemas.topics import Topic, topics


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
        await _check(admin, sorted(existing & topics().keys()))
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    new = NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=topic.config)
    response = await admin.create_topics([new])
    for name, code, message in response.topic_errors:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            raise RuntimeError(f"the topic {name} could not be made: {message or error.__name__}")


async def _check(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    for found in await admin.describe_topics(names) if names else []:
        there, wanted = len(found["partitions"]), topics()[found["topic"]].partitions
        if there != wanted:
            raise TopicMismatchError(
                f"the topic {found['topic']} has {there} partitions and schemas/asyncapi.yaml says {wanted}: "
                "make one of them like the other before any event is sent"
            )
