"""Faust as its guide shows it: an agent, a Table on RocksDB, a topic send per alert.

python stock_faust.py RUN worker --without-web
"""

from __future__ import annotations

import sys
import time
from typing import Any

import dict_job  # type: ignore[import-not-found]
import faust
import orjson

run = dict_job.settings(sys.argv.pop(1))
job = dict_job.Job(run["knowledge"])
app = faust.App(
    run["group"],
    broker=f"kafka://{run['brokers']}",
    store="rocksdb://?driver=rocksdict",
    datadir=f"{run['folder']}/state",
    topic_partitions=run["partitions"],
    topic_replication_factor=1,
    # the default of 60 s would only let the next start wait for the group
    broker_session_timeout=30,
    consumer_auto_offset_reset="earliest",
    key_serializer="raw",
    value_serializer="raw",
)
source = app.topic(run["input"], value_type=bytes)
output = app.topic(run["output"], value_type=bytes)
patients = app.Table("state", partitions=run["partitions"])


@app.agent(source)
async def check(stream: Any) -> None:
    async for value in stream:
        event = orjson.loads(value)
        state = patients.get(event["patient"]) or dict_job.new()
        for alert in job.step(state, event):
            await output.send(key=event["patient"].encode(), value=orjson.dumps(alert))
        patients[event["patient"]] = state


@app.on_rebalance_complete.connect
async def tell(*_: Any, **__: Any) -> None:
    # a worker sends what is printed to its log, and its spinner has written to this line
    print("\nready", time.monotonic(), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    app.main()
