"""Joins ingest's parts and runs it."""

from __future__ import annotations

from knowledge.loader import load
from schemas import topics
from services.ingest.handler import IngestHandler
from services.ingest.metrics import IngestMetrics
from services.ingest.pipeline import Pipeline
from services.runtime.clock import system_clock
from services.runtime.probes import HttpServer, listen, probe_routes
from services.runtime.service import serve
from services.runtime.settings import Settings
from services.runtime.topics import ensure_topics
from services.streaming.faust_engine import Engine
from services.streaming.refusals import RefusalLimits

APP_ID = "rxvigil-ingest"


async def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises what keeps it from starting."""
    listener = listen(settings.host, settings.ingest_port)
    metrics = IngestMetrics()
    pipeline = Pipeline(load(), system_clock)
    await ensure_topics(settings.brokers)
    engine = Engine(
        app_id=APP_ID,
        brokers=settings.brokers,
        topics=topics.SOURCES,
        handler=IngestHandler(pipeline, system_clock, metrics.watch),
        state_dir=settings.state_dir / "ingest",
        metrics=metrics.stream,
        observe=metrics.observe,
        limits=RefusalLimits(settings.refusal_run, settings.refusal_ratio),
    )
    http = HttpServer(probe_routes(metrics.registry, engine.ready), listener)
    return await serve(lambda stop: engine.run(stop, settings.stop_timeout), http)
