"""Pictures of patients as the monitor publishes them, for tests of what comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from schemas import cloudevents, codec, topics
from schemas.alerts import Alert
from schemas.patients import Lab, Medicine, PatientPicture, Problem
from schemas.values import Severity
from services.streaming.handler import Send
from services.streaming.producer import BatchProducer
from tests.support.alerts import T0, new_id


def medicine(label: str, *ingredients: str, **more: Any) -> Medicine:
    fields: dict[str, Any] = {
        "source": "ward",
        "record_id": label,
        "label": label,
        "ingredients": ingredients,
        "route": "oral",
        "start": T0 - timedelta(days=2),
    }
    return Medicine(**(fields | more))


def lab(analyte: str, value: float | None, unit: str = "mmol/L", **more: Any) -> Lab:
    return Lab(**({"analyte": analyte, "value": value, "unit": unit, "at": T0} | more))


def problem(
    severity: Severity, summary: str = "Warfarin with ibuprofen: raised risk of bleeding", **more: Any
) -> Problem:
    fields: dict[str, Any] = {"alert_id": new_id(), "rule": "drug-interaction", "subject": summary}
    return Problem(**(fields | {"severity": severity, "summary": summary} | more))


def of_alert(alert: Alert) -> Problem:
    return problem(alert.severity, alert.summary, alert_id=alert.alert_id, rule=alert.rule, subject=alert.subject)


def picture(patient_id: str = "p-1", **more: Any) -> PatientPicture:
    fields: dict[str, Any] = {
        "patient_id": patient_id,
        "clock": T0,
        "medicines": (medicine("Warfarin 5 mg tablet", "warfarin", dosage="5 mg once daily"),),
        "labs": (lab("potassium", 4.1),),
        "open": (),
        "birth_date": date(1958, 6, 1),
        "sex": "female",
        "unit": "ICU 2",
    }
    return PatientPicture(**(fields | more))


async def publish_pictures(brokers: str, pictures: Sequence[PatientPicture | str], epoch: int = 1) -> None:
    """Publish as the monitor does, all acknowledged; a patient's id in place of a picture erases the patient."""
    producer = BatchProducer(brokers, "test-monitor")
    await producer.start()
    try:
        await producer.send([_record(one, epoch) for one in pictures])
    finally:
        await producer.stop()


def _record(one: PatientPicture | str, epoch: int) -> Send:
    headers = [("epoch", str(epoch).encode())]
    if isinstance(one, str):
        return Send(topics.PICTURES, one.encode(), None, headers)
    headers += cloudevents.picture_headers(one, new_id())
    return Send(topics.PICTURES, one.patient_id.encode(), codec.encode(one), headers)
