"""Joins the monitor's parts and runs it."""

from __future__ import annotations

import asyncio

from knowledge.model import Knowledge
from schemas import topics
from services.monitor.canaries.prober import Prober
from services.monitor.handler import TOPICS, MonitorHandler
from services.monitor.metrics import MonitorMetrics
from services.monitor.reload import SiteFiles
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
    site = SiteFiles(settings.knowledge_dir, settings.site_rules)
    handler = MonitorHandler(
        site.load(), lambda _: system_clock(), metrics.observe_held, tell_failed=metrics.observe_failed
    )
    metrics.observe_knowledge(handler.knowledge.version)
    await ensure_topics(settings.brokers)
    engine = Engine(
        app_id=APP_ID,
        brokers=settings.brokers,
        topics=TOPICS,
        handler=handler,
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

    def use(knowledge: Knowledge) -> None:
        handler.use(knowledge)
        metrics.observe_knowledge(knowledge.version)

    prober = Prober(
        settings.brokers, lambda: handler.knowledge, metrics.canaries, system_clock, settings.canary_interval
    )

    async def work(stop: asyncio.Event) -> None:
        beside = [asyncio.create_task(site.watch(use, metrics.observe_reload)), asyncio.create_task(prober.run())]
        try:
            await engine.run(stop, settings.stop_timeout)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside, timeout=settings.stop_timeout / 5)

    return await serve(work, http)
