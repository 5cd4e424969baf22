"""How tests look at a page: with an ear for errors, and for what a reader could not read or name."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser, Page, expect

LOW_CONTRAST = """() => {
  // WCAG 2.2, 1.4.3: relative luminance and a ratio of at least 4.5
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility()) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(node).color)), luminance(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${node.tagName} ${node.className} ${node.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
}"""

UNLABELLED = """() => [
  ...[...document.querySelectorAll("input:not([type=hidden]), textarea, select")].filter((field) => !field.labels.length),
  ...[...document.querySelectorAll("a, button")].filter((node) => !node.textContent.trim()),
  ...(document.querySelectorAll("h1").length === 1 ? [] : ["not one h1"]),
].map(String)"""


async def open_page(browser: Browser, url: str, errors: list[str], **more: Any) -> Page:
    context = await browser.new_context(timezone_id="Europe/Vienna", **more)
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    return page
