"""The HTML report of a replay in a real browser, opened from disk: Chromium, as Debian has it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from bridge.replay.report_html import write_html
from bridge.replay.summary import Summary, summarise
from bridge.replay.verdict import judge
from tests.replay.made_run import RUN, whole_summary
from tests.replay.test_report_html import FOREIGN, hit, record

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SHOWN = ".query:visible"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is here; on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=found)
        yield running
        await running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(whole_summary(changed=12), tmp_path_factory.mktemp("report"))


def written(summary: Summary, folder: Path) -> Path:
    file = folder / "report.html"
    write_html(summary, judge(summary), file)
    return file


@dataclass
class Seen:
    """What a page did."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def watched(page: Page) -> Seen:
    seen = Seen()
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
    return seen


@pytest.fixture
async def page(browser: Browser, file: Path) -> AsyncIterator[Page]:
    opened = await browser.new_page()
    await opened.goto(file.as_uri())
    yield opened
    await opened.close()


async def words(page: Page) -> list[str]:
    """The queries that are shown, in their order."""
    return await page.locator(f"{_SHOWN} .words").all_inner_texts()


async def test_nothing_is_asked_of_a_network(browser: Browser, file: Path) -> None:
    """The one request is for the file; the browser has nothing to complain of, its own policy included."""
    page = await browser.new_page()
    seen = watched(page)
    await page.goto(file.as_uri(), wait_until="networkidle")
    assert seen.requests == [file.as_uri()]
    assert seen.complaints == []
    assert await page.locator("#controls").is_visible()
    await page.close()


async def test_search(page: Page) -> None:
    """Words are found in queries, titles and ids, whatever their case or accents, all of them; the number is told."""
    everything = await words(page)
    status = page.get_by_role("status")
    assert await status.inner_text() == "12 of 12 queries shown"
    title = await page.locator(".query .title").first.inner_text()
    await page.get_by_label("Search in queries").fill(
        title.upper().replace("K\N{LATIN CAPITAL LETTER A WITH DIAERESIS}", "Ka")
    )
    found = await words(page)
    assert found[0] == everything[0]
    assert len(found) < 12
    assert await status.inner_text() == f"{len(found)} of 12 queries shown"
    await page.get_by_label("Search in queries").fill("karcher zzz")
    assert await words(page) == []
    await page.get_by_label("Search in queries").fill("")
    assert await words(page) == everything


async def test_filter_and_order(browser: Browser, tmp_path: Path) -> None:
    """Those with newcomers, those with another hit on top; by change or by how often they come."""
    one, two, three = hit("a"), hit("b"), hit("c")
    made = [
        record((one, two, three), (one, three, two), query_text="swapped", weight=7, number=0),
        record((one, two), (two, one), query_text="top", weight=3, number=1),
        record((one, two), (one, three), query_text="newcomer", weight=5, number=2),
    ]
    page = await browser.new_page()
    await page.goto(written(summarise(RUN, made, ()), tmp_path).as_uri())
    by_change = await words(page)
    await page.get_by_label("Show").select_option("newcomers")
    assert await words(page) == ["newcomer"]
    await page.get_by_label("Show").select_option("first hit changed")
    assert await words(page) == ["top"]
    await page.get_by_label("Show").select_option("all")
    await page.get_by_label("Order").select_option("most frequent first")
    assert await words(page) == ["swapped", "newcomer", "top"]
    await page.get_by_label("Order").select_option("most changed first")
    assert await words(page) == by_change != ["swapped", "newcomer", "top"]
    await page.close()


async def test_opening_and_closing(page: Page) -> None:
    """All at once, or one by the keyboard alone."""
    opened = page.locator(".query[open]")
    assert await opened.count() == 3
    await page.get_by_role("button", name="Open all shown").click()
    assert await opened.count() == 12
    await page.get_by_role("button", name="Close all").press("Enter")
    assert await opened.count() == 0
    await page.locator(".query summary").nth(4).press("Enter")
    assert await page.locator(".query").nth(4).locator("li").first.is_visible()
    assert await opened.count() == 1


