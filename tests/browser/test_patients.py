"""A call at three in the morning, in a real browser: who is it, what do they take, what is wrong."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from schemas.patients import Allergy, Condition, KidneyFunction, Measurement, Observed, PatientPicture, Reading
from services.notify.store.pictures import patient_key
from tests.support.alerts import alert, new_id, publish
from tests.support.browser import LOW_CONTRAST, UNLABELLED, open_page
from tests.support.notify_process import NotifyProcess
from tests.support.pictures import lab, medicine, of_alert, picture, problem, publish_pictures

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def sick(patient_id: str) -> PatientPicture:
    """Somebody with much to read."""
    now = datetime.now(UTC).replace(microsecond=0)
    before = now - timedelta(hours=9)
    return picture(
        patient_id,
        clock=now - timedelta(minutes=4),
        unit="Nephrology, 4 West",
        facility="St Anna",
        encounter="inpatient",
        admitted_at=now - timedelta(days=3),
        weight=Measurement(value=81.5, unit="kg", at=now - timedelta(days=2), method="weighed"),
        measured=(
            Observed(kind="blood_pressure", at=before, value=104, second_value=61, unit="mmHg"),
            Observed(kind="qtc", at=now - timedelta(hours=2), value=512, unit="ms", method="Fridericia"),
            Observed(kind="respiratory_rate", at=before, value=9, unit="/min"),
        ),
        kidney=(KidneyFunction(formula="CKD-EPI 2021", value=22.4, unit="mL/min/1.73 m2", at=now - timedelta(minutes=4)),),
        allergies=(
            Allergy(label="Penicillin", reaction="anaphylaxis", severity="severe", kind="allergy"),
            Allergy(label="Codeine", reaction="nausea", kind="intolerance", verification="unconfirmed"),
        ),
        conditions=(
            Condition(label="Chronic kidney disease, stage 3b", code="ICD-10 N18.32", onset=date(2019, 3, 1)),
            Condition(label="Atrial fibrillation", code="ICD-10 I48.91"),
        ),
        medicines=(
            medicine("Warfarin 5 mg tablet", "warfarin", dosage="5 mg once daily",
                     last_given=now - timedelta(hours=7), last_dose="5 mg"),
            medicine("Spironolactone 25 mg tablet", "spironolactone", dosage="25 mg once daily"),
            medicine("Ibuprofen 400 mg", "ibuprofen", record_id="d1", rests_on="dispensing",
                     last_dispensed=now - timedelta(days=1)),
            medicine("Metformin 850 mg", "metformin", dosage="850 mg twice daily", held=True),
            medicine("Hausmischung nach Art der Klinik, Teil zwei", route="", start=now + timedelta(hours=5)),
        ),
        labs=(
            lab("potassium", 6.4, at=now - timedelta(minutes=4), received="6.4 mmol/L",
                before=Reading(at=before, value=5.1, unit="mmol/L")),
            lab("creatinine", 2.31, "mg/dL", at=now - timedelta(minutes=4), received="204 umol/L",
                before=Reading(at=before, value=2.4, unit="mg/dL")),
            lab("INR", 3.9, "1", at=before, received="3.9", status="preliminary"),
            lab("glucose", None, "", at=before, text="haemolysed", remark="no_value"),
            lab("troponin", 14, "ng/L", at=now - timedelta(hours=1), comparator="<", received="<14 ng/L"),
        ),
    )  # fmt: skip


async def test_a_patient_is_found_and_read(
    service: NotifyProcess, brokers: str, browser: Browser, tmp_path: Path
) -> None:
    errors: list[str] = []
    mark = new_id()[:8]
    one = alert("critical", patient_id=f"MRN {mark}-1", summary="Potassium critically high: 6.4 mmol/L (limit 6.2)")
    shown = replace(sick(one.patient_id), open=(of_alert(one), problem("high")))
    other = picture(f"MRN {mark}-2", medicines=(), unit="ICU 2", allergies=())
    await publish(brokers, [one])
    await publish_pictures(brokers, [other, shown])
    page = await open_page(browser, service.url, errors, viewport={"width": 1200, "height": 800})

    # from the alert to its patient, whose id is not in the address
    await page.get_by_role("link", name=one.summary).click()
    await page.get_by_role("link", name=one.patient_id).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(one.patient_id)
    assert page.url == f"{service.url}/patients/{patient_key(one.patient_id)}"
    main = page.get_by_role("main")
    for text in (
        "68 y, female",
        "81.5 kg",
        "22 mL/min/1.73 m²",
        "Penicillin (anaphylaxis, severe)",
        "Atrial fibrillation",
        one.summary,
    ):
        await expect(main).to_contain_text(text)
    await expect(main).to_contain_text("Penicillin (anaphylaxis, severe)")
    medicines = page.get_by_role("region", name="Medicines")
    for text in ("5 mg once daily", "Last given 5 mg, 7 h", "dispensed, no order in force", "held", "no rule sees it"):
        await expect(medicines).to_contain_text(text)
    potassium = page.get_by_role("row", name=re.compile("^Potassium"))
    await expect(potassium).to_contain_text("6.4 mmol/L")
    await expect(potassium).to_contain_text("up from 5.1 mmol/L")
    await expect(page.get_by_role("row", name=re.compile("^Glucose"))).to_contain_text("haemolysed")
    await expect(page.get_by_role("row", name=re.compile("^INR"))).to_contain_text("preliminary")

    qtc = page.get_by_role("row", name=re.compile("^QTc"))
    for text in ("512 ms", "Fridericia", "2 h"):
        await expect(qtc).to_contain_text(text)
    await expect(page.get_by_role("row", name=re.compile("^Blood pressure"))).to_contain_text("104/61 mmHg")
    await expect(page.get_by_role("row", name=re.compile("^Breathing rate"))).to_contain_text("9 /min")

    # it stays fresh by itself
    await page.evaluate("window.notReloaded = true")
    await publish_pictures(brokers, [replace(shown, labs=(lab("potassium", 4.4),))])
    await expect(page.get_by_role("row", name=re.compile("^Potassium"))).to_contain_text("4.4 mmol/L", timeout=15000)
    assert await page.evaluate("window.notReloaded")
    await page.get_by_role("main").get_by_role("link", name=one.summary).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(one.summary)

    # by medicine and unit; by id without a trace of it in any address
    await page.get_by_role("link", name="Patients", exact=True).click()
    rows = page.locator("[data-patient]")
    await expect(rows).to_have_count(2)
    assert await rows.first.get_attribute("data-patient") == patient_key(one.patient_id)
    await page.get_by_label("Medicine").fill("warf")
    await page.get_by_label("Unit").select_option("Nephrology, 4 West")
    await page.get_by_role("button", name="Find").click()
    await expect(rows).to_have_count(1)
    await page.get_by_label("Unit").select_option("ICU 2")
    await page.get_by_role("button", name="Find").click()
    await expect(main).to_contain_text("No patient on warf in ICU 2")
    await page.get_by_label("Patient id").fill(f"mrn {mark}")
    await page.get_by_role("button", name="Open").click()
    await expect(rows).to_have_count(2)
    await page.get_by_label("Patient id").fill(other.patient_id.lower())
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(other.patient_id)
    assert page.url == f"{service.url}/patients/{patient_key(other.patient_id)}"
    await expect(main).to_contain_text("Allergies none known")
    await expect(main).to_contain_text("No open problems")

    # erased while somebody looks
    await publish_pictures(brokers, [other.patient_id])
    await expect(main).to_contain_text("it was erased", timeout=15000)
    assert errors == []


async def test_none_known_is_not_not_asked(service: NotifyProcess, brokers: str, browser: Browser) -> None:
    mark = new_id()[:8]
    none, unknown = picture(f"{mark}-none", allergies=()), picture(f"{mark}-unknown", allergies=None)
    never = picture(f"{mark}-never")
    await publish_pictures(brokers, [none, unknown, never])
    page = await open_page(browser, service.url, [])
    said = {none: "none known", unknown: "asked, not known", never: "not asked"}
    for one, words in said.items():
        await page.goto(f"{service.url}/patients/{patient_key(one.patient_id)}")
        await expect(page.locator(".allergies")).to_have_text(f"Allergies {words}")


async def test_every_page_of_patients_fits_and_its_text_has_contrast(
    service: NotifyProcess, brokers: str, browser: Browser, tmp_path: Path
) -> None:
    errors: list[str] = []
    mark = new_id()[:8]
    shown = replace(sick(f"MRN {mark}-1"), open=(problem("critical"), problem("moderate", acknowledged=True)))
    plain = picture(f"MRN {mark}-2", medicines=(), labs=(), birth_date=None, sex="", unit="")
    await publish_pictures(brokers, [shown, plain, picture(f"MRN {mark}-3", open=(problem("high"),))])
    first = await open_page(browser, service.url, errors)
    await first.goto(f"{service.url}/patients")
    while await first.locator("[data-patient]").count() < 3:
        await first.reload()
    await first.close()
    paths = {"list": "/patients", "sick": patient_key(shown.patient_id), "plain": patient_key(plain.patient_id)}
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme, width in itertools.product(schemes, (360, 768, 1400)):
        page = await open_page(
            browser, service.url, errors, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        for name, path in paths.items():
            await page.goto(f"{service.url}/patients/{path}" if name != "list" else f"{service.url}{path}")
            case = f"{name} {scheme} {width}"
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, case
            assert await page.evaluate(LOW_CONTRAST) == [], case
            assert await page.evaluate(UNLABELLED) == [], case
            await page.screenshot(path=tmp_path / f"{scheme}-{width}-{name}.png", full_page=True)
        await page.context.close()
    assert errors == []
