"""The requests of cqframework/opioid-cds-r4 (CC0), fed as FHIR bundles of their context and prefetch through ingest and monitor:
an alert of the opioid rule exactly where the expected response has a card. The text is ours, by the guideline of 2022.

What differs, looked at case by case: our text never says "taper now"; our own sum of the fentanyl patch is 180 where one request
was answered with 54 (a patch changed every three days, counted as a third of its rate; the rate is what the guideline counts).
The factors of 2016 and 2022 that differ (hydromorphone, methadone, tramadol, tapentadol) are in none of the requests. The
request without a benzodiazepine names no patient whom a reference resolves to, so its order is refused; it is also played with
that mended.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.loader import load
from schemas.alerts import Alert
from schemas.values import Origin
from services.ingest.pipeline import Pipeline
from services.local.play import fixed
from services.monitor.evaluate import advance, take_event
from services.monitor.patient.clock import clinical_time
from services.monitor.patient.state import PatientState
from tests.conftest import SHARED

pytestmark = pytest.mark.shared

CASES = SHARED / "corpus" / "cds-hooks-opioid"
ASKED_AT = datetime(2023, 5, 1, 23, 59, tzinfo=UTC)
"""The data of every request are rolled to this day (``dateLastUpdated``)."""

# which of our findings answers each card
ANSWERED_BY = {
    "OpioidCDSREC01__rec-01-in-outpatient-opioid": "start",
    "OpioidCDSREC02__rec-02-out-careplan-not-revisited": "continued",
    "OpioidCDSREC04_05__rec-04-05-mme-greater-than-fifty": "daily-dose",
    "OpioidCDSREC08__rec-08-mme-greater-than-fifty": "daily-dose",
    "OpioidCDSREC10OrderSign__rec-10-order-sign-illicit-drugs": "toxicology",
    "OpioidCDSREC10PatientView__rec-10-patient-view-POS-Cocaine": "toxicology",
    "OpioidCDSREC10PatientView__rec-10-patient-view-illicit-drugs": "toxicology",
    "OpioidCDSREC11PatientView__rec-11-patient-view-benzo-trigger-with-opioid": "sedation",
}
NAMES = [path.stem for path in sorted(CASES.glob("*.json"))] if CASES.is_dir() else list(ANSWERED_BY)


def case(name: str) -> dict[str, Any]:
    """The first JSON document of a file; some have a second one after it."""
    found, _ = json.JSONDecoder().raw_decode((CASES / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def resources(value: object) -> list[dict[str, Any]]:
    """Every resource in a part of a request, whether alone, in a bundle or in a bundle's entry."""
    if not isinstance(value, dict):
        return []
    if value.get("resourceType") == "Bundle":
        return [each for entry in value.get("entry", []) for each in resources(entry)]
    if "resourceType" not in value:
        return resources(value.get("resource"))
    return [value]


def bundle(request: dict[str, Any]) -> dict[str, Any]:
    """Context and prefetch as one bundle. An id of a draft is the client's own, so it may be that of another resource on the
    server, and in two requests it is; here it is made to differ. Some prefetch items stand outside of ``prefetch``."""
    drafts = [{**each, "id": f"draft-{each['id']}"} for of in request["context"].values() for each in resources(of)]
    fetched = [*request["prefetch"].values(), *(value for key, value in request.items() if key.startswith("item"))]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": each} for each in (*drafts, *(found for of in fetched for found in resources(of)))],
    }


def answer(whole: dict[str, Any]) -> tuple[list[Alert], list[str]]:
    """The open alerts of the rule when the request was made, and what ingest refused."""
    knowledge = load()
    text = json.dumps(whole).encode()
    taken = Pipeline(knowledge, fixed(ASKED_AT)).take(text, Origin("hospital.messages", 0, 0))
    patients = {event.patient_id for event in taken.events}
    assert len(patients) == 1
    state: PatientState | None = None
    for event in sorted(taken.events, key=clinical_time):
        state, _ = take_event(state, event, knowledge, ASKED_AT)  # type: ignore[arg-type]
    assert state is not None
    state, _ = advance(state, ASKED_AT, knowledge, ASKED_AT)
    refused = [letter.detail for letter in taken.refused]
    return [alert for alert in state.open_alerts.values() if alert.rule == "opioid"], refused


def test_all_requests_are_there() -> None:
    assert len(NAMES) == 15
    with_card = {name for name in NAMES if case(name)["expected_response"]["cards"]}
    assert with_card == ANSWERED_BY.keys()


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_exactly_where_the_expected_response_has_a_card(name: str) -> None:
    alerts, _ = answer(bundle(case(name)["request"]))
    assert bool(alerts) == bool(case(name)["expected_response"]["cards"])
    if name in ANSWERED_BY:
        assert ANSWERED_BY[name] in {alert.subject for alert in alerts}
    for alert in alerts:
        assert alert.severity in ("info", "moderate")
        assert not re.search(
            r"taper now|\btaper to\b|stop (?:it )?at once", " ".join((alert.summary, *alert.actions)), re.IGNORECASE
        )


def test_the_doses_are_those_of_the_factors_of_2022() -> None:
    """A patch of 75 mcg/h is 75 x 2.4 = 180 however often it is changed; with 3 x 10 mg of oxycodone (x 1.5) it is 225."""
    for name, expected in (
        ("OpioidCDSREC04_05__rec-04-05-mme-greater-than-fifty", "180 MME"),
        ("OpioidCDSREC08__rec-08-mme-greater-than-fifty", "180 MME"),
        ("OpioidCDSREC10OrderSign__rec-10-order-sign-illicit-drugs", "225 MME"),
    ):
        alerts, _ = answer(bundle(case(name)["request"]))
        assert [expected in alert.summary for alert in alerts if alert.subject == "daily-dose"] == [True]


def test_the_same_patch_speaks_when_there_is_no_naloxone() -> None:
    """The silence of the request with naloxone is that of the naloxone."""
    whole = bundle(case("OpioidCDSREC08__rec-08-on-naloxone")["request"])
    assert answer(whole)[0] == []
    without = [each for each in whole["entry"] if "Naloxone" not in json.dumps(each)]
    assert len(without) == len(whole["entry"]) - 1
    assert "daily-dose" in {alert.subject for alert in answer({**whole, "entry": without})[0]}


def test_the_cancer_is_why_the_cough_medicine_is_silent() -> None:
    whole = bundle(case("OpioidCDSREC10__rec-10-end-of-life-med-exclusion")["request"])
    without = [each for each in whole["entry"] if each["resource"]["resourceType"] != "Condition"]
    assert {alert.subject for alert in answer({**whole, "entry": without})[0]} == {"start"}


def test_an_order_of_nobody_is_refused_and_mended_it_is_the_start_of_a_long_acting_opioid() -> None:
    whole = bundle(case("OpioidCDSREC11PatientView__rec-11-patient-view-opioid-trigger-without-benzo")["request"])
    alerts, refused = answer(whole)
    assert (alerts, refused) == ([], ["no reference to a patient"])
    for each in whole["entry"]:
        if "subject" in each["resource"]:
            each["resource"]["subject"]["reference"] = "Patient/example-rec-11-opioid-trigger-without-benzo"
    alerts, _ = answer(whole)
    assert [(alert.subject, alert.severity) for alert in alerts] == [("start", "moderate")]
