"""When each source system was last heard, and which has been silent for too long: a dead feed raises no error anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge

from schemas.events import Event
from services.runtime.settings import SettingsError

MOST = 64
"""Sources that have a name in the metrics, those that are named in the setting first. A sender may write anything there, and a
broken one a new name with each event."""
OTHER = "(other)"
_SECONDS = 4 * 3600.0


class Silence(NamedTuple):
    """How many seconds a source may be silent: those named, and any other (0: for ever)."""

    of: Mapping[str, float] = {}
    other: float = _SECONDS


def silence(text: str) -> Silence:
    """Read ``lab=1800, pharmacy=64800, *=14400``. Raises ``SettingsError``."""
    named: dict[str, float] = {}
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        name, equals, seconds = (each.strip() for each in part.rpartition("="))
        if not equals or not name or not seconds.isdecimal():
            raise SettingsError(f"source_silence: part {number} is not like `lab=1800`: a source or *, and seconds")
        named[name] = float(seconds)
    return Silence({name: value for name, value in named.items() if name != "*"}, named.get("*", 0.0))


class Sources:
    """Of live events: a feed of old or shifted dates is sent once and then is silent rightly.

    A source that the setting names is waited for from the start of the process; another from its first event.
    """

    def __init__(self, registry: CollectorRegistry, silence: Silence, clock: Callable[[], float] = time.time) -> None:
        self._silence = silence
        self._clock = clock
        self._since: dict[str, float] = {}
        self.last = Gauge(
            "rxvigil_source_last_event_timestamp_seconds",
            "When the newest live event of a source system was received by the broker; a source that is named in the settings"
            " has the start of the process until then",
            ["source"],
            registry=registry,
        )
        self.silent = Gauge(
            "rxvigil_source_silent",
            "1 while a source system has sent nothing for longer than it may",
            ["source"],
            registry=registry,
        )
        for source in list(silence.of)[:MOST]:
            self._show(source, clock())

    def heard(self, event: Event, at: float) -> None:
        """An event came, at the broker ``at`` (seconds since the epoch)."""
        if event.timing != "live":
            return
        source = event.source
        if source not in self._since:
            if len(self._since) >= MOST:
                source = OTHER
            if source not in self._since:
                self._show(source, at)
        # no sender's clock may keep a source from ever being silent
        at = min(at, self._clock())
        if at > self._since[source]:
            self._since[source] = at
            self.last.labels(source).set(at)

    def _show(self, source: str, at: float) -> None:
        self._since[source] = at
        self.last.labels(source).set(at)
        self.silent.labels(source).set_function(lambda: float(self._is_silent(source)))

    def _is_silent(self, source: str) -> bool:
        may = self._silence.of.get(source, self._silence.other)
        return may > 0 and self._clock() - self._since[source] > may
