"""Quix Streams, stateful, as its guide shows it: ``python quix_streams.py RUN``."""

from __future__ import annotations

import sys
from typing import Any

import dict_job  # type: ignore[import-not-found]
import orjson
from quixstreams import Application, State  # type: ignore[import-not-found]


def main(path: str) -> None:
    run = dict_job.settings(path)
    job = dict_job.Job(run["knowledge"])
    app = Application(
        broker_address=run["brokers"],
        consumer_group=run["group"],
        auto_offset_reset="earliest",
        state_dir=f"{run['folder']}/state",
        loglevel="WARNING",
    )
    source = app.topic(run["input"], value_deserializer="bytes", key_deserializer="bytes")
    output = app.topic(run["output"], value_serializer="bytes")

    def check(value: bytes, state: State) -> list[bytes]:
        patient: dict[str, Any] = state.get("patient") or dict_job.new()
        alerts = job.step(patient, orjson.loads(value))
        state.set("patient", patient)
        return [orjson.dumps(alert) for alert in alerts]

    app.dataframe(source).apply(check, stateful=True, expand=True).to_topic(output)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1])
