"""When a source counts as silent, and what may name one."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.events import Event
from services.ingest.sources import MOST, OTHER, Silence, Sources, silence
from services.runtime.settings import Settings, SettingsError
from tests.support.clinical import lab

START = 1_800_000_000.0
HOUR = 3600.0


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


class Watched:
    def __init__(self, text: str) -> None:
        self.clock, self.registry = Clock(), CollectorRegistry()
        self.sources = Sources(self.registry, silence(text), self.clock)

    def heard(self, source: str, at: float, **more: Any) -> None:
        self.sources.heard(event(source, **more), at)

    def silent(self) -> dict[str, float]:
        return {each.labels["source"]: each.value for each in self.sources.silent.collect()[0].samples}

    def last(self) -> dict[str, float]:
        return {each.labels["source"]: each.value for each in self.sources.last.collect()[0].samples}


def event(source: str, **more: Any) -> Event:
    return lab("potassium", 4.0, source=source, **more)


def test_the_setting_names_sources_and_all_others() -> None:
    assert silence("lab=1800, night pharmacy = 64800 ,*=60") == Silence({"lab": 1800, "night pharmacy": 64800}, 60)
    assert silence("a=b=5") == Silence({"a=b": 5}, 0)
    assert silence("") == Silence({}, 0)
    assert silence(Settings().source_silence) == Silence({}, 4 * HOUR)


@pytest.mark.parametrize("text", ["lab", "lab=", "=5", "lab=soon", "lab=-1", "lab=1.5", "lab=1 800"])
def test_a_setting_that_cannot_be_read_is_told_without_its_value(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^source_silence: part 1 is not like `lab=1800`"):
        silence(text)


def test_a_source_is_silent_when_it_has_sent_nothing_for_longer_than_it_may_and_heard_again() -> None:
    watched = Watched("*=3600")
    watched.heard("lab", START)
    watched.clock.now = START + HOUR
    assert (watched.last(), watched.silent()) == ({"lab": START}, {"lab": 0})
    watched.clock.now = START + HOUR + 1
    assert watched.silent() == {"lab": 1}
    watched.heard("lab", START + HOUR + 1)
    assert (watched.last(), watched.silent()) == ({"lab": START + HOUR + 1}, {"lab": 0})
    watched.heard("lab", START)  # an older record of another partition
    assert watched.last() == {"lab": START + HOUR + 1}


def test_one_that_is_named_has_its_own_time_and_is_waited_for_from_the_start() -> None:
    watched = Watched("lab=600, archive=0, *=3600")
    assert watched.last() == {"lab": START, "archive": START}
    watched.clock.now = START + 601
    assert watched.silent() == {"lab": 1, "archive": 0}
    watched.heard("adt", START + 601)
    watched.clock.now = START + 10 * HOUR
    assert watched.silent() == {"lab": 1, "archive": 0, "adt": 1}


def test_a_broker_clock_of_the_future_does_not_make_it_heard_for_ever() -> None:
    watched = Watched("*=3600")
    watched.heard("lab", START)
    watched.heard("lab", START + 1000 * HOUR)
    assert watched.last() == {"lab": START}
    watched.clock.now = START + HOUR + 1
    assert watched.silent() == {"lab": 1}


def test_a_feed_of_old_dates_is_not_waited_for() -> None:
    watched = Watched("*=3600")
    watched.heard("extract", START, timing="replayed")
    assert watched.silent() == {}


def test_a_feed_that_invents_names_fills_neither_metrics_nor_memory() -> None:
    watched = Watched("lab=600, *=3600")
    for number in range(1000):
        watched.heard(f"patient {number}", START)
    watched.heard("lab", START)
    assert len(watched.silent()) == len(watched.last()) == MOST + 1
    assert OTHER in watched.last()
    assert len(watched.sources._since) == MOST + 1
