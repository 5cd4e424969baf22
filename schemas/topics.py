"""The topics, read from ``asyncapi.yaml``: the one place that names them with their partitions and settings."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml
from msgspec import Struct

PRESCRIPTIONS = "hospital.prescriptions"
DISPENSINGS = "hospital.dispensings"
LAB_RESULTS = "hospital.lab-results"
PATIENTS = "hospital.patients"
MESSAGES = "hospital.messages"
SOURCES = (PRESCRIPTIONS, DISPENSINGS, LAB_RESULTS, PATIENTS, MESSAGES)

CANARIES = "canary.inputs"
"""Synthetic patients come here and nowhere else, and nobody else does."""
CANARY_EVENTS = "canary.events"
CANARY_ALERTS = "canary.alerts"
CANARY_PICTURES = "canary.pictures"

DEAD_LETTERS = "ingest.dead-letters"
EVENTS = "medication.events"
ALERTS = "medication.alerts"
PICTURES = "medication.patients"
FEEDBACK = "medication.feedback"
PATIENT_STATE = "rxvigil-monitor-patient-state-changelog"

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""The largest record that source topics take."""


class Topic(Struct, frozen=True):
    """A topic as ``asyncapi.yaml`` describes it; ``config`` holds Kafka's own topic settings."""

    name: str
    partitions: int
    replicas: int
    config: dict[str, str]


def document() -> dict[str, Any]:
    """``asyncapi.yaml`` as data."""
    loaded: dict[str, Any] = yaml.safe_load(resources.files("schemas").joinpath("asyncapi.yaml").read_text())
    return loaded


@cache
def topics() -> dict[str, Topic]:
    """Every topic by name."""
    found = {}
    for channel in document()["channels"].values():
        kafka = channel["bindings"]["kafka"]
        config = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in kafka.get("topicConfiguration", {}).items()
        }
        found[channel["address"]] = Topic(channel["address"], kafka["partitions"], kafka["replicas"], config)
    return found
