"""Who takes part, and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from bench import prepare
from services.streaming.faust_app import COMMIT_SECONDS

COMMIT_MS = str(int(COMMIT_SECONDS * 1000))
LOOP = "loop"
ENGINE = "engine"
STOCK = "stock Faust"


class Entrant(Struct, frozen=True):
    """``command`` gives the arguments of a process for the file of a ``Run``. ``share`` of the events is enough for it: a
    contender that is a hundredth as fast is not read for a hundred times as long."""

    name: str
    command: Callable[[Path], list[str]]
    share: float = 1.0


def python(name: str, job: str) -> Entrant:
    """The engine or the loop, with the common ``job`` or the ``monitor``."""
    return Entrant(name, lambda run: [sys.executable, "-m", "bench.worker", name, job, str(run)])


def stock_faust() -> Entrant:
    script = str(prepare.PEERS / "stock_faust.py")
    options = ("worker", "--without-web", "--loglevel", "error")
    return Entrant(STOCK, lambda run: [sys.executable, script, str(run), *options], share=0.1)


def peers(console: Console) -> list[Entrant]:
    """The peers, installed and compiled when they are missing."""
    java, quix = prepare.kafka_streams(console), str(prepare.quix(console))
    return [
        Entrant("Kafka Streams", lambda run: [*java, str(run), "at_least_once"]),
        Entrant("Kafka Streams, commits as we do", lambda run: [*java, str(run), "at_least_once", COMMIT_MS]),
        Entrant("Kafka Streams, exactly once", lambda run: [*java, str(run), "exactly_once_v2"]),
        Entrant("Quix Streams", lambda run: [quix, str(prepare.PEERS / "quix_streams.py"), str(run)]),
        stock_faust(),
    ]
