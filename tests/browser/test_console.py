"""A pharmacist's evening in a real browser: the list, a new alert, an answer, a lost connection."""

from __future__ import annotations

import asyncio
import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from playwright.async_api import Browser, Page, expect

from schemas import codec, topics
from schemas.alerts import Alert
from schemas.feedback import Feedback
from tests.support.alerts import acknowledged, alert, changed, new_id, publish
from tests.support.browser import LOW_CONTRAST, UNLABELLED, open_page
from tests.support.notify_process import NotifyProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

ROW = "#list [data-alert]"


def ward() -> dict[str, Alert]:
    """Open alerts by name, in the order in which they must stand."""
    mark, now = new_id()[:8], datetime.now(UTC)
    return {
        "graver": alert(
            "critical",
            patient_id=f"MRN {mark}-1",
            rank=0.4,
            summary="Potassium critically high: 8.6 mmol/L (limit 6.2)",
            true_since=now - timedelta(minutes=5),
        ),
        "critical": alert(
            "critical",
            patient_id=f"MRN {mark}-2",
            rank=0.1,
            summary="Sodium critically low: 112 mmol/L (limit 120)",
            true_since=now - timedelta(hours=3),
            unit="Nephrology, 4 West",
        ),
        "high": alert(
            "high",
            patient_id=f"MRN {mark}-3",
            summary="Warfarin with ibuprofen: raised risk of bleeding",
            true_since=now - timedelta(hours=9),
        ),
        "moderate": alert(
            "moderate", patient_id=f"MRN {mark}-4", summary="Simvastatin with diltiazem: the dose is not known", unit=""
        ),
        "info": alert("info", patient_id=f"MRN {mark}-5", summary="Two orders of paracetamol <b>noted</b>", rank=7.0),
    }


