"""The load: `python -m tests.faults.load BROKERS --run RUN --seed N [--rate FACTS_A_SECOND]`.

Publishes facts, and answers a tenth as often, until SIGTERM. A broker that is away is waited for. It prints nothing that the
checker believes: what counts is what is on the topics in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import sys
import time

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.runtime.service import until_stopped
from tests.faults.ledger import Topics

TICK = 0.02
KEYS = 300
STEPS = (-3, -2, -1, -1, 1, 1, 2, 3, 4)


class Load:
    """Facts and answers that follow from a seed alone. Every ``poison_every``th fact (0: none) is no JSON."""

    def __init__(self, topics: Topics, seed: int, keys: int = KEYS, poison_every: int = 0, pad: int = 0) -> None:
        self._topics, self._keys, self._poison_every = topics, keys, poison_every
        self._rnd = random.Random(seed)
        self._pad = ',"pad":"%s"' % ("p" * pad) if pad else ""
        self._levels: dict[int, int] = {}
        self.facts = self.answers = 0

    def fact(self) -> tuple[str, bytes, bytes]:
        self.facts += 1
        key = self._rnd.randrange(self._keys)
        step = self._rnd.choice(STEPS)
        level = self._levels.get(key, 0)
        if not -12 <= level + step <= 24:  # so that alerts go on opening and closing
            step = -step
        self._levels[key] = level + step
        poison = self._poison_every and self.facts % self._poison_every == 0
        value = f"poison {self.facts}" if poison else f'{{"n":{self.facts},"x":{step}{self._pad}}}'
        return self._topics.facts, b"key-%d" % key, value.encode()

    def answer(self) -> tuple[str, bytes, bytes]:
        self.answers += 1
        return self._topics.answers, b"key-%d" % self._rnd.randrange(self._keys), b'{"a":%d}' % self.answers


async def publish(brokers: str, load: Load, rate: float, stop: asyncio.Event) -> None:
    """Publish at ``rate`` facts a second until ``stop``; with rate 0 as fast as the producer takes them."""
    producer = await _connected(brokers)
    started, due = time.monotonic(), 0.0
    try:
        while not stop.is_set():
            due = (time.monotonic() - started) * rate if rate else due + 1000
            while load.facts < due and not stop.is_set():
                await _send(producer, *load.fact())
                if load.facts % 10 == 0:
                    await _send(producer, *load.answer())
            await asyncio.sleep(TICK)
    finally:
        with contextlib.suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(producer.stop(), 10)


async def _connected(brokers: str) -> AIOKafkaProducer:
    while True:
        producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all", enable_idempotence=True, linger_ms=5)
        try:
            await producer.start()
        except (KafkaError, OSError):
            await producer.stop()
            await asyncio.sleep(1)
        else:
            return producer


async def _send(producer: AIOKafkaProducer, topic: str, key: bytes, value: bytes) -> None:
    # what a broker that is away does not take in time is missing from the topic and so from the recomputation too
    with contextlib.suppress(KafkaError):
        (await producer.send(topic, key=key, value=value)).add_done_callback(
            lambda sent: sent.cancelled() or sent.exception()
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.load")
    parser.add_argument("brokers")
    parser.add_argument("--run", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float, default=600)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--poison-every", type=int, default=0)
    parser.add_argument("--pad", type=int, default=0)
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    load = Load(Topics(arguments.run), arguments.seed, arguments.keys, arguments.poison_every, arguments.pad)
    asyncio.run(until_stopped(lambda stop: publish(arguments.brokers, load, arguments.rate, stop)))
    print(f"published {load.facts} facts and {load.answers} answers", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
