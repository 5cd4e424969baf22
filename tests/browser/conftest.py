"""Notify as a process, and a real browser to look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support.notify_process import NotifyProcess, begin_at_the_end


@pytest.fixture
async def service(brokers: str, fresh_database: str, tmp_path: Path) -> AsyncIterator[NotifyProcess]:
    await begin_at_the_end(brokers, fresh_database)
    async with NotifyProcess(brokers, fresh_database, tmp_path) as service:
        yield service


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()
