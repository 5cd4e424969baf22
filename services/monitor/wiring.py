"""Joins the monitor's parts and runs it."""

from __future__ import annotations

from knowledge.loader import load
from schemas import topics
from services.monitor.handler import TOPICS, MonitorHandler
from services.monitor.metrics import MonitorMetrics
from services.runtime.clock import system_clock
from services.runtime.probes import HttpServer, listen, probe_routes
from services.runtime.service import serve
from services.runtime.settings import Settings
from services.runtime.topics import ensure_topics
from services.streaming.faust_engine import Engine
from services.streaming.refusals import RefusalLimits

APP_ID = "rxvigil-monitor"
STATE = "patient-state"


async def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises what keeps it from starting."""
    listener = listen(settings.host, settings.monitor_port)
    metrics = MonitorMetrics()
    knowledge = load(settings.knowledge_dir)
    await ensure_topics(settings.brokers)
    engine = Engine(
        app_id=APP_ID,
        brokers=settings.brokers,
        topics=TOPICS,
        handler=MonitorHandler(knowledge, lambda _: system_clock(), metrics.observe_held),
        state=STATE,
        state_dir=settings.state_dir / "monitor",
        partitions=topics.topics()[topics.PATIENT_STATE].partitions,
        metrics=metrics.stream,
        observe=metrics.observe,
        standby_replicas=settings.standby_replicas,
        cache_bytes=settings.state_cache_bytes,
        limits=RefusalLimits(settings.refusal_run, settings.refusal_ratio),
    )
    http = HttpServer(probe_routes(metrics.registry, engine.ready), listener)
    return await serve(lambda stop: engine.run(stop, settings.stop_timeout), http)
