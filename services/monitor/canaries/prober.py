"""Tries every rule again and again, in the running system, with synthetic patients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from knowledge.model import Knowledge
from services.monitor.canaries.cases import SLOTS, Sent, came_back, cases_of, fault, sent
from services.monitor.canaries.hearing import Hearing
from services.monitor.canaries.metrics import CanaryMetrics, Round
from services.monitor.evaluate import index_of
from services.monitor.rules.canary import CanaryError
from services.runtime.clock import Clock
from services.streaming.producer import BatchProducer

WITHIN_SECONDS = 30.0
"""How long what was sent may take to come back. Later is a system that is behind, which its lag tells better."""
SETTLE_SECONDS = 5.0
"""An alert may be read after the picture that was published with it."""
TOGETHER = 16
"""Rules that are tried at one time: people's events wait behind those of synthetic patients, a tenth of a second and not two."""
_TURN_SECONDS = 2.0
_RETRY_SECONDS = 5.0

_WORST_FIRST: tuple[Round, ...] = ("failed", "unanswered", "held")

log = structlog.get_logger(__name__)


class Prober:
    """Every rule once every ``interval`` seconds, a few at a time, as long as it is this process's turn. ``knowledge`` gives the
    one in force."""

    def __init__(
        self, brokers: str, knowledge: Callable[[], Knowledge], metrics: CanaryMetrics, clock: Clock, interval: float
    ) -> None:
        self._brokers = brokers
        self._knowledge = knowledge
        self._metrics = metrics
        self._clock = clock
        self._interval = interval
        self._round = int(clock().timestamp()) % SLOTS

    async def run(self) -> None:
        """Until cancelled. Whatever goes wrong is logged and tried again: it must not end the monitor."""
        while self._interval > 0:
            try:
                await self._rounds()
            except Exception as error:
                self._metrics.rounds.labels("unsent").inc()
                log.warning("the canaries cannot be sent or heard; trying again", error=type(error).__name__)
            await asyncio.sleep(min(_RETRY_SECONDS, self._interval))

    async def _rounds(self) -> None:
        producer = BatchProducer(self._brokers, "rxvigil-canaries-producer")
        async with Hearing.started(self._brokers) as hearing:
            await producer.start()
            try:
                while True:
                    if not await hearing.begin():
                        self._metrics.nobody()
                        await asyncio.sleep(min(_TURN_SECONDS, self._interval))
                        continue
                    outcomes = await self._all(hearing, producer)
                    self._metrics.rounds.labels(next(each for each in _WORST_FIRST if each in outcomes)).inc()
            finally:
                await producer.stop()

    async def _all(self, hearing: Hearing, producer: BatchProducer) -> set[Round]:
        """One round, spread over the interval."""
        now = asyncio.get_running_loop().time
        self._round += 1
        ids = list(index_of(self._knowledge()).rules)
        self._metrics.of(set(ids), self._clock().timestamp())
        groups = [ids[first : first + TOGETHER] for first in range(0, len(ids), TOGETHER)]
        outcomes: set[Round] = {"held"}
        for group in groups:
            began = now()
            if not await hearing.begin():
                break
            outcomes.add(await self._play(group, hearing, producer))
            await asyncio.sleep(max(0.0, began + self._interval / len(groups) - now()))
        return outcomes

    async def _play(self, group: Sequence[str], hearing: Hearing, producer: BatchProducer) -> Round:
        """A rule whose canary cannot be made fails at once; one of which nothing came back neither holds nor fails."""
        under_way, failed = self._made(group)
        records = [record for each in under_way for record in each.records]
        async with asyncio.timeout(WITHIN_SECONDS):
            await producer.send(records)
        await self._wait(hearing, under_way)
        by_rule: dict[str, list[Sent]] = {}
        for each in under_way:
            by_rule.setdefault(each.case.rule, []).append(each)
        unanswered = False
        for rule, both in by_rule.items():
            if all(came_back(each, hearing.heard) for each in both):
                failed |= self._judged(rule, both, hearing)
            else:
                unanswered = True
        if unanswered:
            log.warning("canaries did not come back in time", seconds=WITHIN_SECONDS)
        return "failed" if failed else "unanswered" if unanswered else "held"

    def _made(self, group: Sequence[str]) -> tuple[list[Sent], bool]:
        knowledge, now = self._knowledge(), self._clock()
        rules = index_of(knowledge).rules
        made: list[Sent] = []
        failed = False
        # the site may have taken one out since the round began
        for rule in (rules[each] for each in group if each in rules):
            try:
                made += [sent(case, self._round, now) for case in cases_of(rule, knowledge)]
            except CanaryError as error:
                failed = True
                self._tell(rule.id, [str(error)])
        return made, failed

    async def _wait(self, hearing: Hearing, under_way: Sequence[Sent]) -> None:
        """Until everything has come back as it has to be; and no longer than it may take, or than what is missing may be late."""
        now = asyncio.get_running_loop().time
        until, settled = now() + WITHIN_SECONDS, False
        while (left := until - now()) > 0:
            if not settled and all(came_back(each, hearing.heard) for each in under_way):
                settled, until = True, min(until, now() + SETTLE_SECONDS)
                continue
            if settled and not any(fault(each, hearing.heard) for each in under_way):
                return
            await hearing.more(left)

    def _judged(self, rule: str, both: Iterable[Sent], hearing: Hearing) -> bool:
        """Whether the canary of a rule fails."""
        faults = [f"{each.case.side}: {said}" for each in both if (said := fault(each, hearing.heard))]
        self._tell(rule, faults)
        return bool(faults)

    def _tell(self, rule: str, faults: Sequence[str]) -> None:
        self._metrics.tried(rule, not faults, self._clock().timestamp())
        if faults:
            # a synthetic patient: nothing here is of a person
            log.error("the canary of a rule does not hold in the running system", rule=rule, faults=list(faults))
