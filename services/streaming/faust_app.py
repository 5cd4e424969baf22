"""The Faust application that an engine runs on: which settings, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust
from yarl import URL

from services.streaming.faust_consumer import Hooks, use_batch_transport
from services.streaming.faust_table import BatchTable

SESSION_SECONDS = 10.0
"""A worker that is silent for so long has lost its partitions."""

HEARTBEAT_SECONDS = 2.0
COMMIT_SECONDS = 0.5

FETCH_BYTES = 4 << 20
"""Of one partition at a time; more are only taken where one record is larger."""


def make_app(
    app_id: str, brokers: str, state_dir: Path, standby_replicas: int, changelog: str | None, hooks: Hooks
) -> Any:
    """Not started. ``changelog`` is the topic of its table, None when it has none."""
    urls = [URL(f"kafka://{broker.strip()}") for broker in brokers.split(",")]
    state_dir.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        app_id,
        broker=urls,
        store="memory://",
        datadir=str(state_dir),
        Table=BatchTable,
        table_standby_replicas=standby_replicas,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_commit_interval=COMMIT_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        # without it a stop waits for ever for one batch that is never acked
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    use_batch_transport(app, urls, changelog, hooks)
    return app
