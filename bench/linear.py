"""The job once more, event by event over plain dictionaries: what every contender's alerts are compared with.

Shares no code with the contenders on purpose.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

Alerts = Counter[Hashable]


def identify(alert: bytes) -> Hashable:
    """What makes two alerts the same: every field; their place in the topic and the order of fields do not count."""
    fields: dict[str, Any] = json.loads(alert)
    return tuple(sorted((name, str(value)) for name, value in fields.items()))


def recompute(
    events: Iterable[bytes],
    partners: Mapping[str, Sequence[str]],
    limits: Mapping[str, tuple[float, float]],
    drugs_before: Mapping[str, Sequence[str]] | None = None,
) -> Alerts:
    """The alerts of ``events``; ``drugs_before`` is what patients had, which only the pair check looks at."""
    drugs: dict[str, list[str]] = {patient: list(had) for patient, had in (drugs_before or {}).items()}
    alerts: Alerts = Counter()
    for value in events:
        event = json.loads(value)
        patient = event["patient"]
        facts = {"patient": patient, "by": event["id"]}
        if event["type"] == "lab":
            low, high = limits[event["code"]]
            if event["value"] < low or event["value"] > high:
                alert = facts | {"rule": "lab", "code": event["code"], "value": event["value"]}
                alerts[identify(json.dumps(alert).encode())] += 1
            continue
        had = drugs.setdefault(patient, [])
        if event["drug"] in had:
            continue
        for other in set(partners.get(event["drug"], ())) & set(had):
            alert = facts | {"rule": "ddi", "pair": [event["drug"], other]}
            alerts[identify(json.dumps(alert).encode())] += 1
        drugs[patient] = [*had, event["drug"]][-12:]
    return alerts


def difference(expected: Alerts, found: Alerts) -> str:
    """What is wrong with ``found``; empty when nothing is."""
    lost, foreign = expected - found, found - expected
    if not lost and not foreign:
        return ""
    twice = sum(count for alert, count in foreign.items() if alert in expected)
    return f"{lost.total()} alerts lost, {foreign.total() - twice} wrong, {twice} sent twice"
