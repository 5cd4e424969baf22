"""Plays one fault to its end: topics, workers and load, the fault, a clean restart from an empty store, the checker."""

from __future__ import annotations

import asyncio
import shutil
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.local.errors import StackError
from services.local.stack import Stack
from tests.faults import checker
from tests.faults.catalogue import FAULTS, NotPossibleError
from tests.faults.load import KEYS
from tests.faults.run import Run, RunError

TOLD = ("live", "restored")


@dataclass
class Result:
    """What a run came to. ``verdict`` is None when it did not come to the comparison; ``failed`` then says why."""

    fault: str
    seed: int
    broken: str | None
    began: str
    what: str
    seconds: float = 0.0
    notes: list[tuple[float, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    verdict: checker.Verdict | None = None
    failed: str = ""
    skipped: str = ""

    @property
    def outcome(self) -> str:
        if self.skipped:
            return "skipped"
        return "passed" if not self.failed and not self.findings and self.verdict and self.verdict.clean else "FAILED"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"outcome": self.outcome}


async def play(
    stack: Stack, name: str, seed: int, folder: Path, broken: str | None = None, short: bool = False
) -> Result:
    """Play a fault once. Ends every process that it started; the logs stay in ``folder`` unless the run passed."""
    began, fault = time.monotonic(), FAULTS[name]
    what = " ".join((fault.__doc__ or "").split())
    result = Result(name, seed, broken, datetime.now(UTC).isoformat(timespec="seconds"), what)
    run = Run(stack, folder, f"{name}-{seed}-{int(time.time())}", seed, broken, short)
    try:
        await run.make_topics()
        await fault(run)
        await _finish(run)
        result.verdict = await checker.check(stack.brokers, run.name, TOLD)
        run.note("compared")
    except NotPossibleError as error:
        result.skipped = str(error)
    except (RunError, StackError) as error:
        result.failed = str(error)
    except Exception:
        result.failed = traceback.format_exc()  # the runs after this one are still worth having
    finally:
        await run.close()
    result.notes, result.findings, result.seconds = run.notes, run.findings, round(time.monotonic() - began, 1)
    if result.outcome == "passed":
        shutil.rmtree(folder, ignore_errors=True)
    return result


async def _finish(run: Run) -> None:
    """Everything handled; every state told by the workers that are there, then by one that starts from nothing."""
    await run.end_load()
    await run.drain()
    await run.tell("live", KEYS)
    await asyncio.gather(*(run.stop(name) for name in run.workers))
    await run.start("fresh")
    await run.tell("restored", KEYS)
    await run.stop("fresh")
