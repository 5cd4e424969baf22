"""The job over dictionaries, as the guides of Quix Streams and Faust write theirs. Standard library only: Quix Streams runs
in an environment of its own."""

from __future__ import annotations

import json
from typing import Any

State = dict[str, Any]


def new() -> State:
    return {"drugs": [], "labs": {}, "n": 0}


class Job:
    def __init__(self, knowledge: dict[str, Any]) -> None:
        self._partners, self._limits = knowledge["partners"], knowledge["limits"]

    def step(self, state: State, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Apply ``event`` to ``state`` in place; the alerts."""
        facts = {"patient": event["patient"], "by": event["id"]}
        state["n"] += 1
        if event["type"] == "lab":
            values = state["labs"].setdefault(event["code"], [])
            values.append(event["value"])
            del values[:-8]
            low, high = self._limits[event["code"]]
            if low <= event["value"] <= high:
                return []
            return [{"rule": "lab", **facts, "code": event["code"], "value": event["value"]}]
        drug, drugs = event["drug"], state["drugs"]
        if drug in drugs:
            return []
        met = [other for other in self._partners.get(drug, ()) if other in drugs]
        drugs.append(drug)
        del drugs[:-12]
        return [{"rule": "ddi", **facts, "pair": [drug, other]} for other in met]


def settings(path: str) -> dict[str, Any]:
    """What the contender is told (``bench/run.py``)."""
    with open(path) as file:  # noqa: PTH123
        loaded: dict[str, Any] = json.load(file)
    return loaded
