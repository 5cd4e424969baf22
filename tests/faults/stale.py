"""A stale changelog writer: `python -m tests.faults.stale BROKERS --run RUN`.

Reads the changelog, takes of each key its oldest record, if a later owner has written since, and writes it again at the end,
to the byte and with its old epoch: what a former owner does that was frozen with a batch at its producer.
Prints the number of records written.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from aiokafka import AIOKafkaProducer

from tests.faults.ledger import Topics
from tests.faults.reading import epoch_of, read_topic


async def write(brokers: str, topics: Topics) -> int:
    oldest: dict[bytes, tuple[int, object]] = {}
    newest: dict[bytes, tuple[int, bytes | None]] = {}
    for record in await read_topic(brokers, topics.changelog):
        if record.key is None:
            continue
        oldest.setdefault(record.key, (epoch_of(record), record))
        newest[record.key] = max(
            newest.get(record.key, (0, None)), (epoch_of(record), record.value), key=lambda at: at[0]
        )
    producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all")
    await producer.start()
    written = 0
    try:
        for key, (epoch, old) in oldest.items():
            # an engine without epochs has nothing by which it could be told
            if newest[key][1] != old.value and (epoch < newest[key][0] or epoch == 0):  # type: ignore[attr-defined]
                await producer.send_and_wait(
                    topics.changelog,
                    key=key,
                    value=old.value,  # type: ignore[attr-defined]
                    partition=old.partition,  # type: ignore[attr-defined]
                    headers=list(old.headers),  # type: ignore[attr-defined]
                )
                written += 1
    finally:
        await producer.stop()
    return written


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.stale")
    parser.add_argument("brokers")
    parser.add_argument("--run", required=True)
    arguments = parser.parse_args()
    print(asyncio.run(write(arguments.brokers, Topics(arguments.run))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
