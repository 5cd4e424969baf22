"""How far each partition was read, kept in the transaction that stores what was read."""

from __future__ import annotations

from typing import Any

from services.notify.store.sql import load

_SQL = load("offsets")


async def put(connection: Any, topic: str, partition: int, next_offset: int) -> None:
    await connection.execute(_SQL["put"], topic, partition, next_offset)


async def of_topic(connection: Any, topic: str) -> dict[int, int]:
    """The next offset to read by partition; a partition that was never read is not in it."""
    return {row["partition"]: row["next_offset"] for row in await connection.fetch(_SQL["of_topic"], topic)}
