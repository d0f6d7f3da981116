"""The archive in a browser: nothing is loaded, nothing is cut off, everything can be read, on paper too."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from courtbook.evidence.bundle import write_json
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.signatures import Meaning, SignOff, Standing
from courtbook.report.html import export_notebook
from courtbook.report.index_page import write_index
from made_run import check, make_run
from playwright.sync_api import Browser, Page, sync_playwright
from small_run import ROOT
from test_pages import EVIL, FAILED, PIXEL, display, notebook, page_of, shows, signature

pytestmark = pytest.mark.slow
ARTIFACTS = ROOT / "test-artifacts"
LONG = "a_name_that_is_much_longer_than_any_screen_is_wide_" * 4
PAGES = ("go", "no-go", "interrupted", "notebook", "index")
# Smallest contrast of text against what lies behind it, with the text; what is folded was opened before.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = text => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
                         return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = item => { for (; item; item = item.parentElement) {
      const found = rgba(getComputedStyle(item).backgroundColor); if (found[3] === 255) return found; }
    return rgba(getComputedStyle(document.documentElement).colorScheme === 'dark' ? '#121212' : '#ffffff'); };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = [99, 'no text'], seen = 0;
  while (walk.nextNode()) {
    const item = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || item.closest('style') || !item.checkVisibility({visibilityProperty: true})) continue;
    const style = getComputedStyle(item);
    const [a, b] = [light(rgba(item.closest('svg') ? style.fill : style.color)), light(behind(item))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    if (ratio < worst[0]) worst = [ratio, `${text.slice(0, 60)} (${style.color})`];
  }
  return [seen, ...worst];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; what it draws is kept for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and these tests must not be left out here")
        pytest.skip("chromium is not installed")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments, headless=True)
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of an archive, with long names and texts that would do harm if they were markup."""
    runs = tmp_path_factory.mktemp("archive") / "runs"
    good = make_run(runs, "20250101T000000Z-good", sealed=False)
    for attempt in good.glob("*/attempt-1/*.ipynb"):
        attempt.unlink()
        trace = ["\x1b[0;31mValueError\x1b[0m: \x1b[33myellow\x1b[0m \x1b[36mcyan\x1b[0m", LONG]
        error = nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=trace)
        wide = f"<table><tr>{f'<td>{LONG}</td>' * 3}</tr></table><script src='https://example.org/x.js'></script>"
        figure = display({"image/png": PIXEL}, **{"image/png": {"alt": "one dot"}})
        remote = nbformat.v4.new_markdown_cell(
            f"# {attempt.stem}\n\n![far](https://example.org/x.png)\n\n## Below\n\n$x$"
        )
        cells = [
            remote,
            shows(f"x = '{LONG}'", display({"text/html": wide}), figure),
            shows("1/0", error, state="failed"),
        ]
        written = notebook(attempt, *cells)
        attempt.with_suffix(".html").write_text(export_notebook(written, "NO-GO", f"{EVIL} {LONG}"), encoding="utf-8")
    signed = (
        signature(1, "Olga Operator", Meaning.EXECUTED, Standing.VALID),
        signature(2, LONG, Meaning.APPROVED, Standing.UNAUTHENTICATED, comment=EVIL, why=LONG),
        signature(3, "Void", Meaning.REVIEWED, Standing.VOID, why="the run went on after it was signed"),
    )
    page_of(good, signed, SignOff.SIGNED_OFF)
    override = {"gate": "phase3", "by": EVIL, "reason": LONG}
    checks = [
        check("keys"),
        check(LONG, **{**FAILED, "detail": EVIL, "command": f"courtbook {LONG}"}),
        check("warned", severity="warning", status="WARN", detail=LONG, excuse=EVIL),
        check("nothing", severity="warning", status="NO_DATA", value=None),
        check("broken", status="ERROR", detail=LONG),
    ]
    steps = {"preflight": "GO", "phase3_validation": "NO-GO"}
    bad = make_run(
        runs, "20250102T000000Z-bad", steps=steps, checks=checks, override=override, operator=LONG, sealed=False
    )
    days = [f"{year}-{month:02d}-{day:02d}" for year in (2022, 2023) for month in (1, 2, 3) for day in range(1, 29)]
    names = ("partial", "missing", "stale", "unexpected", "no source", "empty by rule", "complete")
    states = {state: days[number::7] for number, state in enumerate(names)}
    item = {"covered": 1, "expected": 2, "expected_rows": 10**9, "found_rows": 10**8, "states": states}
    write_json(bad / "more.json", {"tables": {LONG: item}})
    Ledger(bad / "ledger.jsonl").append("coverage", step="x", attempt="attempt-1", file="more.json", tables={})
    page_of(bad)
    cut = make_run(runs, "20250103T000000Z-cut", steps={"preflight": "INTERRUPTED"}, sealed=False)
    next(cut.glob("*/attempt-1/log.txt")).write_text(f"Traceback\n  {LONG}\nMemoryError\n")
    page_of(cut)
    (runs / "20250104T000000Z-empty").mkdir()
    paths = (good / "index.html", bad / "index.html", cut / "index.html", next(good.glob("*/attempt-1/*.html")))
    return dict(zip(PAGES, (*paths, write_index(runs, None)), strict=True))


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1280, **options: Any) -> Iterator[Page]:
    """Open a page of the archive; whatever it asks for beside itself fails the test."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.route("**/*", lambda route: route.abort() if route.request.url.startswith("http") else route.continue_())
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    context.close()


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(item => { item.open = true; })")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [400, 800, 1280])
def test_a_page_fits_every_screen_and_asks_for_nothing(
    browser: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    with opened(browser, pages[name], width) as page:
        if width != 800:
            page.screenshot(path=ARTIFACTS / f"{name}-{width}.png", full_page=True)
        unfold(page)
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
        assert page.evaluate("document.scripts.length") == 0


def test_the_index_shows_why_a_run_does_not_count_without_scrolling(browser: Browser, tmp_path: Path) -> None:
    make_run(tmp_path, "20250101T000000Z-demonstration", sealed=False)
    older = make_run(tmp_path, "20250102T000000Z-demonstration")
    (older / "manifest.json").write_text("{}")
    with opened(browser, write_index(tmp_path, None)) as page:
        assert page.evaluate("(item => item.scrollWidth <= item.clientWidth)(document.querySelector('.scroll'))")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(browser: Browser, pages: dict[str, Path], name: str, scheme: Any) -> None:
    with opened(browser, pages[name], color_scheme=scheme) as page:
        unfold(page)
        if scheme == "dark":
            page.screenshot(path=ARTIFACTS / f"{name}-dark.png")
        seen, ratio, text = page.evaluate(CONTRAST)
        assert seen > 5
        assert ratio >= 4.5, text


@pytest.mark.parametrize("name", PAGES)
def test_structure_for_those_who_listen(browser: Browser, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name]) as page:
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(item => +item.tagName[1])")
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(later - before <= 1 for before, later in pairwise(levels)), levels
        assert page.evaluate("[...document.images].filter(item => !item.alt).length") == 0
        assert (
            page.evaluate("[...document.querySelectorAll('svg')].filter(i => !i.getAttribute('aria-label')).length")
            == 0
        )
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.title()
        assert page.evaluate("document.querySelectorAll('main').length") == 1
        if name != "notebook":
            unnamed = "[...document.querySelectorAll('table')].filter(item => !item.caption?.textContent.trim()).length"
            assert page.evaluate(unnamed) == 0
            assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(item => item.id)")
        assert len(ids) == len(set(ids))


def test_a_keyboard_is_enough(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["no-go"]) as page:
        page.keyboard.press("Tab")
        box = page.locator(".skip").bounding_box()
        assert box is not None
        assert box["x"] >= 0, "the first stop is a link over everything to the content, and it is seen"
        page.keyboard.press("Enter")
        assert page.url.endswith("#content")
        reached = page.evaluate("[...document.querySelectorAll('.scroll, .map')].every(item => item.tabIndex === 0)")
        assert reached


def test_no_script_is_needed_to_unfold_and_to_follow_links(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["index"], java_script_enabled=False) as page:
        page.get_by_role("link", name="20250101T000000Z-good").click()
        assert page.locator("h1").inner_text() == "✓ GO 20250101T000000Z-good"
        hidden = page.get_by_role("table", name="Checks that passed")
        assert not hidden.is_visible()
        page.get_by_text("2 passed", exact=True).click()
        assert hidden.is_visible()
        page.get_by_role("link", name="00_preflight.html", exact=True).first.click()
        assert page.locator("h1").inner_text() == "00_preflight"
        assert not page.locator("pre code").first.is_visible()
        page.get_by_text("Code [1]").first.click()
        assert page.locator("pre code").first.is_visible()
        page.get_by_role("link", name="The run's page").click()
        assert page.url.endswith("20250101T000000Z-good/index.html")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints(browser: Browser, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], width=703, color_scheme="dark") as page:
        file = ARTIFACTS / f"{name}.pdf"
        page.pdf(path=file, prefer_css_page_size=True, tagged=True)
        content = file.read_bytes()
        assert content.startswith(b"%PDF-")
        assert content.count(b"/Type /Page\n") >= 1
        assert page.title().encode("utf-16-be").hex().encode() in content.lower() or page.title().encode() in content
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= 703, "nothing is cut off at the margin of A4"
        folded = page.locator("details:not(.code) > .scroll")
        assert all(folded.nth(number).is_visible() for number in range(folded.count()))
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        if name != "index":
            assert page.locator(".banner .state").first.is_visible()
