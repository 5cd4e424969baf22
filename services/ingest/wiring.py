"""Joins ingest's parts and runs it."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from knowledge.loader import load
from schemas import topics
from services.ingest.handler import IngestHandler
from services.ingest.http.intake import Intake
from services.ingest.http.routes import fhir
from services.ingest.metrics import IngestMetrics
from services.ingest.pipeline import Pipeline
from services.ingest.sources import silence
from services.runtime.access import is_loopback
from services.runtime.clock import system_clock
from services.runtime.probes import HttpServer, listen, probe_routes
from services.runtime.service import serve
from services.runtime.settings import Settings
from services.runtime.topics import ensure_topics
from services.streaming.faust_engine import Engine
from services.streaming.producer import BatchProducer
from services.streaming.refusals import RefusalLimits

APP_ID = "rxvigil-ingest"

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises what keeps it from starting."""
    listener = listen(settings.host, settings.ingest_port)
    metrics = IngestMetrics(silence(settings.source_silence))
    pipeline = Pipeline(load(settings.knowledge_dir), system_clock)
    await ensure_topics(settings.brokers)
    engine = Engine(
        app_id=APP_ID,
        brokers=settings.brokers,
        topics=(*topics.SOURCES, topics.CANARIES),
        handler=IngestHandler(pipeline, system_clock, metrics.watch),
        state_dir=settings.state_dir / "ingest",
        metrics=metrics.stream,
        observe=metrics.observe,
        limits=RefusalLimits(settings.refusal_run, settings.refusal_ratio),
    )
    intake = Intake(pipeline, BatchProducer(settings.brokers, f"{APP_ID}-http"), system_clock)

    async def work(stop: asyncio.Event) -> None:
        await intake.start()
        try:
            await engine.run(stop, settings.stop_timeout)
        finally:
            await intake.stop()

    routes = [*probe_routes(metrics.registry, engine.ready), *ways_in(settings.host, intake, metrics)]
    return await serve(work, HttpServer(routes, listener))


def ways_in(host: str, intake: Intake, metrics: IngestMetrics) -> list[Any]:
    """``/fhir`` only where nobody from outside can reach it, until there is sign-in."""
    if is_loopback(host):
        return [fhir(intake, metrics)]
    log.warning("POST /fhir is not served: there is no sign-in yet, so it needs a loopback address", host=host)
    return []
