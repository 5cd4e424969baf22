"""What a pharmacist tells the patient, in the patient's language: on the alert's page and by the API."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from schemas.alerts import Implicated
from tests.support.alerts import alert, new_id, publish
from tests.support.browser import LOW_CONTRAST, UNLABELLED, open_page
from tests.support.notify_process import NotifyProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

OWN = "Your potassium level can become unsafe with one of your medicines. Do not change it on your own; ask your team."
TAKEN = datetime(2026, 11, 2, 15, 30, tzinfo=UTC)
POTASSIUM = Implicated(
    kind="lab_result", source="lab", record_id="r-1", version=1, label="Potassium", at=TAKEN, value=7.1, unit="mmol/L",
    received="7.1 mmol/L",
)  # fmt: skip
GERMAN = "Lisinopril und Spironolactone. Der Wert war: Potassium 7,1 mmol/L, am 2. November 2026."
ENGLISH = "lisinopril and spironolactone. The result was: Potassium 7.1 mmol/L, on November 2, 2026."
ONE = {
    "rule": "drug-lab", "family": "medicine and laboratory", "subject": "potassium:high", "patient_explanation": OWN,
    "summary": "Potassium 7.1 mmol/L with lisinopril and spironolactone", "implicated": (POTASSIUM,),
    "medicines": ("lisinopril", "spironolactone"),
}  # fmt: skip


async def test_the_page_tells_it_in_the_chosen_language(
    service: NotifyProcess, brokers: str, browser: Browser, tmp_path: Path
) -> None:
    errors: list[str] = []
    one = alert("critical", patient_id=f"MRN {new_id()[:8]}", **ONE)
    await publish(brokers, [one])
    page = await open_page(browser, service.url, errors, viewport={"width": 1200, "height": 900})
    await page.get_by_role("link", name=one.summary).click()
    told = page.get_by_role("region", name="For the patient")
    await expect(told).to_contain_text(ENGLISH)
    await expect(told).to_contain_text(OWN)
    await page.screenshot(path=tmp_path / "english.png", full_page=True)

    # another language, and nothing typed is lost
    await page.get_by_label("Comment").fill("Will call the ward.")
    await told.get_by_role("link", name="Deutsch").click()
    await expect(told).to_contain_text(GERMAN)
    await expect(told).to_contain_text("Kalium ist ein Salz im Blut.")
    await expect(told).not_to_contain_text(OWN)
    await expect(told).to_be_in_viewport()
    await expect(page.get_by_label("Comment")).to_have_value("Will call the ward.")
    await expect(told.get_by_role("link", name="Deutsch")).to_be_focused()
    assert await told.locator(".told").get_attribute("lang") == "de"
    await expect(told.get_by_role("link", name="Deutsch")).to_have_attribute("aria-current", "true")
    await page.screenshot(path=tmp_path / "german.png", full_page=True)
    await page.reload()  # the address has the language
    await expect(told).to_contain_text(GERMAN)
    assert await page.evaluate(LOW_CONTRAST) == []
    assert await page.evaluate(UNLABELLED) == []
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.screenshot(path=tmp_path / "german-narrow.png", full_page=True)
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(LOW_CONTRAST) == []
    assert errors == []


async def test_the_api_tells_it_in_the_language_asked_for(
    service: NotifyProcess, brokers: str, browser: Browser
) -> None:
    one = alert("critical", patient_id=f"MRN {new_id()[:8]}", **ONE)
    await publish(brokers, [one])
    page = await open_page(browser, service.url, [])
    await expect(page.locator(f'[data-alert="{one.alert_id}"]')).to_be_visible()
    async with httpx.AsyncClient(base_url=f"{service.url}/api/alerts/{one.alert_id}") as client:
        asked = (await client.get("", params={"language": "de-AT"})).json()["explanation"]
        accepted = (await client.get("", headers={"accept-language": "fr, de;q=0.9, en;q=0.8"})).json()["explanation"]
        english = (await client.get("")).json()["explanation"]
        refused = await client.get("", params={"language": "fr"})
    assert asked == accepted
    assert asked["language"] == "de"
    assert asked["found"].endswith(GERMAN)
    assert asked["help"].startswith("Holen Sie sofort Hilfe")
    assert english["language"] == "en"
    assert english["found"].endswith(ENGLISH)
    assert english["why"] == OWN
    assert refused.status_code == 400
    assert "there are en, de" in refused.json()["detail"]
