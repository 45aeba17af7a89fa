"""The HTML report of an evaluation in a real browser, opened from disk: Chromium, as Debian has it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright

from bridge.evaluate.report_html import write_html
from tests.evaluate.made_evaluation import made

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is here; on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found)
        yield await browser.new_page()
        await browser.close()


async def test_page_works_and_asks_no_network(page: Page, tmp_path: Path) -> None:
    """The file is the one request, nothing is complained of, queries are found by hits' ids, and all can read it."""
    file = tmp_path / "report.html"
    write_html(made(), file)
    requests, complaints = list[str](), list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(file.as_uri(), wait_until="networkidle")
    assert (requests, complaints) == ([file.as_uri()], [])
    status = page.get_by_role("status")
    assert await status.inner_text() == "3 of 3 queries shown"
    await page.get_by_label("Search in queries").fill("D3")
    assert await page.locator(".query:visible .words").all_inner_texts() == ["sour <b>lemons</b>"]
    assert await status.inner_text() == "1 of 3 queries shown"
    await page.get_by_role("button", name="Close all").click()
    assert await page.locator(".query:visible[open]").count() == 0
    assert await page.locator("figure svg.chart").count() == 2
    violations = (await Axe().run(page)).response["violations"]
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in violations] == []
