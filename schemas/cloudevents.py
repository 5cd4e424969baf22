"""CloudEvents 1.0, Kafka binding, binary mode: the value is the data and the attributes are ``ce_`` headers."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.adoption import Adoption
from schemas.alerts import Alert
from schemas.events import Event
from schemas.feedback import Feedback
from schemas.patients import PatientPicture

Headers = list[tuple[str, bytes]]
VERSION = "v1"


def type_name(message_type: str) -> str:
    """``rxvigil.lab_result.v1``: the ``ce_type`` of a message type."""
    return f"rxvigil.{message_type}.{VERSION}"


def schema_path(message_type: str) -> str:
    """The JSON Schema of a message type, relative to ``schemas/``."""
    return f"json/{message_type}/{VERSION}.json"


def _headers(message_type: str, source: str, id_: str, time: datetime) -> Headers:
    stamp = time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_name(message_type).encode()),
        ("ce_time", stamp.encode()),
        ("ce_dataschema", schema_path(message_type).encode()),
    ]


def event_headers(event: Event) -> Headers:
    return _headers(str(event.__struct_config__.tag), "/rxvigil/ingest", event.event_id, event.occurred_at)


def adoption_headers(adoption: Adoption, id_: str) -> Headers:
    return _headers("adoption", "/rxvigil/monitor", id_, adoption.at)


def alert_headers(alert: Alert) -> Headers:
    return _headers("alert", "/rxvigil/monitor", f"{alert.alert_id}/{alert.revision}", alert.detected_at)


def picture_headers(picture: PatientPicture, id_: str) -> Headers:
    return _headers("patient_picture", "/rxvigil/monitor", id_, picture.clock)


def feedback_headers(feedback: Feedback) -> Headers:
    return _headers("feedback", "/rxvigil/notify", feedback.feedback_id, feedback.at)