async def feedback_of(brokers: str, patient_id: str) -> Feedback:
    """The answer as the monitor reads it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topics.FEEDBACK, n) for n in range(topics.topics()[topics.FEEDBACK].partitions)])
    try:
        async with asyncio.timeout(30):
            async for record in consumer:
                if record.key == patient_id.encode():
                    return codec.decode_feedback(record.value)
    finally:
        await consumer.stop()
    raise AssertionError


async def rows(page: Page) -> list[str | None]:
    return [await row.get_attribute("data-alert") for row in await page.locator(ROW).all()]


async def test_alerts_are_seen_in_order_come_without_reload_and_leave_when_answered(
    service: NotifyProcess, brokers: str, browser: Browser, tmp_path: Path
) -> None:
    errors: list[str] = []
    found = ward()
    arriving = found.pop("critical")
    await publish(brokers, list(found.values())[::-1])
    page = await open_page(browser, service.url, errors, viewport={"width": 1200, "height": 800})
    await expect(page.locator(ROW)).to_have_count(3)
    assert await rows(page) == [one.alert_id for one in found.values() if one.severity != "info"]
    await expect(page).to_have_title("1 critical, 3 open · rxvigil")
    badges = [await badge.text_content() for badge in await page.locator(f"{ROW} .badge").all()]
    assert badges == ["critical", "high", "moderate"]

    # what is for whoever opens the patient is counted, and shown when asked for
    await expect(page.locator(".left-out")).to_contain_text("1 of severity info is not listed")
    await page.get_by_role("link", name="Show them").click()
    await expect(page.locator(ROW)).to_have_count(4)
    assert await page.locator(f'[data-alert="{found["info"].alert_id}"] h2').text_content() == found["info"].summary
    await expect(page).to_have_title("1 critical, 3 open · rxvigil")
    another = alert("info", patient_id=arriving.patient_id, summary="Two orders of ibuprofen")
    await publish(brokers, [another])
    await expect(page.locator(ROW)).to_have_count(5)
    await page.get_by_role("link", name="Leave them out").click()
    await expect(page.locator(ROW)).to_have_count(3)
    await expect(page.locator(".left-out")).to_contain_text("2 of severity info are not listed")

    # a new alert takes its place without a reload, and is announced
    await page.evaluate("window.notReloaded = true")
    await publish(brokers, [arriving])
    await expect(page.locator(ROW)).to_have_count(4)
    assert (await rows(page))[:2] == [found["graver"].alert_id, arriving.alert_id]
    assert await page.evaluate("window.notReloaded")
    await expect(page).to_have_title("2 critical, 4 open · rxvigil")
    await expect(page.locator("#announce")).to_have_text(f"New alert. critical: {arriving.summary}")
    since = page.locator(f'[data-alert="{arriving.alert_id}"] .since')
    await expect(since).to_contain_text(re.compile(r"3 h [01] min ago"))
    await expect(since).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d \+0[12]:00"))
    await page.screenshot(path=tmp_path / "list.png", full_page=True)

    # its page has what, why, what to do and the evidence
    await page.get_by_role("link", name=arriving.summary).click()
    main = page.get_by_role("main")
    for text in (arriving.detail, *arriving.actions, "7.1 mmol/L", "lab r-71", "hospital.lab-results", "unverified"):
        await expect(main).to_contain_text(text)

    # a name and a reason are needed
    await page.get_by_label("Comment").fill("Second sample on its way.")
    await page.get_by_role("button", name="Acknowledge").click()
    assert page.url.endswith(f"/alerts/{arriving.alert_id}")
    await page.get_by_label("Your name").fill("Éva Ápoteker")
    await page.get_by_label("Prescriber contacted").check()
    await page.screenshot(path=tmp_path / "answer.png", full_page=True)
    await page.get_by_role("button", name="Acknowledge").click()
    history = page.get_by_role("region", name="History")
    await expect(history).to_contain_text("Answered by Éva Ápoteker: Prescriber contacted")
    await expect(history).to_contain_text("not yet confirmed by the monitor")

    # the monitor confirms: who, when and why stay, and it stays away from the open list
    feedback = await feedback_of(brokers, arriving.patient_id)
    confirmed = acknowledged(arriving, feedback)
    await publish(brokers, [confirmed])
    await expect(page.locator("#changed")).to_be_visible()
    await page.get_by_role("link", name="Load it again").click()
    await expect(history).not_to_contain_text("not yet confirmed")
    await expect(history).to_contain_text("Answered by Éva Ápoteker: Prescriber contacted")
    await expect(history).to_contain_text("Second sample on its way.")
    assert await history.locator(f'time[datetime="{feedback.at:%Y-%m-%dT%H:%M:%SZ}"]').count()
    await page.screenshot(path=tmp_path / "acknowledged.png", full_page=True)
    await page.get_by_role("link", name="Back to open alerts").click()
    await expect(page.locator(ROW)).to_have_count(3)
    assert arriving.alert_id not in await rows(page)

    # the name is remembered, and when it gets worse it asks again
    await page.get_by_role("link", name=found["high"].summary).click()
    await expect(page.get_by_label("Your name")).to_have_value("Éva Ápoteker")
    await page.get_by_role("link", name="Back to open alerts").click()
    await publish(brokers, [changed(confirmed, "attention", acknowledgement=None, rank=0.9)])
    await expect(page.locator(ROW)).to_have_count(4)
    assert (await rows(page))[0] == arriving.alert_id
    await expect(page.locator(f'[data-alert="{arriving.alert_id}"]')).to_contain_text("asks again")
    await publish(brokers, [changed(found["high"], "resolved")])
    await expect(page.locator(ROW)).to_have_count(3)
    await page.get_by_role("link", name="Ended").click()
    assert await rows(page) == [found["high"].alert_id]
    assert errors == []


async def test_an_answer_to_what_got_worse_meanwhile_is_not_taken_and_nothing_typed_is_lost(
    service: NotifyProcess, brokers: str, browser: Browser
) -> None:
    errors: list[str] = []
    one = ward()["high"]
    await publish(brokers, [one])
    page = await open_page(browser, f"{service.url}/", errors)
    await page.get_by_role("link", name=one.summary).click()
    await page.get_by_label("Your name").fill("A. Pharmacist")
    await page.get_by_label("Will monitor").check()
    await page.get_by_label("Comment").fill("INR tomorrow.")
    await publish(brokers, [changed(one, "updated", severity="critical")])
    await expect(page.locator("#changed")).to_be_visible()
    await page.get_by_role("button", name="Acknowledge").click()
    await expect(page.locator(".fault")).to_contain_text("got worse since you looked")
    await expect(page.get_by_label("Comment")).to_have_value("INR tomorrow.")
    await expect(page.get_by_label("Will monitor")).to_be_checked()
    await page.get_by_role("button", name="Acknowledge").click()  # now they have seen it
    await expect(page.locator(".state")).to_have_text("acknowledged")


async def test_the_page_says_when_the_connection_is_lost_and_comes_back_by_itself(
    service: NotifyProcess, brokers: str, browser: Browser, tmp_path: Path
) -> None:
    one = ward()["critical"]
    page = await open_page(browser, service.url, [])
    await expect(page.get_by_role("main")).to_contain_text("No open alerts")
    await service.kill()
    await expect(page.locator("#lost")).to_be_visible()
    await expect(page.locator("#lost")).to_contain_text("newer alerts may be missing")
    await page.screenshot(path=tmp_path / "lost.png", full_page=True)
    await publish(brokers, [one])
    await service.start()
    await expect(page.locator(ROW)).to_have_count(1, timeout=30000)
    await expect(page.locator("#lost")).to_be_hidden()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20000)


async def test_every_page_fits_and_its_text_has_contrast(
    service: NotifyProcess, brokers: str, browser: Browser, tmp_path: Path
) -> None:
    errors: list[str] = []
    found = ward()
    await publish(brokers, list(found.values()))
    first = await open_page(browser, service.url, errors)
    await expect(first.locator(ROW)).to_have_count(4)
    await first.close()
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme, width in itertools.product(schemes, (360, 768, 1400)):
        page = await open_page(
            browser, service.url, errors, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        for path in ("/", "/?info=true", f"/alerts/{found['graver'].alert_id}", "/acknowledged", "/alerts/none"):
            await page.goto(f"{service.url}{path}")
            case = f"{path} {scheme} {width}"
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, case
            assert await page.evaluate(LOW_CONTRAST) == [], case
            assert await page.evaluate(UNLABELLED) == [], case
            await page.screenshot(path=tmp_path / f"{scheme}-{width}-{len(path)}.png", full_page=True)
        await page.context.close()
    assert all("404" in error for error in errors)


async def test_the_check_of_contrast_finds_what_is_too_faint(browser: Browser) -> None:
    page = await browser.new_page()
    await page.set_content('<h1>dark</h1><p style="color:#777">4.48</p><p style="color:#767676">4.54</p><input>')
    assert [found.split()[-1] for found in await page.evaluate(LOW_CONTRAST)] == ["4.48"]
    assert len(await page.evaluate(UNLABELLED)) == 1
