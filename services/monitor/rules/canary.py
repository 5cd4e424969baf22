"""Canaries: for each rule the smallest case in which it must fire, and a look-alike on which it must stay silent.

A case is data, ``canaries/<rule id>.json``: events as a hospital sends them (native JSON), not as ingest makes them, so that
names, units and clocks are part of what is tried. They are played where there is an ingest (``rxvigil rules list``).
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from schemas.values import Severity

Words = Annotated[str, Meta(min_length=1)]
Events = Annotated[tuple[Raw, ...], Meta(min_length=1)]

FOLDER: Traversable = files("services.monitor.rules") / "canaries"


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An alert of the rule that is open at the end of the case."""

    subject: Words
    severity: Severity


class Fires(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``alerts`` are all that the rule has open at the end. ``what``: the case in one sentence."""

    what: Words
    events: Events
    alerts: Annotated[tuple[Expected, ...], Meta(min_length=1)]


class Silent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``what``: why nothing must be open at the end, in one sentence."""

    what: Words
    events: Events


class Canary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both cases of a rule."""

    fires: Fires
    silent: Silent


class CanaryError(ValueError):
    """A canary is missing, or cannot be played as it is written; says which file and what to do."""


def read(rule: str, folder: Traversable = FOLDER) -> Canary:
    """The canary of a rule. Raises ``CanaryError``."""
    file = f"{folder.name}/{rule}.json"
    try:
        return msgspec.json.decode((folder / f"{rule}.json").read_bytes(), type=Canary)
    except FileNotFoundError as error:
        raise CanaryError(f"{file}: the rule has no canary; write one (docs/rules.md)") from error
    except msgspec.DecodeError as error:
        raise CanaryError(f"{file}: {error}") from error


def ids(folder: Traversable = FOLDER) -> set[str]:
    """The rules that a canary is written for."""
    return {each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json")}
