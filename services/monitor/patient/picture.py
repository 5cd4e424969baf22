"""The picture of a patient that a pharmacist reads, from the state."""

from __future__ import annotations

from schemas.patients import Lab, Medicine, PatientPicture, Problem
from schemas.values import SEVERITIES
from services.monitor.patient.state import Order, PatientState, Result


def picture(state: PatientState) -> PatientPicture:
    """What is in force and open at the patient's clock, in a fixed order: gravest problem first, then by name."""
    orders = [o for o in state.orders.values() if not o.void and (o.acts_until is None or o.acts_until > state.clock)]
    alerts = sorted(state.open_alerts.values(), key=lambda a: (SEVERITIES.index(a.severity), -a.rank, a.subject))
    return PatientPicture(
        patient_id=state.patient_id,
        clock=state.clock,
        medicines=tuple(_medicine(o) for o in sorted(orders, key=lambda o: (o.label.lower(), o.source, o.record_id))),
        labs=tuple(
            _lab(analyte, newest) for analyte in sorted(state.results) if analyte and (newest := state.newest(analyte))
        ),
        open=tuple(
            Problem(
                alert_id=alert.alert_id,
                rule=alert.rule,
                subject=alert.subject,
                severity=alert.severity,
                summary=alert.summary,
                acknowledged=alert.acknowledgement is not None,
            )
            for alert in alerts
        ),
        birth_date=state.birth_date,
        sex=state.sex,
        facility=state.facility,
        unit=state.unit,
    )


def _medicine(order: Order) -> Medicine:
    return Medicine(
        source=order.source,
        record_id=order.record_id,
        label=order.label,
        ingredients=order.ingredients,
        route=order.route,
        dosage=order.dosage,
        start=order.starts,
        end=order.end,
        held=order.held,
    )


def _lab(analyte: str, result: Result) -> Lab:
    return Lab(
        analyte=analyte,
        value=result.value,
        unit=result.unit,
        at=result.at,
        comparator=result.comparator,
        text=result.text,
    )