async def test_the_same_hit_is_marked_on_both_pages(browser: Browser, tmp_path: Path) -> None:
    """Where the pointer is on it, so that the eye finds it on the other page."""
    made = [record((hit("a"), hit("b")), (hit("b"), hit("c"), hit("a")))]
    page = await browser.new_page()
    await page.goto(written(summarise(RUN, made, ()), tmp_path).as_uri())
    await page.locator("ol").first.locator("li").first.hover()
    assert await page.locator("li.marked .title").all_inner_texts() == ["Title a", "Title a"]
    await page.locator("h1").hover()
    assert await page.locator("li.marked").count() == 0
    await page.close()


async def test_dark_and_light(browser: Browser, file: Path) -> None:
    """As the reader's system has it, on paper always light; a picture of each shows it."""
    grounds: dict[str, str] = {}
    pictures: dict[str, bytes] = {}
    for scheme in ("light", "dark"):
        page = await browser.new_page(color_scheme=scheme)
        await page.goto(file.as_uri())
        grounds[scheme] = await ground(page)
        pictures[scheme] = await page.screenshot()
        await page.emulate_media(media="print")
        grounds[f"{scheme} on paper"] = await ground(page)
        assert not await page.locator("#controls").is_visible()
        assert not await page.get_by_role("navigation").is_visible()
        await page.close()
    assert grounds["light"] == grounds["light on paper"] == grounds["dark on paper"] == "rgb(255, 255, 255)"
    assert grounds["dark"] == "rgb(20, 23, 28)"
    assert pictures["light"] != pictures["dark"]


async def ground(page: Page) -> str:
    return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_everybody_can_read_it(browser: Browser, file: Path, scheme: str, width: int) -> None:
    """No rule of WCAG 2 that a program can check is broken: contrast, names, order of headings, landmarks, tables."""
    page = await browser.new_page(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    await page.goto(file.as_uri())
    found = await Axe().run(page)
    assert found.response["passes"], "nothing was checked"
    assert found.response["violations"] == []
    await page.close()


async def test_a_phone_needs_no_sideways_scrolling(browser: Browser, file: Path) -> None:
    """Everything fits into 390 pixels but wide tables, which scroll in themselves."""
    page = await browser.new_page(viewport={"width": 390, "height": 800})
    await page.goto(file.as_uri())
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    await page.close()


async def test_without_javascript(browser: Browser, file: Path) -> None:
    """All queries are there and open by themselves; what would not work is not shown."""
    page = await browser.new_page(java_script_enabled=False)
    await page.goto(file.as_uri())
    assert await page.locator(_SHOWN).count() == 12
    assert not await page.locator("#controls").is_visible()
    await page.locator(".query summary").nth(5).click()
    assert await page.locator(".query").nth(5).locator("li").first.is_visible()
    await page.close()


async def test_foreign_text_does_nothing(browser: Browser, tmp_path: Path) -> None:
    """A title that would be a script is shown as what it is; a script that got in all the same would not run."""
    bad = hit(FOREIGN, title=FOREIGN, passage=FOREIGN, index=FOREIGN)
    summary = summarise(RUN, [record((hit("a"), bad), (bad, hit("a")), query_text=FOREIGN)], ())
    file = written(summary, tmp_path)
    page = await browser.new_page()
    seen = watched(page)
    await page.goto(file.as_uri())
    assert await page.evaluate("window.hacked") is None
    assert FOREIGN in await page.locator(".query .words").inner_text()
    assert (seen.requests, seen.complaints) == ([file.as_uri()], [])
    let_in = file.read_text(encoding="utf-8").replace("<main>", "<main><script>window.hacked = 1</script>")
    file.write_text(let_in, encoding="utf-8")
    await page.goto(file.as_uri())
    assert await page.evaluate("window.hacked") is None
    assert "Content Security Policy" in " ".join(seen.complaints)
    await page.close()
