"""FHIR among the formats: what is FHIR, bundles and their references, identity, times, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.dead_letters import REASONS
from schemas.events import AllergyRecord, EncounterRecord, Event, LabResult, Patient, Prescription
from services.ingest.formats import Ignored, Refusal, record
from services.ingest.formats.fhir.kinds import RESOURCE_TYPES
from tests.support.fhir import (
    AT,
    PHI,
    allergy,
    bundle,
    decoded,
    encounter,
    end,
    entry,
    event,
    ignored,
    observation,
    order,
    patient,
    quantity,
    refusal,
    without,
)

NATIVE = {"type": "patient", "patient_id": "p", "source": "adt", "record_id": "r", "occurred_at": AT}
EIGHT = datetime(2026, 11, 2, 7, tzinfo=UTC)


# --- what is FHIR


def test_events_and_resources_of_one_record_are_told_apart_by_their_content() -> None:
    items = decoded(NATIVE, order(), {"type": "horoscope"}, bundle(patient(), order(id="o2")), NATIVE)
    assert [type(item.end) for item in items] == [Patient, Prescription, Refusal, Patient, Prescription, Patient]
    assert [item.position for item in items] == [0, 1, 2, 3, 4, 5]


def test_lines_of_resources() -> None:
    text = b"\n".join(json.dumps(each).encode() for each in (patient(), order(), NATIVE)) + b"\nnonsense\n"
    items = record.decode(text)
    assert [type(item.end) for item in items] == [Patient, Prescription, Patient, Refusal]
    assert len({item.position for item in items}) == 4


def test_an_event_that_speaks_of_a_resource_type_is_an_event() -> None:
    text = json.dumps(NATIVE | {"source": 'the "resourceType" system', "stay": {"unit": '"resourceType"'}})
    (item,) = record.decode(text.replace("\\u0022", '\\"').encode())
    assert isinstance(item.end, Patient)
    nested = record.decode(json.dumps(NATIVE | {"stay": {"resourceType": "Encounter"}}).encode())[0].end
    assert isinstance(nested, Refusal)
    assert nested.place == "$.stay.resourceType"


@pytest.mark.parametrize(
    "text", [b'{"resourceType":"Patient",', b'"resourceType"', b'[{"resourceType":"Patient"', b'\xff"resourceType"']
)
def test_what_is_no_json_is_refused_as_such(text: bytes) -> None:
    (item,) = record.decode(text)
    assert isinstance(item.end, Refusal)
    assert item.end.reason in ("not_json", "not_utf8", "schema")
    assert item.original == text


def test_every_type_that_is_known_and_not_used_is_ignored_by_its_name() -> None:
    used = {
        "Bundle", "Patient", "Encounter", "AllergyIntolerance", "Condition", "MedicationRequest", "MedicationDispense",
        "MedicationAdministration", "MedicationStatement", "Observation",
    }  # fmt: skip
    for name in RESOURCE_TYPES - used - {"Medication"}:
        assert ignored({"resourceType": name, "id": "x", "subject": 4}) == name
    assert ignored({"resourceType": "Medication", "id": "x"}) == "Medication"


@pytest.mark.parametrize("name", [PHI, "", 4, None, ["Patient"]])
def test_a_type_that_fhir_does_not_have_is_refused(name: Any) -> None:
    found = refusal({"resourceType": name, "id": PHI})
    assert (found.reason, found.place) == ("unknown_type", "$.resourceType")


# --- bundles


@pytest.mark.parametrize(
    "kind", ["transaction", "batch", "collection", "searchset", "message", "document", "history", "batch-response"]
)
def test_every_type_of_bundle_is_read(kind: str) -> None:
    items = decoded(bundle({"resourceType": "MessageHeader"}, patient(), order(), kind=kind))
    assert [type(item.end) for item in items] == [Ignored, Patient, Prescription]
    assert [json.loads(item.original)["resourceType"] for item in items] == [
        "MessageHeader",
        "Patient",
        "MedicationRequest",
    ]


def test_one_bad_resource_refuses_itself_and_not_its_bundle() -> None:
    bad = order(dosageInstruction=[{"timing": {"repeat": {"period": PHI}}}])
    document = bundle(
        patient(), {"resourceType": PHI}, order(id="o2"), bad, observation(valueQuantity=quantity(4, "mmol/L"))
    )
    document["entry"] += [7, {"fullUrl": 7, "resource": order()}, {"resource": PHI}, {"resource": NATIVE}]
    ends = [item.end for item in decoded(document)]
    assert [type(each) for each in ends] == [Patient, Refusal, Prescription, Refusal, LabResult] + [Refusal] * 4
    places = [(each.reason, each.place) for each in ends if isinstance(each, Refusal)]
    assert places == [
        ("unknown_type", "Bundle.entry[1].resource.resourceType"),
        ("schema", "Bundle.entry[3].resource.dosageInstruction[0].timing.repeat.period"),
        ("schema", "Bundle.entry[5]"),
        ("schema", "Bundle.entry[6].fullUrl"),
        ("schema", "Bundle.entry[7].resource"),
        ("schema", "Bundle.entry[8].resource"),
    ]
    assert not [each for each in ends if isinstance(each, Refusal) and PHI in each.detail + each.place]


def test_entries_without_a_resource_are_ignored_by_what_they_ask() -> None:
    document = bundle(kind="batch")
    document["entry"] = [{"request": {"method": "DELETE", "url": "Patient/1"}}, {"response": {"status": "201"}}]
    assert [item.end for item in decoded(document)] == [
        Ignored("Bundle.entry/DELETE"), Ignored("Bundle.entry/no resource"),
    ]  # fmt: skip
    assert ignored(bundle()) == "Bundle/empty"
    assert ignored(without(bundle(), "entry")) == "Bundle/empty"


def test_bundles_in_bundles_up_to_a_depth() -> None:
    document: dict[str, Any] = bundle(order())
    for _ in range(3):
        document = bundle(document, order(id="beside"))
    items = decoded(document)
    assert [type(item.end) for item in items] == [Prescription] * 4
    deeper = decoded(bundle(document))
    assert [each.end.place for each in deeper if isinstance(each.end, Refusal)] == [
        "Bundle.entry[0].resource.entry[0].resource.entry[0].resource.entry[0].resource"
    ]


def test_a_bundle_of_too_many_is_refused_whole() -> None:
    text = json.dumps(bundle(order(), order(id="o2"))).encode()
    assert len(record.decode(text, most=2)) == 2
    (item,) = record.decode(text, most=1)
    assert isinstance(item.end, Refusal)
    assert (item.end.reason, item.original) == ("too_many", text)
    flood = b'{"resourceType":"Bundle","type":"batch","entry":[' + b"{}," * 5_000_000 + b"{}]}"
    assert [each.end.reason for each in record.decode(flood) if isinstance(each.end, Refusal)] == ["too_many"]


# --- references


URN = "urn:uuid:11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("full_url", "reference"),
    [
        (URN, URN),
        ("https://ehr.example/fhir/Patient/p1", "Patient/p1"),
        ("https://ehr.example/fhir/Patient/p1", "https://ehr.example/fhir/Patient/p1"),
        (URN, "Patient/p1/_history/3"),
    ],
)
def test_references_lead_to_the_id_of_what_they_mean(full_url: str, reference: str) -> None:
    # the patient stands behind the order: references are resolved before resources are read
    document = bundle(kind="transaction")
    document["entry"] = [
        entry("urn:uuid:o", order(subject={"reference": reference}, encounter={"reference": "urn:uuid:e"})),
        entry("urn:uuid:e", encounter(id="stay-9", subject={"reference": reference})),
        entry(full_url, patient()),
    ]
    prescription, stay, person = [item.end for item in decoded(document)]
    assert isinstance(prescription, Prescription)
    assert isinstance(stay, EncounterRecord)
    assert isinstance(person, Patient)
    assert prescription.patient_id == stay.patient_id == person.patient_id == "p1"
    assert prescription.encounter_id == stay.record_id == "stay-9"


def test_a_patient_without_an_id_is_known_by_the_identifier() -> None:
    named = without(patient(identifier=[{"system": "urn:mrn", "value": "MRN-7"}]), "id")
    document = bundle(kind="transaction")
    document["entry"] = [entry(URN, named), entry("urn:uuid:o", order(subject={"reference": URN}))]
    person, prescription = [item.end for item in decoded(document)]
    assert isinstance(person, Patient)
    assert isinstance(prescription, Prescription)
    assert prescription.patient_id == person.patient_id == "MRN-7"
    assert event(order(subject={"identifier": {"value": "MRN-7"}})).patient_id == "MRN-7"


@pytest.mark.parametrize(
    "reference",
    [
        {}, {"display": PHI}, {"reference": f"urn:uuid:{PHI}"}, {"reference": f"#{PHI}"}, {"reference": PHI},
        {"reference": f"Patient?identifier={PHI}"}, {"reference": "Patient/"}, {"identifier": {"system": PHI}},
        {"reference": f"{PHI}/1"}, {"reference": "Patient/" + "x" * 257},
    ],
)  # fmt: skip
def test_no_event_without_a_patient_whose_id_is_known(reference: dict[str, Any]) -> None:
    found = refusal(order(subject=reference))
    assert found.reason == "schema"
    assert found.place.startswith("MedicationRequest.subject")


def test_a_subject_that_is_no_patient_is_ignored() -> None:
    assert ignored(order(subject={"reference": "Group/herd"})) == "MedicationRequest/of no patient"
    document = bundle(kind="transaction")
    document["entry"] = [
        entry(URN, {"resourceType": "Device", "id": "d"}),
        entry("urn:o", observation(subject={"reference": URN})),
    ]
    assert [item.end for item in decoded(document)] == [Ignored("Device"), Ignored("Observation/of no patient")]


def test_who_prescribed_is_known_by_the_id_of_a_resource_that_is_not_used() -> None:
    document = bundle(kind="transaction")
    document["entry"] = [
        entry(URN, {"resourceType": "Practitioner", "id": "dr-12"}), entry("urn:uuid:o", order(requester={"reference": URN})),
    ]  # fmt: skip
    prescription = decoded(document)[1].end
    assert isinstance(prescription, Prescription)
    assert prescription.prescriber == "dr-12"
    assert event(order(requester={"reference": "Practitioner/dr-3"})).prescriber == "dr-3"


# --- identity and times


def test_identity_is_the_id_the_version_and_the_system() -> None:
    made = event(order())
    assert (made.source, made.record_id, made.version) == ("fhir", "o1", 1)
    meta = {"versionId": "7", "lastUpdated": "2026-11-03T00:00:00Z", "source": "https://ehr.example/cpoe#message-4"}
    made = event(order(meta=meta))
    assert (made.source, made.version, made.recorded_at) == (
        "https://ehr.example/cpoe",
        7,
        datetime(2026, 11, 3, tzinfo=UTC),
    )
    made = event(order(meta=meta, identifier=[{"value": "x"}, {"system": "urn:cpoe", "value": "y"}]))
    assert (made.source, made.record_id) == ("urn:cpoe", "o1")
    assert event(without(order(identifier=[{"value": "x"}]), "id")).record_id == "x"
    assert refusal(without(order(), "id")).place == "MedicationRequest.id"


def test_a_version_written_as_in_the_header_is_its_number() -> None:
    assert event(order(meta={"versionId": 'W/"3"'})).version == 3
    # a first version is not a change, whatever time of loading it has
    loaded = {"versionId": 'W/"1"', "lastUpdated": "2026-11-20T00:00:00Z"}
    assert event(order(meta=loaded)).occurred_at == event(order()).occurred_at


@pytest.mark.parametrize("text", ["MTY3", "1.5", "", "-1", "9" * 17, str(2**53), "١"])
def test_a_version_that_is_no_number_is_told_by_the_time_of_the_change(text: str) -> None:
    made = event(order(meta={"versionId": text, "lastUpdated": "2026-11-03T00:00:00Z"}))
    assert (made.version, made.recorded_at) == (1, datetime(2026, 11, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2015", datetime(2015, 1, 1, tzinfo=UTC)),
        ("2015-02", datetime(2015, 2, 1, tzinfo=UTC)),
        ("2015-02-07", datetime(2015, 2, 7, tzinfo=UTC)),
        ("2015-02-07T13:28:17-05:00", datetime(2015, 2, 7, 18, 28, 17, tzinfo=UTC)),
        ("2015-02-07T13:28:17.2390001Z", datetime(2015, 2, 7, 13, 28, 17, 239000, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_partial_dates_are_their_first_instant_in_utc(text: str, read: datetime) -> None:
    assert event(order(authoredOn=text)).occurred_at == read


@pytest.mark.parametrize(
    "text",
    [
        PHI, "", "2015-02-30", "2015-13", "0000", "2015-02-07T13:28:17", "2015-02-07T13:28Z", "2015-02-07T24:00:00Z", "20150207",
        "2015-W01", "٢٠١٥", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2015-02-07T13:28:17+25:00",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    assert (refusal(order(authoredOn=text)).reason, refusal(order(authoredOn=text)).place) == (
        "schema", "MedicationRequest.authoredOn",
    )  # fmt: skip


def test_what_has_no_time_is_of_the_time_of_its_bundle_else_of_the_receipt() -> None:
    timeless = without(allergy(), "recordedDate")
    assert refusal(timeless).place == "AllergyIntolerance.recordedDate"
    document = bundle(timeless, timestamp="2026-11-02T07:00:00Z")
    assert event(document).occurred_at == EIGHT
    received = datetime(2026, 11, 9, tzinfo=UTC)
    (item,) = record.decode(json.dumps(timeless).encode(), received_at=received)
    assert isinstance(item.end, AllergyRecord)
    assert item.end.occurred_at == received
    (item,) = record.decode(json.dumps(document).encode(), received_at=received)
    assert isinstance(item.end, Event)
    assert item.end.occurred_at == EIGHT


# --- refusals


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        (order(status=PHI), "MedicationRequest.status"),
        (without(order(), "intent"), "MedicationRequest"),
        (
            order(medicationCodeableConcept={"coding": [{"code": ""}]}),
            "MedicationRequest.medicationCodeableConcept.coding[0].code",
        ),
        (without(order(), "medicationCodeableConcept"), "MedicationRequest.medication"),
        (order(medicationReference={"reference": "#m"}), "MedicationRequest.medicationReference"),
        (order(dosageInstruction=PHI), "MedicationRequest.dosageInstruction"),
        (order(dosageInstruction=[{"text": "x" * 4001}]), "MedicationRequest.dosageInstruction[0].text"),
        (
            order(dosageInstruction=[{}, {"timing": {"repeat": {"boundsPeriod": {"end": PHI}}}}]),
            "MedicationRequest.dosageInstruction[1].timing.repeat.boundsPeriod.end",
        ),
        (observation(valueQuantity={"value": PHI}), "Observation.valueQuantity.value"),
        (observation(valueQuantity=quantity(1, "g", comparator="ad")), "Observation.valueQuantity.comparator"),
        (observation(valueString="x", valueInteger=4), "Observation.valueInteger"),
        (observation(code={}), "Observation.code"),
        (patient(gender=PHI), "Patient.gender"),
        (patient(birthDate=PHI), "Patient.birthDate"),
        (without(allergy(), "code"), "AllergyIntolerance.code"),
        (order(meta={"lastUpdated": PHI}), "MedicationRequest.meta.lastUpdated"),
        (order(id="a\x00b"), "MedicationRequest.record_id"),
        (order(id="x" * 257), "MedicationRequest.id"),
        ({"resourceType": "Bundle", "type": PHI}, "Bundle.type"),
    ],
)
def test_a_refusal_names_the_place_and_repeats_no_value(resource: dict[str, Any], place: str) -> None:
    found = refusal(resource)
    assert (found.reason, found.place) == ("schema", place)
    assert found.reason in REASONS
    inside = [item.end for item in decoded(bundle(patient(), resource))]
    if resource["resourceType"] != "Bundle":
        assert isinstance(inside[1], Refusal)
        assert inside[1].place == place.replace(resource["resourceType"], "Bundle.entry[1].resource", 1)


def test_null_is_as_if_absent() -> None:
    assert end(order(encounter=None, meta=None, requester=None)) == event(order())
